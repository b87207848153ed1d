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

/// How long the driver of a cluster may take to prepare a namespace, and how often that is looked at.
const PREPARATION: Duration = Duration::from_secs(5);
const PREPARATION_PERIOD: Duration = Duration::from_millis(250);
/// Time for which what was read is taken for current.
const FRESH: Duration = Duration::from_secs(2);
/// Time for which it is still the answer, while it is read anew: a task that follows another does not wait for that.
const STALE: Duration = Duration::from_secs(10);
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

/// What the settings of a namespace say to the submission of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceRuns {
    /// The pipeline root of runs that name none.
    pub(crate) default_root: String,
    /// Secrets that open the object stores.
    pub(crate) store_secrets: Vec<String>,
}

/// Reads what a submission needs to know.
pub(crate) async fn of_runs(host: &KubernetesHost, namespace: &str) -> Result<NamespaceRuns, NamespaceSettingsError> {
    match read(host, namespace).await {
        Ok(Some(settings)) => {
            Ok(NamespaceRuns { store_secrets: store_secrets(&settings), default_root: settings.default_root })
        }
        Ok(None) => Ok(NamespaceRuns { default_root: DEFAULT_ROOT.to_owned(), store_secrets: Vec::new() }),
        Err(error) => Err(NamespaceSettingsError { namespace: namespace.to_owned(), reason: error.reason() }),
    }
}

fn store_secrets(settings: &NamespaceSettings) -> Vec<String> {
    let mut names: Vec<String> = settings.secrets().into_iter().map(|(name, _)| name.to_owned()).collect();
    names.dedup();
    names
}

/// Whether a driver has prepared a namespace for tasks. Where its label is new, that takes a moment.
pub(crate) async fn is_prepared(host: &KubernetesHost, namespace: &str) -> Result<bool, NamespaceSettingsError> {
    let since = Instant::now();
    loop {
        match read(host, namespace).await {
            Ok(Some(_)) => return Ok(true),
            Ok(None) if since.elapsed() >= PREPARATION => return Ok(false),
            Err(RequestError::Passing { .. }) | Ok(None) if since.elapsed() < PREPARATION => {
                tokio::time::sleep(PREPARATION_PERIOD).await;
            }
            Ok(None) => {}
            Err(error) => {
                return Err(NamespaceSettingsError { namespace: namespace.to_owned(), reason: error.reason() });
            }
        }
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

/// What the settings of a namespace say to the Pods of tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NamespaceTasks {
    /// What Pods get.
    pub(crate) settings: TaskSettings,
    /// Secrets that open the object stores: the launcher's alone.
    pub(crate) store_secrets: Vec<String>,
}

type Answer = Result<NamespaceTasks, RequestError>;
/// What is known of one namespace. Who finds it too old reads it anew while the others wait for him.
type Known = Arc<tokio::sync::Mutex<LastAnswer>>;

/// What was read last.
#[derive(Debug, Default)]
struct LastAnswer {
    answer: Option<(Instant, Answer)>,
    is_renewed: bool,
}

/// What to do about an answer.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    AsItIs,
    AndRenew,
    Not,
}

impl LastAnswer {
    fn usable(&self, age: Duration) -> Use {
        match &self.answer {
            Some((_, Ok(_))) if age < FRESH => Use::AsItIs,
            Some((_, Ok(_))) if age < STALE && self.is_renewed => Use::AsItIs,
            Some((_, Ok(_))) if age < STALE => Use::AndRenew,
            Some((_, Err(_))) if age < FAILED => Use::AsItIs,
            _ => Use::Not,
        }
    }
}

/// What Pods of tasks get by their namespaces' settings.
#[derive(Debug, Default)]
pub(crate) struct TaskSettingsCache {
    by_namespace: Mutex<HashMap<String, Known>>,
}

impl TaskSettingsCache {
    /// What Pods of tasks get in a namespace: nothing where it has no settings.
    pub(super) async fn get(&self, host: &Arc<KubernetesHost>, namespace: &str) -> Answer {
        let known = {
            let mut by_namespace = self.by_namespace.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(by_namespace.entry(namespace.to_owned()).or_default())
        };
        let mut last = known.lock().await;
        if let Some((at, answer)) = last.answer.clone() {
            match last.usable(at.elapsed()) {
                Use::AsItIs => return answer,
                Use::AndRenew => {
                    last.is_renewed = true;
                    tokio::spawn(renew(Arc::clone(host), namespace.to_owned(), Arc::clone(&known)));
                    return answer;
                }
                Use::Not => {}
            }
        }
        let answer = ask(host, namespace).await;
        last.answer = Some((Instant::now(), answer.clone()));
        answer
    }
}

async fn ask(host: &KubernetesHost, namespace: &str) -> Answer {
    let of = |settings: NamespaceSettings| NamespaceTasks {
        store_secrets: store_secrets(&settings),
        settings: settings.tasks,
    };
    read(host, namespace).await.map(|settings| settings.map(of).unwrap_or_default())
}

/// Reads behind an answer that was given. A failure leaves it as it is: when it is too old, somebody asks and is told.
async fn renew(host: Arc<KubernetesHost>, namespace: String, known: Known) {
    let asked = Instant::now();
    let answer = ask(&host, &namespace).await;
    let mut last = known.lock().await;
    last.is_renewed = false;
    let is_news = last.answer.as_ref().is_none_or(|(at, _)| *at < asked);
    if answer.is_ok() && is_news {
        last.answer = Some((asked, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_serves_on_for_a_while_as_it_is_renewed_and_a_failure_does_not() {
        let last = |answer: Answer, is_renewed| LastAnswer { answer: Some((Instant::now(), answer)), is_renewed };
        let good =
            |seconds, is_renewed| last(Ok(NamespaceTasks::default()), is_renewed).usable(Duration::from_secs(seconds));
        assert_eq!((good(1, false), good(3, false), good(3, true)), (Use::AsItIs, Use::AndRenew, Use::AsItIs));
        assert_eq!((good(10, false), good(10, true)), (Use::Not, Use::Not), "it is too old, whoever asks meanwhile");
        let failed =
            |milliseconds| last(Err(RequestError::NotFound), false).usable(Duration::from_millis(milliseconds));
        assert_eq!((failed(500), failed(1500)), (Use::AsItIs, Use::Not));
        assert_eq!(LastAnswer::default().usable(Duration::ZERO), Use::Not);
    }
}
