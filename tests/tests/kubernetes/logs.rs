//! What a task prints is seen while it runs as a Pod, and is the same afterwards.

use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::timed_log::without_times;
use serde_json::{Value, json};

use crate::scenario::{Scenario, main_runs};

/// Prints a line each second.
const COUNT: &str = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 1; done";
const LIMIT: Duration = Duration::from_secs(120);

fn lines() -> String {
    (1..=10).map(|number| format!("line {number}\n")).collect()
}

#[test]
fn log_of_a_running_pod_is_followed_and_is_the_same_when_it_is_stored() {
    let Some(scenario) = Scenario::new("log_of_a_running_pod_is_followed_and_is_the_same_when_it_is_stored") else {
        return;
    };
    let pipeline = Pipeline::new("talks", [Task::new("count", COUNT)]);
    let mut running = scenario.run(&pipeline).spawn();
    scenario.wait_for_pod(&mut running, "exists", |_| true);
    // From before its container runs to its end.
    let followed = scenario.penstock(&["logs", "-f", "latest", "count"]).limit(LIMIT).spawn();
    let timed = scenario.penstock(&["logs", "-f", "latest", "count", "--timestamps"]).limit(LIMIT).spawn();
    scenario.wait_for_pod(&mut running, "runs", main_runs);
    std::thread::sleep(Duration::from_secs(3));
    let so_far = scenario.penstock(&["logs", "latest", "count"]).run().expect_code(0);
    assert!(so_far.stdout.starts_with("line 1\n"), "{so_far}");
    assert!(lines().starts_with(&so_far.stdout) && so_far.stdout.len() < lines().len(), "{so_far}");
    let so_far = scenario.penstock(&["logs", "latest", "count", "--timestamps"]).run().expect_code(0);
    let printed = without_times(&so_far.stdout);
    assert!(lines().starts_with(&printed) && printed.starts_with("line 1\n"), "{so_far}");
    running.wait().expect_code(0);
    let followed = followed.wait().expect_code(0);
    assert_eq!(followed.stdout, lines(), "{followed}");
    let timed = timed.wait().expect_code(0);
    assert_eq!(without_times(&timed.stdout), lines(), "{timed}");
    let stored = scenario.penstock(&["logs", "latest", "count"]).run().expect_code(0);
    assert_eq!(stored.stdout, lines(), "{stored}");
    let stored = scenario.penstock(&["logs", "latest", "count", "--timestamps"]).run().expect_code(0);
    assert_eq!(without_times(&stored.stdout), lines(), "{stored}");
}

#[test]
fn logs_of_all_attempts_are_followed_though_one_follows_the_other_at_once() {
    let Some(scenario) = Scenario::new("logs_of_all_attempts_are_followed_though_one_follows_the_other_at_once") else {
        return;
    };
    let script = r#"echo try $1; echo more; exit 3"#;
    let task = Task::new("fails", script).arg("one").retries(1);
    let mut running = scenario.run(&Pipeline::new("repeats", [task])).spawn();
    scenario.wait_for_pod(&mut running, "exists", |_| true);
    let followed = scenario.penstock(&["logs", "-f", "latest", "fails"]).limit(LIMIT).spawn();
    running.wait().expect_code(1);
    let followed = followed.wait().expect_code(0);
    assert_eq!(followed.stdout, "try one\nmore\ntry one\nmore\n", "{followed}");
}

#[test]
fn f17_what_a_pod_waits_for_is_said() {
    let Some(scenario) = Scenario::new("f17_what_a_pod_waits_for_is_said") else { return };
    let task = Task::new("heavy", "true").resources(json!({"resourceCpuRequest": "1000"}));
    let file = scenario.sandbox.write_pipeline("heavy.json", &Pipeline::new("heavy", [task]).build());
    let run = scenario.penstock(&["run", "--on", "kubernetes"]).arg(file).limit(LIMIT);
    let mut running = run.spawn();
    scenario.wait_for_pod(&mut running, "cannot be placed", |pod| {
        pod["status"]["conditions"].to_string().contains("Unschedulable")
    });
    let logs = scenario.penstock(&["logs", "latest", "heavy"]).run().expect_code(0);
    assert_eq!(logs.stdout, "", "{logs}");
    assert!(logs.stderr.contains("heavy waits: ") && logs.stderr.contains("nodes are available"), "{logs}");
    // Another process than the one that drives the run asks the cluster.
    let got = scenario.penstock(&["get", "latest"]).run().expect_code(0);
    assert!(got.stdout.contains("nodes are available"), "{got}");
    let watched = scenario.penstock(&["watch", "latest"]).limit(LIMIT).spawn();
    let followed = scenario.penstock(&["logs", "-f", "latest", "heavy"]).limit(LIMIT).spawn();
    std::thread::sleep(Duration::from_secs(12));
    scenario.penstock(&["stop", "latest"]).run().expect_code(0);
    let run = running.wait().expect_code(3);
    assert!(run.stdout.contains("heavy waits: "), "{run}");
    let followed = followed.wait().expect_code(0);
    assert!(followed.stderr.contains("heavy waits: "), "{followed}");
    let watched = watched.wait().expect_code(3);
    assert!(watched.stdout.contains("heavy waits: ") && watched.stdout.contains("nodes are available"), "{watched}");
    let got = scenario.penstock(&["get", "latest"]).run().expect_code(0);
    assert!(got.stdout.contains(&format!("namespace {}", scenario.namespace.name())), "{got}");
}

#[test]
fn f44_log_of_a_pod_that_cannot_be_created_yet_is_waited_for() {
    let Some(scenario) = Scenario::new("f44_log_of_a_pod_that_cannot_be_created_yet_is_waited_for") else { return };
    let name = scenario.namespace.name();
    scenario.cluster.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": name},
        "spec": {"hard": {"pods": "0"}},
    }));
    wait_until("the quota to count", LIMIT, || {
        scenario.namespace.get(["resourcequota", "none"]).is_some_and(|quota| quota["status"]["hard"].is_object())
    });
    let running = scenario.run(&Pipeline::new("late", [Task::new("speaks", "echo at last")])).limit(LIMIT * 2).spawn();
    let get = || scenario.penstock(&["get", "latest", "-o", "json"]).run();
    let task = || {
        let run: Value = serde_json::from_str(&get().stdout).ok()?;
        run["tasks"].as_array()?.iter().find(|task| task["name"] == "speaks").cloned()
    };
    let nothing = format!("there is no Pod of it in namespace {name} yet");
    wait_until("what it waits for to be seen", LIMIT, || task().is_some_and(|task| task["waits_for"] == nothing));
    let logs = scenario.penstock(&["logs", "latest", "speaks"]).run().expect_code(0);
    assert_eq!(logs.stdout, "", "{logs}");
    assert!(logs.stderr.contains("speaks has no log yet: its Pod is not there yet"), "{logs}");
    let watched = scenario.penstock(&["watch", "latest"]).limit(LIMIT * 2).spawn();
    let followed = scenario.penstock(&["logs", "-f", "latest", "speaks"]).limit(LIMIT * 2).spawn();
    std::thread::sleep(Duration::from_secs(15));
    scenario.cluster.call(["-n", name, "delete", "resourcequota", "none"]);
    running.wait().expect_code(0);
    let followed = followed.wait().expect_code(0);
    assert_eq!(followed.stdout, "at last\n", "{followed}");
    assert!(followed.stderr.contains("speaks waits: its Pod is not there yet"), "{followed}");
    let watched = watched.wait().expect_code(0);
    assert!(watched.stdout.contains(&format!("speaks waits: {nothing}")), "{watched}");
}
