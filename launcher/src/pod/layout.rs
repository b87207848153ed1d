//! The places of a task's attempt in a Pod: KFP's own. The SDK derives paths from URIs by itself, so they cannot be
//! others: `s3://bucket/key` is `/s3/bucket/key`, output parameters are files in `/tmp/kfp/outputs`.
//!
//! Most lie in volumes that the sidecar shares with the user's container. There the sidecar follows no link and asks the
//! entry for what it may not read itself (T-04). Everything else is in the container's own file system, which only the
//! entry can reach.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use penstock_objectstore::transfer::open_without_links;
use penstock_objectstore::{Opener, UploadSource};
use penstock_spec::artifact::Artifact;
use penstock_spec::ir::Named;
use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_spec::uri::{ObjectUri, local_path_in_container};
use rustix::io::Errno;
use serde_json::Value;

use crate::places::{ArtifactPlace, Locate, Located, Places, UNTRUSTED};

/// Directory of the executor output file where the task root has no path.
const LEGACY_OUTPUT_DIR: &str = "/tmp/kfp_outputs";
/// Where artifacts are in a workspace.
const WORKSPACE_ARTIFACTS: &str = ".artifacts";

/// The places of one attempt.
#[derive(Debug, Clone)]
pub struct ClusterLayout {
    /// Stands before every path; empty on a cluster.
    root: String,
    task_root: String,
    run_root: Option<ObjectUri>,
    /// Objects that the launcher itself writes.
    reserved: [String; 2],
    places: Places,
}

impl ClusterLayout {
    /// Lays an attempt out. `root` stands before every path: `/` but for tests. Touches nothing. An error is the reason
    /// why the plan's inputs have no place.
    pub fn new(plan: &Plan, root: &Path) -> Result<ClusterLayout, String> {
        let root = root.to_str().filter(|_| root.is_absolute()).ok_or("the root is not an absolute path in UTF-8")?;
        let mut layout = ClusterLayout {
            root: root.trim_end_matches('/').to_owned(),
            task_root: plan.task_root.clone(),
            run_root: ObjectUri::parse(&plan.run.run_root()).ok(),
            reserved: [plan.manifest_uri(), plan.log_uri()],
            places: Places::default(),
        };
        let mut inputs = Named::new();
        for (name, artifacts) in &plan.inputs.artifacts {
            let places = artifacts.iter().map(|artifact| layout.input(artifact));
            let places = places.collect::<Result<Vec<_>, String>>();
            inputs.insert(name.clone(), places.map_err(|reason| format!("input artifact {name:?}: {reason}"))?);
        }
        let outputs = plan.output_artifacts.keys().map(|name| {
            let uri = plan.artifact_uri(name);
            (name.clone(), ArtifactPlace { path: layout.path_of(&uri), shown_uri: uri.clone(), store_uri: uri })
        });
        let outputs = outputs.collect();
        let parameter_files = plan.output_parameters.keys().map(|name| {
            check_name(name)?;
            Ok((name.clone(), format!("{}{}/{name}", layout.root, keys::OUTPUT_PARAMETER_DIR)))
        });
        let parameter_files = parameter_files.collect::<Result<_, String>>()?;
        let output_dir =
            layout.path_of(&plan.task_root).unwrap_or_else(|| format!("{}{LEGACY_OUTPUT_DIR}", layout.root));
        let output_file = format!("{output_dir}/{}", keys::OUTPUT_METADATA_FILE);
        layout.places = Places { inputs, outputs, parameter_files, output_file };
        Ok(layout)
    }

    /// The places of the attempt's artifacts.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Directories that must be there before the process starts: those above outputs. The outputs themselves are not.
    pub fn directories(&self) -> Vec<PathBuf> {
        let outputs = self.places.outputs.values().filter_map(|place| place.path.as_ref());
        let files = outputs.chain(self.places.parameter_files.values()).chain([&self.places.output_file]);
        let mut directories: Vec<PathBuf> =
            files.filter_map(|file| Path::new(file).parent()).map(Path::to_owned).collect();
        directories.sort_unstable();
        directories.dedup();
        directories
    }

    /// Whether a path lies in a volume that the sidecar shares with the user's container.
    pub fn is_shared(&self, path: &Path) -> bool {
        let plain = path.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
        let volumes = keys::ARTIFACT_VOLUMES.iter().map(|(_, mount)| *mount);
        let mut mounts = volumes.chain([keys::OUTPUT_PARAMETER_DIR, keys::WORKSPACE_PATH]);
        // A volume that is not mounted leaves no directory in the sidecar's image.
        plain
            && mounts.any(|mount| {
                let mount = PathBuf::from(format!("{}{mount}", self.root));
                path.starts_with(&mount) && path != mount && mount.is_dir()
            })
    }

    /// Whether artifacts of this URI are fetched: those of stores.
    pub fn is_fetched(uri: &str) -> bool {
        ["s3://", "minio://", "gs://"].iter().any(|scheme| uri.starts_with(scheme))
    }

    /// Whether the launcher puts anything at this path: what is in the workspace is there.
    pub fn is_fetched_to(&self, path: &Path) -> bool {
        !path.starts_with(format!("{}{}", self.root, keys::WORKSPACE_PATH))
    }

    fn input(&self, artifact: &Artifact) -> Result<ArtifactPlace, String> {
        let uri = artifact.uri.clone();
        let place = |path| Ok(ArtifactPlace { store_uri: uri.clone(), shown_uri: uri.clone(), path });
        if !ClusterLayout::is_fetched(&uri) {
            // The path of a model in an image is for user code; nothing is put there.
            return place(self.path_of(&uri));
        }
        // What a path is made of must not lead elsewhere (T-02).
        let parsed = ObjectUri::parse(&uri).map_err(|error| error.to_string())?;
        if artifact.metadata.get(keys::IN_WORKSPACE_METADATA) == Some(&Value::Bool(true)) {
            let path = local_path_in_container(&parsed.to_string()).unwrap_or_default();
            return place(Some(format!("{}{}/{WORKSPACE_ARTIFACTS}{path}", self.root, keys::WORKSPACE_PATH)));
        }
        place(self.path_of(&parsed.to_string()))
    }

    /// The path of a URI, if its scheme has one.
    fn path_of(&self, uri: &str) -> Option<String> {
        let safe = !uri.split('/').any(|part| matches!(part, "." | ".."));
        let path = local_path_in_container(uri).filter(|_| safe && !uri.contains('\0'))?;
        Some(format!("{}{}", self.root, path.trim_end_matches('/')))
    }

    /// The URI of a path in the volumes of artifacts: assigning to an artifact's path reports a path the SDK knows no
    /// URI for only when it lies elsewhere.
    fn uri_of_path(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix(&self.root)?;
        let schemes = keys::ARTIFACT_VOLUMES.iter().map(|(_, mount)| {
            let scheme = if *mount == "/gcs" { "gs" } else { mount.trim_start_matches('/') };
            (mount, scheme)
        });
        let mut found = schemes.filter_map(|(mount, scheme)| {
            let rest = path.strip_prefix(*mount)?.strip_prefix('/')?;
            ObjectUri::parse(&format!("{scheme}://{rest}")).ok().map(|uri| uri.to_string())
        });
        found.next()
    }

    fn is_input(&self, uri: &ObjectUri) -> bool {
        let inputs = self.places.inputs.values().flatten();
        inputs.filter_map(|place| ObjectUri::parse(&place.store_uri).ok()).any(|input| uri.starts_with(&input))
    }

    fn locate_object(&self, uri: &ObjectUri) -> Result<Located, String> {
        let store_uri = uri.to_string();
        let own = ObjectUri::parse(&self.task_root).is_ok_and(|root| uri.starts_with(&root));
        let in_run = self.run_root.as_ref().is_some_and(|root| uri.starts_with(root));
        if !own && (!in_run || self.is_input(uri)) {
            return Ok(Located::Foreign { store_uri });
        }
        if self.reserved.contains(&store_uri) || Some(uri) == self.run_root.as_ref() || store_uri == self.task_root {
            return Err(format!("its URI {store_uri:?} is a place that Penstock itself writes to"));
        }
        match self.path_of(&store_uri) {
            Some(path) => Ok(Located::Own { store_uri, path: PathBuf::from(path) }),
            None => Ok(Located::Foreign { store_uri }),
        }
    }
}

impl Locate for ClusterLayout {
    fn locate(&self, uri: &str) -> Result<Located, String> {
        if ClusterLayout::is_fetched(uri) {
            let parsed = ObjectUri::parse(uri).map_err(|error| error.to_string())?;
            return self.locate_object(&parsed);
        }
        if !uri.starts_with('/') {
            return Ok(Located::Foreign { store_uri: uri.to_owned() });
        }
        match self.uri_of_path(uri).and_then(|uri| ObjectUri::parse(&uri).ok()) {
            Some(parsed) => self.locate_object(&parsed),
            None => Err(format!(
                "its path {uri:?} is outside of the task's output directory, where nothing would keep it; write to \
                 the artifact's own path, or call set_path to have the file stored from where it is"
            )),
        }
    }

    fn locate_custom_path(&self, path: &str) -> Result<PathBuf, String> {
        if path.contains('\0') {
            return Err("its custom path contains a NUL byte".to_owned());
        }
        if !path.starts_with('/') {
            return Err(format!("its custom path {path:?} is relative; give set_path an absolute path"));
        }
        Ok(PathBuf::from(path))
    }

    fn uri_of(&self, _: &str) -> Option<String> {
        // Places are the same in every Pod, so a path may be handed on as it is.
        None
    }
}

/// A layout together with the entry, which opens what the sidecar cannot.
#[derive(Debug, Clone)]
pub struct PodFiles {
    layout: ClusterLayout,
    entry: Arc<dyn Opener>,
}

impl PodFiles {
    /// Puts both together.
    pub fn new(layout: ClusterLayout, entry: Arc<dyn Opener>) -> PodFiles {
        PodFiles { layout, entry }
    }
}

impl Locate for PodFiles {
    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        if !self.layout.is_shared(path) {
            return self.entry.open(path);
        }
        match open_without_links(path, UNTRUSTED) {
            Err(Errno::ACCESS) => self.entry.open(path),
            opened => Ok(opened?),
        }
    }

    fn source(&self, path: PathBuf) -> UploadSource {
        match self.layout.is_shared(&path) {
            true => UploadSource::without_links(path).with_opener(Arc::clone(&self.entry)),
            false => UploadSource::by_opener(path, Arc::clone(&self.entry)),
        }
    }

    fn locate(&self, uri: &str) -> Result<Located, String> {
        self.layout.locate(uri)
    }

    fn locate_custom_path(&self, path: &str) -> Result<PathBuf, String> {
        self.layout.locate_custom_path(path)
    }

    fn uri_of(&self, text: &str) -> Option<String> {
        self.layout.uri_of(text)
    }
}

/// The name of an output parameter becomes the name of a file.
fn check_name(name: &str) -> Result<(), String> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name && !name.contains('\0') && name.len() <= 255 => Ok(()),
        _ => Err(format!("the name of output parameter {name:?} cannot be the name of a file")),
    }
}

#[cfg(test)]
mod tests;
