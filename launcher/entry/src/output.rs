//! Copies what the user's process prints: to the container's own output and to the log file. Neither of the two can
//! stop the process by failing, and the log file cannot slow it down.

pub mod log;

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use self::log::Log;

const READ_SIZE: usize = 64 << 10;
/// How long a pipe may be silent before its end is no longer waited for: whoever left it open says nothing.
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
    pumps: usize,
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
        let mut pumps = 0;
        if let Some(stdout) = stdout {
            let pump = Pump::new("standard output", rustix::stdio::stdout(), &log, &copied);
            pump.spawn("stdout", stdout, sender.clone())?;
            pumps += 1;
        }
        if let Some(stderr) = stderr {
            let pump = Pump::new("standard error", rustix::stdio::stderr(), &log, &copied);
            pump.spawn("stderr", stderr, sender)?;
            pumps += 1;
        }
        Ok(Output { log, copied, done, pumps })
    }

    /// Waits for the last of it, within limits. Returns what is missing somewhere, in words.
    pub fn finish(self) -> Option<String> {
        let mut complaints = Vec::new();
        let until = Instant::now() + DRAIN_LIMIT;
        let (mut left, mut before) = (self.pumps, self.copied.load(Ordering::Relaxed));
        while left > 0 {
            match self.done.recv_timeout(SILENCE.min(until.saturating_duration_since(Instant::now()))) {
                Ok(complaint) => {
                    left -= 1;
                    complaints.extend(complaint);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = self.copied.load(Ordering::Relaxed);
                    if now == before || Instant::now() >= until {
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
