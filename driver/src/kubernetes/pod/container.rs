//! The user's container in the Pod of an attempt.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceRequirements, SeccompProfile,
    SecurityContext,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use penstock_spec::keys;
use penstock_spec::plan::{Plan, PlanResources};
use penstock_spec::quantity;
use penstock_spec::settings::{RunAs, TaskSettings};

use super::{CA_DIR, CA_FILE, PodError, PodSettings, mounts};

/// With it, Python prints at once.
const PYTHON_UNBUFFERED: &str = "PYTHONUNBUFFERED";

/// Who user code runs as. Asking for root where root is refused would only show as a container that never starts.
pub(super) fn run_as(settings: &PodSettings, tasks: &TaskSettings, wished: RunAs) -> Result<RunAs, PodError> {
    let run_as = settings.run_as.or(tasks.run_as).or(wished);
    if !run_as.contradicts_itself() {
        return Ok(run_as);
    }
    let user = match (settings.run_as.user, tasks.run_as.user) {
        (Some(_), _) => "--task-run-as-user of the driver",
        (None, Some(_)) => "the annotation penstock.dev/run-as-user of the namespace",
        (None, None) => "runAsUser of the task (kubernetes.set_security_context)",
    };
    let non_root = match (settings.run_as.non_root, tasks.run_as.non_root) {
        (Some(_), _) => "--task-run-as-non-root of the driver",
        (None, Some(_)) => {
            "the namespace (its label pod-security.kubernetes.io/enforce, or its annotation penstock.dev/run-as-non-root)"
        }
        (None, None) => "runAsNonRoot of the task (kubernetes.set_security_context)",
    };
    Err(PodError::Root { user, non_root })
}

/// What an author says of the user and gives way to what installation and namespace say.
pub(super) fn overruled(identity: RunAs, wished: RunAs) -> Vec<String> {
    let differ =
        |stated: Option<String>, wished: Option<String>| stated.zip(wished).filter(|(stated, wished)| stated != wished);
    let text = |id: Option<i64>| id.map(|id| id.to_string());
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    let fields = [
        ("runAsUser", differ(text(identity.user), text(wished.user))),
        ("runAsGroup", differ(text(identity.group), text(wished.group))),
        ("runAsNonRoot", differ(flag(identity.non_root), flag(wished.non_root))),
    ];
    let told = fields.into_iter().filter_map(|(field, values)| {
        let (stated, wished) = values?;
        Some(format!("securityContext.{field}: {wished} gives way to {stated}, which installation or namespace say"))
    });
    told.collect()
}

pub(super) fn main_container(plan: &Plan, settings: &PodSettings, run_as: RunAs) -> Result<Container, PodError> {
    let list = |texts: &[String]| (!texts.is_empty()).then(|| texts.to_vec());
    Ok(Container {
        name: keys::MAIN_CONTAINER.to_owned(),
        image: Some(plan.image.clone()),
        image_pull_policy: pull_policy(&plan.image_pull_policy)?,
        command: list(&plan.command),
        args: list(&plan.args),
        env: Some(environment(plan, settings)),
        resources: resources(&plan.resources)?,
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            run_as_user: run_as.user,
            run_as_group: run_as.group,
            run_as_non_root: run_as.non_root,
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            seccomp_profile: Some(runtime_default()),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(plan, settings)),
        ..Container::default()
    })
}

pub(in crate::kubernetes) fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }
}

fn pull_policy(text: &str) -> Result<Option<String>, PodError> {
    match text {
        "" => Ok(None),
        "Always" | "IfNotPresent" | "Never" => Ok(Some(text.to_owned())),
        other => Err(PodError::PullPolicy(other.to_owned())),
    }
}

/// The author's variables in order, then ours: of two equal names the kubelet takes the last.
fn environment(plan: &Plan, settings: &PodSettings) -> Vec<EnvVar> {
    let text =
        |name: &str, value: &str| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() };
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), ..ObjectFieldSelector::default() }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    // Python keeps what it prints until there is much of it, unless it writes to a terminal or this says otherwise.
    let is_said = plan.env.iter().any(|variable| variable.name == PYTHON_UNBUFFERED);
    let mut variables: Vec<EnvVar> = (!is_said).then(|| text(PYTHON_UNBUFFERED, "1")).into_iter().collect();
    variables.extend(plan.env.iter().map(|variable| text(&variable.name, &variable.value)));
    variables.extend(settings.proxy.iter().map(|(name, value)| text(name, value)));
    if settings.ca_bundle.is_some() {
        // The entry names them to the usual libraries, together with what the image trusts.
        variables.push(text(keys::ENV_ENTRY_CA_BUNDLE, &format!("{CA_DIR}/{CA_FILE}")));
    }
    variables.push(field(keys::ENV_POD_NAME, "metadata.name"));
    variables.push(field(keys::ENV_POD_UID, "metadata.uid"));
    if plan.retries {
        variables.push(text(keys::ENV_RETRY_INDEX, &plan.task.attempt.to_string()));
    }
    variables
}

fn resources(resources: &PlanResources) -> Result<Option<ResourceRequirements>, PodError> {
    let side = |name: &str, given: &BTreeMap<String, String>| {
        let mut quantities = BTreeMap::new();
        for (resource, value) in given {
            let quantity = quantity::normalize(value).ok_or_else(|| PodError::Quantity {
                field: format!("resource {name} {resource}"),
                value: value.clone(),
            })?;
            quantities.insert(resource.clone(), Quantity(quantity));
        }
        Ok((!quantities.is_empty()).then_some(quantities))
    };
    let (requests, limits) = (side("request", &resources.requests)?, side("limit", &resources.limits)?);
    let is_set = requests.is_some() || limits.is_some();
    Ok(is_set.then(|| ResourceRequirements { requests, limits, ..ResourceRequirements::default() }))
}
