//! A driver, a cluster that is scripted, and runs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use penstock_driver::{
    BackendKind, CreateRun, CreateRunError, DriveError, Driver, DriverSettings, KubernetesMetrics, KubernetesSettings,
    RunControl, RunEnd, RunOptions, Timeouts,
};
use penstock_objectstore::{LocalAccess, S3Credentials, S3Settings, StoreSettings, Stores, Transfer, TransferSettings};
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::run::RunStatus;
use prometheus::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::api::{FakeApi, NAMESPACE};
use crate::kubelet::{Act, Kubelet};

/// Longest time that any run of these tests may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) api: Arc<FakeApi>,
    pub(crate) registry: Registry,
    metrics: Arc<KubernetesMetrics>,
    kubelet: Arc<Kubelet>,
    home: TempDir,
    /// What tests change of the driver's settings.
    pub(crate) tune: fn(&mut KubernetesSettings),
    /// Whether runs may take results from the cache.
    pub(crate) caching: bool,
    /// An S3 server of the driver's, and a root in it; a directory for both otherwise.
    pub(crate) s3: Option<(String, String)>,
}

impl World {
    pub(crate) async fn new(script: impl Fn(&str, u32) -> Act + Send + Sync + 'static) -> World {
        let api = FakeApi::start().await;
        let stores = Arc::new(Stores::new(stores()).expect("stores"));
        let transfer = Arc::new(Transfer::new(stores, TransferSettings::default()));
        let kubelet = Kubelet::start(Arc::clone(&api), transfer, Arc::new(script));
        let registry = Registry::new();
        let metrics = Arc::new(KubernetesMetrics::new(&registry).expect("metrics"));
        World {
            api,
            registry,
            metrics,
            kubelet,
            home: tempfile::tempdir().expect("a directory"),
            tune: |_| {},
            caching: false,
            s3: None,
        }
    }

    /// No node takes any Pod.
    pub(crate) async fn without_a_node() -> World {
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"});
        let status = json!({"phase": "Pending", "conditions": [condition]});
        World::new(move |_, _| Act::Show(status.clone())).await
    }

    /// A Pod that hangs ends well after all.
    pub(crate) async fn report_success(&self, pod: &Value) {
        self.kubelet.succeed(pod).await;
    }

    /// A driver; another one after it is what a restart is.
    pub(crate) async fn driver(&self) -> Driver {
        let mut kubernetes = KubernetesSettings::new(self.api.client(), NAMESPACE);
        // What stands in for launchers works in this process.
        kubernetes.shares_files = true;
        kubernetes.metrics = Some(Arc::clone(&self.metrics));
        kubernetes.timeouts = Timeouts {
            image: Duration::from_millis(300),
            pending: Duration::from_secs(20),
            settle: Duration::from_millis(100),
            report: Duration::from_millis(500),
            settings: Duration::from_secs(5),
            stop: Duration::from_secs(5),
            ..Timeouts::default()
        };
        kubernetes.request_deadline = Duration::from_secs(5);
        (self.tune)(&mut kubernetes);
        let s3 = self.s3.as_ref().map(|(endpoint, _)| S3Settings {
            endpoint: Some(endpoint.clone()),
            credentials: S3Credentials::Anonymous,
            ..S3Settings::default()
        });
        let settings = DriverSettings {
            data_dir: self.home.path().join("data"),
            store: None,
            default_root: None,
            stores: StoreSettings { s3: s3.unwrap_or_default(), ..stores() },
            concurrency: 2,
            python: None,
            grace: Duration::from_secs(1),
            kubernetes: Some(kubernetes),
        };
        Driver::open(settings).await.expect("a driver")
    }

    pub(crate) async fn create(&self, driver: &Driver, pipeline: &str) -> Uuid {
        self.try_create(driver, pipeline).await.expect("the run is created")
    }

    pub(crate) async fn try_create(&self, driver: &Driver, pipeline: &str) -> Result<Uuid, CreateRunError> {
        self.try_create_as(driver, pipeline, None).await
    }

    /// Creates a run with a name for people.
    pub(crate) async fn try_create_named(
        &self,
        driver: &Driver,
        pipeline: &str,
        name: &str,
    ) -> Result<Uuid, CreateRunError> {
        self.try_create_as(driver, pipeline, Some(name.to_owned())).await
    }

    async fn try_create_as(
        &self,
        driver: &Driver,
        pipeline: &str,
        display_name: Option<String>,
    ) -> Result<Uuid, CreateRunError> {
        let text = pipeline.to_owned();
        let pipeline = check::load("p.yaml", text.as_bytes(), &Limits::default());
        let request = CreateRun {
            root: Some(match &self.s3 {
                Some((_, root)) => root.clone(),
                None => format!("file://{}", self.home.path().join("artifacts").display()),
            }),
            caching: self.caching,
            display_name,
            options: RunOptions { backend: BackendKind::Kubernetes, ..RunOptions::default() },
            ..CreateRun::new(pipeline.unwrap_or_else(|error| panic!("{error:?}")), text)
        };
        driver.create_run(request).await
    }

    /// Runs a pipeline to its end with one driver.
    pub(crate) async fn run(&self, pipeline: &str) -> RunEnd {
        let driver = self.driver().await;
        let run = self.create(&driver, pipeline).await;
        drive(&driver, run, &RunControl::new()).await.expect("the run is driven")
    }

    /// Kills the driver of a run at a request, and lets another take the run to its success. That one, or nothing if the request
    /// was never made.
    pub(crate) async fn killed_at(&self, pipeline: &str, request: usize, after: bool) -> Option<Driver> {
        let driver = self.driver().await;
        let run = self.create(&driver, pipeline).await;
        self.api.freeze_at(request, after);
        let control = RunControl::new();
        let reached = tokio::select! {
            biased;
            () = self.api.frozen() => true,
            end = drive(&driver, run, &control) => {
                assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
                false
            }
        };
        drop(driver);
        self.api.thaw();
        if !reached {
            return None;
        }
        let driver = self.driver().await;
        let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
        assert_eq!(end.status, RunStatus::Succeeded, "killed at request {request}, after: {after}: {end:?}");
        Some(driver)
    }

    /// The value of a metric, with its labels as they are written.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).expect("metrics");
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&FakeApi) -> bool) {
        let mut changes = self.api.changes();
        let wait = async {
            while !holds(&self.api) {
                let _ = tokio::time::timeout(Duration::from_millis(20), changes.changed()).await;
            }
        };
        if tokio::time::timeout(LIMIT, wait).await.is_err() {
            panic!("{what}: {:#?}", self.api.pods());
        }
    }

    pub(crate) async fn until_no_pods(&self) {
        self.until("no Pod is left", |api| api.pods().is_empty()).await;
    }
}

pub(crate) fn stores() -> StoreSettings {
    StoreSettings { local: LocalAccess::Anywhere, ..StoreSettings::default() }
}

pub(crate) async fn drive(driver: &Driver, run: Uuid, control: &RunControl) -> Result<RunEnd, DriveError> {
    let driven = Box::pin(driver.drive(run, control.clone()));
    tokio::time::timeout(LIMIT, driven).await.expect("the run ends in time")
}

/// Tasks `t1`, `t2`, ..., each after the one before.
pub(crate) fn chain(length: usize) -> String {
    let after = |task: usize| if task == 1 { String::new() } else { format!("dependentTasks: [t{}]", task - 1) };
    let tasks: String = (1..=length).fold(String::new(), |mut tasks, task| {
        let _ = writeln!(
            tasks,
            "      t{task}: {{componentRef: {{name: comp}}, taskInfo: {{name: t{task}}}, {}}}",
            after(task)
        );
        tasks
    });
    pipeline(&tasks, "")
}

/// Tasks `t1`, `t2`, ... beside each other.
pub(crate) fn fan(width: usize) -> String {
    let tasks: String = (1..=width).fold(String::new(), |mut tasks, task| {
        let _ = writeln!(tasks, "      t{task}: {{componentRef: {{name: comp}}, taskInfo: {{name: t{task}}}}}");
        tasks
    });
    pipeline(&tasks, "")
}

/// A task with a retry policy.
pub(crate) fn retried(retries: u32) -> String {
    let task = format!(
        "      t1: {{componentRef: {{name: comp}}, taskInfo: {{name: t1}}, retryPolicy: {{maxRetryCount: {retries}}}}}\n"
    );
    pipeline(&task, "")
}

pub(crate) fn pipeline(tasks: &str, platform: &str) -> String {
    format!(
        "pipelineInfo: {{name: hello}}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
components:
  comp: {{executorLabel: exec, outputDefinitions: {{parameters: {{out: {{parameterType: STRING}}}}}}}}
deploymentSpec:
  executors:
    exec: {{container: {{image: python:3.11, command: [python3], args: ['{{{{$}}}}']}}}}
root:
  dag:
    tasks:
{tasks}{platform}"
    )
}

/// Number of Pods that were created under each name: more than one is the same attempt twice.
pub(crate) fn twice(names: &[String]) -> Vec<&String> {
    let mut seen = std::collections::HashSet::new();
    names.iter().filter(|name| !seen.insert(*name)).collect()
}

pub(crate) fn finalizers(pod: &Value) -> usize {
    pod["metadata"]["finalizers"].as_array().map_or(0, Vec::len)
}
