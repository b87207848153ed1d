//! The service with the driver of this machine: real processes, real commands.

use std::sync::Arc;
use std::time::Duration;

use penstock_driver::service::{Service, ServiceMetrics, ServiceSettings};
use penstock_driver::{CreateRun, CreateRunError, Driver, DriverSettings, RunOptions};
use penstock_engine::NodeId;
use penstock_metastore::{Command, StoreLocation};
use penstock_objectstore::{LocalAccess, StoreSettings};
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::run::RunStatus;
use prometheus::Registry;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::database::Database;
use crate::until;

/// A pipeline of one shell command.
fn pipeline(script: &str) -> String {
    json!({
        "pipelineInfo": {"name": "shell"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "root": {"dag": {"tasks": {"step": {
            "componentRef": {"name": "comp-step"}, "taskInfo": {"name": "step"}, "cachingOptions": {},
        }}}},
        "components": {"comp-step": {"executorLabel": "exec-step"}},
        "deploymentSpec": {"executors": {"exec-step": {"container": {
            "image": "busybox", "command": ["sh", "-c"], "args": [script],
        }}}},
    })
    .to_string()
}

/// A machine, and what others share with it.
pub(crate) struct Machine {
    pub(crate) driver: Driver,
    place: StoreLocation,
    directory: Arc<TempDir>,
}

impl Machine {
    /// `None` after saying that the test is skipped.
    pub(crate) async fn open(database: Database) -> Option<Machine> {
        Machine::open_with(database, penstock_driver::TAKEOVER_AFTER).await
    }

    /// One that others wait for as long as this.
    pub(crate) async fn open_with(database: Database, takeover_after: Duration) -> Option<Machine> {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let place = database.place(directory.path())?;
        Some(Machine::start("data", place, directory, takeover_after).await)
    }

    /// Another machine with the same database, which has a data directory of its own.
    pub(crate) async fn beside(&self, name: &str, takeover_after: Duration) -> Machine {
        Machine::start(name, self.place.clone(), Arc::clone(&self.directory), takeover_after).await
    }

    async fn start(name: &str, place: StoreLocation, directory: Arc<TempDir>, takeover_after: Duration) -> Machine {
        let settings = DriverSettings {
            data_dir: directory.path().join(name),
            store: Some(place.clone()),
            default_root: None,
            stores: StoreSettings { local: LocalAccess::Anywhere, ..StoreSettings::default() },
            concurrency: 4,
            python: None,
            grace: Duration::from_secs(2),
            kubernetes: None,
        };
        let driver = Driver::open_with(settings, takeover_after).await.unwrap();
        Machine { driver, place, directory }
    }

    /// A run whose artifacts all machines reach.
    pub(crate) async fn create_shared(&self, script: &str) -> Uuid {
        let root = format!("file://{}", self.file("shared").display());
        self.submit(pipeline(script), Some(root)).await.unwrap()
    }

    pub(crate) fn place(&self) -> &StoreLocation {
        &self.place
    }

    pub(crate) async fn create(&self, script: &str) -> Uuid {
        self.submit(pipeline(script), None).await.unwrap()
    }

    async fn submit(&self, pipeline_text: String, root: Option<String>) -> Result<Uuid, CreateRunError> {
        let pipeline = check::load("pipeline.yaml", pipeline_text.as_bytes(), &Limits::default()).unwrap();
        let request = CreateRun {
            root,
            caching: false,
            options: RunOptions { host_commands: true, ..RunOptions::default() },
            ..CreateRun::new(pipeline, pipeline_text)
        };
        self.driver.create_run(request).await
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn status(&self, run: Uuid) -> RunStatus {
        self.driver.metastore().run(run).await.unwrap().status
    }

    pub(crate) fn serve(&self) -> Served {
        let metrics = ServiceMetrics::new(&Registry::new()).unwrap();
        let driver = Arc::new(self.driver.clone());
        let settings = ServiceSettings { poll: Duration::from_millis(100), ..ServiceSettings::new("process") };
        let service = Service::new(self.driver.metastore().clone(), driver, settings, metrics);
        let (stop, stopped) = oneshot::channel();
        Served { stop, task: tokio::spawn(async move { service.run(async move { drop(stopped.await) }).await }) }
    }
}

/// A service at work.
pub(crate) struct Served {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    /// Ends it as a signal does, which takes no longer than a service has for that.
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(15), self.task).await.unwrap().unwrap();
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn runs_are_driven_terminated_and_retried_by_commands_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(machine) = Machine::open(database).await else { return };
    let service = machine.serve();
    let good = machine.create("true").await;
    until("it succeeds", async || machine.status(good).await == RunStatus::Succeeded).await;

    let flag = machine.file("flag");
    let fails = machine.create(&format!("test -e {}", flag.display())).await;
    until("it fails", async || machine.status(fails).await == RunStatus::Failed).await;
    std::fs::write(&flag, "").unwrap();
    machine.driver.metastore().put_command(fails, "again", &Command::Retry).await.unwrap();
    until("its retry succeeds", async || machine.status(fails).await == RunStatus::Succeeded).await;

    let (times, step) = (machine.file("times"), NodeId(1));
    let counts = machine.create(&format!("echo x >> {}", times.display())).await;
    until("it succeeds", async || machine.status(counts).await == RunStatus::Succeeded).await;
    machine.driver.metastore().put_command(counts, "nothing", &Command::Retry).await.unwrap();
    let from = Command::RetryFrom { from: vec![step] };
    machine.driver.metastore().put_command(counts, "anew", &from).await.unwrap();
    until("its task runs anew", async || std::fs::read_to_string(&times).is_ok_and(|times| times == "x\nx\n")).await;
    until("it succeeds again", async || machine.status(counts).await == RunStatus::Succeeded).await;

    let long = machine.create("sleep 600").await;
    until("it runs", async || machine.status(long).await == RunStatus::Running).await;
    let terminate = Command::Terminate { reason: "a test".to_owned() };
    machine.driver.metastore().put_command(long, "stop", &terminate).await.unwrap();
    until("it is canceled", async || machine.status(long).await == RunStatus::Canceled).await;
    until("nobody drives it", async || !machine.driver.is_driven(long)).await;
    service.end().await;
}

/// F-01: stopping the service does not end a run; the next one goes on with it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn f01_shutdown_leaves_runs_to_the_next_service(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(machine) = Machine::open(database).await else { return };
    let (started, flag) = (machine.file("started"), machine.file("flag"));
    let script = format!("echo x >> {}; while ! test -e {}; do sleep 0.05; done", started.display(), flag.display());
    let run = machine.create(&script).await;
    let service = machine.serve();
    until("its process runs", async || started.exists()).await;
    assert!(machine.driver.is_driven(run));
    service.end().await;
    assert_eq!(machine.status(run).await, RunStatus::Running);
    assert!(!machine.driver.is_driven(run));

    std::fs::write(&flag, "").unwrap();
    let service = machine.serve();
    until("it succeeds", async || machine.status(run).await == RunStatus::Succeeded).await;
    service.end().await;
    assert_eq!(std::fs::read_to_string(&started).unwrap(), "x\nx\n", "it was started once more");
}

/// A run that another process drives is left to it, and taken up when that process has gone.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn run_that_another_process_drives_is_left_to_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(machine) = Machine::open(database).await else { return };
    let flag = machine.file("flag");
    let run = machine.create(&format!("while ! test -e {}; do sleep 0.05; done", flag.display())).await;
    let control = penstock_driver::RunControl::new();
    let (driver, asked) = (machine.driver.clone(), control.clone());
    let elsewhere = tokio::spawn(async move { driver.drive(run, asked).await });
    until("it is driven elsewhere", async || machine.driver.is_driven(run)).await;
    let metrics = ServiceMetrics::new(&Registry::new()).unwrap();
    let settings = ServiceSettings {
        poll: Duration::from_millis(50),
        quarantine_after: 1,
        retry: (Duration::from_millis(20), Duration::from_millis(50)),
        ..ServiceSettings::new("process")
    };
    let service = Service::new(machine.driver.metastore().clone(), Arc::new(machine.driver.clone()), settings, metrics);
    let (stop, stopped) = oneshot::channel::<()>();
    let working = service.clone();
    let task = tokio::spawn(async move { working.run(async move { drop(stopped.await) }).await });
    until("the service knows who has it", async || {
        service.status().held.get(&run).is_some_and(|held| held.reason.contains("being driven by process"))
    })
    .await;
    for _ in 0..50 {
        // While it is tried, it is not held.
        let failures = service.status().held.get(&run).map_or(0, |held| held.failures);
        assert_eq!(failures, 0, "that is no fault of the run");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    control.abort();
    elsewhere.await.unwrap().unwrap_err();
    std::fs::write(&flag, "").unwrap();
    until("it succeeds", async || machine.status(run).await == RunStatus::Succeeded).await;
    stop.send(()).unwrap();
    task.await.unwrap();
}

/// Where a cluster keeps artifacts is of no use to a machine that is not let in there. A place that the run names is an order.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_authors_root_that_this_machine_cannot_use_is_passed_over(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(machine) = Machine::open(database).await else { return };
    let file = machine.file("file");
    std::fs::write(&file, "").unwrap();
    let out_of_reach = format!("file://{}/root", file.display());
    let mut authors: Value = serde_json::from_str(&pipeline("true")).unwrap();
    authors["defaultPipelineRoot"] = json!(out_of_reach);

    let (plain, run) = (machine.create("true").await, machine.submit(authors.to_string(), None).await.unwrap());
    let root = async |run| machine.driver.metastore().run(run).await.unwrap().info.pipeline_root;
    assert_eq!(root(run).await, root(plain).await);

    let error =
        machine.submit(authors.to_string(), Some(out_of_reach)).await.expect_err("the root is no place to write");
    assert!(matches!(error, CreateRunError::Root(_)), "{error}");
}
