//! Creates runs: everything that can be refused is refused before anything is stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_engine::{ParameterError, Pipeline, parameters};
use penstock_metastore::{MetastoreError, NewRun, RunRegistration};
use penstock_objectstore::TransferError;
use penstock_spec::Timestamp;
use penstock_spec::check::CheckedPipeline;
use penstock_spec::keys;
use penstock_spec::retention::Retention;
use penstock_spec::run::{CacheOff, CacheRules, RunInfo, default_display_name};
use penstock_spec::uri::split_query;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::warn;
use uuid::Uuid;

use crate::driver::Driver;
use crate::error::chain;
use crate::kubernetes::{
    ClaimError, KubernetesHost, NamespaceSettingsError, PlatformErrors, UnsupportedSettings, check_submission,
    is_prepared, of_runs, unsupported_settings,
};
use crate::process::workspace_dir;

/// A run to create.
#[derive(Debug)]
pub struct CreateRun {
    /// Its identity; a new one when absent. Creating the same run again changes nothing.
    pub id: Option<Uuid>,
    /// The pipeline.
    pub pipeline: CheckedPipeline,
    /// The pipeline's text, as it was given; stored with the run.
    pub pipeline_text: String,
    /// Parameters as given.
    pub parameters: Map<String, Value>,
    /// Name for people; the pipeline's name and the time when absent.
    pub display_name: Option<String>,
    /// The slot of a schedule that the run is for; the time of its creation when absent.
    pub scheduled_at: Option<Timestamp>,
    /// Namespace of a run on Kubernetes; the driver's default when absent. A run of this machine has none.
    pub namespace: Option<String>,
    /// Pipeline root, such as `s3://bucket/prefix`; when absent the author's own, or else the default of the driver or the
    /// namespace.
    pub root: Option<String>,
    /// Whether results of earlier runs may be used.
    pub caching: bool,
    /// How attempts of the run are carried out.
    pub options: RunOptions,
    /// What the run belongs to.
    pub registration: RunRegistration,
}

impl CreateRun {
    /// A run of a pipeline, whose text is given beside it, with everything as it is when nobody says otherwise.
    pub fn new(pipeline: CheckedPipeline, pipeline_text: String) -> CreateRun {
        CreateRun {
            id: None,
            pipeline,
            pipeline_text,
            parameters: Map::new(),
            display_name: None,
            scheduled_at: None,
            namespace: None,
            root: None,
            caching: true,
            options: RunOptions::default(),
            registration: RunRegistration::default(),
        }
    }
}

/// How a run is carried out. Stored with it, so that a resume behaves the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunOptions {
    /// Where attempts are carried out.
    pub backend: BackendKind,
    /// Whether a component that is only an image and a command may run as a process of this machine.
    pub host_commands: bool,
    /// Where containerised Python components find their `kfp_config.ini`.
    pub component_dir: Option<PathBuf>,
    /// KFP's service account of the run. It is shown again, and nothing runs under it: user code has no token, and a task
    /// that needs one asks for an account of its own.
    pub service_account: String,
    /// What decides about results from the cache, beside the tasks.
    pub cache: CacheRules,
    /// For how long what the run leaves in a cluster is kept, as its pipeline says.
    #[serde(skip_serializing_if = "Retention::is_empty")]
    pub retention: Retention,
    /// The data directory that the run's files are in, where it cannot be driven without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<Uuid>,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            backend: BackendKind::default(),
            host_commands: false,
            component_dir: None,
            service_account: keys::KFP_SERVICE_ACCOUNT.to_owned(),
            cache: CacheRules::default(),
            retention: Retention::default(),
            data_dir: None,
        }
    }
}

/// Where attempts are carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendKind {
    /// As processes of this machine.
    #[default]
    Process,
    /// As Pods.
    Kubernetes,
}

/// A run cannot be created.
#[derive(Debug, Error)]
pub enum CreateRunError {
    /// The parameters do not fit the pipeline.
    #[error(transparent)]
    Parameters(ParameterError),
    /// The pipeline uses what the Kubernetes backend does not honour yet.
    #[error(transparent)]
    Unsupported(UnsupportedSettings),
    /// The pipeline has settings for Kubernetes that no Pod can have.
    #[error(transparent)]
    Platform(PlatformErrors),
    /// The run is to be carried out on a cluster, and this driver has none.
    #[error("the run is to be carried out on Kubernetes, and this driver has no cluster")]
    NoCluster,
    /// The root is out of the Pods' reach.
    #[error(
        "the pipeline root {root} is a place of this machine, which Pods do not reach; name one in an object store, such as \
         s3://bucket/prefix (--root)"
    )]
    LocalRoot {
        /// The root.
        root: String,
    },
    /// The workspace cannot be what the pipeline asks for.
    #[error("the run cannot have its workspace (dsl.PipelineConfig): {0}")]
    Workspace(ClaimError),
    /// The namespace's settings cannot be used.
    #[error(transparent)]
    Namespace(NamespaceSettingsError),
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

/// What follows from where a run is carried out.
struct Place {
    /// Empty on this machine.
    namespace: String,
    default_root: String,
    /// The cluster, if it is none of this machine's processes.
    cluster: Option<Arc<KubernetesHost>>,
    /// Whether tasks share directories of this machine.
    has_directories: bool,
    /// Whether tasks reach files of this machine.
    has_files: bool,
}

impl Place {
    /// Whether tasks reach what is below a root.
    fn reaches(&self, root: &str) -> bool {
        self.has_files || !["file://", "mem://"].iter().any(|scheme| root.starts_with(scheme))
    }
}

impl Driver {
    /// Checks a run and stores it. It starts when it is driven.
    pub async fn create_run(&self, mut request: CreateRun) -> Result<Uuid, CreateRunError> {
        if !request.caching {
            request.options.cache.off.get_or_insert(CacheOff::Run);
        }
        let place = Box::pin(self.place(&request)).await?;
        let local = |root: &str| CreateRunError::LocalRoot { root: root.to_owned() };
        let root = self.pipeline_root(&request, &place).map_err(local)?.to_owned();
        let is_authors = request.root.is_none() && root != place.default_root;
        let id = request.id.unwrap_or_else(Uuid::new_v4);
        let now = Timestamp::now();
        let pipeline = Pipeline::compile(&request.pipeline);
        let mut info = RunInfo {
            id,
            name: format!("{}-{}", resource_name(pipeline.name()), &id.simple().to_string()[..5]),
            display_name: request.display_name.unwrap_or_else(|| default_display_name(pipeline.name(), now)),
            pipeline_name: pipeline.name().to_owned(),
            namespace: place.namespace.clone(),
            pipeline_root: without_last_slash(&root).to_owned(),
            created_at: now,
            scheduled_at: request.scheduled_at.unwrap_or(now),
            caching: request.options.cache.off.is_none(),
            workspace: pipeline.workspace().map(|_| match place.has_directories {
                true => workspace_dir(self.data_dir(), id).display().to_string(),
                false => keys::WORKSPACE_PATH.to_owned(),
            }),
        };
        if let (Some(host), Some(wanted)) = (&place.cluster, pipeline.workspace()) {
            host.check_workspace(&info, wanted).map_err(CreateRunError::Workspace)?;
        }
        parameters::resolve(&pipeline, &request.parameters, &info).map_err(CreateRunError::Parameters)?;
        match self.check_root(&root).await {
            Ok(()) => {}
            Err(error) if is_authors && place.has_directories && !error.may_pass() => {
                let default = &place.default_root;
                pass_over(&root, &chain(&error.source), default);
                self.check_root(default).await.map_err(CreateRunError::Root)?;
                info.pipeline_root = without_last_slash(default).to_owned();
            }
            Err(error) => return Err(CreateRunError::Root(error)),
        }
        request.options.data_dir = self.bound_to(&info, &request.options);
        request.options.retention = place.cluster.map_or_else(Retention::default, |_| pipeline.retention());
        let options = serde_json::to_value(&request.options).unwrap_or_default();
        self.metastore()
            .create_run(NewRun {
                info,
                pipeline_text: request.pipeline_text,
                parameters: request.parameters,
                options,
                registration: request.registration,
            })
            .await
            .map_err(CreateRunError::Metastore)?;
        Ok(id)
    }

    /// Whether a namespace of the driver's cluster is prepared for tasks: without its account and settings no Pod of a task
    /// can be made there.
    pub async fn is_prepared(&self, namespace: &str) -> Result<bool, CreateRunError> {
        let host = self.kubernetes().ok_or(CreateRunError::NoCluster)?;
        is_prepared(host, namespace).await.map_err(CreateRunError::Namespace)
    }

    /// What follows from where a run is carried out. What its backend does not honour is refused here.
    async fn place(&self, request: &CreateRun) -> Result<Place, CreateRunError> {
        match request.options.backend {
            BackendKind::Process => Ok(Place {
                namespace: String::new(),
                default_root: self.default_root().to_owned(),
                cluster: None,
                has_directories: true,
                has_files: true,
            }),
            BackendKind::Kubernetes => {
                let host = self.kubernetes().ok_or(CreateRunError::NoCluster)?;
                let unsupported = unsupported_settings(&request.pipeline);
                if !unsupported.is_empty() {
                    return Err(CreateRunError::Unsupported(UnsupportedSettings(unsupported)));
                }
                let namespace = request.namespace.as_deref().unwrap_or(host.default_namespace()).to_owned();
                let of = of_runs(host, &namespace).await.map_err(CreateRunError::Namespace)?;
                check_submission(&request.pipeline, &of.store_secrets, host.has_authorities())
                    .map_err(CreateRunError::Platform)?;
                let has_files = host.shares_files();
                let cluster = Some(Arc::clone(host));
                Ok(Place { namespace, default_root: of.default_root, cluster, has_directories: false, has_files })
            }
        }
    }

    /// The data directory that a run cannot do without: its artifacts or a directory of its tasks are in there, or its
    /// components in another directory of this machine.
    fn bound_to(&self, run: &RunInfo, options: &RunOptions) -> Option<Uuid> {
        let root = split_query(&run.pipeline_root).0.strip_prefix("file://");
        let is_inside = root.is_some_and(|root| Path::new(root).starts_with(self.data_dir()));
        let is_bound = is_inside || run.workspace.is_some() || options.component_dir.is_some();
        (options.backend == BackendKind::Process && is_bound).then(|| self.claims().data_dir())
    }

    /// The root that the run names, or its author, or the driver or namespace. An author's root of a kind that this machine has no
    /// store for, such as `gs://`, is passed over with a warning: it is where a cluster keeps artifacts. So is, later on, one that
    /// this machine has no keys for. A root that the run names and its tasks do not reach is the error.
    fn pipeline_root<'a>(&'a self, request: &'a CreateRun, place: &'a Place) -> Result<&'a str, &'a str> {
        if let Some(root) = &request.root {
            return if place.reaches(root) { Ok(root) } else { Err(root) };
        }
        let (authors, default) = (request.pipeline.spec.default_pipeline_root.as_str(), place.default_root.as_str());
        if authors.is_empty() {
            return Ok(default);
        }
        let reason = match self.transfer().stores().open(split_query(authors).0) {
            Ok(_) if place.reaches(authors) => return Ok(authors),
            Ok(_) => "Pods do not reach it".to_owned(),
            Err(error) => error.to_string(),
        };
        pass_over(authors, &reason, default);
        Ok(default)
    }

    /// Makes sure that a pipeline root can be read and written, before user code runs in vain (F-27).
    pub async fn check_root(&self, root: &str) -> Result<(), RootError> {
        self.transfer().probe(split_query(root).0).await.map_err(|source| RootError { root: root.to_owned(), source })
    }
}

/// Says that an author's root is not used.
fn pass_over(authors: &str, reason: &str, default: &str) {
    warn!(
        "the pipeline's own root {authors} cannot be used here ({reason}); artifacts go to {default}, and --root names another \
         place"
    );
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
