//! One driver a run on this machine: a lock on a file, which the kernel gives back when its holder dies.
//!
//! The lock only saves work and gives a clear message; the epoch in the metastore is what keeps two drivers apart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use uuid::Uuid;

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
