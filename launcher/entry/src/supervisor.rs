//! What the entry does next: values in, values out. It knows no clock, process or socket; [`crate::host`] tells it what
//! happened and carries out what it answers.

mod step;

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::protocol::{
    EXIT_LAUNCHER_FAILED, End, EntryMessage, EntryState, LauncherMessage, PROTOCOL_VERSION, ProcessEnd,
};

pub use step::{Action, Event, StartOrder};

/// How long what the user's process left behind has to end by itself, as what reads its output does.
const REST_LEAVE: Duration = Duration::from_millis(100);
/// How long it has then between SIGTERM and SIGKILL.
const REST_GRACE: Duration = Duration::from_millis(200);
/// Between two attempts to kill it.
const REST_PAUSE: Duration = Duration::from_millis(50);
/// When what cannot be killed is left alone.
const REST_LIMIT: Duration = Duration::from_secs(2);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Without a launcher before the start.
    pub connect: Duration,
    /// From the end of the process to the launcher's leave to exit.
    pub hold: Duration,
}

#[derive(Debug)]
enum Phase {
    Waiting,
    Starting,
    Running {
        kill_at: Option<Instant>,
        stopping: bool,
    },
    /// The user's process has ended; others of it may run.
    Clearing {
        end: End,
        asked: bool,
        next: Instant,
        until: Instant,
    },
    Collecting,
    Held {
        end: ProcessEnd,
        until: Instant,
    },
}

/// Leave to exit.
#[derive(Debug)]
struct Leave {
    exit_code: Option<u8>,
    message: Option<String>,
}

/// The state of the entry.
#[derive(Debug)]
pub struct Supervisor {
    argv: Vec<String>,
    limits: Limits,
    nonce: Option<String>,
    phase: Phase,
    connected: bool,
    /// Since when no launcher answers.
    silent_since: Option<Instant>,
    unreachable: Option<String>,
    leave: Option<Leave>,
    /// What the launcher allows once the process is to stop.
    graces: Graces,
    /// When the first SIGTERM came after the start was ordered.
    terminating_since: Option<Instant>,
    /// Whether it came while the process ran.
    terminated: bool,
}

/// How long things may take after a SIGTERM.
#[derive(Debug, Clone, Copy, Default)]
struct Graces {
    /// Until the process is killed.
    process: Duration,
    /// Until the container ends although the launcher has not acknowledged.
    hold: Duration,
}

impl Supervisor {
    /// At the start of the container.
    pub fn new(argv: Vec<String>, limits: Limits, now: Instant) -> Supervisor {
        Supervisor {
            argv,
            limits,
            nonce: None,
            phase: Phase::Waiting,
            connected: false,
            silent_since: Some(now),
            unreachable: None,
            leave: None,
            graces: Graces::default(),
            terminating_since: None,
            terminated: false,
        }
    }

    /// When to call again with [`Event::Tick`] at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting => self.silent_since.map(|since| since + self.limits.connect),
            Phase::Running { kill_at, .. } => *kill_at,
            Phase::Clearing { next, .. } => Some(*next),
            Phase::Held { until, .. } => Some(self.let_go_at().map_or(*until, |let_go| let_go.min(*until))),
            Phase::Starting | Phase::Collecting => None,
        }
    }

    /// Takes in what happened and says what to do, in order.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Signal(signal) => self.on_signal(signal, now),
            Event::Unreachable(why) => {
                self.unreachable = Some(why);
                Vec::new()
            }
            Event::Connected => self.on_connected(),
            Event::Disconnected => {
                self.connected = false;
                self.silent_since.get_or_insert(now);
                Vec::new()
            }
            Event::Message(message) => self.on_message(message, now),
            Event::Started => self.on_started(now),
            Event::NotStarted(end) => self
                .hold(ProcessEnd { how: end, duration_ms: 0, terminated: false, oom_kills: 0, log_error: None }, now),
            Event::Reaped { main, others } => self.on_reaped(main, others, now),
            Event::Collected(end) => self.hold(end, now),
            Event::Tick => self.on_tick(now),
        }
    }

    fn on_connected(&mut self) -> Vec<Action> {
        self.connected = true;
        if self.nonce.is_some() {
            // A launcher that knows us need not answer.
            self.silent_since = None;
        }
        let hello = EntryMessage::Hello {
            version: PROTOCOL_VERSION,
            nonce: self.nonce.clone(),
            argv: self.argv.clone(),
            state: self.state(),
        };
        let mut actions = vec![Action::Send(hello)];
        if matches!(self.phase, Phase::Held { .. }) && self.terminating_since.is_some() {
            actions.push(Action::Send(EntryMessage::Terminating));
        }
        actions
    }

    fn state(&self) -> EntryState {
        match &self.phase {
            Phase::Waiting | Phase::Starting => EntryState::Waiting,
            Phase::Running { .. } | Phase::Clearing { .. } | Phase::Collecting => EntryState::Running,
            Phase::Held { end, .. } => EntryState::Exited(end.clone()),
        }
    }

    fn on_message(&mut self, message: LauncherMessage, now: Instant) -> Vec<Action> {
        self.silent_since = None;
        match message {
            LauncherMessage::Welcome { nonce } => {
                self.nonce = Some(nonce);
                Vec::new()
            }
            LauncherMessage::Start { argv, env, directories, log, grace_ms, hold_ms } => {
                // A launcher that was restarted may not know that it has said so before.
                if !matches!(self.phase, Phase::Waiting) {
                    return Vec::new();
                }
                self.phase = Phase::Starting;
                self.graces = Graces { process: Duration::from_millis(grace_ms), hold: Duration::from_millis(hold_ms) };
                vec![Action::Start(StartOrder { argv, env, directories, log })]
            }
            LauncherMessage::Stop => self.stop(now),
            LauncherMessage::Open { id, path } => vec![Action::Open { id, path }],
            LauncherMessage::Acknowledge { exit_code, message } => {
                self.leave = Some(Leave { exit_code, message });
                match &self.phase {
                    Phase::Waiting | Phase::Held { .. } => self.exit(),
                    Phase::Running { .. } => self.stop(now),
                    Phase::Starting | Phase::Clearing { .. } | Phase::Collecting => Vec::new(),
                }
            }
        }
    }

    fn on_started(&mut self, now: Instant) -> Vec<Action> {
        if matches!(self.phase, Phase::Starting) {
            self.phase = Phase::Running { kill_at: None, stopping: false };
        }
        let mut actions = self.say(EntryMessage::Started);
        self.terminated = self.terminating_since.is_some();
        if self.leave.is_some() || self.terminated {
            actions.extend(self.stop(now));
        }
        actions
    }

    fn on_signal(&mut self, signal: Signal, now: Instant) -> Vec<Action> {
        match &self.phase {
            Phase::Waiting => {
                let ends = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP].contains(&signal);
                let code = u8::try_from(128 + signal.as_raw()).unwrap_or(EXIT_LAUNCHER_FAILED);
                if ends { vec![Action::Exit { code, message: None, complaint: None }] } else { Vec::new() }
            }
            Phase::Running { .. } if signal == Signal::TERM => {
                self.terminating_since.get_or_insert(now);
                self.terminated = true;
                self.stop(now)
            }
            Phase::Running { .. } => vec![Action::Forward(signal)],
            // What the process left is not stored yet: the launcher is told, and has what the grace period leaves.
            Phase::Starting | Phase::Clearing { .. } | Phase::Collecting | Phase::Held { .. } => {
                let is_news = signal == Signal::TERM && self.terminating_since.is_none();
                if is_news {
                    self.terminating_since = Some(now);
                }
                match self.phase {
                    Phase::Held { .. } if is_news => self.say(EntryMessage::Terminating),
                    _ => Vec::new(),
                }
            }
        }
    }

    /// When the container ends, acknowledged or not, because its Pod does: the kubelet stops the launcher only after it,
    /// and the launcher has to give up its uploads within the same grace period.
    fn let_go_at(&self) -> Option<Instant> {
        self.terminating_since?.checked_add(self.graces.hold)
    }

    fn stop(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Running { kill_at, stopping } = &mut self.phase else { return Vec::new() };
        if !*stopping {
            *stopping = true;
            *kill_at = now.checked_add(self.graces.process);
        }
        vec![Action::Forward(Signal::TERM)]
    }

    fn on_reaped(&mut self, main: Option<End>, others: bool, now: Instant) -> Vec<Action> {
        match (&self.phase, main) {
            (Phase::Running { .. }, Some(end)) if others => {
                self.phase = Phase::Clearing { end, asked: false, next: now + REST_LEAVE, until: now + REST_LIMIT };
                Vec::new()
            }
            (Phase::Running { .. }, Some(end)) => self.collect(end),
            (Phase::Clearing { end, .. }, _) if !others => {
                let end = end.clone();
                self.collect(end)
            }
            _ => Vec::new(),
        }
    }

    fn collect(&mut self, end: End) -> Vec<Action> {
        self.phase = Phase::Collecting;
        vec![Action::Collect(end)]
    }

    fn hold(&mut self, end: ProcessEnd, now: Instant) -> Vec<Action> {
        let end = ProcessEnd { terminated: self.terminated, ..end };
        let mut actions = self.say(EntryMessage::Exited(end.clone()));
        if self.terminating_since.is_some() {
            actions.extend(self.say(EntryMessage::Terminating));
        }
        self.phase = Phase::Held { end, until: now + self.limits.hold };
        if self.leave.is_some() {
            actions.extend(self.exit());
        }
        actions
    }

    fn on_tick(&mut self, now: Instant) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match &mut self.phase {
            Phase::Waiting => self.give_up("the user's program was not started"),
            Phase::Running { kill_at, .. } => {
                *kill_at = None;
                vec![Action::Forward(Signal::KILL)]
            }
            Phase::Clearing { end, until, .. } if now >= *until => {
                let end = end.clone();
                self.collect(end)
            }
            Phase::Clearing { asked, next, .. } => {
                if !*asked {
                    *asked = true;
                    *next = now + REST_GRACE;
                    return vec![Action::SignalRest(Signal::TERM)];
                }
                *next = now + REST_PAUSE;
                vec![Action::SignalRest(Signal::KILL)]
            }
            Phase::Held { until, .. } => {
                let text = match now < *until {
                    true => format!(
                        "the Pod is being ended, and its outputs were not stored within the {:?} that its grace period \
                         leaves for them",
                        self.graces.hold
                    ),
                    false => {
                        format!("the launcher did not say within {:?} that the outputs are stored", self.limits.hold)
                    }
                };
                vec![Action::Exit { code: EXIT_LAUNCHER_FAILED, message: None, complaint: Some(text) }]
            }
            Phase::Starting | Phase::Collecting => Vec::new(),
        }
    }

    fn give_up(&self, consequence: &str) -> Vec<Action> {
        let why = match (&self.unreachable, self.connected) {
            (_, true) => "it took the connection and said nothing",
            (Some(why), _) => why,
            (None, _) => "no connection was made",
        };
        let text = format!("no launcher answered within {:?} ({why}); {consequence}", self.limits.connect);
        vec![Action::Exit { code: EXIT_LAUNCHER_FAILED, message: None, complaint: Some(text) }]
    }

    fn exit(&mut self) -> Vec<Action> {
        let Some(Leave { exit_code, message }) = self.leave.take() else { return Vec::new() };
        let own = match &self.phase {
            Phase::Held { end, .. } => exit_code_of(&end.how),
            _ => EXIT_LAUNCHER_FAILED,
        };
        vec![Action::Exit { code: exit_code.unwrap_or(own), message, complaint: None }]
    }

    /// Says something if there is anybody; who comes later is told by the hello.
    fn say(&self, message: EntryMessage) -> Vec<Action> {
        if self.connected { vec![Action::Send(message)] } else { Vec::new() }
    }
}

/// The exit code by which a shell would tell of such an end.
pub fn exit_code_of(end: &End) -> u8 {
    match end {
        // The kernel keeps eight bits of it.
        End::Code(code) => (code & 0xff) as u8,
        End::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        End::NotStarted { code, .. } => *code,
    }
}

#[cfg(test)]
mod tests;
