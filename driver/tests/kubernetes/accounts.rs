//! Tasks that ask for an account of their own.

use std::time::Duration;

use penstock_driver::{KubernetesSettings, RunControl};
use penstock_spec::report::FailureCause;
use penstock_spec::run::RunStatus;

use crate::kubelet::Act;
use crate::world::{World, drive, pipeline};

/// One task that asks for the account `reader`.
fn asking() -> String {
    let platform = "---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec: {podMetadata: {annotations: {penstock.dev/service-account: reader}}}
";
    pipeline("      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}\n", platform)
}

fn allow(settings: &mut KubernetesSettings) {
    settings.pod.accounts = vec!["*/reader".parse().expect("an account")];
}

/// The label of the namespace is new, and the role that lets the account report follows it within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn t06_account_that_may_not_report_yet_is_waited_for() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.tune = allow;
    world.api.set_may_patch(false);
    let driver = world.driver().await;
    let run = world.create(&driver, &asking()).await;
    let later = async {
        world.until("it was asked", |api| api.reviews() > 0).await;
        assert!(world.api.calls("create").is_empty(), "a Pod was created");
        world.api.set_may_patch(true);
    };
    let control = RunControl::new();
    let (end, ()) = tokio::join!(drive(&driver, run, &control), later);
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
    assert_eq!(world.api.calls("create").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_account_that_may_not_report_is_refused_with_what_to_do_before_a_pod_is_made() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.tune = |settings| {
        allow(settings);
        settings.timeouts.settings = Duration::from_millis(300);
    };
    world.api.set_may_patch(false);
    let failure = world.run(&asking()).await.failure.expect("a failure");
    assert_eq!(failure.cause, FailureCause::Refused, "{failure:?}");
    assert!(failure.message.contains("create rolebinding penstock-reader --role=penstock-task"), "{failure:?}");
    assert!(world.api.calls("create").is_empty(), "a Pod was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_account_that_is_not_allowed_is_refused_at_once() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.set_may_patch(true);
    let failure = world.run(&asking()).await.failure.expect("a failure");
    assert_eq!(failure.cause, FailureCause::Refused, "{failure:?}");
    assert!(failure.message.contains("--allow-task-account"), "{failure:?}");
    assert_eq!((world.api.reviews(), world.api.calls("create").len()), (0, 0));
}

/// Whoever drives from a laptop may not ask about others' rights.
#[tokio::test(flavor = "multi_thread")]
async fn t06_account_whose_rights_cannot_be_asked_for_is_taken_as_it_is() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.tune = allow;
    let end = world.run(&asking()).await;
    assert_eq!((end.status, world.api.reviews()), (RunStatus::Succeeded, 1));
}
