//! The wish that the process ends, known to all its parts.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// How much the end is wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Wish {
    None,
    Graceful,
    AtOnce,
}

/// Tells all parts of a process that it is to end. Clones share the wish.
#[derive(Debug, Clone)]
pub struct Shutdown {
    wish: watch::Sender<Wish>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown::new()
    }
}

impl Shutdown {
    /// A wish that only [`Shutdown::request`] expresses.
    pub fn new() -> Shutdown {
        Shutdown { wish: watch::Sender::new(Wish::None) }
    }

    /// A wish that SIGTERM and SIGINT express. A second signal means [`Shutdown::insisted`]. Needs a runtime.
    pub fn on_signals() -> io::Result<Shutdown> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = Shutdown::new();
        let wish = shutdown.wish.clone();
        tokio::spawn(async move {
            for next in [Wish::Graceful, Wish::AtOnce] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                info!(signal = name, "asked to end");
                wish.send_modify(|wish| *wish = next);
            }
        });
        Ok(shutdown)
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.wish.send_if_modified(|wish| {
            let first = *wish == Wish::None;
            if first {
                *wish = Wish::Graceful;
            }
            first
        });
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        *self.wish.borrow() >= Wish::Graceful
    }

    /// Waits until the end is asked for.
    pub async fn requested(&self) {
        self.at_least(Wish::Graceful).await;
    }

    /// Waits until the end is asked for a second time: whoever asked does not want to wait for a graceful one.
    pub async fn insisted(&self) {
        self.at_least(Wish::AtOnce).await;
    }

    async fn at_least(&self, wanted: Wish) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.wish.subscribe().wait_for(|wish| *wish >= wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_reaches_every_clone_also_later_ones() {
        let shutdown = Shutdown::new();
        let early = shutdown.clone();
        let waiting = tokio::spawn(async move { early.requested().await });
        assert!(!shutdown.is_requested());
        shutdown.request();
        waiting.await.expect("the waiting task ends");
        shutdown.clone().requested().await;
        assert!(shutdown.is_requested());
    }
}
