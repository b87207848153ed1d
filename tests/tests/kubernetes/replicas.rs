//! Two of everything over one PostgreSQL database, as `manifests/overlays/ha` installs it: each API answers, under an account
//! that changes nothing in the cluster; one driver works, and when it is killed one goes on.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use penstock_spec::keys;
use penstock_tests::cluster::{self, Cluster, SYSTEM_NAMESPACE};
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::{python, server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::admin;
use crate::database::Database;
use crate::drivers::PodWatch;
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
        let list = self.cluster.get(["-n", SYSTEM_NAMESPACE, "pods", "-l", &selector]).unwrap_or_default();
        let living = list["items"].as_array().into_iter().flatten();
        let living = living.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        living.filter_map(|pod| pod["metadata"]["name"].as_str()).map(str::to_owned).collect()
    }

    /// Whether the driver in a Pod is the one that works.
    fn leads(&self, pod: &str) -> bool {
        let path = format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{pod}:9090/proxy/metrics");
        let answer = self.cluster.kubectl(["get", "--raw", &path]).run();
        admin::value(&answer.stdout, "penstock_driver_leading") > 0.0
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

/// Kills the process in a Pod of the installation, with no chance to give anything back.
fn kill(cluster: &Cluster, pod: &str) {
    if cluster::state_of_the_test_cluster().is_none() {
        cluster.call(["-n", SYSTEM_NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force"]);
        return;
    }
    let wanted = format!("HOSTNAME={pod}");
    let is_it = |process: &std::path::Path| {
        let read = |name: &str| std::fs::read(process.join(name)).unwrap_or_default();
        read("cmdline").starts_with(b"/usr/bin/penstock\0")
            && read("environ").split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").expect("a list of processes").flatten().map(|entry| entry.path());
    let number = |process: std::path::PathBuf| process.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw);
    let killed = processes.filter(|process| is_it(process)).filter_map(number);
    let killed = killed.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count();
    assert_eq!(killed, 1, "the process of {pod} is not one of this machine");
}

#[test]
fn f36_replicas_over_one_database_go_on_when_the_one_that_drove_is_killed() {
    let test = "f36_replicas_over_one_database_go_on_when_the_one_that_drove_is_killed";
    let Some(scenario) = Scenario::of_runs_alone(test) else { return };
    if !SlowStore::is_reached_or_skip(test) {
        return;
    }
    let Some(database) = Database::start() else { return };
    let began = Instant::now();
    let replicas = Replicas::install(scenario.cluster, &database);
    python::note(test, &format!("installed after {:?}", began.elapsed()));
    let apis = replicas.pods("penstock-apiserver");
    let [one, other] = &*apis else { panic!("not two Pods: {apis:?}") };
    let (one, other) = (Replica::of(&replicas, one), Replica::of(&replicas, other));
    let (works, waits) = replicas.drivers();
    let pods = PodWatch::start(&scenario);

    // Whichever replica is asked, all know the same.
    // The second one ends while nobody drives.
    let steps = [("step-1", "true"), ("step-2", "sleep 12"), ("step-3", "true")];
    let chain = steps.iter().enumerate().map(|(index, (name, script))| {
        let task = Task::new(name, script);
        if index == 0 { task } else { task.after(steps[index - 1].0) }
    });
    let chain = one.submit(&Pipeline::new("chain", chain));
    let sleeper = other.submit(&Pipeline::new("sleeper", [Task::new("sleeps", "echo it sleeps; sleep 600")]));
    let failing = one.submit(&Pipeline::new("failing", [Task::new("fails", "exit 3")]));
    let (_, first) = one.call("GET", "/runs?page_size=1", None);
    let token = first["next_page_token"].as_str().expect("there are more");
    let (status, second) = other.call("GET", &format!("/runs?page_size=1&page_token={token}"), None);
    assert_eq!(status, 200, "a page token of the other replica: {second}");
    assert_ne!(first["runs"][0]["run_id"], second["runs"][0]["run_id"]);
    let pod = wait_for_pod_of(&scenario, &sleeper, "sleeps");
    let path = format!("/apis/v1alpha1/runs/{sleeper}/nodes/{pod}/log");
    let address = one.url.trim_start_matches("http://").parse().expect("an address");
    let said = |text: &str| text.lines().any(|line| line == "it sleeps");
    wait_until("its log", RUN_LIMIT, || {
        admin::get(address, &path).is_some_and(|(code, text)| code == 200 && said(&text))
    });
    one.wait_for_state(&failing, "FAILED");
    wait_for_pod_of(&scenario, &chain, "step-2");

    // Nobody drives now, and commands are taken all the same.
    kill(scenario.cluster, &works);
    let killed = Instant::now();
    let (status, answer) = other.call("POST", &format!("/runs/{sleeper}:terminate"), None);
    assert_eq!(status, 200, "{answer}");
    let late = one.submit(&Pipeline::new("late", [Task::new("work", "true")]));
    let (status, answer) = other.call("DELETE", &format!("/runs/{failing}"), None);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(one.call("GET", &format!("/runs/{failing}"), None).0, 404);
    assert!(!pods_of(&scenario, &failing).is_empty(), "the API has no right to delete Pods");

    // The one that was killed is started again and waits as well; whoever looks first has the Lease.
    wait_until("a driver to work again", TAKEOVER_LIMIT, || replicas.leads(&waits) || replicas.leads(&works));
    python::note(test, &format!("taken over {:?} after the driver was killed", killed.elapsed()));
    for run in [&chain, &late] {
        other.wait_for_state(run, "SUCCEEDED");
    }
    one.wait_for_state(&sleeper, "FAILED");
    wait_until("the Pods of deleted and stopped runs to be gone", RUN_LIMIT, || {
        pods_of(&scenario, &failing).is_empty() && !pods_of(&scenario, &sleeper).iter().any(main_runs)
    });
    wait_until("the deleted run to be gone", RUN_LIMIT, || {
        database.sql(&format!("SELECT count(*) FROM runs WHERE id = '{failing}'")) == "0"
    });
    let document = one.document(&scenario, &chain);
    for (step, _) in steps {
        let task = document.task(step);
        assert_eq!((task.state.as_str(), task.attempt), ("SUCCEEDED", Some(1)), "{task:?}");
    }
    for (name, uids) in pods.seen() {
        assert_eq!(uids.len(), 1, "{name} was created again");
    }
    assert!(replicas.leads(&waits) != replicas.leads(&works), "both work, or none");
    python::note(test, &format!("over after {:?}", began.elapsed()));
}
