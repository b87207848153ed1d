//! What a `penstock run` that drives its run itself gives to each task's Pod.

use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::json;

use crate::scenario::Scenario;

#[test]
fn run_gives_to_pods_what_it_is_told_as_the_service_does() {
    let Some(scenario) = Scenario::new("run_gives_to_pods_what_it_is_told_as_the_service_does") else { return };
    let bundle = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"bundle.pem": "an authority of ours"},
        "metadata": {"name": "corporate-ca", "namespace": scenario.namespace.name()},
    });
    scenario.cluster.apply(&bundle);
    let look = "id -u > \"$1\"; id -g > \"$2\"; echo \"$NO_PROXY\" > \"$3\"; grep ours /kfp/certs/ca.crt > \"$4\"";
    let task = ["user", "group", "proxy", "authority"]
        .iter()
        .fold(Task::new("look", look), |task, name| task.output(name, "STRING"));
    let run = scenario
        .run(&Pipeline::new("told", [task]))
        .args(["--task-run-as-user", "1234", "--task-run-as-group", "4321", "--task-run-as-non-root"])
        .args(["--task-proxy", "NO_PROXY=.svc", "--ca-bundle-config-map", "corporate-ca:bundle.pem"])
        .run()
        .expect_code(0)
        .document();
    let outputs = &run.task("look").parameters.outputs;
    let found = ["user", "group", "proxy", "authority"].map(|name| outputs[name].as_str().unwrap_or_default().trim());
    assert_eq!(found, ["1234", "4321", ".svc", "an authority of ours"]);
    scenario.assert_no_pods_left(&run);
}
