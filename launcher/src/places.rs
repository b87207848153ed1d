//! Where the artifacts of an attempt lie, for user code and in the store. Each backend lays its own places out.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use penstock_objectstore::UploadSource;
use penstock_spec::ir::Named;
use rustix::fs::{CWD, Mode, OFlags, openat};

/// The places of one attempt.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Input artifacts by name, in the order of each list.
    pub inputs: Named<Vec<ArtifactPlace>>,
    /// Output artifacts by name.
    pub outputs: Named<ArtifactPlace>,
    /// Files of output parameters by name.
    pub parameter_files: Named<String>,
    /// Where user code may leave its `ExecutorOutput`.
    pub output_file: String,
}

/// The places of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactPlace {
    /// URI in the store, or a foreign one.
    pub store_uri: String,
    /// URI that the executor input shows to user code.
    pub shown_uri: String,
    /// Path for user code; none when the URI's scheme has no path.
    pub path: Option<String>,
}

/// What a URI or path that user code reports for an artifact stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// Content of this attempt: read at `path`, stored under `store_uri`.
    Own {
        /// Where it goes.
        store_uri: String,
        /// Where it is.
        path: PathBuf,
    },
    /// Content that is elsewhere: recorded, not stored.
    Foreign {
        /// The URI to record.
        store_uri: String,
    },
}

/// How files that user code wrote are opened: for reading, following no link at the end, waiting for no writer of a FIFO.
pub const UNTRUSTED: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Reads what user code reports in the terms of a backend's places. An error is the reason why it is refused.
pub trait Locate {
    /// Opens a file that user code wrote, without trusting it. Blocks.
    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        Ok(openat(CWD, path, UNTRUSTED, Mode::empty())?)
    }

    /// A file or directory that user code wrote, to be uploaded.
    fn source(&self, path: PathBuf) -> UploadSource {
        UploadSource::beneath(path.parent().unwrap_or(Path::new("/")).to_owned(), path)
    }

    /// A reported URI; never empty.
    fn locate(&self, uri: &str) -> Result<Located, String>;

    /// A reported custom path; never empty.
    fn locate_custom_path(&self, path: &str) -> Result<PathBuf, String>;

    /// The URI of the object that a text stands for, if the text is a place of this attempt. User code may hand the URI
    /// of an artifact on as a parameter, and the place goes with the attempt.
    fn uri_of(&self, text: &str) -> Option<String>;
}
