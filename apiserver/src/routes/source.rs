//! What runs and recurring runs are made from, as clients say it.

use penstock_metastore::{Comparison, Operand, PipelineVersion, Predicate};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::parse_id;
use crate::api::Api;
use crate::error::ApiError;
use crate::wire::{Fields, WireError};

/// `PipelineVersionReference`
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) pipeline: String,
    pub(super) version: String,
}

impl Reference {
    pub(super) fn read(fields: &mut Fields) -> Result<Option<Self>, WireError> {
        fields.message("pipeline_version_reference", |fields| {
            Ok(Self { pipeline: fields.text("pipeline_id")?, version: fields.text("pipeline_version_id")? })
        })
    }

    /// Whether it refers to nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.pipeline.is_empty() && self.version.is_empty()
    }

    /// The version that is named, or the latest of the pipeline.
    pub(super) async fn resolve(&self, api: &Api) -> Result<PipelineVersion, ApiError> {
        let Self { pipeline, version } = self;
        let found = match version.as_str() {
            "" => api.metastore().latest_version(parse_id("Pipeline", pipeline)?).await?,
            text => api.metastore().version(parse_id("PipelineVersion", text)?).await?,
        };
        if !pipeline.is_empty() && pipeline.parse() != Ok(found.pipeline) {
            let text = format!("Pipeline version {} belongs to pipeline {} (not {pipeline})", found.id, found.pipeline);
            return Err(ApiError::invalid(text));
        }
        Ok(found)
    }
}

/// `RuntimeConfig`
#[derive(Debug, Default)]
pub(super) struct RuntimeConfig {
    pub(super) parameters: Map<String, Value>,
    pub(super) pipeline_root: String,
}

impl RuntimeConfig {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WireError> {
        let config = fields.message("runtime_config", |fields| {
            Ok(Self {
                parameters: fields.structure("parameters")?.unwrap_or_default(),
                pipeline_root: fields.text("pipeline_root")?,
            })
        })?;
        Ok(config.unwrap_or_default())
    }
}

/// An experiment that exists; the default one if none is named.
pub(super) async fn experiment_or_default(api: &Api, text: &str) -> Result<Uuid, ApiError> {
    match text {
        "" => api.default_experiment().await,
        text => experiment(api, text).await,
    }
}

/// An experiment that exists.
async fn experiment(api: &Api, text: &str) -> Result<Uuid, ApiError> {
    Ok(api.metastore().experiment(parse_id("Experiment", text)?).await?.id)
}

/// What narrows a list to one experiment, which must exist; nothing if none is named.
pub(super) async fn of_experiment<F>(api: &Api, text: &str, field: F) -> Result<Vec<Predicate<F>>, ApiError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let operand = Operand::Id(experiment(api, text).await?);
    Ok(vec![Predicate::Compare { field, comparison: Comparison::Equal, operand }])
}

/// KFP's account of runs, unless another one is named. It is shown again, and nothing runs under it.
pub(super) fn account_or_default(account: String) -> String {
    if account.is_empty() { penstock_spec::keys::KFP_SERVICE_ACCOUNT.to_owned() } else { account }
}
