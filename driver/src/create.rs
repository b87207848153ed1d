//! Creates runs: everything that can be refused is refused before anything is stored.

use std::path::PathBuf;

use penstock_engine::{ParameterError, Pipeline, parameters};
use penstock_metastore::{MetastoreError, NewRun};
use penstock_spec::Timestamp;
use penstock_spec::check::CheckedPipeline;
use penstock_spec::run::RunInfo;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::warn;
use uuid::Uuid;

use crate::cluster_only;
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
    #[error("invalid pipeline job inputs")]
    Parameters(#[source] ParameterError),
    /// The pipeline root cannot be used.
    #[error("cannot use the pipeline root {root} (--root)")]
    Root {
        /// The root.
        root: String,
        /// Why.
        source: Box<penstock_objectstore::StoreError>,
    },
    /// The metastore failed.
    #[error("cannot store the run")]
    Metastore(#[source] MetastoreError),
}

impl Driver {
    /// Checks a run and stores it. It starts when it is driven.
    pub async fn create_run(&self, request: CreateRun) -> Result<Uuid, CreateRunError> {
        let id = Uuid::new_v4();
        let now = Timestamp::now();
        let pipeline = Pipeline::compile(&request.pipeline);
        let root = self.pipeline_root(&request)?;
        for line in request.pipeline.platform.iter().flat_map(|platform| cluster_only::without(platform)) {
            warn!("{line}");
        }
        let info = RunInfo {
            id,
            name: format!("{}-{}", resource_name(pipeline.name()), &id.simple().to_string()[..5]),
            display_name: request
                .display_name
                .unwrap_or_else(|| format!("{} {}", pipeline.name(), now.strftime("%Y-%m-%d %H:%M:%S"))),
            pipeline_name: pipeline.name().to_owned(),
            namespace: String::new(),
            pipeline_root: root,
            created_at: now,
            scheduled_at: now,
            caching: request.caching,
            workspace: self.workspace(&request.pipeline, id),
        };
        parameters::resolve(&pipeline, &request.parameters, &info).map_err(CreateRunError::Parameters)?;
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
    fn pipeline_root(&self, request: &CreateRun) -> Result<String, CreateRunError> {
        let authors = Some(request.pipeline.spec.default_pipeline_root.as_str()).filter(|root| !root.is_empty());
        let root = match (request.root.as_deref(), authors) {
            (Some(root), _) => root,
            (None, Some(root)) => match self.stores().open(root) {
                Ok(_) => root,
                Err(error) => {
                    let default = self.default_root();
                    warn!(
                        "the pipeline's own root {root} cannot be used here ({error}); artifacts go to {default}, and \
                         --root names another place"
                    );
                    default
                }
            },
            (None, None) => self.default_root(),
        };
        match self.stores().open(root) {
            Ok(_) => Ok(root.trim_end_matches('/').to_owned()),
            Err(source) => Err(CreateRunError::Root { root: root.to_owned(), source: Box::new(source) }),
        }
    }
}

/// The last segment of a pipeline's name, as the first part of its runs' resource names.
fn resource_name(pipeline: &str) -> &str {
    pipeline.rsplit('/').next().unwrap_or(pipeline)
}
