//! Waits between tries: each twice as long as the one before, with jitter, up to a limit.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);

/// Waits between tries of one thing.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait; at least what the server asked for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        let wait = longest.mul_f64(rand::rng().random_range(0.5..=1.0));
        wait.max(asked.unwrap_or_default().min(LONGEST * 6))
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
