//! The manifest: the last object that an attempt stores. Only what an accepted manifest lists exists for others.

use serde::{Deserialize, Serialize};

use crate::report::{AttemptRef, TaskOutputs};

/// Version of the manifest's format that this build writes.
pub const MANIFEST_VERSION: u32 = 1;

/// What an attempt stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Format, [`MANIFEST_VERSION`].
    pub version: u32,
    /// Whose manifest it is.
    pub attempt: AttemptRef,
    /// Exit code of the user's process.
    pub exit_code: i32,
    /// Outputs, each artifact with the digest and size of what was stored.
    pub outputs: TaskOutputs,
    /// Whether the command of an image ran as a process of this machine.
    #[serde(default)]
    pub ran_on_host: bool,
}
