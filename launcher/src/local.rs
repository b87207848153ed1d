//! The places of an attempt that runs as a process of this machine: everything lies under the attempt's own directory,
//! and user code sees plain absolute paths where it would see URIs on a cluster.
//!
//! The SDK takes the path of a URI without a known scheme to be the URI itself, and derives `dsl.get_uri()` from the
//! directory of the executor output file, so plain paths need nothing of the SDK. What user code reports is read back:
//! paths under the attempt's outputs become store URIs, the path of an input becomes the input's URI, URIs with a
//! scheme are foreign and recorded as they are, and any other path is refused, because nothing would keep it. A custom
//! path (`set_path`) may lie anywhere on this machine: it is read and stored under the assigned URI.

use std::io;
use std::path::{Component, Path, PathBuf};

use penstock_spec::ir::Named;
use penstock_spec::keys;
use penstock_spec::plan::Plan;

use crate::places::{ArtifactPlace, Locate, Located, Places};

/// Working directory of the user's process, in the attempt's directory.
const SCRATCH: &str = "scratch";
/// Temporary files of the user's process, in the attempt's directory.
const TEMPORARY: &str = "tmp";
/// Directories in an attempt's own that only user code writes to. A path in one of them may have been handed to another
/// task, which a machine allows and a cluster does not.
pub const USER_DIRECTORIES: [&str; 2] = [SCRATCH, TEMPORARY];

/// Directories and files of one attempt on this machine.
#[derive(Debug, Clone)]
pub struct LocalLayout {
    work: String,
    task_root: String,
    places: Places,
}

impl LocalLayout {
    /// Lays an attempt out below `work_dir`. Touches nothing.
    pub fn new(plan: &Plan, work_dir: &Path) -> Result<LocalLayout, String> {
        let shown = work_dir.display();
        let Some(work) = work_dir.to_str().filter(|_| work_dir.is_absolute()) else {
            return Err(format!(
                "the work directory {shown} must be an absolute path in UTF-8; choose another --data-dir"
            ));
        };
        let work = work.trim_end_matches('/').to_owned();
        let mut layout = LocalLayout { places: Places::default(), task_root: plan.task_root.clone(), work };
        layout.places = Places {
            inputs: layout.inputs(plan)?,
            outputs: layout.outputs(plan)?,
            parameter_files: layout.parameter_files(plan)?,
            output_file: format!("{}/{}", layout.outputs_dir(), keys::OUTPUT_METADATA_FILE),
        };
        Ok(layout)
    }

    /// The places of the attempt's artifacts.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Working directory of the user's process.
    pub fn scratch_dir(&self) -> PathBuf {
        self.below(SCRATCH)
    }

    /// Directory for temporary files of the user's process.
    pub fn temporary_dir(&self) -> PathBuf {
        self.below(TEMPORARY)
    }

    /// A file or directory of ours in the attempt's directory.
    pub fn below(&self, name: &str) -> PathBuf {
        Path::new(&self.work).join(name)
    }

    /// Makes the directories, empty. Parents of outputs exist afterwards, the outputs themselves do not.
    pub fn create(&self) -> io::Result<()> {
        for name in ["inputs", "outputs", "parameters", "component", SCRATCH, TEMPORARY] {
            let directory = self.below(name);
            match std::fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => std::fs::create_dir_all(&directory)?,
            }
        }
        let files = self.places.outputs.values().filter_map(|place| place.path.as_ref());
        for file in files.chain(self.places.parameter_files.values()) {
            if let Some(parent) = Path::new(file).parent() {
                std::fs::create_dir_all(parent)?;
            }
        }
        Ok(())
    }

    fn outputs_dir(&self) -> String {
        format!("{}/outputs", self.work)
    }

    fn inputs(&self, plan: &Plan) -> Result<Named<Vec<ArtifactPlace>>, String> {
        let mut inputs = Named::new();
        for (name, artifacts) in &plan.inputs.artifacts {
            check_name("input", name)?;
            let place = |(index, uri): (usize, &String)| match has_content_here(uri) {
                true => {
                    let path = format!("{}/inputs/{name}/{index}/{}", self.work, file_name(uri));
                    ArtifactPlace { store_uri: uri.clone(), shown_uri: path.clone(), path: Some(path) }
                }
                false => ArtifactPlace { store_uri: uri.clone(), shown_uri: uri.clone(), path: None },
            };
            let places = artifacts.iter().map(|artifact| &artifact.uri).enumerate().map(place);
            inputs.insert(name.clone(), places.collect());
        }
        Ok(inputs)
    }

    fn outputs(&self, plan: &Plan) -> Result<Named<ArtifactPlace>, String> {
        let mut outputs = Named::new();
        for name in plan.output_artifacts.keys() {
            check_name("output", name)?;
            let path = format!("{}/{name}", self.outputs_dir());
            let place = ArtifactPlace { store_uri: plan.artifact_uri(name), shown_uri: path.clone(), path: Some(path) };
            outputs.insert(name.clone(), place);
        }
        Ok(outputs)
    }

    fn parameter_files(&self, plan: &Plan) -> Result<Named<String>, String> {
        let mut files = Named::new();
        for name in plan.output_parameters.keys() {
            check_name("output", name)?;
            files.insert(name.clone(), format!("{}/parameters/{name}", self.work));
        }
        Ok(files)
    }

    /// The store URI of a path under an input: the input itself, or something within it.
    fn input_uri(&self, path: &str) -> Option<String> {
        let places = self.places.inputs.values().flatten();
        let mut found = places.filter_map(|place| {
            let rest = below(path, place.path.as_deref()?)?;
            Some(join(&place.store_uri, rest))
        });
        found.next()
    }
}

impl Locate for LocalLayout {
    fn locate(&self, uri: &str) -> Result<Located, String> {
        if let Some(rest) = below(uri, &self.task_root) {
            let rest = normalize(rest).ok_or_else(|| format!("its URI {uri:?} leads out of the task's directory"))?;
            let path = Path::new(&self.outputs_dir()).join(&rest);
            return Ok(Located::Own { store_uri: join(&self.task_root, &rest), path });
        }
        // The attempt's own directory goes with the attempt, also for those who spell its path as a URI.
        let uri = uri.strip_prefix("file://").filter(|path| below(path, &self.work).is_some()).unwrap_or(uri);
        if has_scheme(uri) {
            return Ok(Located::Foreign { store_uri: uri.to_owned() });
        }
        let Some(path) = uri.strip_prefix('/').and_then(normalize).map(|path| format!("/{path}")) else {
            return Ok(Located::Foreign { store_uri: uri.to_owned() });
        };
        if let Some(store_uri) = self.input_uri(&path) {
            return Ok(Located::Foreign { store_uri });
        }
        match below(&path, &self.outputs_dir()) {
            Some(rest) => Ok(Located::Own { store_uri: join(&self.task_root, rest), path: PathBuf::from(&path) }),
            None => Err(format!(
                "its path {uri:?} is outside of the task's output directory, where nothing would keep it; write to \
                 the artifact's own path, or call set_path to have the file stored from where it is"
            )),
        }
    }

    fn uri_of(&self, text: &str) -> Option<String> {
        let own = || Some(join(&self.task_root, below(text, &self.outputs_dir())?));
        self.input_uri(text).or_else(own)
    }

    fn locate_custom_path(&self, path: &str) -> Result<PathBuf, String> {
        // A relative path means what it meant to the process.
        let path = self.scratch_dir().join(path);
        match path.as_os_str().as_encoded_bytes().contains(&0) {
            true => Err("its custom path contains a NUL byte".to_owned()),
            false => Ok(path),
        }
    }
}

/// A name becomes a part of a path.
fn check_name(kind: &str, name: &str) -> Result<(), String> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name && !name.contains('\0') && name.len() <= 255 => Ok(()),
        _ => Err(format!("the name of {kind} {name:?} cannot be the name of a file")),
    }
}

/// Whether a URI is of a scheme whose content can be fetched to a path.
fn has_content_here(uri: &str) -> bool {
    ["file://", "s3://", "minio://", "mem://"].iter().any(|scheme| uri.starts_with(scheme))
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// The last part of a URI, as the name of the local copy, so that endings such as `.csv` stay.
fn file_name(uri: &str) -> &str {
    let uri = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let last = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match check_name("artifact", last) {
        Ok(()) => last,
        Err(_) => "artifact",
    }
}

/// What of `path` follows `root`, compared by whole segments; empty for the root itself.
fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(root)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn join(root: &str, rest: &str) -> String {
    if rest.is_empty() { root.to_owned() } else { format!("{}/{rest}", root.trim_end_matches('/')) }
}

/// A relative path without `.`, `..` and empty parts; none when it leads above its start.
fn normalize(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
