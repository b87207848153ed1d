//! Runs that go on after they failed or were cancelled.

use std::cell::Cell;
use std::rc::Rc;

use penstock_engine::Event;
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, FailureCause, Outcome, TaskOutputs};
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::json;

use crate::host::{Host, any_outputs, failure};

type Works = Rc<Cell<bool>>;

/// Fails until it is switched on.
fn switched(works: &Works) -> impl Fn(&Plan) -> Result<TaskOutputs, Failure> + use<> {
    let works = Rc::clone(works);
    move |plan| if works.get() { Ok(any_outputs(plan)) } else { Err(failure(FailureCause::User, "not yet")) }
}

const PIPELINE: &str = "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-inner:
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
    dag:
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: weak, outputParameterKey: x}}}}
      tasks:
        strong: {componentRef: {name: comp}, taskInfo: {name: strong}}
        weak: {componentRef: {name: comp}, taskInfo: {name: weak}, dependentTasks: [strong]}
        untriggered: {componentRef: {name: comp}, taskInfo: {name: untriggered}, triggerPolicy: {condition: '1 > 2'}}
  comp-notify: {executorLabel: exec-notify, inputDefinitions: {parameters: {status: {parameterType: TASK_FINAL_STATUS}}}}
root:
  dag:
    tasks:
      first: {componentRef: {name: comp}, taskInfo: {name: first}}
      inner: {componentRef: {name: comp-inner}, taskInfo: {name: inner}, dependentTasks: [first]}
      last: {componentRef: {name: comp}, taskInfo: {name: last}, dependentTasks: [inner]}
      notify:
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [inner]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: inner}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
";

fn attempts(host: &Host, path: &str) -> Vec<u32> {
    host.plans.iter().filter(|plan| plan.task.path == path).map(|plan| plan.task.attempt).collect()
}

#[test]
fn retried_run_keeps_what_succeeded_and_starts_the_rest_anew() {
    let works = Works::default();
    let mut host = Host::new(PIPELINE).on("weak", switched(&works)).ran().fails();
    assert_eq!(host.status("last"), TaskStatus::Skipped);
    works.set(true);
    host.deliver(Event::Retry);
    assert_eq!(host.state.status(), RunStatus::Running);
    assert_eq!(host.running(), ["inner/weak"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, "first"), [0]);
    assert_eq!(attempts(&host, "inner/strong"), [0]);
    assert_eq!(attempts(&host, "inner/weak"), [0, 1], "attempts count on: identities never repeat");
    assert_eq!(attempts(&host, "last"), [0]);
    assert_eq!(host.status("inner/untriggered"), TaskStatus::Skipped);
    assert_eq!(host.node("inner").outputs().parameters["x"], json!("inner/weak:x"));
}

#[test]
fn retried_run_keeps_what_ran_after_a_skip_that_no_failure_was_behind() {
    let works = Works::default();
    let text = "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
root:
  dag:
    tasks:
      untriggered: {componentRef: {name: comp}, taskInfo: {name: untriggered}, triggerPolicy: {condition: '1 > 2'}}
      skipped: {componentRef: {name: comp}, taskInfo: {name: skipped}, dependentTasks: [untriggered]}
      report:
        componentRef: {name: comp}
        taskInfo: {name: report}
        dependentTasks: [skipped]
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
      weak: {componentRef: {name: comp}, taskInfo: {name: weak}}
";
    let mut host = Host::new(text).on("weak", switched(&works)).ran().fails();
    works.set(true);
    host.deliver(Event::Retry);
    assert_eq!(host.running(), ["weak"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.status("skipped"), TaskStatus::Skipped);
    assert_eq!(attempts(&host, "report"), [0], "it succeeded, and nothing that it depends on starts anew");
}

#[test]
fn exit_task_of_a_retried_run_sees_the_new_status() {
    let works = Works::default();
    let mut host = Host::new(PIPELINE).on("weak", switched(&works)).ran().fails();
    assert_eq!(host.input("notify", "status").unwrap()["state"], "FAILED");
    works.set(true);
    host.deliver(Event::Retry);
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.input("notify", "status").unwrap()["state"], "SUCCEEDED");
    assert_eq!(attempts(&host, "notify"), [0, 1]);
}

#[test]
fn run_can_be_retried_again_and_again() {
    let mut host = Host::new(PIPELINE).failing("weak").ran().fails();
    for round in 1..4 {
        host.deliver(Event::Retry);
        host.finish();
        host = host.fails();
        assert_eq!(attempts(&host, "inner/weak").len(), round + 1);
    }
}

#[test]
fn retry_of_a_run_that_did_not_fail_changes_nothing() {
    let mut host = Host::new(PIPELINE).started(json!({}));
    assert!(host.deliver(Event::Retry).is_empty());
    host.finish();
    let mut host = host.succeeds();
    assert!(host.deliver(Event::Retry).is_empty());
}

#[test]
fn cancelled_run_goes_on_where_it_stopped() {
    let mut host = Host::new(PIPELINE).started(json!({}));
    host.succeed("first");
    host.deliver(Event::Terminate { reason: "stop".into() });
    host.finish();
    let mut host = host.expect(RunStatus::Canceled);
    assert_eq!(host.status("inner/strong"), TaskStatus::Canceled);
    assert_eq!(host.status("last"), TaskStatus::Canceled);
    host.deliver(Event::Retry);
    assert_eq!(host.state.stop_reason(), None);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, "first"), [0]);
    assert_eq!(attempts(&host, "inner/strong"), [0, 1]);
}

const LOOP: &str = "
components:
  comp: {executorLabel: exec, inputDefinitions: {parameters: {i: {parameterType: NUMBER_INTEGER}}}, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-loop:
    inputDefinitions: {parameters: {i: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {x: {parameterType: LIST}}}
    dag:
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: b, outputParameterKey: x}}}}
      tasks:
        a: {componentRef: {name: comp}, taskInfo: {name: a}, inputs: {parameters: {i: {componentInputParameter: i}}}}
        b: {componentRef: {name: comp}, taskInfo: {name: b}, dependentTasks: [a], inputs: {parameters: {i: {componentInputParameter: i}}}}
root:
  outputDefinitions: {parameters: {x: {parameterType: LIST}}}
  dag:
    outputs: {parameters: {x: {valueFromParameter: {producerSubtask: for-loop-1, outputParameterKey: x}}}}
    tasks:
      for-loop-1:
        componentRef: {name: comp-loop}
        taskInfo: {name: for-loop-1}
        parameterIterator: {items: {raw: '[0, 1, 2, 3]'}, itemInput: i}
        iteratorPolicy: {parallelismLimit: 1}
";

#[test]
fn retried_loop_takes_up_failed_iterations_and_starts_those_that_never_did() {
    let works = Works::default();
    let mut host = Host::new(LOOP).on("for-loop-1[1]/b", switched(&works)).ran().fails();
    assert!(host.find("for-loop-1[2]").is_none());
    works.set(true);
    host.deliver(Event::Retry);
    assert_eq!(host.running(), ["for-loop-1[1]/b"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, "for-loop-1[0]/a"), [0]);
    assert_eq!(attempts(&host, "for-loop-1[1]/a"), [0]);
    assert_eq!(attempts(&host, "for-loop-1[1]/b"), [0, 1]);
    assert_eq!(host.most_at_once, 1);
    assert_eq!(host.state.outputs().unwrap().parameters["x"].as_array().unwrap().len(), 4);
}

#[test]
fn retried_loop_that_fails_again_leaves_other_failed_iterations_as_they_were() {
    let text = LOOP.replace("iteratorPolicy: {parallelismLimit: 1}", "iteratorPolicy: {parallelismLimit: 2}");
    let mut host = Host::new(&text).failing("for-loop-1[0]/b").failing("for-loop-1[1]/b").ran().fails();
    host.deliver(Event::Retry);
    host.finish();
    let mut host = host.fails();
    assert_eq!(attempts(&host, "for-loop-1[0]/b"), [0, 1]);
    host.deliver(Event::Terminate { reason: "late".into() });
    host.deliver(Event::Retry);
    host.deliver(Event::Terminate { reason: "stop".into() });
    host.finish();
    let mut host = host.expect(RunStatus::Canceled);
    host.deliver(Event::Retry);
    host.finish();
    host.fails();
}

#[test]
fn group_whose_dependency_starts_anew_starts_from_the_beginning() {
    let text = "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-inner: {dag: {tasks: {one: {componentRef: {name: comp}, taskInfo: {name: one}}, two: {componentRef: {name: comp}, taskInfo: {name: two}, dependentTasks: [one]}}}}
  comp-each: {inputDefinitions: {parameters: {i: {parameterType: STRING}, list: {parameterType: STRING}}}, dag: {tasks: {one: {componentRef: {name: comp}, taskInfo: {name: one}}}}}
root:
  dag:
    tasks:
      weak: {componentRef: {name: comp}, taskInfo: {name: weak}}
      exit: {componentRef: {name: comp-inner}, taskInfo: {name: exit}, dependentTasks: [weak], triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}}
      each:
        componentRef: {name: comp-each}
        taskInfo: {name: each}
        dependentTasks: [weak]
        inputs: {parameters: {list: {taskOutputParameter: {producerTask: lists, outputParameterKey: x}}}}
        parameterIterator: {items: {inputParameter: list}, itemInput: i}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
      lists: {componentRef: {name: comp}, taskInfo: {name: lists}}
";
    let works = Works::default();
    let list = |_: &Plan| Ok(crate::host::parameters(json!({"x": "[\"a\", \"b\"]"})));
    let mut host = Host::new(text).on("weak", switched(&works)).on("lists", list).ran().fails();
    works.set(true);
    host.deliver(Event::Retry);
    assert_eq!(host.running(), ["weak"]);
    assert_eq!(host.status("exit"), TaskStatus::Pending);
    host.finish();
    let host = host.succeeds();
    for path in ["exit/one", "exit/two", "each[0]/one", "each[1]/one"] {
        assert_eq!(attempts(&host, path), [0, 1], "{path}");
    }
    assert_eq!(attempts(&host, "lists"), [0]);
}

#[test]
fn late_report_of_the_round_before_changes_nothing() {
    let works = Works::default();
    let mut host = Host::new(PIPELINE).on("weak", switched(&works)).ran().fails();
    let node = host.node("inner/weak").id;
    let plan = host.plan("inner/weak").clone();
    works.set(true);
    host.deliver(Event::Retry);
    let late = host.report(node, 0, Outcome::Succeeded(any_outputs(&plan)));
    assert!(host.deliver(Event::TaskReported { node, report: late }).is_empty());
    host.finish();
    host.succeeds();
}

#[test]
fn retries_of_a_task_count_anew_in_a_retried_run() {
    let text = PIPELINE.replace(
        "weak: {componentRef: {name: comp},",
        "weak: {retryPolicy: {maxRetryCount: 1}, componentRef: {name: comp},",
    );
    let mut host = Host::new(&text).failing("weak").ran().fails();
    host.deliver(Event::Retry);
    host.finish();
    let host = host.fails();
    assert_eq!(attempts(&host, "inner/weak"), [0, 1, 2, 3]);
}

#[test]
fn iteration_of_a_retried_run_does_not_keep_inputs_that_somebody_asked_for_in_between() {
    let text = "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec, inputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-each:
    inputDefinitions: {parameters: {i: {parameterType: STRING}, x: {parameterType: STRING, defaultValue: nothing}}}
    dag: {tasks: {use: {componentRef: {name: comp-use}, taskInfo: {name: use}, inputs: {parameters: {x: {componentInputParameter: x}}}}}}
root:
  dag:
    tasks:
      weak: {componentRef: {name: comp}, taskInfo: {name: weak}}
      each:
        componentRef: {name: comp-each}
        taskInfo: {name: each}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: weak, outputParameterKey: x}}}}
        parameterIterator: {items: {raw: '[\"a\"]'}, itemInput: i}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
";
    let works = Works::default();
    let mut host = Host::new(text).on("weak", switched(&works)).ran().fails();
    assert_eq!(host.input("each[0]/use", "x"), Some(json!("nothing")));
    assert_eq!(host.node("each[0]/use").inputs().parameters["x"], json!("nothing"));
    works.set(true);
    host.deliver(Event::Retry);
    assert!(host.node("each[0]/use").inputs().parameters.is_empty(), "what it is given is not known before it starts");
    assert!(host.node("each[0]").own_inputs().parameters.is_empty(), "its item belongs to the start that is void");
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.input("each[0]/use", "x"), Some(json!("weak:x")));
}
