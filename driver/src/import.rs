//! Carries out importers: records an artifact that exists already, or finds the equal record made before.

use penstock_engine::{Event, ImportRequest, ImportResult, NodeId};
use penstock_metastore::{CacheScope, Metastore};
use penstock_spec::artifact::Artifact;
use penstock_spec::report::{Failure, FailureCause};
use tokio::sync::mpsc;

/// Carries out the importers of one run.
#[derive(Debug)]
pub(crate) struct Imports {
    metastore: Metastore,
    scope: CacheScope,
}

impl Imports {
    pub(crate) fn new(metastore: Metastore, scope: CacheScope) -> Imports {
        Imports { metastore, scope }
    }

    /// Answers with `ImportAnswered`. Nothing is copied: an import is a record.
    pub(crate) fn import(&self, node: NodeId, request: ImportRequest, events: mpsc::Sender<Event>) {
        let (metastore, scope) = (self.metastore.clone(), self.scope.clone());
        tokio::spawn(async move {
            let result = match record(&metastore, &scope, request).await {
                Ok(artifact) => ImportResult::Imported(Box::new(artifact)),
                Err(failure) => ImportResult::Failed(failure),
            };
            // Nobody listens any more only when the run has ended.
            let _ = events.send(Event::ImportAnswered { node, result }).await;
        });
    }
}

async fn record(metastore: &Metastore, scope: &CacheScope, request: ImportRequest) -> Result<Artifact, Failure> {
    if request.download_to_workspace {
        return Err(Failure {
            cause: FailureCause::Refused,
            message: format!(
                "cannot import {} into the run's workspace: a workspace is a volume of the cluster, and this run has none",
                request.artifact.uri
            ),
        });
    }
    if request.reimport {
        return Ok(request.artifact);
    }
    match metastore.find_imported(scope, &request.artifact).await {
        Ok(found) => Ok(found.unwrap_or(request.artifact)),
        Err(error) => Err(Failure {
            cause: FailureCause::Infrastructure,
            message: format!(
                "cannot look for an earlier import of {}: {}",
                request.artifact.uri,
                crate::error::chain(&error)
            ),
        }),
    }
}
