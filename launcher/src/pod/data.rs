//! Inputs and outputs of a Pod that is no task: "download these, run, upload those".
//!
//! An input is an object, which becomes a file, or the objects below a key, which become the files of a directory; files
//! of the same names are replaced, others stay. An output is stored after the process has exited with 0, and must be
//! there. Last comes a manifest, beside the first output ([`manifest_uri`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_entry::protocol::LauncherMessage;
use penstock_objectstore::transfer::open_without_links;
use penstock_objectstore::{Downloaded, Opener, Transfer, TransferError, UploadSource};
use penstock_spec::artifact::Content;
use penstock_spec::pod_data::{PodDatum, manifest_uri};
use penstock_spec::report::{Failure, FailureCause};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::args::Graces;
use super::ending::Ending;
use super::job::{broken, milliseconds, probe_store, unstored};
use super::machine::Conclusion;
use crate::report::{describe, failure};

/// Version of the manifest's format that this build writes.
pub const DATA_MANIFEST_VERSION: u32 = 1;

/// What a Pod stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataManifest {
    /// Format, [`DATA_MANIFEST_VERSION`].
    pub version: u32,
    /// UID of the Pod.
    pub pod_uid: String,
    /// The outputs, in the order of the annotation.
    pub outputs: Vec<StoredOutput>,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredOutput {
    /// Where it was.
    pub path: String,
    /// Where it is.
    pub uri: String,
    /// What was stored.
    pub content: Content,
}

/// Inputs and outputs of one Pod.
#[derive(Debug)]
pub struct DataJob {
    /// Fetched before the process starts.
    pub inputs: Vec<PodDatum>,
    /// Stored after it has ended well.
    pub outputs: Vec<PodDatum>,
    /// UID of the Pod.
    pub pod_uid: String,
    /// Moves them.
    pub transfer: Arc<Transfer>,
    /// Opens what the sidecar may not read.
    pub entry: Arc<dyn Opener>,
    /// How the Pod's grace period is divided.
    pub graces: Graces,
}

impl DataJob {
    /// Fetches the inputs, one after the other: each moves its parts and files at once. Looks whether outputs can be
    /// stored.
    pub async fn fetch(&self) -> Result<(), Failure> {
        let mut buckets = BTreeSet::new();
        for output in &self.outputs {
            if buckets.insert((&output.uri.scheme, &output.uri.bucket)) {
                probe_store(&self.transfer, &output.uri.to_string()).await?;
            }
        }
        for input in &self.inputs {
            Box::pin(self.fetch_one(input)).await?;
        }
        Ok(())
    }

    async fn fetch_one(&self, input: &PodDatum) -> Result<(), Failure> {
        let (uri, path) = (input.uri.to_string(), PathBuf::from(&input.path));
        let failed = |cause, reason: &str| failure(cause, format!("cannot fetch input {uri} to {path:?}: {reason}"));
        let (target, pod_uid) = (path.clone(), self.pod_uid.clone());
        let staged = tokio::task::spawn_blocking(move || Staging::new(&target, &pod_uid)).await;
        let staging =
            staged.map_err(|error| broken(&error))?.map_err(|error| failed(FailureCause::Input, &explain(&error)))?;
        let found = self.transfer.download(&uri, None, &staging.content).await.map_err(|error| {
            let cause = if error.is_infrastructure() { FailureCause::Infrastructure } else { FailureCause::Input };
            failed(cause, &describe(&error))
        })?;
        match found {
            Downloaded::Nothing => return Err(failed(FailureCause::Input, "nothing is stored there")),
            Downloaded::File(_) if input.is_directory => {
                let reason =
                    "an object is stored there, not a directory; write URI and path without a slash at the end";
                return Err(failed(FailureCause::Input, reason));
            }
            Downloaded::File(_) | Downloaded::Directory(_) => {}
        }
        let target = path.clone();
        let placed = tokio::task::spawn_blocking(move || {
            let placed = place(&staging.content, &target);
            drop(staging);
            placed
        });
        placed
            .await
            .map_err(|error| broken(&error))?
            .map_err(|error| failed(FailureCause::Infrastructure, &explain(&error)))
    }

    /// Argv as it is; the directories of outputs are made.
    pub fn start(&self, argv: Vec<String>) -> LauncherMessage {
        let directories = self.outputs.iter().filter_map(|output| match output.is_directory {
            true => Some(output.path.clone()),
            false => Path::new(&output.path).parent().map(|parent| parent.display().to_string()),
        });
        LauncherMessage::Start {
            argv,
            env: BTreeMap::new(),
            directories: directories.collect(),
            log: None,
            grace_ms: milliseconds(self.graces.process),
            hold_ms: milliseconds(self.graces.hold),
        }
    }

    /// Stores the outputs and last the manifest, if the process ended well; otherwise nothing.
    pub async fn store(&self, ending: Ending) -> Conclusion {
        match ending {
            Ending::Badly { failure, exit_code, .. } => unstored(failure, exit_code),
            Ending::Well => match Box::pin(self.store_outputs()).await {
                Ok(()) => Conclusion { failure: None, manifest_digest: None, exit_code: Some(0), log_uri: None },
                Err(failure) => unstored(failure, Some(0)),
            },
        }
    }

    async fn store_outputs(&self) -> Result<(), Failure> {
        let mut outputs = Vec::new();
        for output in &self.outputs {
            let content = Box::pin(self.store_one(output)).await?;
            outputs.push(StoredOutput { path: output.path.clone(), uri: output.uri.to_string(), content });
        }
        let Some(first) = self.outputs.first() else { return Ok(()) };
        // The webhook has refused what has no such place.
        let uri = manifest_uri(&first.uri)
            .map_err(|error| failure(FailureCause::Refused, format!("the manifest has no place: {error}")))?
            .to_string();
        let manifest = DataManifest { version: DATA_MANIFEST_VERSION, pod_uid: self.pod_uid.clone(), outputs };
        let bytes = serde_json::to_vec(&manifest).unwrap_or_default();
        self.transfer.put_bytes(&uri, bytes).await.map_err(|error| {
            let reason = describe(&error);
            failure(FailureCause::Infrastructure, format!("cannot store the manifest {uri}: {reason}"))
        })
    }

    async fn store_one(&self, output: &PodDatum) -> Result<Content, Failure> {
        let (uri, path) = (output.uri.to_string(), &output.path);
        let failed = |cause, reason: &str| failure(cause, format!("cannot store output {path:?} at {uri}: {reason}"));
        let source = UploadSource::without_links(path).with_opener(Arc::clone(&self.entry));
        if output.is_directory {
            let looked_at = PathBuf::from(path);
            let looked = tokio::task::spawn_blocking(move || open_without_links(&looked_at, OFlags::DIRECTORY));
            if let Err(Errno::NOTDIR) = looked.await.map_err(|error| broken(&error))? {
                return Err(failed(FailureCause::Output, "it is not a directory"));
            }
        }
        match self.transfer.upload_from(source, &uri).await {
            Ok(content) => Ok(content),
            Err(TransferError::NoSource { .. }) => Err(failed(FailureCause::Output, "nothing was written there")),
            Err(error) => {
                let cause = if error.is_infrastructure() { FailureCause::Infrastructure } else { FailureCause::Output };
                Err(failed(cause, &describe(&error)))
            }
        }
    }
}

/// A directory for what is on its way, in the file system of its target; removed in the end.
#[derive(Debug)]
struct Staging {
    directory: PathBuf,
    content: PathBuf,
}

impl Staging {
    /// In the target, where that is a directory (it may be a volume of its own), and beside it otherwise. Pods that share
    /// a claim do so at the same time: what is another Pod's stays.
    fn new(target: &Path, pod_uid: &str) -> io::Result<Staging> {
        let own = format!("{STAGING}{pod_uid}.");
        refuse_links(target)?;
        let above = match target.is_dir() {
            true => target,
            false => target.parent().unwrap_or(Path::new("/")),
        };
        fs::create_dir_all(above)?;
        for left in fs::read_dir(above)? {
            let left = left?;
            // Of an earlier sidecar of this Pod, which was killed.
            if left.file_name().to_str().is_some_and(|name| name.starts_with(&own)) {
                fs::remove_dir_all(left.path())?;
            }
        }
        let directory = above.join(format!("{own}{}", Uuid::new_v4().simple()));
        fs::create_dir(&directory)?;
        Ok(Staging { content: directory.join("content"), directory })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, "cannot remove {}", self.directory.display());
        }
    }
}

/// Beginning of the names of directories for what is on its way.
const STAGING: &str = ".penstock-incoming-";

fn is_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

/// Why an input has no place. Most new claims are root's, and the launcher is not root.
fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{error}: the launcher, which runs as user {}, may not write there; set fsGroup in the securityContext of the \
             Pod, or give the directory of the volume to that user",
            rustix::process::geteuid().as_raw()
        ),
        _ => error.to_string(),
    }
}

/// A volume may hold links that an earlier Pod left. Followed in the sidecar they would lead elsewhere than in the user's
/// container.
fn refuse_links(path: &Path) -> io::Result<()> {
    for part in path.ancestors() {
        if fs::symlink_metadata(part).is_ok_and(|metadata| metadata.is_symlink()) {
            let reason = format!("{} is a symbolic link", part.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
    }
    Ok(())
}

/// Moves a file or directory into its place. Directories are joined, files replaced.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let mut pending = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = pending.pop() {
        let there = fs::symlink_metadata(&to).ok();
        if !fs::symlink_metadata(&from)?.is_dir() {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", to.display()));
            fs::rename(&from, &to).map_err(named)?;
            continue;
        }
        match there {
            None => match fs::rename(&from, &to) {
                Ok(()) => continue,
                // Another Pod that shares the volume was quicker: theirs and ours are joined.
                Err(error) if is_there(&error) && fs::symlink_metadata(&to).is_ok_and(|now| now.is_dir()) => {}
                Err(error) => return Err(error),
            },
            Some(metadata) if metadata.is_dir() => {}
            Some(_) => {
                let reason = format!("{} is in the way of a directory", to.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
            }
        }
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            pending.push((entry.path(), to.join(entry.file_name())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f29_only_what_this_pod_left_is_removed() {
        let claim = tempfile::tempdir().expect("a directory");
        let other = Staging::new(claim.path(), "uid-12").expect("made");
        let left = Staging::new(claim.path(), "uid-1").expect("made");
        let left = std::mem::ManuallyDrop::new(left);
        let own = Staging::new(claim.path(), "uid-1").expect("made");
        assert!(other.directory.exists() && own.directory.exists() && !left.directory.exists());
    }

    #[test]
    fn f29_directories_that_two_pods_bring_at_once_are_joined() {
        let claim = tempfile::tempdir().expect("a directory");
        let bring = |name: &str| {
            let staging = Staging::new(claim.path(), name).expect("made");
            fs::create_dir_all(staging.content.join("d")).expect("a directory");
            fs::write(staging.content.join("d").join(name), name).expect("a file");
            staging
        };
        let (one, two) = (bring("one"), bring("two"));
        place(&one.content, &claim.path().join("in")).expect("placed");
        // As if it had looked before the other came.
        let error = fs::rename(&two.content, claim.path().join("in")).expect_err("it is there");
        assert!(is_there(&error), "{error}");
        place(&two.content, &claim.path().join("in")).expect("joined");
        for name in ["one", "two"] {
            assert_eq!(fs::read_to_string(claim.path().join("in/d").join(name)).expect("a file"), name);
        }
    }
}
