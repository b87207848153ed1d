//! When to try again what has failed: later each time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use penstock_spec::Timestamp;
use uuid::Uuid;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// What has failed and not succeeded since.
#[derive(Debug, Default)]
pub(super) struct Retries(HashMap<Uuid, Retry>);

#[derive(Debug)]
struct Retry {
    failures: u32,
    not_before: Timestamp,
}

impl Retries {
    /// How long to leave it alone.
    pub(super) fn wait(&self, id: Uuid, now: Timestamp) -> Duration {
        self.0.get(&id).map_or(Duration::ZERO, |retry| super::until(retry.not_before, now).min(LONGEST))
    }

    /// Notes a failure; returns how long to leave it alone.
    pub(super) fn failed(&mut self, id: Uuid, now: Timestamp) -> Duration {
        let failures = self.0.get(&id).map_or(0, |retry| retry.failures);
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST);
        let not_before = now.checked_add(wait).unwrap_or(now);
        self.0.insert(id, Retry { failures: failures.saturating_add(1), not_before });
        wait
    }

    /// Forgets its failures.
    pub(super) fn succeeded(&mut self, id: Uuid) {
        self.0.remove(&id);
    }

    /// Forgets all but these.
    pub(super) fn retain(&mut self, ids: &HashSet<Uuid>) {
        self.0.retain(|id, _| ids.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_waits_longer_than_the_one_before_up_to_a_limit() {
        let (id, now, mut retries) = (Uuid::nil(), Timestamp::UNIX_EPOCH, Retries::default());
        let waits: Vec<u64> = (0..11).map(|_| retries.failed(id, now).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(retries.wait(id, now), LONGEST);
        assert_eq!(retries.wait(id, now + LONGEST), Duration::ZERO);
        assert_eq!(retries.wait(Uuid::max(), now), Duration::ZERO);
        retries.retain(&HashSet::new());
        assert_eq!(retries.failed(id, now), FIRST);
        retries.succeeded(id);
        assert_eq!(retries.wait(id, now), Duration::ZERO);
    }
}
