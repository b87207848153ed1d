//! `penstock retry` of a run whose tasks are Pods.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::document::RunDocument;
use penstock_tests::pipeline::{Pipeline, Task};

use crate::scenario::Scenario;

/// Longest time until the scheduler has told of a Pod.
const EVENT_LIMIT: Duration = Duration::from_secs(60);

/// Task and attempt of every Pod that was ever given a node in the namespace.
fn scheduled(scenario: &Scenario) -> BTreeSet<(String, String)> {
    let events = scenario.namespace.get(["events", "--field-selector=reason=Scheduled"]).unwrap_or_default();
    let names = events["items"].as_array().into_iter().flatten();
    let names = names.filter_map(|event| event["involvedObject"]["name"].as_str());
    let part = |name: &str, from_end: usize| name.rsplit('-').nth(from_end).map(str::to_owned);
    // <run>-<five digits>-<task>-<id>-<attempt>
    names.filter_map(|name| Some((part(name, 2)?, part(name, 0)?))).collect()
}

#[test]
fn retry_runs_what_failed_and_what_comes_after_it_and_nothing_else() {
    let Some(scenario) = Scenario::new("retry_runs_what_failed_and_what_comes_after_it_and_nothing_else") else {
        return;
    };
    let pipeline = Pipeline::new(
        "again",
        [
            Task::new("first", "printf kept > \"$1\"").artifact("data"),
            Task::new("second", "case $KFP_POD_NAME in *-0) exit 3;; esac; cat \"$1\" > \"$2\"")
                .artifact_from("data", "first", "data")
                .output("text", "STRING"),
            Task::new("third", "true").after("second"),
        ],
    );
    let failed = scenario.run(&pipeline).run().expect_code(1).document();
    let (run, kept) = (failed.run_id.clone(), failed.task("first").clone());
    assert!(failed.failure_of("second").contains("exited with code 3"), "{failed:#?}");
    assert_eq!(kept.state, "SUCCEEDED");

    let retried: RunDocument = scenario
        .penstock(&["retry", &run, "-o", "json"])
        .limit(Duration::from_secs(300))
        .run()
        .expect_code(0)
        .document();
    assert_eq!((retried.run_id.as_str(), retried.state.as_str()), (run.as_str(), "SUCCEEDED"));
    assert_eq!(retried.task("first"), &kept, "what had succeeded stays as it was");
    assert_eq!(retried.task("second").attempt, Some(2));
    assert_eq!(retried.task("second").parameters.outputs["text"], "kept");
    assert_eq!(retried.task("third").state, "SUCCEEDED");

    let expected = [("first", "0"), ("second", "0"), ("second", "1"), ("third", "0")];
    let expected: BTreeSet<_> = expected.map(|(task, attempt)| (task.to_owned(), attempt.to_owned())).into();
    wait_until("the scheduler to tell of all Pods", EVENT_LIMIT, || scheduled(&scenario).is_superset(&expected));
    assert_eq!(scheduled(&scenario), expected, "a finished task got another Pod");
    scenario.assert_no_pods_left(&retried);
    let again = scenario.penstock(&["retry", &run]).run().expect_code(2);
    again.expect_complaint("there is nothing to retry");
}
