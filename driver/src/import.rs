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
    has_workspace: bool,
}

impl Imports {
    pub(crate) fn new(metastore: Metastore, scope: CacheScope, has_workspace: bool) -> Imports {
        Imports { metastore, scope, has_workspace }
    }

    /// Answers with `ImportAnswered`. Nothing is copied: an import is a record, and a task on this machine is given a
    /// copy of its own where it would find one in the workspace on a cluster.
    pub(crate) fn import(&self, node: NodeId, request: ImportRequest, events: mpsc::Sender<Event>) {
        let (metastore, scope) = (self.metastore.clone(), self.scope.clone());
        let lacks_workspace = request.download_to_workspace && !self.has_workspace;
        tokio::spawn(async move {
            let recorded = match lacks_workspace {
                true => Err(no_workspace(&request.artifact.uri)),
                false => record(&metastore, &scope, request).await,
            };
            let result = match recorded {
                Ok(artifact) => ImportResult::Imported(Box::new(artifact)),
                Err(failure) => ImportResult::Failed(failure),
            };
            // Nobody listens any more only when the run has ended.
            let _ = events.send(Event::ImportAnswered { node, result }).await;
        });
    }
}

fn no_workspace(uri: &str) -> Failure {
    let message = format!(
        "cannot import {uri} into the run's workspace: the pipeline asks for none; give it one with \
         dsl.PipelineConfig(workspace=...)"
    );
    Failure { cause: FailureCause::Refused, message }
}

async fn record(metastore: &Metastore, scope: &CacheScope, request: ImportRequest) -> Result<Artifact, Failure> {
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
