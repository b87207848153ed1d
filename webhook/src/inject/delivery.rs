//! How the entry gets into the Pod: the volume that holds it, and what the sidecar has to do with it.

use penstock_spec::keys;
use serde_json::{Value, json};

use super::InjectConfig;
use super::mount::Mount;
use super::pod::PodView;
use super::sidecar::{SUBCOMMAND, memory_volume};
use super::wanted::our_sidecar;

/// The hook that returns once the entry is in place, so that no container starts without it.
const GATE: &str = "gate";

/// How the entry gets into the Pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EntryDelivery {
    /// The sidecar copies it into a volume in memory, and a hook keeps all other containers until it is there.
    #[default]
    Copy,
    /// The launcher's image itself is the volume: nothing to copy, and nothing to wait for. Every node has to know how.
    ImageVolume,
}

impl EntryDelivery {
    /// The way that a Pod with our sidecar has already, which it keeps whatever the cluster's way has become since; the
    /// preferred one for all others.
    pub(super) fn of(view: &PodView<'_>, preferred: EntryDelivery) -> EntryDelivery {
        match our_sidecar(view) {
            // What a runtime class does with images is not known from the versions of nodes.
            None if view.spec.get("runtimeClassName").is_some_and(|class| !class.is_null()) => EntryDelivery::Copy,
            None => preferred,
            Some(sidecar) if sidecar.args == EntryDelivery::ImageVolume.arguments() => EntryDelivery::ImageVolume,
            Some(_) => EntryDelivery::Copy,
        }
    }

    /// Arguments of the sidecar. They are compared to the last one, so they tell which way a Pod has.
    pub(super) fn arguments(self) -> Vec<Value> {
        let mut arguments = vec![json!(SUBCOMMAND)];
        if self == EntryDelivery::ImageVolume {
            arguments.push(json!(keys::LAUNCHER_ENTRY_MOUNTED));
        }
        arguments
    }

    /// Hooks of the sidecar.
    pub(super) fn lifecycle(self) -> Option<Value> {
        let gate = || json!({"postStart": {"exec": {"command": [keys::LAUNCHER_PATH, GATE]}}});
        (self == EntryDelivery::Copy).then(gate)
    }

    /// The volume that the user's container finds the entry in.
    pub(super) fn volume(self, config: &InjectConfig) -> Value {
        match self {
            EntryDelivery::Copy => memory_volume(keys::VOLUME_BIN),
            EntryDelivery::ImageVolume => {
                let mut image = json!({"reference": config.launcher_image});
                if let Some(policy) = &config.pull_policy {
                    image["pullPolicy"] = json!(policy);
                }
                json!({"name": keys::VOLUME_BIN, "image": image})
            }
        }
    }

    /// Where the sidecar puts the entry.
    pub(super) fn sidecar_mount(self) -> Option<Mount> {
        (self == EntryDelivery::Copy).then(|| Mount::writable(keys::VOLUME_BIN, keys::BIN_DIR))
    }
}
