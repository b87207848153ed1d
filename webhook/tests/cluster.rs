//! The webhook as a real API server calls it, where there is one that reaches this machine: at `PENSTOCK_TEST_HOST_ADDRESS`,
//! or, on the cluster that the tests started, at 10.88.0.1. Nothing is scheduled: Pods ask for a node that there is not. Its
//! namespaces lack Penstock's label, so that an installed Penstock has nothing to do with them.

#[path = "../../tests/support/real_cluster.rs"]
mod real_cluster;
mod support;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Namespace, Pod, Secret, Service, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use penstock_webhook::certificates::{CertificateSettings, CertificateTimes, SelfManaged};
use penstock_webhook::inject::{Decision, EntryDelivery, InjectContext, inject};
use real_cluster::kubeconfig;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use support::fake_api::settings;
use support::{Webhook, config, eventually, golden, limits, start_on};
use tokio::net::TcpListener;
use tokio::time::sleep;

const SERVICE: &str = "hook";
/// Names the address of this machine that the API server reaches.
const HOST_VARIABLE: &str = "PENSTOCK_TEST_HOST_ADDRESS";
/// Only set with the cluster that the tests started, where the address is known.
const STATE_VARIABLE: &str = "PENSTOCK_TEST_CLUSTER_STATE";
const HOST: &str = "10.88.0.1";
/// How long certificates are rotated, if that is enough to see two authorities follow one another.
const ROTATION: Duration = Duration::from_secs(40);

#[derive(Clone)]
struct Cluster {
    client: Client,
    /// Namespace of the webhook, and name of its configuration.
    own: String,
    /// Namespace of Pods.
    work: String,
}

/// The address of this machine that the API server reaches; `None` after saying that the test is skipped.
fn host_or_skip(test: &str) -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let host = variable(HOST_VARIABLE).or_else(|| variable(STATE_VARIABLE).map(|_| HOST.to_owned()));
    if host.is_none() {
        let why = format!("{HOST_VARIABLE} is not set: the API server must reach this machine");
        // Past the capture of the test's output. If standard error is gone, nobody is there to be told.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    }
    host
}

async fn client(path: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("a configuration");
    // Otherwise the client asks again and again on 503, which is what a test wants to see.
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("an object")
}

impl Cluster {
    /// A webhook on this machine behind a Service, and a namespace of the strictest kind.
    async fn start(kubeconfig: &Path, host: &str, times: CertificateTimes) -> (Cluster, Webhook) {
        let client = client(kubeconfig).await;
        let suffix: u32 = rand::random();
        let (own, work) = (format!("hook-own-{suffix:08x}"), format!("hook-work-{suffix:08x}"));
        let cluster = Cluster { client: client.clone(), own: own.clone(), work: work.clone() };
        let listener = TcpListener::bind((host, 0)).await.expect("a port that the API server reaches");
        let port = listener.local_addr().expect("its address").port();
        cluster.create_namespaces().await;
        let at = |value: Value| {
            let mut value = value;
            value["metadata"] = json!({"name": SERVICE, "namespace": own});
            value
        };
        let service = at(json!({"spec": {"ports": [{"port": 443, "targetPort": port}]}}));
        let endpoints = at(json!({"subsets": [{"addresses": [{"ip": host}], "ports": [{"port": port}]}]}));
        let parameters = PostParams::default();
        Api::namespaced(client.clone(), &own).create(&parameters, &object::<Service>(service)).await.expect("creates");
        Api::namespaced(client.clone(), &own)
            .create(&parameters, &object::<Endpoints>(endpoints))
            .await
            .expect("creates");
        cluster.configurations().create(&parameters, &cluster.configuration()).await.expect("creates");
        let certificates = CertificateSettings::SelfManaged(SelfManaged {
            namespace: own.clone(),
            secret: "certificate".to_owned(),
            service: SERVICE.to_owned(),
            configuration: own,
            times,
        });
        let webhook = start_on(listener, client, certificates, limits());
        (cluster, webhook)
    }

    async fn create_namespaces(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        for (name, labels) in [(&self.own, json!({})), (&self.work, restricted)] {
            let namespace = object(json!({"metadata": {"name": name, "labels": labels}}));
            namespaces.create(&PostParams::default(), &namespace).await.expect("creates a namespace");
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.work);
        eventually("the default account is there", || async {
            accounts.get("default").await.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
    }

    fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    fn configuration(&self) -> MutatingWebhookConfiguration {
        object(json!({
            "metadata": {"name": self.own},
            "webhooks": [{
                "name": "pods.penstock.dev",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"service": {"name": SERVICE, "namespace": self.own, "path": "/mutate"}},
                "rules": [{
                    "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                    "scope": "Namespaced",
                }],
                "sideEffects": "None", "timeoutSeconds": 5, "failurePolicy": "Fail", "matchPolicy": "Equivalent",
                "reinvocationPolicy": "IfNeeded",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.work}},
                "objectSelector": {"matchExpressions": [
                    {"key": "penstock.dev/inject", "operator": "In", "values": ["task", "enabled"]},
                ]},
            }],
        }))
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.work)
    }

    async fn write_settings(&self) {
        let text = serde_json::to_string(&settings()).expect("JSON");
        let map: ConfigMap = object(json!({
            "metadata": {"name": "penstock-settings", "namespace": self.work}, "data": {"settings.json": text},
        }));
        Api::namespaced(self.client.clone(), &self.work).create(&PostParams::default(), &map).await.expect("creates");
    }

    /// Waits until the API server has learned of the certificate and the webhook of the settings.
    async fn settled(&self, webhook: &Webhook) {
        webhook.ready().await;
        self.write_settings().await;
        eventually("a task's Pod is admitted", || async {
            self.try_create(&pod("task"), true).await.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
    }

    async fn try_create(&self, pod: &Value, is_dry_run: bool) -> Result<Value, kube::Error> {
        let parameters = PostParams { dry_run: is_dry_run, ..PostParams::default() };
        let created = self.pods().create(&parameters, &object(pod.clone())).await?;
        Ok(serde_json::to_value(created).expect("JSON"))
    }

    #[track_caller]
    fn assert_injected(&self, pod: &Value) {
        let (config, settings) = (config(), settings());
        let context = InjectContext {
            config: &config,
            namespace: &self.work,
            settings: Some(&settings),
            delivery: EntryDelivery::Copy,
        };
        assert_eq!(inject(pod, &context), Ok(Decision::AlreadyInjected), "{pod:#}");
    }

    async fn remove(&self) {
        let parameters = DeleteParams::default();
        let _ = self.configurations().delete(&self.own, &parameters).await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in [&self.work, &self.own] {
            let _ = namespaces.delete(name, &parameters).await;
        }
    }
}

/// Runs a scenario, and takes everything away again however it ends.
async fn scenario<F>(test: &str, times: CertificateTimes, scenario: impl FnOnce(Cluster, Webhook) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(kubeconfig) = kubeconfig(test) else { return };
    let Some(host) = host_or_skip(test) else { return };
    let (cluster, webhook) = Cluster::start(&kubeconfig, &host, times).await;
    let ended = tokio::spawn(scenario(cluster.clone(), webhook)).await;
    cluster.remove().await;
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// A golden Pod that a restricted namespace takes and no node does.
fn pod(name: &str) -> Value {
    let mut pod = golden(name);
    pod["metadata"] = json!({
        "generateName": "hook-", "labels": pod["metadata"]["labels"], "annotations": pod["metadata"]["annotations"],
    });
    let spec = &mut pod["spec"];
    spec["nodeSelector"] = json!({"penstock.test/node": "none"});
    spec["serviceAccountName"] = json!("default");
    // An installed Penstock's policy asks this of each task.
    spec["automountServiceAccountToken"] = json!(false);
    spec["securityContext"] = json!({
        "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"},
    });
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["securityContext"] =
                json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        }
    }
    // The API server puts its own in.
    for list in ["/spec/volumes", "/spec/containers/0/volumeMounts"] {
        if let Some(list) = pod.pointer_mut(list).and_then(Value::as_array_mut) {
            list.retain(|item| item["name"] != "kube-api-access-x");
        }
    }
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn admit_on_a_real_api_server() {
    scenario("admit_on_a_real_api_server", CertificateTimes::default(), |cluster, webhook| async move {
        webhook.ready().await;
        let error = eventually("the API server calls the webhook", || async {
            match cluster.try_create(&pod("task"), false).await {
                Err(kube::Error::Api(status)) if status.message.contains("has no settings yet") => Ok(status),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        assert_eq!(error.code, 503, "{error:?}");
        cluster.write_settings().await;
        eventually("the settings are known", || async {
            cluster.try_create(&pod("task"), true).await.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        for name in [
            "task",
            "task_minimal_with_arguments_only",
            "task_with_init_containers_and_sidecars",
            "task_with_a_mesh_proxy",
            "task_with_a_workspace_and_a_claim",
            "task_that_is_guaranteed",
            "job_with_a_file_in_and_a_file_out",
            "job_with_directories",
            "job_with_a_claim",
            "job_with_nested_volumes",
            "notebook_with_inputs",
        ] {
            let created = cluster.try_create(&pod(name), false).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(created["spec"]["initContainers"][0]["name"], "penstock-launcher", "{name}");
            // The stored Pod has all defaults of the API server: a second call would change nothing.
            cluster.assert_injected(&created);
        }
        let denied = cluster.try_create(&pod("job_without_command"), false).await.expect_err("denied");
        let kube::Error::Api(status) = denied else { panic!("{denied}") };
        assert!(status.code == 422 && status.message.contains("has no `command`"), "{status:?}");
        let guaranteed = cluster.try_create(&pod("task_that_is_guaranteed"), false).await.expect("creates");
        assert_eq!(guaranteed["status"]["qosClass"], "Guaranteed");
        // Who does not ask is not seen.
        let mut bare = pod("task");
        bare["metadata"]["labels"] = json!({});
        let created = cluster.try_create(&bare, false).await.expect("creates");
        assert!(created["spec"]["initContainers"].is_null());
        let sample = "penstock_webhook_admissions_total{result=\"invalid\"}";
        assert_eq!(webhook.metric(sample), 0.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_wiped_ca_bundle_is_repaired_on_a_real_api_server() {
    let times = CertificateTimes { check: Duration::from_secs(2), ..CertificateTimes::default() };
    scenario("f20_a_wiped_ca_bundle_is_repaired_on_a_real_api_server", times, |cluster, webhook| async move {
        cluster.settled(&webhook).await;
        let configurations = cluster.configurations();
        let bundle = async || {
            let there = configurations.get(&cluster.own).await.expect("reads");
            there.webhooks.expect("entries")[0].client_config.ca_bundle.clone()
        };
        let before = bundle().await;
        assert!(before.is_some());
        let wipe = json!({"webhooks": [{"name": "pods.penstock.dev", "clientConfig": {"caBundle": null}}]});
        let wiped = configurations.patch(&cluster.own, &PatchParams::default(), &Patch::Strategic(wipe)).await;
        assert!(wiped.expect("wipes").webhooks.expect("entries")[0].client_config.ca_bundle.is_none());
        let started = Instant::now();
        eventually("the bundle is back", || async {
            if bundle().await == before { Ok(()) } else { Err("it is not".to_owned()) }
        })
        .await;
        eprintln!("caBundle was back after {} ms", started.elapsed().as_millis());
        eventually("Pods are admitted again", || async {
            cluster.try_create(&pod("task"), true).await.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        // The Secret vanishes: all is made anew at the next look, and nothing is refused meanwhile for long.
        let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), &cluster.own);
        secrets.delete("certificate", &DeleteParams::default()).await.expect("deletes");
        eventually("the Secret is back and another authority is trusted", || async {
            secrets.get("certificate").await.map_err(|error| error.to_string())?;
            if bundle().await == before { Err("it is the old one".to_owned()) } else { Ok(()) }
        })
        .await;
        eventually("Pods are admitted again", || async {
            cluster.try_create(&pod("task"), true).await.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_without_the_webhook_only_pods_that_ask_for_it_are_refused() {
    scenario(
        "f19_without_the_webhook_only_pods_that_ask_for_it_are_refused",
        CertificateTimes::default(),
        |cluster, webhook| async move {
            cluster.settled(&webhook).await;
            webhook.shutdown.request();
            webhook.task.await.expect("no panic").expect("no error");
            let error = cluster.try_create(&pod("task"), true).await.expect_err("refused");
            let kube::Error::Api(status) = error else { panic!("{error}") };
            assert!(status.code == 500 && status.message.contains("failed calling webhook"), "{status:?}");
            let mut bare = pod("task");
            bare["metadata"]["labels"] = json!({});
            cluster.try_create(&bare, true).await.expect("others are not held up");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_rotation_drops_no_admission_of_a_real_api_server() {
    // Much of each life lies in the past: its last third begins soon, and is long. A step is due every few seconds, and has
    // about eighteen to be taken in, which is for machines that are busy with much else.
    let times = CertificateTimes {
        authority: Duration::from_secs(36),
        leaf: Duration::from_secs(30),
        settle: Duration::from_secs(4),
        backdate: Duration::from_secs(30),
        check: Duration::from_millis(500),
    };
    scenario("f20_rotation_drops_no_admission_of_a_real_api_server", times, |cluster, webhook| async move {
        cluster.settled(&webhook).await;
        let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let (cluster, is_over, calls) = (cluster.clone(), Arc::clone(&is_over), Arc::clone(&calls));
            callers.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    cluster.try_create(&pod("task"), true).await.expect("admitted");
                    calls.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(50)).await;
                }
            });
        }
        let (configurations, mut bundles) = (cluster.configurations(), std::collections::HashSet::new());
        let started = Instant::now();
        let is_enough =
            |bundles: usize| bundles >= 4 && started.elapsed() >= ROTATION || started.elapsed() > 3 * ROTATION;
        while !is_enough(bundles.len()) {
            sleep(Duration::from_secs(1)).await;
            let there = configurations.get(&cluster.own).await.expect("reads");
            bundles.insert(there.webhooks.expect("entries")[0].client_config.ca_bundle.clone().map(|bytes| bytes.0));
        }
        is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = callers.join_next().await {
            ended.expect("no admission failed");
        }
        eprintln!("{} admissions over {} bundles", calls.load(Ordering::Relaxed), bundles.len());
        assert!(bundles.len() >= 4, "{} bundles", bundles.len());
    })
    .await;
}

/// Prints what the webhook adds to a create, by server-side dry runs of the same Pod with and without it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, by hand"]
async fn measure_what_admission_adds_to_a_create() {
    scenario("measure_what_admission_adds_to_a_create", CertificateTimes::default(), |cluster, webhook| async move {
        cluster.settled(&webhook).await;
        let with = pod("task");
        let mut without = with.clone();
        without["metadata"]["labels"] = json!({});
        let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        for round in 0..400 {
            let started = Instant::now();
            cluster.try_create(if round % 2 == 0 { &with } else { &without }, true).await.expect("admitted");
            times[round % 2].push(started.elapsed().as_secs_f64() * 1000.0);
            sleep(Duration::from_millis(20).saturating_sub(started.elapsed())).await;
        }
        for (name, times) in ["with", "without"].iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            let at = |part: f64| times[(times.len() as f64 * part) as usize];
            eprintln!("{name}: median {:.2} ms, p90 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.9), at(0.99));
        }
        let count = webhook.metric("penstock_webhook_admission_seconds_count");
        let mean = webhook.metric("penstock_webhook_admission_seconds_sum") / count * 1000.0;
        eprintln!("in the webhook itself: mean {mean:.3} ms of {count}");
    })
    .await;
}
