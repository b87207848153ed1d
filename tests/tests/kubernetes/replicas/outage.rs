//! The database is away for half a minute while runs are under way: services wait for it and go on, those that start meanwhile
//! too, and the webhook does its work.

use std::time::{Duration, Instant};

use penstock_tests::cluster::SYSTEM_NAMESPACE;
use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::{Value, json};

use super::{RUN_LIMIT, Replica, Replicas, TAKEOVER_LIMIT, wait_for_pod_of};
use crate::database::Database;
use crate::scenario::Scenario;

/// Longer than a process tries to open its store before it says why it cannot.
const AWAY: Duration = Duration::from_secs(30);
/// Longest time until a Pod that starts says something.
const START_LIMIT: Duration = Duration::from_secs(60);

pub(super) fn play(scenario: &Scenario, replicas: &Replicas, database: &Database) {
    let apis = replicas.pods("penstock-apiserver");
    let [api, other] = &*apis else { panic!("not two Pods: {apis:?}") };
    let (api, other) = (Replica::of(replicas, api), Replica::of(replicas, other));
    let (works, waits) = replicas.drivers();
    // The first task ends while nobody can store that it has.
    let steps = [Task::new("during", "sleep 15"), Task::new("afterwards", "true").after("during")];
    let run = api.submit(&Pipeline::new("outage", steps));
    wait_for_pod_of(scenario, &run, "during");

    let restarts = replicas.restarts();
    database.stop();
    let gone = Instant::now();
    scenario.cluster.call(["-n", SYSTEM_NAMESPACE, "delete", "pod", &waits, "--wait=false"]);
    assert_others_are_admitted(scenario);
    let mut starts = None;
    wait_until("a Pod that starts meanwhile to be ready for the webhook", START_LIMIT, || {
        starts = replicas.pods("penstock").into_iter().find(|pod| *pod != works && *pod != waits);
        starts.as_ref().is_some_and(|pod| replicas.says(pod, "/ready/webhook") == "ready\n")
    });
    let starts = starts.expect("it was found");
    replicas.cluster.await_rollout("penstock");
    wait_until("the new Pod to have changed another one", START_LIMIT, || {
        assert_webhook_answers(scenario);
        replicas.says(&starts, "/metrics").contains("penstock_webhook_admissions_total{result=\"injected\"}")
    });
    // What an admin port says with 503 is not passed on by the API server; the log says the same.
    let waits_for_the_store = || {
        let log = scenario.cluster.kubectl(["-n", SYSTEM_NAMESPACE, "logs", &starts]).run().stdout;
        log.contains("the store of runs cannot be reached") && replicas.says(&starts, "/ready") != "ready\n"
    };
    wait_until("the reason", START_LIMIT, waits_for_the_store);
    std::thread::sleep(AWAY.saturating_sub(gone.elapsed() + Duration::from_secs(5)));
    // What is asked for meanwhile waits with it.
    let late = std::thread::spawn(move || other.submit(&Pipeline::new("late", [Task::new("work", "true")])));
    std::thread::sleep(AWAY.saturating_sub(gone.elapsed()));
    assert!(waits_for_the_store());
    database.start_again();

    let late = late.join().expect("it is answered in the end");
    for run in [&run, &late] {
        api.wait_for_state(run, "SUCCEEDED");
    }
    let document = api.document(scenario, &run);
    for step in ["during", "afterwards"] {
        assert_eq!(document.task(step).attempt, Some(1), "{step} was repeated");
    }
    wait_until("the one that waited to be ready", RUN_LIMIT, || replicas.says(&starts, "/ready") == "ready\n");
    wait_until("one driver to work", TAKEOVER_LIMIT, || replicas.leads(&works) != replicas.leads(&starts));
    let mut expected = restarts;
    expected.remove(&json!(waits).to_string());
    expected.insert(json!(starts).to_string(), 0);
    assert_eq!(replicas.restarts(), expected, "a service was started again");
}

fn pod(scenario: &Scenario, name: &str, label: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": scenario.namespace.name(), "labels": {(label): "enabled"}, "annotations": annotations,
        },
        "spec": {"restartPolicy": "Never", "containers": [{"name": "work", "image": "busybox:1.36", "command": ["true"]}]},
    })
}

/// Pods that are not ours are nobody's business, also in namespaces of runs.
fn assert_others_are_admitted(scenario: &Scenario) {
    scenario.cluster.apply(&pod(scenario, "plain", "app", &json!({})));
    let plain = scenario.namespace.get(["pod", "plain"]).expect("the Pod is there");
    assert!(plain["spec"]["initContainers"].is_null(), "{plain:#}");
}

fn assert_webhook_answers(scenario: &Scenario) {
    let outputs =
        json!({"penstock.dev/outputs": format!("/out/x -> minio://mlpipeline/{}/x", scenario.namespace.name())});
    let asks = pod(scenario, "asks", "penstock.dev/inject", &outputs).to_string();
    let create = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    let (code, text) = scenario.cluster.call_with_input(&create, &asks);
    assert!(code == Some(0) && text.contains("initContainers"), "{text}");
}
