//! The Pod of an attempt, as the driver submits it. Pure: a plan and settings in, a Pod out. What injection adds to it is
//! the webhook's.

mod container;
mod models;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, Pod, PodSecurityContext, PodSpec, SecretVolumeSource,
    Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::keys;
use penstock_spec::plan::{Plan, PlanResources};
use penstock_spec::pod::{PlanRef, pod_name};
use penstock_spec::settings::RunAs;
use penstock_spec::value::to_json;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

use super::accounts::{TOKEN_DIR, TOKEN_VOLUME, TaskAccount, token_volume};
use super::namespace::NamespaceTasks;
use super::shape::{PodShape, ShapeErrors, Surroundings, Values, shape};
use super::workspace_mount;
use container::{main_container, overruled, run_as};

pub(super) use container::runtime_default;

/// Time that the kubelet grants beyond a task's own timeout, which the launcher keeps: it only ends Pods whose launcher
/// does not.
const DEADLINE_MARGIN_SECONDS: u64 = 60;
/// Time between SIGTERM and SIGKILL: enough to stop the process, store its log and report.
pub(crate) const GRACE_SECONDS: i64 = 60;
/// Greatest deadline that a Pod may have.
const MAX_DEADLINE_SECONDS: u64 = i32::MAX as u64;
/// A service mesh's sidecar would keep the Pod from ending, as it does with KFP.
pub(super) const ANNOTATION_ISTIO: &str = "sidecar.istio.io/inject";
/// Containers that the webhook of EKS leaves without a web identity: it is the launcher's, and user code's no credential.
pub(super) const ANNOTATION_EKS: &str = "eks.amazonaws.com/skip-containers";
/// Object of a plan that is too large for an annotation, below the attempt's root.
const PLAN_OBJECT: &str = "plan.json";
/// KFP's volume of an authority of one's own, its mount, and the file in it.
pub(super) const CA_VOLUME: &str = "custom-ca";
pub(super) const CA_DIR: &str = "/kfp/certs";
const CA_FILE: &str = "ca.crt";

/// What an installation adds to each task's Pod.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PodSettings {
    /// Authorities of one's own that user code trusts.
    pub ca_bundle: Option<CaBundle>,
    /// Who user code runs as, where the installation says so; for what it does not say, the namespace's settings may.
    pub run_as: RunAs,
    /// Variables of an HTTP proxy, such as `http_proxy` and `NO_PROXY`, in order.
    pub proxy: Vec<(String, String)>,
    /// Accounts that tasks may ask for, with a token in user code.
    pub accounts: Vec<TaskAccount>,
}

/// The URL of a proxy may hold a password (T-07).
impl fmt::Debug for PodSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PodSettings { ca_bundle, run_as, proxy, accounts } = self;
        let proxy: Vec<&str> = proxy.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("PodSettings")
            .field("ca_bundle", ca_bundle)
            .field("run_as", run_as)
            .field("proxy", &proxy)
            .field("accounts", accounts)
            .finish()
    }
}

/// Where certificates of authorities are, in the run's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaBundle {
    /// A key of a ConfigMap.
    ConfigMap {
        /// Name of the ConfigMap.
        name: String,
        /// Its key.
        key: String,
    },
    /// A key of a Secret.
    Secret {
        /// Name of the Secret.
        name: String,
        /// Its key.
        key: String,
    },
}

impl CaBundle {
    /// What it takes for a container with it to start: the kubelet waits for what is not there, and says so in Events only.
    pub(crate) fn requirement(&self) -> String {
        let (kind, name, key, flag) = match self {
            CaBundle::ConfigMap { name, key } => ("ConfigMap", name, key, "--ca-bundle-config-map"),
            CaBundle::Secret { name, key } => ("Secret", name, key, "--ca-bundle-secret"),
        };
        format!("it mounts the key {key} of the {kind} {name} of its namespace ({flag}): is that there?")
    }
}

/// A plan that no Pod can be made of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum PodError {
    #[error("{field} of the task is {value:?}, which is no quantity of Kubernetes such as 500m, 2 or 64Mi")]
    Quantity { field: String, value: String },
    #[error(
        "imagePullPolicy of the task is {0:?}; it can be Always, IfNotPresent or Never (kubernetes.set_image_pull_policy)"
    )]
    PullPolicy(String),
    #[error(
        "user code would run as user 0 by {user}, which is root, and root is refused by {non_root}: change one of them"
    )]
    Root { user: &'static str, non_root: &'static str },
    #[error(
        "the task asks for the service account {account:?} (annotation {annotation}), which is not allowed in namespace \
         {namespace}: --allow-task-account {namespace}/{account} of the driver (PENSTOCK_ALLOW_TASK_ACCOUNT) allows it",
        annotation = keys::ANNOTATION_SERVICE_ACCOUNT
    )]
    Account { account: String, namespace: String },
    #[error(
        "input artifact {input:?} is in an image, and its URI {uri:?} names none: it has to be oci://REGISTRY/NAME:TAG"
    )]
    ModelImage { input: String, uri: String },
    #[error("the settings of the task for Kubernetes are wrong: {0}")]
    Shape(ShapeErrors),
    #[error("the task uses the run's workspace, and {0}: {path} is the workspace's", path = keys::WORKSPACE_PATH)]
    Workspace(String),
}

/// A Pod to submit, and the object that has to be stored before.
#[derive(Debug, Clone)]
pub(crate) struct TaskPod {
    pub(crate) pod: Pod,
    /// What of the task's settings gave way to others.
    pub(crate) warnings: Vec<String>,
    /// URI and content of the plan, where it is too large for an annotation.
    pub(crate) plan_object: Option<PlanObject>,
}

/// URI and content.
pub(crate) type PlanObject = (String, Vec<u8>);
/// Key and value.
type Annotation = (&'static str, String);

/// Name of the Pod of an attempt.
pub(crate) fn name_of(plan: &Plan) -> String {
    pod_name(&plan.run.name, &plan.task.key, plan.task.id, plan.task.attempt)
}

/// What makes an attempt's work its own. The root is of one attempt, and of no other in any run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Work<'a> {
    run: Uuid,
    task: Uuid,
    attempt: u32,
    task_root: &'a str,
    image: &'a str,
    command: &'a [String],
    args: &'a [String],
}

/// Digest of the work that a Pod is submitted for. A Pod of the right name with another digest is not ours (R1). What an
/// installation adds to Pods is not in it, nor what a later build may say in a plan: neither a changed setting nor an
/// upgrade of the driver must make running attempts strangers.
pub(crate) fn spec_hash(plan: &Plan) -> String {
    let work = Work {
        run: plan.run.id,
        task: plan.task.id,
        attempt: plan.task.attempt,
        task_root: &plan.task_root,
        image: &plan.image,
        command: &plan.command,
        args: &plan.args,
    };
    format_digest(&digest_of(to_json(&work).as_bytes()))
}

/// The Pod of an attempt. What the installation says wins over the namespace's settings.
pub(crate) fn build(
    plan: &Plan,
    namespace: &str,
    settings: &PodSettings,
    tasks: &NamespaceTasks,
) -> Result<TaskPod, PodError> {
    check_account(plan, namespace, settings)?;
    let mut shape = shape_of(plan, settings, tasks)?;
    let plan = &*handed_on(plan, &mut shape);
    let identity = settings.run_as.or(tasks.settings.run_as);
    let run_as = run_as(settings, &tasks.settings, shape.run_as)?;
    let main = main_container(plan, settings, run_as)?;
    let (carried, plan_object) = carried_plan(plan);
    let mut annotations = text_map(&[
        (keys::KFP_V2_COMPONENT, "true"),
        (keys::ANNOTATION_KFP_ROLE, "launcher"),
        (ANNOTATION_ISTIO, "false"),
        (ANNOTATION_EKS, keys::MAIN_CONTAINER),
        (keys::ANNOTATION_SPEC_HASH, &spec_hash(plan)),
    ]);
    annotations.insert(carried.0.to_owned(), carried.1);
    if let Some(account) = &plan.service_account {
        annotations.insert(keys::ANNOTATION_SERVICE_ACCOUNT.to_owned(), account.clone());
    }
    let mut pod = Pod {
        metadata: ObjectMeta {
            name: Some(name_of(plan)),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels(plan)),
            annotations: Some(annotations),
            finalizers: Some(vec![keys::FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            active_deadline_seconds: plan.timeout_seconds.map(deadline),
            automount_service_account_token: Some(false),
            containers: vec![main],
            restart_policy: Some("Never".to_owned()),
            security_context: Some(PodSecurityContext {
                seccomp_profile: Some(runtime_default()),
                ..PodSecurityContext::default()
            }),
            service_account_name: Some(account_of(plan).to_owned()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            volumes: Some(volumes(plan, settings)),
            ..PodSpec::default()
        }),
        status: None,
    };
    let mut warnings = overruled(identity, shape.run_as);
    warnings.extend(shape.apply(&mut pod, identity));
    models::mount(plan, pod.spec.get_or_insert_default())?;
    workspace_mount::mount(&mut pod, plan)?;
    Ok(TaskPod { pod, warnings, plan_object })
}

/// What the platform settings of the task make of its Pod.
fn shape_of(plan: &Plan, settings: &PodSettings, tasks: &NamespaceTasks) -> Result<PodShape, PodError> {
    let Some(pod) = plan.pod.as_deref() else { return Ok(PodShape::default()) };
    let surroundings = Surroundings {
        store_secrets: &tasks.store_secrets,
        has_authorities: settings.ca_bundle.is_some(),
        has_account: plan.service_account.is_some(),
    };
    shape(&pod.config, Values::Resolved(&pod.values), surroundings).map_err(PodError::Shape)
}

/// The plan with the settings of the Pod that the component takes as data.
fn handed_on<'a>(plan: &'a Plan, shape: &mut PodShape) -> Cow<'a, Plan> {
    match plan.pod.as_deref() {
        Some(pod) if !pod.passthroughs.is_empty() => {
            let mut plan = plan.clone();
            shape.hand_on(pod, &mut plan.inputs.parameters);
            Cow::Owned(plan)
        }
        _ => Cow::Borrowed(plan),
    }
}

/// Account that the Pod of an attempt runs under.
pub(crate) fn account_of(plan: &Plan) -> &str {
    plan.service_account.as_deref().unwrap_or(keys::TASK_SERVICE_ACCOUNT)
}

fn check_account(plan: &Plan, namespace: &str, settings: &PodSettings) -> Result<(), PodError> {
    match &plan.service_account {
        Some(account) if !settings.accounts.iter().any(|allowed| allowed.covers(namespace, account)) => {
            Err(PodError::Account { account: account.clone(), namespace: namespace.to_owned() })
        }
        _ => Ok(()),
    }
}

fn labels(plan: &Plan) -> BTreeMap<String, String> {
    let (run, task, attempt) = (plan.run.id.to_string(), plan.task.id.to_string(), plan.task.attempt.to_string());
    text_map(&[
        (keys::LABEL_MANAGED_BY, keys::MANAGED_BY),
        (keys::LABEL_INJECT, keys::INJECT_TASK),
        (keys::LABEL_RUN_ID, &run),
        (keys::LABEL_TASK_ID, &task),
        (keys::LABEL_ATTEMPT, &attempt),
        (keys::LABEL_KFP_RUN_ID, &run),
        (keys::KFP_V2_COMPONENT, "true"),
    ])
}

fn text_map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The annotation that carries the plan, or says where it is; and the object to store in that case. The launcher has no
/// use for what the kubelet does.
fn carried_plan(plan: &Plan) -> (Annotation, Option<PlanObject>) {
    let plan = Plan {
        resources: PlanResources::default(),
        image_pull_policy: String::new(),
        service_account: None,
        pod: None,
        workspace: None,
        ..plan.clone()
    };
    let text = to_json(&plan);
    if text.len() <= keys::MAX_INLINE_PLAN {
        return ((keys::ANNOTATION_PLAN, text), None);
    }
    let bytes = text.into_bytes();
    let reference = PlanRef {
        uri: format!("{}/{PLAN_OBJECT}", plan.task_root),
        digest: format_digest(&digest_of(&bytes)),
        size: bytes.len() as u64,
    };
    ((keys::ANNOTATION_PLAN_REF, to_json(&reference)), Some((reference.uri, bytes)))
}

fn deadline(timeout_seconds: u64) -> i64 {
    let seconds = timeout_seconds.saturating_add(DEADLINE_MARGIN_SECONDS).min(MAX_DEADLINE_SECONDS);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// KFP's scratch volumes, and ours for output parameters, which the launcher reads beside main.
pub(super) fn scratch() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parameters = (keys::VOLUME_OUTPUT_PARAMETERS, keys::OUTPUT_PARAMETER_DIR);
    keys::ARTIFACT_VOLUMES.into_iter().chain(keys::HOME_VOLUMES).chain([parameters])
}

fn mounts(plan: &Plan, settings: &PodSettings) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    };
    let read_only = |name: &str, path: &str| VolumeMount { read_only: Some(true), ..mount(name, path) };
    let ca = settings.ca_bundle.is_some().then(|| read_only(CA_VOLUME, CA_DIR));
    let token = plan.service_account.is_some().then(|| read_only(TOKEN_VOLUME, TOKEN_DIR));
    scratch().map(|(name, path)| mount(name, path)).chain(ca).chain(token).collect()
}

fn volumes(plan: &Plan, settings: &PodSettings) -> Vec<Volume> {
    let empty = |name: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    let ca = settings.ca_bundle.as_ref().map(ca_volume);
    let token = plan.service_account.as_ref().map(|_| token_volume());
    scratch().map(|(name, _)| empty(name)).chain(ca).chain(token).collect()
}

fn ca_volume(bundle: &CaBundle) -> Volume {
    let items =
        |key: &str| Some(vec![KeyToPath { key: key.to_owned(), path: CA_FILE.to_owned(), ..KeyToPath::default() }]);
    let mut volume = Volume { name: CA_VOLUME.to_owned(), ..Volume::default() };
    match bundle {
        CaBundle::ConfigMap { name, key } => {
            volume.config_map = Some(ConfigMapVolumeSource {
                name: name.clone(),
                items: items(key),
                ..ConfigMapVolumeSource::default()
            });
        }
        CaBundle::Secret { name, key } => {
            volume.secret = Some(SecretVolumeSource {
                secret_name: Some(name.clone()),
                items: items(key),
                ..SecretVolumeSource::default()
            });
        }
    }
    volume
}

#[cfg(test)]
mod tests;
