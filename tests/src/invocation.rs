//! One process of the binary: started, waited for within a limit, signalled, and what it printed.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::document::RunDocument;

/// Longest time that a process may take unless a test says otherwise.
const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);

/// A process to be started.
#[derive(Debug)]
#[must_use]
pub struct Invocation {
    command: Command,
    limit: Duration,
}

impl Invocation {
    /// A program without arguments.
    pub fn new(program: &Path) -> Invocation {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Invocation { command, limit: LIMIT }
    }

    /// An environment of its own.
    pub fn environment(mut self, home: &Path, data_dir: &Path) -> Invocation {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self.command.env_clear().env("PATH", path).env("HOME", home).env("LANG", "C.UTF-8");
        self.command.env("PENSTOCK_DATA_DIR", data_dir).current_dir(home);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Invocation {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Invocation {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Invocation {
        self.command.env(name, value);
        self
    }

    /// Uses this interpreter for compiling and for tasks.
    pub fn python(self, python: &Path) -> Invocation {
        self.env("PENSTOCK_PYTHON", python)
    }

    /// Changes the limit.
    pub fn limit(mut self, limit: Duration) -> Invocation {
        self.limit = limit;
        self
    }

    /// The same process, started by another program: `program args... <binary> <its arguments>`.
    pub fn through(self, program: &str, args: &[String]) -> Invocation {
        let mut command = Command::new(program);
        command.args(args).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear();
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Invocation { command, ..self }
    }

    /// Starts it.
    pub fn spawn(mut self) -> Background {
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.command));
        let stdout = Some(collect(child.stdout.take()));
        let stderr = Some(collect(child.stderr.take()));
        let text = format!("{:?}", self.command);
        Background { child, stdout, stderr, text, started: Instant::now(), limit: self.limit }
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Finished {
        self.spawn().wait()
    }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is what there is to show.
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A process under way.
#[derive(Debug)]
#[must_use]
pub struct Background {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    text: String,
    started: Instant,
    limit: Duration,
}

impl Background {
    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Time since it was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a number of a process");
        kill_process(pid, signal).expect("a signal to our own child");
    }

    /// Kills it with no chance to do anything about it.
    pub fn kill_now(mut self) -> Finished {
        self.child.kill().expect("a signal to our own child");
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When its limit has passed; the process is killed then.
    pub fn wait(self) -> Finished {
        let limit = self.limit;
        self.wait_within().unwrap_or_else(|late| panic!("killed after {limit:?}: {late}"))
    }

    /// Waits for its end. When its limit has passed it is killed, and what it printed until then is the error.
    pub fn wait_within(mut self) -> Result<Finished, Box<Finished>> {
        let mut late = false;
        let status = loop {
            match self.child.try_wait().expect("the state of our own child") {
                Some(status) => break status,
                None if self.started.elapsed() > self.limit && !late => {
                    late = true;
                    self.child.kill().expect("a signal to our own child");
                }
                None => std::thread::sleep(PAUSE),
            }
        };
        let finished = Finished {
            status,
            took: self.started.elapsed(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
            command: std::mem::take(&mut self.text),
        };
        if late { Err(Box::new(finished)) } else { Ok(finished) }
    }
}

/// A test that fails half-way leaves no process behind.
impl Drop for Background {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn text(stream: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = stream.map(|stream| stream.join().expect("a thread that only reads")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    status: ExitStatus,
    /// How long it took.
    pub took: Duration,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    command: String,
}

impl Finished {
    /// The exit code; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Checks the exit code.
    ///
    /// # Panics
    /// When it is another, with everything that was printed.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Finished {
        assert!(self.status.code() == Some(code), "expected exit code {code}: {self}");
        self
    }

    /// Checks that standard error holds a text.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn expect_complaint(self, part: &str) -> Finished {
        assert!(self.stderr.contains(part), "standard error does not say {part:?}: {self}");
        assert!(!self.stderr.contains("panicked at"), "{self}");
        self
    }

    /// The document on standard output.
    ///
    /// # Panics
    /// When there is anything but exactly one object.
    #[track_caller]
    pub fn document(&self) -> RunDocument {
        match serde_json::from_str(&self.stdout) {
            Ok(document) => document,
            Err(error) => panic!("standard output is not one run ({error}): {self}"),
        }
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => write!(f, "exit code {code}")?,
            (None, signal) => write!(f, "signal {signal:?}")?,
        }
        write!(f, " after {:?}\n{}\n", self.took, self.command)?;
        write!(f, "--- standard output\n{}\n--- standard error\n{}", self.stdout, self.stderr)
    }
}
