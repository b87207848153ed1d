//! The log file: written by a thread of its own from a buffer of bounded size. A file that is slow for a while delays
//! nothing but itself; one that is stuck or full loses bytes, which are counted.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, fchmod, open};

use super::write_all;

/// The most bytes that wait to be written.
const CAPACITY: usize = 2 << 20;
/// How long a full buffer is waited for before the file counts as stuck.
const STUCK: Duration = Duration::from_secs(1);

/// A log file.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    /// Bytes that the writer holds.
    writing: usize,
    /// The buffer was full for too long, and the writer has taken nothing since.
    stuck: bool,
    closed: bool,
    finished: bool,
    missing: u64,
    failure: Option<String>,
}

impl Log {
    /// Opens a log for appending, readable for all, and starts to write. A log that cannot be opened is a log with
    /// everything missing.
    pub fn spawn(path: &str) -> io::Result<Arc<Log>> {
        let log = Arc::new(Log { path: path.into(), state: Mutex::default(), changed: Condvar::new() });
        let file = open_log(path).inspect_err(|error| {
            log.lock().failure = Some(format!("cannot open the log {path}: {error}"));
        });
        let writer = log.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write(file.ok().as_ref()))?;
        Ok(log)
    }

    /// Adds output. Waits a moment where the file is slow, never for long.
    pub fn append(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let until = Instant::now() + STUCK;
        while state.pending.len() + bytes.len() > CAPACITY && !state.stuck {
            let left = until.saturating_duration_since(Instant::now());
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if Instant::now() >= until {
                state.stuck = state.pending.len() + bytes.len() > CAPACITY;
                break;
            }
        }
        if state.pending.len() + bytes.len() > CAPACITY || state.closed {
            state.missing += bytes.len() as u64;
            state.failure.get_or_insert_with(|| format!("cannot write the log {} fast enough", self.path.display()));
            return;
        }
        state.pending.extend_from_slice(bytes);
        self.changed.notify_all();
    }

    /// Says that nothing follows and waits for the rest to be written, until a time. Returns what is missing, in words.
    pub fn finish(&self, until: Instant) -> Option<String> {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        while !state.finished {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let rest = (state.pending.len() + state.writing) as u64;
                return Some(self.complaint("it takes too long", state.missing + rest));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let failure = state.failure.as_ref()?;
        Some(format!("{failure}; {} bytes are missing there", state.missing))
    }

    fn complaint(&self, why: &str, missing: u64) -> String {
        format!("cannot write the log {}: {why}; {missing} bytes are missing there", self.path.display())
    }

    fn write(&self, file: Option<&OwnedFd>) {
        let mut taken = Vec::new();
        while self.take(&mut taken) {
            let Some(file) = file else {
                self.lock().missing += taken.len() as u64;
                continue;
            };
            let (written, result) = write_all(file.as_fd(), &taken);
            // A full disk may have room later: what follows is tried again.
            if let Err(error) = result {
                let mut state = self.lock();
                state.missing += (taken.len() - written) as u64;
                state.failure.get_or_insert_with(|| format!("cannot write the log {}: {error}", self.path.display()));
            }
        }
    }

    /// Takes what is to be written next; says whether there is any.
    fn take(&self, taken: &mut Vec<u8>) -> bool {
        taken.clear();
        let mut state = self.lock();
        state.writing = 0;
        while state.pending.is_empty() && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.pending, taken);
        state.writing = taken.len();
        state.stuck = false;
        state.finished = taken.is_empty();
        self.changed.notify_all();
        !taken.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_log(path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::CLOEXEC
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY;
    let file = open(path, flags, Mode::from_raw_mode(0o644))?;
    // The umask may have hidden it from the launcher's UID; a file that others made is theirs to show.
    let _ = fchmod(&file, Mode::from_raw_mode(0o644));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn everything_is_written_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::spawn(path.to_str().unwrap()).unwrap();
        let chunk: Vec<u8> = (0..=255).cycle().take(50_000).collect();
        for _ in 0..200 {
            log.append(&chunk);
        }
        assert_eq!(log.finish(soon()), None);
        assert!(std::fs::read(&path).unwrap() == chunk.repeat(200));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let log = Log::spawn("/dev/full").unwrap();
        log.append(b"four");
        log.append(b"three");
        let complaint = log.finish(soon()).expect("a complaint");
        assert!(complaint.contains("/dev/full") && complaint.contains("9 bytes are missing"), "{complaint}");
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_missing_as_a_whole() {
        let log = Log::spawn("/no/such/folder/log").unwrap();
        log.append(b"four");
        let complaint = log.finish(soon()).expect("a complaint");
        assert!(complaint.contains("cannot open the log") && complaint.contains(" 4 bytes"), "{complaint}");
    }

    #[test]
    fn a_stuck_file_loses_output_and_delays_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        // Open for reading, and never read.
        let reader = open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let log = Log::spawn(path.to_str().unwrap()).unwrap();
        let since = Instant::now();
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..200 {
            log.append(&chunk);
        }
        let (took, complaint) = (since.elapsed(), log.finish(Instant::now()).expect("a complaint"));
        assert!(took < STUCK * 4, "{took:?}");
        assert!(complaint.contains("too long"), "{complaint}");
        drop(reader);
    }
}
