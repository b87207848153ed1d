//! Namespaces that take no Pods of root.

use std::time::Duration;

use penstock_driver::RunControl;
use penstock_spec::report::FailureCause;
use penstock_spec::run::RunStatus;
use penstock_spec::settings::{NamespaceSettings, RunAs};
use serde_json::{Value, json};

use crate::kubelet::Act;
use crate::world::{World, chain, drive, fan, twice};

fn settings(run_as: RunAs) -> Option<String> {
    let mut settings = NamespaceSettings::kfp_default("http://minio.example:9000");
    settings.tasks.run_as = run_as;
    Some(serde_json::to_string(&settings).expect("JSON"))
}

fn nobody() -> RunAs {
    RunAs { user: Some(65532), group: Some(65532), non_root: Some(true) }
}

fn context(pod: &Value) -> &Value {
    &pod["spec"]["containers"][0]["securityContext"]
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_run_as_the_namespace_says_and_one_read_is_for_all() {
    let mut world = World::new(|_, _| Act::Fail(FailureCause::User, "to keep its Pod")).await;
    world.tune = |settings| settings.pod.run_as.group = Some(7);
    world.api.restrict();
    world.api.set_settings(settings(nobody()));
    let driver = world.driver().await;
    let run = world.create(&driver, &fan(20)).await;
    let reads = world.api.settings_reads();
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Failed);
    let pods = world.api.pods();
    assert!(!pods.is_empty());
    for pod in &pods {
        let context = context(pod);
        assert_eq!(
            (&context["runAsUser"], &context["runAsGroup"], &context["runAsNonRoot"]),
            (&json!(65532), &json!(7), &json!(true)),
            "the installation's own word wins"
        );
    }
    let reads = world.api.settings_reads() - reads;
    assert!((1..=3).contains(&reads), "{reads} reads for 20 Pods");
}

/// The label is new, and the settings follow it within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn f44_pod_that_is_refused_until_the_settings_say_so_goes_on() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.restrict();
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let later = async {
        world.until("it was refused", |api| !api.calls("create").is_empty()).await;
        world.api.set_settings(settings(nobody()));
    };
    let control = RunControl::new();
    let (end, ()) = tokio::join!(drive(&driver, run, &control), later);
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
    let created = world.api.calls("create");
    assert_eq!(twice(&created).len(), created.len() - 1, "it stayed the same attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_pod_that_stays_refused_fails_with_the_reason() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.tune = |settings| settings.timeouts.settings = Duration::from_millis(500);
    world.api.restrict();
    let end = world.run(&chain(1)).await;
    let failure = end.failure.expect("a failure");
    assert!(failure.message.contains("violates PodSecurity"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i31_root_where_root_is_refused_makes_no_pod() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.set_settings(settings(RunAs { user: Some(0), ..nobody() }));
    let end = world.run(&chain(1)).await;
    let failure = end.failure.expect("a failure");
    assert!(failure.message.contains("annotation penstock.dev/run-as-user"), "{failure:?}");
    assert!(world.api.calls("create").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_read_are_named() {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    world.api.set_settings(Some("{".to_owned()));
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    let failure = end.failure.expect("a failure");
    assert!(failure.message.contains("ConfigMap penstock-settings"), "{failure:?}");
}
