//! Which input artifacts an attempt needs as files, and fetching them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use penstock_objectstore::{Transfer, TransferError};
use penstock_spec::artifact::Content;
use penstock_spec::placeholder::{Argument, ArtifactField, Placeholder, Segment, parse_argument, parse_template};
use penstock_spec::plan::Plan;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::places::Places;

/// An input that could not be fetched.
#[derive(Debug, Error)]
pub enum InputError {
    /// The transfer failed.
    #[error("cannot fetch input artifact {name:?} from {uri}")]
    Fetch {
        /// Name of the input.
        name: String,
        /// URI of the artifact.
        uri: String,
        /// Why.
        source: TransferError,
    },
    /// The transfer's task ended badly.
    #[error("fetching an input artifact stopped unexpectedly")]
    Stopped(#[source] tokio::task::JoinError),
}

/// One artifact to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    name: String,
    uri: String,
    expected: Option<Content>,
    path: PathBuf,
}

impl Fetch {
    /// Where it comes from.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Where it goes.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// The artifacts that user code can reach by path.
#[derive(Debug, Default)]
pub struct Needed {
    /// Those that are fetched.
    pub fetches: Vec<Fetch>,
    /// Those of a scheme without files, by name and URI: their path is the URI itself.
    pub without_files: Vec<(String, String)>,
}

/// The artifacts that user code can reach by path. Code that sees the whole executor input can reach all of them;
/// placeholders for a URI or metadata reach none.
pub fn needed(plan: &Plan, places: &Places) -> Needed {
    let wanted = wanted_inputs(plan);
    let mut needed = Needed::default();
    for (name, artifacts) in plan.inputs.artifacts.iter().filter(|(name, _)| wanted.contains(*name)) {
        for (artifact, place) in artifacts.iter().zip(places.inputs.get(name).into_iter().flatten()) {
            let (name, uri) = (name.clone(), artifact.uri.clone());
            match &place.path {
                Some(path) => needed.fetches.push(Fetch {
                    name,
                    uri,
                    expected: artifact.content.clone(),
                    path: PathBuf::from(path),
                }),
                None if uri.contains("://") => needed.without_files.push((name, uri)),
                None => {}
            }
        }
    }
    needed
}

fn wanted_inputs(plan: &Plan) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let mut pending: Vec<Argument> = plan.command.iter().chain(&plan.args).map(|text| parse_argument(text)).collect();
    while let Some(argument) = pending.pop() {
        let text = match argument {
            Argument::Plain(text) => text,
            Argument::Concat(parts) => {
                pending.extend(parts);
                continue;
            }
            Argument::IfPresent { then, otherwise, .. } => {
                pending.extend(then);
                pending.extend(otherwise);
                continue;
            }
        };
        for segment in parse_template(&text) {
            match segment {
                Segment::Placeholder(Placeholder::ExecutorInput | Placeholder::JsonEscape(_)) => {
                    return plan.inputs.artifacts.keys().cloned().collect();
                }
                Segment::Placeholder(Placeholder::InputArtifact {
                    name,
                    field: ArtifactField::Path | ArtifactField::Whole,
                }) => {
                    wanted.insert(name);
                }
                Segment::Placeholder(_) | Segment::Text(_) => {}
            }
        }
    }
    wanted
}

/// Fetches artifacts, all at once: the transfer engine bounds what is under way. Dropping the future stops it.
pub async fn fetch(transfer: &Arc<Transfer>, fetches: Vec<Fetch>) -> Result<(), InputError> {
    let mut tasks = JoinSet::new();
    for fetch in fetches {
        let transfer = Arc::clone(transfer);
        tasks.spawn(async move {
            match transfer.download(&fetch.uri, fetch.expected.as_ref(), &fetch.path).await {
                // Nothing found is not an error: metrics live in metadata alone.
                Ok(_) => Ok(()),
                Err(source) => Err(InputError::Fetch { name: fetch.name, uri: fetch.uri, source }),
            }
        });
    }
    while let Some(fetched) = tasks.join_next().await {
        fetched.map_err(InputError::Stopped)??;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
