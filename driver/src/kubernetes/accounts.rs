//! Accounts under which tasks may run instead of their own, where user code needs a token: the pipeline asks for one, task
//! by task, and the installation allows it.
//!
//! A Pod has one account. So the launcher reports with the same token, and needs the right to patch Pods, which Penstock
//! gives to nobody's account but its own.

use std::str::FromStr;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath, ObjectFieldSelector,
    ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::api::{Api, PostParams};
use penstock_spec::keys;
use penstock_spec::object_name::{MAX_OBJECT_NAME, is_label};
use thiserror::Error;

/// Volume of the token of an account that a task asks for, with what goes with it, where every client library looks.
pub(crate) const TOKEN_VOLUME: &str = "service-account";
pub(crate) const TOKEN_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Seconds until such a token expires; the kubelet renews it before. This many is what Kubernetes itself asks for.
const TOKEN_SECONDS: i64 = 3607;
/// ConfigMap that Kubernetes keeps in every namespace.
const ROOT_CA_CONFIG_MAP: &str = "kube-root-ca.crt";
/// Stands for any namespace.
const ANY: &str = "*";

/// An account that tasks may run under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskAccount {
    /// Any when absent.
    namespace: Option<String>,
    name: String,
}

/// Text that is no [`TaskAccount`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TaskAccountError {
    /// It has not the form.
    #[error("{0:?} is not NAMESPACE/NAME of a service account; NAMESPACE may be * for any")]
    Form(String),
    /// It is the account that tasks run under anyhow.
    #[error(
        "{} is the account of launchers, whose token is kept from user code: name another one",
        keys::TASK_SERVICE_ACCOUNT
    )]
    Own,
}

impl FromStr for TaskAccount {
    type Err = TaskAccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.trim().split_once('/').filter(|(namespace, name)| {
            (*namespace == ANY || is_label(namespace)) && name.len() <= MAX_OBJECT_NAME && name.split('.').all(is_label)
        });
        match parts {
            None => Err(TaskAccountError::Form(text.to_owned())),
            Some((_, keys::TASK_SERVICE_ACCOUNT)) => Err(TaskAccountError::Own),
            Some((namespace, name)) => {
                Ok(TaskAccount { namespace: (namespace != ANY).then(|| namespace.to_owned()), name: name.to_owned() })
            }
        }
    }
}

impl TaskAccount {
    pub(crate) fn covers(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace.as_deref().is_none_or(|own| own == namespace)
    }
}

/// What Kubernetes mounts where a token is not asked to be left out. Here it is asked for main alone.
pub(crate) fn token_volume() -> Volume {
    let token = ServiceAccountTokenProjection {
        expiration_seconds: Some(TOKEN_SECONDS),
        path: "token".to_owned(),
        ..ServiceAccountTokenProjection::default()
    };
    let key = KeyToPath { key: "ca.crt".to_owned(), path: "ca.crt".to_owned(), ..KeyToPath::default() };
    let authorities = ConfigMapProjection {
        name: ROOT_CA_CONFIG_MAP.to_owned(),
        items: Some(vec![key]),
        ..ConfigMapProjection::default()
    };
    let field = ObjectFieldSelector { field_path: "metadata.namespace".to_owned(), ..ObjectFieldSelector::default() };
    let namespace = DownwardAPIVolumeFile {
        field_ref: Some(field),
        path: "namespace".to_owned(),
        ..DownwardAPIVolumeFile::default()
    };
    let sources = vec![
        VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() },
        VolumeProjection { config_map: Some(authorities), ..VolumeProjection::default() },
        VolumeProjection {
            downward_api: Some(DownwardAPIProjection { items: Some(vec![namespace]) }),
            ..VolumeProjection::default()
        },
    ];
    Volume {
        name: TOKEN_VOLUME.to_owned(),
        projected: Some(ProjectedVolumeSource { sources: Some(sources), ..ProjectedVolumeSource::default() }),
        ..Volume::default()
    }
}

/// Whether an account may patch Pods of its namespace, which a report takes. Nothing if that cannot be found out: who asks
/// may lack the right to ask.
pub(crate) async fn may_report(client: &kube::Client, limit: Duration, namespace: &str, account: &str) -> Option<bool> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = access_review(namespace, account, namespace, "patch", "pods");
    let asked = tokio::time::timeout(limit, reviews.create(&PostParams::default(), &review)).await;
    match asked {
        Ok(Ok(answer)) => answer.status.map(|status| status.allowed),
        Ok(Err(error)) => {
            tracing::debug!(
                namespace,
                account,
                reason = crate::error::chain(&error),
                "an account's rights are not known"
            );
            None
        }
        Err(_) => None,
    }
}

/// The question whether an account, of the namespace `home`, may do something in a namespace.
pub(crate) fn access_review(
    home: &str,
    account: &str,
    namespace: &str,
    verb: &str,
    resource: &str,
) -> SubjectAccessReview {
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{home}"), "system:authenticated"];
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{home}:{account}")),
            // What the API server derives from an account's token.
            groups: Some(groups.map(str::to_owned).to_vec()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some(verb.to_owned()),
                resource: Some(resource.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t06_an_account_is_allowed_where_it_is_named() {
        let covers = |text: &str, namespace, name| text.parse::<TaskAccount>().expect(text).covers(namespace, name);
        assert!(covers("team/spark", "team", "spark"));
        assert!(covers(" team/spark.v1 ", "team", "spark.v1"));
        assert!(!covers("team/spark", "team", "spark-2"));
        assert!(!covers("team/spark", "team-2", "spark"));
        assert!(covers("*/spark", "any", "spark"));
        assert!(!covers("*/spark", "any", "default"));
    }

    #[test]
    fn t06_what_names_no_account_is_refused() {
        for text in ["", "spark", "/spark", "team/", "team/*", "*", "Team/spark", "team/a/b", "te.am/spark", "team/-a"]
        {
            assert_eq!(text.parse::<TaskAccount>(), Err(TaskAccountError::Form(text.to_owned())), "{text}");
        }
        assert_eq!("team/penstock-task".parse::<TaskAccount>(), Err(TaskAccountError::Own));
    }
}
