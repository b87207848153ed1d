//! Runs without faults, and tasks that fail for reasons of their own.

use std::time::Duration;

use penstock_driver::service::PodSweeper;
use penstock_driver::{BackendKind, CreateRunError, Driver, LogNews, LogSoFar, RunControl};
use penstock_spec::keys;
use penstock_spec::report::{AttemptRef, FailureCause};
use penstock_spec::run::RunStatus;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::FakeApi;
use crate::kubelet::{Act, ended, waiting};
use crate::world::{World, chain, drive, fan, finalizers, pipeline, retried, twice};

#[tokio::test(flavor = "multi_thread")]
async fn chain_goes_on_at_each_report_and_leaves_nothing() {
    let world = World::new(|_, _| Act::Succeed).await;
    let end = world.run(&chain(5)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(world.api.calls("create").len(), 5);
    assert_eq!(world.api.calls("patch").len(), 5, "the finalizer of each");
    assert_eq!(world.api.calls("delete").len(), 5);
    assert_eq!(world.api.calls("get").len(), 0, "the watch says it all");
    world.until_no_pods().await;
    assert_eq!(world.metric("penstock_driver_attempts_ended_total{result=\"succeeded\"}"), 5.0);
    assert_eq!(world.metric("penstock_driver_reports_total{result=\"succeeded\"}"), 5.0);
    assert_eq!(world.metric("penstock_driver_hop_seconds_count"), 4.0);
    eprintln!("mean hop: {:.1} ms", world.metric("penstock_driver_hop_seconds_sum") * 1000.0 / 4.0);
    assert_eq!(world.metric("penstock_driver_api_requests_total{outcome=\"ok\",verb=\"create\"}"), 5.0);
}

/// The times in the facts of a run's attempts, as they are stored.
async fn times_of(driver: &Driver, run: Uuid) -> Vec<Value> {
    let facts = driver.metastore().facts(run, 0, 1000).await.expect("the facts can be read");
    let facts = facts.iter().map(|stored| serde_json::to_value(&stored.fact).expect("JSON"));
    facts
        .filter(|fact| fact["attempt"].is_number() && fact["fact"] != "attemptStarted")
        .map(|mut fact| fact["timings"].take())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_say_when_an_attempt_came_to_each_step() {
    let world = World::new(|_, attempt| match attempt {
        0 => Act::Vanish,
        1 => Act::Fail(FailureCause::User, "the process exited with 1"),
        _ => Act::Succeed,
    })
    .await;
    let driver = world.driver().await;
    let run = world.create(&driver, &retried(1)).await;
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    let seen = json!({
        "createdAt": "2026-01-01T00:00:00Z", "scheduledAt": "2026-01-01T00:00:01Z", "launcherAt": "2026-01-01T00:00:02Z",
        "containerAt": "2026-01-01T00:00:03Z",
    });
    let told = json!({
        "createdAt": "2026-01-01T00:00:00Z", "scheduledAt": "2026-01-01T00:00:01Z",
        "launcherAt": "2026-01-01T00:00:02.5Z", "inputsAt": "2026-01-01T00:00:02.6Z",
        "containerAt": "2026-01-01T00:00:03Z", "startedAt": "2026-01-01T00:00:04.25Z",
        "endedAt": "2026-01-01T00:00:05.5Z", "storedAt": "2026-01-01T00:00:06Z",
    });
    assert_eq!(times_of(&driver, run).await, [seen, told.clone(), told], "of a lost one, what its Pod showed");
}

#[tokio::test(flavor = "multi_thread")]
async fn hop_of_a_task_that_joins_others_begins_with_the_last_report() {
    let world = World::new(|key, _| if key == "t2" { Act::Hang } else { Act::Succeed }).await;
    let tasks = "      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}
      t2: {componentRef: {name: comp}, taskInfo: {name: t2}}
      t3: {componentRef: {name: comp}, taskInfo: {name: t3}, dependentTasks: [t1, t2]}
";
    let driver = world.driver().await;
    let run = world.create(&driver, &pipeline(tasks, "")).await;
    let control = RunControl::new();
    let last = async {
        let running = |api: &FakeApi| {
            let pods = api.pods();
            let (running, over): (Vec<Value>, Vec<Value>) =
                pods.into_iter().partition(|pod| pod["status"]["phase"] == "Running");
            (over.len() == 1).then(|| running.into_iter().next()).flatten()
        };
        world.until("only t2 is left", |api| running(api).is_some()).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.report_success(&running(&world.api).expect("the Pod of t2")).await;
    };
    let (_, end) = tokio::join!(last, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
    assert_eq!(world.metric("penstock_driver_hop_seconds_count"), 1.0);
    let hop = world.metric("penstock_driver_hop_seconds_sum");
    assert!(hop < 2.0, "{hop} s: the report of t1 is not what it waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundred_tasks_at_once_are_hundred_pods() {
    let world = World::new(|_, _| Act::Succeed).await;
    let end = world.run(&fan(100)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    let created = world.api.calls("create");
    assert_eq!((created.len(), twice(&created).len()), (100, 0));
    world.until_no_pods().await;
    assert_eq!(world.metric("penstock_driver_queue_depth{queue=\"create\"}"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_task_keeps_its_pod_for_a_look_until_a_sweep() {
    let mut world = World::new(|_, _| Act::Fail(FailureCause::User, "the process exited with 1")).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(2)).await;
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Failed);
    assert!(end.failure.expect("a failure").message.contains("the process exited with 1"));
    let pods = world.api.pods();
    assert_eq!(pods.len(), 1, "the second task never started");
    assert_eq!(pods[0]["status"]["phase"], "Running", "the run has ended on the report, before the phase followed");
    assert_eq!(finalizers(&pods[0]), 0, "nothing holds it");
    assert!(world.api.calls("delete").is_empty());
    world.until("its phase", |api| api.pods().iter().any(|pod| pod["status"]["phase"] == "Failed")).await;
    let swept = driver.sweep_pods("team").await.expect("a sweep");
    assert_eq!((swept.released, swept.deleted), (0, 0), "its time has not come");
    drop(driver);

    world.tune = |settings| settings.keep_failed = Duration::ZERO;
    let driver = world.driver().await;
    let swept = driver.sweep_pods("team").await.expect("a sweep");
    assert_eq!((swept.released, swept.deleted), (0, 1));
    let run = world.create(&driver, &chain(1)).await;
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Failed);
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_were_kept_long_enough_go_although_no_run_ends_any_more() {
    let mut world = World::new(|_, _| Act::Fail(FailureCause::User, "the process exited with 1")).await;
    world.run(&chain(1)).await;
    world.until("its phase", |api| api.pods().iter().any(|pod| pod["status"]["phase"] == "Failed")).await;
    world.tune = |settings| settings.keep_failed = Duration::ZERO;
    let sweeper = PodSweeper::new(world.driver().await, Duration::from_millis(50));
    tokio::select! {
        () = sweeper.run(std::future::pending()) => panic!("it ends when it is told to"),
        () = world.until_no_pods() => {}
    }
    let lists = world.api.calls("list").len();
    let wait = world.until("it looks again", |api| api.calls("list").len() > lists + 1);
    tokio::join!(wait, sweeper.run(tokio::time::sleep(Duration::from_secs(1))));
}

/// The store knows nothing any more of a namespace whose runs were deleted.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_were_kept_go_although_no_run_of_their_namespace_is_known() {
    let world = World::new(|_, _| Act::Fail(FailureCause::User, "the process exited with 1")).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    world.until("its phase", |api| api.pods().iter().any(|pod| pod["status"]["phase"] == "Failed")).await;
    driver.metastore().delete_run(run).await.expect("it is deleted");
    assert!(driver.metastore().namespaces().await.expect("a look").is_empty());
    // As old as the Pod itself.
    let pods = world.api.pods();
    let name = pods[0]["metadata"]["name"].as_str().expect("a name");
    world.api.change(name, |pod| pod["status"] = json!({"phase": "Failed"}));

    let sweeper = PodSweeper::new(driver, Duration::from_millis(50));
    let a_while = || tokio::time::sleep(Duration::from_millis(400));
    let lists = world.api.calls("list").len();
    world.api.confine(true);
    sweeper.run(a_while()).await;
    world.api.confine(false);
    world.api.take_label(true);
    sweeper.run(a_while()).await;
    assert_eq!((world.api.pods().len(), world.api.calls("list").len()), (1, lists), "nobody may touch it");
    world.api.take_label(false);
    tokio::select! {
        () = sweeper.run(std::future::pending()) => panic!("it ends when it is told to"),
        () = world.until_no_pods() => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_retries_are_new_pods() {
    let world = World::new(|_, attempt| match attempt {
        0 | 1 => Act::Fail(FailureCause::User, "not yet"),
        _ => Act::Succeed,
    })
    .await;
    let end = world.run(&retried(2)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(world.api.calls("create").len(), 3);
    assert_eq!(world.metric("penstock_driver_retries_total{cause=\"user\"}"), 2.0);
    let names: Vec<String> =
        world.api.calls("create").into_iter().map(|name| name[name.len() - 2..].to_owned()).collect();
    assert_eq!(names, ["-0", "-1", "-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_image_that_cannot_be_pulled_fails_with_the_pullers_message() {
    let status = waiting("Pending", &json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}));
    let world = World::new(move |_, _| Act::Show(status.clone())).await;
    let end = world.run(&chain(1)).await;
    let failure = end.failure.expect("a failure");
    assert!(failure.message.contains("ImagePullBackOff: no such image"), "{failure:?}");
    assert_eq!(world.api.calls("create").len(), 1, "another attempt would meet the same");
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_reason_of_waiting_is_shown_meanwhile() {
    let world = World::without_a_node().await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let (_, end) = tokio::join!(
        async {
            // With the flag that says how long this is waited for.
            let is_it = |reason: &str| {
                reason.starts_with("Unschedulable (gives up after ")
                    && reason.ends_with(": --pending-timeout): no node")
            };
            let shown = || driver.waiting_reasons(run).iter().any(|(_, reason)| is_it(reason));
            world.until("the scheduler's message", |_| shown()).await;
            control.cancel("enough");
        },
        drive(&driver, run, &control)
    );
    assert_eq!(end.expect("the run is driven").status, RunStatus::Canceled);
    assert!(driver.waiting_reasons(run).is_empty());
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_out_of_memory_without_a_report_is_the_users_failure() {
    let world = World::new(|_, _| Act::Show(ended(137, "OOMKilled"))).await;
    let end = world.run(&chain(1)).await;
    assert!(end.failure.expect("a failure").message.contains("OOMKilled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_terminate_stops_pods_and_the_run_ends_canceled() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &fan(3)).await;
    let control = RunControl::new();
    let (_, end) = tokio::join!(
        async {
            world
                .until("all run", |api| {
                    api.pods().iter().filter(|pod| pod["status"]["phase"] == "Running").count() == 3
                })
                .await;
            control.cancel("by a user");
        },
        drive(&driver, run, &control)
    );
    assert_eq!(end.expect("the run is driven").status, RunStatus::Canceled);
    assert_eq!(world.api.calls("delete").len(), 3, "each is asked for once");
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_large_plans_travel_by_the_store() {
    let world = World::new(|_, _| Act::Succeed).await;
    let task = "      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}\n";
    let large = pipeline(task, "").replace("'{{$}}'", &format!("'{}'", "x".repeat(30_000)));
    assert_eq!(world.run(&large).await.status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_not_honoured_are_refused_by_name() {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.driver().await;
    let task = "      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}\n";
    let platform = "---\nplatforms: {kubernetes: {deploymentSpec: {executors: {exec: {gpuMagic: 1}}}}}\n";
    let error = world.try_create(&driver, &pipeline(task, platform)).await.expect_err("it is refused");
    assert!(matches!(error, CreateRunError::Unsupported(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the pipeline uses what is not supported yet on Kubernetes: the unknown field \
         deploymentSpec.executors.exec.gpuMagic of the platform specification"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn run_knows_its_namespace_and_backend() {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let row = driver.metastore().run(run).await.expect("the run");
    assert_eq!(row.info.namespace, "team");
    assert_eq!(row.options["backend"], json!(BackendKind::Kubernetes));
    drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    let created = world.api.calls("create");
    assert!(created[0].starts_with(&format!("{}-t1-", row.info.name)), "{created:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_running_attempt_is_followed_from_its_start_over_whatever_interrupts_it() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let read = async {
        world.until("a Pod", |api| !api.pods().is_empty()).await;
        let row = driver.metastore().run(run).await.expect("the run");
        let labels = world.api.pods()[0]["metadata"]["labels"].clone();
        let task_id = labels[keys::LABEL_TASK_ID].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let attempt = AttemptRef { run_id: run, task_id, attempt: 0 };
        world.api.break_logs(2);
        let mut log = driver.follow_log(&row.info, "t1", &attempt, false).expect("a log");
        let (mut text, mut opened) = (Vec::new(), 0);
        while let Some(news) = log.next().await {
            match news {
                LogNews::Piece(piece) => text.extend(piece.bytes),
                LogNews::Reads => opened += 1,
                LogNews::Waits(_) => {}
                LogNews::Gap => panic!("it is the same log"),
            }
        }
        assert_eq!((opened, text.as_slice()), (3, &b"hello\nworld\n"[..]), "it broke off twice");
        let LogSoFar::Log(mut log) = driver.log_so_far(&row.info, "t1", &attempt, false).await.expect("it is read")
        else {
            panic!("the Pod has a log")
        };
        assert_eq!(log.next().await.expect("it can be read").map(|piece| piece.bytes).as_ref(), Some(&text));
        control.cancel("read");
        let gone = AttemptRef { attempt: 7, ..attempt };
        let absent = driver.log_so_far(&row.info, "t1", &gone, false).await.expect("there is no such Pod");
        assert!(matches!(absent, LogSoFar::Absent));
        let mut log = driver.follow_log(&row.info, "t1", &gone, false).expect("one that is to come");
        let Some(LogNews::Waits(reason)) = log.next().await else { panic!("it can only be waited for") };
        (String::from_utf8(text).expect("a text"), reason)
    };
    let ((text, reason), _) = tokio::join!(read, drive(&driver, run, &control));
    assert_eq!(text, "hello\nworld\n");
    assert_eq!(reason, "its Pod is not there yet");
}
