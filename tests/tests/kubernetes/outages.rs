//! Parts go away while a run is under way: the driver, the webhook, the object store.

use std::time::Duration;

use penstock_tests::cluster::SYSTEM_NAMESPACE;
use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::scenario::{Scenario, main_runs};

/// Kills of the driver; `PENSTOCK_KILLS` sets another number.
const KILLS: u32 = 4;
/// Moments of kills lie within this time of a start.
const LATEST_KILL: Duration = Duration::from_secs(8);
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

#[test]
fn f01_kills_of_the_driver_lose_no_task_and_accept_none_twice() {
    let test = "f01_kills_of_the_driver_lose_no_task_and_accept_none_twice";
    let Some(scenario) = Scenario::new(test) else { return };
    let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| rand::rng().random());
    let kills = setting("PENSTOCK_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap_or(u32::MAX));
    python::note(test, &format!("seed {seed}: PENSTOCK_SEED={seed} repeats it; up to {kills} kills"));
    let mut moments = StdRng::seed_from_u64(seed);

    let mut running = scenario.run(&thirty_tasks()).spawn();
    let mut done = 0;
    while done < kills {
        let after = moments.random_range(Duration::ZERO..LATEST_KILL);
        while running.elapsed() < after && running.is_running() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !running.is_running() {
            break;
        }
        running.kill_now();
        done += 1;
        let list = scenario.penstock(&["list", "-o", "json"]).run().expect_code(0);
        let created = list.stdout.contains("run_id");
        running = match created {
            true => scenario.penstock(&["run", "--resume", "latest", "-o", "json"]).spawn(),
            false => scenario.run(&thirty_tasks()).spawn(),
        };
    }
    assert!(done > 0, "the kills came too late to hit anything");
    let run = running.wait().expect_code(0).document();
    let tasks: Vec<_> = run.tasks.iter().filter(|task| task.kind == "CONTAINER").collect();
    assert_eq!(tasks.len(), 30);
    for task in tasks {
        assert_eq!(task.state, "SUCCEEDED", "{task:?}");
        assert_eq!(task.parameters.outputs["said"], json!(task.name), "{task:?}");
        // A Pod outlives its driver: nothing runs twice.
        assert_eq!(task.attempt, Some(1), "{task:?}");
    }
    scenario.assert_no_pods_left(&run);
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

/// Stops the store of the cluster that the tests started, and starts it again.
fn store_outage() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster");
    let call = |what: &str| {
        let status = std::process::Command::new(program).args(["s3", what]).status().expect("the program starts");
        assert!(status.success(), "cluster s3 {what}");
    };
    call("stop");
    std::thread::sleep(OUTAGE);
    call("start");
}

#[test]
fn f22_an_outage_of_the_store_during_upload_is_survived() {
    let Some(scenario) = Scenario::alone("f22_an_outage_of_the_store_during_upload_is_survived") else { return };
    let script = "sleep 4; head -c 50000000 /dev/zero > \"$1\"";
    let pipeline = Pipeline::new("outage", [Task::new("work", script).artifact("data")]);
    let mut running = scenario.run(&pipeline).spawn();
    scenario.wait_for_pod(&mut running, "runs", main_runs);
    store_outage();
    let run = running.wait().expect_code(0).document();
    assert_eq!(run.task("work").attempt, Some(1));
}

#[test]
fn f22_an_outage_of_the_store_during_download_is_survived() {
    let Some(scenario) = Scenario::alone("f22_an_outage_of_the_store_during_download_is_survived") else { return };
    let pipeline = Pipeline::new(
        "outage",
        [
            Task::new("make", "head -c 1000000 /dev/zero > \"$1\"").artifact("data"),
            Task::new("pause", "sleep 3").after("make"),
            Task::new("read", "wc -c < \"$1\" > \"$2\"")
                .artifact_from("data", "make", "data")
                .output("size", "NUMBER_INTEGER")
                .after("pause"),
        ],
    );
    let mut running = scenario.run(&pipeline).spawn();
    let is_pause = |pod: &serde_json::Value| {
        main_runs(pod) && pod["metadata"]["name"].as_str().is_some_and(|name| name.contains("-pause-"))
    };
    scenario.wait_for_pod(&mut running, "pauses", is_pause);
    store_outage();
    let run = running.wait().expect_code(0).document();
    assert_eq!(run.task("read").parameters.outputs["size"], json!(1_000_000));
}
