//! What a run takes from the settings of its namespace.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use penstock_spec::keys;
use penstock_spec::settings::{DEFAULT_ROOT, NamespaceSettings};
use thiserror::Error;

use super::KubernetesHost;
use super::failure::RequestError;

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
    let failed = |reason: String| NamespaceSettingsError { namespace: namespace.to_owned(), reason };
    let maps: Api<ConfigMap> = Api::namespaced(host.settings.client.clone(), namespace);
    let deadline = host.settings.request_deadline;
    let read = tokio::time::timeout(deadline, maps.get_opt(keys::SETTINGS_CONFIG_MAP)).await;
    let found = match read {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(failed(RequestError::from(error).reason())),
        Err(_) => return Err(failed(format!("the API server did not answer within {} s", deadline.as_secs()))),
    };
    let Some(data) = found.and_then(|map| map.data) else { return Ok(DEFAULT_ROOT.to_owned()) };
    let Some(text) = data.get(keys::POD_SETTINGS_FILE) else {
        return Err(failed(format!("it has no key {}", keys::POD_SETTINGS_FILE)));
    };
    let settings: NamespaceSettings = serde_json::from_str(text).map_err(|error| failed(error.to_string()))?;
    Ok(settings.default_root)
}
