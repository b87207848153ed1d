//! Decides by rules whether a pipeline can run on a single machine, or on a cluster without internet. A pipeline that needs
//! more is read and checked like any other, and not run.

use std::path::Path;

use penstock_spec::keys::PSEUDO_IMAGES;
use penstock_spec::limits::Limits;
use penstock_spec::{package, parse};
use serde_json::Value;

use super::place::Place;
use super::settings::{Needs, OnKubernetes};

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
    ("oci://", "needs the image of a model: imports a model out of an image"),
];
/// Marks the command of a Python component.
const PYTHON_COMPONENT: &str = "kfp.dsl.executor_main";

/// What a pipeline needs that is not there; `None` when it can run.
pub fn missing(name: &str, bytes: &[u8], settings: &Needs, place: &Place) -> Option<String> {
    let limits = Limits::default();
    let text = package::unpack(name, bytes, &limits).ok()?.pipeline_text;
    let documents = parse::parse(&text, &limits).ok()?;
    let pipeline = &documents.pipeline_json;
    match place {
        Place::Machine(_) => missing_here(name, &text, pipeline, settings),
        Place::Kubernetes(_, on) => missing_on_kubernetes(name, pipeline, settings, on.as_written),
    }
}

fn missing_here(name: &str, text: &str, pipeline: &Value, settings: &Needs) -> Option<String> {
    if let Some(reason) = settings.needs.get(name) {
        return Some(reason.clone());
    }
    if settings.runs_anyway.contains_key(name) {
        return None;
    }
    cluster_settings(text)
        .or_else(|| containers(pipeline, |container| missing_image(container, settings).or_else(|| program(container))))
        .or_else(|| foreign_stores(pipeline))
        .or_else(|| input_artifacts(pipeline))
}

/// Settings of a cluster are no reason here: Penstock honours them, or refuses the pipeline.
fn missing_on_kubernetes(name: &str, pipeline: &Value, settings: &Needs, has_internet: bool) -> Option<String> {
    if let Some(reason) = settings.on_kubernetes.needs.get(name) {
        return Some(reason.clone());
    }
    let to_fetch = |container: &Value| match has_internet {
        true => None,
        false => absent_image(container, &settings.on_kubernetes)
            .or_else(|| missing_package(container, &settings.on_kubernetes.installed)),
    };
    containers(pipeline, |container| missing_image(container, settings).or_else(|| to_fetch(container)))
        .or_else(|| match settings.runs_anyway.contains_key(name) {
            true => None,
            false => foreign_stores(pipeline),
        })
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

/// The first need of any container.
fn containers(pipeline: &Value, need: impl Fn(&Value) -> Option<String>) -> Option<String> {
    let executors = pipeline.pointer("/deploymentSpec/executors")?.as_object()?;
    executors.values().find_map(|executor| need(executor.get("container")?))
}

fn words<'a>(container: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    container.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What images and programs are missing everywhere.
fn missing_image(container: &Value, settings: &Needs) -> Option<String> {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let is_meant =
        |name: &str| image.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@', '/']));
    if let Some((name, reason)) = settings.images.iter().find(|(name, _)| is_meant(name)) {
        return Some(format!("needs the image {name}: {reason}"));
    }
    let program = words(container, "command").chain(words(container, "args")).next()?;
    settings.programs.get(program).map(|reason| format!("needs the program {program}: {reason}"))
}

/// A program that is only in the image.
fn program(container: &Value) -> Option<String> {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    if image.starts_with(PSEUDO_IMAGES) {
        return Some("needs a cluster: volumes".to_owned());
    }
    let argv = || words(container, "command").chain(words(container, "args"));
    if argv().any(|part| part.contains(PYTHON_COMPONENT)) {
        return None;
    }
    let program = argv().next()?;
    let is_placeholder = program.contains("{{$") || program.starts_with('{');
    (!is_placeholder && !is_on_this_machine(program)).then(|| format!("needs the image {image} for {program}"))
}

/// An image that the cluster does not have, and nothing that stands in for it.
fn absent_image(container: &Value, settings: &OnKubernetes) -> Option<String> {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let is_there = settings.images.contains(image) || settings.stand_ins.contains_key(image);
    // Where the image is an input, it is seen when the Pod starts.
    let is_named = !image.contains("{{$") && !image.starts_with(PSEUDO_IMAGES);
    (is_named && !is_there).then(|| format!("needs the image {image}"))
}

/// A package that a component installs and the cluster's image of Python does not have.
fn missing_package(container: &Value, installed: &[String]) -> Option<String> {
    let package =
        words(container, "command").flat_map(requirements).find(|name| !installed.iter().any(|i| i == name))?;
    Some(format!("needs internet: installs {package}"))
}

/// Names of the packages that a shell command of the SDK installs: they stand in quotes between `pip install` and `&&`.
fn requirements(command: &str) -> Vec<&str> {
    let installs = command.split("pip install").skip(1).filter_map(|rest| rest.split("&&").next());
    let quoted = installs.flat_map(|install| install.split('\'').skip(1).step_by(2));
    let name =
        |word: &'_ str| word.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(word.len());
    quoted.filter(|word| !word.starts_with('-')).filter_map(|word| word.get(..name(word))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_in_the_commands_of_the_sdk() {
        let command = "python3 -m pip install --quiet --index-url https://pypi.org/simple 'yapf==1.0' && python3 -m pip \
                       install 'kfp==2.14.3' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"' && x 'y'";
        assert_eq!(requirements(command), ["yapf", "kfp", "typing-extensions"]);
        assert_eq!(requirements("echo 'a'"), [] as [&str; 0]);
    }
}
