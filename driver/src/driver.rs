//! The driver: its data directory, stores and interpreters, its cluster if it has one, and the runs it drives.

mod pods;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use penstock_engine::NodeId;
use penstock_launcher::{PythonHost, PythonSettings};
use penstock_metastore::{CacheScope, Command, Listed, Metastore, PendingCommand, RunToDrive, StoreLocation};
use penstock_objectstore::{StoreSettings, Stores, Transfer, TransferSettings};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::RunInfo;
use tracing::info;
use uuid::Uuid;

use crate::backend::{Backend, Observation};
use crate::cache::CacheLookups;
use crate::claims::{Claims, TAKEOVER_AFTER};
use crate::create::{BackendKind, RunOptions};
use crate::data_dir;
use crate::drive::{HostParts, RunControl, RunEnd, RunHost, event_queue};
use crate::endpoints::StoreEndpoints;
use crate::error::{DriveError, DriverError};
use crate::import::Imports;
use crate::kubernetes::{KubernetesBackend, KubernetesHost, KubernetesSettings, RunPods};
use crate::left_behind;
use crate::ownership::{Ownership, Presence};
use crate::process::{ProcessBackend, ProcessSettings};

/// Longest time that giving up unfinished uploads may take at the end.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// Settings of a driver.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// Where everything is kept: `penstock.db`, `artifacts/`, `work/`, `envs/`, `runs/`.
    pub data_dir: PathBuf,
    /// The metastore; `penstock.db` in the data directory when absent.
    pub store: Option<StoreLocation>,
    /// Pipeline root of runs that name none; `artifacts/` in the data directory when absent.
    pub default_root: Option<String>,
    /// How object stores are reached.
    pub stores: StoreSettings,
    /// Attempts of one run at a time.
    pub concurrency: u32,
    /// Interpreter that Python components are based on; `python3` when absent.
    pub python: Option<PathBuf>,
    /// Time between SIGTERM and SIGKILL for a process that is stopped.
    pub grace: Duration,
    /// The cluster on which runs may be carried out; none without.
    pub kubernetes: Option<KubernetesSettings>,
}

/// The driver of this machine. Clones share everything.
#[derive(Debug, Clone)]
pub struct Driver {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    data_dir: PathBuf,
    default_root: String,
    concurrency: u32,
    grace: Duration,
    metastore: Metastore,
    transfer: Arc<Transfer>,
    python: Arc<PythonHost>,
    kubernetes: Option<Arc<KubernetesHost>>,
    endpoints: StoreEndpoints,
    claims: Claims,
}

impl Driver {
    /// Opens the data directory.
    pub async fn open(settings: DriverSettings) -> Result<Driver, DriverError> {
        Driver::open_with(settings, TAKEOVER_AFTER).await
    }

    /// Opens the data directory. Other machines take over the runs of this process when it is silent for so long.
    pub async fn open_with(settings: DriverSettings, takeover_after: Duration) -> Result<Driver, DriverError> {
        let DriverSettings { data_dir, store, default_root, stores, concurrency, python, grace, kubernetes } = settings;
        let unusable = |source| DriverError::DataDir { path: data_dir.clone(), source };
        std::fs::create_dir_all(&data_dir).map_err(unusable)?;
        let data_dir = data_dir.canonicalize().map_err(unusable)?;
        let directory = data_dir::identity(&data_dir).map_err(unusable)?;
        let store = store.unwrap_or_else(|| StoreLocation::Sqlite(data_dir.join("penstock.db")));
        let metastore =
            Metastore::open(&store).await.map_err(|source| DriverError::Metastore { store: store.clone(), source })?;
        let endpoints = StoreEndpoints::of(&stores);
        let stores = Arc::new(Stores::new(stores).map_err(DriverError::Stores)?);
        let transfer = Arc::new(Transfer::new(stores, TransferSettings::default()));
        let python = Arc::new(PythonHost::new(PythonSettings::new(python, data_dir.join("envs"))));
        let default_root = default_root.unwrap_or_else(|| format!("file://{}", data_dir.join("artifacts").display()));
        let kubernetes = kubernetes.map(KubernetesHost::new).transpose().map_err(DriverError::Metrics)?.map(Arc::new);
        let claims = Claims::new(metastore.clone(), directory, takeover_after);
        let parts = Parts {
            data_dir,
            default_root,
            concurrency,
            grace,
            metastore,
            transfer,
            python,
            kubernetes,
            endpoints,
            claims,
        };
        Ok(Driver { parts: Arc::new(parts) })
    }

    /// The metastore.
    pub fn metastore(&self) -> &Metastore {
        &self.parts.metastore
    }

    /// Moves artifacts.
    pub fn transfer(&self) -> &Arc<Transfer> {
        &self.parts.transfer
    }

    /// The data directory, absolute.
    pub fn data_dir(&self) -> &std::path::Path {
        &self.parts.data_dir
    }

    pub(crate) fn default_root(&self) -> &str {
        &self.parts.default_root
    }

    pub(crate) fn kubernetes(&self) -> Option<&Arc<KubernetesHost>> {
        self.parts.kubernetes.as_ref()
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.parts.claims
    }

    /// Whether it knows a cluster.
    pub fn has_cluster(&self) -> bool {
        self.parts.kubernetes.is_some()
    }

    /// Whether some process of this data directory drives the run now.
    pub fn is_driven(&self, run: Uuid) -> bool {
        is_driven(&self.parts.data_dir, run)
    }

    /// Whether some process elsewhere has the run, one that has not been silent for long as far as this one has seen: it
    /// has to ask now and then to see that.
    pub async fn is_driven_elsewhere(&self, run: Uuid) -> Result<bool, DriveError> {
        let claim = self.metastore().run_claim(run).await.map_err(|source| DriveError::Metastore { run, source })?;
        Ok(claim.is_some_and(|claim| self.claims().is_taken(&claim)))
    }

    /// Says that this process drives whatever is to be driven here by a backend, as long as the value lives.
    pub fn announce(&self, backend: BackendKind) -> Result<Presence, DriverError> {
        let path = self.data_dir().to_owned();
        Presence::announce(&path, backend).map_err(|source| DriverError::DataDir { path, source })
    }

    /// Drives a run to its end: starts it, goes on after a kill, or carries out a command that waits. If a process of
    /// another machine has it, it is waited for a sign of life of that.
    pub async fn drive(&self, run: Uuid, control: RunControl) -> Result<RunEnd, DriveError> {
        self.drive_when_free(run, control, true).await
    }

    /// The same; `patient` says whether a process elsewhere that has the run is watched for a while.
    pub(crate) async fn drive_when_free(
        &self,
        run: Uuid,
        control: RunControl,
        patient: bool,
    ) -> Result<RunEnd, DriveError> {
        let parts = &self.parts;
        let _ownership = Ownership::take(&parts.data_dir, run)?;
        let failed = |source| DriveError::Metastore { run, source };
        let row = parts.metastore.run(run).await.map_err(failed)?;
        // Options of a newer build are unknown here; what they do not say has its default.
        let options: RunOptions = serde_json::from_value(row.options).unwrap_or_default();
        let has_workspace = row.info.workspace.is_some();
        let (sender, events) = event_queue();
        let on_cluster = options.backend == BackendKind::Kubernetes;
        let info = row.info.clone();
        let (host_commands, rules) = (options.host_commands, options.cache);
        let claims = self.kubernetes().filter(|_| on_cluster).map(|host| host.volume_claims(&info.namespace));
        self.check_data_dir(run, options.data_dir).await?;
        let (backend, capacity) = self.backend(&row.info, options, sender.clone())?;
        // Of several drivers of a cluster a Lease lets one work at a time, and Pods outlive it.
        let claim = match on_cluster {
            true => None,
            false => Some(parts.claims.take(run, &control, patient).await?),
        };
        let epoch = match &claim {
            Some(claim) => claim.epoch(),
            None => parts.metastore.take_epoch(run).await.map_err(failed)?,
        };
        let scope = CacheScope { pipeline_name: row.info.pipeline_name, namespace: row.info.namespace };
        let (metastore, transfer) = (parts.metastore.clone(), Arc::clone(&parts.transfer));
        let host = HostParts {
            epoch,
            backend,
            cache: CacheLookups::new(metastore.clone(), transfer, scope.clone(), host_commands, rules)
                .with_claims(claims),
            imports: Imports::new(metastore.clone(), scope, has_workspace),
            metastore,
            sender,
            events,
            capacity,
        };
        let end = async { Box::pin(RunHost::load(run, host)).await?.drive(control).await };
        let end = Box::pin(end).await;
        if let Some(claim) = claim {
            claim.release().await;
        }
        if on_cluster && end.is_ok() {
            self.clean_up_after(&info).await;
        }
        end
    }

    /// A run whose files are in another data directory can only be ended here, when somebody asks for that.
    async fn check_data_dir(&self, run: Uuid, bound_to: Option<Uuid>) -> Result<(), DriveError> {
        if bound_to.is_none_or(|directory| directory == self.claims().data_dir()) {
            return Ok(());
        }
        let failed = |source| DriveError::Metastore { run, source };
        let commands = self.metastore().pending_commands(run).await.map_err(failed)?;
        let terminates =
            |stored: &PendingCommand| matches!(&stored.command, Listed::Readable(Command::Terminate { .. }));
        if commands.iter().any(terminates) { Ok(()) } else { Err(DriveError::Elsewhere { run }) }
    }

    /// Whether a run that the store lists is for this process: its files are within reach, and nobody elsewhere has it.
    pub(crate) fn may_drive(&self, listed: &RunToDrive) -> bool {
        let RunToDrive { run, options, newest_command, terminating, claim, .. } = listed;
        // Options of a newer build are unknown here, as when it is driven.
        let options: RunOptions = serde_json::from_value(options.clone()).unwrap_or_default();
        if options.backend == BackendKind::Kubernetes {
            return true;
        }
        let claims = self.claims();
        if claim.as_ref().is_some_and(|claim| claims.is_taken(claim)) {
            return false;
        }
        let is_in_reach = options.data_dir.is_none_or(|directory| directory == claims.data_dir());
        // Whoever has its files has the first word. If nobody answers, whoever asks for its end gets that.
        let command = u64::try_from(newest_command.unwrap_or_default()).unwrap_or_default();
        is_in_reach || (*terminating && claims.is_abandoned(*run, command))
    }

    /// Ends what processes of this data directory that were killed have left at work, before others may take their runs
    /// over, or after.
    pub(crate) async fn end_left_behind(&self) {
        let data_dir = self.parts.data_dir.clone();
        let ended = tokio::task::spawn_blocking(move || left_behind::end(&data_dir)).await.unwrap_or_default();
        if ended > 0 {
            info!(processes = ended, "processes that an earlier driver left behind were killed");
        }
    }

    /// The place where attempts of a run are carried out, and how many of them at a time.
    fn backend(
        &self,
        run: &RunInfo,
        options: RunOptions,
        observations: Observation,
    ) -> Result<(Arc<dyn Backend>, u32), DriveError> {
        let parts = &self.parts;
        match options.backend {
            BackendKind::Process => {
                let settings = ProcessSettings {
                    data_dir: parts.data_dir.clone(),
                    transfer: Arc::clone(&parts.transfer),
                    python: Arc::clone(&parts.python),
                    component_dir: options.component_dir,
                    host_commands: options.host_commands,
                    grace: parts.grace,
                };
                Ok((Arc::new(ProcessBackend::new(run.id, settings, observations)), parts.concurrency))
            }
            BackendKind::Kubernetes => {
                let no_cluster = || DriveError::NoCluster { run: run.id, namespace: run.namespace.clone() };
                let host = self.kubernetes().ok_or_else(no_cluster)?;
                let (transfer, metastore) = (Arc::clone(&parts.transfer), parts.metastore.clone());
                let pods = RunPods::new(Arc::clone(host), &run.namespace, transfer, parts.endpoints.clone(), metastore);
                let backend = KubernetesBackend::new(run.clone(), pods, observations);
                Ok((Arc::new(backend), host.concurrency()))
            }
        }
    }

    /// For how long no watch of task Pods has given a sign of life, where that is too long: what this process knows of the
    /// cluster may be out of date (F-05).
    pub fn silence_of_watches(&self) -> Option<Duration> {
        self.kubernetes().and_then(|host| host.silence())
    }

    /// What attempts of a run wait for on the cluster, such as the scheduler's or the puller's message. Only of runs that
    /// this process drives.
    pub fn waiting_reasons(&self, run: Uuid) -> Vec<(AttemptRef, String)> {
        self.kubernetes().map(|host| host.reasons(run)).unwrap_or_default()
    }

    /// Stores the command that lets a run go on that ended; [`Driver::drive`] carries it out. Tasks that are named start
    /// anew, whatever they came to.
    pub async fn retry(&self, run: Uuid, from: Vec<NodeId>) -> Result<(), DriveError> {
        let key = format!("retry-{}", Uuid::new_v4());
        let command = if from.is_empty() { Command::Retry } else { Command::RetryFrom { from } };
        self.metastore()
            .put_command(run, &key, &command)
            .await
            .map(|_| ())
            .map_err(|source| DriveError::Metastore { run, source })
    }

    /// Finishes what goes on behind runs that have ended, and closes the metastore. Interpreters end with the last
    /// clone.
    pub async fn close(self) {
        self.parts.transfer.settle(SETTLE_LIMIT).await;
        self.parts.claims.leave().await;
        self.parts.metastore.close().await;
    }
}

/// Whether some process of this machine drives a run of this data directory now.
pub fn is_driven(data_dir: &std::path::Path, run: Uuid) -> bool {
    Ownership::is_taken(data_dir, run)
}

/// Whether some process of this machine drives whatever is to be driven in this data directory by a backend.
pub fn is_served(data_dir: &std::path::Path, backend: BackendKind) -> bool {
    Presence::is_announced(data_dir, backend)
}
