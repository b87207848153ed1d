//! Platform settings of tasks: judged on submission, and before a Pod is made.

use penstock_driver::{CreateRunError, RunControl};
use penstock_spec::report::FailureCause;
use penstock_spec::run::RunStatus;
use penstock_spec::settings::NamespaceSettings;
use serde_json::json;

use crate::kubelet::Act;
use crate::world::{World, drive, pipeline};

/// A task with settings, after one whose output they may use.
fn with(settings: &str) -> String {
    let platform =
        format!("---\nplatforms: {{kubernetes: {{deploymentSpec: {{executors: {{shaped: {{{settings}}}}}}}}}}}\n");
    let tasks = "      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}
      t2: {componentRef: {name: shaped}, taskInfo: {name: t2}}
";
    let container = "shaped: {container: {image: python:3.11, command: [python3]}}";
    pipeline(tasks, &platform).replacen("    exec: ", &format!("    {container}\n    exec: "), 1).replacen(
        "components:\n",
        "components:\n  shaped: {executorLabel: shaped}\n",
        1,
    )
}

fn secret(name: &str) -> String {
    format!("secretAsEnv: [{{secretNameParameter: {name}, keyToEnv: [{{secretKey: k, envVar: V}}]}}]")
}

#[tokio::test(flavor = "multi_thread")]
async fn value_of_another_task_is_on_the_pod() {
    let world = World::new(|task, _| match task {
        "t2" => Act::Fail(FailureCause::User, "to keep its Pod"),
        _ => Act::Succeed,
    })
    .await;
    let selector = "nodeSelector: {labels: {disk: fast}}";
    let name = "{taskOutputParameter: {producerTask: t1, outputParameterKey: out}, parameterExpressionSelector: \"string_value == 't1 of attempt 0' ? 'done' : 'other'\"}";
    let claim = format!("pvcMount: [{{mountPath: /data, pvcNameParameter: {name}}}]");
    let end = world.run(&with(&format!("{selector}, {claim}"))).await;
    assert_eq!(end.status, RunStatus::Failed);
    let pods = world.api.pods();
    let pod = pods.iter().find(|pod| pod["metadata"]["name"].as_str().is_some_and(|name| name.contains("-t2-")));
    let spec = &pod.unwrap_or_else(|| panic!("no Pod of t2: {pods:#?}"))["spec"];
    assert_eq!(spec["nodeSelector"], json!({"disk": "fast"}));
    let volumes = spec["volumes"].as_array().expect("volumes");
    let claims: Vec<&str> =
        volumes.iter().filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect();
    assert_eq!(claims, ["done"], "what the other task put out");
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_settings_that_no_pod_can_have_are_refused_on_submission_with_their_tasks() {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.driver().await;
    let settings = "emptyDirMounts: [{volumeName: own, mountPath: /penstock/bin}], nodeAffinity: [{weight: 0, matchFields: [{key: a, operator: In}]}]";
    let error = world.try_create(&driver, &with(settings)).await.expect_err("it is refused");
    assert!(matches!(error, CreateRunError::Platform(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the pipeline's settings for Kubernetes are wrong: emptyDirMounts[0].mountPath: \"/penstock/bin\" is kept for the \
         launcher: choose another path; nodeAffinity[0]: the weight 0 is not between 1 and 100 (task \"t2\")"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn value_that_cannot_be_had_fails_the_task_before_a_pod_is_made() {
    let world = World::new(|_, _| Act::Succeed).await;
    let failure = world.run(&with(&secret("{componentInputParameter: nobody}"))).await.failure.expect("a failure");
    assert_eq!(failure.cause, FailureCause::Refused, "{failure:?}");
    let reason = "secretAsEnv[0].secretNameParameter: the enclosing DAG has no input parameter \"nobody\"";
    assert!(failure.message.contains(reason), "{failure:?}");
    assert!(!world.api.calls("create").iter().any(|name| name.contains("-t2-")), "a Pod was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_secret_of_the_object_store_is_refused_on_submission_and_before_a_pod_is_made() {
    let world = World::new(|_, _| Act::Succeed).await;
    let settings = NamespaceSettings::kfp_default("http://minio.example:9000");
    world.api.set_settings(Some(serde_json::to_string(&settings).expect("JSON")));
    let driver = world.driver().await;
    let fixed = with(&secret("{runtimeValue: {constant: mlpipeline-minio-artifact}}"));
    let error = world.try_create(&driver, &fixed).await.expect_err("it is refused").to_string();
    assert!(error.contains("the Secret \"mlpipeline-minio-artifact\" opens the object store"), "{error}");
    // A constant with a placeholder is known when the task starts.
    let later = with(&secret("{runtimeValue: {constant: '{{$.pipeline_job_name}}'}}"));
    let run = world.try_create_named(&driver, &later, "mlpipeline-minio-artifact").await.expect("the run is created");
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    let failure = end.failure.expect("a failure");
    assert_eq!(failure.cause, FailureCause::Refused, "{failure:?}");
    assert!(failure.message.contains("opens the object store of the namespace"), "{failure:?}");
    assert!(!world.api.calls("create").iter().any(|name| name.contains("-t2-")), "a Pod was created");
}
