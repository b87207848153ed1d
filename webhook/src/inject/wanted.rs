//! What a Pod ought to hold, and the patch that makes it so.

use penstock_spec::keys;
use serde_json::{Value, json};

use super::argv;
use super::error::InjectError;
use super::mount::Mount;
use super::patch::{Operation, Patch, covers, escape};
use super::pod::{ContainerView, PodView, VolumeView, list};

/// Version of the launcher that this build injects.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Parts of the sidecar that others may not change, beside its environment and mounts, which others may add to. What
/// they do about resources, probes and the like is theirs.
const OWN_PARTS: [&str; 6] = ["image", "command", "args", "restartPolicy", "lifecycle", "securityContext"];

/// What a Pod ought to hold.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Position of the user's container that starts with the entry.
    pub(super) container: usize,
    /// Mounts of that container that are ours.
    pub(super) mounts: Vec<Mount>,
    /// Variables of that container that are ours.
    pub(super) environment: Vec<Value>,
    /// The sidecar, but for its mounts.
    pub(super) sidecar: Value,
    /// Its mounts.
    pub(super) sidecar_mounts: Vec<Mount>,
    /// Volumes that are ours.
    pub(super) volumes: Vec<Value>,
    /// The grace period, where it must change.
    pub(super) grace_seconds: Option<i64>,
    /// What the user ought to know.
    pub(super) warnings: Vec<String>,
}

impl Wanted {
    /// What is missing, and what is ours and not as it ought to be.
    pub(super) fn patch(&self, view: &PodView<'_>) -> Result<Vec<Operation>, InjectError> {
        let mut patch = Patch::default();
        annotate(view, &mut patch);
        if let Some(seconds) = self.grace_seconds {
            let is_there = view.spec.contains_key("terminationGracePeriodSeconds");
            patch.set("/spec/terminationGracePeriodSeconds", is_there, json!(seconds));
        }
        self.patch_volumes(view, &mut patch);
        match sidecar_position(view) {
            None => {
                let mut sidecar = self.sidecar.clone();
                sidecar["volumeMounts"] = self.sidecar_mounts.iter().map(Mount::to_json).collect();
                patch.prepend("/spec/initContainers", is_list(view.spec.get("initContainers")), sidecar);
            }
            Some(index) => self.repair_sidecar(&view.init_containers[index], index, &mut patch)?,
        }
        let main = view.containers.get(self.container).ok_or(InjectError::NoContainers)?;
        let path = format!("/spec/containers/{}", self.container);
        if !argv::is_wrapped(main) {
            let args = argv::wrap(main, our_sidecar(view).is_some());
            patch.set(format!("{path}/command"), main.value.contains_key("command"), json!([keys::ENTRY_PATH]));
            patch.set(format!("{path}/args"), main.value.contains_key("args"), Value::Array(args));
        }
        patch_environment(main, &path, &self.environment, &mut patch)?;
        patch_mounts(main, &path, &self.mounts, &mut patch);
        Ok(patch.into_operations())
    }

    fn patch_volumes(&self, view: &PodView<'_>, patch: &mut Patch) {
        let mut missing = Vec::new();
        for volume in &self.volumes {
            let is_right = |there: &VolumeView<'_>| {
                let mut own = volume.clone();
                // As with containers: others, such as the admission plugin AlwaysPullImages, may say when it is pulled.
                own.get_mut("image").and_then(Value::as_object_mut).map(|image| image.remove("pullPolicy"));
                covers(&Value::Object(there.value.clone()), &own)
            };
            match view.volumes.iter().position(|there| volume["name"] == there.name) {
                None => missing.push(volume.clone()),
                Some(index) if is_right(&view.volumes[index]) => {}
                Some(index) => patch.replace(format!("/spec/volumes/{index}"), volume.clone()),
            }
        }
        patch.append("/spec/volumes", is_list(view.spec.get("volumes")), missing);
    }

    fn repair_sidecar(&self, there: &ContainerView<'_>, index: usize, patch: &mut Patch) -> Result<(), InjectError> {
        let path = format!("/spec/initContainers/{index}");
        for part in OWN_PARTS {
            let path = format!("{path}/{part}");
            match (self.sidecar.get(part), there.value.get(part)) {
                (Some(wanted), Some(there)) if covers(there, wanted) => {}
                (Some(wanted), there) => patch.set(path, there.is_some(), wanted.clone()),
                (None, None | Some(Value::Null)) => {}
                (None, Some(_)) => patch.remove(path),
            }
        }
        let environment = self.sidecar["env"].as_array().map(Vec::as_slice).unwrap_or_default();
        patch_environment(there, &path, environment, patch)?;
        patch_mounts(there, &path, &self.sidecar_mounts, patch);
        Ok(())
    }
}

fn patch_environment(
    container: &ContainerView<'_>,
    path: &str,
    wanted: &[Value],
    patch: &mut Patch,
) -> Result<(), InjectError> {
    let environment = list(container.value, "env", &format!("{path}."))?;
    let mut missing = Vec::new();
    for wanted in wanted {
        let mut is_there = false;
        // Of several of the same name the last one counts: all are ours.
        for (index, there) in
            environment.iter().enumerate().filter(|(_, there)| there.get("name") == wanted.get("name"))
        {
            is_there = true;
            if !covers(there, wanted) {
                patch.replace(format!("{path}/env/{index}"), wanted.clone());
            }
        }
        if !is_there {
            missing.push(wanted.clone());
        }
    }
    patch.append(&format!("{path}/env"), is_list(container.value.get("env")), missing);
    Ok(())
}

fn patch_mounts(container: &ContainerView<'_>, path: &str, wanted: &[Mount], patch: &mut Patch) {
    let mut missing = Vec::new();
    for mount in wanted {
        match container.mounts.iter().position(|there| mount.is_at(there)) {
            None => missing.push(mount.to_json()),
            Some(index) if mount.is(&container.mounts[index]) => {}
            Some(index) => patch.replace(format!("{path}/volumeMounts/{index}"), mount.to_json()),
        }
    }
    patch.append(&format!("{path}/volumeMounts"), is_list(container.value.get("volumeMounts")), missing);
}

fn annotate(view: &PodView<'_>, patch: &mut Patch) {
    let key = keys::ANNOTATION_INJECTED;
    if view.annotation(key) == Some(VERSION) {
        return;
    }
    if !view.has_metadata {
        patch.add("/metadata", json!({}));
    }
    if view.annotations.is_none() {
        patch.add("/metadata/annotations", json!({}));
    }
    let is_there = view.annotations.is_some_and(|annotations| annotations.contains_key(key));
    patch.set(format!("/metadata/annotations/{}", escape(key)), is_there, json!(VERSION));
}

/// The sidecar, if it starts what ours starts. Not a marker: everything else of it is compared and put right (T-24).
pub(super) fn our_sidecar<'a, 'v>(view: &'a PodView<'v>) -> Option<&'a ContainerView<'v>> {
    let sidecar = &view.init_containers[sidecar_position(view)?];
    let is_ours = matches!(sidecar.command, [program] if program == keys::LAUNCHER_PATH)
        && sidecar.args.first().is_some_and(|first| first == super::sidecar::SUBCOMMAND);
    is_ours.then_some(sidecar)
}

/// Position of the container with the sidecar's name among the init containers.
fn sidecar_position(view: &PodView<'_>) -> Option<usize> {
    view.init_containers.iter().position(|container| container.name == keys::SIDECAR_CONTAINER)
}

fn is_list(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_array)
}
