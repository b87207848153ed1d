//! What was found out a moment ago: bounded in number and in time, and under a digest, so that no token is kept.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// Names an entry.
pub(super) type Key = [u8; 32];

/// Most entries of one memory.
pub(super) const ENTRIES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// What was found out.
pub(super) struct Memory<V>(Mutex<LruCache<Key, (Instant, V)>>);

impl<V: Clone> Memory<V> {
    pub(super) fn new(entries: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(entries)))
    }

    /// What is known, unless it is too old.
    pub(super) fn get(&self, key: &Key) -> Option<V> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(key) {
            Some((until, value)) if Instant::now() < *until => Some(value.clone()),
            Some(_) => {
                known.pop(key);
                None
            }
            None => None,
        }
    }

    /// Keeps something for some time. What has not been asked for longest makes room.
    pub(super) fn put(&self, key: Key, value: V, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, (Instant::now() + time, value));
    }
}

impl<V> fmt::Debug for Memory<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Memory(..)")
    }
}

/// The digest of some texts, one after the other.
pub(super) fn key<'a>(texts: impl IntoIterator<Item = &'a str>) -> Key {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_forgotten() {
        let memory = Memory::new(ENTRIES);
        memory.put(key(["a"]), 1, Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(memory.get(&key(["a"])), Some(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(memory.get(&key(["a"])), None);
    }

    #[tokio::test]
    async fn t20_what_is_remembered_is_bounded() {
        let memory = Memory::new(NonZeroUsize::new(2).unwrap());
        for text in ["a", "b", "c"] {
            memory.put(key([text]), text, Duration::from_secs(10));
        }
        assert_eq!((memory.get(&key(["a"])), memory.get(&key(["b"]))), (None, Some("b")));
    }

    #[test]
    fn texts_that_run_together_are_told_apart() {
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
        assert_ne!(key(["ab"]), key(["ab", ""]));
    }
}
