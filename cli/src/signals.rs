//! Requests to end that come from the terminal or the system.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Polite requests of the system within this time are one: `timeout` sends its own to the process, and then to the group
/// that it is in.
const ONE_REQUEST: Duration = Duration::from_secs(1);

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
    terminated: Option<Instant>,
}

impl Signals {
    /// Takes over the signals; from now on they no longer end the process by themselves.
    pub(crate) fn new() -> anyhow::Result<Signals> {
        let take = |kind| signal(kind).context("cannot listen to signals");
        Ok(Signals {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hang_up: take(SignalKind::hangup())?,
            terminated: None,
        })
    }

    /// The next one. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Request {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Request::End,
                _ = self.terminate.recv() => {
                    if self.terminated.is_none_or(|last| last.elapsed() >= ONE_REQUEST) {
                        self.terminated = Some(Instant::now());
                        return Request::End;
                    }
                }
                _ = self.hang_up.recv() => return Request::HangUp,
            }
        }
    }
}
