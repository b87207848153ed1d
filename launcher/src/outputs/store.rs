//! Uploading collected artifacts.

use std::path::PathBuf;
use std::sync::Arc;

use penstock_objectstore::{Transfer, TransferError};
use penstock_spec::artifact::Content;
use penstock_spec::report::TaskOutputs;
use thiserror::Error;
use tokio::task::JoinSet;

use super::Collected;
use crate::places::Locate;

/// An output that could not be stored.
#[derive(Debug, Error)]
pub enum StoreOutputError {
    /// The transfer failed.
    #[error("cannot store output artifact {name:?} from {} at {uri}", path.display())]
    Upload {
        /// Output.
        name: String,
        /// Where the content is.
        path: PathBuf,
        /// Where it goes.
        uri: String,
        /// Why.
        source: TransferError,
    },
    /// The transfer's task ended badly.
    #[error("storing an output artifact stopped unexpectedly")]
    Stopped(#[source] tokio::task::JoinError),
}

/// Output, index in its list, and what was stored if there was anything.
type Stored = (String, usize, Option<Content>);

/// Stores every file that exists and completes the records. A missing file is fine: the artifact is recorded without
/// content. Dropping the future stops the uploads.
pub async fn store(
    transfer: &Arc<Transfer>,
    collected: Collected,
    locate: &(dyn Locate + Sync),
) -> Result<TaskOutputs, StoreOutputError> {
    let mut outputs = TaskOutputs { parameters: collected.parameters, ..TaskOutputs::default() };
    let mut uploads: JoinSet<Result<Stored, StoreOutputError>> = JoinSet::new();
    for (name, artifacts) in collected.artifacts {
        for (index, collected) in artifacts.iter().enumerate() {
            let Some(path) = collected.file.clone() else { continue };
            let source = locate.source(path.clone());
            let (transfer, name, uri) = (Arc::clone(transfer), name.clone(), collected.artifact.uri.clone());
            uploads.spawn(async move {
                match transfer.upload_from(source, &uri).await {
                    Ok(content) => Ok((name, index, Some(content))),
                    Err(TransferError::NoSource { .. }) => Ok((name, index, None)),
                    Err(source) => Err(StoreOutputError::Upload { name, path, uri, source }),
                }
            });
        }
        outputs.artifacts.insert(name, artifacts.into_iter().map(|collected| collected.artifact).collect());
    }
    while let Some(uploaded) = uploads.join_next().await {
        let (name, index, content) = uploaded.map_err(StoreOutputError::Stopped)??;
        if let Some(artifact) = outputs.artifacts.get_mut(&name).and_then(|artifacts| artifacts.get_mut(index)) {
            artifact.content = content.or(artifact.content.take());
        }
    }
    Ok(outputs)
}
