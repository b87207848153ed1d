//! Creates runs: everything that can be refused is refused before anything is stored.

use std::path::PathBuf;

use penstock_engine::{ParameterError, Pipeline, parameters};
use penstock_metastore::{MetastoreError, NewRun};
use penstock_objectstore::TransferError;
use penstock_spec::Timestamp;
use penstock_spec::check::CheckedPipeline;
use penstock_spec::run::RunInfo;
use penstock_spec::uri::split_query;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::warn;
use uuid::Uuid;

use crate::driver::Driver;
use crate::process::workspace_dir;

/// A run to create.
#[derive(Debug)]
pub struct CreateRun {
    /// The pipeline.
    pub pipeline: CheckedPipeline,
    /// The pipeline's text, as it was given; stored with the run.
    pub pipeline_text: String,
    /// Parameters as given.
    pub parameters: Map<String, Value>,
    /// Name for people; the pipeline's name and the time when absent.
    pub display_name: Option<String>,
    /// Pipeline root, such as `s3://bucket/prefix`; when absent the author's own, or else the driver's default.
    pub root: Option<String>,
    /// Whether results of earlier runs may be used.
    pub caching: bool,
    /// How attempts of the run are carried out.
    pub options: RunOptions,
}

/// How attempts of a run are carried out on this machine. Stored with the run, so that a resume behaves the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunOptions {
    /// Whether a component that is only an image and a command may run as a process of this machine.
    pub host_commands: bool,
    /// Where containerised Python components find their `kfp_config.ini`.
    pub component_dir: Option<PathBuf>,
}

/// A run cannot be created.
#[derive(Debug, Error)]
pub enum CreateRunError {
    /// The parameters do not fit the pipeline.
    #[error(transparent)]
    Parameters(ParameterError),
    /// The pipeline root cannot be used.
    #[error(transparent)]
    Root(RootError),
    /// The metastore failed.
    #[error("cannot store the run")]
    Metastore(#[source] MetastoreError),
}

/// The place where a run's artifacts go cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the pipeline root {root} (--root)")]
pub struct RootError {
    /// The root.
    pub root: String,
    /// Why.
    pub source: TransferError,
}

impl RootError {
    /// Whether the same root may work later: its store was not reached, or has no room.
    pub fn may_pass(&self) -> bool {
        self.source.is_infrastructure()
    }
}

impl Driver {
    /// Checks a run and stores it. It starts when it is driven.
    pub async fn create_run(&self, request: CreateRun) -> Result<Uuid, CreateRunError> {
        let root = self.pipeline_root(&request).to_owned();
        let id = Uuid::new_v4();
        let now = Timestamp::now();
        let pipeline = Pipeline::compile(&request.pipeline);
        let info = RunInfo {
            id,
            name: format!("{}-{}", resource_name(pipeline.name()), &id.simple().to_string()[..5]),
            display_name: request
                .display_name
                .unwrap_or_else(|| format!("{} {}", pipeline.name(), now.strftime("%Y-%m-%d %H:%M:%S"))),
            pipeline_name: pipeline.name().to_owned(),
            namespace: String::new(),
            pipeline_root: without_last_slash(&root).to_owned(),
            created_at: now,
            scheduled_at: now,
            caching: request.caching,
            workspace: self.workspace(&request.pipeline, id),
        };
        parameters::resolve(&pipeline, &request.parameters, &info).map_err(CreateRunError::Parameters)?;
        self.check_root(&root).await.map_err(CreateRunError::Root)?;
        let options = serde_json::to_value(&request.options).unwrap_or_default();
        self.metastore()
            .create_run(NewRun { info, pipeline_text: request.pipeline_text, parameters: request.parameters, options })
            .await
            .map_err(CreateRunError::Metastore)?;
        Ok(id)
    }

    /// A directory that the run's tasks share, when the pipeline asks for one; it is made before the first of them runs.
    fn workspace(&self, pipeline: &CheckedPipeline, run: Uuid) -> Option<String> {
        pipeline.platform.as_ref()?.kubernetes.pipeline_config.workspace.as_ref()?;
        Some(workspace_dir(self.data_dir(), run).display().to_string())
    }

    /// The root that the run names, or its author, or the driver. An author's root of a kind that this machine has no
    /// store for, such as `gs://`, is passed over with a warning: it is where a cluster keeps artifacts.
    fn pipeline_root<'a>(&'a self, request: &'a CreateRun) -> &'a str {
        if let Some(root) = &request.root {
            return root;
        }
        let (authors, default) = (request.pipeline.spec.default_pipeline_root.as_str(), self.default_root());
        if authors.is_empty() {
            return default;
        }
        match self.transfer().stores().open(split_query(authors).0) {
            Ok(_) => authors,
            Err(error) => {
                warn!(
                    "the pipeline's own root {authors} cannot be used here ({error}); artifacts go to {default}, and \
                     --root names another place"
                );
                default
            }
        }
    }

    /// Makes sure that a pipeline root can be read and written, before user code runs in vain (F-27).
    pub async fn check_root(&self, root: &str) -> Result<(), RootError> {
        self.transfer().probe(split_query(root).0).await.map_err(|source| RootError { root: root.to_owned(), source })
    }
}

/// The root of a bucket or of the file system keeps its slashes.
fn without_last_slash(root: &str) -> &str {
    match root.trim_end_matches('/') {
        scheme if scheme.ends_with(':') => root,
        trimmed => trimmed,
    }
}

/// The last segment of a pipeline's name, as the first part of its runs' resource names.
fn resource_name(pipeline: &str) -> &str {
    pipeline.rsplit('/').next().unwrap_or(pipeline)
}
