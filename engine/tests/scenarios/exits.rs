//! Exit handlers, final status, tasks that ignore upstream failures.

use penstock_spec::report::FailureCause;
use penstock_spec::run::TaskStatus;
use serde_json::json;

use crate::host::{Host, failure, parameters};

const EXIT: &str = "
components:
  comp: {executorLabel: exec}
  comp-notify: {executorLabel: exec-notify, inputDefinitions: {parameters: {status: {isOptional: true, parameterType: TASK_FINAL_STATUS}}}}
  comp-handler: {dag: {tasks: {work: {componentRef: {name: comp}, taskInfo: {name: work}}, more: {componentRef: {name: comp}, taskInfo: {name: more}, dependentTasks: [work]}}}}
root:
  dag:
    tasks:
      exit-handler-1: {componentRef: {name: comp-handler}, taskInfo: {name: my handler}}
      notify:
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [exit-handler-1]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: exit-handler-1}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
";

#[test]
fn exit_task_gets_the_status_of_a_success() {
    let host = Host::new(EXIT).ran().succeeds();
    let expected = json!({
        "state": "SUCCEEDED",
        "error": {},
        "pipelineJobResourceName": "test-x7k2p",
        "pipelineTaskName": "exit-handler-1",
    });
    assert_eq!(host.input("notify", "status"), Some(expected));
}

#[test]
fn exit_task_runs_after_a_failure_and_the_run_fails() {
    let host = Host::new(EXIT).failing("exit-handler-1/work").ran().fails();
    let status = host.input("notify", "status").unwrap();
    assert_eq!(status["state"], "FAILED");
    assert_eq!(status["error"]["code"], 2);
    assert_eq!(status["error"]["message"], "task \"exit-handler-1/work\" failed: exit code 1");
    assert_eq!(host.status("notify"), TaskStatus::Succeeded);
    assert_eq!(host.status("exit-handler-1"), TaskStatus::Failed);
}

#[test]
fn failed_exit_task_fails_the_run() {
    let host = Host::new(EXIT).failing("notify").ran().fails();
    assert_eq!(host.state.failure().unwrap().message, "task \"notify\" failed: exit code 1");
}

#[test]
fn code_of_a_final_status_says_what_kind_of_failure_it_was() {
    let timed_out = |_: &_| Err(failure(FailureCause::Timeout, "took longer than 5 s"));
    let host = Host::new(EXIT).on("work", timed_out).ran().fails();
    assert_eq!(host.input("notify", "status").unwrap()["error"]["code"], 4);
}

#[test]
fn final_status_names_its_producer_not_the_first_dependency() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec}
  comp-notify: {executorLabel: exec-notify, inputDefinitions: {parameters: {status: {parameterType: TASK_FINAL_STATUS}}}}
root:
  dag:
    tasks:
      a: {componentRef: {name: comp}, taskInfo: {name: a}}
      b: {componentRef: {name: comp}, taskInfo: {name: b}}
      notify:
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [a, b]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: b}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
",
    )
    .failing("b")
    .ran()
    .fails();
    let status = host.input("notify", "status").unwrap();
    assert_eq!((status["state"].as_str(), status["pipelineTaskName"].as_str()), (Some("FAILED"), Some("b")));
}

#[test]
fn pipeline_as_exit_task_hands_the_status_on() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec}
  comp-print: {executorLabel: exec-print, inputDefinitions: {parameters: {status: {parameterType: STRUCT}}}}
  comp-exit:
    inputDefinitions: {parameters: {pipelinechannel--status: {parameterType: TASK_FINAL_STATUS}}}
    dag:
      tasks:
        print:
          componentRef: {name: comp-print}
          taskInfo: {name: print}
          inputs: {parameters: {status: {componentInputParameter: pipelinechannel--status}}}
root:
  dag:
    tasks:
      work: {componentRef: {name: comp}, taskInfo: {name: work}}
      exit:
        componentRef: {name: comp-exit}
        taskInfo: {name: exit}
        dependentTasks: [work]
        inputs: {parameters: {pipelinechannel--status: {taskFinalStatus: {producerTask: work}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
",
    )
    .failing("work")
    .ran()
    .fails();
    assert_eq!(host.input("exit/print", "status").unwrap()["state"], "FAILED");
}

#[test]
fn status_of_a_task_that_was_not_triggered_says_so() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec}
  comp-notify: {executorLabel: exec-notify, inputDefinitions: {parameters: {status: {parameterType: TASK_FINAL_STATUS}}}}
root:
  dag:
    tasks:
      work: {componentRef: {name: comp}, taskInfo: {name: work}, triggerPolicy: {condition: '1 > 2'}}
      after: {componentRef: {name: comp}, taskInfo: {name: after}, dependentTasks: [work]}
      on-work: &notify
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [work]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: work}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
      on-after:
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [after]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: after}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
",
    )
    .ran()
    .succeeds();
    assert_eq!(host.input("on-work", "status").unwrap()["state"], "NOT_TRIGGERED");
    assert_eq!(host.input("on-after", "status").unwrap()["state"], "UNSCHEDULABLE");
}

#[test]
fn status_of_a_cached_task_is_a_success() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec}
  comp-notify: {executorLabel: exec-notify, inputDefinitions: {parameters: {status: {parameterType: TASK_FINAL_STATUS}}}}
root:
  dag:
    tasks:
      work: {componentRef: {name: comp}, taskInfo: {name: work}, cachingOptions: {enableCache: true}}
      same: {componentRef: {name: comp}, taskInfo: {name: same}, cachingOptions: {enableCache: true}, dependentTasks: [work]}
      notify:
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [same]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: same}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
",
    )
    .caching()
    .ran()
    .succeeds();
    assert!(host.node("same").cached_from().is_some());
    let status = host.input("notify", "status").unwrap();
    assert_eq!((&status["state"], &status["error"]), (&json!("SUCCEEDED"), &json!({})));
}

const IGNORE: &str = "
components:
  comp-make: {executorLabel: exec-make, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {x: {parameterType: STRING, defaultValue: fallback, isOptional: true}}}}
  comp: {executorLabel: exec}
root:
  dag:
    tasks:
      make: {componentRef: {name: comp-make}, taskInfo: {name: make}}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        dependentTasks: [make]
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: make, outputParameterKey: x}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
      last: {componentRef: {name: comp}, taskInfo: {name: last}, dependentTasks: [use]}
";

#[test]
fn ignoring_task_takes_its_default_when_the_producer_failed() {
    let host = Host::new(IGNORE).failing("make").ran().fails();
    assert_eq!(host.input("use", "x"), None, "what was not provided stays visible as such");
    assert_eq!(host.plan("use").defaults.get("x"), Some(&json!("fallback")));
    assert_eq!(host.status("last"), TaskStatus::Succeeded, "tasks after an ignoring task run");
}

#[test]
fn ignoring_task_takes_the_output_when_there_is_one() {
    let host = Host::new(IGNORE).on("make", |_| Ok(parameters(json!({"x": "made"})))).ran().succeeds();
    assert_eq!(host.input("use", "x"), Some(json!("made")));
}
