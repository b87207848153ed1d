//! Cache keys, and what a hit does.

use penstock_engine::Effect;
use penstock_spec::run::TaskStatus;
use serde_json::{Value, json};

use crate::host::{Host, document};

const CACHED: &str = "
components:
  comp-make:
    executorLabel: exec-make
    inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}, d: {parameterType: STRING, defaultValue: x, isOptional: true}}}
    outputDefinitions: {parameters: {Output: {parameterType: STRING}}, artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}}}
root:
  inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER, defaultValue: 1.0}}}
  dag:
    tasks:
      make:
        componentRef: {name: comp-make}
        taskInfo: {name: make}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {n: {componentInputParameter: n}}}
      same:
        componentRef: {name: comp-make}
        taskInfo: {name: another name}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {n: {componentInputParameter: n}}}
        dependentTasks: [make]
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        cachingOptions: {enableCache: true}
        inputs: {artifacts: {data: {taskOutputArtifact: {producerTask: make, outputArtifactKey: data}}}}
      use-same:
        componentRef: {name: comp-use}
        taskInfo: {name: use-same}
        cachingOptions: {enableCache: true}
        dependentTasks: [use]
        inputs: {artifacts: {data: {taskOutputArtifact: {producerTask: same, outputArtifactKey: data}}}}
      never: {componentRef: {name: comp-use}, taskInfo: {name: never}, cachingOptions: {}, inputs: {artifacts: {data: {taskOutputArtifact: {producerTask: make, outputArtifactKey: data}}}}}
deploymentSpec:
  executors:
    exec-make: {container: {image: python, command: [a], args: ['{{$}}'], env: [{name: K, value: v}]}}
    exec-use: {container: {image: python, command: [b]}}
";

fn key(text: &str, given: Value) -> String {
    let host = Host::new(text).ran_with(given).succeeds();
    host.node("make").cache_key().unwrap().to_owned()
}

#[test]
fn hit_runs_nothing_and_hands_on_the_same_records() {
    let host = Host::new(CACHED).caching().ran().succeeds();
    assert_eq!(host.attempts("make"), 1);
    assert_eq!(host.attempts("same"), 0, "the same work under another name");
    assert_eq!(host.status("same"), TaskStatus::Succeeded);
    assert_eq!(host.node("same").cached_from().unwrap().task_path, "make");
    assert_eq!(host.node("same").outputs(), host.node("make").outputs());
    assert_eq!(host.attempts("use-same"), 0, "hits chain: the record is the same");
    assert_eq!(host.attempts("never"), 1);
    assert_eq!(host.node("never").cache_key(), None);
}

#[test]
fn cache_is_not_asked_when_the_run_says_so() {
    let mut host = Host::new(CACHED).caching();
    let mut run = crate::host::run_info();
    run.caching = false;
    host.deliver(penstock_engine::Event::Start { run, parameters: serde_json::Map::new() });
    assert!(!host.in_flight.iter().any(|effect| matches!(effect, Effect::LookUpCache { .. })));
    host.finish();
    assert_eq!(host.succeeds().attempts("same"), 1);
}

#[test]
fn key_follows_from_what_decides_the_result() {
    let base = key(CACHED, json!({}));
    assert_eq!(base.len(), 64);
    assert_eq!(key(CACHED, json!({"n": 1.0})), base, "1.0 is 1");
    assert_ne!(key(CACHED, json!({"n": 2.0})), base, "an input");
    for (what, from, to) in [
        ("image", "image: python, command: [a]", "image: other, command: [a]"),
        ("command", "command: [a]", "command: [c]"),
        ("environment", "value: v", "value: w"),
        ("output", "Output: {parameterType: STRING}", "Output: {parameterType: LIST}"),
        ("artifact type", "schemaTitle: system.Dataset}}}}\n", "schemaTitle: system.Model}}}}\n"),
    ] {
        let changed = CACHED.replacen(from, to, 1);
        assert_ne!(document(&changed), document(CACHED), "{what}");
        assert_ne!(key(&changed, json!({})), base, "{what}");
    }
    for (what, from, to) in [
        ("default of an input left out", "defaultValue: x", "defaultValue: y"),
        ("display name", "taskInfo: {name: make}", "taskInfo: {name: other}"),
    ] {
        let changed = CACHED.replacen(from, to, 1);
        assert_ne!(document(&changed), document(CACHED), "{what}");
        assert_eq!(key(&changed, json!({})), base, "{what}");
    }
}

#[test]
fn volumes_and_secrets_of_a_task_are_part_of_its_key() {
    let with = |name: &str| {
        let settings = format!("secretAsEnv: [{{secretName: {name}, keyToEnv: [{{secretKey: k, envVar: K}}]}}]");
        format!(
            "{CACHED}---\nplatforms: {{kubernetes: {{deploymentSpec: {{executors: {{exec-make: {{{settings}}}}}}}}}}}\n"
        )
    };
    assert_ne!(key(&with("a"), json!({})), key(CACHED, json!({})));
    assert_ne!(key(&with("a"), json!({})), key(&with("b"), json!({})));
}

#[test]
fn authors_key_replaces_everything_else() {
    let with = |text: &str| CACHED.replace("cachingOptions: {enableCache: true}", text);
    let own = with("cachingOptions: {enableCache: true, cacheKey: mine}");
    assert_eq!(key(&own, json!({})), key(&own, json!({"n": 9.0})));
    assert_ne!(key(&own, json!({})), key(&with("cachingOptions: {enableCache: true, cacheKey: other}"), json!({})));
    let host = Host::new(&own).ran().succeeds();
    assert_ne!(host.node("make").cache_key(), host.node("use").cache_key(), "the component counts");
}

/// Two uses of one function with a cache key of their own, and a function whose name ends in a number.
const NUMBERED: &str = "
components:
  comp-step: {executorLabel: exec-step}
  comp-step-2: {executorLabel: exec-step-2}
  comp-step-2-2: {executorLabel: exec-step-again}
  comp-other-1: {executorLabel: exec-other-1}
  comp-other-2: {executorLabel: exec-other-2}
root:
  dag:
    tasks:
      step: {componentRef: {name: comp-step}, cachingOptions: {enableCache: true, cacheKey: mine}}
      step-2: {componentRef: {name: comp-step-2}, cachingOptions: {enableCache: true, cacheKey: mine}}
      step-again: {componentRef: {name: comp-step-2-2}, cachingOptions: {enableCache: true, cacheKey: mine}}
      other-1: {componentRef: {name: comp-other-1}, cachingOptions: {enableCache: true, cacheKey: mine}}
      other-2: {componentRef: {name: comp-other-2}, cachingOptions: {enableCache: true, cacheKey: mine}}
deploymentSpec:
  executors:
    exec-step: {container: {image: python, command: [step]}}
    exec-step-2: {container: {image: python, command: [step_2]}}
    exec-step-again: {container: {image: python, command: [step], env: [{name: K, value: v}]}}
    exec-other-1: {container: {image: python, command: [other_1]}}
    exec-other-2: {container: {image: python, command: [other_2]}}
";

#[test]
fn authors_key_is_shared_by_uses_of_a_component_and_not_by_names_that_end_in_numbers() {
    let host = Host::new(NUMBERED).ran().succeeds();
    let key = |path: &str| host.node(path).cache_key().unwrap().to_owned();
    assert_eq!(key("step"), key("step-again"), "another use of the same component");
    assert_ne!(key("step"), key("step-2"), "another function, called step_2");
    assert_ne!(key("other-1"), key("other-2"), "two functions, and none without a number");
}

#[test]
fn document_behind_the_key_can_be_seen() {
    let host = Host::new(CACHED).ran().succeeds();
    let document = host.node("make").cache_document().unwrap();
    assert_eq!(document["inputParameterValues"], json!({"n": 1}));
    assert_eq!(document["containerSpec"]["cmdArgs"], json!(["a", "{{$}}"]));
    assert_eq!(document["outputParametersSpec"], json!({"Output": "STRING"}));
    assert_eq!(document["containerSpec"]["env"], json!([{"name": "K", "value": "v"}]));
    let id = host.node("make").outputs().artifacts["data"][0].id.to_string();
    let document = host.node("use").cache_document().unwrap();
    assert_eq!(document["inputArtifactNames"], json!({"data": {"artifactNames": [id]}}));
    let own =
        CACHED.replace("cachingOptions: {enableCache: true}", "cachingOptions: {enableCache: true, cacheKey: mine}");
    let document = Host::new(&own).ran().succeeds().node("make").cache_document().unwrap();
    assert_eq!(document["cacheKey"], json!("mine"));
    assert_eq!(document.get("inputParameterValues"), None, "what does not count is not in it");
}

#[test]
fn miss_starts_the_first_attempt() {
    let mut host = Host::new(CACHED).started(json!({}));
    assert!(host.running().is_empty());
    assert_eq!(host.status("make"), TaskStatus::Pending);
    assert!(host.answer_next());
    assert_eq!(host.running(), ["make"]);
    host.finish();
    host.succeeds();
}

/// A task that creates a volume claim, one that deletes it, and one that uses the workspace.
const VOLUMES: &str = "
components:
  comp-create: {executorLabel: exec-create, inputDefinitions: {parameters: {pvc_name: {parameterType: STRING, isOptional: true}, size: {parameterType: STRING}}}, outputDefinitions: {parameters: {name: {parameterType: STRING}}}}
  comp-delete: {executorLabel: exec-delete, inputDefinitions: {parameters: {pvc_name: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {folder: {parameterType: STRING}}}}
root:
  inputDefinitions: {parameters: {name: {parameterType: STRING, defaultValue: ''}}}
  dag:
    tasks:
      create:
        componentRef: {name: comp-create}
        taskInfo: {name: create}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {pvc_name: {componentInputParameter: name}, size: {runtimeValue: {constant: 1Gi}}}}
      delete:
        componentRef: {name: comp-delete}
        taskInfo: {name: delete}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {pvc_name: {taskOutputParameter: {producerTask: create, outputParameterKey: name}}}}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {folder: {runtimeValue: {constant: '{{$.workspace_path}}/x'}}}}
      apart:
        componentRef: {name: comp-use}
        taskInfo: {name: apart}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {folder: {runtimeValue: {constant: /data}}}}
deploymentSpec:
  executors:
    exec-create: {container: {image: argostub/createpvc}}
    exec-delete: {container: {image: argostub/deletepvc}}
    exec-use: {container: {image: python, command: [b]}}
---
platforms: {kubernetes: {pipelineConfig: {workspace: {size: 2Gi, kubernetes: {pvcSpecPatch: {storageClassName: fast}}}}}}
";

fn volumes_of(given: &Value) -> Host {
    let mut host = Host::new(VOLUMES).on("create", |_| Ok(crate::host::parameters(json!({"name": "c"})))).caching();
    let run = penstock_spec::run::RunInfo {
        namespace: "team".to_owned(),
        workspace: Some("/kfp-workspace".to_owned()),
        ..crate::host::run_info()
    };
    let parameters = given.as_object().cloned().unwrap_or_default();
    host.deliver(penstock_engine::Event::Start { run, parameters });
    host.finish();
    host.succeeds()
}

#[test]
fn claim_of_a_made_up_name_and_a_deletion_never_come_from_the_cache() {
    let host = volumes_of(&json!({}));
    assert_eq!((host.node("create").cache_key(), host.node("delete").cache_key()), (None, None));
    let named = volumes_of(&json!({"name": "shared"}));
    assert!(named.node("create").cache_key().is_some());
    assert_ne!(named.node("create").cache_key(), volumes_of(&json!({"name": "other"})).node("create").cache_key());
    assert_eq!(named.node("delete").cache_key(), None);
}

#[test]
fn task_that_uses_the_workspace_takes_no_result_of_another_run() {
    let host = volumes_of(&json!({}));
    let document = |task: &str| host.node(task).cache_document().unwrap();
    assert_eq!(document("use")["workspace"], json!(crate::host::run_info().id));
    assert_eq!(document("apart").get("workspace"), None);
    let workspace = host.plan("use").workspace.clone().unwrap();
    assert_eq!((workspace.size.as_str(), &workspace.claim_patch["storageClassName"]), ("2Gi", &json!("fast")));
    assert_eq!(host.plan("apart").workspace, None);
}
