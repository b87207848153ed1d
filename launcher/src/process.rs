//! The user's process on this machine: started in a group of its own, its output in one file, watched, stopped, and
//! never left behind.

pub mod descendants;
pub mod environment;
pub mod record;

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};
use rustix::process::Signal;
use thiserror::Error;
use tokio::process::{Child, Command};

use self::descendants::Family;
use self::record::{ProcessIdentity, ProcessRecord};

/// A program to start.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Argv; the first element is looked up in the `PATH` of `env`.
    pub argv: Vec<OsString>,
    /// Working directory.
    pub cwd: PathBuf,
    /// The whole environment, in order; a later entry wins.
    pub env: Vec<(OsString, OsString)>,
    /// File that receives standard output and standard error, in the order of their writing.
    pub log_file: PathBuf,
    /// Directory of the attempt; the process is recorded there.
    pub work_dir: PathBuf,
    /// Value of `PENSTOCK_ATTEMPT` in `env`.
    pub marker: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// It called exit.
    Exited(i32),
    /// A signal killed it.
    Killed(i32),
}

/// Why a process could not be started or watched.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program is not there.
    #[error("cannot start {program:?}: there is no such program on this machine (PATH is {path})")]
    NotFound {
        /// Element 0 of argv.
        program: String,
        /// Where it was looked for.
        path: String,
    },
    /// The system refused.
    #[error("cannot start {program:?}")]
    Start {
        /// Element 0 of argv.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A file of ours failed.
    #[error("cannot {operation} {path}")]
    File {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Waiting failed.
    #[error("cannot wait for process {pid}")]
    Wait {
        /// The process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// The warm interpreter went away, and with it the news of its child.
    #[error("the Python interpreter that ran the task ended unexpectedly; its log is {log}")]
    Lost {
        /// The interpreter's own log.
        log: PathBuf,
    },
}

impl ProcessEnd {
    /// Exit code in the way of shells: 128 and the signal's number for a killed process.
    pub fn code(self) -> i32 {
        match self {
            ProcessEnd::Exited(code) => code,
            ProcessEnd::Killed(signal) => 128 + signal,
        }
    }

    /// The end in words.
    pub fn describe(self) -> String {
        match self {
            ProcessEnd::Exited(code) => format!("exited with code {code}"),
            ProcessEnd::Killed(signal) => format!("was killed by {}", signal_name(signal)),
        }
    }
}

impl From<ExitStatus> for ProcessEnd {
    fn from(status: ExitStatus) -> ProcessEnd {
        match (status.code(), status.signal()) {
            (Some(code), _) => ProcessEnd::Exited(code),
            (None, signal) => ProcessEnd::Killed(signal.unwrap_or_default()),
        }
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// A process that runs, and all that it starts.
#[derive(Debug)]
pub struct RunningProcess {
    child: Child,
    pid: u32,
    family: Family,
}

impl RunningProcess {
    /// Starts a program. It is recorded in two steps: the marker before it runs, so that no moment exists in which it
    /// cannot be found again, and its number once that is known.
    pub fn start(spec: &ProcessSpec) -> Result<RunningProcess, ProcessError> {
        let program = spec.argv.first().cloned().unwrap_or_default();
        let log = open_log(&spec.log_file)?;
        let clone = |log: &File| log.try_clone().map(Stdio::from);
        let failed = |source| ProcessError::File { operation: "open", path: spec.log_file.clone(), source };
        // With a name and a PATH of its own the standard library forks this whole process; with a path it need not.
        let path = find_program(&program, &spec.env);
        let mut command = Command::new(path.as_deref().unwrap_or(Path::new(&program)));
        command
            .arg0(&program)
            .args(spec.argv.iter().skip(1))
            .current_dir(&spec.cwd)
            .env_clear()
            .envs(spec.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(clone(&log).map_err(failed)?)
            .stderr(clone(&log).map_err(failed)?)
            .process_group(0)
            .kill_on_drop(false);

        let mut record = ProcessRecord::announce(&spec.marker);
        let record_failed =
            |source| ProcessError::File { operation: "write", path: spec.work_dir.join(record::RECORD_FILE), source };
        record.write(&spec.work_dir).map_err(record_failed)?;
        let since = Instant::now();
        let child = command.spawn().map_err(|source| start_error(&program, spec, source))?;
        let pid = child.id().unwrap_or_default();
        let identity = ProcessIdentity::of(pid);
        record.process = identity.clone();
        let family = Family::of_started(identity, spec.marker.clone(), since);
        let running = RunningProcess { child, pid, family };
        match record.write(&spec.work_dir) {
            Ok(()) => Ok(running),
            Err(source) => {
                running.family.kill_now();
                Err(record_failed(source))
            }
        }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end of the process itself. May be dropped and called again.
    pub async fn wait(&mut self) -> Result<ProcessEnd, ProcessError> {
        let status = self.child.wait().await.map_err(|source| ProcessError::Wait { pid: self.pid, source })?;
        Ok(status.into())
    }

    /// Asks the process to end, and after `grace` makes it. Returns how it ended.
    pub async fn stop(&mut self, grace: Duration) -> Result<ProcessEnd, ProcessError> {
        self.family.signal_group(Signal::TERM);
        if let Ok(end) = tokio::time::timeout(grace, self.wait()).await {
            return end;
        }
        let family = self.family.clone();
        let _ = tokio::task::spawn_blocking(move || family.kill_now()).await;
        self.wait().await
    }

    /// What the process started and left behind.
    pub fn family(&self) -> &Family {
        &self.family
    }
}

/// The program that `execvp` would start by this name; none where that is better left to it.
fn find_program(program: &OsStr, env: &[(OsString, OsString)]) -> Option<PathBuf> {
    if program.is_empty() || program.as_encoded_bytes().contains(&b'/') {
        return None;
    }
    let (_, directories) = env.iter().rev().find(|(name, _)| name == "PATH")?;
    for directory in std::env::split_paths(directories) {
        if !directory.is_absolute() {
            // It is meant from the working directory of the program.
            return None;
        }
        let path = directory.join(program);
        if path.is_file() && access(&path, Access::EXEC_OK).is_ok() {
            return Some(path);
        }
    }
    None
}

fn start_error(program: &OsString, spec: &ProcessSpec, source: io::Error) -> ProcessError {
    let program = program.to_string_lossy().into_owned();
    // A missing working directory gives the same code.
    if source.kind() == io::ErrorKind::NotFound && spec.cwd.is_dir() {
        let path = spec.env.iter().rev().find(|(name, _)| name == "PATH");
        let path = path.map_or_else(|| "not set".to_owned(), |(_, value)| value.to_string_lossy().into_owned());
        return ProcessError::NotFound { program, path };
    }
    ProcessError::Start { program, source }
}

/// Opens a log for appending: several writers keep their order, and a reader can follow.
pub fn open_log(path: &Path) -> Result<File, ProcessError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|source| ProcessError::File {
            operation: "create",
            path: parent.to_owned(),
            source,
        })?;
    }
    OpenOptions::new().create(true).append(true).open(path).map_err(|source| ProcessError::File {
        operation: "open",
        path: path.to_owned(),
        source,
    })
}
