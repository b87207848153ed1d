//! What a Pod that is no task ought to hold: it names its inputs and outputs in annotations.

use penstock_spec::keys;
use penstock_spec::pod_data::{self, PodDatum};
use penstock_spec::settings::NamespaceSettings;
use penstock_spec::uri::ObjectUri;
use serde_json::Value;

use super::error::InjectError;
use super::layout::{Datum, Direction, Layout};
use super::pod::{ContainerView, PodView};
use super::task::{present, refuse_shared_processes};
use super::wanted::Wanted;
use super::{EntryDelivery, InjectContext, argv, paths, sidecar};

/// Kubernetes' annotation of the container that matters; set by those who put theirs before it.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Kubernetes' grace period where a Pod names none.
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// `None` when the Pod names neither inputs nor outputs.
pub(super) fn wanted(view: &PodView<'_>, context: &InjectContext<'_>) -> Result<Option<Wanted>, InjectError> {
    let read = |annotation, parse: fn(&str) -> Result<Vec<PodDatum>, _>| {
        let text = view.annotation(annotation).unwrap_or_default();
        parse(text).map_err(|reason| InjectError::Data { annotation, reason })
    };
    let inputs = read(keys::ANNOTATION_INPUTS, pod_data::parse_inputs)?;
    let outputs = read(keys::ANNOTATION_OUTPUTS, pod_data::parse_outputs)?;
    if inputs.is_empty() && outputs.is_empty() {
        return Ok(None);
    }
    refuse_shared_processes(view)?;
    let settings =
        context.settings.ok_or_else(|| InjectError::NoSettings { namespace: context.namespace.to_owned() })?;
    for datum in inputs.iter().chain(&outputs) {
        allow(datum, settings, context.namespace)?;
    }
    check_uris(&outputs, settings, context.namespace)?;
    let container = choose(view)?;
    let main = &view.containers[container];
    let is_never = |policy: Option<&str>| policy == Some("Never");
    let is_restarted = !is_never(view.spec.get("restartPolicy").and_then(Value::as_str))
        || main.text("restartPolicy").is_some_and(|policy| !is_never(Some(policy)));
    if !outputs.is_empty() && is_restarted {
        return Err(InjectError::RestartPolicy);
    }
    if main.command.is_empty() || argv::is_empty(main) {
        return Err(InjectError::NoCommand { container: main.name.to_owned() });
    }
    let layout = Layout::of(&data(inputs, outputs)?, main, &view.volumes)?;
    let annotations = present(
        view,
        &[(keys::ANNOTATION_INPUTS, keys::POD_INPUTS_FILE), (keys::ANNOTATION_OUTPUTS, keys::POD_OUTPUTS_FILE)],
    );
    let delivery = EntryDelivery::of(view, context.delivery);
    let volumes = sidecar::volumes(delivery.volume(context.config), &annotations, settings, false);
    let grace_seconds = view.grace_seconds().unwrap_or(DEFAULT_GRACE_SECONDS);
    Ok(Some(Wanted {
        container,
        mounts: [sidecar::main_mounts(), layout.main_mounts].concat(),
        environment: sidecar::main_environment(view, context.config),
        sidecar: sidecar::container(view, context.config, settings, grace_seconds, delivery),
        sidecar_mounts: [sidecar::mounts(delivery), layout.sidecar_mounts].concat(),
        volumes: [volumes, layout.volumes].concat(),
        grace_seconds: None,
        warnings: layout.warnings,
    }))
}

fn allow(datum: &PodDatum, settings: &NamespaceSettings, namespace: &str) -> Result<(), InjectError> {
    if settings.allows(&datum.uri) {
        return Ok(());
    }
    let (namespace, allowed) = (namespace.to_owned(), allowed(settings));
    Err(InjectError::NotAllowed { uri: datum.uri.to_string(), namespace, allowed })
}

fn allowed(settings: &NamespaceSettings) -> String {
    match settings.allowed_prefixes.is_empty() {
        true => "nothing".to_owned(),
        false => settings.allowed_prefixes.join(", "),
    }
}

/// Outputs and their manifest go to places of their own, all of them allowed ones.
fn check_uris(outputs: &[PodDatum], settings: &NamespaceSettings, namespace: &str) -> Result<(), InjectError> {
    let Some(first) = outputs.first() else { return Ok(()) };
    if let Some(output) = outputs.iter().find(|output| output.uri.key.is_empty()) {
        return Err(InjectError::NoKey { path: output.path.clone(), uri: output.uri.to_string() });
    }
    let manifest = pod_data::manifest_uri(&first.uri).map_err(InjectError::Manifest)?;
    if !settings.allows(&manifest) {
        return Err(InjectError::ManifestNotAllowed {
            manifest: manifest.to_string(),
            namespace: namespace.to_owned(),
            allowed: allowed(settings),
        });
    }
    let overlap = |one: &ObjectUri, other: &ObjectUri| one.starts_with(other) || other.starts_with(one);
    for (index, output) in outputs.iter().enumerate() {
        let another = |other: &PodDatum| (other.uri.clone(), "where another output goes");
        let beside = (manifest.clone(), "where the manifest is stored, beside the first output");
        let mut others = outputs[..index].iter().map(another).chain([beside]);
        if let Some((other, what)) = others.find(|(other, _)| overlap(&output.uri, other)) {
            return Err(InjectError::SharedUri { uri: output.uri.to_string(), other: other.to_string(), what });
        }
    }
    Ok(())
}

/// The container that inputs and outputs are for. One that starts with the entry is it: others may have put theirs
/// before it since.
fn choose(view: &PodView<'_>) -> Result<usize, InjectError> {
    if let Some(name) = view.annotation(keys::ANNOTATION_CONTAINER) {
        let remedy = "name one of `containers` in annotation penstock.dev/container";
        return view.position(name).ok_or_else(|| InjectError::NoContainer { name: name.to_owned(), remedy });
    }
    let wrapped = || view.containers.iter().position(argv::is_wrapped);
    let default = || view.position(view.annotation(DEFAULT_CONTAINER)?);
    let first = || (!view.containers.is_empty()).then_some(0);
    wrapped().or_else(default).or_else(first).ok_or(InjectError::NoContainers)
}

fn data(inputs: Vec<PodDatum>, outputs: Vec<PodDatum>) -> Result<Vec<Datum>, InjectError> {
    for input in &inputs {
        if let Some(output) = outputs.iter().find(|output| pod_data::overlaps(&input.path, &output.path)) {
            return Err(InjectError::Overlap { input: input.path.clone(), output: output.path.clone() });
        }
    }
    let datum =
        |direction| move |datum: PodDatum| Datum { path: datum.path, is_directory: datum.is_directory, direction };
    let data: Vec<Datum> = (inputs.into_iter().map(datum(Direction::Input)))
        .chain(outputs.into_iter().map(datum(Direction::Output)))
        .collect();
    match data.iter().find(|datum| paths::is_reserved(&datum.path)) {
        Some(datum) => Err(InjectError::ReservedPath { path: datum.path.clone() }),
        None => Ok(data),
    }
}

/// The program that a container starts with, without the entry before it.
pub(super) fn program<'a>(container: &ContainerView<'a>) -> Option<&'a str> {
    match argv::is_wrapped(container) {
        true => container.args.get(1)?.as_str(),
        false => container.command.first()?.as_str(),
    }
}
