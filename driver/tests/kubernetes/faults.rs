//! Faults of the API server, the cluster and those who use it.

use std::time::Duration;

use penstock_driver::RunControl;
use penstock_engine::Fact;
use penstock_metastore::{Listed, RemarkKind};
use penstock_spec::keys;
use penstock_spec::run::RunStatus;
use serde_json::json;

use crate::api::Fault;
use crate::kubelet::{Act, ended};
use crate::world::{World, chain, drive, twice};

#[tokio::test(flavor = "multi_thread")]
async fn f08_answers_that_are_lost_make_no_second_pod() {
    let world = World::new(|_, _| Act::Succeed).await;
    for verb in ["create", "create", "patch", "delete", "list"] {
        world.api.fault(verb, Fault::LoseAnswer);
    }
    let end = world.run(&chain(3)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(world.api.pending_faults(), 0, "every fault happened");
    let created: std::collections::BTreeSet<_> = world.api.calls("create").into_iter().collect();
    assert_eq!(created.len(), 3, "the Pod whose answer was lost was found again");
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_f44_pods_that_are_refused_for_a_time_go_on_without_the_loss_of_an_attempt() {
    let world = World::new(|_, _| Act::Succeed).await;
    let webhook = "Internal error occurred: failed calling webhook \"penstock\": connection refused";
    let quota = "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1";
    world.api.fault("create", Fault::Refuse(500, "InternalError", webhook.to_owned()));
    world.api.fault("create", Fault::Refuse(503, "ServiceUnavailable", "etcd has no leader".to_owned()));
    world.api.fault("create", Fault::Refuse(429, "TooManyRequests", "slow down".to_owned()));
    world.api.fault("create", Fault::Refuse(403, "Forbidden", quota.to_owned()));
    let end = world.run(&chain(1)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    let created = world.api.calls("create");
    assert_eq!(created.len(), 5);
    assert!(created.iter().all(|name| name.ends_with("-0")), "one attempt: {created:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_pods_that_are_refused_for_good_end_the_task_with_the_message() {
    let world = World::new(|_, _| Act::Succeed).await;
    let message = "Pod \"p\" is invalid: spec.containers[0].image: Required value";
    world.api.fault("create", Fault::Refuse(422, "Invalid", message.to_owned()));
    let end = world.run(&chain(1)).await;
    let failure = end.failure.expect("a failure");
    assert!(failure.message.contains("Required value"), "{failure:?}");
    assert_eq!(world.api.calls("create").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_pod_that_was_admitted_without_the_launcher_is_deleted() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.remove_webhook();
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let (error, end) = tokio::join!(
        async {
            world.until("two attempts", |api| api.calls("create").len() >= 2).await;
            let task = driver.metastore().task(run, "t1").await.expect("the tasks can be read");
            control.cancel("seen enough");
            task.and_then(|task| task.error).unwrap_or_default()
        },
        drive(&driver, run, &control)
    );
    assert_eq!(end.expect("the run is driven").status, RunStatus::Canceled);
    assert!(
        error.contains("admitted without Penstock's launcher") && error.contains("kubectl label namespace team"),
        "{error}"
    );
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_pod_of_somebody_else_is_not_taken_for_ours() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.fault("create", Fault::Occupy);
    let end = world.run(&chain(1)).await;
    let failure = end.failure.expect("a failure");
    assert!(failure.message.contains("not the attempt's"), "{failure:?}");
    assert_eq!(world.api.pods().len(), 1, "it is not touched");
    assert!(world.api.calls("delete").is_empty() && world.api.calls("patch").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_watch_that_expires_lists_anew() {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(6)).await;
    let control = RunControl::new();
    let (_, end) = tokio::join!(
        async {
            for pods in [1, 3, 5] {
                world.until("some Pods", |api| api.calls("create").len() >= pods).await;
                world.api.expire();
            }
        },
        drive(&driver, run, &control)
    );
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
    let created = world.api.calls("create");
    assert_eq!((created.len(), twice(&created).len()), (6, 0));
    assert!(world.api.calls("list").len() > 1, "it listed anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_watch_that_falls_silent_is_opened_anew() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.tune = |settings| settings.watch_seconds = 1;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(3)).await;
    let control = RunControl::new();
    let silence = async {
        world.until("the second Pod", |api| api.calls("create").len() >= 2).await;
        world.api.silence();
    };
    let (_, end) = tokio::join!(silence, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_event_that_is_never_delivered_is_found_by_the_next_list() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.tune = |settings| settings.relist = Duration::from_millis(300);
    world.api.mute(Some(|_, pod| !pod["metadata"]["annotations"][keys::ANNOTATION_REPORT].is_null()));
    let end = world.run(&chain(2)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_f11_deletion_that_no_event_told_is_derived_from_the_next_list() {
    let mut world = World::new(|_, attempt| if attempt == 0 { Act::Vanish } else { Act::Succeed }).await;
    world.tune = |settings| settings.relist = Duration::from_millis(300);
    world.api.mute(Some(|kind, _| kind == "DELETED"));
    assert_eq!(world.run(&chain(1)).await.status, RunStatus::Succeeded);
    assert_eq!(world.metric("penstock_driver_retries_total{cause=\"infrastructure\"}"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_pod_that_vanishes_costs_an_attempt_of_the_infrastructures() {
    let world = World::new(|_, attempt| if attempt == 0 { Act::Vanish } else { Act::Succeed }).await;
    let end = world.run(&chain(1)).await;
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(world.metric("penstock_driver_retries_total{cause=\"infrastructure\"}"), 1.0);
    assert_eq!(world.api.calls("get").len(), 1, "that it is gone was read before it was believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn f46_log_that_was_stored_of_a_lost_attempt_is_known() {
    let world = World::new(|_, attempt| match attempt {
        0 => Act::VanishWithLog,
        1 => Act::Vanish,
        _ => Act::Succeed,
    })
    .await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    let facts = driver.metastore().facts(run, 0, 1000).await.expect("the facts can be read");
    let logs = facts.iter().filter_map(|stored| match &stored.fact {
        Fact::AttemptFailed { log_uri, .. } => Some(log_uri.is_some()),
        _ => None,
    });
    assert_eq!(logs.collect::<Vec<_>>(), [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_evicted_pod_is_tried_again_and_not_at_the_authors_cost() {
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    let world = World::new(move |_, attempt| match attempt {
        0 => Act::Show(status.clone()),
        _ => Act::Succeed,
    })
    .await;
    assert_eq!(world.run(&chain(1)).await.status, RunStatus::Succeeded);
    assert_eq!(world.metric("penstock_driver_retries_total{cause=\"infrastructure\"}"), 1.0);
    assert_eq!(world.api.calls("get").len(), 1, "the Pod itself was read before the attempt was given up (R7)");
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_success_without_the_manifest_is_none() {
    let world = World::new(|_, attempt| if attempt == 0 { Act::Lie } else { Act::Succeed }).await;
    assert_eq!(world.run(&chain(1)).await.status, RunStatus::Succeeded);
    assert_eq!(world.api.calls("create").len(), 2, "the first attempt did not count");
}

/// R5: the status that arrives later is compared, also of the last attempt, whose container outlives the run.
#[tokio::test(flavor = "multi_thread")]
async fn r5_status_that_contradicts_a_report_is_recorded_and_changes_nothing() {
    let world = World::new(|key, _| if key == "t2" { Act::Succeed } else { Act::Contradict }).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(3)).await;
    let end = drive(&driver, run, &RunControl::new()).await.expect("the run is driven");
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(world.api.calls("create").len(), 3);
    let counted = || world.metric("penstock_driver_contradictions_total{reported=\"succeeded\"}");
    world.until("both are counted", |_| counted() == 2.0).await;
    assert_eq!(world.metric("penstock_driver_contradictions_total{reported=\"failed\"}"), 0.0);
    let mut subjects = Vec::new();
    while subjects.len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        subjects.clear();
        for remark in driver.metastore().remarks(run).await.expect("the remarks can be read") {
            let Listed::Readable(remark) = remark else { panic!("it can be read") };
            assert_eq!(remark.kind, RemarkKind::Contradiction);
            assert!(remark.text.contains("reported success") && remark.text.contains("exit code 1"), "{remark:?}");
            subjects.push(remark.subject);
        }
    }
    assert_eq!(subjects, ["t1, attempt 1", "t3, attempt 1"]);
    world.until_no_pods().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempt_that_could_not_report_is_taken_up_by_its_manifest() {
    let world = World::new(|_, _| Act::StoreAndDie).await;
    assert_eq!(world.run(&chain(2)).await.status, RunStatus::Succeeded);
    assert_eq!(world.api.calls("create").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn i20_broken_report_harms_only_its_own_attempt() {
    let world = World::new(|key, attempt| match (key, attempt) {
        ("t1", 0) => Act::Show(ended(0, "Completed")),
        _ => Act::Succeed,
    })
    .await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(2)).await;
    let spoil = async {
        world.until("a Pod", |api| !api.pods().is_empty()).await;
        let name = world.api.calls("create")[0].clone();
        world.api.change(&name, |pod| pod["metadata"]["annotations"][keys::ANNOTATION_REPORT] = json!("{]"));
    };
    let control = RunControl::new();
    let (_, end) = tokio::join!(spoil, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_older_states_after_newer_change_nothing() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let replay = async {
        world.until("it runs", |api| api.pods().iter().any(|pod| pod["status"]["phase"] == "Running")).await;
        let old = world.api.pods()[0].clone();
        world.report_success(&old).await;
        // The state from before the report comes again, as from a server that lags.
        world.api.replay(&old);
    };
    let (_, end) = tokio::join!(replay, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_quiet_watch_gives_signs_of_life_and_its_age_goes_with_it() {
    let mut world = World::new(|_, _| Act::Hang).await;
    world.tune = |settings| settings.watch_seconds = 1;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let age = || world.metric("penstock_driver_watch_age_seconds");
    let quiet = async {
        world.until("it runs", |api| api.pods().iter().any(|pod| pod["status"]["phase"] == "Running")).await;
        tokio::time::sleep(Duration::from_secs(9)).await;
        let oldest = age();
        control.cancel("seen enough");
        oldest
    };
    let (oldest, _) = tokio::join!(quiet, drive(&driver, run, &control));
    assert!(oldest < 6.0, "nothing happened for 9 s, and the watch was renewed each second: {oldest} s");
    assert_eq!(driver.silence_of_watches(), None);
    world.until("no watch is left", |_| age() == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_attempts_wait_for_nothing_any_more() {
    let world = World::without_a_node().await;
    let driver = world.driver().await;
    let run = world.create(&driver, &chain(1)).await;
    let control = RunControl::new();
    let abort = async {
        world.until("a reason", |_| !driver.waiting_reasons(run).is_empty()).await;
        control.abort();
    };
    let (_, end) = tokio::join!(abort, drive(&driver, run, &control));
    assert!(end.is_err(), "{end:?}");
    assert_eq!(driver.waiting_reasons(run), []);
}
