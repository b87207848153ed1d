//! Loops: items, order, limits, nesting, collected outputs.

use penstock_engine::{Event, NodeKind};
use penstock_spec::plan::Plan;
use penstock_spec::report::{FailureCause, Outcome};
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::{Value, json};

use crate::host::{Host, any_outputs, failure, parameters};

/// A loop over a body of one task, whose output is collected.
fn simple(items: &str, item_type: &str, more: &str) -> String {
    format!(
        "
components:
  comp-t:
    executorLabel: exec-t
    inputDefinitions: {{parameters: {{x: {{parameterType: {item_type}}}}}}}
    outputDefinitions: {{parameters: {{Output: {{parameterType: STRING}}}}, artifacts: {{data: {{artifactType: {{schemaTitle: system.Dataset}}}}}}}}
  comp-use:
    executorLabel: exec-use
    inputDefinitions:
      parameters: {{all: {{parameterType: LIST}}}}
      artifacts: {{data: {{isArtifactList: true, artifactType: {{schemaTitle: system.Dataset}}}}}}
  comp-loop:
    inputDefinitions: {{parameters: {{list: {{parameterType: LIST, isOptional: true}}, item: {{parameterType: {item_type}}}}}}}
    outputDefinitions:
      parameters: {{all: {{parameterType: LIST}}}}
      artifacts: {{data: {{isArtifactList: true, artifactType: {{schemaTitle: system.Dataset}}}}}}
    dag:
      outputs:
        parameters: {{all: {{valueFromParameter: {{producerSubtask: t, outputParameterKey: Output}}}}}}
        artifacts: {{data: {{artifactSelectors: [{{producerSubtask: t, outputArtifactKey: data}}]}}}}
      tasks:
        t: {{componentRef: {{name: comp-t}}, taskInfo: {{name: t}}, inputs: {{parameters: {{x: {{componentInputParameter: item}}}}}}}}
root:
  inputDefinitions: {{parameters: {{list: {{parameterType: LIST, isOptional: true}}, text: {{parameterType: STRING, isOptional: true}}}}}}
  dag:
    tasks:
      for-loop-1:
        componentRef: {{name: comp-loop}}
        taskInfo: {{name: for-loop-1}}
        {items}
        {more}
      use:
        componentRef: {{name: comp-use}}
        taskInfo: {{name: use}}
        inputs:
          parameters: {{all: {{taskOutputParameter: {{producerTask: for-loop-1, outputParameterKey: all}}}}}}
          artifacts: {{data: {{taskOutputArtifact: {{producerTask: for-loop-1, outputArtifactKey: data}}}}}}
"
    )
}

fn raw(items: &str, item_type: &str, more: &str) -> String {
    simple(&format!("parameterIterator: {{items: {{raw: '{items}'}}, itemInput: item}}"), item_type, more)
}

fn dynamic(source: &str) -> String {
    let items = "parameterIterator: {items: {inputParameter: list}, itemInput: item}";
    simple(items, "NUMBER_INTEGER", &format!("inputs: {{parameters: {{list: {{componentInputParameter: {source}}}}}}}"))
}

#[test]
fn static_items_run_side_by_side_and_are_collected_by_index() {
    let mut host = Host::new(&raw("[\"a\", \"b\", \"c\"]", "STRING", "")).started(json!({}));
    assert_eq!(host.running(), ["for-loop-1[0]/t", "for-loop-1[1]/t", "for-loop-1[2]/t"]);
    for index in [2, 0, 1] {
        host.succeed(&format!("for-loop-1[{index}]/t"));
    }
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.input("for-loop-1[1]/t", "x"), Some(json!("b")));
    let all = json!(["for-loop-1[0]/t:Output", "for-loop-1[1]/t:Output", "for-loop-1[2]/t:Output"]);
    assert_eq!(host.input("use", "all"), Some(all));
    let uris: Vec<&str> = host.plan("use").inputs.artifacts["data"].iter().map(|it| it.uri.as_str()).collect();
    let made = |index: usize| host.node(&format!("for-loop-1[{index}]/t")).outputs().artifacts["data"][0].uri.clone();
    assert_eq!(uris, [made(0), made(1), made(2)]);
    assert_eq!(host.node("for-loop-1").kind, NodeKind::Loop);
    assert_eq!(host.node("for-loop-1").items, Some(3));
    let iteration = host.node("for-loop-1[2]");
    assert_eq!((iteration.kind, iteration.iteration), (NodeKind::Iteration, Some(2)));
}

#[test]
fn i08_empty_loop_succeeds_with_empty_outputs() {
    let host = Host::new(&dynamic("list")).ran_with(json!({"list": []})).succeeds();
    assert_eq!(host.input("use", "all"), Some(json!([])));
    assert_eq!(host.plan("use").inputs.artifacts["data"].len(), 0);
    assert_eq!(host.node("for-loop-1").items, Some(0));
}

#[test]
fn items_may_be_a_list_or_the_text_of_one() {
    let host = Host::new(&dynamic("list")).ran_with(json!({"list": [10.0, 20.0]})).succeeds();
    assert_eq!(host.input("for-loop-1[1]/t", "x"), Some(json!(20)));
    let text = dynamic("text")
        .replace("list: {parameterType: LIST, isOptional: true}, item", "list: {parameterType: STRING}, item");
    let host = Host::new(&text).ran_with(json!({"text": "[1.0, 2]"})).succeeds();
    assert_eq!(host.input("for-loop-1[0]/t", "x"), Some(json!(1)));
    let host = Host::new(&text).ran_with(json!({"text": "not a list"})).fails();
    assert_eq!(host.message("for-loop-1"), "value of type string cannot be iterated: the text is not a JSON array");
}

#[test]
fn i08_more_items_than_allowed_are_refused_with_the_limit() {
    let limit = penstock_spec::limits::Limits::default().loop_items;
    let list: Vec<Value> = vec![json!(1); limit + 1];
    let host = Host::new(&dynamic("list")).ran_with(json!({"list": list})).fails();
    assert_eq!(
        host.message("for-loop-1"),
        format!("the loop has {} items, more than the {limit} that one loop may have", limit + 1)
    );
}

#[test]
fn items_are_fitted_to_the_declared_type() {
    let host = Host::new(&raw("[{\"a\": 1.0}]", "STRING", "")).ran().succeeds();
    assert_eq!(host.input("for-loop-1[0]/t", "x"), Some(json!("{\"a\":1}")));
    let host = Host::new(&raw("[{\"a\": 1.0}]", "STRUCT", "")).ran().succeeds();
    assert_eq!(host.input("for-loop-1[0]/t", "x"), Some(json!({"a": 1})));
    let host = Host::new(&dynamic("list")).ran_with(json!({"list": [1.0, "two"]})).fails();
    assert_eq!(
        host.message("for-loop-1"),
        "item 1 of the loop: input parameter \"item\" type mismatch: expect NUMBER_INTEGER, got string"
    );
}

#[test]
fn items_are_checked_against_the_literals_of_the_input() {
    let text = raw("[\"a\",\"b\"]", "STRING", "")
        .replace("item: {parameterType: STRING}", "item: {parameterType: STRING, literals: [a]}");
    let host = Host::new(&text).ran().fails();
    assert_eq!(
        host.message("for-loop-1"),
        "item 1 of the loop: input parameter \"item\" value \"b\" does not match any of the allowed literal values: \"a\""
    );
}

#[test]
fn parallelism_limit_holds_and_iterations_start_in_order() {
    let text = raw("[\"a\",\"b\",\"c\",\"d\",\"e\"]", "STRING", "iteratorPolicy: {parallelismLimit: 2}");
    let mut host = Host::new(&text).started(json!({}));
    assert_eq!(host.running(), ["for-loop-1[0]/t", "for-loop-1[1]/t"]);
    assert!(host.find("for-loop-1[2]").is_none(), "an iteration has no node before it starts");
    host.succeed("for-loop-1[1]/t");
    assert_eq!(host.running(), ["for-loop-1[0]/t", "for-loop-1[2]/t"]);
    host.succeed("for-loop-1[2]/t");
    assert_eq!(host.running(), ["for-loop-1[0]/t", "for-loop-1[3]/t"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.most_at_once, 2);
    assert_eq!(host.input("use", "all").unwrap().as_array().unwrap().len(), 5);
}

#[test]
fn failed_iteration_fails_the_loop_and_lets_running_ones_finish() {
    let text = raw("[\"a\",\"b\",\"c\",\"d\"]", "STRING", "iteratorPolicy: {parallelismLimit: 2}");
    let mut host = Host::new(&text).started(json!({}));
    host.report_of("for-loop-1[1]/t", Outcome::Failed(failure(FailureCause::User, "exit code 1")));
    assert_eq!(host.running(), ["for-loop-1[0]/t"], "no further iteration starts");
    host.succeed("for-loop-1[0]/t");
    host.finish();
    let host = host.fails();
    assert_eq!(host.status("for-loop-1[0]"), TaskStatus::Succeeded);
    assert_eq!(host.status("for-loop-1[1]"), TaskStatus::Failed);
    assert_eq!(
        host.message("for-loop-1"),
        "task \"for-loop-1[1]/t\" failed: exit code 1; 2 iterations were not started"
    );
    assert_eq!(host.status("use"), TaskStatus::Skipped);
}

const NESTED: &str = "
components:
  comp-t:
    executorLabel: exec-t
    inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}, y: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {Output: {parameterType: NUMBER_INTEGER}}, artifacts: {d: {artifactType: {schemaTitle: system.Dataset}}}}
  comp-if:
    inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}, y: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {out: {parameterType: NUMBER_INTEGER}}, artifacts: {d: {artifactType: {schemaTitle: system.Dataset}}}}
    dag:
      outputs:
        parameters: {out: {valueFromParameter: {producerSubtask: t, outputParameterKey: Output}}}
        artifacts: {d: {artifactSelectors: [{producerSubtask: t, outputArtifactKey: d}]}}
      tasks:
        t:
          componentRef: {name: comp-t}
          taskInfo: {name: t}
          inputs: {parameters: {x: {componentInputParameter: x}, y: {componentInputParameter: y}}}
  comp-inner:
    inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}, y: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {out: {parameterType: LIST}}, artifacts: {d: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}}}
    dag:
      outputs:
        parameters: {out: {valueFromParameter: {producerSubtask: condition-3, outputParameterKey: out}}}
        artifacts: {d: {artifactSelectors: [{producerSubtask: condition-3, outputArtifactKey: d}]}}
      tasks:
        condition-3:
          componentRef: {name: comp-if}
          taskInfo: {name: condition-3}
          inputs: {parameters: {x: {componentInputParameter: x}, y: {componentInputParameter: y}}}
          triggerPolicy: {condition: \"int(inputs.parameter_values['y']) > MIN\"}
  comp-outer:
    inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {out: {parameterType: LIST}}, artifacts: {d: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}}}
    dag:
      outputs:
        parameters: {out: {valueFromParameter: {producerSubtask: for-loop-2, outputParameterKey: out}}}
        artifacts: {d: {artifactSelectors: [{producerSubtask: for-loop-2, outputArtifactKey: d}]}}
      tasks:
        for-loop-2:
          componentRef: {name: comp-inner}
          taskInfo: {name: for-loop-2}
          inputs: {parameters: {x: {componentInputParameter: x}}}
          parameterIterator: {items: {raw: '[10, 20]'}, itemInput: y}
root:
  outputDefinitions: {parameters: {all: {parameterType: LIST}}}
  dag:
    outputs:
      parameters: {all: {valueFromParameter: {producerSubtask: for-loop-1, outputParameterKey: out}}}
      artifacts: {d: {artifactSelectors: [{producerSubtask: for-loop-1, outputArtifactKey: d}]}}
    tasks:
      for-loop-1:
        componentRef: {name: comp-outer}
        taskInfo: {name: for-loop-1}
        parameterIterator: {items: {raw: '[1, 2]'}, itemInput: x}
";

fn nested(min: &str) -> Host {
    let add = |plan: &penstock_spec::plan::Plan| {
        let number = |name: &str| plan.inputs.parameters[name].as_i64().unwrap();
        let mut outputs = any_outputs(plan);
        outputs.parameters.insert("Output".into(), json!(number("x") + number("y")));
        Ok(outputs)
    };
    Host::new(&NESTED.replace("MIN", min)).on("t", add).ran().succeeds()
}

#[test]
fn collected_parameters_have_a_level_for_each_loop_and_artifacts_are_flat() {
    let host = nested("0");
    let outputs = host.state.outputs().unwrap();
    assert_eq!(outputs.parameters["all"], json!([[11, 21], [12, 22]]));
    let uris: Vec<&str> = outputs.artifacts["d"].iter().map(|it| it.uri.as_str()).collect();
    assert_eq!(uris.len(), 4);
    let path = "for-loop-1[0]/for-loop-2[1]/condition-3/t";
    assert_eq!(uris[1], host.node(path).outputs().artifacts["d"][0].uri, "outer index first");
}

#[test]
fn iterations_whose_producer_was_skipped_contribute_nothing() {
    let host = nested("10");
    assert_eq!(host.state.outputs().unwrap().parameters["all"], json!([[21], [22]]));
    assert_eq!(host.state.outputs().unwrap().artifacts["d"].len(), 2);
    assert_eq!(host.status("for-loop-1[0]/for-loop-2[0]/condition-3"), TaskStatus::Skipped);
    let host = nested("50");
    assert_eq!(host.state.outputs().unwrap().parameters["all"], json!([[], []]));
}

const SUBVAR: &str = "
components:
  comp-t: {executorLabel: exec-t, inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}, name: {parameterType: STRING}}}}
  comp-inner:
    inputDefinitions:
      parameters:
        item: {parameterType: STRUCT}
        item-subvar-list: {parameterType: STRING}
        inner: {parameterType: NUMBER_INTEGER}
    dag:
      tasks:
        t:
          componentRef: {name: comp-t}
          taskInfo: {name: t}
          inputs:
            parameters:
              x: {componentInputParameter: inner}
              name: {componentInputParameter: item, parameterExpressionSelector: 'parseJson(string_value)[\"name\"]'}
  comp-outer:
    inputDefinitions: {parameters: {list: {parameterType: LIST}, item: {parameterType: STRUCT}}}
    dag:
      tasks:
        for-loop-2:
          componentRef: {name: comp-inner}
          taskInfo: {name: for-loop-2}
          inputs:
            parameters:
              item: {componentInputParameter: item}
              item-subvar-list: {componentInputParameter: item, parameterExpressionSelector: 'parseJson(string_value)[\"list\"]'}
          parameterIterator: {items: {inputParameter: item-subvar-list}, itemInput: inner}
root:
  inputDefinitions: {parameters: {list: {parameterType: LIST}}}
  dag:
    tasks:
      for-loop-1:
        componentRef: {name: comp-outer}
        taskInfo: {name: for-loop-1}
        inputs: {parameters: {list: {componentInputParameter: list}}}
        parameterIterator: {items: {inputParameter: list}, itemInput: item}
";

#[test]
fn inner_loop_goes_over_a_member_of_the_outer_item() {
    let list = json!([{"name": "a", "list": [1.0, 2.0]}, {"name": "b", "list": []}, {"name": "c", "list": [3.0]}]);
    let host = Host::new(SUBVAR).ran_with(json!({"list": list})).succeeds();
    assert_eq!(host.input("for-loop-1[0]/for-loop-2[1]/t", "x"), Some(json!(2)));
    assert_eq!(host.input("for-loop-1[0]/for-loop-2[1]/t", "name"), Some(json!("a")));
    assert_eq!(host.input("for-loop-1[2]/for-loop-2[0]/t", "x"), Some(json!(3)));
    assert_eq!(host.node("for-loop-1[1]/for-loop-2").items, Some(0));
    assert_eq!(host.node("for-loop-1[0]").inputs().parameters["list"], list_of(&host), "the items stay an input");
}

fn list_of(host: &Host) -> Value {
    host.state.parameters().unwrap()["list"].clone()
}

const ARTIFACT_LOOP: &str = "
components:
  comp-make: {executorLabel: exec-make, outputDefinitions: {artifacts: {all: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}}}}
  comp-t: {executorLabel: exec-t, inputDefinitions: {artifacts: {one: {artifactType: {schemaTitle: system.Dataset}}}}}
  comp-loop:
    inputDefinitions:
      artifacts:
        all: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}
        item: {artifactType: {schemaTitle: system.Dataset}}
    dag:
      tasks:
        t: {componentRef: {name: comp-t}, taskInfo: {name: t}, inputs: {artifacts: {one: {componentInputArtifact: item}}}}
root:
  dag:
    tasks:
      make: {componentRef: {name: comp-make}, taskInfo: {name: make}}
      for-loop-1:
        componentRef: {name: comp-loop}
        taskInfo: {name: for-loop-1}
        inputs: {artifacts: {all: {taskOutputArtifact: {producerTask: make, outputArtifactKey: all}}}}
        artifactIterator: {items: {inputArtifact: all}, itemInput: item}
";

#[test]
fn artifact_loop_gives_each_iteration_one_artifact() {
    let host = Host::new(ARTIFACT_LOOP)
        .on("make", |plan| {
            let mut outputs = any_outputs(plan);
            let mut second = outputs.artifacts["all"][0].clone();
            second.uri.push_str("-2");
            outputs.artifacts.get_mut("all").unwrap().push(second);
            Ok(outputs)
        })
        .ran()
        .succeeds();
    let made = &host.node("make").outputs().artifacts["all"];
    for (index, artifact) in made.iter().enumerate() {
        let inputs = &host.plan(&format!("for-loop-1[{index}]/t")).inputs.artifacts;
        assert_eq!(inputs["one"], std::slice::from_ref(artifact));
    }
    assert!(host.find("for-loop-1[2]").is_none());
}

#[test]
fn artifact_loop_over_nothing_succeeds() {
    let nothing = |plan: &Plan| {
        let mut outputs = any_outputs(plan);
        outputs.artifacts.insert("all".to_owned(), Vec::new());
        Ok(outputs)
    };
    let host = Host::new(ARTIFACT_LOOP).on("make", nothing).ran().succeeds();
    assert_eq!(host.node("for-loop-1").items, Some(0));
    assert_eq!(host.status("for-loop-1"), TaskStatus::Succeeded);
}

#[test]
fn condition_of_a_loop_is_judged_before_fan_out() {
    let host = Host::new(&raw("[\"a\"]", "STRING", "triggerPolicy: {condition: '1 > 2'}")).ran().succeeds();
    assert_eq!(host.status("for-loop-1"), TaskStatus::Skipped);
    assert_eq!(host.node("for-loop-1").items, None);
}

#[test]
fn loop_may_go_directly_over_a_container() {
    let host = Host::new(
        "
components:
  comp-t: {executorLabel: exec-t, inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}}}, outputDefinitions: {parameters: {Output: {parameterType: NUMBER_INTEGER}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {all: {parameterType: LIST}}}}
root:
  dag:
    tasks:
      each:
        componentRef: {name: comp-t}
        taskInfo: {name: each}
        parameterIterator: {items: {raw: '[1, 2, 3]'}, itemInput: x}
        iteratorPolicy: {parallelismLimit: 1}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        inputs: {parameters: {all: {taskOutputParameter: {producerTask: each, outputParameterKey: Output}}}}
",
    )
    .on("each", |plan| Ok(parameters(json!({"Output": plan.inputs.parameters["x"].as_i64().unwrap() * 2}))))
    .ran()
    .succeeds();
    assert_eq!(host.input("use", "all"), Some(json!([2, 4, 6])));
    assert_eq!(host.most_at_once, 1);
    assert_eq!(host.node("each[1]").kind, NodeKind::Container);
    assert_eq!(host.node("each[1]").iteration, Some(1));
}

#[test]
fn cancelled_loop_starts_no_further_iteration() {
    let text = raw("[\"a\",\"b\",\"c\"]", "STRING", "iteratorPolicy: {parallelismLimit: 1}");
    let mut host = Host::new(&text).started(json!({}));
    let step = host.deliver(Event::Terminate { reason: "enough".into() });
    assert_eq!(step.effects.len(), 1);
    host.finish();
    let host = host.expect(RunStatus::Canceled);
    assert_eq!(host.status("for-loop-1"), TaskStatus::Canceled);
    assert!(host.find("for-loop-1[1]").is_none());
}
