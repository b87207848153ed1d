//! Drivers that die, and others that go on.

use penstock_driver::{DriveError, Driver, RunControl};
use penstock_spec::run::RunStatus;
use uuid::Uuid;

use crate::api::FakeApi;
use crate::kubelet::Act;
use crate::world::{World, chain, drive, fan, twice};

/// Kills the driver at a request, goes on with another, and looks at the end. Says whether the request was ever made.
async fn killed_at(request: usize, after: bool) -> bool {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.killed_at(&chain(3), request, after).await;
    let reached = driver.is_some();
    if let Some(driver) = driver {
        driver.sweep_pods("team").await.expect("a sweep");
    }
    let created = world.api.calls("create");
    let pods: std::collections::BTreeSet<_> = created.iter().collect();
    assert_eq!(
        pods.len(),
        3,
        "killed at request {request}, after: {after}: no attempt is lost, none repeated: {created:?}"
    );
    world.until_no_pods().await;
    reached
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_driver_killed_before_and_after_each_request_changes_nothing_in_the_end() {
    for after in [false, true] {
        let mut request = 1;
        while killed_at(request, after).await {
            request += 1;
        }
        assert!(request > 8, "only {request} requests were met");
    }
}

/// Ends a driver at once when so many Pods run; what is to happen just before does.
async fn abort_once_running(world: &World, driver: Driver, run: Uuid, pods: usize, before: impl Fn(&RunControl)) {
    let control = RunControl::new();
    let running = |api: &FakeApi| api.pods().iter().filter(|pod| pod["status"]["phase"] == "Running").count() == pods;
    let abort = async {
        world.until("all run", running).await;
        before(&control);
        control.abort();
    };
    let (_, end) = tokio::join!(abort, drive(&driver, run, &control));
    assert!(matches!(end, Err(DriveError::Aborted(_))), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn abort_leaves_pods_alone_and_the_next_driver_adopts_them() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &fan(4)).await;
    abort_once_running(&world, driver, run, 4, |_| {}).await;
    assert!(world.api.calls("delete").is_empty(), "Pods run on");
    let driver = world.driver().await;
    let control = RunControl::new();
    let report = async {
        world.until("all were looked at", |api| api.calls("get").len() >= 4).await;
        for pod in world.api.pods() {
            world.report_success(&pod).await;
        }
    };
    let (_, end) = tokio::join!(report, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
    let created = world.api.calls("create");
    assert_eq!((created.len(), twice(&created).len()), (4, 0), "adopted, not created anew");
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_ended_while_no_driver_looked_are_taken_up_as_they_ended() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &fan(2)).await;
    abort_once_running(&world, driver, run, 2, |_| {}).await;
    let pods = world.api.pods();
    world.report_success(&pods[0]).await;
    // Of the other not even the Pod is left, but its manifest is whole.
    world.report_success(&pods[1]).await;
    world.api.delete_by_force(pods[1]["metadata"]["name"].as_str().unwrap_or_default());
    let driver = world.driver().await;
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(world.api.calls("create").len(), 2);
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_are_to_stop_are_stopped_by_the_next_driver() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &fan(2)).await;
    // Both at once: the cancellation is on record, and nothing was stopped yet.
    abort_once_running(&world, driver, run, 2, |control| control.cancel("by a user")).await;
    let driver = world.driver().await;
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Canceled, "{end:?}");
    assert_eq!(world.api.calls("create").len(), 2, "nothing new is started");
    world.until_no_pods().await;
}
