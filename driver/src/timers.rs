//! Timers of a run, in the order in which they are due.

use std::collections::BTreeMap;

use penstock_engine::Timer;
use penstock_spec::Timestamp;

/// Timers that have not been due yet.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<Timestamp, Vec<Timer>>,
}

impl Timers {
    /// Adds a timer; the same timer may be added twice, since a timer that is due twice changes nothing.
    pub(crate) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.due.entry(at).or_default().push(timer);
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.keys().next().copied()
    }

    /// Takes all timers that are due.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Timer> {
        let mut timers = Vec::new();
        while let Some(entry) = self.due.first_entry() {
            if *entry.key() > now {
                break;
            }
            timers.extend(entry.remove());
        }
        timers
    }
}
