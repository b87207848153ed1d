//! When what is due: functions of the settings, the time and chance.

use std::time::Duration;

use penstock_spec::Timestamp;

/// Longest time of one pass. What is left then is for the next.
const LONGEST_PASS: Duration = Duration::from_secs(30 * 60);
/// A process that has just begun has other things to do.
const FIRST_PASS: Duration = Duration::from_secs(1);
/// How far, from its share of the interval, a pass may be put off, so that processes that began together do not look at once.
const SPREAD: f64 = 0.1;
/// The same of the first.
const FIRST_SPREAD: Duration = Duration::from_secs(2);

/// For how long runs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Runs are archived when they ended so long ago. Absent: never.
    pub archive_after: Option<Duration>,
    /// Runs are deleted when they were archived so long ago. Absent: never.
    pub delete_after: Option<Duration>,
    /// From one pass to the next.
    pub interval: Duration,
    /// Runs of one batch.
    pub batch: u32,
}

/// What is due. Each is absent where nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cutoffs {
    /// Runs that ended earlier are archived.
    pub(super) ended_before: Option<Timestamp>,
    /// Runs that are archived since earlier are deleted.
    pub(super) archived_before: Option<Timestamp>,
}

impl RetentionPolicy {
    /// What is due at a time.
    pub(super) fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        // Nothing ended before time began.
        let before = |kept: Option<Duration>| kept.and_then(|kept| now.checked_sub(kept).ok());
        Cutoffs { ended_before: before(self.archive_after), archived_before: before(self.delete_after) }
    }

    /// How long a pass may take.
    pub(super) fn longest_pass(&self) -> Duration {
        self.interval.min(LONGEST_PASS)
    }

    /// How long after its start a process looks for the first time; `chance` is from 0 to 1.
    pub(super) fn until_first_pass(&self, chance: f64) -> Duration {
        FIRST_PASS + FIRST_SPREAD.mul_f64(chance.clamp(0.0, 1.0))
    }

    /// How long after a pass the next begins.
    pub(super) fn until_next_pass(&self, chance: f64) -> Duration {
        let away = (2.0 * chance.clamp(0.0, 1.0) - 1.0) * SPREAD;
        self.interval.mul_f64(1.0 + away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const POLICY: RetentionPolicy =
        RetentionPolicy { archive_after: Some(HOUR), delete_after: None, interval: HOUR, batch: 100 };

    #[test]
    fn what_is_due_follows_from_the_time() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let cutoffs = POLICY.cutoffs(now);
        assert_eq!(cutoffs, Cutoffs { ended_before: Some(now - HOUR), archived_before: None });
        let both = RetentionPolicy { delete_after: Some(HOUR * 24), ..POLICY };
        assert_eq!(both.cutoffs(now).archived_before, Some(now - HOUR * 24));
        assert_eq!(both.cutoffs(Timestamp::MIN), Cutoffs::default());
    }

    #[test]
    fn passes_are_spread_around_the_interval_and_bounded() {
        let minutes = |chance| POLICY.until_next_pass(chance).as_secs() / 60;
        assert_eq!([0.0, 0.5, 1.0, 7.0].map(minutes), [54, 60, 66, 66]);
        assert_eq!([0.0, 1.0].map(|chance| POLICY.until_first_pass(chance).as_secs()), [1, 3]);
        assert_eq!(POLICY.longest_pass(), HOUR / 2);
        let frequent = RetentionPolicy { interval: HOUR / 60, ..POLICY };
        assert_eq!(frequent.longest_pass(), HOUR / 60);
    }
}
