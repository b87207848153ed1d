//! Parts go away while a run is under way: the driver, the webhook, the object store.

use std::process::Command;
use std::time::Duration;

use penstock_tests::cluster::{self, SYSTEM_NAMESPACE};
use penstock_tests::deadline::wait_until;
use penstock_tests::document::RunDocument;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::phases::{Phase, SIZE};
use crate::scenario::Scenario;
use crate::slow_store::Slow;

/// Kills of the driver; `PENSTOCK_KILLS` sets another number.
const KILLS: u32 = 4;
/// Runs in which they must all happen: a run is over before its driver was killed as often as is wanted.
const MOST_RUNS: usize = 20;
/// Moments of kills lie within this time of a start.
const LATEST_KILL: Duration = Duration::from_secs(8);
/// Longest time for what is left of a run.
const RUN_LIMIT: Duration = Duration::from_secs(300);
/// How long the object store is away.
const OUTAGE: Duration = Duration::from_secs(20);

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number")))
}

/// Ten chains of three tasks.
fn thirty_tasks() -> Pipeline {
    let tasks = (0..10).flat_map(|chain| {
        let name = move |step: u32| format!("c{chain}-s{step}");
        (0..3).map(move |step| {
            let task = Task::new(&name(step), "printf '%s' \"$2\" > \"$1\"").output("said", "STRING");
            let task = task.arg(&name(step));
            if step == 0 { task } else { task.after(&name(step - 1)) }
        })
    });
    Pipeline::new("thirty", tasks)
}

/// Nothing was lost, and nothing ran twice: a Pod outlives its driver.
fn assert_whole(scenario: &Scenario, run: &RunDocument) {
    let tasks: Vec<_> = run.tasks.iter().filter(|task| task.kind == "CONTAINER").collect();
    assert_eq!(tasks.len(), 30);
    for task in tasks {
        assert_eq!(task.state, "SUCCEEDED", "{task:?}");
        assert_eq!(task.parameters.outputs["said"], json!(task.name), "{task:?}");
        assert_eq!(task.attempt, Some(1), "{task:?}");
    }
    scenario.assert_no_pods_left(run);
}

/// Runs that were created.
fn created(scenario: &Scenario) -> usize {
    let list = scenario.penstock(&["list", "-o", "json"]).run().expect_code(0);
    let list: Value = serde_json::from_str(&list.stdout).unwrap_or_else(|error| panic!("{error}: {list}"));
    list["runs"].as_array().map_or(0, Vec::len)
}

#[test]
fn f01_kills_of_the_driver_lose_no_task_and_accept_none_twice() {
    let test = "f01_kills_of_the_driver_lose_no_task_and_accept_none_twice";
    let Some(scenario) = Scenario::new(test) else { return };
    let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| rand::rng().random());
    let kills = setting("PENSTOCK_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap_or(u32::MAX));
    python::note(test, &format!("seed {seed}: PENSTOCK_SEED={seed} repeats it; {kills} kills"));
    let mut moments = StdRng::seed_from_u64(seed);

    let mut running = scenario.run(&thirty_tasks()).spawn();
    let (mut done, mut ended) = (0, 0);
    while done < kills {
        let after = moments.random_range(Duration::ZERO..LATEST_KILL);
        while running.elapsed() < after && running.is_running() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if running.is_running() {
            running.kill_now();
            done += 1;
            running = match created(&scenario) > ended {
                true => scenario.penstock(&["run", "--resume", "latest", "-o", "json"]).limit(RUN_LIMIT).spawn(),
                false => scenario.run(&thirty_tasks()).spawn(),
            };
        } else {
            assert_whole(&scenario, &running.wait().expect_code(0).document());
            ended += 1;
            assert!(ended < MOST_RUNS, "{done} of {kills} kills in {ended} runs: they come too late");
            running = scenario.run(&thirty_tasks()).spawn();
        }
    }
    assert_whole(&scenario, &running.wait().expect_code(0).document());
    python::note(test, &format!("{done} kills in {} runs", ended + 1));
}

#[test]
fn f19_tasks_wait_for_the_webhook_and_others_do_not() {
    let test = "f19_tasks_wait_for_the_webhook_and_others_do_not";
    let Some(scenario) = Scenario::alone(test) else { return };
    let scale = |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        scenario.cluster.call(["-n", SYSTEM_NAMESPACE, "scale", "deployment/penstock", &replicas]);
    };
    scale("0");
    wait_until("the webhook to be gone", Duration::from_secs(60), || {
        let pods = scenario.cluster.get(["-n", SYSTEM_NAMESPACE, "pods"]).unwrap_or_default();
        pods["items"].as_array().is_none_or(Vec::is_empty)
    });
    let running = scenario.run(&Pipeline::new("waits", [Task::new("work", "true")])).spawn();
    let other = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "other", "namespace": scenario.namespace.name()},
        "spec": {"containers": [{"name": "work", "image": "busybox:1.36", "command": ["true"]}]},
    });
    scenario.cluster.apply(&other);
    std::thread::sleep(Duration::from_secs(3));
    let ours = scenario.namespace.pods().iter().filter(|pod| pod["metadata"]["name"] != "other").count();
    assert_eq!(ours, 0, "a task's Pod was created without its launcher");
    scale("1");
    running.wait().expect_code(0);
}

/// Stops the object store of the cluster that the tests started, or starts it again on its data.
fn switch_store(what: &str) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster");
    let status = Command::new(program).args(["s3", what]).status().expect("the program starts");
    assert!(status.success(), "cluster s3 {what}");
}

/// Starts the store again whatever becomes of the test.
struct StoreAway;

impl StoreAway {
    fn begin() -> StoreAway {
        switch_store("stop");
        StoreAway
    }
}

impl Drop for StoreAway {
    fn drop(&mut self) {
        switch_store("start");
    }
}

/// The store goes away while an artifact is under way, and comes back.
fn store_outage(test: &str, slow: Slow) {
    let Some(scenario) = Scenario::alone(test) else { return };
    if !cluster::is_test_cluster_or_skip(test, "the object store cannot be stopped") {
        return;
    }
    let Phase { scenario, store, running, .. } = Phase::reach_in(scenario, slow);
    let away = StoreAway::begin();
    // What the store had sent before is still on its slow way, and would hide that it is away.
    store.cut();
    let before = store.moved(slow);
    assert!(before < SIZE, "the artifact was there before the store went away");
    std::thread::sleep(OUTAGE);
    assert!(store.turned_away() > 0, "nobody asked for the store while it was away");
    let at_the_end = store.moved(slow);
    assert!(at_the_end < SIZE, "the artifact went its way while the store was away");
    store.set(Slow::Nothing);
    drop(away);
    let run = running.wait().expect_code(0).document();
    assert!(store.moved(slow) > at_the_end, "nothing was moved after the store had come back");
    for task in ["make", "read"] {
        assert_eq!(run.task(task).attempt, Some(1), "{:?}", run.task(task));
    }
    assert_eq!(run.task("read").parameters.outputs["size"], json!(SIZE));
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f22_an_outage_of_the_store_during_upload_is_survived() {
    store_outage("f22_an_outage_of_the_store_during_upload_is_survived", Slow::Uploads);
}

#[test]
fn f22_an_outage_of_the_store_during_download_is_survived() {
    store_outage("f22_an_outage_of_the_store_during_download_is_survived", Slow::Downloads);
}
