//! What failures of the store mean to clients.

use penstock_metastore::MetastoreError;
use penstock_runtime::logs::chain;

use super::{ApiError, ErrorKind};

impl From<MetastoreError> for ApiError {
    fn from(error: MetastoreError) -> Self {
        match &error {
            MetastoreError::NoSuchRun { run } => Self::not_found("Run", run),
            MetastoreError::NotFound { kind, id } => Self::not_found(shown_kind(kind), id),
            MetastoreError::NameTaken { kind, name } => Self::already_exists(format!(
                "Failed to create a new {kind}. The name {name} already exists. Please specify a new name"
            )),
            MetastoreError::HasVersions { pipeline, version } => Self::invalid(format!(
                "Failed to delete pipeline with id {pipeline} as it has existing pipeline versions (e.g. {version}). \
                 Set cascade=true to delete all versions"
            )),
            MetastoreError::RunExists { .. } => Self::already_exists(error.to_string()),
            MetastoreError::PageToken { .. } => Self::invalid("Invalid page token"),
            MetastoreError::TooManyConditions { .. } => Self::invalid(error.to_string()),
            MetastoreError::Busy { .. }
            | MetastoreError::Closed { .. }
            | MetastoreError::Unreachable { .. }
            | MetastoreError::Unsettled { .. } => Self::new(ErrorKind::Unavailable, chain(&error)),
            _ => Self::internal(chain(&error)),
        }
    }
}

/// The word that clients know for what the store calls `kind`.
fn shown_kind(kind: &str) -> &str {
    match kind {
        "experiment" => "Experiment",
        "pipeline" => "Pipeline",
        "pipeline version" => "PipelineVersion",
        "run" => "Run",
        "recurring run" => "Job",
        "artifact" => "Artifact",
        other => other,
    }
}
