//! Cancellation and the limit on a run's duration.

use std::time::Duration;

use penstock_engine::{Effect, Event, Timer};
use penstock_spec::report::{FailureCause, Outcome};
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::json;

use crate::host::{Host, any_outputs, failure, start_time};

const MIXED: &str = "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-inner: {dag: {tasks: {deep: {componentRef: {name: comp}, taskInfo: {name: deep}}}}}
  comp-importer: {executorLabel: exec-importer, outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Model}}}}}
root:
  dag:
    tasks:
      asks: {componentRef: {name: comp}, taskInfo: {name: asks}, cachingOptions: {enableCache: true}}
      imports: {componentRef: {name: comp-importer}, taskInfo: {name: imports}}
      inner: {componentRef: {name: comp-inner}, taskInfo: {name: inner}}
      later: {componentRef: {name: comp}, taskInfo: {name: later}, dependentTasks: [runs]}
      notify: {componentRef: {name: comp}, taskInfo: {name: notify}, dependentTasks: [runs], triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}}
      retries: {componentRef: {name: comp}, taskInfo: {name: retries}, retryPolicy: {maxRetryCount: 3, backoffDuration: 60s}}
      runs: {componentRef: {name: comp}, taskInfo: {name: runs}}
deploymentSpec:
  executors:
    exec: {container: {image: i, command: [c]}}
    exec-importer: {importer: {typeSchema: {schemaTitle: system.Model}, artifactUri: {constant: 's3://b/k'}}}
";

fn under_way() -> Host {
    let mut host = Host::new(MIXED).started(json!({}));
    host.report_of("retries", Outcome::Failed(failure(FailureCause::User, "no")));
    host
}

fn cancel() -> Event {
    Event::Terminate { reason: "asked by a person".into() }
}

#[test]
fn cancel_stops_what_runs_and_cancels_what_does_not() {
    let mut host = under_way();
    let step = host.deliver(cancel());
    let stops = step.effects.iter().filter(|effect| matches!(effect, Effect::StopAttempt { .. })).count();
    assert_eq!((stops, step.effects.len()), (2, 2), "the two attempts that run");
    assert_eq!(host.state.status(), RunStatus::Canceling);
    assert_eq!(host.state.stop_reason(), Some("asked by a person"));
    for path in ["asks", "imports", "later", "notify", "retries"] {
        assert_eq!(host.status(path), TaskStatus::Canceled, "{path}");
    }
    assert_eq!(host.status("runs"), TaskStatus::Running);
    host.finish();
    let host = host.expect(RunStatus::Canceled);
    for path in ["runs", "inner/deep", "inner", ""] {
        assert_eq!(host.status(path), TaskStatus::Canceled, "{path}");
    }
    assert_eq!(host.attempts("notify"), 0, "exit tasks do not start either");
}

#[test]
fn f38_late_success_of_a_stopped_attempt_is_accepted_and_the_run_is_cancelled() {
    let mut host = under_way();
    let plan = host.running_plan("runs");
    host.deliver(cancel());
    host.report_of("runs", Outcome::Succeeded(any_outputs(&plan)));
    host.finish();
    let host = host.expect(RunStatus::Canceled);
    assert_eq!(host.status("runs"), TaskStatus::Succeeded);
    assert_eq!(host.status("later"), TaskStatus::Canceled);
}

#[test]
fn f38_second_terminate_and_late_answers_change_nothing() {
    let mut host = under_way();
    host.deliver(cancel());
    assert!(host.deliver(Event::Terminate { reason: "again".into() }).is_empty());
    let (asks, retries) = (host.node("asks").id, host.node("retries").id);
    assert!(host.deliver(Event::CacheAnswered { node: asks, hit: None }).is_empty());
    assert!(host.deliver(Event::TimerDue { timer: Timer::Retry { node: retries, attempt: 1 } }).is_empty());
    host.finish();
    let mut host = host.expect(RunStatus::Canceled);
    assert!(host.deliver(cancel()).is_empty());
}

#[test]
fn failed_attempt_of_a_cancelled_run_is_not_tried_again() {
    let mut host = Host::new(MIXED).started(json!({}));
    host.deliver(cancel());
    host.report_of("retries", Outcome::Failed(failure(FailureCause::User, "no")));
    assert_eq!(host.status("retries"), TaskStatus::Canceled);
    host.finish();
    host.expect(RunStatus::Canceled);
}

#[test]
fn terminate_before_the_start_changes_nothing() {
    let mut host = Host::new(MIXED);
    assert!(host.deliver(cancel()).is_empty());
}

fn with_deadline() -> Host {
    let platform = "---\nplatforms: {kubernetes: {pipelineConfig: {activeDeadlineSeconds: '100'}}}";
    Host::new(&format!("{MIXED}\n{platform}"))
}

#[test]
fn run_over_its_time_fails_with_the_reason() {
    let mut host = with_deadline().started(json!({}));
    let at = start_time().checked_add(Duration::from_secs(100)).unwrap();
    assert!(host.in_flight.contains(&Effect::SetTimer { timer: Timer::RunDeadline, at }));
    host.advance(Duration::from_secs(100));
    host.deliver(Event::TimerDue { timer: Timer::RunDeadline });
    assert_eq!(host.state.status(), RunStatus::Canceling);
    host.finish();
    let host = host.fails();
    let failure = host.state.failure().unwrap();
    assert_eq!(failure.cause, FailureCause::Timeout);
    assert_eq!(failure.message, "the run took longer than the 100 s that pipelineConfig.activeDeadlineSeconds allows");
    assert_eq!(host.status("later"), TaskStatus::Canceled);
}

#[test]
fn early_deadline_timer_is_set_again() {
    let mut host = with_deadline().started(json!({}));
    let step = host.deliver(Event::TimerDue { timer: Timer::RunDeadline });
    assert!(step.facts.is_empty());
    assert!(matches!(step.effects.as_slice(), [Effect::SetTimer { timer: Timer::RunDeadline, .. }]));
}

#[test]
fn run_within_its_time_is_not_touched() {
    let mut host = with_deadline().started(json!({}));
    while !host.state.status().is_final() {
        assert!(host.answer_next());
    }
    host.succeeds();
}

#[test]
fn cancel_after_the_deadline_does_not_change_how_the_run_ends() {
    let mut host = with_deadline().started(json!({}));
    host.advance(Duration::from_secs(100));
    host.deliver(Event::TimerDue { timer: Timer::RunDeadline });
    assert!(host.deliver(cancel()).is_empty());
    host.finish();
    host.fails();
}
