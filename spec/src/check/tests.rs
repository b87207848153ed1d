#![allow(clippy::needless_pass_by_value, reason = "literals read better by value")]

use serde_json::{Value, json};

use super::*;

/// A pipeline of one component `c` with input `x` and outputs `out` and `model`, and the given tasks.
fn pipeline(tasks: &Value) -> Value {
    json!({
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "components": {
            "c": {
                "executorLabel": "e",
                "inputDefinitions": {
                    "parameters": {"x": {"parameterType": "STRING", "isOptional": true}},
                    "artifacts": {"in": {"isOptional": true}},
                },
                "outputDefinitions": {
                    "parameters": {"out": {"parameterType": "STRING"}},
                    "artifacts": {"model": {}},
                },
            },
        },
        "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["run"]}}}},
        "root": {
            "inputDefinitions": {"parameters": {"p": {"parameterType": "STRING"}}, "artifacts": {"a": {}}},
            "dag": {"tasks": tasks},
        },
    })
}

/// A task of component `c` with more fields.
fn task(more: Value) -> Value {
    let mut task = json!({"componentRef": {"name": "c"}});
    if let (Some(task), Value::Object(more)) = (task.as_object_mut(), more) {
        task.extend(more);
    }
    task
}

fn parameter(input: Value) -> Value {
    task(json!({"inputs": {"parameters": {"x": input}}}))
}

fn load_json(document: &Value) -> Result<CheckedPipeline, LoadError> {
    load("p.json", document.to_string().as_bytes(), &Limits::default())
}

fn problems(document: &Value) -> String {
    match load_json(document) {
        Ok(_) => "no problem".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_pipeline_without_faults_is_accepted() {
    let tasks = json!({
        "a": task(json!({})),
        "b": task(json!({
            "inputs": {
                "parameters": {
                    "x": {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "out"}},
                    "not-declared": {"componentInputParameter": "p"},
                },
                "artifacts": {"in": {"taskOutputArtifact": {"producerTask": "a", "outputArtifactKey": "model"}}},
            },
            "triggerPolicy": {"condition": "inputs.parameter_values['x'] == 'a'"},
            "dependentTasks": ["a"],
        })),
    });
    let checked = load_json(&pipeline(&tasks)).unwrap();
    assert_eq!(checked.warnings, [] as [String; 0]);
}

#[rstest::rstest]
#[case("/schemaVersion", json!("2.0.0"), "KFP only supports schema version 2.1.0, but the pipeline spec has version \"2.0.0\"")]
#[case("/pipelineInfo/name", json!(""), "invalid v2 pipeline spec: name is empty")]
#[case("/pipelineInfo/name", json!("???"), "invalid v2 pipeline spec: name should consist of lower case alphanumeric")]
#[case("/pipelineInfo/name", json!("a/../b"), "invalid v2 pipeline spec: name should consist of lower case alphanumeric")]
#[case("/root", json!({}), "invalid v2 pipeline spec: root component is empty")]
#[case("/root", json!({"executorLabel": "e"}), "root: the root component must be a dag")]
fn headers_are_judged(#[case] pointer: &str, #[case] value: Value, #[case] expected: &str) {
    let mut document = pipeline(&json!({"a": task(json!({}))}));
    *document.pointer_mut(pointer).unwrap() = value;
    let problems = problems(&document);
    assert!(problems.contains(expected), "{problems}");
}

#[rstest::rstest]
#[case(json!({"componentInputParameter": "z"}), "parent DAG does not have input parameter \"z\"")]
#[case(json!({"taskOutputParameter": {"producerTask": "z", "outputParameterKey": "out"}}), "unknown producer task \"z\"")]
#[case(json!({"taskOutputParameter": {"producerTask": "b", "outputParameterKey": "z"}}), "task \"b\" has no output parameter \"z\"")]
#[case(json!({"taskFinalStatus": {"producerTask": "z"}}), "unknown producer task \"z\"")]
#[case(json!({"runtimeValue": {"runtimeParameter": "z"}}), "runtimeParameter \"z\" is not supported")]
#[case(json!({"componentInputParameter": "p", "parameterExpressionSelector": "a ==="}), "parameterExpressionSelector: the expression")]
fn i06_dangling_parameters_name_their_path(#[case] input: Value, #[case] expected: &str) {
    let problems = problems(&pipeline(&json!({"a": parameter(input), "b": task(json!({}))})));
    assert!(problems.starts_with("root.dag.tasks.a.inputs.parameters.x"), "{problems}");
    assert!(problems.contains(expected), "{problems}");
}

#[rstest::rstest]
#[case(json!({"componentRef": {"name": "z"}}), "root.dag.tasks.a.componentRef.name: there is no component \"z\"")]
#[case(json!({}), "root.dag.tasks.a.componentRef.name: there is no component \"\"")]
#[case(task(json!({"dependentTasks": ["z"]})), "root.dag.tasks.a.dependentTasks[0]: there is no task \"z\"")]
#[case(task(json!({"inputs": {"artifacts": {"in": {"componentInputArtifact": "z"}}}})), "does not have input artifact \"z\"")]
#[case(task(json!({"inputs": {"artifacts": {"in": {"taskOutputArtifact": {"producerTask": "a", "outputArtifactKey": "z"}}}}})), "no output artifact \"z\"")]
#[case(task(json!({"triggerPolicy": {"condition": "1 +"}})), "root.dag.tasks.a.triggerPolicy.condition: ")]
#[case(task(json!({"parameterIterator": {}, "artifactIterator": {}})), "cannot have both")]
#[case(task(json!({"parameterIterator": {"items": {"raw": "{}"}, "itemInput": "x"}})), "items.raw: value of type struct cannot be iterated")]
#[case(task(json!({"parameterIterator": {"items": {"raw": "["}, "itemInput": "x"}})), "items.raw: the items are not JSON")]
#[case(task(json!({"parameterIterator": {"items": {}, "itemInput": "x"}})), "exactly one of raw and inputParameter")]
#[case(task(json!({"parameterIterator": {"items": {"inputParameter": "z"}, "itemInput": "x"}})), "the task has no input \"z\"")]
#[case(task(json!({"parameterIterator": {"items": {"raw": "[]"}, "itemInput": "z"}})), "declares no input \"z\"")]
#[case(task(json!({"artifactIterator": {"items": {"inputArtifact": "z"}, "itemInput": "in"}})), "no input artifact \"z\"")]
fn i06_faults_of_tasks_name_their_path(#[case] task: Value, #[case] expected: &str) {
    let problems = problems(&pipeline(&json!({"a": task})));
    assert!(problems.contains(expected), "{problems}");
}

#[test]
fn i06_cycles_among_siblings_are_named() {
    let output =
        |producer: &str| json!({"taskOutputParameter": {"producerTask": producer, "outputParameterKey": "out"}});
    let tasks =
        json!({"a": parameter(output("b")), "b": task(json!({"dependentTasks": ["c"]})), "c": parameter(output("a"))});
    let problems = problems(&pipeline(&tasks));
    assert_eq!(problems, "root.dag.tasks.a: tasks wait for each other: \"a\" needs \"b\" needs \"c\" needs \"a\"");
}

#[test]
fn i06_a_task_that_needs_itself_is_refused() {
    let problems = problems(&pipeline(&json!({"a": task(json!({"dependentTasks": ["a"]}))})));
    assert!(problems.contains("\"a\" needs \"a\""), "{problems}");
}

#[test]
fn i06_a_component_that_contains_itself_is_refused() {
    let mut document = pipeline(&json!({"t": {"componentRef": {"name": "one"}}}));
    document["components"]["one"] = json!({"dag": {"tasks": {"t": {"componentRef": {"name": "two"}}}}});
    document["components"]["two"] = json!({"dag": {"tasks": {"t": {"componentRef": {"name": "one"}}}}});
    let problems = problems(&document);
    assert_eq!(problems, "components.one: the component contains itself: \"one\" contains \"two\" contains \"one\"");
}

#[test]
fn i06_few_components_that_mean_many_tasks_are_refused() {
    let mut document = pipeline(&json!({"t": {"componentRef": {"name": "level-0"}}}));
    for level in 0..40 {
        let below = if level < 39 { format!("level-{}", level + 1) } else { "c".to_owned() };
        let task = json!({"componentRef": {"name": below}});
        document["components"][format!("level-{level}")] = json!({"dag": {"tasks": {"a": task, "b": task}}});
    }
    let problems = problems(&document);
    assert!(problems.contains("more than the 50000 that are allowed"), "{problems}");
}

#[test]
fn i06_a_very_long_chain_needs_no_recursion() {
    let name = |index: usize| format!("t{index:05}");
    let chain = |last: usize| -> Value {
        (0..last)
            .map(|index| {
                (name(index), task(json!({"dependentTasks": if index > 0 { vec![name(index - 1)] } else { vec![] }})))
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    assert!(load_json(&pipeline(&chain(20_000))).is_ok());
    let mut closed = chain(20_000);
    closed[name(0)]["dependentTasks"] = json!([name(19_999)]);
    assert!(problems(&pipeline(&closed)).contains("wait for each other"));
}

#[test]
fn i06_components_may_not_nest_without_end() {
    let mut document = pipeline(&json!({"t": {"componentRef": {"name": "level-0"}}}));
    for level in 0..100 {
        let below = if level < 99 { format!("level-{}", level + 1) } else { "c".to_owned() };
        document["components"][format!("level-{level}")] =
            json!({"dag": {"tasks": {"a": {"componentRef": {"name": below}}}}});
    }
    assert!(problems(&document).contains("levels deep"));
}

#[test]
fn i07_names_that_cannot_be_segments_are_refused() {
    for name in ["", "..", "a/b", "a\\b", "a\nb", "a\0b", &"a".repeat(2000)] {
        let problems = problems(&pipeline(&json!({name: task(json!({}))})));
        assert!(problems.contains("the name"), "{name:?}: {problems}");
    }
}

#[test]
fn i07_names_that_are_alike_once_made_dns_safe_are_accepted() {
    let tasks =
        json!({"a-b": task(json!({})), "a_b": task(json!({})), "A-B": task(json!({})), "condition-1": task(json!({}))});
    assert!(load_json(&pipeline(&tasks)).is_ok());
}

#[test]
fn i07_reserved_names_of_artifacts_are_refused() {
    for name in ["manifest.json", "executor-logs", "executor-logs-0", "output_metadata.json"] {
        let mut document = pipeline(&json!({"a": task(json!({}))}));
        document["components"]["c"]["outputDefinitions"]["artifacts"] = json!({name: {}});
        let problems = problems(&document);
        assert!(problems.contains("is reserved"), "{name}: {problems}");
    }
}

#[test]
fn i14_names_are_kept_exactly_and_shown_escaped() {
    let composed = ("\u{e9}", "e\u{301}");
    let checked = load_json(&pipeline(&json!({composed.0: task(json!({})), composed.1: task(json!({}))}))).unwrap();
    assert_eq!(checked.spec.root.dag.as_ref().unwrap().tasks.len(), 2);
    let hidden = "a\u{202e}b\u{200b}";
    let problems = problems(&pipeline(&json!({hidden: task(json!({"dependentTasks": ["z"]}))})));
    assert_eq!(problems, r#"root.dag.tasks.a\u{202e}b\u{200b}.dependentTasks[0]: there is no task "z""#);
}

#[rstest::rstest]
#[case(json!({"resolver": {}}), "is a resolver, which is not supported")]
#[case(json!({"customJob": {}}), "is a customJob, which is not supported")]
#[case(json!({"container": {"command": ["x"]}}), "the image is empty")]
#[case(json!({"container": {"image": "i"}}), "command and arguments are empty")]
#[case(json!({"importer": {}}), "exactly one of constant and runtimeParameter")]
#[case(json!({"importer": {"artifactUri": {"runtimeParameter": "uri"}}}), "takes its URI from input \"uri\"")]
#[case(json!({}), "deploymentSpec.executors.e")]
fn executors_that_cannot_run_are_refused_where_they_are_used(#[case] executor: Value, #[case] expected: &str) {
    let mut document = pipeline(&json!({"a": task(json!({}))}));
    document["deploymentSpec"]["executors"]["e"] = executor;
    let problems = problems(&document);
    assert!(problems.contains(expected), "{problems}");
}

#[test]
fn what_is_not_used_is_not_judged() {
    let mut document = pipeline(&json!({"a": task(json!({}))}));
    document["components"]["unused"] = json!({"executorLabel": "missing"});
    document["deploymentSpec"]["executors"]["unused"] = json!({"resolver": {}});
    assert!(load_json(&document).is_ok());
    document["components"]["c"]["executorLabel"] = json!("missing");
    assert_eq!(problems(&document), "components.c.executorLabel: there is no executor \"missing\"");
}

#[test]
fn required_parameters_must_be_given() {
    let mut document = pipeline(&json!({"a": task(json!({}))}));
    document["components"]["c"]["inputDefinitions"]["parameters"]["x"] = json!({"parameterType": "STRING"});
    let expected = "neither value nor default value provided for non-optional parameter \"x\"";
    assert!(problems(&document).contains(expected));
    document["components"]["c"]["inputDefinitions"]["parameters"]["x"]["defaultValue"] = json!("d");
    assert!(load_json(&document).is_ok());
}

#[test]
fn outputs_of_a_dag_come_from_its_tasks() {
    let mut document = pipeline(&json!({"a": task(json!({}))}));
    let outputs = json!({
        "parameters": {
            "one": {"valueFromParameter": {"producerSubtask": "z", "outputParameterKey": "out"}},
            "two": {"valueFromOneof": {"parameterSelectors": [{"producerSubtask": "a", "outputParameterKey": "z"}]}},
        },
        "artifacts": {"three": {"artifactSelectors": []}},
    });
    document["root"]["dag"]["outputs"] = outputs;
    let problems = problems(&document);
    let expected = [
        "root.dag.outputs.parameters.one: unknown producer task \"z\"",
        "root.dag.outputs.parameters.two: task \"a\" has no output parameter \"z\": component \"c\" declares none",
        "root.dag.outputs.artifacts.three: the output is taken from no task",
    ];
    assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn types_that_do_not_go_together_are_a_warning() {
    let output = json!({"taskOutputParameter": {"producerTask": "b", "outputParameterKey": "out"}});
    let mut document = pipeline(&json!({"a": parameter(output), "b": task(json!({}))}));
    document["components"]["c"]["inputDefinitions"]["parameters"]["x"]["parameterType"] = json!("LIST");
    let warnings = load_json(&document).unwrap().warnings;
    assert_eq!(warnings, ["root.dag.tasks.a.inputs.parameters.x: task \"b\" declares STRING, but the input is LIST"]);
}

#[test]
fn producers_in_platform_settings_count_as_dependencies() {
    let document = pipeline(&json!({"a": task(json!({}))}));
    let name = json!({"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "out"}});
    let config = json!({"secretAsEnv": [{"secretNameParameter": name}]});
    let platform = json!({"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"e": config}}}}});
    let both = json!({"pipeline_spec": document, "platform_spec": platform});
    assert!(problems(&both).contains("\"a\" needs \"a\""));
}

#[test]
fn no_more_problems_are_reported_than_people_can_read() {
    let tasks: serde_json::Map<String, Value> =
        (0..500).map(|index| (format!("t{index}"), task(json!({"dependentTasks": ["z"]})))).collect();
    assert_eq!(problems(&pipeline(&tasks.into())).lines().count(), Limits::default().problems);
}

#[test]
fn an_executor_of_no_known_kind_is_refused_only_where_it_is_used() {
    let mut document = pipeline(&json!({"a": task(json!({}))}));
    document["deploymentSpec"]["executors"]["other"] = json!({"newKind": {}});
    assert_eq!(problems(&document), "no problem");
    document["deploymentSpec"]["executors"]["e"] = json!({"newKind": {}});
    let expected =
        "deploymentSpec.executors.e: executor \"e\" is of no known kind: expected a container or an importer";
    assert_eq!(problems(&document), expected);
}
