//! Names and paths that are kept for what is injected. Whoever uses them is denied: a user's container that mounts the
//! launcher's volume would read its credentials.

use penstock_spec::keys;
use serde_json::Value;

use super::argv;
use super::error::InjectError;
use super::mount::Mount;
use super::paths;
use super::pod::{ContainerView, PodView, list};
use super::wanted::{Wanted, our_sidecar};

pub(super) fn check(view: &PodView<'_>, wanted: &Wanted) -> Result<(), InjectError> {
    let has_sidecar = our_sidecar(view).is_some();
    let is_main_wrapped = view.containers.get(wanted.container).is_some_and(argv::is_wrapped);
    // What is ours may be there only where something of ours is: then all of it is compared and put right.
    let is_injected = has_sidecar || is_main_wrapped;
    for container in &view.init_containers {
        if !(has_sidecar && container.name == keys::SIDECAR_CONTAINER) {
            check_container(container, &[])?;
        }
    }
    for container in &view.ephemeral_containers {
        check_container(container, &[])?;
    }
    for (index, container) in view.containers.iter().enumerate() {
        let own: &[Mount] = if is_injected && index == wanted.container { &wanted.mounts } else { &[] };
        check_container(container, own)?;
    }
    for volume in &view.volumes {
        let is_ours = || is_injected && wanted.volumes.iter().any(|own| own["name"] == volume.name);
        if is_reserved(volume.name) && !is_ours() {
            return Err(InjectError::ReservedName { what: "volume", name: volume.name.to_owned() });
        }
    }
    Ok(())
}

/// `own` are the mounts of ours that the container may have.
fn check_container(container: &ContainerView<'_>, own: &[Mount]) -> Result<(), InjectError> {
    if is_reserved(container.name) {
        return Err(InjectError::ReservedName { what: "container", name: container.name.to_owned() });
    }
    let name = || container.name.to_owned();
    for mount in &container.mounts {
        if own.iter().any(|own| own.is_at(mount) && own.volume == mount.volume) {
            continue;
        }
        if paths::is_reserved(&paths::normal(mount.path)) {
            return Err(InjectError::ReservedMount { container: name(), path: mount.path.to_owned() });
        }
        if is_reserved(mount.volume) {
            return Err(InjectError::ReservedVolume { container: name(), volume: mount.volume.to_owned() });
        }
    }
    for device in list(container.value, "volumeDevices", "")? {
        let text = |key| device.get(key).and_then(Value::as_str).unwrap_or_default();
        if paths::is_reserved(&paths::normal(text("devicePath"))) {
            return Err(InjectError::ReservedMount { container: name(), path: text("devicePath").to_owned() });
        }
        if is_reserved(text("name")) {
            return Err(InjectError::ReservedVolume { container: name(), volume: text("name").to_owned() });
        }
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    name.starts_with(keys::RESERVED_NAME_PREFIX)
}
