//! Warm interpreters: a Python process that has the SDK loaded and forks for each task.
//!
//! The interpreter's side, and the messages, are in `warm_interpreter.py`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::keys::ENV_ATTEMPT;
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::component::ExecutorCall;
use super::task::PythonTask;
use crate::process::descendants::Family;
use crate::process::record::{ProcessIdentity, ProcessRecord, RECORD_FILE};
use crate::process::{ProcessEnd, ProcessError, ProcessSpec, environment, open_log};

const PROGRAM: &str = include_str!("warm_interpreter.py");
/// Loading the SDK takes a tenth of a second; a cold disk takes longer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A fork takes milliseconds.
const FORK_LIMIT: Duration = Duration::from_secs(30);
const MAX_EVENT: u32 = 1 << 20;
/// Room for a marker in the environment of the interpreter; a fork writes its own there.
const MARKER_ROOM: usize = 128;

/// Writes the interpreter's program to a directory, under a name that changes with its text.
pub fn write_program(directory: &Path) -> Result<PathBuf, ProcessError> {
    let digest = format_digest(&digest_of(PROGRAM.as_bytes()));
    let short: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    let path = directory.join("interpreter").join(format!("penstock-{short}.py"));
    let write = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&temporary, PROGRAM)?;
        std::fs::rename(temporary, &path)
    };
    match write() {
        Ok(()) => Ok(path),
        Err(source) => Err(ProcessError::File { operation: "write", path, source }),
    }
}

/// A warm interpreter. Dropping it ends the interpreter; tasks that it has forked go on.
#[derive(Debug)]
pub struct WarmInterpreter {
    requests: AsyncMutex<ChildStdin>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    log: PathBuf,
    _child: Child,
}

/// Who waits for which event.
#[derive(Debug, Default)]
struct Waiting {
    starts: Mutex<HashMap<u64, oneshot::Sender<Started>>>,
    ends: Mutex<HashMap<u32, oneshot::Sender<ProcessEnd>>>,
    gone: AtomicBool,
}

type Started = Result<(u32, oneshot::Receiver<ProcessEnd>), String>;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Event {
    Started { started: u64, pid: u32 },
    Failed { failed: u64, reason: String },
    Ended { ended: u32, code: i32 },
    Ready { ready: bool },
}

impl WarmInterpreter {
    /// Starts an interpreter and waits until it is ready. An error is the reason for people.
    pub async fn start(
        python: &Path,
        program: &Path,
        executor: &ExecutorCall,
        log_dir: &Path,
    ) -> Result<WarmInterpreter, String> {
        let log = log_dir.join("warm-interpreters.log");
        let stderr: File = open_log(&log).map_err(|error| crate::report::describe(&error))?;
        let runtime = if executor.runtime { "runtime" } else { "full" };
        let mut command = Command::new(python);
        command
            .arg(program)
            .args(["--serve", runtime, &executor.module])
            .env_clear()
            .envs(environment::base(std::env::vars_os()))
            .env(ENV_ATTEMPT, "-".repeat(MARKER_ROOM))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no pipes".to_owned());
        };
        let ready = tokio::time::timeout(START_LIMIT, read_event(&mut stdout)).await;
        match ready {
            Ok(Ok(Event::Ready { ready: true })) => {}
            Ok(Ok(event)) => return Err(format!("it began with {event:?}")),
            Ok(Err(_)) => return Err(format!("it ended at once; its log is {}", log.display())),
            Err(_) => return Err(format!("it was not ready within {} s", START_LIMIT.as_secs())),
        }
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(dispatch(stdout, Arc::clone(&waiting)));
        Ok(WarmInterpreter { requests: AsyncMutex::new(stdin), waiting, next: AtomicU64::new(1), log, _child: child })
    }

    /// Whether the interpreter still answers.
    pub fn is_alive(&self) -> bool {
        !self.waiting.gone.load(Ordering::Acquire)
    }

    /// Forks for a task, records the child, and lets it go. [`ProcessError::Lost`] means that nothing of it ran.
    pub async fn start_task(&self, task: &PythonTask, spec: &ProcessSpec) -> Result<WarmProcess, ProcessError> {
        let record_failed =
            |source| ProcessError::File { operation: "write", path: spec.work_dir.join(RECORD_FILE), source };
        let mut record = ProcessRecord::announce(&spec.marker);
        record.write(&spec.work_dir).map_err(record_failed)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting.starts).insert(id, sender);
        let lost = || ProcessError::Lost { log: self.log.clone() };
        self.send(&json!({ "run": id, "task": task.file() })).await.map_err(|_| lost())?;
        // Events after the end of the interpreter reach nobody.
        if !self.is_alive() {
            lock(&self.waiting.starts).remove(&id);
            return Err(lost());
        }
        let (pid, end) = match tokio::time::timeout(FORK_LIMIT, receiver).await {
            Ok(Ok(Ok(started))) => started,
            Ok(Ok(Err(reason))) => {
                let program = "a fork of the Python interpreter".to_owned();
                return Err(ProcessError::Start { program, source: io::Error::other(reason) });
            }
            Ok(Err(_)) | Err(_) => return Err(lost()),
        };
        record.process = ProcessIdentity::of(pid);
        let family = Family::of_started(record.process.clone(), spec.marker.clone(), since);
        let process = WarmProcess { pid, family, end, known: None, log: self.log.clone() };
        if let Err(source) = record.write(&spec.work_dir) {
            process.family.kill_now();
            return Err(record_failed(source));
        }
        // If the interpreter goes away now, the child sees its gate close and ends without running anything.
        self.send(&json!({ "go": pid })).await.map_err(|_| lost())?;
        Ok(process)
    }

    async fn send(&self, request: &Value) -> io::Result<()> {
        let body = serde_json::to_vec(request)?;
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut message = length.to_be_bytes().to_vec();
        message.extend(body);
        let mut requests = self.requests.lock().await;
        requests.write_all(&message).await?;
        requests.flush().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_event(stdout: &mut ChildStdout) -> io::Result<Event> {
    let length = stdout.read_u32().await?;
    if length > MAX_EVENT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the event is too long"));
    }
    let mut body = vec![0; length as usize];
    stdout.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// Hands events to those who wait for them, until the interpreter ends. Then nobody waits any longer.
async fn dispatch(mut stdout: ChildStdout, waiting: Arc<Waiting>) {
    while let Ok(event) = read_event(&mut stdout).await {
        match event {
            Event::Started { started, pid } => {
                let (sender, receiver) = oneshot::channel();
                lock(&waiting.ends).insert(pid, sender);
                if let Some(starting) = lock(&waiting.starts).remove(&started) {
                    // One who went away leaves a child that is never told to go.
                    let _ = starting.send(Ok((pid, receiver)));
                }
            }
            Event::Failed { failed, reason } => {
                if let Some(starting) = lock(&waiting.starts).remove(&failed) {
                    let _ = starting.send(Err(reason));
                }
            }
            Event::Ended { ended, code } => {
                let end = if code < 0 { ProcessEnd::Killed(-code) } else { ProcessEnd::Exited(code) };
                if let Some(sender) = lock(&waiting.ends).remove(&ended) {
                    let _ = sender.send(end);
                }
            }
            Event::Ready { .. } => {}
        }
    }
    waiting.gone.store(true, Ordering::Release);
    lock(&waiting.starts).clear();
    lock(&waiting.ends).clear();
}

/// A task that runs as a fork of a warm interpreter.
#[derive(Debug)]
pub struct WarmProcess {
    pid: u32,
    family: Family,
    end: oneshot::Receiver<ProcessEnd>,
    known: Option<ProcessEnd>,
    log: PathBuf,
}

impl WarmProcess {
    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end of the process. May be dropped and called again.
    pub async fn wait(&mut self) -> Result<ProcessEnd, ProcessError> {
        if let Some(end) = self.known {
            return Ok(end);
        }
        let end = (&mut self.end).await.map_err(|_| ProcessError::Lost { log: self.log.clone() })?;
        self.known = Some(end);
        Ok(end)
    }

    /// Asks the process to end, and after `grace` makes it. Returns how it ended.
    pub async fn stop(&mut self, grace: Duration) -> Result<ProcessEnd, ProcessError> {
        self.family.signal_group(Signal::TERM);
        if let Ok(end) = tokio::time::timeout(grace, self.wait()).await {
            return end;
        }
        let family = self.family.clone();
        // The result is only a count.
        let _ = tokio::task::spawn_blocking(move || family.kill_now()).await;
        self.wait().await
    }

    /// The process and what it started.
    pub fn family(&self) -> &Family {
        &self.family
    }
}
