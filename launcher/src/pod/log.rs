//! The log of the user's process, which the entry writes into a volume that user code can write to as well.
//!
//! While the process runs its end is stored from time to time ([`shipping`]), and once it has ended the whole of it, at
//! the same URI.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use penstock_objectstore::transfer::open_without_links;
use penstock_objectstore::{Transfer, TransferError, UploadSource};
use penstock_spec::log_times::LogTimes;
use rustix::fs::{FileType, fstat};

use self::shipping::{Destination, Shipping};
use crate::log_clock::{self, LogClock};
use crate::log_line::last_line;
use crate::places::UNTRUSTED;
use crate::report::describe;

pub mod shipping;

/// How much of the end of a log is kept that goes on growing.
const TAIL: u64 = 1 << 20;

/// The log of one attempt.
#[derive(Debug)]
pub struct PodLog {
    destination: Destination,
    /// Where its times are kept.
    index: PathBuf,
    period: Duration,
    shipping: Mutex<Option<Shipping>>,
    clock: OnceLock<LogClock>,
}

impl PodLog {
    /// The log at `path`, which is stored at `uri`: while the process runs, once a `period` at most. Its times are kept at
    /// `index`, where user code cannot write.
    pub fn new(transfer: Arc<Transfer>, path: PathBuf, index: PathBuf, uri: String, period: Duration) -> PodLog {
        let destination = Destination { transfer, path, uri };
        PodLog { destination, index, period, shipping: Mutex::default(), clock: OnceLock::new() }
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.destination.path
    }

    /// Its last line.
    pub fn last_line(&self) -> Option<String> {
        open(self.path()).and_then(last_line)
    }

    /// From now on notes by when it grows, and stores its end from time to time, until it is stored otherwise. Asking again
    /// changes nothing.
    pub fn ship(&self) {
        self.clock();
        let mut shipping = self.shipping.lock().unwrap_or_else(PoisonError::into_inner);
        shipping.get_or_insert_with(|| Shipping::spawn(self.destination.clone(), self.period));
    }

    /// Stores the whole log; none when there is none or it could not be stored, which is said in our own log.
    pub async fn store(&self) -> Option<String> {
        if let Some(shipping) = self.take_shipping() {
            shipping.end().await;
        }
        let Destination { transfer, path, uri } = &self.destination;
        let times = async { self.store_times(&self.clock().times().await).await };
        match tokio::join!(transfer.upload_from(UploadSource::without_links(path), uri), times).0 {
            Ok(_) => Some(uri.clone()),
            Err(TransferError::NoSource { .. }) => None,
            Err(TransferError::Changed { .. }) => self.store_tail().await,
            Err(error) => self.unstored(&error),
        }
    }

    /// Stores the end of a log that somebody still writes to.
    pub async fn store_tail(&self) -> Option<String> {
        // What it was about to store is older.
        drop(self.take_shipping());
        let Destination { transfer, path, uri } = &self.destination;
        let Tail { bytes, until } = read_tail(&mut open(path)?, TAIL).ok()?;
        let times = self.clock().times().await.behind(until - bytes.len() as u64);
        match tokio::join!(transfer.put_bytes(uri, bytes), self.store_times(&times)).0 {
            Ok(()) => Some(uri.clone()),
            Err(error) => self.unstored(&error),
        }
    }

    fn clock(&self) -> &LogClock {
        self.clock.get_or_init(|| LogClock::start(self.path().to_owned(), &self.index))
    }

    /// Stores by when what is in the log was printed. A log without is worth as much otherwise.
    async fn store_times(&self, times: &LogTimes) {
        let Destination { transfer, uri, .. } = &self.destination;
        if let Err(reason) = log_clock::store(transfer, times, uri).await {
            tracing::warn!("cannot store the times of the log {uri}: {reason}");
        }
    }

    fn take_shipping(&self) -> Option<Shipping> {
        self.shipping.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn unstored(&self, error: &TransferError) -> Option<String> {
        tracing::warn!("cannot store the log at {}: {}", self.destination.uri, describe(error));
        None
    }
}

/// Opens a log, if it is a regular file.
fn open(path: &Path) -> Option<File> {
    let descriptor = open_without_links(path, UNTRUSTED).ok()?;
    let stat = fstat(&descriptor).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then(|| File::from(descriptor))
}

/// The end of a log.
struct Tail {
    bytes: Vec<u8>,
    /// Where in the log it ends.
    until: u64,
}

fn read_tail(file: &mut File, most: u64) -> io::Result<Tail> {
    let length = file.metadata()?.len();
    let from = file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Tail { until: from + bytes.len() as u64, bytes })
}

#[cfg(test)]
mod tests;
