//! What the things that were read mean, and what to do about them. Pure.

mod certificates;

use super::Read;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::ObjectList;
use penstock_spec::keys;
use penstock_spec::settings::NamespaceSettings;
use serde::Serialize;
use serde_json::json;

pub(crate) use certificates::{Served, authority, served};

use crate::endpoints::StoreEndpoints;

/// Oldest minor version of Kubernetes 1 with what Penstock needs: native sidecars and admission policies.
const OLDEST_MINOR: u32 = 30;
/// Oldest minor version in which native sidecars are beyond beta.
const RECOMMENDED_MINOR: u32 = 33;
/// Where the installed driver is told its endpoint.
const S3_ENDPOINT: &str = "PENSTOCK_S3_ENDPOINT";
/// How installing goes, as a remedy.
const INSTALL: &str = "install Penstock: kubectl apply -k manifests/overlays/standalone";

/// What to do about policies that are missing.
const POLICIES: &str = "apply the manifests again (kubectl apply -k): without them a task's token could change other Pods, or \
                        somebody could forge a task's report";

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was examined.
    pub subject: String,
    /// How it is.
    pub state: FindingState,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingState {
    /// As it should be.
    Good,
    /// Tasks run, but something will go wrong, or is not as safe as it should be.
    Warning,
    /// Tasks cannot run.
    Bad,
    /// It could not be looked at.
    Unknown,
}

fn finding(subject: &str, state: FindingState, found: impl Into<String>, remedy: Option<&str>) -> Finding {
    Finding { subject: subject.to_owned(), state, found: found.into(), remedy: remedy.map(str::to_owned) }
}

fn good(subject: &str, found: impl Into<String>) -> Finding {
    finding(subject, FindingState::Good, found, None)
}

fn bad(subject: &str, found: impl Into<String>, remedy: &str) -> Finding {
    finding(subject, FindingState::Bad, found, Some(remedy))
}

fn unknown(subject: &str, reason: &str) -> Finding {
    let remedy = "look whether the account that you use may read it (kubectl auth can-i)";
    finding(subject, FindingState::Unknown, reason, Some(remedy))
}

pub(crate) fn version(read: &Read<Info>) -> Finding {
    const SUBJECT: &str = "cluster version";
    let info = match read {
        Read::Found(info) => info,
        Read::Missing | Read::Failed(_) => {
            let reason = if let Read::Failed(reason) = read { reason.as_str() } else { "it has no version" };
            return bad(SUBJECT, format!("the cluster does not answer: {reason}"), "check --kubeconfig and --context");
        }
    };
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok();
    let shown = format!("Kubernetes {}", info.git_version);
    match (digits(&info.major), digits(&info.minor)) {
        (Some(1), Some(minor)) if minor < OLDEST_MINOR => {
            bad(SUBJECT, shown, "Penstock needs Kubernetes 1.30 or later (native sidecars, admission policies)")
        }
        (Some(1), Some(minor)) if minor < RECOMMENDED_MINOR => {
            let advice = "1.33 or later is recommended: native sidecars had defects in earlier versions";
            finding(SUBJECT, FindingState::Warning, shown, Some(advice))
        }
        (Some(_), Some(_)) => good(SUBJECT, shown),
        _ => finding(SUBJECT, FindingState::Unknown, shown, Some("the version is not understood; 1.30 is the oldest")),
    }
}

pub(crate) fn webhook(read: &Read<MutatingWebhookConfiguration>, name: &str) -> Finding {
    const SUBJECT: &str = "webhook";
    let configuration = match read {
        Read::Found(configuration) => configuration,
        Read::Missing => return bad(SUBJECT, format!("there is no MutatingWebhookConfiguration {name}"), INSTALL),
        Read::Failed(reason) => return unknown(SUBJECT, reason),
    };
    let hooks = configuration.webhooks.as_deref().unwrap_or_default();
    let Some(hook) = hooks.first() else {
        return bad(SUBJECT, format!("the MutatingWebhookConfiguration {name} is empty"), INSTALL);
    };
    if hook.client_config.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) {
        let remedy = "the webhook writes its authority there when it starts: see its log, and whether GitOps wipes it";
        return bad(SUBJECT, "its caBundle is empty, so the cluster cannot call it", remedy);
    }
    if hook.failure_policy.as_deref() != Some("Fail") {
        let remedy = "set failurePolicy: Fail; without it a task may run bare when the webhook is down";
        return finding(SUBJECT, FindingState::Warning, "its failurePolicy is not Fail", Some(remedy));
    }
    good(SUBJECT, format!("MutatingWebhookConfiguration {name} is in place"))
}

pub(crate) fn endpoints(read: &Read<ObjectList<EndpointSlice>>, service: &str, namespace: &str) -> Finding {
    const SUBJECT: &str = "webhook server";
    let slices = match read {
        Read::Found(slices) => slices,
        Read::Missing => return bad(SUBJECT, format!("there is no Service {namespace}/{service}"), INSTALL),
        Read::Failed(reason) => return unknown(SUBJECT, reason),
    };
    let ready = slices.iter().flat_map(|slice| &slice.endpoints);
    let ready = ready.filter(|end| end.conditions.as_ref().is_none_or(|is| is.ready.unwrap_or(true))).count();
    if ready == 0 {
        let remedy = format!("see kubectl -n {namespace} get pods, and /ready of what does not become ready");
        return bad(SUBJECT, format!("no Pod serves {namespace}/{service}"), &remedy);
    }
    good(SUBJECT, format!("{ready} ready behind {namespace}/{service}"))
}

/// Each policy has to be there and to be bound so that it denies: one that is missing is a hole that the others do not fill.
pub(crate) fn policies(
    policies: &Read<ObjectList<ValidatingAdmissionPolicy>>,
    bindings: &Read<ObjectList<ValidatingAdmissionPolicyBinding>>,
) -> Finding {
    const SUBJECT: &str = "admission policies";
    let (policies, bindings) = match (policies, bindings) {
        (Read::Found(policies), Read::Found(bindings)) => (policies, bindings),
        (Read::Failed(reason), _) | (_, Read::Failed(reason)) => return unknown(SUBJECT, reason),
        (Read::Missing, _) | (_, Read::Missing) => {
            return bad(SUBJECT, "the cluster knows no ValidatingAdmissionPolicy", "Kubernetes 1.30 has it");
        }
    };
    let trouble = |name: &str| {
        let is_it = |policy: &&ValidatingAdmissionPolicy| policy.metadata.name.as_deref() == Some(name);
        let Some(policy) = policies.iter().find(is_it) else { return Some(format!("{name} is missing")) };
        let ignores = policy.spec.as_ref().and_then(|spec| spec.failure_policy.as_deref()) == Some("Ignore");
        let denies = bindings.iter().filter_map(|binding| binding.spec.as_ref()).any(|spec| {
            let actions = spec.validation_actions.as_deref().unwrap_or_default();
            spec.policy_name.as_deref() == Some(name) && actions.iter().any(|action| action == "Deny")
        });
        match (denies, ignores) {
            (false, _) => Some(format!("{name} has no binding that denies")),
            (true, true) => Some(format!("{name} has failurePolicy Ignore")),
            (true, false) => None,
        }
    };
    let troubles: Vec<String> = keys::ADMISSION_POLICIES.iter().filter_map(|name| trouble(name)).collect();
    if troubles.is_empty() {
        return good(SUBJECT, format!("all {} are bound", keys::ADMISSION_POLICIES.len()));
    }
    bad(SUBJECT, troubles.join("; "), POLICIES)
}

pub(crate) fn namespace(read: &Read<Namespace>, name: &str) -> Finding {
    const SUBJECT: &str = "namespace";
    let namespace = match read {
        Read::Found(namespace) => namespace,
        Read::Missing => {
            return bad(SUBJECT, format!("there is no namespace {name}"), "choose another with --namespace");
        }
        Read::Failed(reason) => return unknown(SUBJECT, reason),
    };
    let label = namespace.metadata.labels.as_ref().and_then(|labels| labels.get(keys::LABEL_NAMESPACE));
    if label.map(String::as_str) != Some(keys::NAMESPACE_ENABLED) {
        let label = format!("{}={}", keys::LABEL_NAMESPACE, keys::NAMESPACE_ENABLED);
        let remedy = format!("kubectl label namespace {name} {label}");
        return bad(SUBJECT, format!("{name} lacks the label {label}"), &remedy);
    }
    if namespace.metadata.deletion_timestamp.is_some() {
        return bad(SUBJECT, format!("{name} is being deleted"), "choose another with --namespace");
    }
    good(SUBJECT, format!("{name} is labelled"))
}

pub(crate) fn task_account(parts: &[(&str, &Read<()>)]) -> Finding {
    const SUBJECT: &str = "task account";
    let lacking: Vec<&str> =
        parts.iter().filter(|(_, read)| matches!(read, Read::Missing)).map(|(kind, _)| *kind).collect();
    if !lacking.is_empty() {
        let name = keys::TASK_SERVICE_ACCOUNT;
        let remedy =
            "the driver makes them within seconds of the label: see the driver's log and the Namespace's events";
        return bad(SUBJECT, format!("{name} lacks its {}", lacking.join(", ")), remedy);
    }
    let failed = parts.iter().find_map(|(_, read)| if let Read::Failed(reason) = read { Some(reason) } else { None });
    match failed {
        Some(reason) => unknown(SUBJECT, reason),
        None => good(SUBJECT, format!("{} with its role and binding", keys::TASK_SERVICE_ACCOUNT)),
    }
}

/// Whether the driver may do to volume claims what tasks and workspaces need: each verb with the answer.
pub(crate) fn claims(answers: &[(&str, Read<bool>)], namespace: &str) -> Finding {
    const SUBJECT: &str = "volume claims";
    if let Some(reason) =
        answers.iter().find_map(|(_, read)| if let Read::Failed(reason) = read { Some(reason) } else { None })
    {
        return unknown(SUBJECT, reason);
    }
    let is_lacking = |read: &Read<bool>| !matches!(read, Read::Found(true));
    let lacking: Vec<&str> = answers.iter().filter(|(_, read)| is_lacking(read)).map(|(verb, _)| *verb).collect();
    if lacking.is_empty() {
        return good(SUBJECT, format!("the driver may make and delete them in {namespace}"));
    }
    let found = format!(
        "the driver may not {} persistentvolumeclaims in {namespace}: tasks that create or delete volumes fail, and runs with \
         a workspace",
        lacking.join(", ")
    );
    let remedy = "apply the manifests of this version again (kubectl apply -k), unless it was taken away on purpose";
    finding(SUBJECT, FindingState::Warning, found, Some(remedy))
}

pub(crate) fn settings(read: &Read<ConfigMap>) -> (Finding, Option<NamespaceSettings>) {
    const SUBJECT: &str = "namespace settings";
    let name = keys::SETTINGS_CONFIG_MAP;
    let found = match read {
        Read::Found(found) => found,
        Read::Missing => {
            let remedy = "the driver writes it within seconds of the label: see the driver's log";
            return (bad(SUBJECT, format!("there is no ConfigMap {name}"), remedy), None);
        }
        Read::Failed(reason) => return (unknown(SUBJECT, reason), None),
    };
    let text = found.data.as_ref().and_then(|data| data.get(keys::POD_SETTINGS_FILE)).map_or("", String::as_str);
    match serde_json::from_str::<NamespaceSettings>(text) {
        Ok(settings) => {
            let shown = format!("pipeline root {}, {} object stores", settings.default_root, settings.stores.len());
            (good(SUBJECT, shown), Some(settings))
        }
        Err(error) => {
            let remedy = "delete it: the driver writes it anew";
            (bad(SUBJECT, format!("the ConfigMap {name} is not understood: {error}"), remedy), None)
        }
    }
}

pub(crate) fn secret(read: &Read<Secret>, name: &str, wanted: &[&str]) -> Finding {
    let subject = "store credentials";
    let secret = match read {
        Read::Found(secret) => secret,
        Read::Missing => {
            let remedy = format!(
                "create the Secret {name} with the keys {}, or name another in the ConfigMap {}",
                wanted.join(" and "),
                keys::KFP_LAUNCHER_CONFIG_MAP
            );
            return bad(subject, format!("there is no Secret {name}"), &remedy);
        }
        Read::Failed(reason) => return unknown(subject, reason),
    };
    let has = |key: &&&str| !secret.data.as_ref().is_some_and(|data| data.contains_key(**key));
    let lacking: Vec<&str> = wanted.iter().filter(has).copied().collect();
    match lacking.is_empty() {
        true => good(subject, format!("the Secret {name} has its keys")),
        false => bad(subject, format!("the Secret {name} lacks {}", lacking.join(", ")), "add what it lacks"),
    }
}

pub(crate) fn store(root: &str, read: &Result<(), String>) -> Finding {
    let subject = "store from here";
    match read {
        Ok(()) => good(subject, format!("an object below {root} could be written, read and deleted")),
        Err(reason) => finding(
            subject,
            FindingState::Warning,
            format!("{root} cannot be used from this machine: {reason}"),
            Some("the driver needs it where it runs: check --s3-endpoint and the credentials in the environment"),
        ),
    }
}

pub(crate) fn readable(root: &str, read: &Result<(), String>) -> Finding {
    const SUBJECT: &str = "object store";
    match read {
        Ok(()) => good(SUBJECT, format!("{root} can be read")),
        Err(reason) => {
            let remedy = "check --s3-endpoint, and the credentials in the environment of the server";
            bad(SUBJECT, format!("{root} cannot be read: {reason}"), remedy)
        }
    }
}

/// Whether the driver that is installed looks for objects where the namespace's launchers put them; nothing where its
/// endpoint is not in its ConfigMap.
pub(crate) fn driver_store(service: &Read<ConfigMap>, settings: &NamespaceSettings) -> Option<Finding> {
    const SUBJECT: &str = "store of the driver";
    let Read::Found(service) = service else { return None };
    let endpoint = service.data.as_ref()?.get(S3_ENDPOINT)?;
    Some(match StoreEndpoints::of_one(Some(endpoint)).difference(settings, &settings.default_root) {
        None => good(SUBJECT, "the driver looks for objects where the launchers of the namespace put them"),
        Some(difference) => {
            let remedy =
                "a driver serves one store: tasks that succeed fail afterwards where their manifest is not there";
            finding(SUBJECT, FindingState::Warning, difference, Some(remedy))
        }
    })
}

/// A task's Pod that is never stored.
pub(crate) fn trial_pod(image: &str) -> Pod {
    let pod = json!({
        "metadata": {
            "generateName": "penstock-doctor-",
            "labels": {(keys::LABEL_INJECT): keys::INJECT_TASK},
            "annotations": {(keys::ANNOTATION_PLAN): "{}"},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "serviceAccountName": keys::TASK_SERVICE_ACCOUNT,
            "containers": [{
                "name": keys::MAIN_CONTAINER,
                "image": image,
                "command": ["true"],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": true,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }],
        },
    });
    serde_json::from_value(pod).unwrap_or_default()
}

pub(crate) fn injection(read: &Read<Pod>) -> Finding {
    const SUBJECT: &str = "injection";
    let pod = match read {
        Read::Found(pod) => pod,
        Read::Missing => return unknown(SUBJECT, "the namespace went away"),
        Read::Failed(reason) => {
            let remedy = "a trial Pod was refused; the text names the webhook, policy or quota that did it";
            return bad(SUBJECT, reason, remedy);
        }
    };
    let sidecars = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    match sidecars.iter().any(|container| container.name == keys::SIDECAR_CONTAINER) {
        true => good(SUBJECT, "a trial Pod got its launcher (dry run)"),
        false => bad(SUBJECT, "a trial Pod did not get a launcher (dry run)", INSTALL),
    }
}

#[cfg(test)]
mod tests;
