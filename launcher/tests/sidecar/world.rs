//! Volumes, settings, plan, and the two processes of a Pod.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use penstock_objectstore::testing::seaweed::{ACCESS_KEY, S3Server, SECRET_KEY};
use penstock_objectstore::{StoreSettings, Stores, Transfer, TransferSettings};
use penstock_spec::keys;
use penstock_spec::manifest::Manifest;
use penstock_spec::plan::Plan;
use penstock_spec::pod::{PodOutcome, PodReport};
use penstock_spec::report::Failure;
use penstock_spec::timings::Timings;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api_server::{Answer, FakeApiServer, NAMESPACE, POD, UID};
use crate::programs::entry_binary;

/// The sidecar's UID where the tests may choose one.
pub(crate) const SIDECAR_UID: u32 = 65532;
/// The user's, unlike root and the sidecar's.
pub(crate) const USER_UID: u32 = 31337;
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

static SERVER: Mutex<Weak<S3Server>> = Mutex::new(Weak::new());

/// The server that tests share while any of them runs.
pub(crate) fn shared_server() -> Option<Arc<S3Server>> {
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return Some(server);
    }
    let server = Arc::new(S3Server::start_or_skip()?);
    *shared = Arc::downgrade(&server);
    Some(server)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) api: FakeApiServer,
    pub(crate) transfer: Transfer,
    pub(crate) bucket: String,
    pub(crate) uid: String,
    pub(crate) environment: Vec<(String, String)>,
    /// The Pod's grace period.
    pub(crate) grace_seconds: u64,
    /// The entry is there without the sidecar's doing.
    pub(crate) is_entry_mounted: bool,
    /// How often the log of a running process is stored, in seconds.
    pub(crate) log_period_seconds: u64,
    /// What the sidecar logs.
    pub(crate) log_level: &'static str,
    /// UID of the user's container, and of the sidecar.
    pub(crate) uids: Option<(u32, u32)>,
}

impl World {
    pub(crate) async fn new(server: &S3Server, script: impl IntoIterator<Item = Answer>) -> World {
        let directory = tempfile::Builder::new().prefix("pod-").tempdir().expect("a directory");
        let world = directory.path();
        for name in [
            "",
            "bin",
            "control",
            "shared",
            "pod",
            "own",
            "root",
            "root/s3",
            "root/tmp",
            "root/tmp/kfp",
            "root/tmp/kfp/outputs",
        ] {
            let path = world.join(name);
            std::fs::create_dir_all(&path).expect("a directory");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).expect("permissions");
        }
        // The kubelet makes this file.
        let termination_log = world.join("own/termination-log");
        std::fs::write(&termination_log, "").expect("a file");
        std::fs::set_permissions(&termination_log, PermissionsExt::from_mode(0o666)).expect("permissions");
        let bucket = format!("b-{}", Uuid::new_v4());
        server.create_bucket(&bucket).await;
        let stores = Stores::new(StoreSettings { s3: server.settings(), ..StoreSettings::default() }).expect("stores");
        let api = FakeApiServer::start(&world.join("pod"), script).await;
        let world = World {
            api,
            transfer: Transfer::new(Arc::new(stores), TransferSettings::default()),
            bucket,
            uid: UID.to_owned(),
            environment: Vec::new(),
            grace_seconds: 3,
            is_entry_mounted: false,
            log_period_seconds: 60,
            log_level: "debug",
            uids: is_root().then_some((USER_UID, SIDECAR_UID)),
            directory,
        };
        world.write_settings(&server.endpoint(), &json!({}));
        world
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Settings with one store, and `more` of their members.
    pub(crate) fn write_settings(&self, endpoint: &str, more: &Value) {
        let mut settings = json!({
            "version": 1,
            "defaultRoot": format!("s3://{}/root", self.bucket),
            "stores": [{
                "scheme": "s3", "endpoint": endpoint,
                "credentials": { "secret": { "name": "keys", "accessKey": "a", "secretKey": "s" } },
            }],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            settings[name] = value.clone();
        }
        self.pod_file(keys::POD_SETTINGS_FILE, &settings.to_string());
        std::fs::create_dir_all(self.at("pod/credentials/keys")).expect("a directory");
        self.pod_file("credentials/keys/a", ACCESS_KEY);
        self.pod_file("credentials/keys/s", SECRET_KEY);
    }

    pub(crate) fn pod_file(&self, name: &str, text: &str) {
        std::fs::write(self.at("pod").join(name), text).expect("a file");
    }

    /// A plan that runs `sh -ec SCRIPT ARGS...`.
    pub(crate) fn plan(&self, script: &str, args: &[&str]) -> Plan {
        let root = format!("s3://{}/root", self.bucket);
        let run = "11111111-1111-4111-8111-111111111111";
        let plan = json!({
            "version": 1,
            "run": {
                "id": run, "name": "pipe-x1", "displayName": "Pipe", "pipelineName": "pipe", "pipelineRoot": root,
                "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z", "caching": true,
            },
            "task": {
                "id": Uuid::new_v4(), "key": "train", "displayName": "train", "path": "train", "attempt": 0,
            },
            "image": "example/image:1",
            "command": ["sh", "-ec", script],
            "args": args,
            "env": [],
            "inputs": {},
            "taskRoot": format!("{root}/pipe/{run}/train/{}", Uuid::new_v4()),
        });
        serde_json::from_value(plan).expect("a plan")
    }

    pub(crate) fn give(&self, plan: &Plan) {
        self.pod_file(keys::POD_PLAN_FILE, &serde_json::to_string(plan).expect("a plan"));
    }

    /// The place of a URI for user code.
    pub(crate) fn path_of(&self, uri: &str) -> PathBuf {
        self.at("root").join(uri.replacen("s3://", "s3/", 1))
    }

    pub(crate) fn sidecar(&self) -> Process {
        // Another build than that of the tests may be measured.
        let program = std::env::var_os("PENSTOCK_TEST_LAUNCHER");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_penstock-launcher").into());
        let mut command = Command::new(program);
        command.arg("sidecar");
        let places = [
            ("bin-dir", "bin"),
            ("control-dir", "control"),
            ("shared-dir", "shared"),
            ("pod-dir", "pod"),
            ("root", "root"),
        ];
        for (flag, place) in places {
            command.arg(format!("--{flag}")).arg(self.at(place));
        }
        command.arg("--entry").arg(entry_binary());
        command.args(["--pod-name", POD, "--pod-uid", &self.uid, "--namespace", NAMESPACE]);
        command.args(["--api-server-host", "127.0.0.1", "--api-server-port", &self.api.port.to_string()]);
        command.args(["--termination-grace-seconds", &self.grace_seconds.to_string(), "--log-level", self.log_level]);
        command.args(self.is_entry_mounted.then_some(keys::LAUNCHER_ENTRY_MOUNTED));
        command.args(["--log-period-seconds", &self.log_period_seconds.to_string()]);
        command.env_clear().envs(self.environment.iter().cloned());
        let log = std::fs::File::options().create(true).append(true).open(self.at("sidecar.log")).expect("a log");
        command.stderr(log).stdout(Stdio::null()).stdin(Stdio::null());
        if let Some((_, uid)) = self.uids {
            command.uid(uid).gid(uid);
        }
        Process { child: command.spawn().expect("the sidecar starts") }
    }

    /// The first process of the user's container.
    pub(crate) fn entry(&self, argv: &[String]) -> Process {
        let gate = Command::new(env!("CARGO_BIN_EXE_penstock-launcher"))
            .arg("gate")
            .arg("--bin-dir")
            .arg(self.at("bin"))
            .status();
        assert!(gate.expect("the gate runs").success());
        let mut command = Command::new(self.at("bin/penstock-entry"));
        command.arg("--socket").arg(self.at("control/entry.sock"));
        command.arg("--termination-log").arg(self.at("own/termination-log")).arg("--").args(argv);
        let log = std::fs::File::create(self.at("entry.log")).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).process_group(0);
        command.env("HERE", self.directory.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        if let Some((uid, _)) = self.uids {
            command.uid(uid).gid(uid);
        }
        Process { child: command.spawn().expect("the entry starts") }
    }

    /// Sidecar and main of an attempt.
    pub(crate) fn start(&self, plan: &Plan) -> (Process, Process) {
        self.give(plan);
        (self.sidecar(), self.entry(&argv_of(plan)))
    }

    /// A whole attempt: its report, and how main ended.
    pub(crate) async fn run(&self, plan: &Plan) -> (PodReport, Option<i32>) {
        let (sidecar, entry) = self.start(plan);
        let code = entry.wait().await.code();
        let reports = self.api.reports();
        assert_eq!(reports.len(), 1, "{}", self.log());
        self.stop(sidecar).await;
        (reports[0].clone(), code)
    }

    /// SIGTERM, as after the end of main: the sidecar is gone at once.
    pub(crate) async fn stop(&self, sidecar: Process) {
        let started = Instant::now();
        sidecar.signal(rustix::process::Signal::TERM);
        let status = sidecar.wait().await;
        assert!(status.success(), "{status}: {}", self.log());
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }

    pub(crate) async fn manifest(&self, plan: &Plan) -> Option<Manifest> {
        let bytes = self.transfer.get_bytes(&plan.manifest_uri(), 1 << 20).await.expect("the store answers")?;
        Some(serde_json::from_slice(&bytes).expect("a manifest"))
    }

    pub(crate) async fn object(&self, uri: &str) -> Option<String> {
        let bytes = self.transfer.get_bytes(uri, 1 << 20).await.expect("the store answers")?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The sidecar's own log, for messages.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.at("sidecar.log")).unwrap_or_default()
    }

    pub(crate) fn termination_message(&self) -> String {
        std::fs::read_to_string(self.at("own/termination-log")).unwrap_or_default()
    }
}

pub(crate) fn argv_of(plan: &Plan) -> Vec<String> {
    plan.command.iter().chain(&plan.args).cloned().collect()
}

pub(crate) fn declare(plan: &mut Plan, parameters: &Value, artifacts: &Value) {
    plan.output_parameters = serde_json::from_value(parameters.clone()).expect("parameters");
    plan.output_artifacts = serde_json::from_value(artifacts.clone()).expect("artifacts");
}

#[track_caller]
pub(crate) fn failed(report: &PodReport) -> &Failure {
    match &report.outcome {
        PodOutcome::Failed(failure) => failure,
        PodOutcome::Succeeded { .. } => panic!("it succeeded"),
    }
}

#[track_caller]
pub(crate) fn succeeded(report: &PodReport) -> &str {
    match &report.outcome {
        PodOutcome::Succeeded { manifest_digest } => manifest_digest,
        PodOutcome::Failed(failure) => panic!("it failed: {failure:?}"),
    }
}

/// The times in a report, all that a launcher knows of an attempt that ended well, in their order.
pub(crate) fn steps_of(report: &PodReport) -> Timings {
    let timings = report.timings.as_deref().expect("times").clone();
    let Timings { launcher_at, inputs_at, ready_at, started_at, ended_at, stored_at, .. } = timings;
    let steps = [launcher_at, inputs_at, ready_at, started_at, ended_at, stored_at];
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{timings:?}");
    assert!(launcher_at <= timings.container_at && timings.container_at <= started_at, "{timings:?}");
    assert_eq!((timings.created_at, timings.scheduled_at), (None, None), "these are the cluster's to tell");
    timings
}

/// A process that ends with the test.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal);
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn wait(mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(started.elapsed() < LIMIT, "a process does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
