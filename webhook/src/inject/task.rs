//! What the Pod of a task ought to hold. The driver made it: user's container `main`, KFP's volumes, the plan.

use penstock_spec::keys;

use super::error::InjectError;
use super::mount::Mount;
use super::pod::PodView;
use super::wanted::Wanted;
use super::{EntryDelivery, InjectContext, argv, sidecar};

/// The least seconds between the wish that a task's Pod ends and its end by force: user code ends, the log's tail and
/// the report are sent.
const GRACE_SECONDS: i64 = 60;

pub(super) fn wanted(view: &PodView<'_>, context: &InjectContext<'_>) -> Result<Wanted, InjectError> {
    if view.is_windows() {
        return Err(InjectError::Windows);
    }
    refuse_shared_processes(view)?;
    let settings =
        context.settings.ok_or_else(|| InjectError::NoSettings { namespace: context.namespace.to_owned() })?;
    let container = view.position(keys::MAIN_CONTAINER).ok_or_else(|| InjectError::NoContainer {
        name: keys::MAIN_CONTAINER.to_owned(),
        remedy: "a task's program runs in it",
    })?;
    let main = &view.containers[container];
    if argv::is_empty(main) {
        return Err(InjectError::EmptyCommand { container: main.name.to_owned() });
    }
    let annotations = present(
        view,
        &[(keys::ANNOTATION_PLAN, keys::POD_PLAN_FILE), (keys::ANNOTATION_PLAN_REF, keys::POD_PLAN_REF_FILE)],
    );
    if annotations.is_empty() {
        return Err(InjectError::NoPlan);
    }
    let delivery = EntryDelivery::of(view, context.delivery);
    let mut sidecar_mounts = sidecar::mounts(delivery);
    for mount in &main.mounts {
        let like = Mount::like(mount);
        if mount.volume == keys::VOLUME_WORKSPACE {
            sidecar_mounts.push(like);
        } else if is_shared(mount.volume) {
            sidecar_mounts.push(Mount { is_read_only: false, ..like });
        }
    }
    let grace_seconds = view.grace_seconds().unwrap_or(0).max(GRACE_SECONDS);
    Ok(Wanted {
        container,
        mounts: sidecar::main_mounts(),
        environment: sidecar::main_environment(view, context.config),
        sidecar: sidecar::container(view, context.config, settings, grace_seconds, delivery),
        sidecar_mounts,
        volumes: sidecar::volumes(delivery.volume(context.config), &annotations, settings, true),
        grace_seconds: (view.grace_seconds() != Some(grace_seconds)).then_some(grace_seconds),
        warnings: Vec::new(),
    })
}

/// Volumes of inputs and outputs, which the driver puts into a task's Pod.
fn is_shared(volume: &str) -> bool {
    volume == keys::VOLUME_OUTPUT_PARAMETERS || keys::ARTIFACT_VOLUMES.iter().any(|(name, _)| *name == volume)
}

/// The processes of the user must not see those of the launcher.
pub(super) fn refuse_shared_processes(view: &PodView<'_>) -> Result<(), InjectError> {
    match ["shareProcessNamespace", "hostPID"].into_iter().find(|field| view.is_set(field)) {
        Some(field) => Err(InjectError::SharedProcesses { field }),
        None => Ok(()),
    }
}

/// Those annotations, each with its file, that the Pod has.
pub(super) fn present<'a>(view: &PodView<'_>, annotations: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    annotations.iter().copied().filter(|(key, _)| view.annotation(key).is_some()).collect()
}
