//! Answers the engine's questions about earlier results. A hit is a result whose objects still exist.

use std::sync::Arc;

use penstock_engine::{CacheHit, Event, NodeId};
use penstock_metastore::{CacheScope, Metastore};
use penstock_objectstore::Transfer;
use penstock_spec::report::TaskOutputs;
use tokio::sync::{Semaphore, mpsc};
use tracing::warn;

/// Look-ups of one run at a time.
const CONCURRENT_LOOKUPS: usize = 16;

/// Looks up results in the cache of one pipeline.
#[derive(Debug)]
pub(crate) struct CacheLookups {
    metastore: Metastore,
    transfer: Arc<Transfer>,
    scope: CacheScope,
    limit: Arc<Semaphore>,
}

impl CacheLookups {
    pub(crate) fn new(metastore: Metastore, transfer: Arc<Transfer>, scope: CacheScope) -> CacheLookups {
        CacheLookups { metastore, transfer, scope, limit: Arc::new(Semaphore::new(CONCURRENT_LOOKUPS)) }
    }

    /// Answers with `CacheAnswered`. Whatever goes wrong is a miss: running the task again is always right.
    pub(crate) fn look_up(&self, node: NodeId, key: String, events: mpsc::Sender<Event>) {
        let (metastore, transfer) = (self.metastore.clone(), Arc::clone(&self.transfer));
        let (scope, limit) = (self.scope.clone(), Arc::clone(&self.limit));
        tokio::spawn(async move {
            let _permit = limit.acquire().await;
            let hit = match metastore.lookup(&scope, &key).await {
                Ok(Some(entry)) if all_exist(&transfer, &entry.outputs).await => {
                    Some(CacheHit { source: entry.source, outputs: entry.outputs })
                }
                Ok(_) => None,
                Err(error) => {
                    warn!(error = %crate::error::chain(&error), "cannot ask the cache; the task runs");
                    None
                }
            };
            // Nobody listens any more only when the run has ended.
            let _ = events.send(Event::CacheAnswered { node, hit }).await;
        });
    }
}

async fn all_exist(transfer: &Transfer, outputs: &TaskOutputs) -> bool {
    for artifact in outputs.artifacts.values().flatten() {
        let Some(content) = &artifact.content else { continue };
        match transfer.exists(&artifact.uri, content).await {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                warn!(uri = artifact.uri, error = %crate::error::chain(&error), "cannot check a cached artifact; the task runs");
                return false;
            }
        }
    }
    true
}
