//! A real Kubernetes with Penstock installed in it. `make test` provides one; without it, tests that need it say that
//! they are skipped, and fail where skipping must not go unseen.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use penstock_objectstore::{S3Credentials, S3Settings, Secret, StoreSettings, Stores, Transfer, TransferSettings};
use serde_json::{Value, json};

use crate::deadline::{wait_for, wait_until};
use crate::invocation::{Finished, Invocation};
use crate::python;
use crate::sandbox::Sandbox;

/// Names the image with Penstock's programs, as nodes find it. Only where it is set is `KUBECONFIG` used: nobody's tests
/// run on a cluster by accident.
pub const IMAGE: &str = "PENSTOCK_TEST_IMAGE";
/// Directory of the cluster that the tests themselves started, whose one node is this machine.
const STATE: &str = "PENSTOCK_TEST_CLUSTER_STATE";
/// Namespace that Penstock is installed in.
pub const SYSTEM_NAMESPACE: &str = "penstock-system";
/// Namespace in which the installed API runs what is submitted to it; `cluster/overlay` says it to the service.
pub const RUNS_NAMESPACE: &str = "pst-api-runs";
/// Longest time for installing, images included.
const INSTALL_LIMIT: Duration = Duration::from_secs(180);
/// Largest object that a test looks at.
const OBJECT_LIMIT: u64 = 16 << 20;
/// Longest time for one call of kubectl.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// Longest time until a namespace is gone.
const DELETION_LIMIT: Duration = Duration::from_secs(180);
/// Longest time until a labelled namespace is ready for tasks.
const NAMESPACE_LIMIT: Duration = Duration::from_secs(60);

/// A cluster, and the object store that its Pods and this machine reach.
#[derive(Debug, Clone)]
pub struct Cluster {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    image: String,
    store: Store,
}

/// The object store.
#[derive(Debug, Clone)]
pub struct Store {
    /// URL from this machine.
    pub endpoint: String,
    /// URL from Pods.
    pub cluster_endpoint: String,
    /// Access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

/// The cluster with Penstock installed; `None` after saying that the test is skipped.
///
/// # Panics
/// In CI when there is none, and when installing fails.
pub fn find_or_skip(test: &str) -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let found = CLUSTER.get_or_init(|| {
        let cluster = Cluster::from_environment()?;
        cluster.install();
        Some(cluster)
    });
    if found.is_none() {
        python::skip(test, &format!("{IMAGE} is not set; `make test` sets it where a cluster can be started"));
    }
    found.as_ref()
}

/// The directory of the cluster that the tests started themselves; `None` on any other.
pub fn state_of_the_test_cluster() -> Option<PathBuf> {
    variable(STATE).map(PathBuf::from)
}

/// Whether the tests started the cluster themselves, for what can be done to no other; says otherwise that the test is
/// skipped.
pub fn is_test_cluster_or_skip(test: &str, why: &str) -> bool {
    let is_it = state_of_the_test_cluster().is_some();
    if !is_it {
        python::skip(test, &format!("{why}, and {STATE} is not set: this is not the cluster of tests/cluster"));
    }
    is_it
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &str) -> String {
    variable(name).unwrap_or_else(|| panic!("{IMAGE} is set and {name} is not; see tests/cluster/README.md"))
}

impl Cluster {
    /// What the environment names, in which Penstock need not be installed; `None` when it names none.
    ///
    /// # Panics
    /// In CI when it names none, and when it does not say all of it.
    pub fn from_environment() -> Option<Cluster> {
        let Some(image) = variable(IMAGE) else {
            assert!(std::env::var_os("CI").is_none(), "{IMAGE} is not set, and in CI nothing is skipped");
            return None;
        };
        Some(Cluster {
            kubeconfig: required("KUBECONFIG").into(),
            kubectl: variable("PENSTOCK_TEST_KUBECTL").unwrap_or_else(|| "kubectl".to_owned()).into(),
            image,
            store: Store {
                endpoint: required("PENSTOCK_TEST_S3_ENDPOINT"),
                cluster_endpoint: required("PENSTOCK_TEST_S3_CLUSTER_ENDPOINT"),
                access_key: required("PENSTOCK_TEST_S3_ACCESS_KEY"),
                secret_key: required("PENSTOCK_TEST_S3_SECRET_KEY"),
            },
        })
    }

    /// The object store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The bytes of an object; `None` when there is none.
    ///
    /// # Panics
    /// When the store fails.
    pub fn object(&self, uri: &str) -> Option<Vec<u8>> {
        let s3 = S3Settings {
            endpoint: Some(self.store.endpoint.clone()),
            credentials: S3Credentials::Static {
                access_key_id: self.store.access_key.clone(),
                secret_access_key: Secret::new(&self.store.secret_key),
                session_token: None,
            },
            ..S3Settings::default()
        };
        let settings = StoreSettings { minio: Some(s3.clone()), s3, ..StoreSettings::default() };
        let stores = Stores::new(settings).expect("settings of a store");
        let transfer = Transfer::new(stores.into(), TransferSettings::default());
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let bytes = runtime.block_on(transfer.get_bytes(uri, OBJECT_LIMIT)).expect("the store answers");
        bytes.map(|bytes| bytes.to_vec())
    }

    /// The image with Penstock's programs.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// `kubectl` for this cluster.
    pub fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Invocation {
        Invocation::new(&self.kubectl).arg("--kubeconfig").arg(&self.kubeconfig).args(args).limit(CALL_LIMIT)
    }

    /// Calls `kubectl`, which must succeed; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn call<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        self.kubectl(args).run().expect_code(0).stdout
    }

    /// Objects as JSON; none when there is no such object.
    pub fn get<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Option<Value> {
        let finished = self.kubectl(["get", "-o", "json", "--ignore-not-found"]).args(args).run().expect_code(0);
        serde_json::from_str(&finished.stdout).ok()
    }

    /// Applies objects.
    ///
    /// # Panics
    /// When the cluster refuses one.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        let (code, text) = self.try_apply(object);
        assert!(code == Some(0), "cannot apply {object}: {text}");
    }

    /// Creates or changes objects; the exit code of kubectl and what it said.
    pub fn try_apply(&self, object: &Value) -> (Option<i32>, String) {
        self.call_with_input(&["apply", "-f", "-"], &object.to_string())
    }

    /// Calls `kubectl` with an input; its exit code and what it said.
    pub fn call_with_input(&self, args: &[&str], input: &str) -> (Option<i32>, String) {
        let mut child = Command::new(&self.kubectl)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--request-timeout=30s")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut pipe = child.stdin.take().expect("a pipe was asked for");
        pipe.write_all(input.as_bytes()).expect("kubectl reads its input");
        drop(pipe);
        let output = child.wait_with_output().expect("kubectl ends");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text.into_owned())
    }

    /// Version of its API server, such as `v1.36.3`.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn version(&self) -> String {
        let version: Value = serde_json::from_str(&self.call(["version", "-o", "json"])).expect("kubectl prints JSON");
        version["serverVersion"]["gitVersion"].as_str().unwrap_or_default().to_owned()
    }

    /// Installs Penstock as a user does, with the image under test: the test cluster has one node and no storage class,
    /// and others must have one.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn install(&self) {
        self.apply_overlay(if state_of_the_test_cluster().is_some() { "one-node" } else { "standalone" });
        let Store { access_key, secret_key, .. } = &self.store;
        let file = format!("[default]\naws_access_key_id={access_key}\naws_secret_access_key={secret_key}\n");
        self.put_secret(SYSTEM_NAMESPACE, "penstock-store", &json!({"credentials": file}));
        self.call(["-n", SYSTEM_NAMESPACE, "rollout", "restart", "deployment/penstock"]);
        self.await_rollout("penstock");
    }

    /// Applies one of the overlays with the image and the object store of the tests.
    ///
    /// # Panics
    /// When the cluster refuses it.
    pub fn apply_overlay(&self, overlay: &str) {
        self.apply_overlay_with(overlay, &[]);
    }

    /// The same with components.
    ///
    /// # Panics
    /// When the cluster refuses it.
    pub fn apply_overlay_with(&self, overlay: &str, components: &[&str]) {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cluster/overlay");
        let read = |name: &str| std::fs::read_to_string(root.join(name)).expect("the overlay of the tests");
        let mut text = read("kustomization.yaml.in");
        if let Some(state) = state_of_the_test_cluster().filter(|_| overlay == "one-node") {
            let data = state.join("penstock");
            std::fs::create_dir_all(&data).expect("a folder in the cluster's state directory");
            text += &read("volume.yaml.in").replace("${DATA}", &data.display().to_string());
        }
        if !components.is_empty() {
            let lines = components.iter().map(|name| format!("  - ../../../../manifests/components/{name}\n"));
            text += &format!("components:\n{}", lines.collect::<String>());
        }
        let (name, tag) = self.image.rsplit_once(':').unwrap_or((&self.image, "latest"));
        let folder =
            tempfile::Builder::new().prefix("overlay-").tempdir_in(&root).expect("a folder beside the overlay");
        let store = &self.store.cluster_endpoint;
        let text = text.replace("${OVERLAY}", overlay);
        let text = text.replace("${IMAGE}", name).replace("${TAG}", tag).replace("${STORE}", store);
        std::fs::write(folder.path().join("kustomization.yaml"), text).expect("a file in the folder");
        self.call(["apply", "-k", &folder.path().display().to_string()]);
    }

    /// Waits until a Deployment of the installation runs as it was last applied.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn await_rollout(&self, deployment: &str) {
        let (deployment, limit) =
            (format!("deployment/{deployment}"), format!("--timeout={}s", INSTALL_LIMIT.as_secs()));
        let rollout = ["-n", SYSTEM_NAMESPACE, "rollout", "status", &deployment, &limit];
        let finished = self.kubectl(rollout).limit(INSTALL_LIMIT + CALL_LIMIT).run();
        if finished.code() != Some(0) {
            let pods = self.call(["-n", SYSTEM_NAMESPACE, "describe", "pods"]);
            let logs = self.kubectl(["-n", SYSTEM_NAMESPACE, "logs", &deployment, "--tail=50"]).run();
            panic!("Penstock does not become ready: {finished}\n{pods}\n{logs}");
        }
    }

    fn put_secret(&self, namespace: &str, name: &str, content: &Value) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": content,
            "metadata": {"name": name, "namespace": namespace},
        }));
    }

    /// The log of the installed Penstock, for a test that fails.
    pub fn service_log(&self) -> Finished {
        self.kubectl(["-n", SYSTEM_NAMESPACE, "logs", "deployment/penstock", "--tail=200"]).run()
    }
}

/// A labelled namespace of a test, ready for tasks; it goes with the value.
#[derive(Debug)]
pub struct Namespace {
    cluster: &'static Cluster,
    name: String,
}

impl Namespace {
    /// A new one. Labels are added to that of Penstock.
    pub fn new(cluster: &'static Cluster, about: &str) -> Namespace {
        Namespace::with_labels(cluster, about, &[])
    }

    /// A new one with further labels.
    pub fn with_labels(cluster: &'static Cluster, about: &str, labels: &[(&str, &str)]) -> Namespace {
        Namespace::unlabelled(cluster, about).prepared(labels)
    }

    /// The one in which the installed API runs what is submitted to it.
    pub fn of_runs(cluster: &'static Cluster) -> Namespace {
        // An earlier test may have left it behind.
        cluster.kubectl(["delete", "namespace", RUNS_NAMESPACE, "--ignore-not-found"]).limit(DELETION_LIMIT).run();
        Namespace::named(cluster, RUNS_NAMESPACE.to_owned()).prepared(&[])
    }

    fn prepared(self, labels: &[(&str, &str)]) -> Namespace {
        let (cluster, namespace) = (self.cluster, self);
        let Store { access_key, secret_key, .. } = &cluster.store;
        let pair = json!({"accesskey": access_key, "secretkey": secret_key});
        cluster.put_secret(&namespace.name, "mlpipeline-minio-artifact", &pair);
        for (name, value) in labels.iter().chain(&[("penstock.dev/injection", "enabled")]) {
            cluster.call(["label", "namespace", &namespace.name, &format!("{name}={value}")]);
        }
        wait_until("the namespace to be ready for tasks", NAMESPACE_LIMIT, || {
            cluster.get(["-n", &namespace.name, "configmap", "penstock-settings"]).is_some()
                && cluster.get(["-n", &namespace.name, "rolebinding", "penstock-task"]).is_some()
        });
        namespace
    }

    /// A new one that Penstock has nothing to do with.
    pub fn unlabelled(cluster: &'static Cluster, about: &str) -> Namespace {
        Namespace::named(cluster, format!("pst-{about}-{:05x}", rand::random::<u32>() & 0xf_ffff))
    }

    fn named(cluster: &'static Cluster, name: String) -> Namespace {
        cluster.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        let accounts = || cluster.get(["-n", &name, "serviceaccount", "default"]);
        wait_for("the namespace's default account", NAMESPACE_LIMIT, accounts);
        Namespace { cluster, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Objects in it.
    pub fn get<'a>(&'a self, args: impl IntoIterator<Item = &'a str>) -> Option<Value> {
        self.cluster.get(["-n", &self.name].into_iter().chain(args))
    }

    /// The Pods in it.
    pub fn pods(&self) -> Vec<Value> {
        let list = self.get(["pods"]).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// `penstock` in a sandbox, with what a user of the cluster has.
    pub fn penstock(&self, sandbox: &Sandbox) -> Invocation {
        self.for_user(sandbox.penstock())
    }

    /// Lets a process ask the cluster as the tests do.
    pub fn for_kubectl(&self, process: Invocation) -> Invocation {
        process
            .env("KUBECONFIG", &self.cluster.kubeconfig)
            .env("PENSTOCK_TEST_KUBECTL", &self.cluster.kubectl)
            .env("PENSTOCK_TEST_NAMESPACE", &self.name)
    }

    /// Adds what a user of the cluster has.
    pub fn for_user(&self, penstock: Invocation) -> Invocation {
        let Store { endpoint, access_key, secret_key, .. } = &self.cluster.store;
        penstock
            .env("KUBECONFIG", &self.cluster.kubeconfig)
            .env("PENSTOCK_NAMESPACE", &self.name)
            .env("PENSTOCK_S3_ENDPOINT", endpoint)
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret_key)
    }

    /// `penstock run --on kubernetes -o json`.
    pub fn run(&self, sandbox: &Sandbox) -> Invocation {
        self.penstock(sandbox).args(["run", "--on", "kubernetes", "-o", "json"]).limit(Duration::from_secs(300))
    }
}

/// A test that fails half-way leaves nothing that holds up others.
impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("PENSTOCK_TEST_KEEP").is_some() {
            return;
        }
        let _ = self.cluster.kubectl(["delete", "namespace", &self.name, "--wait=false"]).run();
    }
}
