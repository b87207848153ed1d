//! Looks whether a cluster can run tasks, and says what to do where it cannot.
//!
//! `findings` judges what was read; reading is here.

mod findings;
mod glance;

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, Resource};
use penstock_objectstore::{Transfer, TransferError};
use penstock_spec::keys;
use penstock_spec::settings::NamespaceSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use findings::{Finding, FindingState};
pub use glance::{GlanceAt, glance};

use findings::Served;

use crate::kubernetes::access_review;

/// Longest wait for one answer of the cluster or the store.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Content of the object that tries the store.
const TRIAL: &[u8] = b"written by penstock doctor, and to be deleted by it";

/// What is to be examined.
#[derive(Debug, Clone)]
pub struct Examination {
    /// Namespace that Penstock itself runs in.
    pub system_namespace: String,
    /// Name of the webhook's Service.
    pub webhook_service: String,
    /// Name of the `MutatingWebhookConfiguration`.
    pub webhook_configuration: String,
    /// Secret with the webhook's certificate.
    pub certificate_secret: String,
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

impl<T> Read<T> {
    fn map<U>(self, of: impl FnOnce(T) -> U) -> Read<U> {
        match self {
            Read::Found(found) => Read::Found(of(found)),
            Read::Missing => Read::Missing,
            Read::Failed(reason) => Read::Failed(reason),
        }
    }
}

/// Examines a cluster. `transfer` reaches the object stores from this process. What it changes (an object in the
/// store) it takes back.
pub async fn examine(client: &Client, transfer: Option<&Transfer>, what: &Examination) -> Vec<Finding> {
    let version = bounded(client.apiserver_version()).await;
    let reached = matches!(version, Read::Found(_));
    let mut found = vec![findings::version(&version)];
    if reached {
        let installation = Box::pin(examine_installation(client, what));
        let namespace = Box::pin(examine_namespace(client, transfer, what));
        let (installation, namespace) = tokio::join!(installation, namespace);
        found.extend(installation);
        found.extend(namespace);
    }
    found
}

async fn examine_installation(client: &Client, what: &Examination) -> Vec<Finding> {
    let Examination { system_namespace: system, webhook_service, webhook_configuration, certificate_secret, .. } = what;
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), system);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={webhook_service}"));
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), system);
    let ours = ListParams::default().labels(&format!("{}={}", keys::LABEL_PART_OF, keys::MANAGED_BY));
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let (configuration, secret, slices, policies, bindings) = tokio::join!(
        get(&configurations, webhook_configuration),
        get(&secrets, certificate_secret),
        bounded(slices.list(&of_service)),
        bounded(policies.list(&ours)),
        bounded(bindings.list(&ours)),
    );
    let now = penstock_spec::Timestamp::now();
    let served = Served { secret: certificate_secret, namespace: system, service: webhook_service };
    vec![
        findings::webhook(&configuration, webhook_configuration),
        findings::authority(&configuration, webhook_configuration, now),
        findings::served(&secret, &configuration, served, now),
        findings::endpoints(&slices, webhook_service, system),
        findings::policies(&policies, &bindings),
    ]
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
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
    let roles: Api<Role> = Api::namespaced(client.clone(), name);
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), name);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), name);
    let (service_account, role, binding, settings) = tokio::join!(
        get(&accounts, keys::TASK_SERVICE_ACCOUNT),
        get(&roles, keys::TASK_ROLE),
        get(&bindings, keys::TASK_ROLE),
        get(&maps, keys::SETTINGS_CONFIG_MAP),
    );
    let account = findings::task_account(&[
        ("ServiceAccount", &presence(&service_account)),
        ("Role", &presence(&role)),
        ("RoleBinding", &presence(&binding)),
    ]);
    let accounted = account.state != FindingState::Bad;
    found.push(account);
    let (finding, settings) = findings::settings(&settings);
    found.push(finding);
    let claims = examine_claims(client, what);
    let stores = async {
        let Some(settings) = &settings else { return Vec::new() };
        let system: Api<ConfigMap> = Api::namespaced(client.clone(), &what.system_namespace);
        let (service, stores) =
            tokio::join!(get(&system, keys::MANAGED_BY), examine_stores(client, transfer, name, settings));
        findings::driver_store(&service, settings).into_iter().chain(stores).collect()
    };
    let injection = async {
        match accounted {
            true => Some(try_injection(client, what).await),
            false => None,
        }
    };
    let (stores, injection, claims) = tokio::join!(stores, injection, claims);
    found.extend(stores);
    found.push(claims);
    found.extend(injection);
    found
}

/// Whether the installed driver may do what volumes take.
async fn examine_claims(client: &Client, what: &Examination) -> Finding {
    let (system, namespace) = (&what.system_namespace, &what.namespace);
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let ask = |verb: &'static str| {
        let review = access_review(system, keys::MANAGED_BY, namespace, verb, "persistentvolumeclaims");
        let reviews = &reviews;
        async move {
            let answered = bounded(reviews.create(&PostParams::default(), &review)).await;
            (verb, answered.map(|review| review.status.is_some_and(|status| status.allowed)))
        }
    };
    let answers = join_all(["get", "list", "create", "delete"].map(ask)).await;
    findings::claims(&answers, namespace)
}

async fn examine_stores(
    client: &Client,
    transfer: Option<&Transfer>,
    namespace: &str,
    settings: &NamespaceSettings,
) -> Vec<Finding> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut names: Vec<&str> = settings.secrets().into_iter().map(|(name, _)| name).collect();
    names.dedup();
    let secret = |name| {
        let of_it = settings.secrets().into_iter().filter(move |(of, _)| *of == name);
        let keys: Vec<&str> = of_it.map(|(_, key)| key).collect();
        let secrets = &secrets;
        async move { findings::secret(&get(secrets, name).await, name, &keys) }
    };
    let store = async {
        match transfer {
            Some(transfer) => Some(examine_store(transfer, &settings.default_root).await),
            None => None,
        }
    };
    let (mut found, store) = tokio::join!(join_all(names.into_iter().map(secret)), store);
    found.extend(store);
    found
}

async fn examine_store(transfer: &Transfer, root: &str) -> Finding {
    let root = penstock_spec::uri::split_query(root).0;
    findings::store(root, &try_store(transfer, root).await)
}

/// Writes an object, reads it and deletes it, as a driver and its launchers do; what fails, and why.
async fn try_store(transfer: &Transfer, root: &str) -> Result<(), String> {
    let uri = format!("{root}/.penstock-doctor-{}", uuid::Uuid::new_v4());
    let written = in_store("write", &uri, transfer.put_bytes(&uri, TRIAL)).await;
    let read = match &written {
        Ok(()) => in_store("read", &uri, transfer.get_bytes(&uri, TRIAL.len() as u64)).await,
        Err(_) => Ok(None),
    };
    // Also after a failure: what was not acknowledged may be there.
    let deleted = in_store("delete", &uri, transfer.delete(&uri)).await;
    written?;
    if read?.as_deref() != Some(TRIAL) {
        return Err(format!("{uri} is not read as it was written"));
    }
    deleted
}

async fn in_store<T>(
    verb: &str,
    uri: &str,
    answer: impl Future<Output = Result<T, TransferError>>,
) -> Result<T, String> {
    let reason = match tokio::time::timeout(ANSWER_LIMIT, answer).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => penstock_launcher::report::describe(&error),
        Err(_) => format!("no answer within {} s", ANSWER_LIMIT.as_secs()),
    };
    Err(format!("cannot {verb} {uri}: {reason}"))
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
