//! Waits between tries: each twice as long as the one before, with jitter, up to a limit.

use std::time::Duration;

use rand::RngExt;

use crate::service::backoff;

const WAITS: backoff::Backoff =
    backoff::Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };

/// Waits between tries of one thing.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait; at least what the server asked for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        self.tries = self.tries.saturating_add(1);
        WAITS.next(self.tries).max(asked.unwrap_or_default().min(WAITS.longest * 6))
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// A duration changed by up to a quarter, so that what started together does not come back together.
pub(crate) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(rand::rng().random_range(0.75..=1.25))
}
