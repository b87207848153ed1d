//! A host with a local store, and what its tests ask of plans and reports.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use penstock_launcher::{CancelToken, HostContext, PythonHost, PythonSettings, cancel_pair, run_attempt};
use penstock_objectstore::{LocalAccess, StoreSettings, Stores, Transfer, TransferSettings};
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, Outcome, Report, TaskOutputs};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) host: HostContext,
}

impl World {
    pub(crate) fn new() -> World {
        let python = std::env::var_os("PENSTOCK_TEST_PYTHON").map(PathBuf::from);
        let directory = tempfile::tempdir().expect("a directory");
        let envs = directory.path().join("envs");
        let mut settings = PythonSettings::new(python, envs);
        settings.exact_sdk = false;
        World::with(directory, settings)
    }

    pub(crate) fn with(directory: tempfile::TempDir, python: PythonSettings) -> World {
        let local = LocalAccess::Beneath(vec![directory.path().to_owned()]);
        let stores = Stores::new(StoreSettings { local, ..StoreSettings::default() }).expect("a registry");
        let host = HostContext {
            work_dir: directory.path().join("work"),
            log_file: directory.path().join("log"),
            transfer: Arc::new(Transfer::new(Arc::new(stores), TransferSettings::default())),
            python: Arc::new(PythonHost::new(python)),
            component_dir: None,
            host_commands: true,
            grace: Duration::from_millis(300),
        };
        World { directory, host }
    }

    pub(crate) fn plan(&self, command: &[&str]) -> Plan {
        let root = format!("file://{}/store", self.directory.path().display());
        let run = "11111111-1111-4111-8111-111111111111";
        let plan = json!({
            "version": 1,
            "run": {
                "id": run, "name": "pipe-x1", "displayName": "Pipe", "pipelineName": "pipe", "pipelineRoot": root,
                "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z", "caching": true,
            },
            "task": {
                "id": uuid::Uuid::new_v4(), "key": "train", "displayName": "train", "path": "train", "attempt": 0,
            },
            "image": "example/image:1",
            "command": command,
            "args": [],
            "env": [],
            "inputs": {},
            "taskRoot": format!("{root}/pipe/{run}/train/{}", uuid::Uuid::new_v4()),
        });
        serde_json::from_value(plan).expect("a plan")
    }

    pub(crate) async fn run(&self, plan: &Plan) -> Report {
        run_attempt(plan, &self.host, never()).await
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.host.log_file).unwrap_or_default()
    }

    pub(crate) fn stored(&self, uri: &str) -> PathBuf {
        PathBuf::from(uri.strip_prefix("file://").expect("a file URI"))
    }
}

pub(crate) fn never() -> CancelToken {
    cancel_pair().1
}

pub(crate) fn outputs(report: &Report) -> &TaskOutputs {
    match &report.outcome {
        Outcome::Succeeded(outputs) => outputs,
        Outcome::Failed(failure) => panic!("the attempt failed: {failure:?}"),
    }
}

pub(crate) fn failed(report: &Report) -> &Failure {
    match &report.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Succeeded(outputs) => panic!("the attempt succeeded: {outputs:?}"),
    }
}

pub(crate) fn declare(plan: &mut Plan, parameters: &Value, artifacts: &Value) {
    plan.output_parameters = serde_json::from_value(parameters.clone()).expect("parameters");
    plan.output_artifacts = serde_json::from_value(artifacts.clone()).expect("artifacts");
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Says that this test is skipped, past the capture of its output.
fn skip(why: &str) {
    // If standard error is gone, nobody is there to be told.
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or_default());
}

/// Whether the Python of the tests has the SDK. In CI it must.
pub(crate) fn has_sdk() -> bool {
    let python = std::env::var("PENSTOCK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = std::process::Command::new(&python).args(["-c", "import kfp"]).output();
    let has = found.is_ok_and(|output| output.status.success());
    assert!(has || std::env::var_os("CI").is_none(), "{python} has no kfp: set PENSTOCK_TEST_PYTHON");
    if !has {
        skip(&format!("{python} has no kfp; set PENSTOCK_TEST_PYTHON to one that has"));
    }
    has
}
