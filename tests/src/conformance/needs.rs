//! Decides by rules whether a pipeline can run on a single machine. A pipeline that needs more is read and checked
//! like any other, and not run.

use std::path::Path;

use penstock_spec::keys::PSEUDO_IMAGES;
use penstock_spec::limits::Limits;
use penstock_spec::{package, parse};
use serde_json::Value;

use super::settings::Needs;

/// Settings of a task that user code relies on and that only a cluster has.
const CLUSTER_ONLY: [(&str, &str); 8] = [
    ("secretAsEnv", "secrets"),
    ("secretAsVolume", "secrets"),
    ("configMapAsEnv", "config maps"),
    ("configMapAsVolume", "config maps"),
    ("pvcMount", "volumes"),
    ("fieldPathAsEnv", "fields of its Pod"),
    ("genericEphemeralVolume", "volumes"),
    ("emptyDirMounts", "volumes"),
];
/// Stores that Penstock does not read.
const FOREIGN_STORES: [(&str, &str); 2] = [
    ("gs://", "needs a cloud: imports an object of Google Cloud Storage"),
    ("oci://", "needs a cluster: imports a model out of an image"),
];
/// Marks the command of a Python component.
const PYTHON_COMPONENT: &str = "kfp.dsl.executor_main";

/// What a pipeline needs that this machine does not have; `None` when it can run here.
pub fn missing(name: &str, bytes: &[u8], settings: &Needs) -> Option<String> {
    if let Some(reason) = settings.needs.get(name) {
        return Some(reason.clone());
    }
    if settings.runs_anyway.contains_key(name) {
        return None;
    }
    let limits = Limits::default();
    let text = package::unpack(name, bytes, &limits).ok()?.pipeline_text;
    let documents = parse::parse(&text, &limits).ok()?;
    let pipeline = &documents.pipeline_json;
    cluster_settings(&text)
        .or_else(|| executors(pipeline, settings))
        .or_else(|| foreign_stores(pipeline))
        .or_else(|| input_artifacts(pipeline))
}

/// The platform document is looked at as text: a field's name followed by a colon is what YAML and JSON share.
fn cluster_settings(text: &str) -> Option<String> {
    let platform = text.find("platforms:").or_else(|| text.find("\"platforms\""))?;
    let platform = text.get(platform..)?;
    let has = |field: &str| platform.contains(&format!("{field}:")) || platform.contains(&format!("\"{field}\""));
    let (_, what) = CLUSTER_ONLY.iter().find(|(field, _)| has(field))?;
    Some(format!("needs a cluster: {what}"))
}

fn executors(pipeline: &Value, settings: &Needs) -> Option<String> {
    let executors = pipeline.pointer("/deploymentSpec/executors")?.as_object()?;
    executors.values().find_map(|executor| container(executor.get("container")?, settings))
}

fn container(container: &Value, settings: &Needs) -> Option<String> {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    if image.starts_with(PSEUDO_IMAGES) {
        return Some("needs a cluster: volumes".to_owned());
    }
    let is_meant =
        |name: &str| image.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@', '/']));
    if let Some((name, reason)) = settings.images.iter().find(|(name, _)| is_meant(name)) {
        return Some(format!("needs the image {name}: {reason}"));
    }
    let argv = |key| container.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    if argv("command").chain(argv("args")).any(|part| part.contains(PYTHON_COMPONENT)) {
        return None;
    }
    let program = argv("command").chain(argv("args")).next()?;
    if let Some(reason) = settings.programs.get(program) {
        return Some(format!("needs the program {program}: {reason}"));
    }
    let is_placeholder = program.contains("{{$") || program.starts_with('{');
    (!is_placeholder && !is_on_this_machine(program)).then(|| format!("needs the image {image} for {program}"))
}

fn is_on_this_machine(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Importers that name another kind of store, when a task is given what they import. Importing alone reads nothing.
fn foreign_stores(pipeline: &Value) -> Option<String> {
    let executors = pipeline.pointer("/deploymentSpec/executors")?.as_object()?;
    let is_importer = |executor: &Value| executor.get("importer").is_some();
    let components = pipeline.pointer("/components")?.as_object()?;
    let reads = |component: &Value| {
        let executor = component.get("executorLabel").and_then(Value::as_str).and_then(|label| executors.get(label));
        let artifacts = component.pointer("/inputDefinitions/artifacts").and_then(Value::as_object);
        executor.is_some_and(|executor| !is_importer(executor))
            && artifacts.is_some_and(|artifacts| !artifacts.is_empty())
    };
    if !executors.values().any(is_importer) || !components.values().any(reads) {
        return None;
    }
    let (_, what) = FOREIGN_STORES.into_iter().find(|(scheme, _)| contains_uri(pipeline, scheme))?;
    Some(format!("{what}, which a task is given"))
}

fn contains_uri(value: &Value, scheme: &str) -> bool {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) if text.starts_with(scheme) => return true,
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => waiting.extend(fields.values()),
            _ => {}
        }
    }
    false
}

fn input_artifacts(pipeline: &Value) -> Option<String> {
    let artifacts = pipeline.pointer("/root/inputDefinitions/artifacts")?.as_object()?;
    let is_needed = |definition: &Value| definition.get("isOptional").and_then(Value::as_bool) != Some(true);
    let (name, _) = artifacts.iter().find(|(_, definition)| is_needed(definition))?;
    Some(format!("needs the artifact {name} as an input of the pipeline, which no run can be given"))
}
