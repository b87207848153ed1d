//! What goes wrong between launcher and entry.

use std::io;
use std::time::Duration;

use penstock_entry::frame::FrameError;
use penstock_entry::protocol::PROTOCOL_VERSION;
use thiserror::Error;

/// Why the entry cannot be spoken with.
#[derive(Debug, Error)]
pub enum LinkError {
    /// It is gone; it comes back by itself if it still runs.
    #[error("the entry of the user's container has closed the connection")]
    Closed,
    /// The system refused.
    #[error("cannot {operation} the entry of the user's container")]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It takes too long.
    #[error("the entry of the user's container did not {operation} within {limit:?}")]
    Slow {
        /// What was waited for.
        operation: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The bytes are no frame.
    #[error("cannot exchange a message with the entry of the user's container")]
    Frame(#[from] FrameError),
    /// The frame is no message.
    #[error("cannot read a message of the entry of the user's container")]
    Message(#[source] serde_json::Error),
    /// The message has no place here.
    #[error("the entry of the user's container sent {0}")]
    Unexpected(&'static str),
    /// An answer without what it is about.
    #[error("the entry of the user's container says that it opened {path:?} and passed no descriptor")]
    NoDescriptor {
        /// What was asked for.
        path: String,
    },
    /// The two programs are not of one image.
    #[error(
        "the entry of the user's container speaks version {found} of the protocol and this launcher {PROTOCOL_VERSION}: \
         they must come from one image"
    )]
    Version {
        /// What it speaks.
        found: u32,
    },
    /// It does not know who it is.
    #[error("a process that is not the entry has connected")]
    Stranger,
}

impl LinkError {
    pub(super) fn io(operation: &'static str) -> impl FnOnce(io::Error) -> LinkError {
        move |source| LinkError::Io { operation, source }
    }
}
