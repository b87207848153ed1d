//! Why the sidecar cannot do its work.

use std::path::PathBuf;

use crate::pod::delivery::DeliveryError;

/// The sidecar cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The user's container could not start.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The socket cannot be made.
    #[error("cannot listen at {}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
    /// The file that survives a restart cannot be written.
    #[error("cannot write to {}", path.display())]
    Memory {
        /// Its directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
