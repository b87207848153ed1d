//! Which Pods are ours, and whether one carries the launcher. Pure.

use k8s_openapi::api::core::v1::Pod;
use penstock_spec::keys;
use penstock_spec::report::AttemptRef;
use serde_json::{Value, json};
use uuid::Uuid;

/// Whose Pod it is, as its labels say.
pub(crate) fn attempt_of_pod(pod: &Pod) -> Option<AttemptRef> {
    let labels = pod.metadata.labels.as_ref()?;
    if labels.get(keys::LABEL_INJECT).is_none_or(|value| value != keys::INJECT_TASK) {
        return None;
    }
    let id = |key| labels.get(key).and_then(|text| Uuid::parse_str(text).ok());
    Some(AttemptRef {
        run_id: id(keys::LABEL_RUN_ID)?,
        task_id: id(keys::LABEL_TASK_ID)?,
        attempt: labels.get(keys::LABEL_ATTEMPT)?.parse().ok()?,
    })
}

/// Why a Pod of the right name is not the one that was submitted for an attempt (R1, T-18); nothing if it is.
pub(crate) fn stranger(pod: &Pod, attempt: &AttemptRef, spec_hash: &str, account: &str) -> Option<&'static str> {
    if attempt_of_pod(pod).as_ref() != Some(attempt) {
        return Some("its labels do not name this attempt");
    }
    let annotations = pod.metadata.annotations.as_ref();
    if annotations.and_then(|all| all.get(keys::ANNOTATION_SPEC_HASH)).is_none_or(|hash| hash != spec_hash) {
        return Some("it was made for other work");
    }
    if pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()) != Some(account) {
        return Some("it runs under another account");
    }
    None
}

/// What of the launcher a Pod lacks that was admitted (F-19); nothing if all is there.
pub(crate) fn lacks_launcher(pod: &Pod) -> Option<&'static str> {
    let spec = pod.spec.as_ref()?;
    let sidecar = spec.init_containers.iter().flatten().find(|container| container.name == keys::SIDECAR_CONTAINER);
    let Some(sidecar) = sidecar else { return Some("it has no container penstock-launcher") };
    if sidecar.restart_policy.as_deref() != Some("Always") {
        return Some("its container penstock-launcher lost its restartPolicy, as an old webhook or API server does it");
    }
    let main = spec.containers.iter().find(|container| container.name == keys::MAIN_CONTAINER);
    let program = main.and_then(|main| main.command.as_ref()?.first());
    if program.is_none_or(|program| program != keys::ENTRY_PATH) {
        return Some("the command of its container main is not penstock-entry");
    }
    None
}

/// Whether our finalizer keeps a Pod.
pub(crate) fn is_held(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == keys::FINALIZER)
}

/// The strategic patch that takes our finalizer off this very Pod; nothing if it has none of ours. It is carried out on the
/// list as it is then: a finalizer that somebody adds meanwhile stays.
pub(crate) fn without_finalizer(pod: &Pod) -> Option<Value> {
    let uid = pod.metadata.uid.as_deref().filter(|_| is_held(pod))?;
    Some(json!({"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [keys::FINALIZER]}}))
}
