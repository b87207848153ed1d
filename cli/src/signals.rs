//! Requests to end that come from the terminal or the system.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Ctrl-C, or a polite request of the system.
    End,
    /// The terminal is gone.
    HangUp,
}

/// Signals that arrive from now on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes over the signals; from now on they no longer end the process by themselves.
    pub(crate) fn new() -> anyhow::Result<Signals> {
        let take = |kind| signal(kind).context("cannot listen to signals");
        Ok(Signals {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hang_up: take(SignalKind::hangup())?,
        })
    }

    /// The next one. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => Request::End,
            _ = self.terminate.recv() => Request::End,
            _ = self.hang_up.recv() => Request::HangUp,
        }
    }
}
