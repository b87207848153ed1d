//! Values in platform settings: where they come from, and what they have to do with the cache.

use penstock_spec::plan::PlanValue;
use serde_json::{Value, json};

use crate::host::{Host, parameters, run_info};

/// The same container at the root, in a nested pipeline, and in a loop.
fn pipeline(settings: &str) -> String {
    format!(
        "
components:
  comp-make: {{executorLabel: exec-make, outputDefinitions: {{parameters: {{name: {{parameterType: STRING}}, labels: {{parameterType: STRUCT}}}}}}}}
  comp-use: {{executorLabel: exec-use}}
  comp-group:
    inputDefinitions: {{parameters: {{given: {{parameterType: STRING}}, pipelinechannel--items-loop-item: {{parameterType: STRING, isOptional: true}}, absent: {{parameterType: STRING, isOptional: true}}}}}}
    dag:
      tasks:
        make: {{componentRef: {{name: comp-make}}, taskInfo: {{name: make}}}}
        use: {{componentRef: {{name: comp-use}}, taskInfo: {{name: use}}, cachingOptions: {{enableCache: true}}}}
root:
  inputDefinitions: {{parameters: {{given: {{parameterType: STRING, defaultValue: of-the-run}}}}}}
  dag:
    tasks:
      nested:
        componentRef: {{name: comp-group}}
        taskInfo: {{name: nested}}
        inputs: {{parameters: {{given: {{componentInputParameter: given}}}}}}
      loop:
        componentRef: {{name: comp-group}}
        taskInfo: {{name: loop}}
        inputs: {{parameters: {{given: {{runtimeValue: {{constant: of-the-loop}}}}}}}}
        parameterIterator: {{items: {{raw: '[{{\"disk\": \"a\"}}, {{\"disk\": \"b\"}}]'}}, itemInput: pipelinechannel--items-loop-item}}
deploymentSpec:
  executors:
    exec-make: {{container: {{image: python, command: [make]}}}}
    exec-use: {{container: {{image: python, command: [use]}}}}
---
platforms: {{kubernetes: {{deploymentSpec: {{executors: {{exec-use: {{{settings}}}}}}}}}}}
"
    )
}

fn ran(settings: &str) -> Host {
    let made = |_: &_| Ok(parameters(json!({"name": "made", "labels": {"zone": "a"}})));
    Host::new(&pipeline(settings)).on("make", made).ran().succeeds()
}

fn value(host: &Host, path: &str, field: &str) -> PlanValue {
    host.plan(path).pod.as_ref().expect("settings of a Pod").values[field].clone()
}

const SECRET: &str = "secretAsEnv[0].secretNameParameter";

fn secret(source: &str) -> String {
    format!("secretAsEnv: [{{secretNameParameter: {source}, keyToEnv: [{{secretKey: k, envVar: V}}]}}]")
}

#[test]
fn values_come_from_the_enclosing_dag_and_from_siblings() {
    let of = |source: &str, path: &str| match value(&ran(&secret(source)), path, SECRET) {
        PlanValue::Value(value) => value,
        PlanValue::Missing(reason) => panic!("{reason}"),
    };
    assert_eq!(of("{componentInputParameter: given}", "nested/use"), "of-the-run");
    assert_eq!(of("{componentInputParameter: given}", "loop[1]/use"), "of-the-loop");
    let sibling = "{taskOutputParameter: {producerTask: make, outputParameterKey: name}}";
    assert_eq!(of(sibling, "nested/use"), "made");
    assert_eq!(of(sibling, "loop[0]/use"), "made");
    assert_eq!(of("{runtimeValue: {constant: fixed}}", "nested/use"), "fixed");
    let placeholders = "{runtimeValue: {constant: 'x-{{$.pipeline_job_uuid}}-{{$.pipeline_task_name}}'}}";
    assert_eq!(of(placeholders, "nested/use"), format!("x-{}-use", run_info().id));
    assert_eq!(of("{componentInputParameter: absent}", "nested/use"), Value::Null, "an optional input left out");
    let selected = "{componentInputParameter: pipelinechannel--items-loop-item, parameterExpressionSelector: 'parseJson(string_value)[\"disk\"]'}";
    assert_eq!(of(selected, "loop[1]/use"), "b", "a member of a loop's item");
}

#[test]
fn structs_come_from_outputs_and_from_items_of_loops_that_travel_as_text() {
    let field = "nodeSelector.nodeSelectorJson";
    let settings = |source: &str| format!("nodeSelector: {{nodeSelectorJson: {source}}}");
    let host = ran(&settings("{taskOutputParameter: {producerTask: make, outputParameterKey: labels}}"));
    assert_eq!(value(&host, "nested/use", field), PlanValue::Value(json!({"zone": "a"})));
    let host = ran(&settings("{componentInputParameter: pipelinechannel--items-loop-item}"));
    assert_eq!(value(&host, "loop[0]/use", field), PlanValue::Value(json!({"disk": "a"})));
    assert_eq!(value(&host, "loop[1]/use", field), PlanValue::Value(json!({"disk": "b"})));
}

#[test]
fn what_cannot_be_resolved_is_told_and_fails_no_task_that_has_no_pod() {
    for (source, reason) in [
        ("{componentInputParameter: nobody}", "the enclosing DAG has no input parameter \"nobody\""),
        ("{componentInputParameter: ''}", "the enclosing DAG has no input parameter \"\""),
        (
            "{taskOutputParameter: {producerTask: make, outputParameterKey: x}}",
            "task \"make\" has no output parameter \"x\"",
        ),
        ("{taskOutputParameter: {producerTask: nobody, outputParameterKey: x}}", "unknown producer task \"nobody\""),
        ("{runtimeValue: {runtimeParameter: x}}", "runtimeParameter \"x\" is not supported"),
        ("{taskFinalStatus: {producerTask: make}}", "the final status of task \"make\" is no value for a setting"),
    ] {
        let host = ran(&secret(source));
        assert_eq!(value(&host, "nested/use", SECRET), PlanValue::Missing(reason.to_owned()));
    }
}

#[test]
fn plan_carries_only_settings_that_something_else_does_not_carry_already() {
    let host = ran(
        "activeDeadlineSeconds: '5', imagePullPolicy: Always, podMetadata: {annotations: {penstock.dev/service-account: a}}",
    );
    assert!(host.plan("nested/use").pod.is_none());
    let host = ran("imagePullPolicy: Always, podMetadata: {labels: {a: b}}");
    let pod = &host.plan("nested/use").pod;
    assert_eq!(json!(pod), json!({"config": {"podMetadata": {"labels": {"a": "b"}}, "activeDeadlineSeconds": 0}}));
}

#[test]
fn names_of_volume_claims_are_part_of_the_key_and_those_of_secrets_are_as_written() {
    let claim = "pvcMount: [{pvcNameParameter: {componentInputParameter: given}, mountPath: /data}]";
    let key = |settings: &str, given: &str| {
        let host = Host::new(&pipeline(settings)).ran_with(json!({ "given": given })).succeeds();
        host.node("nested/use").cache_key().expect("a key").to_owned()
    };
    assert_ne!(key(claim, "a"), key(claim, "b"), "the data may be others");
    assert_eq!(key(claim, "a"), key(claim, "a"));
    let secret = secret("{componentInputParameter: given}");
    assert_eq!(key(&secret, "a"), key(&secret, "b"));
}
