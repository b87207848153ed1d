//! Object stores from the namespace's settings, with the credentials that are mounted beside them and may change at any
//! time (F-26). No other host is ever spoken to (T-08).

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use penstock_objectstore::retry::RetrySettings;
use penstock_objectstore::{
    KeyFiles, S3Credentials, S3Override, S3Settings, StoreSettings, Stores, Transfer, TransferSettings,
};
use penstock_spec::keys;
use penstock_spec::settings::{NamespaceSettings, ObjectKey, StoreCredentials, StoreSetting, credential_file};
use thiserror::Error;

use super::assignment::read_file;
use crate::report::describe;

/// The most bytes of a file with a credential or authorities: Kubernetes' own limit of their objects.
const MAX_POD_FILE: u64 = 1 << 20;
/// In every file with a certificate.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
/// Bytes of file content in memory: two parts of the least size that S3 takes, and a little.
const MEMORY: u64 = 10 << 20;
/// Files of one artifact: the names of more would not fit into the sidecar's memory.
const MAX_FILES: u64 = 100_000;
/// The least size of a part that S3 takes.
const PART: u64 = 5 << 20;
/// Tries of one request by the SDK, where the settings do not say. A second one is signed by the server's clock; all others
/// are ours, and are counted.
const REQUEST_TRIES: u32 = 2;
/// Longest wait between two tries: after an outage work goes on soon.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Stores that cannot be used as they are configured.
#[derive(Debug, Error)]
#[error(
    "the store settings of the namespace (ConfigMap {}, {place}) are not acceptable: {reason}",
    keys::SETTINGS_CONFIG_MAP
)]
pub struct StoresError {
    place: String,
    reason: String,
    /// Whether another Pod may do better.
    is_outdated: bool,
}

impl StoresError {
    /// Whether the settings have changed since this Pod was made for others: one that is made now suits them.
    pub fn is_outdated(&self) -> bool {
        self.is_outdated
    }
}

/// What is only known within the Pod.
#[derive(Debug, Clone, Copy)]
pub struct PodFiles<'a> {
    /// Where plan, settings and credentials are.
    pub directory: &'a Path,
    /// Files that were asked for when the Pod was made, as in [`keys::ENV_LAUNCHER_FILES`]; none when that is not known.
    pub asked_for: Option<&'a str>,
}

/// A transfer engine of small memory over the namespace's stores.
pub fn build_transfer(
    settings: &NamespaceSettings,
    files: PodFiles<'_>,
    budget: Duration,
) -> Result<Transfer, StoresError> {
    let stores = Stores::new(store_settings(settings, files)?)
        .map_err(|error| Wrong::from(describe(&error)).at("stores".to_owned()))?;
    let retry = RetrySettings { tries: u32::MAX, cap: LONGEST_WAIT, budget, ..RetrySettings::default() };
    let settings = TransferSettings {
        memory: MEMORY,
        part_size: PART,
        parallel_parts: 2,
        parallel_files: 8,
        max_files: MAX_FILES,
        retry,
    };
    Ok(Transfer::new(std::sync::Arc::new(stores), settings))
}

/// The registry's settings. The first store that matches a URI counts, so what comes after one for all buckets of its
/// scheme is never reached.
fn store_settings(settings: &NamespaceSettings, files: PodFiles<'_>) -> Result<StoreSettings, StoresError> {
    let mut found = StoreSettings { only_overrides: true, ..StoreSettings::default() };
    let mut minio_done = false;
    let ca_file = settings.store_ca.as_ref().map(|source| authorities(source, files)).transpose();
    let ca_file = ca_file.map_err(|wrong| wrong.at("storeCa".to_owned()))?;
    for (index, store) in settings.stores.iter().enumerate() {
        let failed = |wrong: Wrong| wrong.at(format!("stores[{index}]"));
        let reached = match store.scheme.as_str() {
            "s3" => found.only_overrides,
            "minio" => !minio_done,
            other => return Err(failed(format!("the scheme {other:?} is neither s3 nor minio").into())),
        };
        if !reached {
            continue;
        }
        let s3 = S3Settings { ca_file: ca_file.clone(), ..s3_settings(store, files).map_err(failed)? };
        match (&store.bucket, store.key_prefix.trim_matches('/')) {
            (Some(bucket), prefix) => found.overrides.push(S3Override {
                scheme: store.scheme.clone(),
                bucket: bucket.clone(),
                key_prefix: prefix.to_owned(),
                settings: s3,
            }),
            (None, "") if store.scheme == "s3" => (found.s3, found.only_overrides) = (s3, false),
            (None, "") => (found.minio, minio_done) = (Some(s3), true),
            (None, _) => return Err(failed("it has a keyPrefix without a bucket".to_owned().into())),
        }
    }
    Ok(found)
}

/// What is wrong with a setting.
#[derive(Debug, PartialEq)]
struct Wrong {
    reason: String,
    is_outdated: bool,
}

impl From<String> for Wrong {
    fn from(reason: String) -> Wrong {
        Wrong { reason, is_outdated: false }
    }
}

impl Wrong {
    fn at(self, place: String) -> StoresError {
        let Wrong { reason, is_outdated } = self;
        StoresError { place, reason, is_outdated }
    }
}

/// The file with the authorities that the settings name.
fn authorities(source: &ObjectKey, files: PodFiles<'_>) -> Result<PathBuf, Wrong> {
    let ObjectKey { name, key } = source;
    let what = format!("the key {key:?} of the ConfigMap {name:?}");
    let missing = format!("the ConfigMap {name:?} has no key {key:?}, or an empty one");
    let bytes = pod_file(files, keys::POD_STORE_CA_FILE, &what, missing)?;
    if !String::from_utf8_lossy(&bytes).contains(CERTIFICATE) {
        return Err(format!("{what} holds no certificate in PEM form").into());
    }
    Ok(files.directory.join(keys::POD_STORE_CA_FILE))
}

/// The content of a file that the settings ask for.
fn pod_file(files: PodFiles<'_>, file: &str, what: &str, missing: String) -> Result<Vec<u8>, Wrong> {
    match read_file(&files.directory.join(file), MAX_POD_FILE) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) if files.asked_for.is_some_and(|asked_for| !asked_for.split(' ').any(|other| other == file)) => {
            let reason = format!("{what} became part of the settings after this Pod was made");
            Err(Wrong { reason, is_outdated: true })
        }
        Ok(None) => Err(missing.into()),
        Err(error) => Err(format!("{what} cannot be read: {}", describe(&error)).into()),
    }
}

fn s3_settings(store: &StoreSetting, files: PodFiles<'_>) -> Result<S3Settings, Wrong> {
    if store.scheme == "minio" && store.endpoint.is_none() {
        return Err("a store of the scheme minio needs an endpoint".to_owned().into());
    }
    let credentials = match &store.credentials {
        StoreCredentials::Environment => S3Credentials::Chain,
        StoreCredentials::Anonymous => S3Credentials::Anonymous,
        StoreCredentials::Secret { name, access_key, secret_key } => S3Credentials::Files(KeyFiles {
            access_key_id: credential(files, name, access_key)?,
            secret_access_key: credential(files, name, secret_key)?,
        }),
    };
    let default = S3Settings { request_tries: REQUEST_TRIES, ..S3Settings::default() };
    Ok(S3Settings {
        endpoint: store.endpoint.clone(),
        region: store.region.clone(),
        path_style: store.path_style,
        credentials,
        request_tries: store.request_tries.unwrap_or(default.request_tries).clamp(1, 20),
        ..default
    })
}

/// File of a key of a Secret, which is there and can be a key.
fn credential(files: PodFiles<'_>, secret: &str, key: &str) -> Result<PathBuf, Wrong> {
    for name in [secret, key] {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name) {
            return Err(format!("{name:?} cannot be the name of a Secret or of a key in one").into());
        }
    }
    let what = format!("the key {key:?} of the Secret {secret:?}");
    let missing = format!("the Secret {secret:?} has no key {key:?}, or an empty one");
    let file = credential_file(secret, key);
    let bytes = pod_file(files, &file, &what, missing)?;
    // The error would say what the bytes are.
    std::str::from_utf8(&bytes).map_err(|_| format!("{what} is not text"))?;
    Ok(files.directory.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(scheme: &str, bucket: Option<&str>, endpoint: &str) -> StoreSetting {
        StoreSetting {
            scheme: scheme.to_owned(),
            bucket: bucket.map(str::to_owned),
            key_prefix: String::new(),
            endpoint: Some(endpoint.to_owned()),
            region: None,
            path_style: None,
            request_tries: None,
            credentials: StoreCredentials::Anonymous,
        }
    }

    fn settings(stores: Vec<StoreSetting>) -> NamespaceSettings {
        NamespaceSettings { stores, ..NamespaceSettings::kfp_default("http://minio.example:9000") }
    }

    fn transfer(stores: Vec<StoreSetting>, pod_dir: &Path) -> Result<Transfer, String> {
        build_transfer(&settings(stores), files(pod_dir), Duration::from_secs(1)).map_err(|error| error.to_string())
    }

    fn files(directory: &Path) -> PodFiles<'_> {
        PodFiles { directory, asked_for: None }
    }

    #[test]
    fn t08_the_first_store_that_matches_counts_and_no_other_host_is_reached() {
        let stores = vec![
            store("s3", Some("one"), "http://one.example"),
            store("minio", None, "http://minio.example"),
            store("minio", Some("two"), "http://never.example"),
        ];
        let transfer = transfer(stores, Path::new("/nonexistent")).expect("good settings");
        let endpoint = |uri: &str| transfer.stores().open(uri).map(|(store, _)| format!("{store:?}"));
        assert!(endpoint("s3://one/k").expect("opens").contains("one.example"));
        assert!(endpoint("minio://two/k").expect("opens").contains("minio.example"));
        let refused = endpoint("s3://other/k").expect_err("no store").to_string();
        assert!(refused.contains("no endpoint is configured"), "{refused}");
        assert!(endpoint("file:///penstock/pod/token").is_err());
    }

    #[test]
    fn t07_credentials_come_from_files_and_are_not_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        let secret = directory.path().join("credentials/mlpipeline-minio-artifact");
        let kfp = NamespaceSettings::kfp_default("http://minio.example:9000").stores;
        let missing = transfer(kfp.clone(), directory.path()).expect_err("no Secret");
        assert!(missing.contains("stores[0]") && missing.contains("\"mlpipeline-minio-artifact\""), "{missing}");
        std::fs::create_dir_all(&secret).expect("a directory");
        std::fs::write(secret.join("accesskey"), "AKIA\n").expect("a file");
        std::fs::write(secret.join("secretkey"), "hidden-key\n").expect("a file");
        let transfer = transfer(kfp, directory.path()).expect("good settings");
        assert!(!format!("{transfer:?}").contains("hidden-key"));
        let read = credential(files(directory.path()), "mlpipeline-minio-artifact", "secretkey");
        assert_eq!(read, Ok(secret.join("secretkey")), "read again for each request (F-26)");
        assert!(credential(files(directory.path()), "..", "token").is_err());
    }

    #[test]
    fn settings_that_changed_after_the_pod_was_made_are_told_from_wrong_ones() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut settings = NamespaceSettings::kfp_default("http://minio.example:9000");
        let check = |settings: &NamespaceSettings, asked_for: Option<&str>| {
            let files = PodFiles { directory: directory.path(), asked_for };
            let error = build_transfer(settings, files, Duration::from_secs(1)).expect_err("files are missing");
            (error.is_outdated(), error.to_string())
        };
        let all = settings.pod_files().join(" ");
        for (asked_for, expected) in [(None, false), (Some(&*all), false), (Some(""), true), (Some("settings"), true)] {
            let (is_outdated, text) = check(&settings, asked_for);
            assert_eq!(is_outdated, expected, "{asked_for:?}: {text}");
            assert_eq!(text.contains("after this Pod was made"), expected, "{text}");
        }
        settings.store_ca = Some(ObjectKey { name: "corporate".to_owned(), key: "ca.crt".to_owned() });
        assert!(check(&settings, Some(&all)).0);
        assert!(!check(&settings, Some(&settings.pod_files().join(" "))).0);
    }

    #[test]
    fn i31_settings_without_sense_are_refused_by_place() {
        let mut prefixed = store("s3", None, "http://one.example");
        prefixed.key_prefix = "team".to_owned();
        let mut nowhere = store("minio", None, "");
        nowhere.endpoint = None;
        for (store, reason) in [
            (prefixed, "keyPrefix without a bucket"),
            (nowhere, "needs an endpoint"),
            (store("gs", None, "http://one.example"), "neither s3 nor minio"),
        ] {
            let error = transfer(vec![store], Path::new("/nonexistent")).expect_err(reason);
            assert!(error.contains(reason) && error.contains("stores[0]"), "{error}");
        }
    }
}
