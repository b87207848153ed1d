//! What belongs to somebody, for callers who may have it (T-10). Each function looks up where the object lies, which never
//! changes, and gives it away together with the server only when the caller may do there what the route requires.

use penstock_metastore::{
    ArtifactRecord, Comparison, Experiment, Operand, PipelineVersion, Predicate, RecurringRun, RunRecord,
    StoredArtifact, StoredPipeline,
};
use uuid::Uuid;

use super::gate::Access;
use crate::api::Api;
use crate::error::ApiError;
use crate::routes::parse_id;

/// Longest name of a namespace.
const LONGEST_NAMESPACE: usize = 63;

/// A namespace that the caller may do something in.
#[derive(Debug, Clone)]
pub(crate) struct Entered {
    /// The server.
    pub(crate) api: Api,
    /// The namespace; the server's own where those of requests do not count.
    pub(crate) namespace: String,
    is_one_of_many: bool,
}

impl Entered {
    /// The namespace that a request is about, which is the one that was entered: where those of requests do not count
    /// otherwise, one that is named narrows all the same.
    pub(crate) fn narrowed(&self, asked: &str) -> String {
        match asked {
            "" if self.is_one_of_many => self.namespace.clone(),
            // Runs lie there.
            "" => self.api.own_namespace().to_owned(),
            asked => asked.to_owned(),
        }
    }

    /// What narrows a list to the namespace.
    pub(crate) fn only<F>(&self, field: F) -> Vec<Predicate<F>> {
        let operand = Operand::Text(self.namespace.clone());
        let is_here = Predicate::Compare { field, comparison: Comparison::Equal, operand };
        if self.is_one_of_many { vec![is_here] } else { Vec::new() }
    }
}

impl Access {
    /// The namespace that a request names; `missing` is what is said when it names none.
    pub(crate) async fn namespace(&self, asked: &str, missing: &str) -> Result<Entered, ApiError> {
        if self.is_multi_user() && asked.is_empty() {
            return Err(ApiError::invalid(missing));
        }
        self.enter(asked).await
    }

    /// The same for pipelines: those of no namespace are shared, if there may be such.
    pub(crate) async fn namespace_of_pipelines(&self, asked: &str) -> Result<Entered, ApiError> {
        if self.is_multi_user() && asked.is_empty() && self.sharing().pipelines_need_namespace {
            return Err(ApiError::invalid("Namespace is required for pipeline operations"));
        }
        if self.is_shared(asked) {
            return Ok(Entered { api: self.for_all(), namespace: String::new(), is_one_of_many: true });
        }
        self.enter(asked).await
    }

    async fn enter(&self, asked: &str) -> Result<Entered, ApiError> {
        let is_one_of_many = self.is_multi_user();
        if is_one_of_many {
            check_namespace(asked)?;
        }
        let api = self.within(asked).await?;
        let namespace = if is_one_of_many { asked.to_owned() } else { api.namespace().to_owned() };
        Ok(Entered { api, namespace, is_one_of_many })
    }

    /// Whether everybody may look at pipelines there.
    fn is_shared(&self, namespace: &str) -> bool {
        self.is_multi_user() && namespace.is_empty() && self.only_looks()
    }

    /// A namespace as clients see it: they see none where theirs do not count.
    pub(crate) fn shown_namespace(&self, namespace: String) -> String {
        if self.is_multi_user() { namespace } else { String::new() }
    }

    /// An experiment.
    pub(crate) async fn experiment(&self, id: &str) -> Result<(Api, Experiment), ApiError> {
        let experiment = self.store().experiment(parse_id("Experiment", id)?).await?;
        Ok((self.within(&experiment.namespace).await?, experiment))
    }

    /// A pipeline.
    pub(crate) async fn pipeline(&self, id: &str) -> Result<(Api, StoredPipeline), ApiError> {
        self.pipeline_of_id(parse_id("Pipeline", id)?).await
    }

    /// A pipeline whose versions are listed. Where namespaces count it is looked for, since it says where it lies; otherwise
    /// whatever lists its versions can do that.
    pub(crate) async fn listed_pipeline(&self, id: &str) -> Result<(Api, Uuid), ApiError> {
        if self.is_multi_user() {
            return self.pipeline(id).await.map(|(api, pipeline)| (api, pipeline.id));
        }
        let id = parse_id("Pipeline", id)?;
        Ok((self.within("").await?, id))
    }

    async fn pipeline_of_id(&self, id: Uuid) -> Result<(Api, StoredPipeline), ApiError> {
        let pipeline = self.store().pipeline(id).await?;
        match self.is_shared(&pipeline.namespace) {
            true => Ok((self.for_all(), pipeline)),
            false => Ok((self.within(&pipeline.namespace).await?, pipeline)),
        }
    }

    /// A version of a pipeline, which lies where its pipeline does.
    pub(crate) async fn version(&self, id: &str) -> Result<(Api, PipelineVersion), ApiError> {
        let version = self.store().version(parse_id("PipelineVersion", id)?).await?;
        let (api, _) = self.pipeline_of_id(version.pipeline).await?;
        Ok((api, version))
    }

    /// The latest version of a pipeline.
    pub(crate) async fn latest_version(&self, pipeline: &str) -> Result<PipelineVersion, ApiError> {
        let id = parse_id("Pipeline", pipeline)?;
        let version = self.store().latest_version(id).await?;
        self.pipeline_of_id(id).await?;
        Ok(version)
    }

    /// A run.
    pub(crate) async fn run(&self, id: &str) -> Result<(Api, RunRecord), ApiError> {
        self.run_of_id(parse_id("Run", id)?).await.map_err(|error| error.within(format!("Failed to fetch run {id}")))
    }

    async fn run_of_id(&self, id: Uuid) -> Result<(Api, RunRecord), ApiError> {
        let record = self.store().run_record(id).await?;
        Ok((self.within(&record.row.info.namespace).await?, record))
    }

    /// A recurring run.
    pub(crate) async fn recurring_run(&self, id: &str) -> Result<(Api, RecurringRun), ApiError> {
        let recurring = self.store().recurring_run(parse_id("Job", id)?).await?;
        Ok((self.within(&recurring.namespace).await?, recurring))
    }

    /// What is recorded of an artifact, which stays when the runs that have it are deleted.
    pub(crate) async fn artifact_record(&self, id: &str) -> Result<(Api, ArtifactRecord), ApiError> {
        let found = self.store().artifact_records(&[parse_id("Artifact", id)?]).await?.pop();
        let record = found.ok_or_else(|| ApiError::not_found("Artifact", id))?;
        Ok((self.within(&record.namespace).await?, record))
    }

    /// The server, for what is of no namespace but its own.
    pub(crate) async fn server(&self) -> Result<Api, ApiError> {
        self.within("").await
    }

    /// An artifact, which lies where the run does whose task has put it out, and that run.
    pub(crate) async fn artifact(&self, id: &str) -> Result<(Api, StoredArtifact, RunRecord), ApiError> {
        let artifact = self.store().artifact(parse_id("Artifact", id)?).await?;
        let (api, run) = self.run_of_id(artifact.run).await.map_err(|error| match error.kind() {
            // Deleted in between.
            crate::error::ErrorKind::NotFound => ApiError::not_found("Artifact", id),
            _ => error,
        })?;
        Ok((api, artifact, run))
    }
}

/// Refuses what cannot be the name of a namespace, so that nothing else is asked for.
fn check_namespace(name: &str) -> Result<(), ApiError> {
    // The pipelines of no namespace.
    if name.is_empty() {
        return Ok(());
    }
    if name.len() > LONGEST_NAMESPACE {
        return Err(ApiError::invalid(format!("Namespace length cannot exceed {LONGEST_NAMESPACE}")));
    }
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match name.bytes().all(is_inner) && !name.starts_with('-') && !name.ends_with('-') {
        true => Ok(()),
        false => Err(ApiError::invalid(format!("{name:?} is not the name of a namespace"))),
    }
}
