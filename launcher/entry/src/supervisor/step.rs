//! What goes into a step of the supervisor, and what comes out.

use std::collections::BTreeMap;

use rustix::process::Signal;

use crate::protocol::{End, EntryMessage, LauncherMessage, ProcessEnd};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A signal came.
    Signal(Signal),
    /// The launcher cannot be reached, and why.
    Unreachable(String),
    /// A connection to the launcher stands.
    Connected,
    /// It is gone.
    Disconnected,
    /// The launcher said something.
    Message(LauncherMessage),
    /// The program runs.
    Started,
    /// The program could not be started.
    NotStarted(End),
    /// Children were waited for.
    Reaped {
        /// How the user's process ended, if it was among them.
        main: Option<End>,
        /// Whether children are left.
        others: bool,
    },
    /// All about the end is known.
    Collected(ProcessEnd),
    /// Time has passed.
    Tick,
}

/// What to start.
#[derive(Debug, PartialEq, Eq)]
pub struct StartOrder {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables on top of the container's own.
    pub env: BTreeMap<String, String>,
    /// Directories to make.
    pub directories: Vec<String>,
    /// File for a copy of the output.
    pub log: Option<String>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Say this to the launcher.
    Send(EntryMessage),
    /// Start the user's process; answered by [`Event::Started`] or [`Event::NotStarted`].
    Start(StartOrder),
    /// Send a signal to the user's process and its group.
    Forward(Signal),
    /// Send a signal to everything that the user's process has left behind.
    SignalRest(Signal),
    /// Wait for the last output and put together how it ended; answered by [`Event::Collected`].
    Collect(End),
    /// Open a file and answer.
    Open {
        /// Of the question.
        id: u64,
        /// What to open.
        path: String,
    },
    /// End.
    Exit {
        /// With this code.
        code: u8,
        /// Message for the container's status that comes from the launcher.
        message: Option<String>,
        /// Complaint of our own.
        complaint: Option<String>,
    },
}
