//! What the entry and the launcher say to one another over a Unix stream socket. A message is a frame: its length in
//! four bytes, little-endian, then JSON. The launcher listens; the entry connects, and connects again when the launcher
//! was restarted: what the entry knows, it says again in its next [`EntryMessage::Hello`].
//!
//! What comes from the entry is not trusted: user code of the same UID can speak for it. It can only lie about its own
//! task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the protocol. Both programs come from one image, so they never differ but by mistake.
pub const PROTOCOL_VERSION: u32 = 1;
/// The most bytes of a frame: argv and environment of a process, with room for JSON's escapes.
pub const MAX_FRAME: usize = 64 << 20;
/// The most bytes of a frame of the entry's that is no [`EntryMessage::Hello`].
pub const MAX_ANSWER: usize = 64 << 10;
/// The most bytes of a message in an answer of the entry's.
pub const MAX_TEXT: usize = 4 << 10;
/// The socket at which the launcher listens.
pub const SOCKET: &str = "/penstock/control/entry.sock";
/// Kubernetes' file for the message with which a container ends.
pub const TERMINATION_LOG: &str = "/dev/termination-log";
/// The most bytes of that message that Kubernetes keeps.
pub const MAX_TERMINATION_MESSAGE: usize = 4096;
/// Where the installation's own certificates of authorities are in the user's container, if there are any.
pub const ENV_CA_BUNDLE: &str = "PENSTOCK_ENTRY_CA_BUNDLE";
/// Where they are put together with those that the image trusts.
pub const CA_BUNDLE: &str = "/penstock/shared/ca-bundle.crt";
/// How many seconds the entry holds the container open after the end of the user's process; six hours if absent.
pub const ENV_HOLD_SECONDS: &str = "PENSTOCK_ENTRY_HOLD_SECONDS";
/// How many seconds before the start the entry does without a launcher that answers; two minutes if absent.
pub const ENV_CONNECT_SECONDS: &str = "PENSTOCK_ENTRY_CONNECT_SECONDS";
/// Variables that are for the entry, not for the user's program. All others are the user's, whatever their names.
pub const ENV_OF_ENTRY: [&str; 3] = [ENV_HOLD_SECONDS, ENV_CONNECT_SECONDS, ENV_CA_BUNDLE];
/// Exit code of the entry when the attempt failed for a reason that is not the user's process.
pub const EXIT_LAUNCHER_FAILED: u8 = 125;
/// Exit code when the user's program exists and cannot be executed.
pub const EXIT_NOT_EXECUTABLE: u8 = 126;
/// Exit code when the user's program does not exist.
pub const EXIT_NOT_FOUND: u8 = 127;

/// What the entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum EntryMessage {
    /// The first message of each connection.
    #[serde(rename_all = "camelCase")]
    Hello {
        /// [`PROTOCOL_VERSION`].
        version: u32,
        /// Proof that this is the same entry as before; none at the first connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
        /// Argv as Kubernetes passed it, variables expanded, placeholders not resolved.
        argv: Vec<String>,
        /// Where it stands.
        state: EntryState,
    },
    /// The user's process runs.
    Started,
    /// The user's process has ended, and nothing of it runs any more.
    Exited(ProcessEnd),
    /// The Pod is being ended: only what its grace period leaves is left. Said once the user's process has ended.
    Terminating,
    /// Answer to [`LauncherMessage::Open`]; the descriptor comes with this frame when `error` is none.
    #[serde(rename_all = "camelCase")]
    Opened {
        /// Of the question.
        id: u64,
        /// Why it could not be opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<OpenError>,
    },
}

/// Where the entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum EntryState {
    /// Nothing runs yet.
    Waiting,
    /// The user's process runs.
    Running,
    /// It has ended.
    Exited(ProcessEnd),
}

/// How the user's process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessEnd {
    /// The way it ended.
    pub how: End,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Whether the entry was asked to end by SIGTERM while the process ran: the Pod is deleted or evicted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminated: bool,
    /// Processes that the kernel killed in this container for want of memory since the entry started.
    #[serde(default)]
    pub oom_kills: u64,
    /// Why the log is not whole, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_error: Option<String>,
}

/// Ways to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It could not be started.
    #[serde(rename_all = "camelCase")]
    NotStarted {
        /// [`EXIT_NOT_EXECUTABLE`] or [`EXIT_NOT_FOUND`]; [`EXIT_LAUNCHER_FAILED`] when it was not the program's fault.
        code: u8,
        /// Why.
        message: String,
    },
}

/// Why a file could not be opened for the launcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenError {
    /// `errno`.
    pub code: i32,
    /// In words.
    pub message: String,
}

/// What the launcher says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum LauncherMessage {
    /// Answers the hello of a first connection: start when [`LauncherMessage::Start`] comes. The launcher keeps the nonce
    /// on disk after it has sent this and before it sends that: then no restart of its can lock the entry out.
    #[serde(rename_all = "camelCase")]
    Welcome {
        /// To show at the next connection.
        nonce: String,
    },
    /// Inputs are there: run this.
    #[serde(rename_all = "camelCase")]
    Start {
        /// Argv; the first element is looked up in `PATH`.
        argv: Vec<String>,
        /// Variables to set on top of the container's own.
        #[serde(default)]
        env: BTreeMap<String, String>,
        /// Directories to make before the start, as the user's UID, mode 0777.
        #[serde(default)]
        directories: Vec<String>,
        /// File that gets a copy of standard output and error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<String>,
        /// Time between SIGTERM and SIGKILL when the process is stopped.
        grace_ms: u64,
        /// Time between the container's SIGTERM and the end of the hold, whatever is stored by then.
        hold_ms: u64,
    },
    /// Stop the user's process: SIGTERM, later SIGKILL. Its end is reported as usual. Nothing happens where none runs.
    Stop,
    /// Open a file or directory as the user's UID sees it and pass its descriptor. Never blocks on a FIFO.
    #[serde(rename_all = "camelCase")]
    Open {
        /// For the answer.
        id: u64,
        /// Absolute path in the user's container.
        path: String,
    },
    /// Everything is stored and reported, or given up: exit. A process that still runs is stopped first.
    #[serde(rename_all = "camelCase")]
    Acknowledge {
        /// Exit with this instead of the process's own code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
        /// For the container's termination message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}
