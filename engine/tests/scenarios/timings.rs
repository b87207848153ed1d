//! When attempts came to their steps: told by whoever saw it, kept in the fact that ends the attempt.

use penstock_engine::{Event, Fact};
use penstock_spec::Timestamp;
use penstock_spec::report::{FailureCause, Outcome, TaskOutputs};
use penstock_spec::run::RunStatus;
use penstock_spec::timings::Timings;
use serde_json::{Value, json};

use crate::host::{Host, failure};

const TASK: &str = "
components:
  comp: {executorLabel: exec}
root: {dag: {tasks: {a: {componentRef: {name: comp}, taskInfo: {name: a}, retryPolicy: {maxRetryCount: 1}}}}}
";

/// Times that tell which attempt they are of.
fn timings(attempt: i64) -> Option<Box<Timings>> {
    Timings { started_at: Timestamp::from_second(attempt).ok(), ..Timings::default() }.known()
}

/// Ends the attempt that runs.
fn end(host: &mut Host, attempt: u32, outcome: Outcome) {
    let node = host.node("a").id;
    let report =
        penstock_spec::report::Report { timings: timings(attempt.into()), ..host.report(node, attempt, outcome) };
    host.deliver(Event::TaskReported { node, report });
}

/// The times that facts of a kind hold, as they are stored.
fn stored(host: &Host, kind: &str) -> Vec<Value> {
    let facts = host.log.iter().map(|(fact, _)| serde_json::to_value(fact).unwrap());
    facts.filter(|fact| fact["fact"] == kind).map(|mut fact| fact["timings"]["startedAt"].take()).collect()
}

fn failed() -> Outcome {
    Outcome::Failed(failure(FailureCause::User, "no"))
}

#[test]
fn fact_that_ends_an_attempt_says_when_it_came_to_its_steps() {
    let mut host = Host::new(TASK).started(json!({}));
    end(&mut host, 0, failed());
    end(&mut host, 1, Outcome::Succeeded(TaskOutputs::default()));
    let host = host.expect(RunStatus::Succeeded);
    assert_eq!(stored(&host, "attemptFailed"), ["1970-01-01T00:00:00Z"]);
    assert_eq!(stored(&host, "taskSucceeded"), ["1970-01-01T00:00:01Z"]);

    let mut host = Host::new(TASK).started(json!({}));
    let (node, lost) = (host.node("a").id, failure(FailureCause::User, "gone"));
    host.deliver(Event::TaskLost { node, attempt: 0, failure: lost, timings: timings(7) });
    end(&mut host, 1, failed());
    let host = host.expect(RunStatus::Failed);
    assert_eq!(stored(&host, "attemptFailed"), ["1970-01-01T00:00:07Z"]);
    assert_eq!(stored(&host, "taskFailed"), ["1970-01-01T00:00:01Z"]);

    let mut host = Host::new(TASK).started(json!({}));
    host.deliver(Event::Terminate { reason: "stop".to_owned() });
    end(&mut host, 0, failed());
    let host = host.expect(RunStatus::Canceled);
    assert_eq!(stored(&host, "taskCanceled"), ["1970-01-01T00:00:00Z"]);
}

#[test]
fn facts_of_earlier_builds_have_no_times() {
    let fact = json!({"fact": "taskSucceeded", "node": 1, "attempt": 0, "outputs": {}});
    let read: Fact = serde_json::from_value(fact.clone()).unwrap();
    assert!(matches!(&read, Fact::TaskSucceeded { timings: None, .. }), "{read:?}");
    assert_eq!(serde_json::to_value(read).unwrap(), fact, "and are written as they were");
}
