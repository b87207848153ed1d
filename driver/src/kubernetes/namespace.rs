//! What runs take from the settings of their namespace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use penstock_spec::keys;
use penstock_spec::settings::{DEFAULT_ROOT, NamespaceSettings, TaskSettings};
use thiserror::Error;
use tokio::time::Instant;

use super::KubernetesHost;
use super::failure::RequestError;

/// Time for which what was read is taken for current.
const FRESH: Duration = Duration::from_secs(2);
/// Time for which a failure is the answer to all who ask: each of them waiting for a request of its own would make the
/// last one wait for the sum.
const FAILED: Duration = Duration::from_secs(1);

/// A namespace's settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot read the settings of namespace {namespace} (ConfigMap penstock-settings): {reason}")]
pub struct NamespaceSettingsError {
    /// The namespace.
    pub namespace: String,
    /// Why.
    pub reason: String,
}

/// The pipeline root of runs that name none.
pub(crate) async fn default_root(host: &KubernetesHost, namespace: &str) -> Result<String, NamespaceSettingsError> {
    match read(host, namespace).await {
        Ok(settings) => Ok(settings.map_or_else(|| DEFAULT_ROOT.to_owned(), |settings| settings.default_root)),
        Err(error) => Err(NamespaceSettingsError { namespace: namespace.to_owned(), reason: error.reason() }),
    }
}

/// The settings, if there are any.
pub(super) async fn read(host: &KubernetesHost, namespace: &str) -> Result<Option<NamespaceSettings>, RequestError> {
    let maps: Api<ConfigMap> = Api::namespaced(host.settings.client.clone(), namespace);
    let deadline = host.settings.request_deadline;
    let found = match tokio::time::timeout(deadline, maps.get_opt(keys::SETTINGS_CONFIG_MAP)).await {
        Ok(found) => found?,
        Err(_) => {
            let reason = format!("the API server did not answer within {} s", deadline.as_secs());
            return Err(RequestError::Passing { reason, retry_after: None });
        }
    };
    let Some(data) = found.and_then(|map| map.data) else { return Ok(None) };
    let Some(text) = data.get(keys::POD_SETTINGS_FILE) else {
        return Err(RequestError::Final(format!("it has no key {}", keys::POD_SETTINGS_FILE)));
    };
    serde_json::from_str(text).map(Some).map_err(|error| RequestError::Final(error.to_string()))
}

type Answer = Result<TaskSettings, RequestError>;
/// What was read last of one namespace, and when. Who finds it old reads it anew while the others wait for him.
type LastAnswer = Arc<tokio::sync::Mutex<Option<(Instant, Answer)>>>;

/// What Pods of tasks get by their namespaces' settings.
#[derive(Debug, Default)]
pub(crate) struct TaskSettingsCache {
    by_namespace: Mutex<HashMap<String, LastAnswer>>,
}

impl TaskSettingsCache {
    /// What Pods of tasks get in a namespace: nothing where it has no settings.
    pub(super) async fn get(&self, host: &KubernetesHost, namespace: &str) -> Answer {
        let last = {
            let mut by_namespace = self.by_namespace.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(by_namespace.entry(namespace.to_owned()).or_default())
        };
        let mut last = last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < if answer.is_ok() { FRESH } else { FAILED }
        {
            return answer.clone();
        }
        let answer =
            read(host, namespace).await.map(|settings| settings.map(|settings| settings.tasks).unwrap_or_default());
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
