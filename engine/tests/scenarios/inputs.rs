//! Where values come from: constants, placeholders, defaults, null, selectors, types, artifacts.

use penstock_engine::SkipReason;
use penstock_spec::run::TaskStatus;
use serde_json::{Value, json};

use crate::host::{Host, parameters, run_info};

/// A pipeline with one task whose inputs are declared and bound as given.
fn one_task(root_inputs: &str, declared: &str, bound: &str) -> String {
    format!(
        "
components:
  comp: {{executorLabel: exec, inputDefinitions: {{parameters: {{{declared}}}}}}}
root:
  inputDefinitions: {{parameters: {{{root_inputs}}}}}
  dag:
    tasks:
      a: {{componentRef: {{name: comp}}, taskInfo: {{name: a}}, inputs: {{parameters: {{{bound}}}}}}}
"
    )
}

fn constant(declared: &str, value: &str) -> Value {
    let text = one_task(
        "",
        &format!("x: {{parameterType: {declared}}}"),
        &format!("x: {{runtimeValue: {{constant: {value}}}}}"),
    );
    Host::new(&text).ran().succeeds().input("a", "x").unwrap()
}

#[test]
fn constants_keep_their_types() {
    assert_eq!(constant("NUMBER_INTEGER", "3.0"), json!(3));
    assert_eq!(constant("NUMBER_DOUBLE", "0.5"), json!(0.5));
    assert_eq!(constant("BOOLEAN", "true"), json!(true));
    assert_eq!(constant("STRING", "''"), json!(""), "an empty string is not an absence");
    assert_eq!(constant("LIST", "[1.0, {a: null}]"), json!([1, {"a": null}]));
    assert_eq!(constant("STRUCT", "{k: [1]}"), json!({"k": [1]}));
}

#[test]
fn string_input_takes_everything_as_text() {
    assert_eq!(constant("STRING", "0.1"), json!("0.1"));
    assert_eq!(constant("STRING", "3.0"), json!("3"));
    assert_eq!(constant("STRING", "true"), json!("true"));
    assert_eq!(constant("STRING", "[1.0, 2.0]"), json!("[1,2]"));
}

#[test]
fn type_mismatch_of_an_output_fails_the_consumer() {
    let host = Host::new(
        "
components:
  comp-make: {executorLabel: exec-make, outputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {x: {parameterType: NUMBER_INTEGER}}}}
root:
  dag:
    tasks:
      make: {componentRef: {name: comp-make}, taskInfo: {name: make}}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: make, outputParameterKey: x}}}}
",
    )
    .on("make", |_| Ok(parameters(json!({"x": "seven"}))))
    .ran()
    .fails();
    assert_eq!(host.message("use"), "input parameter \"x\" type mismatch: expect NUMBER_INTEGER, got string");
    assert_eq!(host.attempts("use"), 0);
}

#[test]
fn run_placeholders_are_replaced_whole_and_within_text() {
    let info = run_info();
    assert_eq!(constant("STRING", "'{{$.pipeline_job_name}}'"), json!("A test"));
    assert_eq!(constant("STRING", "'{{$.pipeline_job_resource_name}}'"), json!("test-x7k2p"));
    assert_eq!(constant("STRING", "'id={{$.pipeline_job_uuid}}!'"), json!(format!("id={}!", info.id)));
    assert_eq!(constant("STRING", "'{{$.pipeline_task_name}}'"), json!("a"));
    assert_eq!(constant("STRING", "'{{$.pipeline_job_create_time_utc}}'"), json!("2027-01-15T08:00:00Z"));
    assert_eq!(constant("STRING", "'{{$.pipeline_job_schedule_time_utc}}'"), json!("2027-01-15T08:00:00Z"));
    assert_eq!(constant("STRING", "'{{$.workspace_path}}/x'"), json!("/kfp-workspace/x"));
    assert_eq!(constant("STRING", "'{{$.pipeline_root}}'"), json!(format!("s3://bucket/root/test/{}", info.id)));
    assert_eq!(constant("LIST", "['{{$.pipeline_task_name}}', 1.0]"), json!(["a", 1]));
    assert_eq!(constant("STRING", "'{{workflow.name}} {{$.nothing}}'"), json!("{{workflow.name}} {{$.nothing}}"));
}

#[test]
fn task_uuid_is_the_tasks_own() {
    let text = one_task("", "x: {parameterType: STRING}", "x: {runtimeValue: {constant: '{{$.pipeline_task_uuid}}'}}");
    let host = Host::new(&text).ran().succeeds();
    assert_eq!(host.input("a", "x"), Some(json!(host.plan("a").task.id.to_string())));
}

#[test]
fn t17_inserted_values_are_never_read_again() {
    let text = one_task(
        "user: {parameterType: STRING}",
        "x: {parameterType: STRING}, y: {parameterType: STRUCT}",
        "pipelinechannel--user: {componentInputParameter: user}, \
         x: {runtimeValue: {constant: \"say {{$.inputs.parameters['pipelinechannel--user']}}\"}}, \
         y: {runtimeValue: {constant: {\"{{$.inputs.parameters['pipelinechannel--user']}}\": 1.0}}}",
    );
    let evil = "\"}} {{$.pipeline_job_name}} {{$.inputs.parameters['x']}}";
    let host = Host::new(&text).ran_with(json!({"user": evil})).succeeds();
    assert_eq!(host.input("a", "x"), Some(json!(format!("say {evil}"))));
    assert_eq!(host.input("a", "y"), Some(json!({evil: 1})), "keys are replaced too");
    assert_eq!(host.input("a", "pipelinechannel--user"), Some(json!(evil)), "undeclared inputs are carried along");
}

#[test]
fn constant_that_is_one_placeholder_takes_the_value_with_its_type() {
    let text = one_task(
        "n: {parameterType: NUMBER_INTEGER}",
        "x: {parameterType: LIST}, s: {parameterType: STRING}",
        "pipelinechannel--n: {componentInputParameter: n}, \
         s: {runtimeValue: {constant: \"n is {{$.inputs.parameters['pipelinechannel--n']}}\"}}, \
         x: {runtimeValue: {constant: [\"{{$.inputs.parameters['pipelinechannel--n']}}\", \"<{{$.inputs.parameters['pipelinechannel--n']}}>\"]}}",
    );
    let host = Host::new(&text).ran_with(json!({"n": 5.0})).succeeds();
    assert_eq!(host.input("a", "x"), Some(json!([5, "<5>"])));
    assert_eq!(host.input("a", "s"), Some(json!("n is 5")));
}

#[test]
fn constants_given_to_nested_pipelines_are_resolved() {
    let host = Host::new(
        "
components:
  comp: {executorLabel: exec, inputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-inner:
    inputDefinitions: {parameters: {text: {parameterType: STRING}}}
    dag:
      tasks:
        a: {componentRef: {name: comp}, taskInfo: {name: a}, inputs: {parameters: {x: {componentInputParameter: text}}}}
root:
  inputDefinitions: {parameters: {who: {parameterType: STRING}}}
  dag:
    tasks:
      inner:
        componentRef: {name: comp-inner}
        taskInfo: {name: inner}
        inputs:
          parameters:
            pipelinechannel--who: {componentInputParameter: who}
            text: {runtimeValue: {constant: \"hello {{$.inputs.parameters['pipelinechannel--who']}}\"}}
",
    )
    .ran_with(json!({"who": "you"}))
    .succeeds();
    assert_eq!(host.input("inner/a", "x"), Some(json!("hello you")));
}

#[test]
fn container_default_is_kept_apart_from_what_was_provided() {
    let text = one_task(
        "",
        "x: {parameterType: STRING, defaultValue: d, isOptional: true}, y: {parameterType: STRING, isOptional: true}",
        "",
    );
    let host = Host::new(&text).ran().succeeds();
    let plan = host.plan("a");
    assert!(plan.inputs.parameters.is_empty());
    assert_eq!(Value::Object(plan.defaults.clone()), json!({"x": "d"}));
}

#[test]
fn default_makes_an_input_optional_whatever_is_declared() {
    let host = Host::new(&one_task("", "x: {parameterType: NUMBER_INTEGER, defaultValue: 3.0}", "")).ran().succeeds();
    assert_eq!(host.plan("a").defaults.get("x"), Some(&json!(3)));
}

const NULLS: &str = "
components:
  comp:
    executorLabel: exec
    inputDefinitions:
      parameters:
        needed: {parameterType: STRING, isOptional: true, defaultValue: own default}
        free: {parameterType: NUMBER_INTEGER, isOptional: true}
  comp-inner:
    inputDefinitions:
      parameters:
        given: {parameterType: STRING, isOptional: true}
        unmentioned: {parameterType: NUMBER_INTEGER, isOptional: true}
        defaulted: {parameterType: NUMBER_INTEGER, isOptional: true, defaultValue: 4.0}
    dag:
      tasks:
        a:
          componentRef: {name: comp}
          taskInfo: {name: a}
          inputs:
            parameters:
              needed: {componentInputParameter: given}
              free: {componentInputParameter: unmentioned}
        b:
          componentRef: {name: comp}
          taskInfo: {name: b}
          inputs: {parameters: {free: {componentInputParameter: defaulted}}}
root:
  inputDefinitions: {parameters: {maybe: {parameterType: STRING, isOptional: true}}}
  dag:
    tasks:
      inner:
        componentRef: {name: comp-inner}
        taskInfo: {name: inner}
        inputs: {parameters: {given: {componentInputParameter: maybe}}}
";

#[test]
fn null_is_forwarded_through_nested_pipelines() {
    let host = Host::new(NULLS).ran().succeeds();
    assert!(host.plan("inner/a").inputs.parameters.is_empty());
    assert_eq!(host.plan("inner/a").defaults.get("needed"), Some(&json!("own default")));
    assert_eq!(host.input("inner/b", "free"), Some(json!(4)), "the nested pipeline's own default");
    let host = Host::new(NULLS).ran_with(json!({"maybe": "v"})).succeeds();
    assert_eq!(host.input("inner/a", "needed"), Some(json!("v")));
}

#[test]
fn null_for_a_needed_input_is_an_error() {
    let text = one_task(
        "maybe: {parameterType: STRING, isOptional: true}",
        "x: {parameterType: STRING}",
        "x: {componentInputParameter: maybe}",
    );
    let host = Host::new(&text).ran().fails();
    assert_eq!(host.message("a"), "the resolved input parameter is null: maybe");
}

#[test]
fn missing_output_of_a_container_is_null() {
    let pipeline = |optional: bool| {
        format!(
            "
components:
  comp-make: {{executorLabel: exec-make, outputDefinitions: {{parameters: {{x: {{parameterType: STRING}}}}}}}}
  comp-use: {{executorLabel: exec-use, inputDefinitions: {{parameters: {{x: {{parameterType: STRING, isOptional: {optional}}}}}}}}}
root:
  dag:
    tasks:
      make: {{componentRef: {{name: comp-make}}, taskInfo: {{name: make}}}}
      use:
        componentRef: {{name: comp-use}}
        taskInfo: {{name: use}}
        inputs: {{parameters: {{x: {{taskOutputParameter: {{producerTask: make, outputParameterKey: x}}}}}}}}
"
        )
    };
    let nothing = |_: &penstock_spec::plan::Plan| Ok(parameters(json!({})));
    let host = Host::new(&pipeline(true)).on("make", nothing).ran().succeeds();
    assert_eq!(host.input("use", "x"), None);
    let host = Host::new(&pipeline(false)).on("make", nothing).ran().fails();
    assert_eq!(host.message("use"), "got null for input parameter \"x\": task \"make\" has no output parameter \"x\"");
    let null = |_: &penstock_spec::plan::Plan| Ok(parameters(json!({"x": null})));
    let host = Host::new(&pipeline(false)).on("make", null).ran().fails();
    assert_eq!(
        host.message("use"),
        "got null for input parameter \"x\": output parameter \"x\" of task \"make\" is null"
    );
}

#[test]
fn selector_takes_a_member_before_the_type_check() {
    let text = one_task(
        "d: {parameterType: STRUCT}",
        "x: {parameterType: NUMBER_INTEGER}",
        "x: {componentInputParameter: d, parameterExpressionSelector: 'parseJson(string_value)[\"k\"]'}",
    );
    let host = Host::new(&text).ran_with(json!({"d": {"k": 3.0}})).succeeds();
    assert_eq!(host.input("a", "x"), Some(json!(3)));
    let host = Host::new(&text).ran_with(json!({"d": {"other": 3.0}})).fails();
    assert!(host.message("a").starts_with("parameterExpressionSelector of input \"x\": "), "{}", host.message("a"));
}

#[test]
fn literals_are_checked_when_inputs_resolve() {
    let text = one_task(
        "x: {parameterType: STRING}",
        "x: {parameterType: STRING, literals: [a, b]}",
        "x: {componentInputParameter: x}",
    );
    Host::new(&text).ran_with(json!({"x": "b"})).succeeds();
    let host = Host::new(&text).ran_with(json!({"x": "c"})).fails();
    assert!(host.message("a").contains("does not match any of the allowed literal values"), "{}", host.message("a"));
}

const ARTIFACTS: &str = "
components:
  comp-make: {executorLabel: exec-make, outputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}}
  comp-use:
    executorLabel: exec-use
    inputDefinitions:
      artifacts:
        data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
        extra: {isOptional: true, artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}}
  comp-inner:
    inputDefinitions:
      artifacts:
        data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
        absent: {isOptional: true, artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}}
    dag:
      tasks:
        use:
          componentRef: {name: comp-use}
          taskInfo: {name: use}
          inputs: {artifacts: {data: {componentInputArtifact: data}, extra: {componentInputArtifact: absent}}}
root:
  dag:
    tasks:
      make: {componentRef: {name: comp-make}, taskInfo: {name: make}}
      inner:
        componentRef: {name: comp-inner}
        taskInfo: {name: inner}
        inputs: {artifacts: {data: {taskOutputArtifact: {producerTask: make, outputArtifactKey: data}}}}
";

#[test]
fn artifact_record_goes_unchanged_through_nested_pipelines() {
    let host = Host::new(ARTIFACTS).ran().succeeds();
    let made = host.node("make").outputs().artifacts["data"].clone();
    assert_eq!(host.plan("inner/use").inputs.artifacts["data"], made);
    assert_eq!(host.plan("inner/use").input_artifact_types["data"].schema_title, "system.Dataset");
}

#[test]
fn optional_artifact_that_the_parent_lacks_is_left_out() {
    let host = Host::new(ARTIFACTS).ran().succeeds();
    assert!(!host.plan("inner/use").inputs.artifacts.contains_key("extra"));
}

#[test]
fn output_absent_because_its_producer_was_skipped_skips_who_needs_it() {
    let host = Host::new(
        "
components:
  comp-make: {executorLabel: exec-make, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-may: {executorLabel: exec-may, inputDefinitions: {parameters: {x: {parameterType: STRING, isOptional: true}}}}
  comp-inner:
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
    dag:
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: make, outputParameterKey: x}}}}
      tasks:
        make: {componentRef: {name: comp-make}, taskInfo: {name: make}, triggerPolicy: {condition: '1 > 2'}}
root:
  dag:
    tasks:
      inner: {componentRef: {name: comp-inner}, taskInfo: {name: inner}}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: inner, outputParameterKey: x}}}}
      may:
        componentRef: {name: comp-may}
        taskInfo: {name: may}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: inner, outputParameterKey: x}}}}
",
    )
    .ran()
    .succeeds();
    assert_eq!(host.status("inner"), TaskStatus::Succeeded);
    assert_eq!(host.skip_reason("use"), SkipReason::Upstream { task: "inner".into() });
    assert_eq!(host.input("may", "x"), None);
    assert_eq!(host.status("may"), TaskStatus::Succeeded);
}
