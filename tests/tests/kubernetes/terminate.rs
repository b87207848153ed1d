//! F-37: a run is stopped in each phase of a task.

use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::Value;

use crate::scenario::{Scenario, main_runs};

fn stop_when(test: &str, script: &str, what: &str, is: impl Fn(&Value) -> bool) {
    let Some(scenario) = Scenario::new(test) else { return };
    let pipeline = Pipeline::new(
        "stopped",
        [Task::new("work", script).artifact("data"), Task::new("never", "true").after("work")],
    );
    let mut running = scenario.run(&pipeline).spawn();
    scenario.wait_for_pod(&mut running, what, is);
    scenario.penstock(&["stop", "latest"]).run().expect_code(0);
    let run = running.wait().expect_code(3).document();
    assert_eq!(run.state, "CANCELED");
    assert_eq!(run.task("work").state, "CANCELED", "{:?}", run.task("work"));
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f37_before_the_container_runs() {
    stop_when("f37_before_the_container_runs", "sleep 300", "exists", |_| true);
}

#[test]
fn f37_while_the_process_runs() {
    stop_when("f37_while_the_process_runs", "sleep 300", "runs", main_runs);
}

#[test]
fn f37_a_process_that_ignores_the_signal_is_killed() {
    let script = "trap '' TERM; while :; do sleep 1; done";
    stop_when("f37_a_process_that_ignores_the_signal_is_killed", script, "runs", main_runs);
}
