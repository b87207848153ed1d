//! A double that drives runs as a test says, over a real metastore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use penstock_driver::service::{DriveRun, Service, ServiceMetrics, ServiceSettings};
use penstock_driver::{DriveError, RunControl, RunEnd};
use penstock_metastore::{Append, Metastore, NewRun, RunRegistration, RunUpdate, StoreLocation};
use penstock_spec::Timestamp;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunInfo, RunStatus};
use prometheus::Registry;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::database::Database;

/// What a double does with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Ends it at once.
    End,
    /// Never ends, and hears nothing.
    Hang,
    /// Its facts do not fit.
    Damaged,
    /// The store fails.
    StoreAway,
    /// Falls over.
    Panic,
    /// Ends it, and somebody deletes it before all is cleaned up behind it.
    Deleted,
}

/// A metastore, and how runs are driven there.
#[derive(Clone)]
pub(crate) struct Double {
    pub(crate) store: Metastore,
    state: Arc<Mutex<State>>,
    place: StoreLocation,
    _directory: Arc<TempDir>,
}

#[derive(Default)]
struct State {
    manners: BTreeMap<Uuid, Manner>,
    drives: BTreeMap<Uuid, usize>,
    at_work: BTreeSet<Uuid>,
    most_at_work: usize,
}

/// Counts a run as at work as long as it lives.
struct AtWork(Double, Uuid);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().at_work.remove(&self.1);
    }
}

impl Double {
    /// `None` after saying that the test is skipped.
    pub(crate) async fn new(database: Database) -> Option<Double> {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let place = database.place(directory.path())?;
        let store = Metastore::open(&place).await.unwrap();
        Some(Double { store, state: Arc::default(), place, _directory: directory })
    }

    /// The same store, opened by another process.
    pub(crate) async fn over_another_connection(&self) -> Double {
        Double { store: Metastore::open(&self.place).await.unwrap(), ..self.clone() }
    }

    /// The same store, driven by another process.
    pub(crate) fn other(&self) -> Double {
        Double { state: Arc::default(), ..self.clone() }
    }

    pub(crate) async fn run(&self, number: u128, backend: &str, manner: Manner) -> Uuid {
        let id = Uuid::from_u128(number);
        self.set(id, manner);
        let created_at = Timestamp::from_second(1_790_000_000 + i64::try_from(number).unwrap()).unwrap();
        let info = RunInfo {
            id,
            name: format!("run-{number}"),
            display_name: format!("Run {number}"),
            pipeline_name: "pipeline".to_owned(),
            namespace: "team".to_owned(),
            pipeline_root: "s3://bucket/root".to_owned(),
            created_at,
            scheduled_at: created_at,
            caching: true,
            workspace: None,
        };
        let options = json!({"backend": backend});
        let run = NewRun {
            info,
            pipeline_text: String::new(),
            parameters: serde_json::Map::new(),
            options,
            registration: RunRegistration::default(),
        };
        self.store.create_run(run).await.unwrap();
        id
    }

    pub(crate) fn set(&self, run: Uuid, manner: Manner) {
        self.state.lock().unwrap().manners.insert(run, manner);
    }

    pub(crate) fn drives(&self, run: Uuid) -> usize {
        self.state.lock().unwrap().drives.get(&run).copied().unwrap_or(0)
    }

    pub(crate) fn at_work(&self) -> BTreeSet<Uuid> {
        self.state.lock().unwrap().at_work.clone()
    }

    pub(crate) fn most_at_work(&self) -> usize {
        self.state.lock().unwrap().most_at_work
    }

    pub(crate) async fn has_ended(&self, run: Uuid) -> bool {
        self.store.run(run).await.unwrap().finished_at.is_some()
    }

    async fn end(&self, run: Uuid) -> Result<RunEnd, DriveError> {
        let failed = |source| DriveError::Metastore { run, source };
        let epoch = self.store.take_epoch(run).await.map_err(failed)?;
        let commands = self.store.pending_commands(run).await.map_err(failed)?;
        let now = Some(Timestamp::now());
        let mut append = Append::new(run, epoch, 0);
        append.commands_taken = commands.iter().map(|command| command.id).collect();
        append.run_update =
            Some(RunUpdate { status: RunStatus::Succeeded, error: None, started_at: now, finished_at: now });
        self.store.append(append).await.map_err(failed)?;
        Ok(RunEnd { status: RunStatus::Succeeded, failure: None, outputs: TaskOutputs::default() })
    }
}

#[async_trait]
impl DriveRun for Double {
    async fn drive(&self, run: Uuid, _control: RunControl) -> Result<RunEnd, DriveError> {
        let manner = {
            let mut state = self.state.lock().unwrap();
            *state.drives.entry(run).or_default() += 1;
            assert!(state.at_work.insert(run), "driven twice at a time");
            state.most_at_work = state.most_at_work.max(state.at_work.len());
            state.manners.get(&run).copied().unwrap_or(Manner::End)
        };
        let _at_work = AtWork(self.clone(), run);
        tokio::time::sleep(Duration::from_millis(5)).await;
        match manner {
            Manner::End => self.end(run).await,
            Manner::Hang => std::future::pending().await,
            Manner::Damaged => Err(DriveError::Metastore {
                run,
                source: penstock_metastore::MetastoreError::Unreadable {
                    row: "fact 3".to_owned(),
                    reason: "it is missing".to_owned(),
                },
            }),
            Manner::StoreAway => Err(DriveError::Metastore {
                run,
                source: penstock_metastore::MetastoreError::Closed { what: "read".to_owned() },
            }),
            Manner::Panic => panic!("a fault that a test asked for"),
            Manner::Deleted => {
                self.end(run).await?;
                self.store.delete_run(run).await.unwrap();
                self.end(run).await
            }
        }
    }
}

/// A service at work.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) registry: Registry,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

pub(crate) fn settings() -> ServiceSettings {
    ServiceSettings {
        poll: Duration::from_millis(100),
        retry: (Duration::from_millis(50), Duration::from_millis(200)),
        quarantine_after: 3,
        drain: Duration::from_millis(500),
        ..ServiceSettings::new("kubernetes")
    }
}

impl Running {
    pub(crate) fn start(double: &Double, settings: ServiceSettings) -> Running {
        let registry = Registry::new();
        let metrics = ServiceMetrics::new(&registry).unwrap();
        let service = Service::new(double.store.clone(), Arc::new(double.clone()), settings, metrics);
        let (stop, stopped) = oneshot::channel();
        let working = service.clone();
        let task = tokio::spawn(async move { working.run(async move { drop(stopped.await) }).await });
        Running { service, registry, stop, task }
    }

    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
        assert_eq!(self.service.status(), penstock_driver::service::ServiceStatus::default());
    }

    /// How many drives have ended like this.
    pub(crate) fn drives(&self, result: &str) -> f64 {
        let name = "penstock_driver_drives_total";
        let families = self.registry.gather();
        let is_meant = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == result;
        // It is not there before the first drive has ended.
        let mut metrics = families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
        metrics.find(is_meant).map_or(0.0, |metric| metric.get_counter().get_value())
    }

    /// A gauge's value.
    pub(crate) fn gauge(&self, name: &str, label: Option<&str>) -> f64 {
        let family = self.registry.gather().into_iter().find(|family| family.name() == name).unwrap();
        let is_meant = |metric: &&prometheus::proto::Metric| {
            label.is_none_or(|label| metric.get_label().iter().any(|pair| pair.value() == label))
        };
        family.get_metric().iter().find(is_meant).map_or(0.0, |metric| metric.get_gauge().get_value())
    }
}
