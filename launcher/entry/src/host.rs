//! Carries out what [`crate::supervisor`] decides. One thread decides and does whatever does not block; signals, the
//! launcher and the output have threads of their own.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, exit};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{DumpableBehavior, Pid, Signal, set_dumpable_behavior};
use rustix::termios::{isatty, tcsetpgrp};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::args::Options;
use crate::link::{LinkEvent, Outgoing, spawn_link};
use crate::memory::read_oom_kills;
use crate::output::Output;
use crate::output::log::Log;
use crate::process::authorities;
use crate::process::children::{MainProcess, adopt_orphans, reap, signal_group, signal_rest};
use crate::process::directories::make_directory;
use crate::process::environment::build_environment;
use crate::process::{not_prepared, start};
use crate::protocol::{EXIT_LAUNCHER_FAILED, End, MAX_TEXT, ProcessEnd};
use crate::supervisor::{Action, Event, Limits, StartOrder, Supervisor};
use crate::termination::{tell, write_message};

/// Signals that are passed on to the user's process.
const FORWARDED: [i32; 8] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT];

/// What the other threads say.
enum Notice {
    Signal(i32),
    Link(LinkEvent),
    /// The last of the output is copied; what is missing of it.
    Printed(Option<String>),
}

/// The effects, and what they need to know.
struct Host {
    options: Options,
    notices: Sender<Notice>,
    launcher: Option<Sender<Outgoing>>,
    process: Option<MainProcess>,
    output: Option<Output>,
    end: Option<End>,
}

/// Is the first process of a container until its end. Returns the exit code.
pub fn run(options: Options) -> u8 {
    let (notices, inbox) = channel();
    if let Err(error) = prepare(&options, &notices) {
        tell(&options.termination_log, &format!("cannot prepare to run the user's program: {error}"));
        return EXIT_LAUNCHER_FAILED;
    }
    let limits = Limits { connect: options.connect, hold: options.hold };
    let supervisor = Supervisor::new(options.argv.clone(), limits, Instant::now());
    Host { options, notices, launcher: None, process: None, output: None, end: None }.serve(supervisor, &inbox)
}

fn prepare(options: &Options, notices: &Sender<Notice>) -> io::Result<()> {
    // Signals first: until they are handled, the kernel keeps them from a first process altogether.
    spawn_signals(notices.clone())?;
    // User code of the same UID could read the nonce otherwise. Its processes are dumpable again by their exec.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    adopt_orphans();
    let notices = notices.clone();
    spawn_link(options.socket.clone(), move |event| notices.send(Notice::Link(event)).is_ok())
}

fn spawn_signals(notices: Sender<Notice>) -> io::Result<()> {
    // A limit on the size of files must show as a failed write, not as our death.
    let mut signals = Signals::new(FORWARDED.into_iter().chain([SIGCHLD, SIGXFSZ]))?;
    let run = move || {
        for signal in signals.forever() {
            if notices.send(Notice::Signal(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(run).map(drop)
}

impl Host {
    fn serve(mut self, mut supervisor: Supervisor, inbox: &Receiver<Notice>) -> u8 {
        loop {
            let notice = match supervisor.deadline() {
                Some(deadline) => inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())),
                // This side holds a sender: there is always one.
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut events = match notice {
                Ok(notice) => self.take_in(notice),
                Err(_) => vec![Event::Tick],
            };
            while let Some(event) = events.pop() {
                for action in supervisor.step(event, Instant::now()) {
                    events.extend(self.act(action));
                }
            }
        }
    }

    fn take_in(&mut self, notice: Notice) -> Vec<Event> {
        let event = match notice {
            Notice::Signal(SIGCHLD) => self.reap(),
            Notice::Signal(signal) => match Signal::from_named_raw(signal) {
                Some(signal) if FORWARDED.contains(&signal.as_raw()) => Event::Signal(signal),
                _ => return Vec::new(),
            },
            Notice::Link(LinkEvent::Unreachable(why)) => Event::Unreachable(why),
            Notice::Link(LinkEvent::Connected(launcher)) => {
                self.launcher = Some(launcher);
                Event::Connected
            }
            Notice::Link(LinkEvent::Disconnected) => {
                self.launcher = None;
                Event::Disconnected
            }
            Notice::Link(LinkEvent::Message(message)) => Event::Message(message),
            Notice::Printed(log_error) => Event::Collected(self.describe_end(log_error)),
        };
        vec![event]
    }

    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Send(message) => self.send(Outgoing::Message(message)),
            Action::Open { id, path } => self.send(Outgoing::Open { id, path }),
            Action::Start(order) => {
                return Some(match self.start(&order) {
                    Ok(()) => Event::Started,
                    Err(end) => Event::NotStarted(end),
                });
            }
            Action::Forward(signal) => {
                if let Some(process) = self.process.as_ref().filter(|process| process.ended.is_none()) {
                    signal_group(process.pid, signal);
                }
            }
            Action::SignalRest(signal) => {
                if let Some(process) = &self.process {
                    signal_rest(process.pid, signal);
                }
            }
            Action::Collect(end) => self.collect(end),
            Action::Exit { code, message, complaint } => {
                if let Some(message) = message {
                    // The container's status is the second source of it.
                    let _ = write_message(&self.options.termination_log, &message);
                }
                if let Some(complaint) = complaint {
                    tell(&self.options.termination_log, &complaint);
                }
                exit(code.into());
            }
        }
        None
    }

    fn send(&self, message: Outgoing) {
        if let Some(launcher) = &self.launcher {
            // A connection that is gone is noticed by its reader.
            let _ = launcher.send(message);
        }
    }

    fn start(&mut self, order: &StartOrder) -> Result<(), End> {
        for directory in &order.directories {
            make_directory(directory.as_ref()).map_err(not_prepared)?;
        }
        let no_thread = |error: io::Error| not_prepared(format!("cannot start a thread: {error}"));
        let log = order.log.as_deref().map(Log::spawn).transpose().map_err(no_thread)?;
        let mut set = order.env.clone();
        if let Some(bundle) = self.combine_authorities().map_err(not_prepared)? {
            set.extend(authorities::VARIABLES.map(|name| (name.to_owned(), bundle.clone())));
        }
        let environment = build_environment(std::env::vars_os(), &set);
        let oom_kills = read_oom_kills();
        // Before the start: this thread may lose the processor to the program just after it.
        let since = Instant::now();
        let mut child = start(&order.argv, &environment)?;
        let pid = Pid::from_child(&child);
        self.process = Some(MainProcess { pid, since, ended: None, oom_kills });
        give_terminal(pid);
        self.output = Some(copy_output(&mut child, log).map_err(|error| {
            signal_group(pid, Signal::KILL);
            no_thread(error)
        })?);
        Ok(())
    }

    /// The file with all authorities that the user's program is to trust, if the installation has its own.
    fn combine_authorities(&self) -> Result<Option<String>, String> {
        let Some(mounted) = &self.options.authorities else { return Ok(None) };
        let chosen = std::env::var_os(authorities::SSL_CERT_FILE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let all = authorities::combine(mounted, chosen.as_deref(), &self.options.all_authorities)?;
        Ok(Some(all.display().to_string()))
    }

    fn reap(&mut self) -> Event {
        let main = self.process.as_ref().filter(|process| process.ended.is_none()).map(|process| process.pid);
        let reaped = reap(main);
        if let Some(process) = self.process.as_mut().filter(|_| reaped.main.is_some()) {
            process.ended = Some(Instant::now());
        }
        Event::Reaped { main: reaped.main, others: reaped.others }
    }

    fn collect(&mut self, end: End) {
        self.end = Some(end);
        let (output, notices) = (self.output.take(), self.notices.clone());
        let run = move || {
            let missing = output.and_then(Output::finish);
            // The receiver lives as long as the process.
            let _ = notices.send(Notice::Printed(missing));
        };
        if let Err(error) = thread::Builder::new().name("collect".to_owned()).spawn(run) {
            let missing = format!("cannot wait for the last output: cannot start a thread: {error}");
            let _ = self.notices.send(Notice::Printed(Some(missing)));
        }
    }

    fn describe_end(&mut self, mut log_error: Option<String>) -> ProcessEnd {
        if let Some(text) = &mut log_error {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
        }
        let how = self.end.take().unwrap_or(End::Code(EXIT_LAUNCHER_FAILED.into()));
        let Some(process) = &self.process else {
            return ProcessEnd { how, duration_ms: 0, terminated: false, oom_kills: 0, log_error };
        };
        let duration = process.ended.unwrap_or_else(Instant::now).duration_since(process.since);
        ProcessEnd {
            how,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            // The supervisor knows.
            terminated: false,
            oom_kills: read_oom_kills().saturating_sub(process.oom_kills),
            log_error,
        }
    }
}

fn copy_output(child: &mut Child, log: Option<std::sync::Arc<Log>>) -> io::Result<Output> {
    Output::spawn(child.stdout.take(), child.stderr.take(), log)
}

/// Makes a group the one that may read from the terminal, where the container has one.
fn give_terminal(group: Pid) {
    let stdin = rustix::stdio::stdin();
    if isatty(stdin.as_fd()) && tcsetpgrp(stdin, group).is_ok() {
        // It may have been stopped by reading before.
        signal_group(group, Signal::CONT);
    }
}
