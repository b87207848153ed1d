//! The runs that are kept folded for those who ask for them next: the ones asked for last, as many as there is room for.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::FoldedRun;

/// Most runs that are kept.
const RUNS: NonZeroUsize = NonZeroUsize::new(32).expect("not 0");
/// Most facts that those which are kept have together; one alone may have as many.
const FACTS: u64 = super::MOST_FACTS;

/// Which state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The newest.
    Now(Uuid),
    /// One that somebody looks back at.
    Then(Uuid),
}

/// A run that somebody asks for.
pub(crate) type Shared = Arc<RwLock<FoldedRun>>;

/// Folded runs.
#[derive(Debug)]
pub(crate) struct HeldRuns(Mutex<LruCache<Key, Held>>);

#[derive(Debug)]
struct Held {
    run: Shared,
    facts: u64,
}

impl Default for HeldRuns {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(RUNS)))
    }
}

impl HeldRuns {
    fn lock(&self) -> MutexGuard<'_, LruCache<Key, Held>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run as far as it is folded; of one that is not kept, nothing yet.
    pub(crate) fn get(&self, key: Key) -> Shared {
        let held = |held: &Held| Arc::clone(&held.run);
        held(self.lock().get_or_insert(key, || Held { run: Shared::default(), facts: 0 }))
    }

    /// Notes how large a run has become, and lets go of others to make room for it. Whoever still reads one keeps it.
    pub(crate) fn weigh(&self, key: Key, facts: u64) {
        let mut runs = self.lock();
        let Some(held) = runs.peek_mut(&key) else { return };
        held.facts = facts;
        runs.promote(&key);
        let mut all: u64 = runs.iter().map(|(_, held)| held.facts).sum();
        while all > FACTS && runs.len() > 1 {
            let Some((_, oldest)) = runs.pop_lru() else { return };
            all = all.saturating_sub(oldest.facts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(run: u128) -> Key {
        Key::Now(Uuid::from_u128(run))
    }

    fn kept(runs: &HeldRuns) -> Vec<Key> {
        runs.lock().iter().map(|(key, _)| *key).collect()
    }

    #[test]
    fn those_asked_for_last_stay_while_there_is_room() {
        let runs = HeldRuns::default();
        for run in 1..=3 {
            drop(runs.get(key(run)));
            runs.weigh(key(run), FACTS / 4);
        }
        drop(runs.get(key(1)));
        drop(runs.get(key(4)));
        runs.weigh(key(4), FACTS / 8 * 5);
        assert_eq!(kept(&runs), [key(4), key(1)]);
        runs.weigh(key(1), FACTS);
        assert_eq!(kept(&runs), [key(1)], "one alone may be as large");
        runs.weigh(key(9), 1);
        assert_eq!(kept(&runs), [key(1)], "it was let go of meanwhile");
    }

    #[test]
    fn a_run_is_shared_and_runs_have_a_limit() {
        let runs = HeldRuns::default();
        assert!(Arc::ptr_eq(&runs.get(key(0)), &runs.get(key(0))));
        assert!(!Arc::ptr_eq(&runs.get(key(0)), &runs.get(Key::Then(Uuid::from_u128(0)))));
        (0..100).for_each(|run| drop(runs.get(key(run))));
        assert_eq!(kept(&runs).len(), RUNS.get());
    }
}
