//! F-11 and F-37 while the launcher reports: outputs and manifest are stored, and the API server does not take the report.

use std::time::Duration;

use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::json;

use crate::scenario::{Scenario, main_runs};

/// Longest time until a manifest is stored.
const MANIFEST_LIMIT: Duration = Duration::from_secs(60);

/// Reports of a namespace that fail for a while: the API server asks somebody about them who is not there.
struct FailingReports<'a> {
    scenario: &'a Scenario,
    name: String,
}

impl<'a> FailingReports<'a> {
    fn of(scenario: &'a Scenario) -> FailingReports<'a> {
        let namespace = scenario.namespace.name();
        let name = format!("failing-reports-{namespace}");
        scenario.cluster.apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{
                "name": "nobody.penstock.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail", "timeoutSeconds": 1,
                "clientConfig": {"service": {"namespace": namespace, "name": "nobody"}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["UPDATE"]}],
                "matchConditions": [{
                    "name": "is-launcher",
                    "expression": format!("request.userInfo.username.endsWith(':{}')", keys::TASK_SERVICE_ACCOUNT),
                }],
            }],
        }));
        FailingReports { scenario, name }
    }
}

impl Drop for FailingReports<'_> {
    fn drop(&mut self) {
        let kind = "validatingwebhookconfiguration";
        self.scenario.cluster.kubectl(["delete", kind, &self.name, "--ignore-not-found"]).run();
    }
}

/// A run whose only task has stored all, and cannot report it.
fn reach(scenario: &Scenario) -> (Background, String, Plan) {
    let task = Task::new("work", "printf done > \"$1\"").output("said", "STRING").retries(1);
    let mut running = scenario.run(&Pipeline::new("reports", [task])).spawn();
    let pod = scenario.wait_for_pod(&mut running, "runs", main_runs);
    let plan = scenario.plan_of(&pod);
    wait_until("the manifest", MANIFEST_LIMIT, || scenario.cluster.object(&plan.manifest_uri()).is_some());
    (running, pod, plan)
}

#[test]
fn f11_a_pod_deleted_while_it_reports_has_done_its_work() {
    let Some(scenario) = Scenario::new("f11_a_pod_deleted_while_it_reports_has_done_its_work") else { return };
    let failing = FailingReports::of(&scenario);
    let (running, pod, _) = reach(&scenario);
    scenario.delete_pod(&pod);
    let run = running.wait().expect_code(0).document();
    assert_eq!(run.task("work").attempt, Some(1), "what is stored was done again: {run:?}");
    assert_eq!(run.task("work").parameters.outputs["said"], json!("done"));
    scenario.assert_no_pods_left(&run);
    drop(failing);
}

#[test]
fn f37_while_the_report_is_on_its_way() {
    let Some(scenario) = Scenario::new("f37_while_the_report_is_on_its_way") else { return };
    let failing = FailingReports::of(&scenario);
    let (running, _, _) = reach(&scenario);
    scenario.penstock(&["stop", "latest"]).run().expect_code(0);
    let run = running.wait().expect_code(3).document();
    assert_eq!(run.state, "CANCELED");
    scenario.assert_no_pods_left(&run);
    drop(failing);
}
