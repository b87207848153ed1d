//! Answers the engine's questions about earlier results. A hit is a result whose objects still exist.

use std::sync::Arc;

use penstock_engine::{CacheHit, Event, NodeId};
use penstock_metastore::{CacheScope, Metastore};
use penstock_objectstore::Transfer;
use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::CacheRules;
use tokio::sync::{Semaphore, mpsc};
use tracing::{info, warn};
use uuid::Uuid;

use crate::create::RunOptions;
use crate::kubernetes::ClaimApi;

/// Look-ups of one run at a time.
const CONCURRENT_LOOKUPS: usize = 16;

/// Looks up results in the cache of one pipeline.
pub(crate) struct CacheLookups {
    metastore: Metastore,
    transfer: Arc<Transfer>,
    scope: CacheScope,
    /// Whether the run takes results of commands that ran without their images.
    host_commands: bool,
    /// How old a result may be.
    rules: CacheRules,
    /// Volume claims of the run's namespace, on a cluster.
    claims: Option<ClaimApi>,
    limit: Arc<Semaphore>,
}

impl CacheLookups {
    pub(crate) fn new(
        metastore: Metastore,
        transfer: Arc<Transfer>,
        scope: CacheScope,
        host_commands: bool,
        rules: CacheRules,
    ) -> CacheLookups {
        let limit = Arc::new(Semaphore::new(CONCURRENT_LOOKUPS));
        CacheLookups { metastore, transfer, scope, host_commands, rules, claims: None, limit }
    }

    /// The same, where results may be volume claims.
    pub(crate) fn with_claims(self, claims: Option<ClaimApi>) -> CacheLookups {
        CacheLookups { claims, ..self }
    }

    /// Answers with `CacheAnswered`. Whatever goes wrong is a miss: running the task again is always right. `is_claim` says
    /// that the result is a volume claim, which may have been deleted since.
    pub(crate) fn look_up(&self, node: NodeId, key: String, is_claim: bool, events: mpsc::Sender<Event>) {
        let claims = self.claims.clone();
        let (metastore, transfer) = (self.metastore.clone(), Arc::clone(&self.transfer));
        let (scope, limit) = (self.scope.clone(), Arc::clone(&self.limit));
        let (host_commands, rules) = (self.host_commands, self.rules);
        tokio::spawn(async move {
            let _permit = limit.acquire().await;
            let hit = match metastore.lookup(&scope, &key).await {
                Ok(Some(entry))
                    if !rules.is_too_old(entry.created_at, Timestamp::now())
                        && (host_commands || needs_no_leave(&metastore, entry.source.run_id).await)
                        && all_exist(&transfer, &entry.outputs).await
                        && (!is_claim || claim_exists(claims.as_ref(), &entry.outputs).await) =>
                {
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

/// Whether a result is of a run that let no command run without its image. What such a run made is for runs that allow
/// the same: it may have come of whatever this machine had under the command's name.
async fn needs_no_leave(metastore: &Metastore, source: Uuid) -> bool {
    let Ok(row) = metastore.run(source).await else { return false };
    serde_json::from_value::<RunOptions>(row.options).is_ok_and(|options| !options.host_commands)
}

/// Whether the claim that a task made under a name of its author's is there and stays.
async fn claim_exists(claims: Option<&ClaimApi>, outputs: &TaskOutputs) -> bool {
    let name = outputs.parameters.get(keys::CLAIM_NAME_OUTPUT).and_then(|name| name.as_str());
    let (Some(claims), Some(name)) = (claims, name) else { return false };
    match claims.get(name).await {
        Ok(found) => found.is_some_and(|claim| claim.metadata.deletion_timestamp.is_none()),
        Err(error) => {
            info!(claim = name, reason = error.reason(), "cannot look for a volume claim of the cache; the task runs");
            false
        }
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
