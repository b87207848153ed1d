//! What changed, in order.

use std::pin::pin;

use futures::future::{Either, select};
use penstock_metastore::{
    Append, Command, FeedPosition, NotificationFailure, RecurringRun, RunUpdate, SlotClaim, StorageState, TaskKind,
};
use penstock_spec::run::{RunStatus, TaskStatus};
use uuid::Uuid;

use crate::experiments::experiment;
use crate::fixture::{Fixture, at, execute, new_run, one_fact, task};
use crate::recurring::recurring;

fn ended(run: uuid::Uuid, expected: u64, path: &str) -> Append {
    let mut append = one_fact(run, 1, expected);
    let mut row = task(u32::try_from(expected).unwrap() + 1, path);
    (row.status, row.error) = (TaskStatus::Failed, Some("é".repeat(5000)));
    append.tasks.push(row);
    append
}

#[tokio::test]
async fn what_happens_to_a_run_is_told_in_order() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    store.append(one_fact(run, 1, 0)).await.unwrap();
    let mut append = ended(run, 1, "train");
    append.tasks.push(task(3, "under way"));
    let mut group = task(4, "group");
    (group.kind, group.status) = (TaskKind::Dag, TaskStatus::Failed);
    append.tasks.push(group);
    let update = RunUpdate { status: RunStatus::Failed, error: None, started_at: None, finished_at: Some(at(9)) };
    append.run_update = Some(update);
    store.append(append).await.unwrap();
    store.put_command(run, "a", &Command::Retry).await.unwrap();
    store.put_command(run, "a", &Command::Retry).await.unwrap();
    store.set_run_storage(run, StorageState::Archived).await.unwrap();
    store.delete_run(run).await.unwrap();
    let changes = store.changes_after(None, 0, 100).await.unwrap();
    let kinds: Vec<(u64, &str)> = changes.iter().map(|change| (change.id, change.kind.as_str())).collect();
    let expected = [
        (1, "run_created"),
        (2, "task_ended"),
        (3, "run_state"),
        (4, "run_command"),
        (5, "run_storage"),
        (6, "run_deleted"),
    ];
    assert_eq!(kinds, expected);
    let task = &changes[1].detail;
    assert_eq!(
        (&task["task_path"], &task["state"], &task["pipeline_name"]),
        (&"train".into(), &"FAILED".into(), &"train".into())
    );
    assert!(task["error"].as_str().unwrap().len() <= 2048);
    assert_eq!((&changes[2].detail["state"], &changes[2].detail["ended"]), (&"FAILED".into(), &true.into()));
    assert_eq!(store.changes_after(Some(""), 3, 2).await.unwrap(), changes[3..5]);
    assert_eq!(store.changes_after(Some("team"), 0, 100).await.unwrap(), []);
    assert_eq!(store.feed_position().await.unwrap(), FeedPosition { last: 6, pruned: 0 });
}

#[tokio::test]
async fn refused_appends_change_nothing() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.append(ended(run, 0, "train")).await.unwrap();
    fixture.store.append(ended(run, 0, "train")).await.unwrap_err();
    assert_eq!(fixture.store.feed_position().await.unwrap().last, 2);
}

#[tokio::test]
async fn the_oldest_changes_are_pruned() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    // Times of these tests lie in the past, so that all but the newest are old by the time there is something to prune.
    for expected in 0..300 {
        store.append(ended(run, expected, &format!("t{expected}"))).await.unwrap();
    }
    let position = store.feed_position().await.unwrap();
    assert_eq!(position, FeedPosition { last: 301, pruned: 256 });
    assert!(!position.covers(255) && position.covers(256) && position.covers(301) && !position.covers(302));
    assert_eq!(store.changes_after(None, 0, 1).await.unwrap()[0].id, 257);
}

#[tokio::test]
async fn a_rule_is_held_by_one_process_at_a_time() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    fixture.run(1).await;
    assert!(store.claim_notifications("a", "one", at(0), at(10)).await.unwrap());
    assert!(!store.claim_notifications("a", "two", at(5), at(15)).await.unwrap());
    assert!(store.claim_notifications("a", "one", at(5), at(15)).await.unwrap());
    let mut rule = store.notification_rules().await.unwrap().remove(0);
    assert_eq!((rule.name.as_str(), rule.position), ("a", 1), "it begins with what comes");
    (rule.position, rule.delivered) = (7, 3);
    assert!(!store.advance_notifications("two", rule.clone(), at(20)).await.unwrap());
    assert!(store.advance_notifications("one", rule.clone(), at(20)).await.unwrap());
    assert!(store.claim_notifications("a", "two", at(20), at(30)).await.unwrap(), "its time is over");
    assert!(!store.advance_notifications("one", rule.clone(), at(40)).await.unwrap());
    assert_eq!(store.notification_rules().await.unwrap(), [rule]);
}

#[tokio::test]
async fn the_newest_failures_are_kept() {
    let Some(fixture) = Fixture::new().await else { return };
    let failure = |change| NotificationFailure {
        rule: "a".to_owned(),
        change,
        at: at(i64::try_from(change).unwrap()),
        attempts: 3,
        error: "down".to_owned(),
        event_json: "{}".to_owned(),
    };
    let mut raw = fixture.raw().await;
    execute(
        &mut raw,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         INSERT INTO notification_failures SELECT 'a', i, 0, 1, '', '{}' FROM n",
    )
    .await;
    for _ in 0..2 {
        fixture.store.put_notification_failure(failure(1001)).await.unwrap();
    }
    let kept = fixture.store.notification_failures(2000).await.unwrap();
    assert_eq!(kept.len(), 1000);
    assert_eq!(kept[0].clone().readable(), Some(failure(1001)));
}

#[tokio::test]
async fn what_happens_to_a_recurring_run_is_told_in_order() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let id = Uuid::from_u128(1);
    store.create_recurring_run(recurring(1)).await.unwrap();
    for enabled in [true, false, false, true] {
        store.enable_recurring_run(id, enabled).await.unwrap();
    }
    let before = store.recurring_run(id).await.unwrap();
    let renamed = RecurringRun { display_name: "Hourly".to_owned(), ..before };
    assert!(store.update_recurring_run(renamed).await.unwrap());
    let revision = store.recurring_run(id).await.unwrap().revision;
    for (number, refused) in [(1, None), (2, Some("bad".to_owned()))] {
        let mut run = new_run(number);
        let fired_before = u64::try_from(number).unwrap() - 1;
        run.registration.recurring_run = Some(id);
        run.registration.slot = Some(SlotClaim::Due { fired_before, revision, slot: at(60), refused });
        store.create_run(run).await.unwrap();
    }
    let state = store.enabled_schedules().await.unwrap().remove(0).readable().unwrap();
    assert!(store.note_recurring_run_error(&state, Some("away".to_owned())).await.unwrap());
    store.delete_recurring_run(id).await.unwrap();
    let changes = store.changes_after(None, 0, 100).await.unwrap();
    let kinds: Vec<&str> = changes.iter().map(|change| change.kind.as_str()).collect();
    let expected = [
        "recurring_run_created",
        "recurring_run_disabled",
        "recurring_run_enabled",
        "recurring_run_edited",
        "run_created",
        "recurring_run_fired",
        "run_created",
        "recurring_run_refused",
        "recurring_run_refused",
        "recurring_run_deleted",
    ];
    assert_eq!(kinds, expected);
    assert!(changes.iter().all(|change| change.detail["recurring_run_id"] == id.to_string()), "{changes:#?}");
    let of_it = changes.iter().filter(|change| change.kind.starts_with("recurring_run"));
    assert!(of_it.clone().all(|change| change.namespace == "team" && !change.detail.contains_key("pipeline_name")));
    let runs: Vec<Uuid> = of_it.map(|change| change.run).filter(|run| !run.is_nil()).collect();
    assert_eq!(runs, [new_run(1).info.id, new_run(2).info.id]);
    let (fired, refused) = (&changes[5].detail, &changes[7].detail);
    assert_eq!((&fired["slot"], &fired["display_name"]), (&at(60).to_string().into(), &"Hourly".into()));
    assert_eq!((&refused["error"], &refused["tried_again"]), (&"bad".into(), &false.into()));
    assert_eq!((&changes[8].detail["error"], &changes[8].detail["tried_again"]), (&"away".into(), &true.into()));
}

#[tokio::test]
async fn each_run_of_an_archived_experiment_is_told_of() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let folder = Uuid::from_u128(7);
    store.create_experiment(experiment(7, "a")).await.unwrap();
    store.create_recurring_run(recurring(1)).await.unwrap();
    let count = 1203;
    let create = |number: u128| {
        let mut run = new_run(number);
        run.registration.experiment = Some(folder);
        store.create_run(run)
    };
    futures::future::try_join_all((1..=count).map(create)).await.unwrap();
    let elsewhere = fixture.run(count + 1).await;
    store.delete_run(new_run(5).info.id).await.unwrap();
    store.set_run_storage(new_run(6).info.id, StorageState::Archived).await.unwrap();
    let before = store.feed_position().await.unwrap().last;
    // Others do not wait for all of them.
    let archive = pin!(store.set_experiment_storage(folder, StorageState::Archived));
    let other = pin!(store.create_experiment(experiment(8, "b")));
    let Either::Right((created, archive)) = select(archive, other).await else {
        panic!("what was asked for later is stored later, after {count} runs")
    };
    created.unwrap();
    archive.await.unwrap();
    let mut told = store.changes_after(None, before, 1000).await.unwrap();
    told.extend(store.changes_after(None, before + 1000, 1000).await.unwrap());
    let last = told.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.run), ("recurring_run_disabled", Uuid::nil()));
    assert_eq!(told.len() as u128, count - 2, "all but those that were deleted or archived before");
    assert!(told.iter().all(|change| change.kind == "run_storage" && change.detail["storage_state"] == "ARCHIVED"));
    assert!(told.iter().all(|change| change.run != elsewhere));
    store.set_experiment_storage(folder, StorageState::Archived).await.unwrap();
    assert_eq!(store.feed_position().await.unwrap().last, before + 1 + told.len() as u64);
}
