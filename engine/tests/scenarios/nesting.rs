//! Nested pipelines and groups: outputs, branches, `OneOf`.

use penstock_engine::NodeKind;
use penstock_spec::run::TaskStatus;
use serde_json::json;

use crate::host::{Host, parameters};

const NESTED: &str = "
components:
  comp-add:
    executorLabel: exec-add
    inputDefinitions: {parameters: {a: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {Output: {parameterType: NUMBER_INTEGER}}}
  comp-deep:
    inputDefinitions: {parameters: {a: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {sum: {parameterType: NUMBER_INTEGER}}}
    dag:
      outputs: {parameters: {sum: {valueFromParameter: {producerSubtask: add, outputParameterKey: Output}}}}
      tasks:
        add: {componentRef: {name: comp-add}, taskInfo: {name: Add it}, inputs: {parameters: {a: {componentInputParameter: a}}}}
  comp-inner:
    inputDefinitions: {parameters: {a: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {sum: {parameterType: NUMBER_INTEGER}}}
    dag:
      outputs: {parameters: {sum: {valueFromParameter: {producerSubtask: deep, outputParameterKey: sum}}}}
      tasks:
        deep: {componentRef: {name: comp-deep}, taskInfo: {name: deep}, inputs: {parameters: {a: {componentInputParameter: a}}}}
root:
  outputDefinitions: {parameters: {total: {parameterType: NUMBER_INTEGER}}}
  dag:
    outputs: {parameters: {total: {valueFromParameter: {producerSubtask: last, outputParameterKey: Output}}}}
    tasks:
      inner: {componentRef: {name: comp-inner}, taskInfo: {name: inner}, inputs: {parameters: {a: {runtimeValue: {constant: 1.0}}}}}
      last:
        componentRef: {name: comp-add}
        taskInfo: {name: last}
        inputs: {parameters: {a: {taskOutputParameter: {producerTask: inner, outputParameterKey: sum}}}}
";

fn plus_one(
    plan: &penstock_spec::plan::Plan,
) -> Result<penstock_spec::report::TaskOutputs, penstock_spec::report::Failure> {
    let a = plan.inputs.parameters["a"].as_i64().unwrap();
    Ok(parameters(json!({"Output": a + 1})))
}

#[test]
fn outputs_rise_through_nested_pipelines_and_are_stored_on_each() {
    let host = Host::new(NESTED).on("inner/deep/add", plus_one).on("last", plus_one).ran().succeeds();
    assert_eq!(host.output("inner/deep", "sum"), Some(json!(2)));
    assert_eq!(host.output("inner", "sum"), Some(json!(2)));
    assert_eq!(host.state.outputs().unwrap().parameters["total"], json!(3));
    assert_eq!(host.node("inner").kind, NodeKind::Dag);
    assert_eq!(host.node("inner/deep/add").display_name, "Add it");
    assert_eq!(host.node("inner").inputs().parameters["a"], json!(1));
}

#[test]
fn failure_of_a_nested_task_is_named_by_its_path_at_every_level() {
    let host = Host::new(NESTED).failing("inner/deep/add").ran().fails();
    let expected = "task \"inner/deep/add\" failed: exit code 1";
    assert_eq!(host.message("inner/deep"), expected);
    assert_eq!(host.message("inner"), expected);
    assert_eq!(host.state.failure().unwrap().message, expected);
    assert_eq!(host.status("last"), TaskStatus::Skipped);
}

const ONE_OF: &str = "
components:
  comp-flip: {executorLabel: exec-flip, outputDefinitions: {parameters: {Output: {parameterType: STRING}}}}
  comp-say: {executorLabel: exec-say, outputDefinitions: {parameters: {Output: {parameterType: STRING}}, artifacts: {m: {artifactType: {schemaTitle: system.Model}}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {x: {parameterType: STRING}}, artifacts: {m: {artifactType: {schemaTitle: system.Model}}}}}
  comp-branch: &branch
    inputDefinitions: {parameters: {flip: {parameterType: STRING}}}
    outputDefinitions: {parameters: {out: {parameterType: STRING}}, artifacts: {m: {artifactType: {schemaTitle: system.Model}}}}
    dag:
      outputs:
        parameters: {out: {valueFromParameter: {producerSubtask: say, outputParameterKey: Output}}}
        artifacts: {m: {artifactSelectors: [{producerSubtask: say, outputArtifactKey: m}]}}
      tasks: {say: {componentRef: {name: comp-say}, taskInfo: {name: say}}}
  comp-branches:
    inputDefinitions: {parameters: {flip: {parameterType: STRING}}}
    outputDefinitions: {parameters: {one: {parameterType: STRING}}, artifacts: {m: {artifactType: {schemaTitle: system.Model}}}}
    dag:
      outputs:
        parameters:
          one:
            valueFromOneof:
              parameterSelectors:
                - {producerSubtask: condition-2, outputParameterKey: out}
                - {producerSubtask: condition-3, outputParameterKey: out}
        artifacts:
          m: {artifactSelectors: [{producerSubtask: condition-2, outputArtifactKey: m}, {producerSubtask: condition-3, outputArtifactKey: m}]}
      tasks:
        condition-2:
          componentRef: {name: comp-branch}
          taskInfo: {name: condition-2}
          inputs: {parameters: {flip: {componentInputParameter: flip}}}
          triggerPolicy: {condition: \"inputs.parameter_values['flip'] == 'heads'\"}
        condition-3:
          componentRef: {name: comp-branch}
          taskInfo: {name: condition-3}
          inputs: {parameters: {flip: {componentInputParameter: flip}}}
          triggerPolicy: {condition: \"inputs.parameter_values['flip'] == 'tails'\"}
root:
  dag:
    tasks:
      flip: {componentRef: {name: comp-flip}, taskInfo: {name: flip}}
      condition-branches-1:
        componentRef: {name: comp-branches}
        taskInfo: {name: condition-branches-1}
        inputs: {parameters: {flip: {taskOutputParameter: {producerTask: flip, outputParameterKey: Output}}}}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        inputs:
          parameters: {x: {taskOutputParameter: {producerTask: condition-branches-1, outputParameterKey: one}}}
          artifacts: {m: {taskOutputArtifact: {producerTask: condition-branches-1, outputArtifactKey: m}}}
";

fn flipped(side: &'static str) -> Host {
    Host::new(ONE_OF).on("flip", move |_| Ok(parameters(json!({"Output": side})))).ran()
}

#[test]
fn one_of_takes_the_branch_that_ran() {
    for (side, branch) in [("heads", "condition-2"), ("tails", "condition-3")] {
        let host = flipped(side).succeeds();
        assert_eq!(host.input("use", "x"), Some(json!(format!("condition-branches-1/{branch}/say:Output"))));
        let made = &host.node(&format!("condition-branches-1/{branch}/say")).outputs().artifacts["m"];
        assert_eq!(&host.plan("use").inputs.artifacts["m"], made);
    }
}

#[test]
fn one_of_without_a_branch_that_ran_fails() {
    let host = flipped("edge").fails();
    assert_eq!(
        host.message("condition-branches-1"),
        "output \"one\" is taken from the first of these tasks that ran, and none did: condition-2, condition-3"
    );
    assert_eq!(host.status("use"), TaskStatus::Skipped);
}

#[test]
fn deep_nesting_needs_no_stack() {
    use std::fmt::Write as _;
    const DEPTH: usize = 50;
    let mut text = String::from(
        "components:\n  comp-0: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}\n",
    );
    for level in 1..=DEPTH {
        let _ = writeln!(
            text,
            "  comp-{level}: {{outputDefinitions: {{parameters: {{x: {{parameterType: STRING}}}}}}, dag: {{outputs: {{parameters: {{x: {{valueFromParameter: {{producerSubtask: t, outputParameterKey: x}}}}}}}}, tasks: {{t: {{componentRef: {{name: comp-{}}}, taskInfo: {{name: t}}}}}}}}}}",
            level - 1
        );
    }
    let _ = writeln!(
        text,
        "root: {{dag: {{tasks: {{t: {{componentRef: {{name: comp-{DEPTH}}}, taskInfo: {{name: t}}}}}}}}}}"
    );
    let run = move || {
        let host = Host::new(&text).ran().succeeds();
        let path = vec!["t"; DEPTH + 1].join("/");
        assert_eq!(host.output("t", "x"), Some(json!(format!("{path}:x"))));
    };
    // The stack would not hold many frames of a recursion over levels.
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn log_that_is_not_this_pipelines_is_refused_and_never_panics() {
    let host = Host::new(NESTED).ran();
    let other = crate::host::compile(ONE_OF);
    let facts = |skip: usize| host.log.iter().skip(skip).map(|(fact, at)| (fact, *at));
    let error = penstock_engine::RunState::fold(std::sync::Arc::clone(&other), facts(0)).unwrap_err();
    assert!(error.to_string().contains("does not fit what comes before it"), "{error}");
    for skip in 1..host.log.len() {
        assert!(penstock_engine::RunState::fold(std::sync::Arc::clone(&other), facts(skip)).is_err());
    }
    let reversed = host.log.iter().rev().map(|(fact, at)| (fact, *at));
    assert!(penstock_engine::RunState::fold(std::sync::Arc::clone(host.state.pipeline()), reversed).is_err());
    for at in 1..host.log.len() {
        let twice = facts(0).take(at).chain(facts(at - 1));
        let folded = penstock_engine::RunState::fold(std::sync::Arc::clone(host.state.pipeline()), twice);
        assert!(folded.is_err(), "fact {} twice: {:?}", at - 1, host.log[at - 1]);
    }
}
