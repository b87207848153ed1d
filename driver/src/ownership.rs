//! One driver a run on this machine, and whether there is one for all: locks on files, which the kernel gives back when
//! their holders die.
//!
//! The lock only saves work and gives a clear message; the epoch in the metastore is what keeps two drivers apart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::create::BackendKind;
use crate::error::DriveError;

/// Holds a run for this process.
#[derive(Debug)]
pub(crate) struct Ownership {
    _file: File,
}

impl Ownership {
    /// Takes the run, or says which process has it.
    pub(crate) fn take(data_dir: &Path, run: Uuid) -> Result<Ownership, DriveError> {
        let directory = data_dir.join("runs").join(run.to_string());
        let path = directory.join("lock");
        let failed = |source| DriveError::Lock { path: path.clone(), source };
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder's number is for people; a lock without one is still a lock.
                let _ = file.take(32).read_to_string(&mut holder);
                return Err(DriveError::Owned { run, process: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Ownership { _file: file })
    }

    /// Whether some process drives the run at this moment.
    pub(crate) fn is_taken(data_dir: &Path, run: Uuid) -> bool {
        let path = data_dir.join("runs").join(run.to_string()).join("lock");
        match File::open(path) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }
}

/// Says that this process drives whatever is to be driven in a data directory by one backend, or waits for its turn to, as
/// long as the value lives. Several processes may.
#[derive(Debug)]
pub struct Presence {
    _file: File,
}

impl Presence {
    pub(crate) fn announce(data_dir: &Path, backend: BackendKind) -> std::io::Result<Presence> {
        let path = presence(data_dir, backend);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // Who looks holds it for a moment.
        file.lock_shared()?;
        Ok(Presence { _file: file })
    }

    /// Whether some process of this machine announces itself at this moment.
    pub(crate) fn is_announced(data_dir: &Path, backend: BackendKind) -> bool {
        File::open(presence(data_dir, backend))
            .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

fn presence(data_dir: &Path, backend: BackendKind) -> PathBuf {
    data_dir.join(match backend {
        BackendKind::Process => "local-driver.lock",
        BackendKind::Kubernetes => "driver.lock",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_of_a_directory_are_seen_while_one_lives() {
        let directory = tempfile::tempdir().expect("a directory");
        let is_announced = || Presence::is_announced(directory.path(), BackendKind::Process);
        assert!(!is_announced());
        let announce = |backend| Presence::announce(directory.path(), backend).expect("announced");
        let _other = announce(BackendKind::Kubernetes);
        assert!(!is_announced(), "that one drives no processes");
        let (first, second) = (announce(BackendKind::Process), announce(BackendKind::Process));
        drop(first);
        assert!(is_announced());
        drop(second);
        assert!(!is_announced(), "the file alone says nothing");
    }
}
