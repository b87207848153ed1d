//! The launcher's side of the socket to `penstock-entry`, the first process of the user's container.
//!
//! User code can connect too, and can make the entry say anything: what comes from there is bounded in size and time,
//! and is never believed about anything but its own task. A launcher that was restarted binds the socket again; the
//! entry comes back by itself, shows its nonce and says where it stands. So the nonce must be on disk before the launcher
//! says [`LauncherMessage::Start`], and need not be before.

mod connection;
mod error;
mod listener;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Duration;

use penstock_entry::protocol::{EntryMessage, EntryState, LauncherMessage, MAX_ANSWER, OpenError};
use tokio::time::{Instant, timeout_at};

use self::connection::Connection;
pub use self::error::LinkError;
pub use self::listener::EntryListener;

/// How long the entry may take to open a file: its file system may be a slow one.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
/// Messages that may wait while an answer is waited for. The entry has two to send.
const MAX_WAITING: usize = 16;

/// What the entry said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What it was welcomed with at its first connection.
    pub nonce: Option<String>,
    /// Argv as Kubernetes passed it.
    pub argv: Vec<String>,
    /// Where it stands.
    pub state: EntryState,
}

/// A connection to the entry.
#[derive(Debug)]
pub struct EntryLink {
    connection: Connection,
    /// What came while an answer was waited for.
    waiting: VecDeque<EntryMessage>,
    last_question: u64,
}

impl EntryLink {
    fn new(mut connection: Connection) -> EntryLink {
        connection.set_limit(MAX_ANSWER);
        EntryLink { connection, waiting: VecDeque::new(), last_question: 0 }
    }

    /// Says something. Not to be dropped half-way: the connection is of no use after that.
    pub async fn send(&mut self, message: &LauncherMessage) -> Result<(), LinkError> {
        self.connection.send(message).await
    }

    /// What the entry says next: that the process has started, or how it ended. Waits for as long as that takes. May be
    /// dropped and called again.
    pub async fn next(&mut self) -> Result<EntryMessage, LinkError> {
        if let Some(message) = self.waiting.pop_front() {
            return Ok(message);
        }
        loop {
            match self.receive().await? {
                // Of a question that was given up.
                (EntryMessage::Opened { .. }, _) => {}
                (message, _) => return Ok(message),
            }
        }
    }

    /// Opens a file or directory as the user's process sees it. What the descriptor is of must be looked at: the entry
    /// opens whatever is there, but for a symbolic link.
    pub async fn open(&mut self, path: &str) -> Result<Result<OwnedFd, OpenError>, LinkError> {
        let until = Instant::now() + OPEN_LIMIT;
        self.last_question += 1;
        let question = self.last_question;
        self.send(&LauncherMessage::Open { id: question, path: path.to_owned() }).await?;
        loop {
            let received = timeout_at(until, self.receive()).await;
            let slow = || LinkError::Slow { operation: "open a file of the user's container", limit: OPEN_LIMIT };
            match received.map_err(|_| slow())?? {
                (EntryMessage::Opened { id, error }, descriptor) if id == question => {
                    return match (error, descriptor) {
                        (Some(error), _) => Ok(Err(error)),
                        (None, Some(descriptor)) => Ok(Ok(descriptor)),
                        (None, None) => Err(LinkError::NoDescriptor { path: path.to_owned() }),
                    };
                }
                (EntryMessage::Opened { .. }, _) => {}
                (message, _) if self.waiting.len() < MAX_WAITING => self.waiting.push_back(message),
                _ => return Err(LinkError::Unexpected("more messages than there are events")),
            }
        }
    }

    /// The next message; a descriptor that came for an answer is with it.
    async fn receive(&mut self) -> Result<(EntryMessage, Option<OwnedFd>), LinkError> {
        let message = self.connection.message().await?;
        let descriptor = match &message {
            EntryMessage::Hello { .. } => return Err(LinkError::Unexpected("a second hello")),
            EntryMessage::Opened { error: None, .. } => self.connection.take_descriptor(),
            _ => None,
        };
        Ok((message, descriptor))
    }
}

#[cfg(test)]
mod tests;
