//! What changes in all runs, for many who follow it at a time.
//!
//! One reader takes changes from the store, whoever stored them, and keeps the newest in memory; streams take theirs from
//! there, each at its own pace. One that falls behind what is kept reads the store until it has caught up. The reader works
//! only while somebody follows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_metastore::{Change, FeedChange, FeedPosition, MAX_PAGE, Metastore, MetastoreError};
use penstock_runtime::logs::chain;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::changes::OTHERS;

/// Changes that are kept in memory.
const KEPT: usize = 4096;
/// How long the reader waits for more to come, so that a busy store is not asked for each change.
const GATHER: Duration = Duration::from_millis(20);
/// Pause after a failure of the store.
const TROUBLE: Duration = Duration::from_secs(1);
/// Changes that a stream takes at a time.
const PAGE: u32 = 256;

/// What changes; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    metastore: Metastore,
    recent: Mutex<Recent>,
    /// The number of the newest change that was read.
    newest: watch::Sender<u64>,
}

/// The newest changes.
#[derive(Debug, Default)]
struct Recent {
    /// All behind this number are here.
    after: u64,
    changes: VecDeque<Arc<FeedChange>>,
    /// Whether the reader works.
    is_read: bool,
}

impl Recent {
    fn push(&mut self, change: FeedChange) {
        if self.changes.len() == KEPT
            && let Some(oldest) = self.changes.pop_front()
        {
            self.after = oldest.id;
        }
        self.changes.push_back(Arc::new(change));
    }

    /// Some changes of namespaces behind a number, and up to which number they go; `None` when older ones are asked for.
    fn take(&self, namespaces: &[String], after: u64, newest: u64) -> Option<(Vec<Arc<FeedChange>>, u64)> {
        if after < self.after {
            return None;
        }
        let from = self.changes.partition_point(|change| change.id <= after);
        let mut found = Vec::new();
        for change in self.changes.range(from..).filter(|change| namespaces.contains(&change.namespace)) {
            found.push(Arc::clone(change));
            if found.len() == PAGE as usize {
                return Some((found, change.id));
            }
        }
        // More may be here than was announced.
        let newest = self.changes.back().map_or(newest, |last| last.id.max(newest));
        Some((found, newest.max(after)))
    }
}

impl Feed {
    pub(crate) fn new(metastore: Metastore) -> Self {
        let (newest, _) = watch::channel(0);
        Self(Arc::new(Shared { metastore, recent: Mutex::default(), newest }))
    }

    /// Follows namespaces from behind a number, or from now on.
    pub(crate) async fn follow(&self, namespaces: Vec<String>, after: Option<u64>) -> Result<Follower, MetastoreError> {
        // The reader starts no later than here, so nothing between is missed.
        let position = self.0.metastore.feed_position().await?;
        let newest = self.0.listen(position);
        Ok(Follower { shared: Arc::clone(&self.0), namespaces, after: after.unwrap_or(position.last), newest })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Recent> {
        // Nothing panics while it is held.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>, position: FeedPosition) -> watch::Receiver<u64> {
        let mut recent = self.lock();
        let receiver = self.newest.subscribe();
        if !recent.is_read {
            *recent = Recent { after: position.last, changes: VecDeque::new(), is_read: true };
            self.newest.send_replace(position.last);
            tokio::spawn(read(Arc::clone(self), self.metastore.subscribe()));
        }
        receiver
    }

    /// Ends the reader if nobody follows any more.
    fn may_end(&self) -> bool {
        let mut recent = self.lock();
        let may_end = self.newest.receiver_count() == 0;
        recent.is_read = !may_end;
        may_end
    }
}

/// Reads what changes as long as somebody follows.
async fn read(shared: Arc<Shared>, mut stored: broadcast::Receiver<Change>) {
    while !shared.may_end() {
        let after = *shared.newest.borrow();
        match shared.metastore.changes_after(None, after, MAX_PAGE).await {
            Ok(changes) => {
                let Some(last) = changes.last().map(|change| change.id) else {
                    wait(&mut stored).await;
                    continue;
                };
                let mut recent = shared.lock();
                changes.into_iter().for_each(|change| recent.push(change));
                drop(recent);
                shared.newest.send_replace(last);
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot read what changed; trying again");
                tokio::time::sleep(TROUBLE).await;
            }
        }
    }
}

/// Waits until the store is worth a look.
async fn wait(stored: &mut broadcast::Receiver<Change>) {
    match timeout(OTHERS, stored.recv()).await {
        // What else comes meanwhile is read with it.
        Ok(Ok(_) | Err(RecvError::Lagged(_))) => tokio::time::sleep(GATHER).await,
        Ok(Err(RecvError::Closed)) => tokio::time::sleep(OTHERS).await,
        Err(_) => {}
    }
    while !matches!(
        stored.try_recv(),
        Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)
    ) {}
}

/// One who follows.
#[derive(Debug)]
pub(crate) struct Follower {
    shared: Arc<Shared>,
    namespaces: Vec<String>,
    after: u64,
    newest: watch::Receiver<u64>,
}

/// What a follower learns.
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    /// What changed; nothing, when it was all of other namespaces.
    Changes(Vec<Arc<FeedChange>>),
    /// What changed meanwhile is no longer known, and what comes is told from here on.
    Reset,
}

impl Follower {
    /// The number up to which everything was told.
    pub(crate) fn position(&self) -> u64 {
        self.after
    }

    /// Waits for news. Nothing is lost when it is not waited out.
    pub(crate) async fn news(&mut self) -> Result<News, MetastoreError> {
        loop {
            let newest = *self.newest.borrow_and_update();
            if self.after < newest {
                let taken = self.shared.lock().take(&self.namespaces, self.after, newest);
                return match taken {
                    Some((changes, until)) => {
                        self.after = until;
                        Ok(News::Changes(changes))
                    }
                    None => self.catch_up().await,
                };
            }
            if self.after > newest && !self.shared.metastore.feed_position().await?.covers(self.after) {
                return self.reset().await;
            }
            // The sender lives as long as this does.
            let _ = self.newest.changed().await;
        }
    }

    /// Reads what is no longer in memory.
    async fn catch_up(&mut self) -> Result<News, MetastoreError> {
        let store = &self.shared.metastore;
        let until = store.feed_position().await?.last;
        // Where there are several they are nearly all that there is.
        let only = match self.namespaces.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        };
        let changes = store.changes_after(only, self.after, PAGE).await?;
        // Looked at last: what was pruned meanwhile would be missing.
        if !store.feed_position().await?.covers(self.after) {
            return self.reset().await;
        }
        self.after = match changes.last() {
            Some(last) if changes.len() == PAGE as usize => last.id,
            Some(last) => last.id.max(until),
            None => until.max(self.after),
        };
        let meant = changes.into_iter().filter(|change| self.namespaces.contains(&change.namespace));
        Ok(News::Changes(meant.map(Arc::new).collect()))
    }

    async fn reset(&mut self) -> Result<News, MetastoreError> {
        self.after = self.shared.metastore.feed_position().await?.last;
        Ok(News::Reset)
    }
}

#[cfg(test)]
mod tests {
    use penstock_spec::Timestamp;
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;

    fn change(id: u64, namespace: &str) -> FeedChange {
        FeedChange {
            id,
            namespace: namespace.to_owned(),
            run: Uuid::nil(),
            kind: "run_state".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            detail: Map::new(),
        }
    }

    fn taken(recent: &Recent, namespace: &str, after: u64, newest: u64) -> Option<(Vec<u64>, u64)> {
        let (changes, until) = recent.take(&[namespace.to_owned()], after, newest)?;
        Some((changes.iter().map(|change| change.id).collect(), until))
    }

    #[test]
    fn of_what_is_kept_each_takes_their_own() {
        let mut recent = Recent { after: 4, ..Recent::default() };
        for (id, namespace) in [(5, "a"), (6, "b"), (7, "a")] {
            recent.push(change(id, namespace));
        }
        assert_eq!(taken(&recent, "a", 3, 7), None);
        assert_eq!(taken(&recent, "a", 4, 7), Some((vec![5, 7], 7)));
        assert_eq!(taken(&recent, "a", 5, 7), Some((vec![7], 7)));
        assert_eq!(taken(&recent, "b", 6, 7), Some((vec![], 7)));
        assert_eq!(taken(&recent, "a", 5, 6), Some((vec![7], 7)), "it was not announced yet");
        assert_eq!(taken(&recent, "a", 9, 7), Some((vec![], 9)));
    }

    #[test]
    fn the_oldest_go_first_and_pages_end_somewhere() {
        let mut recent = Recent::default();
        let count = KEPT as u64 + 10;
        (1..=count).for_each(|id| recent.push(change(id, "a")));
        assert_eq!(taken(&recent, "a", 9, count), None);
        let (changes, until) = taken(&recent, "a", 10, count).unwrap();
        assert_eq!((changes.len(), until), (PAGE as usize, 10 + u64::from(PAGE)));
    }
}
