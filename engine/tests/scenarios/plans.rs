//! Plans of attempts.

use penstock_engine::NodeId;
use penstock_spec::run::RunStatus;
use serde_json::{Value, json};

use crate::host::{Host, run_info};

const PLANNED: &str = "
components:
  comp:
    executorLabel: exec
    inputDefinitions: {parameters: {tag: {parameterType: NUMBER_INTEGER}, name: {parameterType: STRING, defaultValue: python, isOptional: true}}}
    outputDefinitions:
      parameters: {p: {parameterType: LIST}}
      artifacts: {model: {artifactType: {schemaTitle: system.Model, schemaVersion: 0.0.1}, metadata: {framework: own}}}
root:
  dag:
    tasks:
      train: {componentRef: {name: comp}, taskInfo: {name: Train it}, inputs: {parameters: {tag: {runtimeValue: {constant: 3.0}}}}}
deploymentSpec:
  executors:
    exec:
      container:
        image: \"registry/{{$.inputs.parameters['name']}}:v{{$.inputs.parameters['tag']}}\"
        command: [sh, -c]
        args: [\"echo {{$.inputs.parameters['tag']}}\", '{{$}}']
        env: [{name: A, value: \"{{$.inputs.parameters['tag']}}\"}, {name: B, value: b}]
---
platforms: {kubernetes: {deploymentSpec: {executors: {exec: {activeDeadlineSeconds: '90'}}}}}
";

#[test]
fn plan_says_everything_about_an_attempt() {
    let host = Host::new(PLANNED).ran().succeeds();
    let plan = host.plan("train");
    assert_eq!(plan.image, "registry/python:v3", "placeholders in place, numbers and defaults too");
    assert_eq!(plan.command, ["sh", "-c"]);
    assert_eq!(plan.args[0], "echo {{$.inputs.parameters['tag']}}", "argv is resolved by the launcher");
    assert_eq!(plan.env[0].value, "{{$.inputs.parameters['tag']}}", "environment is verbatim");
    assert_eq!(plan.timeout_seconds, Some(90));
    assert_eq!(plan.task.display_name, "Train it");
    assert_eq!(plan.task.key, "train");
    assert_eq!(plan.task.path, "train");
    let root = format!("s3://bucket/root/test/{}/train/", run_info().id);
    assert!(plan.task_root.starts_with(&root), "{}", plan.task_root);
    assert_eq!(plan.output_artifacts["model"].metadata["framework"], "own");
    assert_eq!(plan.artifact_uri("model"), format!("{}/model", plan.task_root));
    assert_eq!(plan.output_parameters["p"], penstock_spec::ir::ParameterType::List);
    assert_eq!(plan.run, run_info());
}

#[test]
fn same_run_and_path_have_the_same_identity() {
    let one = Host::new(PLANNED).ran();
    let two = Host::new(PLANNED).ran();
    assert_eq!(one.plans, two.plans);
}

#[test]
fn query_of_the_pipeline_root_is_no_part_of_places() {
    let mut host = Host::new(PLANNED);
    let mut run = run_info();
    run.pipeline_root = "s3://bucket/root?region=x&endpoint=y".into();
    host.deliver(penstock_engine::Event::Start { run, parameters: serde_json::Map::new() });
    let plan = host.running_plan("train");
    assert!(plan.task_root.starts_with("s3://bucket/root/test/"), "{}", plan.task_root);
}

#[test]
fn task_config_input_gets_what_is_passed_through() {
    let host = Host::new(
        "
components:
  comp:
    executorLabel: exec
    inputDefinitions: {parameters: {config: {parameterType: TASK_CONFIG}}}
    taskConfigPassthroughs: [{field: ENV}, {field: RESOURCES, applyToTask: true}]
root: {dag: {tasks: {a: {componentRef: {name: comp}, taskInfo: {name: a}}}}}
deploymentSpec:
  executors:
    exec:
      container: {image: i, command: [c], env: [{name: A, value: b}], resources: {resourceCpuLimit: '2', memoryRequest: 1.5}}
",
    )
    .ran()
    .succeeds();
    let config = host.input("a", "config").unwrap();
    assert_eq!(config["env"], json!([{"name": "A", "value": "b"}]));
    assert_eq!(config["resources"], json!({"limits": {"cpu": "2"}, "requests": {"memory": "1.5G"}}));
    assert_eq!(config["tolerations"], Value::Null);
    let plan = host.plan("a");
    assert!(plan.env.is_empty(), "handed on, and not applied to the task itself");
    assert_eq!(json!(plan.resources), json!({"limits": {"cpu": "2"}, "requests": {"memory": "1.5G"}}), "both");
}

#[test]
fn resources_in_a_task_config_have_their_placeholders_replaced_and_the_accelerator_among_the_limits() {
    let host = Host::new(
        "
components:
  comp:
    executorLabel: exec
    inputDefinitions:
      parameters:
        config: {parameterType: TASK_CONFIG}
        memory: {parameterType: STRING, defaultValue: 2Gi, isOptional: true}
        nothing: {parameterType: STRING, isOptional: true}
    taskConfigPassthroughs: [{field: RESOURCES}]
root:
  dag:
    tasks:
      a:
        componentRef: {name: comp}
        taskInfo: {name: a}
        inputs: {parameters: {cpu: {runtimeValue: {constant: 2.0}}, gpu: {runtimeValue: {constant: nvidia.com/gpu}}}}
deploymentSpec:
  executors:
    exec:
      container:
        image: i
        command: [c]
        resources:
          resourceCpuLimit: '{{$.inputs.parameters[''cpu'']}}'
          resourceMemoryLimit: '{{$.inputs.parameters[''memory'']}}'
          resourceCpuRequest: '{{$.inputs.parameters[''nothing'']}}'
          accelerator: {resourceType: '{{$.inputs.parameters[''gpu'']}}', count: '1'}
",
    )
    .ran()
    .succeeds();
    let config = host.input("a", "config").unwrap();
    let limits = json!({"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": "1"});
    assert_eq!(config["resources"], json!({"limits": limits, "requests": {}}));
    assert!(host.plan("a").resources.is_empty(), "handed on, and not applied to the task itself");
}

#[test]
fn plan_carries_what_the_container_asks_of_a_machine() {
    let host = Host::new(
        "
components: {comp: {executorLabel: exec, inputDefinitions: {parameters: {memory: {parameterType: STRING}}}}}
root:
  dag:
    tasks:
      a:
        componentRef: {name: comp}
        taskInfo: {name: a}
        inputs: {parameters: {memory: {runtimeValue: {constant: 2Gi}}}}
deploymentSpec:
  executors:
    exec:
      container:
        image: i
        command: [c]
        resources:
          resourceMemoryLimit: \"{{$.inputs.parameters['memory']}}\"
          memoryLimit: 7
          cpuRequest: 0.5
          accelerator: {type: NVIDIA_TESLA_K80, count: '2'}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec: {imagePullPolicy: Always, podMetadata: {annotations: {penstock.dev/service-account: reader}}}
",
    )
    .ran()
    .succeeds();
    let plan = host.plan("a");
    let limits = json!({"memory": "2Gi", "NVIDIA_TESLA_K80": "2"});
    assert_eq!(json!(plan.resources), json!({"limits": limits, "requests": {"cpu": "0.5"}}), "new fields win over old");
    assert_eq!(plan.image_pull_policy, "Always");
    assert_eq!(plan.service_account.as_deref(), Some("reader"));
}

#[test]
fn platform_settings_that_use_an_output_make_a_dependency() {
    let mut host = Host::new(
        "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {name: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec-use}
root:
  dag:
    tasks:
      make: {componentRef: {name: comp}, taskInfo: {name: make}}
      use: {componentRef: {name: comp-use}, taskInfo: {name: use}}
deploymentSpec: {executors: {exec: {container: {image: i, command: [c]}}, exec-use: {container: {image: i, command: [c]}}}}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-use:
          secretAsEnv:
            - secretNameParameter: {taskOutputParameter: {producerTask: make, outputParameterKey: name}}
              keyToEnv: [{secretKey: k, envVar: K}]
",
    )
    .started(json!({}));
    assert_eq!(host.running(), ["make"]);
    let dependencies: Vec<NodeId> = host.node("use").dependencies().collect();
    assert_eq!(dependencies, [host.node("make").id]);
    host.finish();
    host.expect(RunStatus::Succeeded);
}
