//! Two of everything over one PostgreSQL database, as `manifests/overlays/ha` installs it: each API answers, under an account
//! that changes nothing in the cluster; one driver works, and when it is killed one goes on.
//!
//! Installing takes longer than most of what is tried out, so it is done once, and the parts are played one after the other.

mod killed;
mod outage;
mod restarted;
mod secured;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use penstock_spec::keys;
use penstock_tests::cluster::{Cluster, SYSTEM_NAMESPACE};
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::Pipeline;
use penstock_tests::{python, server};
use serde_json::{Value, json};

use crate::admin;
use crate::database::Database;
use crate::scenario::{Scenario, main_runs};
use crate::slow_store::SlowStore;

/// Longest time for a few small tasks.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// A Lease that is not renewed is taken over after 15 s, by one that looks every 3 s; the rest is for a busy machine.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(60);
/// Longest time for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Longest time that a port is forwarded.
const FORWARD_LIMIT: Duration = Duration::from_secs(400);

/// The installation with two of everything. The usual one takes its place in the end.
struct Replicas {
    cluster: &'static Cluster,
}

impl Replicas {
    fn install(cluster: &'static Cluster, database: &Database) -> Replicas {
        let replicas = Replicas { cluster };
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": database.secret(),
            "metadata": {"name": "penstock-database", "namespace": SYSTEM_NAMESPACE},
        }));
        cluster.apply_overlay("ha");
        cluster.await_rollout("penstock");
        cluster.await_rollout("penstock-apiserver");
        replicas
    }

    /// Names of the Pods of a Deployment.
    fn pods(&self, deployment: &str) -> Vec<String> {
        let selector = format!("app.kubernetes.io/name={deployment}");
        let living = self.living(&selector).into_iter();
        living.filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned)).collect()
    }

    fn living(&self, selector: &str) -> Vec<Value> {
        let list = self.cluster.get(["-n", SYSTEM_NAMESPACE, "pods", "-l", selector]).unwrap_or_default();
        let living = list["items"].as_array().into_iter().flatten();
        living.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
    }

    /// How often containers of each Pod of the installation were started again.
    fn restarts(&self) -> BTreeMap<String, i64> {
        let count = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or_default();
        let pods = self.living("app.kubernetes.io/part-of=penstock");
        pods.iter().map(|pod| (pod["metadata"]["name"].to_string(), count(pod))).collect()
    }

    /// What the admin port of a Pod says, without its status.
    fn says(&self, pod: &str, path: &str) -> String {
        let path = format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{pod}:9090/proxy{path}");
        let answer = self.cluster.kubectl(["get", "--raw", &path]).run();
        answer.stdout + &answer.stderr
    }

    /// Whether the driver in a Pod is the one that works.
    fn leads(&self, pod: &str) -> bool {
        admin::value(&self.says(pod, "/metrics"), "penstock_driver_leading") > 0.0
    }

    /// The Pod of the driver that works, and that of the one which waits.
    fn drivers(&self) -> (String, String) {
        wait_for("one driver of two to work", TAKEOVER_LIMIT, || {
            let (work, wait): (Vec<_>, Vec<_>) = self.pods("penstock").into_iter().partition(|pod| self.leads(pod));
            match (&work[..], &wait[..]) {
                ([works], [waits]) => Some((works.clone(), waits.clone())),
                _ => None,
            }
        })
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        let delete = ["-n", SYSTEM_NAMESPACE, "delete", "--ignore-not-found"];
        let added = [
            "deployment/penstock-apiserver",
            "serviceaccount/penstock-apiserver",
            "poddisruptionbudget/penstock",
            "poddisruptionbudget/penstock-apiserver",
            "secret/penstock-database",
            "secret/penstock-api-tls",
        ];
        let _ = self.cluster.kubectl(delete.into_iter().chain(added)).run();
        // A second panic would end all tests.
        let restored = std::panic::catch_unwind(|| self.cluster.install());
        assert!(restored.is_ok() || std::thread::panicking(), "the usual installation does not come back");
    }
}

/// A port of one replica of the API.
struct Replica {
    url: String,
    _forward: Background,
}

impl Replica {
    fn of(replicas: &Replicas, pod: &str) -> Replica {
        let address: SocketAddr = admin::free_address();
        let (pod, ports) = (format!("pod/{pod}"), format!("{}:8888", address.port()));
        let forward = ["-n", SYSTEM_NAMESPACE, "port-forward", &pod, &ports];
        let mut forward = replicas.cluster.kubectl(forward).limit(FORWARD_LIMIT).spawn();
        wait_until("the API to answer", ANSWER_LIMIT, || {
            assert!(forward.is_running(), "the port is not forwarded");
            admin::get(address, "/apis/v2beta1/healthz").is_some_and(|(status, _)| status == 200)
        });
        Replica { url: format!("http://{address}"), _forward: forward }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        server::call(&self.url, method, &format!("/apis/v2beta1{path}"), body, ANSWER_LIMIT).expect("an answer")
    }

    fn submit(&self, pipeline: &Pipeline) -> String {
        let body = json!({"display_name": "of a replica", "pipeline_spec": pipeline.build()});
        let (status, made) = self.call("POST", "/runs", Some(&body));
        assert_eq!(status, 200, "{made}");
        made["run_id"].as_str().expect("an id").to_owned()
    }

    fn state(&self, run: &str) -> String {
        let (_, run) = self.call("GET", &format!("/runs/{run}"), None);
        run["state"].as_str().unwrap_or_default().to_owned()
    }

    fn wait_for_state(&self, run: &str, state: &str) {
        wait_until(&format!("the run to be {state}"), RUN_LIMIT, || {
            let now = self.state(run);
            assert!(now == state || !["SUCCEEDED", "FAILED"].contains(&now.as_str()), "the run is {now}");
            now == state
        });
    }

    /// The run as the command line shows it.
    fn document(&self, scenario: &Scenario, run: &str) -> RunDocument {
        let get = scenario.sandbox.penstock().args(["get", run, "-o", "json", "--server", &self.url]);
        get.run().expect_code(0).document()
    }
}

/// The Pods of a run.
fn pods_of(scenario: &Scenario, run: &str) -> Vec<Value> {
    let mut pods = scenario.namespace.pods();
    pods.retain(|pod| pod["metadata"]["labels"][keys::LABEL_RUN_ID] == run);
    pods
}

fn wait_for_pod_of(scenario: &Scenario, run: &str, task: &str) -> String {
    wait_for(&format!("the Pod of {task}"), RUN_LIMIT, || {
        let pods = pods_of(scenario, run);
        let mut running = pods.iter().filter(|pod| main_runs(pod)).filter_map(|pod| pod["metadata"]["name"].as_str());
        running.find(|name| name.contains(task)).map(str::to_owned)
    })
}

#[test]
fn f34_f36_replicas_over_one_database_go_on_whatever_ends() {
    let test = "f34_f36_replicas_over_one_database_go_on_whatever_ends";
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(scenario) = Scenario::of_runs_alone(test) else { return };
    if !SlowStore::is_reached_or_skip(test) {
        return;
    }
    let Some(database) = Database::start() else { return };
    let began = Instant::now();
    let note = |what: &str| python::note(test, &format!("{what} after {:?}", began.elapsed()));
    let replicas = Replicas::install(scenario.cluster, &database);
    note("installed");
    killed::play(test, &scenario, &replicas, &database);
    note("a killed driver: over");
    restarted::play(test, &python, &scenario, &replicas);
    note("a rolling restart: over");
    outage::play(&scenario, &replicas, &database);
    note("an outage of the database: over");
    secured::play(&python, &scenario, &replicas);
    note("TLS: over");
}
