//! What follows a failed attempt.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use penstock_engine::{Effect, Event, Fact, INFRASTRUCTURE_RETRIES, Timer};
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, FailureCause, TaskOutputs};
use penstock_spec::run::TaskStatus;
use serde_json::json;

use crate::host::{Host, any_outputs, failure, start_time};

fn one_task(policy: &str) -> String {
    format!(
        "
components:
  comp: {{executorLabel: exec, outputDefinitions: {{parameters: {{x: {{parameterType: STRING}}}}}}}}
root: {{dag: {{tasks: {{a: {{componentRef: {{name: comp}}, taskInfo: {{name: a}}{policy}}}}}}}}}
"
    )
}

/// Fails so many times, then succeeds.
fn fails(times: u32, cause: FailureCause) -> impl Fn(&Plan) -> Result<TaskOutputs, Failure> {
    move |plan| if plan.task.attempt < times { Err(failure(cause, "no luck")) } else { Ok(any_outputs(plan)) }
}

/// Seconds from the start until each retry, as set.
fn retry_times(host: &Host) -> Vec<f64> {
    let times = host.log.iter().filter_map(|(fact, at)| match fact {
        Fact::AttemptFailed { retry_at, .. } => Some(retry_at.duration_since(*at).as_secs_f64()),
        _ => None,
    });
    times.collect()
}

#[test]
fn task_without_a_policy_is_not_tried_again() {
    let host = Host::new(&one_task("")).on("a", fails(1, FailureCause::User)).ran().fails();
    assert_eq!(host.attempts("a"), 1);
    assert!(!host.plan("a").retries);
}

#[test]
fn delays_grow_by_a_fractional_factor_up_to_the_maximum() {
    let policy = ", retryPolicy: {maxRetryCount: 4, backoffDuration: 10s, backoffFactor: 1.5, backoffMaxDuration: 30s}";
    let host = Host::new(&one_task(policy)).on("a", fails(4, FailureCause::User)).ran().succeeds();
    assert_eq!(retry_times(&host), [10.0, 15.0, 22.5, 30.0]);
    assert_eq!(host.attempts("a"), 5);
    assert!(host.plan("a").retries);
}

#[test]
fn retry_without_delay_follows_in_the_same_step() {
    let policy =
        ", retryPolicy: {maxRetryCount: 2, backoffDuration: 0s, backoffFactor: 2.0, backoffMaxDuration: 3600s}";
    let mut host = Host::new(&one_task(policy)).started(json!({}));
    let step = host.report_of("a", penstock_spec::report::Outcome::Failed(failure(FailureCause::User, "no")));
    assert!(matches!(step.facts.as_slice(), [Fact::AttemptFailed { .. }, Fact::AttemptStarted { attempt: 1, .. }]));
    host.finish();
    host.succeeds();
}

#[test]
fn last_failure_says_how_many_attempts_there_were() {
    let policy = ", retryPolicy: {maxRetryCount: 2, backoffDuration: 1s}";
    let host = Host::new(&one_task(policy)).failing("a").ran().fails();
    assert_eq!(host.attempts("a"), 3);
    assert_eq!(host.message("a"), "exit code 1 (after 3 attempts)");
    assert_eq!(retry_times(&host), [1.0, 2.0]);
}

#[test]
fn last_failure_counts_attempts_that_infrastructure_cost_too() {
    let mixed = |plan: &Plan| match plan.task.attempt {
        0 | 1 => Err(failure(FailureCause::Infrastructure, "node gone")),
        _ => Err(failure(FailureCause::User, "exit code 1")),
    };
    let host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 1}")).on("a", mixed).ran().fails();
    assert_eq!(host.attempts("a"), 4);
    assert_eq!(host.message("a"), "exit code 1 (after 4 attempts)");
}

#[test]
fn timeouts_and_bad_outputs_count_against_the_policy() {
    for cause in [FailureCause::Timeout, FailureCause::Output] {
        let host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 1}")).on("a", fails(9, cause)).ran().fails();
        assert_eq!(host.attempts("a"), 2);
    }
}

#[test]
fn refused_and_unresolvable_attempts_are_not_tried_again() {
    for cause in [FailureCause::Refused, FailureCause::Input, FailureCause::Canceled] {
        let host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 5}")).on("a", fails(9, cause)).ran().fails();
        assert_eq!(host.attempts("a"), 1);
    }
}

#[test]
fn infrastructure_has_a_budget_of_its_own() {
    let host = Host::new(&one_task("")).on("a", fails(3, FailureCause::Infrastructure)).ran().succeeds();
    assert_eq!(host.attempts("a"), 4);
    for (found, base) in retry_times(&host).into_iter().zip([1.0, 4.0, 16.0]) {
        assert!(found >= base * 0.75 && found <= base * 1.25, "{found} is not about {base}");
    }
    let host = Host::new(&one_task("")).on("a", fails(9, FailureCause::Infrastructure)).ran().fails();
    assert_eq!(host.attempts("a"), 1 + INFRASTRUCTURE_RETRIES as usize);
}

#[test]
fn infrastructure_does_not_use_up_the_authors_retries() {
    let mixed = |plan: &Plan| match plan.task.attempt {
        0 | 2 | 3 => Err(failure(FailureCause::Infrastructure, "node gone")),
        1 | 4 => Err(failure(FailureCause::User, "exit code 1")),
        _ => Ok(any_outputs(plan)),
    };
    let host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 2}")).on("a", mixed).ran().succeeds();
    assert_eq!(host.attempts("a"), 6);
}

#[test]
fn interrupted_attempt_follows_at_once_and_costs_nothing() {
    let host = Host::new(&one_task("")).on("a", fails(7, FailureCause::Interrupted)).ran().succeeds();
    assert_eq!(host.attempts("a"), 8);
    assert_eq!(host.now, start_time());
}

#[test]
fn lost_attempt_counts_as_its_failure_says() {
    let mut host = Host::new(&one_task("")).started(json!({}));
    let node = host.node("a").id;
    let lost = |attempt| Event::TaskLost {
        node,
        attempt,
        failure: failure(FailureCause::Infrastructure, "gone"),
        timings: None,
    };
    assert!(host.deliver(lost(1)).is_empty(), "another attempt");
    host.deliver(lost(0));
    assert_eq!(host.status("a"), TaskStatus::Pending);
    assert!(host.node("a").retry_at.is_some());
    host.finish();
    host.succeeds();
}

#[test]
fn f03_late_report_of_an_earlier_attempt_changes_nothing() {
    let mut host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 1}")).started(json!({}));
    let plan = host.running_plan("a");
    let node = host.node("a").id;
    host.report_of("a", penstock_spec::report::Outcome::Failed(failure(FailureCause::User, "no")));
    let late = host.report(node, 0, penstock_spec::report::Outcome::Succeeded(any_outputs(&plan)));
    assert!(host.deliver(Event::TaskReported { node, report: late }).is_empty());
    let mut foreign = host.report(node, 1, penstock_spec::report::Outcome::Succeeded(any_outputs(&plan)));
    foreign.attempt.task_id = uuid::Uuid::nil();
    // Kept in flight: the report is not this attempt's.
    let in_flight = host.in_flight.clone();
    assert!(host.state.step(Event::TaskReported { node, report: foreign }, host.now).is_empty());
    assert_eq!(host.in_flight, in_flight);
    host.finish();
    host.succeeds();
}

#[test]
fn timer_of_another_attempt_starts_nothing() {
    let mut host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 3, backoffDuration: 60s}")).started(json!({}));
    let node = host.node("a").id;
    host.report_of("a", penstock_spec::report::Outcome::Failed(failure(FailureCause::User, "no")));
    for attempt in [0, 2] {
        assert!(host.deliver(Event::TimerDue { timer: Timer::Retry { node, attempt } }).is_empty());
    }
    let expected = start_time().checked_add(Duration::from_secs(60)).unwrap();
    assert!(host.in_flight.contains(&Effect::SetTimer { timer: Timer::Retry { node, attempt: 1 }, at: expected }));
    host.finish();
    host.succeeds();
}

#[test]
fn nearest_policy_around_a_task_counts() {
    let count = Rc::new(Cell::new(0));
    let seen = Rc::clone(&count);
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec}
  comp-inner: {dag: {tasks: {plain: {componentRef: {name: comp}, taskInfo: {name: plain}}, own: {componentRef: {name: comp}, taskInfo: {name: own}, retryPolicy: {maxRetryCount: 1}}}}}
  comp-middle: {dag: {tasks: {inner: {componentRef: {name: comp-inner}, taskInfo: {name: inner}}}}}
root:
  dag:
    tasks:
      outer: {componentRef: {name: comp-middle}, taskInfo: {name: outer}, retryPolicy: {maxRetryCount: 3}}
      again: {componentRef: {name: comp-middle}, taskInfo: {name: again}}
",
    )
    .on("plain", move |_| {
        seen.set(seen.get() + 1);
        Err(failure(FailureCause::User, "no"))
    })
    .failing("own");
    let host = {
        let mut host = host.started(json!({}));
        while host.answer_next() {}
        host
    };
    assert_eq!(host.attempts("outer/inner/plain"), 4, "inherited over two levels");
    assert_eq!(host.attempts("outer/inner/own"), 2, "its own wins");
    assert_eq!(host.attempts("again/inner/plain"), 1, "another use of the same component has none");
    assert_eq!(count.get(), 5);
}

#[test]
fn each_attempt_has_a_place_of_its_own() {
    let host = Host::new(&one_task(", retryPolicy: {maxRetryCount: 1}")).on("a", fails(1, FailureCause::User)).ran();
    let roots: std::collections::BTreeSet<&str> = host.plans.iter().map(|plan| plan.task_root.as_str()).collect();
    assert_eq!(roots.len(), 2);
    let ids: std::collections::BTreeSet<_> = host.plans.iter().map(|plan| plan.task.id).collect();
    assert_eq!(ids.len(), 1);
}
