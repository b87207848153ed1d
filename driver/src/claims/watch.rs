//! How long other processes have been silent, as far as this one has seen. No clock of its own, no store.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use penstock_metastore::{RunClaim, SilentDriver};
use tokio::time::Instant;
use uuid::Uuid;

use super::TAKEOVER_AFTER;
use crate::data_dir;

/// The longest silence that others may ask for: one that asks for an absurd one must not keep its runs for ever.
const LONGEST: Duration = Duration::from_secs(300);

/// What was seen of others.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: HashMap<Uuid, Seen>,
}

/// A beat, and the time during which there was no other.
#[derive(Debug, Clone, Copy)]
struct Seen {
    beat: u64,
    since: Instant,
    last: Instant,
}

impl Watch {
    /// Looks at a claim of another process: what to name to take it over, if that has been silent for too long. `own` is
    /// the silence that this process takes for itself.
    pub(super) fn look(&mut self, claim: &RunClaim, own: Duration, now: Instant) -> Option<SilentDriver> {
        let RunClaim { claimant, beat, .. } = claim;
        let patience = claimant.silence.min(LONGEST).max(own);
        let silent = self.is_unchanged(claimant.driver, *beat, patience, now);
        silent.then_some(SilentDriver { driver: claimant.driver, beat: *beat })
    }

    /// Whether something was seen to be the same for so long. Only what was looked at without a long break counts: while
    /// nobody could look, because the store was away or this process was frozen, nobody could say anything either.
    pub(super) fn is_unchanged(&mut self, subject: Uuid, beat: u64, patience: Duration, now: Instant) -> bool {
        let Some(seen) = self.seen.get_mut(&subject) else {
            self.seen.retain(|_, seen| now.saturating_duration_since(seen.last) < LONGEST);
            self.seen.insert(subject, Seen { beat, since: now, last: now });
            return false;
        };
        let paused = now.saturating_duration_since(seen.last) > patience / 3;
        if seen.beat != beat || paused {
            *seen = Seen { beat, since: now, last: now };
            return false;
        }
        seen.last = now;
        now.saturating_duration_since(seen.since) >= patience
    }
}

/// Watches who has a run elsewhere, for those who only look on.
#[derive(Debug)]
pub struct HolderWatch {
    data_dir: Option<Uuid>,
    watch: Watch,
}

impl HolderWatch {
    /// For somebody who looks on from a data directory.
    pub fn new(data_dir: &Path) -> HolderWatch {
        // One that is new, or damaged, has nobody at work in it.
        HolderWatch { data_dir: data_dir::read(data_dir).ok().flatten(), watch: Watch::default() }
    }

    /// Whether a process of another data directory has the run, and has not been silent for too long since the first look.
    /// Who looks only once is told that it has.
    pub fn is_taken(&mut self, claim: &RunClaim) -> bool {
        Some(claim.claimant.data_dir) != self.data_dir
            && self.watch.look(claim, TAKEOVER_AFTER, Instant::now()).is_none()
    }
}

#[cfg(test)]
mod tests {
    use penstock_metastore::Claimant;

    use super::*;

    const SILENCE: Duration = Duration::from_secs(45);
    const SECOND: Duration = Duration::from_secs(1);

    fn claim(beat: u64, silence: Duration) -> RunClaim {
        let (driver, data_dir) = (Uuid::from_u128(1), Uuid::from_u128(2));
        RunClaim { claimant: Claimant { driver, data_dir, name: "other".to_owned(), silence }, beat, epoch: 1 }
    }

    /// Looks every second; after how many it is silent.
    fn seconds(watch: &mut Watch, claim: &RunClaim, own: Duration, now: &mut Instant) -> u32 {
        for second in 0..1000 {
            if watch.look(claim, own, *now).is_some() {
                return second;
            }
            *now += SECOND;
        }
        panic!("it is never silent");
    }

    #[test]
    fn r04_a_process_is_silent_when_its_beat_was_seen_unchanged_for_long() {
        let (mut watch, mut now) = (Watch::default(), Instant::now());
        assert_eq!(seconds(&mut watch, &claim(7, SILENCE), SILENCE, &mut now), 45);
        let silent = watch.look(&claim(7, SILENCE), SILENCE, now);
        assert_eq!(silent, Some(SilentDriver { driver: Uuid::from_u128(1), beat: 7 }));
        assert_eq!(seconds(&mut watch, &claim(8, SILENCE), SILENCE, &mut now), 45, "it has been heard again");
    }

    #[test]
    fn the_longer_of_both_silences_counts_but_not_an_absurd_one() {
        for (theirs, own, expected) in [(45, 6, 45), (6, 45, 45), (1_000_000, 45, 300), (0, 6, 6)] {
            let claim = claim(1, Duration::from_secs(theirs));
            let own = Duration::from_secs(own);
            assert_eq!(seconds(&mut Watch::default(), &claim, own, &mut Instant::now()), expected, "{theirs}");
        }
    }

    /// F-34: the store was away, for everybody. Whoever has a run gets its time to say so.
    #[test]
    fn f34_time_in_which_nobody_could_look_does_not_count() {
        let (mut watch, mut now) = (Watch::default(), Instant::now());
        let claim = claim(1, SILENCE);
        for _ in 0..40 {
            assert_eq!(watch.look(&claim, SILENCE, now), None);
            now += SECOND;
        }
        now += 60 * SECOND;
        assert_eq!(seconds(&mut watch, &claim, SILENCE, &mut now), 45);
    }
}
