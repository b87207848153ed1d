//! How long to wait before something is tried again: longer with each failure, within a limit, and never for all at the
//! same moment.

use std::time::Duration;

/// Waits between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The wait after so many failures, one after the other; `random` is from 0 to 1 and takes away up to a half.
    pub(crate) fn wait(self, failures: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(31)));
        doubled.min(self.longest).mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }

    /// The wait after so many failures.
    pub(crate) fn next(self, failures: u32) -> Duration {
        self.wait(failures, rand::random_range(0.0..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };
        let waits: Vec<u64> = (0..=10).map(|failures| backoff.wait(failures, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(backoff.wait(u32::MAX, 0.0), backoff.longest);
        assert_eq!(backoff.wait(2, 1.0), Duration::from_secs(1));
        for _ in 0..100 {
            let wait = backoff.next(3);
            assert!(Duration::from_secs(2) <= wait && wait <= Duration::from_secs(4));
        }
    }
}
