//! Puts the entry where the user's container finds it, and waits until it is there.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use penstock_spec::keys;
use thiserror::Error;

/// How long the hook waits.
const GATE_LIMIT: Duration = Duration::from_secs(60);
/// How often the hook looks.
const GATE_PERIOD: Duration = Duration::from_millis(5);
/// Everyone may read and run it, nobody may change it.
const MODE: u32 = 0o555;

/// The entry is not where it should be.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// It cannot be read from the image, or not be written into the volume.
    #[error("cannot {operation} {}", path.display())]
    Copy {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The sidecar has not put it there.
    #[error("{} did not appear within {} s: see the log of the container {}", path.display(), GATE_LIMIT.as_secs(), keys::SIDECAR_CONTAINER)]
    Late {
        /// Where it should be.
        path: PathBuf,
    },
}

/// Where the entry is in a directory.
pub fn entry_in(bin_dir: &Path) -> PathBuf {
    bin_dir.join(keys::ENTRY_PATH.rsplit('/').next().unwrap_or_default())
}

/// Copies the entry into `bin_dir`: whole under another name, then renamed. One that is there already is replaced, which
/// a process that runs it does not notice.
pub fn deliver(image: &Path, bin_dir: &Path) -> Result<(), DeliveryError> {
    let failed = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| DeliveryError::Copy { operation, path, source }
    };
    let target = entry_in(bin_dir);
    let temporary = target.with_extension("new");
    let bytes = fs::read(image).map_err(failed("read", image))?;
    let write = || -> io::Result<()> {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&temporary)?;
        file.write_all(&bytes)?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.sync_all()
    };
    write().map_err(failed("write", &temporary))?;
    fs::rename(&temporary, &target).map_err(failed("put in place", &target))
}

/// Returns once the entry is in `bin_dir`.
pub fn await_entry(bin_dir: &Path) -> Result<(), DeliveryError> {
    await_entry_for(bin_dir, GATE_LIMIT)
}

fn await_entry_for(bin_dir: &Path, limit: Duration) -> Result<(), DeliveryError> {
    let path = entry_in(bin_dir);
    let started = Instant::now();
    while !path.exists() {
        if started.elapsed() > limit {
            return Err(DeliveryError::Late { path });
        }
        thread::sleep(GATE_PERIOD);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_is_there_whole_for_everyone_and_again_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("image");
        fs::write(&image, b"program").expect("a file");
        let late = await_entry_for(directory.path(), Duration::ZERO).expect_err("not there").to_string();
        assert!(late.contains("penstock-entry did not appear"), "{late}");
        for _ in 0..2 {
            deliver(&image, directory.path()).expect("it is delivered");
            await_entry(directory.path()).expect("it is there");
            let metadata = fs::metadata(entry_in(directory.path())).expect("it is there");
            assert_eq!((metadata.len(), metadata.permissions().mode() & 0o7777), (7, MODE));
        }
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 2);
        let missing = deliver(&directory.path().join("none"), directory.path()).expect_err("no image").to_string();
        assert!(missing.starts_with("cannot read"), "{missing}");
    }
}
