//! The time of day, as one process sees it.

use std::time::Instant;

use penstock_spec::Timestamp;

/// One look at the clock of the machine, and the monotonic clock from there on: times never run backwards, and their
/// differences are durations even when somebody sets the clock (F-31).
#[derive(Debug, Clone, Copy)]
pub(crate) struct SteadyClock {
    began: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// A clock that begins now.
    pub(crate) fn start() -> SteadyClock {
        SteadyClock { began: Timestamp::now(), since: Instant::now() }
    }

    /// Now, to the millisecond.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.began.checked_add(self.since.elapsed()).unwrap_or(self.began);
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}
