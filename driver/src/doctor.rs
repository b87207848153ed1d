//! Looks whether a cluster can run tasks, and says what to do where it cannot.
//!
//! `findings` judges what was read; reading is here.

mod findings;

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, Resource};
use penstock_objectstore::Transfer;
use penstock_spec::keys;
use penstock_spec::settings::NamespaceSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use findings::{Finding, FindingState};

/// Longest wait for one answer of the cluster or the store.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What is to be examined.
#[derive(Debug, Clone)]
pub struct Examination {
    /// Namespace that Penstock itself runs in.
    pub system_namespace: String,
    /// Name of the webhook's Service.
    pub webhook_service: String,
    /// Name of the `MutatingWebhookConfiguration`.
    pub webhook_configuration: String,
    /// Namespace in which tasks are to run.
    pub namespace: String,
    /// Image that the trial Pod names; nothing is pulled.
    pub trial_image: String,
}

/// What was read of one object: there, not there, or not to be told.
#[derive(Debug)]
pub(crate) enum Read<T> {
    Found(T),
    Missing,
    Failed(String),
}

/// Examines a cluster. `transfer` reaches the object stores from this process. Changes nothing.
pub async fn examine(client: &Client, transfer: Option<&Transfer>, what: &Examination) -> Vec<Finding> {
    let mut found = Vec::new();
    let version = bounded(client.apiserver_version()).await;
    let reached = matches!(version, Read::Found(_));
    found.push(findings::version(&version));
    if !reached {
        return found;
    }
    let system = &what.system_namespace;
    let configuration =
        get::<MutatingWebhookConfiguration>(&Api::all(client.clone()), &what.webhook_configuration).await;
    found.push(findings::webhook(&configuration, &what.webhook_configuration));
    found.push(findings::certificate(&configuration, &what.webhook_configuration, penstock_spec::Timestamp::now()));
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={}", what.webhook_service));
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), system);
    found.push(findings::endpoints(&bounded(slices.list(&of_service)).await, &what.webhook_service, system));
    let ours = ListParams::default().labels(&format!("{}={}", keys::LABEL_PART_OF, keys::MANAGED_BY));
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    found.push(findings::policies(&bounded(bindings.list(&ours)).await));
    found.extend(examine_namespace(client, transfer, what).await);
    found
}

async fn examine_namespace(client: &Client, transfer: Option<&Transfer>, what: &Examination) -> Vec<Finding> {
    let name = &what.namespace;
    let namespace = get::<Namespace>(&Api::all(client.clone()), name).await;
    let labelled = findings::namespace(&namespace, name);
    let usable = labelled.state == FindingState::Good;
    let mut found = vec![labelled];
    if !usable {
        return found;
    }
    let service_account =
        get::<ServiceAccount>(&Api::namespaced(client.clone(), name), keys::TASK_SERVICE_ACCOUNT).await;
    let role = get::<Role>(&Api::namespaced(client.clone(), name), keys::TASK_ROLE).await;
    let binding = get::<RoleBinding>(&Api::namespaced(client.clone(), name), keys::TASK_ROLE).await;
    let account = findings::task_account(&[
        ("ServiceAccount", &presence(&service_account)),
        ("Role", &presence(&role)),
        ("RoleBinding", &presence(&binding)),
    ]);
    let accounted = account.state != FindingState::Bad;
    found.push(account);
    let settings = get::<ConfigMap>(&Api::namespaced(client.clone(), name), keys::SETTINGS_CONFIG_MAP).await;
    let (finding, settings) = findings::settings(&settings);
    found.push(finding);
    if let Some(settings) = &settings {
        let service =
            get::<ConfigMap>(&Api::namespaced(client.clone(), &what.system_namespace), keys::MANAGED_BY).await;
        found.extend(findings::driver_store(&service, settings));
        found.extend(examine_stores(client, transfer, name, settings).await);
    }
    if accounted {
        found.push(try_injection(client, what).await);
    }
    found
}

async fn examine_stores(
    client: &Client,
    transfer: Option<&Transfer>,
    namespace: &str,
    settings: &NamespaceSettings,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut names: Vec<&str> = settings.secrets().into_iter().map(|(name, _)| name).collect();
    names.dedup();
    for name in names {
        let keys: Vec<&str> =
            settings.secrets().into_iter().filter(|(of, _)| *of == name).map(|(_, key)| key).collect();
        found.push(findings::secret(&get(&secrets, name).await, name, &keys));
    }
    if let Some(transfer) = transfer {
        let root = penstock_spec::uri::split_query(&settings.default_root).0;
        let listed =
            tokio::time::timeout(ANSWER_LIMIT, transfer.get_bytes(&format!("{root}/.penstock-doctor"), 1)).await;
        let read = match listed {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(penstock_launcher::report::describe(&error)),
            Err(_) => Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
        };
        found.push(findings::store(root, &read));
    }
    found
}

/// Submits a task's Pod as a dry run: nothing is stored, and the whole admission chain takes part.
async fn try_injection(client: &Client, what: &Examination) -> Finding {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &what.namespace);
    let parameters = PostParams { dry_run: true, field_manager: None };
    let pod = findings::trial_pod(&what.trial_image);
    findings::injection(&bounded(pods.create(&parameters, &pod)).await)
}

fn presence<T>(read: &Read<T>) -> Read<()> {
    match read {
        Read::Found(_) => Read::Found(()),
        Read::Missing => Read::Missing,
        Read::Failed(reason) => Read::Failed(reason.clone()),
    }
}

async fn get<K>(api: &Api<K>, name: &str) -> Read<K>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    bounded(api.get(name)).await
}

async fn bounded<T>(answer: impl Future<Output = kube::Result<T>>) -> Read<T> {
    match tokio::time::timeout(ANSWER_LIMIT, answer).await {
        Ok(Ok(found)) => Read::Found(found),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Read::Missing,
        // Its own text repeats the message, and everything around it.
        Ok(Err(kube::Error::Api(status))) => Read::Failed(status.message.clone()),
        Ok(Err(error)) => Read::Failed(penstock_launcher::report::describe(&error)),
        Err(_) => Read::Failed(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
    }
}
