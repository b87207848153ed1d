//! What the sidecar must not forget when it is restarted.
//!
//! The file lies beside the socket, in the volume that the user's container cannot write to, and only the sidecar's UID
//! may read it. User code of the same UID could; with the nonce in it, it could speak in the entry's name, and so lie
//! about its own task, as it can anyway. The volume is in memory: when the node restarts, file and user's process are
//! gone together.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_entry::protocol::{End, ProcessEnd};
use penstock_spec::Timestamp;
use penstock_spec::timings::Timings;
use serde::{Deserialize, Serialize};

use super::machine::Conclusion;

/// Name of the file.
const FILE: &str = ".launcher.json";
/// The most bytes that it may have.
const MAX_FILE: u64 = 1 << 20;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// UID of the Pod, so that what another left behind counts for nothing.
    pub pod_uid: String,
    /// Nonce of the entry.
    pub nonce: Option<String>,
    /// When the entry was told to start, in milliseconds of the Unix epoch.
    pub started_at_ms: Option<u64>,
    /// How long the inputs took.
    pub inputs_ms: u64,
    /// How long the process was then waited for.
    pub waiting_ms: u64,
    /// How long it ran.
    pub running_ms: u64,
    /// How long outputs and log took.
    pub outputs_ms: u64,
    /// When the attempt came to each of its steps.
    pub timings: Timings,
    /// How often storing the outputs was begun, and not ended.
    pub stores: u32,
    /// The end, once everything is stored.
    pub conclusion: Option<Conclusion>,
}

impl Memory {
    /// The user's process has ended, as its entry says `now`: how long it ran, it has measured itself. When it started is
    /// known from the moment at which it was told to, if a sidecar that has gone heard that it did.
    pub fn process_ended(&mut self, end: &ProcessEnd, now: Timestamp) {
        self.running_ms = end.duration_ms;
        if let End::NotStarted { .. } = end.how {
            return;
        }
        let told = self.started_at_ms.and_then(|at| Timestamp::from_millisecond(i64::try_from(at).ok()?).ok());
        let started = self.timings.started_at.or(told);
        let ended = started.and_then(|at| at.checked_add(Duration::from_millis(end.duration_ms)).ok());
        self.timings.started_at = started;
        self.timings.ended_at = Some(ended.map_or(now, |ended| ended.min(now)));
    }
}

/// The file.
#[derive(Debug)]
pub struct MemoryFile {
    path: PathBuf,
}

impl MemoryFile {
    /// In this directory.
    pub fn new(control_dir: &Path) -> MemoryFile {
        MemoryFile { path: control_dir.join(FILE) }
    }

    /// What was kept of this Pod. What cannot be read is as good as none, and said.
    pub fn load(&self, pod_uid: &str) -> Memory {
        let fresh = Memory { pod_uid: pod_uid.to_owned(), ..Memory::default() };
        let read = || -> io::Result<Memory> {
            let mut bytes = Vec::new();
            File::open(&self.path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
            Ok(serde_json::from_slice(&bytes)?)
        };
        match read() {
            Ok(memory) if memory.pod_uid == pod_uid => memory,
            Ok(_) => fresh,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "what an earlier sidecar kept cannot be read");
                fresh
            }
        }
    }

    /// Keeps it, whole or not at all, for the next sidecar of the Pod. Not synced to the disk, which on a busy node takes
    /// seconds of the attempt: a Pod that is not restarted does not outlive a crash of its node.
    pub fn save(&self, memory: &Memory) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(memory)?)?;
        fs::rename(&temporary, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn memory_is_private_and_of_one_pod() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = MemoryFile::new(directory.path());
        let mut memory = file.load("uid-1");
        assert_eq!(memory, Memory { pod_uid: "uid-1".to_owned(), ..Memory::default() });
        memory.nonce = Some("n".to_owned());
        memory.started_at_ms = Some(7);
        file.save(&memory).expect("it is kept");
        file.save(&memory).expect("it is kept again");
        assert_eq!(file.load("uid-1"), memory);
        assert_eq!(file.load("uid-2").nonce, None);
        let mode = fs::metadata(directory.path().join(FILE)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(directory.path().join(FILE), "{").expect("a file");
        assert_eq!(file.load("uid-1").nonce, None);
    }
}
