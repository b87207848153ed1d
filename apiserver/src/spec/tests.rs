use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;

const MINIMAL: &str = r#"
pipelineInfo: {name: hello}
schemaVersion: 2.1.0
root:
  dag:
    tasks:
      t: {taskInfo: {name: t}, componentRef: {name: c}}
components:
  c: {executorLabel: e}
deploymentSpec:
  executors:
    e: {container: {image: python:3.12, command: [], args: ["1"]}}
"#;

fn loaded(text: &str) -> LoadedPipeline {
    load("pipeline.yaml", text.as_bytes(), &Limits::default()).unwrap()
}

fn refusal(text: &str) -> String {
    load("pipeline.yaml", text.as_bytes(), &Limits::default()).unwrap_err().to_string()
}

#[test]
fn a_document_is_shown_in_one_spelling_and_without_defaults() {
    let text = r#"
pipeline_info: {name: hello, description: ""}
schema_version: 2.1.0
sdk_version: kfp-2.17.0   # comments are dropped
components:
  c:
    executor_label: e
    input_definitions:
      parameters:
        n: {parameter_type: 2, default_value: 5.0, is_optional: true, description: null}
        s: {parameterType: STRING, defaultValue: null, isOptional: false}
      artifacts: {}
    output_definitions: {}
root:
  dag:
    tasks:
      t:
        task_info: {name: t}
        component_ref: {name: c}
        caching_options: {enable_cache: false}
        inputs:
          parameters:
            n: {runtime_value: {constant: 0}}
            s: {component_input_parameter: ""}
        retry_policy: {max_retry_count: "3", backoff_factor: 2.0, backoff_duration: 0s}
        trigger_policy: {strategy: 2}
deploymentSpec:
  executors:
    e: {container: {image: python:3.12, command: [], other_field: {kept: false}}}
"#;
    let limits = Limits::default();
    let documents = parse(text, &limits).unwrap();
    let shown = show(&documents);
    let expected = json!({
        "pipelineInfo": {"name": "hello"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "components": {"c": {
            "executorLabel": "e",
            "inputDefinitions": {"parameters": {
                "n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5, "isOptional": true},
                "s": {"parameterType": "STRING", "defaultValue": null},
            }},
            "outputDefinitions": {},
        }},
        "root": {"dag": {"tasks": {"t": {
            "taskInfo": {"name": "t"},
            "componentRef": {"name": "c"},
            "cachingOptions": {},
            "inputs": {"parameters": {
                "n": {"runtimeValue": {"constant": 0}},
                "s": {"componentInputParameter": ""},
            }},
            "retryPolicy": {"maxRetryCount": 3, "backoffFactor": 2, "backoffDuration": "0s"},
            "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        }}}},
        "deploymentSpec": {"executors": {
            "e": {"container": {"image": "python:3.12", "command": [], "other_field": {"kept": false}}},
        }},
    });
    assert_eq!(shown, expected, "{shown:#}");
}

#[test]
fn a_platform_document_makes_a_pair() {
    let text = format!(
        "{MINIMAL}---\nplatforms:\n  kubernetes:\n    deployment_spec:\n      executors:\n        e: {{secretAsEnv: []}}\n"
    );
    let shown = loaded(&text).shown;
    assert_eq!(shown["pipeline_spec"]["pipelineInfo"], json!({"name": "hello"}));
    let platform = json!({"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"e": {"secretAsEnv": []}}}}}});
    assert_eq!(shown["platform_spec"], platform);
}

#[test]
fn i01_what_is_no_pipeline_is_refused_in_the_words_that_clients_know() {
    assert_eq!(refusal("a: 1"), "unknown template format: no pipeline spec is provided");
    assert!(refusal("a: [").starts_with("failed to parse pipeline spec YAML: "));
    let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n";
    assert_eq!(refusal(argo), "V1 pipeline specs are not allowed. Please migrate to using KFP V2 pipelines.");
    let version = refusal(&MINIMAL.replace("2.1.0", "2.0.0"));
    assert!(version.contains("KFP only supports schema version 2.1.0, but the pipeline spec has version"), "{version}");
    let empty = refusal("pipelineInfo: {name: x}\nschemaVersion: 2.1.0\n");
    assert!(empty.contains("invalid v2 pipeline spec: root component is empty"), "{empty}");
    assert!(refusal(&format!("{MINIMAL}---\n{MINIMAL}")).contains("multiple pipeline specs provided"));
}

#[test]
fn names_within_specifications_are_plain() {
    let named = |name: &str| refusal(&MINIMAL.replace("hello", name));
    assert_eq!(named("''"), "pipeline's name cannot be empty");
    assert_eq!(named(&"x".repeat(129)), "pipeline's name must contain no more than 128 characters");
    for name in ["Hello", "-x", "a b", "a.b", "é"] {
        assert!(named(name).starts_with("pipeline's name must contain only lowercase alphanumeric"), "{name}");
    }
}

/// Compiled pipelines mean the same after they were written again, and writing them once more changes nothing.
#[test]
fn what_is_shown_means_what_was_uploaded() {
    let limits = Limits::default();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/pipelines");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    assert!(files.len() > 20);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let documents = parse(&text, &limits).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let shown = show(&documents);
        let again = parse(&shown.to_string(), &limits).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(again.pipeline, documents.pipeline, "{}", path.display());
        let (old, new) =
            (documents.platform.map(|spec| spec.kubernetes), again.platform.clone().map(|spec| spec.kubernetes));
        assert_eq!(new, old, "{}", path.display());
        assert_eq!(show(&again), shown, "{}", path.display());
    }
}

/// The files beside it are what kfp's own protobuf classes write after they have read these pipelines.
#[test]
fn what_is_shown_is_what_protobuf_writes() {
    for (name, expected) in [
        ("cluster_settings", include_str!("../../testdata/cluster_settings.json")),
        ("retry_on_groups", include_str!("../../testdata/retry_on_groups.json")),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/pipelines/{name}.yaml"));
        let shown = loaded(&std::fs::read_to_string(path).unwrap()).shown;
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(shown, expected, "{name}: {shown:#}");
    }
}
