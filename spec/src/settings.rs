//! Settings of a namespace: where object stores are and which Secrets open them. The driver writes them, the webhook and
//! the launcher read them. They hold names of Secrets, never their content.

use serde::{Deserialize, Serialize};

use crate::keys;
use crate::object_name::is_object_name;
use crate::uri::ObjectUri;

/// Version of the format that this build writes.
pub const SETTINGS_VERSION: u32 = 1;
/// Pipeline root where nothing else is set: KFP's.
pub const DEFAULT_ROOT: &str = "minio://mlpipeline/v2/artifacts";
/// User and group of tasks in a namespace that takes no Pods of root, where it says nothing else: nobody's, as usual in
/// images without root.
pub const NON_ROOT_ID: i64 = 65532;

/// Settings of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSettings {
    /// Format, [`SETTINGS_VERSION`].
    pub version: u32,
    /// Pipeline root of runs that name none.
    pub default_root: String,
    /// Object stores; the first that matches a URI is taken.
    pub stores: Vec<StoreSetting>,
    /// ConfigMap with authorities that the stores' certificates may be of, beside the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ca: Option<ObjectKey>,
    /// What Pods that are no tasks may name as inputs and outputs: URIs at or below one of these.
    #[serde(default)]
    pub allowed_prefixes: Vec<String>,
    /// What Pods of tasks get here.
    #[serde(default, skip_serializing_if = "TaskSettings::is_empty")]
    pub tasks: TaskSettings,
}

/// Key of authorities in a ConfigMap or Secret where none is named.
const DEFAULT_CA_KEY: &str = "ca.crt";

/// A key of a ConfigMap or Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// Name of the object.
    pub name: String,
    /// Its key.
    pub key: String,
}

impl ObjectKey {
    /// Reads `NAME[:KEY]` of certificates of authorities. An error is the reason.
    pub fn parse_ca(text: &str) -> Result<ObjectKey, String> {
        let (name, key) = text.split_once(':').unwrap_or((text, DEFAULT_CA_KEY));
        if !is_object_name(name) {
            return Err(format!("{name:?} is no name of an object: small letters, digits, `-` and `.`"));
        }
        let is_key = (1..=253).contains(&key.len())
            && key != "."
            && !key.starts_with("..")
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_key {
            return Err(format!("{key:?} is no key: letters, digits, `-`, `_` and `.`"));
        }
        Ok(ObjectKey { name: name.to_owned(), key: key.to_owned() })
    }
}

/// What Pods of tasks get in a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskSettings {
    /// Who user code runs as.
    #[serde(default, skip_serializing_if = "RunAs::is_empty")]
    pub run_as: RunAs,
}

impl TaskSettings {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.run_as.is_empty()
    }
}

/// Who user code runs as; the image says it where nothing is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAs {
    /// User ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<i64>,
    /// Group ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<i64>,
    /// Whether root is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_root: Option<bool>,
}

impl RunAs {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == RunAs::default()
    }

    /// This, and for each field that is not set what `other` says.
    #[must_use]
    pub fn or(self, other: RunAs) -> RunAs {
        RunAs {
            user: self.user.or(other.user),
            group: self.group.or(other.group),
            non_root: self.non_root.or(other.non_root),
        }
    }

    /// Whether it asks for root and refuses it at once.
    pub fn contradicts_itself(self) -> bool {
        self.user == Some(0) && self.non_root == Some(true)
    }
}

/// One object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreSetting {
    /// `s3` or `minio`.
    pub scheme: String,
    /// Bucket that this is for; all buckets when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Whole segments at the beginning of the key; empty for all keys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key_prefix: String,
    /// URL of the server; AWS by region when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the bucket stands in the path rather than in the host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Tries of one request in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_tries: Option<u32>,
    /// Who the launcher is to the store.
    pub credentials: StoreCredentials,
}

impl StoreSetting {
    /// Any bucket of a scheme, found and opened by the SDK's standard chain.
    pub fn from_surroundings(scheme: &str) -> StoreSetting {
        StoreSetting {
            scheme: scheme.to_owned(),
            bucket: None,
            key_prefix: String::new(),
            endpoint: None,
            region: None,
            path_style: None,
            request_tries: None,
            credentials: StoreCredentials::Environment,
        }
    }

    /// KFP's bundled store: any bucket of `minio://`.
    pub fn kfp_bundled(endpoint: &str) -> StoreSetting {
        StoreSetting {
            endpoint: Some(endpoint.to_owned()),
            path_style: Some(true),
            credentials: StoreCredentials::Secret {
                name: keys::KFP_STORE_SECRET.to_owned(),
                access_key: keys::KFP_ACCESS_KEY.to_owned(),
                secret_key: keys::KFP_SECRET_KEY.to_owned(),
            },
            ..StoreSetting::from_surroundings("minio")
        }
    }
}

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoreCredentials {
    /// The SDK's standard chain: web identity, instance metadata and so on.
    Environment,
    /// Nobody: requests are not signed.
    Anonymous,
    /// Keys of a Secret of the namespace.
    #[serde(rename_all = "camelCase")]
    Secret {
        /// Name of the Secret.
        name: String,
        /// Key of the access key.
        access_key: String,
        /// Key of the secret key.
        secret_key: String,
    },
}

impl NamespaceSettings {
    /// What KFP takes where nothing is configured: `minio://` is its bundled store, opened by the Secret of its keys;
    /// `s3://` is AWS, opened by whatever the Pod's surroundings offer.
    pub fn kfp_default(endpoint: &str) -> NamespaceSettings {
        NamespaceSettings {
            version: SETTINGS_VERSION,
            default_root: DEFAULT_ROOT.to_owned(),
            stores: vec![StoreSetting::kfp_bundled(endpoint), StoreSetting::from_surroundings("s3")],
            store_ca: None,
            allowed_prefixes: vec!["minio://mlpipeline".to_owned()],
            tasks: TaskSettings::default(),
        }
    }

    /// Names of Secrets that the stores need, each with its keys, in order and without repetition.
    pub fn secrets(&self) -> Vec<(&str, &str)> {
        let mut secrets = Vec::new();
        for store in &self.stores {
            if let StoreCredentials::Secret { name, access_key, secret_key } = &store.credentials {
                for item in [(name.as_str(), access_key.as_str()), (name.as_str(), secret_key.as_str())] {
                    if !secrets.contains(&item) {
                        secrets.push(item);
                    }
                }
            }
        }
        secrets
    }

    /// The files in [`keys::POD_DIR`] that these settings ask for, by their paths there.
    pub fn pod_files(&self) -> Vec<String> {
        let authorities = self.store_ca.as_ref().map(|_| keys::POD_STORE_CA_FILE.to_owned());
        let credentials = self.secrets().into_iter().map(|(secret, key)| credential_file(secret, key));
        credentials.chain(authorities).collect()
    }

    /// Whether a Pod that is no task may name this URI (T-03: compared by segments).
    pub fn allows(&self, uri: &ObjectUri) -> bool {
        let prefixes = self.allowed_prefixes.iter().filter_map(|prefix| ObjectUri::parse(prefix).ok());
        prefixes.into_iter().any(|prefix| uri.starts_with(&prefix))
    }
}

/// The file in [`keys::POD_DIR`] with the value of a key of a Secret.
pub fn credential_file(secret: &str, key: &str) -> String {
    format!("{}/{secret}/{key}", keys::POD_CREDENTIALS_DIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t03_a_prefix_covers_whole_segments() {
        let mut settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
        settings.allowed_prefixes = vec!["s3://data/team".to_owned(), "not a uri".to_owned()];
        let allows = |uri: &str| settings.allows(&ObjectUri::parse(uri).expect("parses"));
        assert!(allows("s3://data/team"));
        assert!(allows("s3://data/team/x/y"));
        assert!(!allows("s3://data/team-2/x"));
        assert!(!allows("s3://data2/team/x"));
        assert!(!allows("minio://data/team/x"));
    }

    #[test]
    fn secrets_are_named_once() {
        let settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
        assert_eq!(
            settings.secrets(),
            [("mlpipeline-minio-artifact", "accesskey"), ("mlpipeline-minio-artifact", "secretkey")]
        );
    }

    #[test]
    fn documents_without_a_section_about_tasks_stay_as_they_were() {
        let mut settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
        let old = serde_json::to_value(&settings).expect("JSON");
        assert_eq!(old.get("tasks"), None);
        assert_eq!(serde_json::from_value::<NamespaceSettings>(old).expect("reads"), settings);
        settings.tasks.run_as = RunAs { user: Some(NON_ROOT_ID), group: None, non_root: Some(true) };
        let new = serde_json::to_value(&settings).expect("JSON");
        assert_eq!(new["tasks"], serde_json::json!({"runAs": {"user": 65532, "nonRoot": true}}));
        assert_eq!(serde_json::from_value::<NamespaceSettings>(new).expect("reads"), settings);
    }

    #[test]
    fn i31_a_key_of_certificates_is_named_by_its_object() {
        let key = |name: &str, key: &str| ObjectKey { name: name.to_owned(), key: key.to_owned() };
        assert_eq!(ObjectKey::parse_ca("corporate-ca"), Ok(key("corporate-ca", "ca.crt")));
        assert_eq!(ObjectKey::parse_ca("a.b-1:root.pem"), Ok(key("a.b-1", "root.pem")));
        for text in ["", ":ca.crt", "Name", "-a", "a-", "a..b", "a/b", "name:", "name:a/b", "name:..", "name:.", "a b"]
        {
            assert!(ObjectKey::parse_ca(text).is_err(), "{text}");
        }
        let mut settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
        settings.store_ca = Some(key("corporate-ca", "ca.crt"));
        let written = serde_json::to_value(&settings).expect("JSON");
        assert_eq!(written["storeCa"], serde_json::json!({"name": "corporate-ca", "key": "ca.crt"}));
        assert_eq!(serde_json::from_value::<NamespaceSettings>(written).expect("reads"), settings);
    }

    #[test]
    fn who_user_code_runs_as_is_decided_field_by_field() {
        let first = RunAs { user: Some(0), ..RunAs::default() };
        let second = RunAs { user: Some(1), group: Some(2), non_root: Some(true) };
        let both = first.or(second);
        assert_eq!(both, RunAs { user: Some(0), ..second });
        assert!(both.contradicts_itself() && !first.contradicts_itself() && !second.contradicts_itself());
    }
}
