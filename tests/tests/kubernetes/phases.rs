//! F-11 and F-37 while the launcher moves data: before the user's process starts, and after it has ended.

use std::time::{Duration, Instant};

use penstock_spec::plan::Plan;
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::{Value, json};

use crate::scenario::{Scenario, main_runs};
use crate::slow_store::{Slow, SlowStore};

/// Bytes of the artifact: minutes at the pace of the slow store, and several parts of an upload.
pub(crate) const SIZE: u64 = 20_000_000;
/// Bytes after which the artifact is under way.
const UNDER_WAY: u64 = 300_000;
/// Longest time until it is.
const PHASE_LIMIT: Duration = Duration::from_secs(120);
/// Longest time until a Pod that is stopped or deleted is gone, whatever its launcher moves: less than the fifty seconds
/// that a container is held which the cluster takes away.
const END_LIMIT: Duration = Duration::from_secs(45);

/// A task that makes the artifact and one that reads it.
fn pipeline() -> Pipeline {
    let make = format!("head -c {SIZE} /dev/zero > \"$1\"");
    Pipeline::new(
        "phases",
        [
            Task::new("make", &make).artifact("data").retries(1),
            Task::new("read", "echo started; wc -c < \"$1\" > \"$2\"")
                .artifact_from("data", "make", "data")
                .output("size", "NUMBER_INTEGER")
                .retries(1),
        ],
    )
}

/// A run in the middle of a phase of one of its tasks.
pub(crate) struct Phase {
    pub(crate) scenario: Scenario,
    pub(crate) store: SlowStore,
    pub(crate) running: Background,
    pub(crate) pod: String,
    plan: Plan,
}

impl Phase {
    /// Beside others; `None` after saying that the test is skipped.
    pub(crate) fn reach(test: &str, slow: Slow) -> Option<Phase> {
        let scenario = Scenario::new(test)?;
        SlowStore::is_reached_or_skip(test).then(|| Phase::reach_in(scenario, slow))
    }

    /// In a namespace that nobody else uses.
    pub(crate) fn reach_in(scenario: Scenario, slow: Slow) -> Phase {
        let store = SlowStore::in_front_of(&scenario, slow);
        let mut running = scenario.run(&pipeline()).spawn();
        let task = if slow == Slow::Downloads { "-read-" } else { "-make-" };
        let is_it = |pod: &Value| pod["metadata"]["name"].as_str().is_some_and(|name| name.contains(task));
        let pod = wait_for("the Pod to run", PHASE_LIMIT, || {
            assert!(running.is_running(), "the run ended before its artifact was under way");
            let pods = scenario.namespace.pods();
            let found = pods.iter().find(|pod| is_it(pod) && main_runs(pod))?;
            found["metadata"]["name"].as_str().map(str::to_owned)
        });
        let moved = || store.moved(slow);
        wait_until("the artifact to be under way", PHASE_LIMIT, || moved() > UNDER_WAY);
        let plan = scenario.plan_of(&pod);
        if slow == Slow::Downloads {
            let log = scenario.cluster.call(["-n", scenario.namespace.name(), "logs", &pod, "-c", "main"]);
            assert_eq!(log, "", "the user's process started before its inputs were there");
        }
        assert!(moved() < SIZE, "the store is not slow");
        Phase { scenario, store, running, pod, plan }
    }

    /// F-37.
    fn stop(self) {
        let Phase { scenario, store, running, pod: _, plan } = self;
        scenario.penstock(&["stop", "latest"]).run().expect_code(0);
        let stopped = Instant::now();
        let run = running.wait().expect_code(3).document();
        assert_eq!(run.state, "CANCELED");
        scenario.assert_no_pods_left(&run);
        assert!(stopped.elapsed() < END_LIMIT, "the Pod was held for {:?}", stopped.elapsed());
        let manifest = scenario.cluster.object(&plan.manifest_uri());
        assert!(manifest.is_none(), "an attempt that was stopped has a manifest at {}", plan.manifest_uri());
        store.set(Slow::Nothing);
        let begun = store.count(|line| line.starts_with("POST ") && line.contains("?uploads"));
        let completed = store.count(|line| line.starts_with("POST ") && line.contains("uploadId="));
        let aborted = store.count(|line| line.starts_with("DELETE ") && line.contains("uploadId="));
        assert!(begun > 0, "nothing was uploaded in parts");
        assert_eq!(completed + aborted, begun, "uploads in parts are left over in the store");
    }

    /// F-11.
    fn delete_pod(self) {
        let Phase { scenario, store, running, pod, plan } = self;
        scenario.delete_pod(&pod);
        let uid = |pod: Option<Value>| pod.map(|pod| pod["metadata"]["uid"].clone());
        let first = uid(scenario.namespace.get(["pod", pod.as_str()]));
        wait_until("the Pod to be gone", END_LIMIT, || {
            let now = scenario.namespace.get(["pod", pod.as_str()]);
            now.as_ref().is_none_or(|pod| pod["status"]["phase"] == "Failed") || uid(now) != first
        });
        store.set(Slow::Nothing);
        let run = running.wait().expect_code(0).document();
        let task = run.tasks.iter().find(|task| task.path == plan.task.path).expect("the task of the Pod");
        assert_eq!((task.state.as_str(), task.attempt), ("SUCCEEDED", Some(2)), "{task:?}");
        assert_eq!(run.task("read").parameters.outputs["size"], json!(SIZE));
        let manifest = scenario.cluster.object(&plan.manifest_uri());
        assert!(manifest.is_none(), "an attempt that was lost has a manifest at {}", plan.manifest_uri());
        scenario.assert_no_pods_left(&run);
    }
}

/// Time in which a container hears that its Pod is being ended.
const HEARING: Duration = Duration::from_secs(5);

#[test]
fn f12_outputs_of_an_evicted_pod_are_stored_while_there_is_time() {
    let test = "f12_outputs_of_an_evicted_pod_are_stored_while_there_is_time";
    let Some(Phase { scenario, store, running, pod, plan }) = Phase::reach(test, Slow::Uploads) else { return };
    let namespace = scenario.namespace.name();
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace},
    });
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
    let (code, said) = scenario.cluster.call_with_input(&["create", "--raw", &path, "-f", "-"], &eviction.to_string());
    assert_eq!(code, Some(0), "{said}");
    let there = || scenario.namespace.get(["pod", pod.as_str()]);
    wait_until("the Pod to be deleted", PHASE_LIMIT, || {
        there().is_some_and(|pod| !pod["metadata"]["deletionTimestamp"].is_null())
    });
    std::thread::sleep(HEARING);
    assert!(there().is_some_and(|pod| main_runs(&pod)), "what could still be stored was given up");
    store.set(Slow::Nothing);
    let run = running.wait().expect_code(0).document();
    let task = run.tasks.iter().find(|task| task.path == plan.task.path).expect("the task of the Pod");
    assert_eq!((task.state.as_str(), task.attempt), ("SUCCEEDED", Some(1)), "{task:?}");
    assert_eq!(run.task("read").parameters.outputs["size"], json!(SIZE));
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f37_while_inputs_are_downloaded() {
    if let Some(phase) = Phase::reach("f37_while_inputs_are_downloaded", Slow::Downloads) {
        phase.stop();
    }
}

#[test]
fn f37_while_outputs_are_uploaded() {
    if let Some(phase) = Phase::reach("f37_while_outputs_are_uploaded", Slow::Uploads) {
        phase.stop();
    }
}

#[test]
fn f11_a_pod_deleted_while_inputs_are_downloaded_is_replaced() {
    let test = "f11_a_pod_deleted_while_inputs_are_downloaded_is_replaced";
    if let Some(phase) = Phase::reach(test, Slow::Downloads) {
        phase.delete_pod();
    }
}

#[test]
fn f11_a_pod_deleted_while_outputs_are_uploaded_is_replaced() {
    let test = "f11_a_pod_deleted_while_outputs_are_uploaded_is_replaced";
    if let Some(phase) = Phase::reach(test, Slow::Uploads) {
        phase.delete_pod();
    }
}
