//! Limited capacity: how many attempts are at work at a time, and who is next.

use penstock_engine::{Event, RunState, outstanding};
use penstock_spec::report::{FailureCause, Outcome};
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::json;

use crate::host::{Host, failure};

/// Tasks whose keys are not in the order in which they become ready, one of which asks the cache and one that is tried
/// again.
const WIDE: &str = "
components: {comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}}
root:
  dag:
    tasks:
      a: {componentRef: {name: comp}, taskInfo: {name: a}, dependentTasks: [d]}
      b: {componentRef: {name: comp}, taskInfo: {name: b}, cachingOptions: {enableCache: true}}
      c: {componentRef: {name: comp}, taskInfo: {name: c}}
      d: {componentRef: {name: comp}, taskInfo: {name: d}, retryPolicy: {maxRetryCount: 1}}
      e: {componentRef: {name: comp}, taskInfo: {name: e}}
";

fn limited(attempts: u32) -> Host {
    Host::new(WIDE).with_capacity(attempts).started(json!({}))
}

#[test]
fn no_more_attempts_are_at_work_than_there_is_room_for() {
    let mut host = limited(2);
    assert_eq!(host.running(), ["c", "d"]);
    assert_eq!(host.status("e"), TaskStatus::Pending, "it is ready, and waits for room");
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.most_at_once, 2);
}

#[test]
fn tasks_start_in_the_order_in_which_they_became_ready() {
    let mut host = limited(1);
    assert_eq!(host.running(), ["c"]);
    let asks = host.node("b").id;
    host.deliver(Event::CacheAnswered { node: asks, hit: None });
    let mut order = vec!["c".to_owned()];
    while !host.state.status().is_final() {
        let running = host.running().remove(0);
        host.succeed(&running);
        order.extend(host.running());
    }
    assert_eq!(order, ["c", "d", "e", "b", "a"], "the cache's answer came after e was ready, and a after all others");
}

#[test]
fn failed_attempt_goes_behind_those_that_wait() {
    let mut host = limited(1);
    host.succeed("c");
    assert_eq!(host.running(), ["d"]);
    host.report_of("d", Outcome::Failed(failure(FailureCause::User, "no")));
    assert_eq!(host.running(), ["e"], "the next attempt of d is due at once, but e has waited longer");
    host.succeed("e");
    assert_eq!(host.running(), ["d"]);
    assert_eq!(host.node("d").attempt, Some(1));
}

#[test]
fn room_is_for_one_at_least() {
    let host = limited(0);
    assert_eq!(host.running(), ["c"]);
}

#[test]
fn cancelled_run_starts_nobody_who_waited() {
    let mut host = limited(1);
    host.deliver(Event::Terminate { reason: "stop".into() });
    assert_eq!(host.status("e"), TaskStatus::Canceled);
    host.finish();
    let host = host.expect(RunStatus::Canceled);
    assert_eq!(host.attempts("d") + host.attempts("e"), 0);
}

#[test]
fn those_who_waited_are_found_again_after_a_restart() {
    let host = limited(1);
    let facts = host.log.iter().map(|(fact, at)| (fact, *at));
    let mut state = RunState::fold(host.state.pipeline().clone(), facts).unwrap();
    state.set_capacity(1);
    assert!(state.resume(host.now).is_empty(), "one attempt is at work");
    let mut wider =
        RunState::fold(host.state.pipeline().clone(), host.log.iter().map(|(fact, at)| (fact, *at))).unwrap();
    wider.set_capacity(2);
    let step = wider.resume(host.now);
    assert_eq!(step.facts.len(), 1, "room for one more: {step:?}");
    assert_eq!(wider.node(host.node("d").id).unwrap().status, TaskStatus::Running);
    assert_eq!(outstanding(&wider).len(), 3, "two attempts and the cache");
}
