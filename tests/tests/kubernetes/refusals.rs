//! What no cluster can do is refused by name, before anything runs.

use penstock_tests::binary;
use penstock_tests::cluster::Namespace;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::json;

use crate::scenario::Scenario;

#[test]
fn settings_that_no_pod_can_have_are_named() {
    let Some(scenario) = Scenario::new("settings_that_no_pod_can_have_are_named") else { return };
    let mount = json!({"volumeName": "own", "mountPath": "/penstock/bin"});
    let task = Task::new("work", "true").settings(json!({"emptyDirMounts": [mount]}));
    let finished = scenario.run(&Pipeline::new("wrong", [task])).run().expect_code(2);
    finished.expect_complaint("emptyDirMounts[0].mountPath").expect_complaint("kept for the launcher");
}

#[test]
fn a_namespace_without_the_label_is_refused_with_the_remedy() {
    let test = "a_namespace_without_the_label_is_refused_with_the_remedy";
    let Some(scenario) = Scenario::new(test) else { return };
    let elsewhere = Namespace::unlabelled(scenario.cluster, "unlabelled");
    let file = binary::samples().join("hello.yaml");
    let finished = elsewhere.run(&scenario.sandbox).arg(file).run().expect_code(2);
    finished.expect_complaint(&format!("kubectl label namespace {} penstock.dev/injection=enabled", elsewhere.name()));
}

#[test]
fn a_root_of_one_machine_is_refused() {
    let Some(scenario) = Scenario::new("a_root_of_one_machine_is_refused") else { return };
    let pipeline = Pipeline::new("local", [Task::new("work", "true")]);
    let finished = scenario.run(&pipeline).args(["--root", "/tmp/somewhere"]).run().expect_code(2);
    finished.expect_complaint("Pods do not reach").expect_complaint("--root");
}
