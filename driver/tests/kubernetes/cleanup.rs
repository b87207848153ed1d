//! Pods that others hold too, and cleaning up that fails or hangs.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};
use penstock_driver::{Driver, KubernetesSettings, RunControl};
use penstock_spec::report::FailureCause;
use penstock_spec::run::RunStatus;
use serde_json::{Value, json};

use crate::api::{FakeApi, Fault};
use crate::kubelet::Act;
use crate::world::{World, chain, drive, fan, finalizers, pipeline};

#[tokio::test(flavor = "multi_thread")]
async fn finalizer_that_somebody_adds_meanwhile_stays() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.fault("patch", Fault::AddFinalizer);
    assert_eq!(world.run(&chain(1)).await.status, RunStatus::Succeeded);
    assert_eq!(world.api.pending_faults(), 0, "every fault happened");
    world.until("ours is gone", |api| api.pods().iter().all(|pod| finalizers(pod) < 2)).await;
    let pods = world.api.pods();
    assert_eq!(pods.len(), 1, "somebody else still holds it");
    assert_eq!(pods[0]["metadata"]["finalizers"], json!(["other/one"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_refused_removal_of_the_finalizer_is_judged_by_a_read() {
    let refusals =
        [(409, "Conflict", "the object has been modified"), (422, "Invalid", "metadata.labels: a uid is odd")];
    for (code, reason, message) in refusals {
        let world = World::new(|_, _| Act::Succeed).await;
        world.api.fault("patch", Fault::Refuse(code, reason, message.to_owned()));
        assert_eq!(world.run(&chain(1)).await.status, RunStatus::Succeeded);
        assert_eq!(world.api.pending_faults(), 0, "every fault happened");
        assert_eq!(world.api.calls("get").len(), 1, "{message}: whether the Pod is still ours");
        world.until_no_pods().await;
        assert_eq!(world.api.calls("patch").len(), 2, "{message}: again, or by the sweep");
    }
}

/// Both tasks start at once; the second goes on until it is told.
async fn while_another_runs(linger: fn(&mut KubernetesSettings), meanwhile: impl AsyncFnOnce(&World)) {
    let mut world = World::new(|key, _| if key == "t2" { Act::Hang } else { Act::Succeed }).await;
    world.tune = linger;
    let driver = world.driver().await;
    let tasks = "      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}
      t2: {componentRef: {name: comp}, taskInfo: {name: t2}}
";
    let run = world.create(&driver, &pipeline(tasks, "")).await;
    let control = RunControl::new();
    let rest = async {
        world.until("t1 is over", |api| in_phase(api, "Succeeded").len() == 1).await;
        meanwhile(&world).await;
        let [hanging] = &*in_phase(&world.api, "Running") else { panic!("t2 runs alone") };
        world.report_success(hanging).await;
    };
    let (_, end) = tokio::join!(rest, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
    world.until_no_pods().await;
}

fn in_phase(api: &FakeApi, phase: &str) -> Vec<Value> {
    api.pods().into_iter().filter(|pod| pod["status"]["phase"] == phase).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_that_is_done_is_left_alone_until_its_run_ends() {
    while_another_runs(
        |_| {},
        async |world| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!((world.api.calls("patch").len(), world.api.calls("delete").len()), (0, 0));
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_that_is_done_goes_when_its_time_is_over() {
    while_another_runs(
        |settings| settings.linger = Duration::from_millis(100),
        async |world| world.until("t1 is gone", |api| api.pods().len() == 1).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_that_is_done_goes_when_somebody_deletes_it() {
    while_another_runs(
        |_| {},
        async |world| {
            let done = in_phase(&world.api, "Succeeded");
            let name = done[0]["metadata"]["name"].as_str().expect("a name");
            let pods: Api<Pod> = Api::namespaced(world.api.client(), "team");
            pods.delete(name, &DeleteParams::default()).await.expect("it is deleted");
            world.until("t1 is gone", |api| api.pods().len() == 1).await;
        },
    )
    .await;
}

/// Runs tasks that fail until the phases of their Pods say so; the driver deletes them at once from now on.
async fn failed_pods(world: &mut World, count: usize) -> Driver {
    assert_eq!(world.run(&fan(count)).await.status, RunStatus::Failed);
    let failed = |api: &FakeApi| api.pods().iter().filter(|pod| pod["status"]["phase"] == "Failed").count();
    world.until("all have failed", |api| failed(api) == count).await;
    world.tune = |settings| {
        settings.keep_failed = Duration::ZERO;
        settings.sweep_limit = Duration::from_millis(500);
    };
    world.driver().await
}

#[tokio::test(flavor = "multi_thread")]
async fn r11_pod_that_cannot_be_cleaned_up_does_not_keep_the_others_from_it() {
    let mut world = World::new(|_, _| Act::Fail(FailureCause::User, "no")).await;
    let driver = failed_pods(&mut world, 3).await;
    world.api.fault("delete", Fault::Refuse(403, "Forbidden", "a policy forbids it".to_owned()));
    let error = driver.sweep_pods("team").await.expect_err("one is left");
    assert!(error.reason.contains("a policy forbids it") && error.reason.contains("1 left"), "{error}");
    assert_eq!(world.api.pods().len(), 1);
    assert_eq!(driver.sweep_pods("team").await.expect("a sweep").deleted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_end_of_a_run_does_not_wait_for_a_sweep_that_hangs() {
    let mut world = World::new(|_, _| Act::Fail(FailureCause::User, "no")).await;
    let driver = failed_pods(&mut world, 1).await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let hang = async {
        world.until("a Pod", |api| api.calls("create").len() == 2).await;
        // The watch has its list by now; the next one is the sweep's.
        world.api.fault("list", Fault::Hang);
        world.api.fault("list", Fault::Hang);
    };
    let started = Instant::now();
    let (_, end) = tokio::join!(hang, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Failed);
    assert!(world.api.pending_faults() < 2, "the sweep was held up");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// An API that has no right to Pods leaves them to the driver.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_are_kept_for_a_look_go_with_a_run_that_is_deleted() {
    let world = World::new(|_, _| Act::Fail(FailureCause::User, "no")).await;
    let driver = world.driver().await;
    let (run, other) = (world.create(&driver, &fan(2)).await, world.create(&driver, &chain(1)).await);
    for run in [run, other] {
        let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
        assert_eq!(end.status, RunStatus::Failed);
    }
    assert_eq!(world.api.pods().len(), 3, "they are kept");
    driver.metastore().leave_to_driver_to_delete(run).await.expect("it is there");
    drive(&driver, run, &RunControl::new()).await.expect("what was left to it is done");
    assert_eq!(world.api.pods().len(), 1, "those of the other run are kept");
    assert_eq!(driver.metastore().purge_deleted().await.expect("the store answers"), [run]);
}
