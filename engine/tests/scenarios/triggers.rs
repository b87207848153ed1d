//! Dependencies, strategies, conditions, failure.

use penstock_engine::SkipReason;
use penstock_spec::report::FailureCause;
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::json;

use crate::host::{Host, failure, parameters};

const CHAIN: &str = "
components:
  comp-make: {executorLabel: exec-make, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {x: {parameterType: STRING}}}}
root:
  dag:
    tasks:
      make: {componentRef: {name: comp-make}, taskInfo: {name: make}}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: make, outputParameterKey: x}}}}
";

#[test]
fn sequential_tasks_pass_parameters() {
    let host = Host::new(CHAIN).ran().succeeds();
    assert_eq!(host.input("use", "x"), Some(json!("make:x")));
}

#[test]
fn producer_of_an_input_is_a_dependency_without_dependent_tasks() {
    let mut host = Host::new(CHAIN).started(json!({}));
    assert_eq!(host.running(), ["make"]);
    host.succeed("make");
    assert_eq!(host.running(), ["use"]);
}

const DIAMOND: &str = "
components:
  comp: {executorLabel: exec}
root:
  dag:
    tasks:
      a: {componentRef: {name: comp}, taskInfo: {name: a}}
      b: {componentRef: {name: comp}, taskInfo: {name: b}, dependentTasks: [a]}
      c: {componentRef: {name: comp}, taskInfo: {name: c}, dependentTasks: [a]}
      d: {componentRef: {name: comp}, taskInfo: {name: d}, dependentTasks: [b, c]}
      e: {componentRef: {name: comp}, taskInfo: {name: e}, dependentTasks: [d]}
      free: {componentRef: {name: comp}, taskInfo: {name: free}}
";

#[test]
fn task_starts_when_its_last_dependency_has_succeeded() {
    let mut host = Host::new(DIAMOND).started(json!({}));
    assert_eq!(host.running(), ["a", "free"]);
    host.succeed("a");
    assert_eq!(host.running(), ["b", "c", "free"]);
    host.succeed("c");
    assert_eq!(host.running(), ["b", "free"]);
    host.succeed("b");
    assert_eq!(host.running(), ["d", "free"]);
    host.finish();
    host.succeeds();
}

#[test]
fn failed_task_skips_its_dependants_and_leaves_its_siblings_alone() {
    let mut host = Host::new(DIAMOND).failing("b").started(json!({}));
    host.finish();
    let host = host.fails();
    assert_eq!(host.status("c"), TaskStatus::Succeeded);
    assert_eq!(host.status("free"), TaskStatus::Succeeded);
    assert_eq!(host.skip_reason("d"), SkipReason::UpstreamFailed { task: "b".into() });
    assert_eq!(host.skip_reason("e"), SkipReason::UpstreamFailed { task: "b".into() }, "the origin is named");
    let message = &host.state.failure().unwrap().message;
    assert_eq!(message, "task \"b\" failed: exit code 1");
}

#[test]
fn reason_of_a_skip_does_not_depend_on_which_failure_came_first() {
    let mut host = Host::new(DIAMOND).failing("b").failing("c").started(json!({}));
    host.succeed("a");
    host.report_of("c", penstock_spec::report::Outcome::Failed(failure(FailureCause::User, "exit code 2")));
    host.finish();
    assert_eq!(host.skip_reason("d"), SkipReason::UpstreamFailed { task: "b".into() });
    let host = host.fails();
    assert_eq!(host.state.failure().unwrap().message, "task \"b\" failed: exit code 1 (and 1 more failed)");
}

const CONDITION: &str = "
components:
  comp-flip: {executorLabel: exec-flip, outputDefinitions: {parameters: {Output: {parameterType: STRING}}}}
  comp: {executorLabel: exec}
  comp-if:
    inputDefinitions: {parameters: {pipelinechannel--flip-Output: {parameterType: STRING}}}
    dag: {tasks: {within: {componentRef: {name: comp}, taskInfo: {name: within}}}}
root:
  dag:
    tasks:
      flip: {componentRef: {name: comp-flip}, taskInfo: {name: flip}}
      condition-1:
        componentRef: {name: comp-if}
        taskInfo: {name: condition-1}
        dependentTasks: [flip]
        inputs:
          parameters:
            pipelinechannel--flip-Output: {taskOutputParameter: {producerTask: flip, outputParameterKey: Output}}
        triggerPolicy: {condition: \"inputs.parameter_values['pipelinechannel--flip-Output'] == 'heads'\"}
      after: {componentRef: {name: comp}, taskInfo: {name: after}, dependentTasks: [condition-1]}
      last: {componentRef: {name: comp}, taskInfo: {name: last}, dependentTasks: [after]}
";

#[test]
fn condition_that_holds_runs_the_group() {
    let host = Host::new(CONDITION).on("flip", |_| Ok(parameters(json!({"Output": "heads"})))).ran().succeeds();
    assert_eq!(host.status("condition-1/within"), TaskStatus::Succeeded);
    assert_eq!(host.status("last"), TaskStatus::Succeeded);
}

#[test]
fn false_condition_skips_transitively_and_the_run_succeeds() {
    let host = Host::new(CONDITION).on("flip", |_| Ok(parameters(json!({"Output": "tails"})))).ran().succeeds();
    assert!(
        matches!(host.skip_reason("condition-1"), SkipReason::Condition { condition } if condition.contains("heads"))
    );
    assert_eq!(host.skip_reason("after"), SkipReason::Upstream { task: "condition-1".into() });
    assert_eq!(host.skip_reason("last"), SkipReason::Upstream { task: "condition-1".into() });
    assert!(host.find("condition-1/within").is_none(), "nothing of the group exists");
}

#[test]
fn i09_condition_over_a_missing_key_fails_the_task() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec}
root:
  dag:
    tasks:
      a:
        componentRef: {name: comp}
        taskInfo: {name: a}
        triggerPolicy: {condition: \"inputs.parameter_values['nothing'] == 'x'\"}
",
    )
    .ran()
    .fails();
    assert_eq!(host.node("a").failure().unwrap().cause, FailureCause::Input);
    assert!(host.message("a").starts_with("condition of the task: "), "{}", host.message("a"));
    assert_eq!(host.attempts("a"), 0);
}

#[test]
fn condition_is_only_evaluated_once_the_strategy_is_met() {
    let host = Host::new(CONDITION).failing("flip").ran().fails();
    assert_eq!(host.skip_reason("condition-1"), SkipReason::UpstreamFailed { task: "flip".into() });
}

#[test]
fn numbers_of_conditions_compare_as_numbers() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec, inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}}
root:
  inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}
  dag:
    tasks:
      big:
        componentRef: {name: comp}
        taskInfo: {name: big}
        inputs: {parameters: {n: {componentInputParameter: n}}}
        triggerPolicy: {condition: \"int(inputs.parameter_values['n']) > 5\"}
      small:
        componentRef: {name: comp}
        taskInfo: {name: small}
        inputs: {parameters: {n: {componentInputParameter: n}}}
        triggerPolicy: {condition: \"!(int(inputs.parameter_values['n']) > 5)\"}
",
    )
    .ran_with(json!({"n": 6.0}))
    .succeeds();
    assert_eq!(host.status("big"), TaskStatus::Succeeded);
    assert_eq!(host.status("small"), TaskStatus::Skipped);
}

#[test]
fn empty_dag_succeeds() {
    let host = Host::new(
        "
components:
  comp-empty: {dag: {tasks: {}}}
root: {dag: {tasks: {nothing: {componentRef: {name: comp-empty}, taskInfo: {name: nothing}}}}}
deploymentSpec: {executors: {}}
",
    )
    .ran()
    .succeeds();
    assert_eq!(host.status("nothing"), TaskStatus::Succeeded);
}

#[test]
fn run_status_follows_the_run() {
    let mut host = Host::new(CHAIN);
    assert_eq!(host.state.status(), RunStatus::Pending);
    host.start(json!({}));
    assert_eq!(host.state.status(), RunStatus::Running);
    host.finish();
    host.succeeds();
}

#[test]
fn f02_second_start_changes_nothing() {
    let mut host = Host::new(CHAIN).started(json!({}));
    let again = penstock_engine::Event::Start { run: crate::host::run_info(), parameters: serde_json::Map::new() };
    assert!(host.deliver(again).is_empty());
}
