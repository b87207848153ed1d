//! Where inputs and outputs of a Pod that is no task lie: in volumes that its container has already, or in new ones.

use std::collections::{BTreeMap, BTreeSet};

use penstock_spec::keys;
use serde_json::{Value, json};

use super::data::program;
use super::error::InjectError;
use super::mount::Mount;
use super::paths;
use super::pod::{ContainerView, MountView, VolumeView};

/// Kinds of volumes that two containers may share and write to. Others hold what Kubernetes puts there.
const SHARED_KINDS: [&str; 7] = ["emptyDir", "persistentVolumeClaim", "ephemeral", "csi", "nfs", "hostPath", "cephfs"];

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Input,
    Output,
}

/// An input or output.
#[derive(Debug)]
pub(super) struct Datum {
    /// Normal path.
    pub(super) path: String,
    pub(super) is_directory: bool,
    pub(super) direction: Direction,
}

/// Where they lie.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) main_mounts: Vec<Mount>,
    pub(super) sidecar_mounts: Vec<Mount>,
    pub(super) volumes: Vec<Value>,
    pub(super) warnings: Vec<String>,
}

/// A mount of the user's container.
struct Own<'a> {
    path: String,
    mount: &'a MountView<'a>,
}

impl Layout {
    pub(super) fn of(
        data: &[Datum],
        container: &ContainerView<'_>,
        volumes: &[VolumeView<'_>],
    ) -> Result<Layout, InjectError> {
        let is_users = |mount: &&MountView<'_>| !mount.volume.starts_with(keys::RESERVED_NAME_PREFIX);
        let own: Vec<Own<'_>> = (container.mounts.iter().filter(is_users))
            .map(|mount| Own { path: paths::normal(mount.path), mount })
            .collect();
        let mut shared: BTreeMap<&str, Mount> = BTreeMap::new();
        let mut new: BTreeSet<&str> = BTreeSet::new();
        for datum in data {
            refuse_mounts_within(datum, &own)?;
            let around = own.iter().filter(|own| paths::is_within(&datum.path, &own.path));
            match around.max_by_key(|own| own.path.len()) {
                Some(own) => {
                    check_shared(datum, own, container, volumes)?;
                    let is_read_only = datum.direction == Direction::Output;
                    let mount = shared
                        .entry(&own.path)
                        .or_insert_with(|| Mount { is_read_only: true, ..Mount::like(own.mount) });
                    mount.is_read_only &= is_read_only;
                }
                None => {
                    let directory = if datum.is_directory { &datum.path } else { paths::parent(&datum.path) };
                    check_new(datum, directory, container)?;
                    new.insert(directory);
                }
            }
        }
        Ok(Layout::from_parts(shared, &new, container))
    }

    fn from_parts(shared: BTreeMap<&str, Mount>, new: &BTreeSet<&str>, container: &ContainerView<'_>) -> Layout {
        let mut layout = Layout::default();
        let mut mounts: Vec<Mount> = shared.into_values().collect();
        // A directory within another new one needs no volume of its own.
        let is_outermost =
            |directory: &str| !new.iter().any(|other| *other != directory && paths::is_within(directory, other));
        for (index, directory) in new.iter().filter(|directory| is_outermost(directory)).enumerate() {
            let name = format!("{}{index}", keys::VOLUME_DATA_PREFIX);
            layout.volumes.push(json!({"name": name, "emptyDir": {}}));
            layout.main_mounts.push(Mount::writable(&name, directory));
            mounts.push(Mount::writable(&name, directory));
            layout.warnings.extend(hidden_directory(directory, container));
        }
        // What lies within another mount comes after it.
        mounts.sort_by_key(|mount| paths::normal(&mount.path));
        layout.sidecar_mounts = mounts;
        layout
    }
}

/// What is mounted within a directory that is to be moved would not be seen by the launcher.
fn refuse_mounts_within(datum: &Datum, own: &[Own<'_>]) -> Result<(), InjectError> {
    match own.iter().find(|own| own.path != datum.path && paths::is_within(&own.path, &datum.path)) {
        Some(own) => Err(InjectError::MountWithin {
            path: datum.path.clone(),
            mount: own.path.clone(),
            volume: own.mount.volume.to_owned(),
        }),
        None => Ok(()),
    }
}

fn check_shared(
    datum: &Datum,
    own: &Own<'_>,
    container: &ContainerView<'_>,
    volumes: &[VolumeView<'_>],
) -> Result<(), InjectError> {
    let (path, volume) = (datum.path.clone(), own.mount.volume.to_owned());
    if own.path == datum.path && !datum.is_directory {
        return Err(InjectError::MountIsPath { path, volume });
    }
    if own.mount.is_read_only() {
        return Err(InjectError::ReadOnlyMount { path, volume, container: container.name.to_owned() });
    }
    let there = volumes.iter().find(|there| there.name == own.mount.volume);
    let kind = there.and_then(|there| there.value.keys().find(|key| *key != "name"));
    match kind {
        Some(kind) if SHARED_KINDS.contains(&kind.as_str()) => {}
        Some(kind) => return Err(InjectError::UnsharedVolume { path, volume, kind: kind.clone() }),
        None => return Err(InjectError::UnsharedVolume { path, volume, kind: "missing".to_owned() }),
    }
    if own.mount.value.get("subPathExpr").and_then(Value::as_str).is_some_and(|expression| !expression.is_empty()) {
        return Err(InjectError::SubPathExpr { path, volume });
    }
    if paths::is_system(&own.path) {
        return Err(InjectError::SystemDirectory { path, directory: own.path.clone() });
    }
    Ok(())
}

fn check_new(datum: &Datum, directory: &str, container: &ContainerView<'_>) -> Result<(), InjectError> {
    let (path, directory) = (datum.path.clone(), directory.to_owned());
    if paths::is_system(&directory) {
        return Err(InjectError::SystemDirectory { path, directory });
    }
    let hidden = program(container)
        .filter(|program| program.starts_with('/') && paths::is_within(&paths::normal(program), &directory));
    match hidden {
        Some(program) => Err(InjectError::HidesProgram { path, directory, program: program.to_owned() }),
        None => Ok(()),
    }
}

fn hidden_directory(directory: &str, container: &ContainerView<'_>) -> Option<String> {
    let working = container.text("workingDir").filter(|working| !working.is_empty())?;
    paths::is_within(&paths::normal(working), directory)
        .then(|| format!("{directory} is a new volume and hides what the image has there, its working directory too"))
}
