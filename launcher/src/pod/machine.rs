//! What the sidecar does when: a pure function from (where it stands, what happened) to what to do next.
//!
//! ```text
//! Preparing ── inputs are there, entry is there ──► Running ── process ended ──► Storing ──► Reporting ──► Done
//!     └──────────── an input cannot be had ────────────┴─ timeout ─► Stopping ──────┘
//! ```
//!
//! Nothing waits for the entry's first connection: how long an image may take is the driver's to say.
//!
//! When the Pod is ended while outputs are being stored, they may still be wanted: who is evicted at the end of a long
//! training has until the end of the grace period. Of a Pod that somebody deleted, nobody wants a result.

use penstock_entry::protocol::{EXIT_LAUNCHER_FAILED, EntryState, ProcessEnd};
use penstock_spec::report::{Failure, FailureCause};
use serde::{Deserialize, Serialize};

use super::ending::{Ending, exit_code, judge};
use crate::report::failure;

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// All inputs are in their places.
    InputsReady,
    /// The process cannot be started: an input or argument is missing.
    Refused(Failure),
    /// The entry has connected, for the first time or again.
    Connected {
        /// Argv of the user's container.
        argv: Vec<String>,
        /// What it says of its process.
        state: EntryState,
    },
    /// The user's process has ended.
    Exited(ProcessEnd),
    /// The Pod is being ended.
    Terminating,
    /// Somebody deleted the Pod on purpose: whatever it would store is for nobody.
    Deleted,
    /// The entry's connection broke.
    Lost,
    /// The entry has been away for too long; the number is that of its absence.
    Overdue(u32),
    /// The attempt has taken longer than it may.
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// The process should have been stopped by now.
    StopOverdue,
    /// Outputs and log are stored, or given up.
    Stored(Conclusion),
    /// The report is delivered, or given up.
    Reported,
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Fetch the inputs; say [`Event::InputsReady`] or [`Event::Refused`].
    Fetch,
    /// Start the user's process with this argv, placeholders not resolved.
    Start(Vec<String>),
    /// Ask the entry to stop it.
    Stop,
    /// Say [`Event::Overdue`] with this number a little later.
    AwaitEntry(u32),
    /// Say [`Event::StopOverdue`] after the process's grace and a little more.
    AwaitStop,
    /// Store what there is; say [`Event::Stored`]. What is being stored already is given up.
    Store(Ending),
    /// Find out why the Pod is being ended; say [`Event::Deleted`] if that is why.
    AskWhy,
    /// Tell the driver; say [`Event::Reported`].
    Report(Conclusion),
    /// Let the entry go.
    Acknowledge(Acknowledgement),
}

/// How the attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conclusion {
    /// Why it failed, if it failed.
    pub failure: Option<Failure>,
    /// Digest of the manifest of an attempt that succeeded.
    pub manifest_digest: Option<String>,
    /// The process's exit code, if it ran to an end.
    pub exit_code: Option<i32>,
    /// Where the log is.
    pub log_uri: Option<String>,
}

/// How the entry ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// Instead of the process's own code.
    pub exit_code: Option<u8>,
    /// For the container's termination message.
    pub message: Option<String>,
}

impl Acknowledgement {
    /// A process that ended badly keeps its own code and message; every other failure is the launcher's to tell.
    pub fn of(conclusion: &Conclusion) -> Acknowledgement {
        match &conclusion.failure {
            Some(failure) if conclusion.exit_code == Some(0) || !is_of_process(failure.cause) => {
                let exit_code = conclusion.exit_code.is_none_or(|code| code == 0).then_some(EXIT_LAUNCHER_FAILED);
                Acknowledgement { exit_code, message: Some(failure.message.clone()) }
            }
            Some(failure) if conclusion.exit_code.is_none() => {
                let exit_code = (failure.cause != FailureCause::User).then_some(EXIT_LAUNCHER_FAILED);
                Acknowledgement { exit_code, message: Some(failure.message.clone()) }
            }
            _ => Acknowledgement::default(),
        }
    }
}

/// Whether a failure shows in the process's own end.
fn is_of_process(cause: FailureCause) -> bool {
    matches!(cause, FailureCause::User | FailureCause::Interrupted)
}

/// Where the sidecar stands.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Preparing { inputs_ready: bool },
    Running,
    Stopping(Failure),
    Storing { outputs: bool },
    Reporting(Conclusion),
    Done(Acknowledgement),
}

/// The sidecar's decisions.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    argv: Option<Vec<String>>,
    connected: bool,
    absences: u32,
    /// Whether the driver is told.
    reports: bool,
    /// Whether the user's container may be started again, which only needs its inputs.
    restarts: bool,
    /// Whether the inputs have been in their places.
    inputs_there: bool,
}

impl Machine {
    /// At the beginning of an attempt.
    pub fn begin(reports: bool, restarts: bool) -> (Machine, Vec<Action>) {
        (Machine::new(reports, restarts), vec![Action::Fetch])
    }

    fn new(reports: bool, restarts: bool) -> Machine {
        let phase = Phase::Preparing { inputs_ready: false };
        Machine { phase, argv: None, connected: false, absences: 0, reports, restarts, inputs_there: false }
    }

    /// After a restart, when the process had been started: the entry has to come back.
    pub fn started(reports: bool, restarts: bool) -> (Machine, Vec<Action>) {
        let mut machine = Machine { phase: Phase::Running, inputs_there: true, ..Machine::new(reports, restarts) };
        let actions = machine.absent();
        (machine, actions)
    }

    /// After a restart, when everything was stored.
    pub fn concluded(conclusion: Conclusion, reports: bool) -> (Machine, Vec<Action>) {
        let mut machine = Machine::new(reports, false);
        let actions = machine.report(conclusion);
        (machine, actions)
    }

    /// Whether there is nothing left to do but to let the entry go.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    /// Whether the user's process may be running.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Stopping(_))
    }

    /// The sidecar is asked to end. None: at once. Otherwise this is to be done, and what follows from it may still be
    /// done for a little while: main has gone, and the Pod's grace period lasts a little longer.
    pub fn terminate(&mut self) -> Option<Vec<Action>> {
        match self.phase {
            Phase::Running | Phase::Stopping(_) if !self.connected => Some(self.interrupted()),
            Phase::Storing { outputs: false } | Phase::Reporting(_) => Some(Vec::new()),
            // Outputs that are not whole are for nobody.
            Phase::Storing { outputs: true }
            | Phase::Preparing { .. }
            | Phase::Running
            | Phase::Stopping(_)
            | Phase::Done(_) => None,
        }
    }

    /// Takes an event in.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::InputsReady => match self.phase {
                Phase::Preparing { .. } => {
                    self.phase = Phase::Preparing { inputs_ready: true };
                    self.inputs_there = true;
                    self.start_if_ready()
                }
                _ => Vec::new(),
            },
            Event::Refused(failure) => match self.phase {
                Phase::Preparing { .. } | Phase::Running => {
                    self.store(Ending::Badly { failure, exit_code: None, show_log: false })
                }
                _ => Vec::new(),
            },
            Event::Connected { argv, state } => {
                self.connected = true;
                self.argv = Some(argv);
                self.connection(state)
            }
            Event::Exited(end) => self.exited(&end),
            Event::Terminating => match self.phase {
                Phase::Storing { outputs: true } => vec![Action::AskWhy],
                // Log and report of a failure are short, and somebody looks for them.
                _ => Vec::new(),
            },
            Event::Deleted => match self.phase {
                Phase::Storing { outputs: true } => {
                    let message = "the Pod was deleted while its outputs were being stored";
                    let failure = failure(FailureCause::Interrupted, message);
                    self.store(Ending::Badly { failure, exit_code: Some(0), show_log: false })
                }
                _ => Vec::new(),
            },
            Event::Lost => {
                self.connected = false;
                if self.is_running() { self.absent() } else { Vec::new() }
            }
            Event::Overdue(absence) => match self.phase {
                _ if self.connected || absence != self.absences => Vec::new(),
                Phase::Running | Phase::Stopping(_) => self.interrupted(),
                _ => Vec::new(),
            },
            Event::TimedOut { seconds } => match self.phase {
                Phase::Running => {
                    let message = format!("the attempt took longer than its timeout of {seconds} s");
                    self.phase = Phase::Stopping(failure(FailureCause::Timeout, message));
                    vec![Action::Stop, Action::AwaitStop]
                }
                _ => Vec::new(),
            },
            Event::StopOverdue => match &self.phase {
                Phase::Stopping(failure) => {
                    let failure = failure.clone();
                    self.store(Ending::Badly { failure, exit_code: None, show_log: false })
                }
                _ => Vec::new(),
            },
            Event::Stored(conclusion) => match self.phase {
                Phase::Storing { .. } => self.report(conclusion),
                _ => Vec::new(),
            },
            Event::Reported => match &self.phase {
                Phase::Reporting(conclusion) => {
                    let acknowledgement = Acknowledgement::of(conclusion);
                    self.phase = Phase::Done(acknowledgement.clone());
                    vec![Action::Acknowledge(acknowledgement)]
                }
                _ => Vec::new(),
            },
        }
    }

    fn start_if_ready(&mut self) -> Vec<Action> {
        match (&self.phase, &self.argv) {
            (Phase::Preparing { inputs_ready: true }, Some(argv)) if self.connected => {
                let start = Action::Start(argv.clone());
                self.phase = Phase::Running;
                vec![start]
            }
            _ => Vec::new(),
        }
    }

    /// The entry is there and says where it stands.
    fn connection(&mut self, state: EntryState) -> Vec<Action> {
        match (&self.phase, state) {
            (Phase::Preparing { .. }, EntryState::Waiting) => self.start_if_ready(),
            // The word that it should start was lost, with the sidecar or the connection.
            (Phase::Running, EntryState::Waiting) => vec![Action::Start(self.argv.clone().unwrap_or_default())],
            // What was remembered of the start is gone, and it has happened all the same.
            (Phase::Preparing { .. }, EntryState::Running) => {
                self.phase = Phase::Running;
                Vec::new()
            }
            (Phase::Preparing { .. }, EntryState::Exited(end)) => {
                self.phase = Phase::Running;
                self.exited(&end)
            }
            (Phase::Running | Phase::Stopping(_), EntryState::Exited(end)) => self.exited(&end),
            (Phase::Stopping(_), _) => vec![Action::Stop],
            (Phase::Done(_), EntryState::Waiting) if self.restarts => {
                self.phase = Phase::Preparing { inputs_ready: self.inputs_there };
                if self.inputs_there { self.start_if_ready() } else { vec![Action::Fetch] }
            }
            (Phase::Done(acknowledgement), _) => vec![Action::Acknowledge(acknowledgement.clone())],
            (Phase::Running, EntryState::Running) | (Phase::Storing { .. } | Phase::Reporting(_), _) => Vec::new(),
        }
    }

    fn exited(&mut self, end: &ProcessEnd) -> Vec<Action> {
        match &self.phase {
            Phase::Running => {
                let ending = judge(end);
                self.store(ending)
            }
            Phase::Stopping(failure) => {
                let ending =
                    Ending::Badly { failure: failure.clone(), exit_code: exit_code(&end.how), show_log: false };
                self.store(ending)
            }
            _ => Vec::new(),
        }
    }

    fn absent(&mut self) -> Vec<Action> {
        self.absences += 1;
        vec![Action::AwaitEntry(self.absences)]
    }

    fn interrupted(&mut self) -> Vec<Action> {
        let failure = match &self.phase {
            // Whatever ended it, it had been told to end.
            Phase::Stopping(failure) => failure.clone(),
            _ => failure(
                FailureCause::Interrupted,
                "the container main went away before its process ended: it was killed, or its node failed",
            ),
        };
        self.store(Ending::Badly { failure, exit_code: None, show_log: false })
    }

    fn store(&mut self, ending: Ending) -> Vec<Action> {
        self.phase = Phase::Storing { outputs: ending == Ending::Well };
        vec![Action::Store(ending)]
    }

    fn report(&mut self, conclusion: Conclusion) -> Vec<Action> {
        if self.reports {
            self.phase = Phase::Reporting(conclusion.clone());
            return vec![Action::Report(conclusion)];
        }
        let acknowledgement = Acknowledgement::of(&conclusion);
        self.phase = Phase::Done(acknowledgement.clone());
        vec![Action::Acknowledge(acknowledgement)]
    }
}

#[cfg(test)]
mod tests;
