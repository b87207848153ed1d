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
    clock: OnceLock<Arc<LogClock>>,
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
        let clock = Arc::clone(self.clock());
        let mut shipping = self.shipping.lock().unwrap_or_else(PoisonError::into_inner);
        shipping.get_or_insert_with(|| Shipping::spawn(self.destination.clone(), clock, self.period));
    }

    /// Stores the whole log; none when there is none or it could not be stored, which is said in our own log.
    pub async fn store(&self) -> Option<String> {
        if let Some(shipping) = self.take_shipping() {
            shipping.end().await;
        }
        let Destination { transfer, path, uri } = &self.destination;
        let times = async { log_clock::store(transfer, &self.clock().times().await, uri).await };
        let (log, times) = tokio::join!(transfer.upload_from(UploadSource::without_links(path), uri), times);
        self.warn_of_times(times);
        match log {
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
        let tail = read_tail(&mut open(self.path())?, TAIL).ok()?;
        let (log, times) = self.destination.put_tail(tail, self.clock()).await;
        self.warn_of_times(times);
        match log {
            Ok(()) => Some(self.destination.uri.clone()),
            Err(error) => self.unstored(&error),
        }
    }

    fn clock(&self) -> &Arc<LogClock> {
        self.clock.get_or_init(|| Arc::new(LogClock::start(self.path().to_owned(), &self.index)))
    }

    fn take_shipping(&self) -> Option<Shipping> {
        self.shipping.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A log without its times is worth as much otherwise.
    fn warn_of_times(&self, stored: Result<(), String>) {
        if let Err(reason) = stored {
            tracing::warn!("cannot store the times of the log {}: {reason}", self.destination.uri);
        }
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

impl Tail {
    /// Where in the log it begins.
    fn from(&self) -> u64 {
        self.until - self.bytes.len() as u64
    }
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
