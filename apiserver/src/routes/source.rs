//! What runs and recurring runs are made from, as clients say it.

use penstock_metastore::{Comparison, Operand, PipelineVersion, Predicate};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;
use crate::router::{Access, Entered, Resource, Verb};
use crate::routes::parse_id;
use crate::wire::{Fields, Query, WireError};

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

    /// The version that is named, or the latest of the pipeline. Who runs a pipeline sees what is in it.
    pub(super) async fn resolve(&self, access: &Access) -> Result<PipelineVersion, ApiError> {
        let Self { pipeline, version } = self;
        let access = access.needing(Resource::Pipelines, Verb::Get);
        let found = match version.as_str() {
            "" => access.latest_version(pipeline).await?,
            text => access.version(text).await?.1,
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

/// Where something new goes: an experiment, and the namespace that it lies in.
pub(super) struct Home {
    pub(super) api: Api,
    pub(super) experiment: Uuid,
    pub(super) namespace: String,
}

/// The experiment that a request names, or the default one if there is such a thing.
pub(super) async fn home(access: &Access, experiment: &str) -> Result<Home, ApiError> {
    let is_multi_user = access.is_multi_user();
    match experiment {
        "" if is_multi_user => Err(ApiError::invalid("Experiment id can not be empty in multi-user mode")),
        "" => {
            let Entered { api, namespace, .. } = access.namespace("", "").await?;
            Ok(Home { experiment: api.default_experiment().await?, namespace, api })
        }
        text => {
            let (api, found) = access.experiment(text).await?;
            let namespace = if is_multi_user { found.namespace } else { api.namespace().to_owned() };
            Ok(Home { experiment: found.id, namespace, api })
        }
    }
}

/// Fields that a list is narrowed by to what somebody may see.
pub(super) struct ScopeFields<F> {
    pub(super) namespace: F,
    pub(super) experiment: F,
    /// What is said to whom names neither.
    pub(super) missing: &'static str,
}

/// What a list is of.
pub(super) struct Scope<F> {
    pub(super) api: Api,
    pub(super) predicates: Vec<Predicate<F>>,
    /// An experiment that nobody has looked for yet: the list must be refused if it is not there.
    pub(super) unseen: Option<Uuid>,
}

/// What a list is of: an experiment or a namespace.
pub(super) async fn scope<F: Copy>(
    access: &Access,
    query: &Query,
    fields: &ScopeFields<F>,
) -> Result<Scope<F>, ApiError> {
    let (namespace, experiment) = (query.text("namespace")?, query.text("experiment_id")?);
    if experiment.is_empty() {
        let place = access.namespace(namespace, fields.missing).await?;
        return Ok(Scope { predicates: place.only(fields.namespace), api: place.api, unseen: None });
    }
    let is_of = |id| {
        let (field, comparison, operand) = (fields.experiment, Comparison::Equal, Operand::Id(id));
        Predicate::Compare { field, comparison, operand }
    };
    if !access.is_multi_user() {
        // Wherever it lies, rights are the same, so whatever lists can look for it besides.
        let id = parse_id("Experiment", experiment)?;
        let place = access.namespace("", fields.missing).await?;
        return Ok(Scope { api: place.api, predicates: vec![is_of(id)], unseen: Some(id) });
    }
    let (_, found) = access.experiment(experiment).await?;
    if !namespace.is_empty() && namespace != found.namespace {
        return Err(elsewhere(found.id, &found.namespace, namespace));
    }
    let place = access.namespace(&found.namespace, fields.missing).await?;
    let mut predicates = place.only(fields.namespace);
    predicates.push(is_of(found.id));
    Ok(Scope { api: place.api, predicates, unseen: None })
}

/// What is said of an experiment that does not lie where a request says.
pub(super) fn elsewhere(experiment: Uuid, namespace: &str, asked: &str) -> ApiError {
    ApiError::invalid(format!("Experiment {experiment} belongs to namespace '{namespace}' instead of '{asked}'"))
}

/// KFP's account of runs, unless another one is named. It is shown again, and nothing runs under it.
pub(super) fn account_or_default(account: String) -> String {
    if account.is_empty() { penstock_spec::keys::KFP_SERVICE_ACCOUNT.to_owned() } else { account }
}
