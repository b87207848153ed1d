//! What the engine needs of the platform settings: time limits, what plans carry, and the tasks that settings take values from.

use penstock_spec::keys;
use penstock_spec::plan::PlanWorkspace;
use penstock_spec::platform::{KubernetesExecutorConfig, PlatformSpec, PodMetadata, WorkspaceConfig};
use serde_json::Value;

use super::PodTemplate;

/// Seconds that a run may take.
pub(super) fn run_deadline_seconds(platform: &PlatformSpec) -> Option<u64> {
    let config = member(kubernetes(platform)?, "pipelineConfig", "pipeline_config")?;
    positive(member(config, "activeDeadlineSeconds", "active_deadline_seconds")?)
}

/// What the tasks of a run share.
pub(super) fn workspace(config: &WorkspaceConfig) -> PlanWorkspace {
    let patch = config.kubernetes.as_ref().map(|kubernetes| kubernetes.pvc_spec_patch.clone());
    PlanWorkspace { size: config.size.clone(), claim_patch: patch.unwrap_or_default() }
}

/// Seconds that an attempt of an executor may take.
pub(super) fn attempt_timeout_seconds(platform: &PlatformSpec, executor: &str) -> Option<u64> {
    positive(member(executor_config(platform, executor)?, "activeDeadlineSeconds", "active_deadline_seconds")?)
}

/// When the image of an executor is pulled.
pub(super) fn image_pull_policy<'a>(platform: &'a PlatformSpec, executor: &str) -> Option<&'a str> {
    member(executor_config(platform, executor)?, "imagePullPolicy", "image_pull_policy")?.as_str()
}

/// The account that an executor asks for, with a token in user code.
pub(super) fn service_account<'a>(platform: &'a PlatformSpec, executor: &str) -> Option<&'a str> {
    let metadata = member(executor_config(platform, executor)?, "podMetadata", "pod_metadata")?;
    metadata.get("annotations")?.get(keys::ANNOTATION_SERVICE_ACCOUNT)?.as_str()
}

/// What the settings of an executor ask of its Pods beside what plans carry on their own.
pub(super) fn pod_template(platform: &PlatformSpec, executor: &str) -> Option<PodTemplate> {
    let mut config = platform.kubernetes.deployment_spec.executors.get(executor)?.clone();
    config.active_deadline_seconds = 0;
    config.image_pull_policy.clear();
    if let Some(metadata) = &mut config.pod_metadata {
        metadata.annotations.remove(keys::ANNOTATION_SERVICE_ACCOUNT);
    }
    config.pod_metadata.take_if(|metadata| *metadata == PodMetadata::default());
    let parameters = config.parameters();
    (config != KubernetesExecutorConfig::default()).then_some(PodTemplate { config, parameters })
}

/// The settings of an executor that give its container data: two tasks that differ in them may differ in results.
pub(super) fn data_settings(platform: &PlatformSpec, executor: &str) -> Option<Value> {
    const SETTINGS: &[(&str, &str)] = &[
        ("configMapAsEnv", "config_map_as_env"),
        ("configMapAsVolume", "config_map_as_volume"),
        ("pvcMount", "pvc_mount"),
        ("secretAsEnv", "secret_as_env"),
        ("secretAsVolume", "secret_as_volume"),
    ];
    let config = executor_config(platform, executor)?;
    let found = SETTINGS.iter().filter_map(|(camel, snake)| Some((*camel, member(config, camel, snake)?.clone())));
    let found: serde_json::Map<String, Value> = found.map(|(name, value)| (name.to_owned(), value)).collect();
    (!found.is_empty()).then_some(Value::Object(found))
}

/// Tasks whose outputs the settings of an executor use.
pub(super) fn producers<'a>(platform: &'a PlatformSpec, executor: &str) -> Vec<&'a str> {
    let mut producers = Vec::new();
    let mut pending: Vec<&Value> = executor_config(platform, executor).into_iter().collect();
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(items) => pending.extend(items),
            Value::Object(members) => {
                let output = member(value, "taskOutputParameter", "task_output_parameter");
                let producer = output.and_then(|output| member(output, "producerTask", "producer_task"));
                producers.extend(producer.and_then(Value::as_str));
                pending.extend(members.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    producers
}

fn kubernetes(platform: &PlatformSpec) -> Option<&Value> {
    platform.raw.get("platforms")?.get("kubernetes")
}

fn executor_config<'a>(platform: &'a PlatformSpec, executor: &str) -> Option<&'a Value> {
    let deployment = member(kubernetes(platform)?, "deploymentSpec", "deployment_spec")?;
    deployment.get("executors")?.get(executor)
}

fn member<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

/// A whole number above zero, as a number or as the text that proto-JSON makes of 64 bits.
fn positive(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        Value::Number(number) => number.as_u64().or_else(|| {
            let double = number.as_f64().filter(|double| double.fract() == 0.0 && *double < 9e15)?;
            (double > 0.0).then_some(double as u64)
        })?,
        _ => return None,
    };
    (number > 0).then_some(number)
}
