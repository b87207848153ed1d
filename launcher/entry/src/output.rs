//! Copies what the user's process prints: to the container's own output and to the log file. Neither of the two can
//! stop the process by failing, and the log file cannot slow it down.

pub mod log;

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::log::Log;

const READ_SIZE: usize = 64 << 10;
/// How long a pipe may be empty before its end is no longer waited for: whoever left it open says nothing.
const SILENCE: Duration = Duration::from_secs(1);
/// How long its end is waited for in any case.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long the log file may take for the last of it.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// The copying of one process's output.
#[derive(Debug)]
pub struct Output {
    log: Option<Arc<Log>>,
    copied: Arc<AtomicU64>,
    done: Receiver<Option<String>>,
    /// The pipes that are copied from, to see whether anything is left in them.
    pipes: Vec<OwnedFd>,
}

impl Output {
    /// Starts to copy.
    pub fn spawn(
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        log: Option<Arc<Log>>,
    ) -> io::Result<Output> {
        let copied = Arc::new(AtomicU64::new(0));
        let (sender, done) = channel();
        let mut pipes = Vec::new();
        if let Some(stdout) = stdout {
            pipes.push(stdout.as_fd().try_clone_to_owned()?);
            let pump = Pump::new("standard output", rustix::stdio::stdout(), &log, &copied);
            pump.spawn("stdout", stdout, sender.clone())?;
        }
        if let Some(stderr) = stderr {
            pipes.push(stderr.as_fd().try_clone_to_owned()?);
            let pump = Pump::new("standard error", rustix::stdio::stderr(), &log, &copied);
            pump.spawn("stderr", stderr, sender)?;
        }
        Ok(Output { log, copied, done, pipes })
    }

    /// Waits for the last of it, within limits. Returns what is missing somewhere, in words.
    pub fn finish(self) -> Option<String> {
        let mut complaints = Vec::new();
        let until = Instant::now() + DRAIN_LIMIT;
        let (mut left, mut before) = (self.pipes.len(), self.copied.load(Ordering::Relaxed));
        while left > 0 {
            match self.done.recv_timeout(SILENCE.min(until.saturating_duration_since(Instant::now()))) {
                Ok(complaint) => {
                    left -= 1;
                    complaints.extend(complaint);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = self.copied.load(Ordering::Relaxed);
                    // What is in a pipe was printed before: on a busy node its copying takes a while.
                    let is_silent = now == before && !self.pipes.iter().any(has_bytes);
                    if is_silent || Instant::now() >= until {
                        complaints.push("what was printed after the end of the main process is missing".to_owned());
                        break;
                    }
                    before = now;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(log) = &self.log {
            complaints.extend(log.finish(Instant::now() + LOG_LIMIT));
        }
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }
}

/// Copies one of the two.
struct Pump {
    name: &'static str,
    sink: BorrowedFd<'static>,
    log: Option<Arc<Log>>,
    copied: Arc<AtomicU64>,
    failure: Option<io::Error>,
    missing: u64,
}

impl Pump {
    fn new(name: &'static str, sink: BorrowedFd<'static>, log: &Option<Arc<Log>>, copied: &Arc<AtomicU64>) -> Pump {
        Pump { name, sink, log: log.clone(), copied: copied.clone(), failure: None, missing: 0 }
    }

    fn spawn(
        mut self,
        thread: &str,
        source: impl Read + Send + 'static,
        done: Sender<Option<String>>,
    ) -> io::Result<()> {
        let run = move || {
            self.run(source);
            // Nobody listens any more where the end came too late.
            let _ = done.send(self.complaint());
        };
        thread::Builder::new().name(thread.to_owned()).spawn(run).map(drop)
    }

    fn run(&mut self, mut source: impl Read) {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let size = match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let bytes = buffer.get(..size).unwrap_or_default();
            if let Some(log) = &self.log {
                log.append(bytes);
            }
            self.copied.fetch_add(1, Ordering::Relaxed);
            self.write(bytes);
            self.copied.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let (written, result) = if self.failure.is_some() { (0, Ok(())) } else { write_all(self.sink, bytes) };
        self.missing += (bytes.len() - written) as u64;
        if let Err(error) = result {
            self.failure = Some(error);
        }
    }

    fn complaint(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        Some(format!(
            "cannot write to the container's {}: {failure}; {} bytes are missing there",
            self.name, self.missing
        ))
    }
}

/// Whether bytes are in a pipe. One that was read to its end has none, though it is ready: the other may be held open.
fn has_bytes(pipe: &OwnedFd) -> bool {
    let mut polled = PollFd::new(pipe, PollFlags::IN);
    let answered = poll(slice::from_mut(&mut polled), Some(&Timespec::default()));
    answered.is_ok() && polled.revents().contains(PollFlags::IN)
}

/// Writes everything, also where writing does not block. Returns how many bytes were written in any case.
fn write_all(sink: BorrowedFd<'_>, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match rustix::io::write(sink, rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(size) => written += size,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::from_borrowed_fd(sink, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return (written, Err(error.into())),
            },
            Err(error) => return (written, Err(error.into())),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;

    #[test]
    fn pipe_has_bytes_while_something_is_in_it_and_not_at_its_end() {
        let (mut reader, mut writer) = pipe().expect("a pipe");
        let seen = reader.as_fd().try_clone_to_owned().expect("a descriptor");
        assert!(!has_bytes(&seen));
        writer.write_all(b"x").expect("it is written");
        assert!(has_bytes(&seen));
        reader.read_exact(&mut [0]).expect("it is read");
        assert!(!has_bytes(&seen));
        writer.write_all(b"y").expect("it is written");
        drop(writer);
        assert!(has_bytes(&seen));
        reader.read_exact(&mut [0]).expect("it is read");
        assert!(!has_bytes(&seen));
    }
}
