//! The log of the user's process, which the entry writes into a volume that user code can write to as well.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use penstock_objectstore::transfer::open_without_links;
use penstock_objectstore::{Transfer, TransferError, UploadSource};
use rustix::fs::{FileType, fstat};

use crate::places::UNTRUSTED;
use crate::report::describe;

/// How much of the end of a log is kept that goes on growing.
const TAIL: u64 = 1 << 20;

/// Stores the log; none when there is none or it could not be stored, which is said in our own log.
pub async fn store_log(transfer: &Transfer, path: &Path, uri: &str) -> Option<String> {
    let stored = match transfer.upload_from(UploadSource::without_links(path), uri).await {
        Ok(_) => Ok(()),
        Err(TransferError::NoSource { .. }) => return None,
        Err(TransferError::Changed { .. }) => return store_tail(transfer, path, uri).await,
        Err(error) => Err(error),
    };
    said(stored, uri)
}

/// Stores the end of a log that somebody still writes to.
pub async fn store_tail(transfer: &Transfer, path: &Path, uri: &str) -> Option<String> {
    let mut log = open(path)?;
    let bytes = read_tail(&mut log, TAIL)?;
    said(transfer.put_bytes(uri, bytes).await, uri)
}

fn said(stored: Result<(), TransferError>, uri: &str) -> Option<String> {
    match stored {
        Ok(()) => Some(uri.to_owned()),
        Err(error) => {
            tracing::warn!("cannot store the log at {uri}: {}", describe(&error));
            None
        }
    }
}

/// Opens the log, if it is a regular file.
pub fn open(path: &Path) -> Option<File> {
    let descriptor = open_without_links(path, UNTRUSTED).ok()?;
    let stat = fstat(&descriptor).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then(|| File::from(descriptor))
}

fn read_tail(file: &mut File, most: u64) -> Option<Vec<u8>> {
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most))).ok()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
