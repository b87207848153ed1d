//! The log of a process of this machine with its times, while both are being written.

use std::io;

use async_trait::async_trait;
use penstock_apiserver::LogReader;
use penstock_spec::Timestamp;
use penstock_spec::log_times::{LogPiece, LogTimes, MOST_BYTES};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, Take};

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// A log and its index, which is a moment behind it.
#[derive(Debug)]
pub(super) struct TimedLog {
    log: File,
    index: Take<File>,
    /// What was read of the index behind its last whole line.
    begun: Vec<u8>,
    times: LogTimes,
    offset: u64,
    /// What was read of the log, and not returned yet.
    read: Vec<u8>,
}

impl TimedLog {
    /// From the beginning of both.
    pub(super) fn new(log: File, index: File) -> TimedLog {
        let (begun, times, read) = (Vec::new(), LogTimes::default(), Vec::new());
        TimedLog { log, index: index.take(MOST_BYTES), begun, times, offset: 0, read }
    }

    /// Reads on in the index.
    async fn catch_up(&mut self) -> io::Result<()> {
        loop {
            if self.index.read_buf(&mut self.begun).await? == 0 {
                return Ok(());
            }
            let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { continue };
            let lines: Vec<u8> = self.begun.drain(..=end).collect();
            self.times.read(&String::from_utf8_lossy(&lines));
        }
    }
}

#[async_trait]
impl LogReader for TimedLog {
    async fn next(&mut self) -> io::Result<Option<LogPiece>> {
        if self.read.is_empty() {
            self.read.reserve(PIECE);
            if self.log.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
        if self.times.length() < self.offset + self.read.len() as u64 {
            self.catch_up().await?;
        }
        // What was not noted yet was printed a moment ago.
        let rest = Some(Timestamp::now());
        let piece = LogPiece::timed(std::mem::take(&mut self.read), self.offset, &self.times, rest);
        self.offset += piece.bytes.len() as u64;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    async fn open(path: &Path) -> TimedLog {
        let file = |name| File::open(path.join(name));
        TimedLog::new(file("log").await.expect("a log"), file("times").await.expect("an index"))
    }

    #[tokio::test]
    async fn what_is_written_on_has_times_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
        let noted: Timestamp = "2026-08-01T10:00:00Z".parse().expect("a time");
        write("log", "one\ntwo\n");
        // The second mark is being written.
        write("times", &format!("4 {}\n8 17", noted.as_millisecond()));
        let mut log = open(directory.path()).await;
        let piece = log.next().await.expect("read").expect("something");
        assert_eq!((piece.bytes.as_slice(), piece.times[0]), (b"one\ntwo\n".as_slice(), (4, Some(noted))));
        let recent = piece.times[1].1.expect("a time").duration_since(noted).as_secs();
        assert!(piece.times[1].0 == 8 && recent > 0, "{piece:?}");
        assert_eq!(log.next().await.expect("read"), None);
        write("log", "one\ntwo\nthree\n");
        let later = noted.as_millisecond() + 5000;
        write("times", &format!("4 {}\n8 {later}\n14 {later}\n", noted.as_millisecond()));
        let piece = log.next().await.expect("read").expect("something");
        assert_eq!(piece.bytes, b"three\n");
        assert_eq!(piece.times, [(6, Timestamp::from_millisecond(later).ok())]);
    }
}
