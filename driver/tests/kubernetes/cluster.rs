//! The backend on a real API server and kubelet, where one is given. A policy of the API
//! server stands in for the webhook, a shell script for the launcher, and this test for its reports.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use penstock_driver::{
    BackendKind, CreateRun, Driver, DriverSettings, KubernetesMetrics, KubernetesSettings, RunControl, RunOptions,
};
use penstock_objectstore::{Stores, Transfer, TransferSettings};
use penstock_spec::check;
use penstock_spec::keys;
use penstock_spec::limits::Limits;
use penstock_spec::plan::Plan;
use penstock_spec::pod::PodOutcome;
use penstock_spec::run::RunStatus;
use prometheus::Registry;
use serde_json::json;

use crate::kubelet::{report_of, store_outputs};
use crate::real_cluster::kubeconfig;
use crate::world::{chain, fan, stores};

/// Longest time for a run on a machine that does much else.
const RUN_LIMIT: Duration = Duration::from_secs(180);

/// Stands in for injection: a sidecar that makes a script the entry, and waits.
const POLICY: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: penstock-task, namespace: NAMESPACE}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: penstock-task, namespace: NAMESPACE}
rules: [{apiGroups: [""], resources: [pods], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: penstock-task, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: penstock-task}
subjects: [{kind: ServiceAccount, name: penstock-task, namespace: NAMESPACE}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NAMESPACE}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    objectSelector: {matchLabels: {penstock.dev/inject: task}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: |
        Object{spec: Object.spec{
          volumes: [Object.spec.volumes{name: "penstock-bin", emptyDir: Object.spec.volumes.emptyDir{}}],
          initContainers: [Object.spec.initContainers{
            name: "penstock-launcher", image: "busybox:1.36", restartPolicy: "Always",
            volumeMounts: [Object.spec.initContainers.volumeMounts{name: "penstock-bin", mountPath: "/penstock/bin"}]}],
          containers: [Object.spec.containers{
            name: "main",
            volumeMounts: [Object.spec.containers.volumeMounts{
              name: "penstock-bin", mountPath: "/penstock/bin", readOnly: true}]}]}}
  - patchType: JSONPatch
    jsonPatch:
      expression: |
        [
          JSONPatch{op: "add", path: "/spec/initContainers/0/command", value: ["sh", "-c", "cd /penstock/bin; printf '#!/bin/sh\nsleep 1\n' > x; chmod 755 x; mv x penstock-entry; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"]},
          JSONPatch{op: "add", path: "/spec/initContainers/0/lifecycle", value: Object.spec.initContainers.lifecycle{postStart: Object.spec.initContainers.lifecycle.postStart{exec: Object.spec.initContainers.lifecycle.postStart.exec{}}}},
          JSONPatch{op: "add", path: "/spec/initContainers/0/lifecycle/postStart/exec/command", value: ["sh", "-c", "until [ -x /penstock/bin/penstock-entry ]; do sleep 0.05; done"]},
          JSONPatch{op: "replace", path: "/spec/containers/0/command", value: ["/penstock/bin/penstock-entry"]}
        ]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAMESPACE}
spec: {policyName: NAMESPACE}
"#;

/// A namespace of one's own, gone at the end.
struct Cluster {
    namespace: String,
    kubeconfig: PathBuf,
    config: kube::Config,
    client: kube::Client,
}

impl Cluster {
    async fn open(test: &str) -> Option<Cluster> {
        let kubeconfig = kubeconfig(test)?;
        let file = kube::config::Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await.expect("a configuration");
        let namespace = format!("pods-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let client = kube::Client::try_from(config.clone()).expect("a client");
        let cluster = Cluster { namespace, kubeconfig, config, client };
        cluster.kubectl("apply");
        // A policy is in force a moment after it is stored.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Some(cluster)
    }

    fn kubectl(&self, verb: &str) {
        use std::io::Write as _;

        let program = std::env::var("PENSTOCK_TEST_KUBECTL").unwrap_or_else(|_| "kubectl".to_owned());
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args([verb, "-f", "-"]);
        if verb == "delete" {
            command.arg("--wait=false");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("kubectl runs");
        let text = POLICY.replace("NAMESPACE", &self.namespace);
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        assert!(child.wait().expect("kubectl ends").success(), "kubectl {verb}");
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kubectl("delete");
    }
}

/// Where the launcher of a Pod reports, with its token: the policies of an installed Penstock let nobody else.
async fn as_launcher(config: &kube::Config, pods: &Api<Pod>, pod: &Pod) -> Api<Pod> {
    let (namespace, metadata) = (pod.metadata.namespace.as_deref().expect("a namespace"), &pod.metadata);
    let request = serde_json::from_value(json!({"spec": {
        "audiences": [], "expirationSeconds": 600,
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": metadata.name, "uid": metadata.uid},
    }}));
    let accounts: Api<ServiceAccount> = Api::namespaced(pods.clone().into_client(), namespace);
    let request: TokenRequest = request.expect("a request");
    let answer = accounts.create_token_request(keys::TASK_SERVICE_ACCOUNT, &PostParams::default(), &request).await;
    let mut config = config.clone();
    config.auth_info = kube::config::AuthInfo {
        token: Some(answer.expect("a token").status.expect("a token").token.into()),
        ..kube::config::AuthInfo::default()
    };
    Api::namespaced(kube::Client::try_from(config).expect("a client"), namespace)
}

/// Reports the success of each Pod once its user container runs.
async fn report_all(config: kube::Config, pods: Api<Pod>, transfer: Arc<Transfer>) {
    use futures::StreamExt as _;

    let mut reported = std::collections::HashSet::new();
    let mut events = std::pin::pin!(kube_runtime::watcher(pods.clone(), Default::default()));
    while let Some(event) = events.next().await {
        use kube_runtime::watcher::Event::{Apply, InitApply};

        let Ok(Apply(pod) | InitApply(pod)) = event else { continue };
        let runs = pod.status.as_ref().and_then(|status| {
            let main = status.container_statuses.as_ref()?.iter().find(|status| status.name == "main")?;
            main.state.as_ref()?.running.as_ref()
        });
        let (Some(name), Some(uid), Some(_)) = (&pod.metadata.name, &pod.metadata.uid, runs) else { continue };
        if !reported.insert(uid.clone()) {
            continue;
        }
        let annotations = pod.metadata.annotations.clone().unwrap_or_default();
        let plan: Plan = serde_json::from_str(&annotations[keys::ANNOTATION_PLAN]).expect("a plan");
        let digest = store_outputs(&transfer, &plan).await;
        let text = report_of(&plan, uid, PodOutcome::Succeeded { manifest_digest: digest });
        let patch = json!({"metadata": {"uid": uid, "annotations": {keys::ANNOTATION_REPORT: text}}});
        as_launcher(&config, &pods, &pod)
            .await
            .patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .expect("a report");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_and_fan_run_on_a_real_cluster() {
    let Some(cluster) = Cluster::open("chain_and_fan_run_on_a_real_cluster").await else { return };
    let home = tempfile::tempdir().expect("a directory");
    let transfer =
        Arc::new(Transfer::new(Arc::new(Stores::new(stores()).expect("stores")), TransferSettings::default()));
    let reports = tokio::spawn(report_all(cluster.config.clone(), cluster.pods(), transfer));
    let registry = Registry::new();
    let mut kubernetes = KubernetesSettings::new(cluster.client.clone(), &cluster.namespace);
    // What stands in for launchers works in this process.
    kubernetes.shares_files = true;
    kubernetes.metrics = Some(Arc::new(KubernetesMetrics::new(&registry).expect("metrics")));
    let settings = DriverSettings {
        data_dir: home.path().join("data"),
        store: None,
        default_root: None,
        stores: stores(),
        concurrency: 2,
        python: None,
        grace: Duration::from_secs(1),
        kubernetes: Some(kubernetes),
    };
    let driver = Driver::open(settings).await.expect("a driver");
    for text in [chain(5), fan(10)] {
        let text = text.replace("python:3.11", "busybox:1.36");
        let pipeline = check::load("p.yaml", text.as_bytes(), &Limits::default()).expect("a pipeline");
        let request = CreateRun {
            root: Some(format!("file://{}", home.path().join("artifacts").display())),
            caching: false,
            options: RunOptions { backend: BackendKind::Kubernetes, ..RunOptions::default() },
            ..CreateRun::new(pipeline, text)
        };
        let started = Instant::now();
        let run = driver.create_run(request).await.expect("the run is created");
        let control = RunControl::new();
        let shown = async {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                eprintln!("waits: {:?}", driver.waiting_reasons(run));
            }
        };
        let end = tokio::select! {
            end = tokio::time::timeout(RUN_LIMIT, driver.drive(run, control)) => end,
            () = shown => continue,
        };
        let end = end.expect("the run ends in time").expect("the run is driven");
        assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
        eprintln!("took {:.1} s", started.elapsed().as_secs_f64());
    }
    let since = Instant::now();
    loop {
        let left = cluster.pods().list(&ListParams::default()).await.expect("the Pods").items.len();
        if left == 0 {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{left} Pods are left");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("metrics");
    for line in text.lines().filter(|line| line.contains("hop") || line.contains("requests_total")) {
        eprintln!("{line}");
    }
    reports.abort();
}
