//! Runs that are kept long enough: what is archived and deleted by itself, and what is not.

use std::time::Duration;

use penstock_metastore::{
    Change, Command, ExpiredRuns, Listed, Metastore, MetastoreError, RunRegistration, StorageState,
};
use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;
use uuid::Uuid;

use crate::experiments::experiment;
use crate::fixture::{Fixture, execute, new_run};
use crate::place::{DAMAGED_ROW, DAMAGED_TEXT};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NONE: [Uuid; 0] = [];

fn days_ago(days: u32) -> Timestamp {
    Timestamp::now() - DAY * days
}

/// A run that ended some days ago.
async fn ended(fixture: &Fixture, number: u128, days: u32) -> Uuid {
    let run = fixture.run(number).await;
    fixture.set_status(run, RunStatus::Succeeded, Some(days_ago(days))).await;
    run
}

fn ids(page: &ExpiredRuns) -> Vec<Uuid> {
    page.runs.iter().filter_map(|run| run.clone().readable().map(|run| run.info.id)).collect()
}

async fn expired(store: &Metastore, archived_before: Timestamp) -> Vec<Uuid> {
    ids(&store.expired_runs(archived_before, None, 100).await.unwrap())
}

async fn state(store: &Metastore, run: Uuid) -> StorageState {
    store.run_record(run).await.unwrap().storage_state
}

/// What the feed says of storage and deletion, in order.
async fn told(store: &Metastore) -> Vec<(String, Uuid)> {
    let changes = store.changes_after(None, 0, 1000).await.unwrap();
    let of_storage =
        changes.into_iter().filter(|change| ["run_storage", "run_deleted"].contains(&change.kind.as_str()));
    of_storage.map(|change| (change.kind, change.run)).collect()
}

#[tokio::test]
async fn runs_that_ended_before_a_time_are_archived_the_oldest_first() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (late, young, early) = (ended(&fixture, 1, 3).await, ended(&fixture, 2, 1).await, ended(&fixture, 3, 5).await);
    let under_way = fixture.run(4).await;
    let asked = ended(&fixture, 5, 9).await;
    store.put_command(asked, "again", &Command::Retry).await.unwrap();
    let hidden = ended(&fixture, 6, 9).await;
    store.leave_to_driver_to_delete(hidden).await.unwrap();
    let before = told(store).await.len();

    assert_eq!(store.archive_ended_runs(days_ago(2), 1).await.unwrap(), 1);
    assert_eq!(
        [state(store, early).await, state(store, late).await],
        [StorageState::Archived, StorageState::Available]
    );
    assert_eq!(store.archive_ended_runs(days_ago(2), 100).await.unwrap(), 1);
    assert_eq!(store.archive_ended_runs(days_ago(2), 100).await.unwrap(), 0);
    assert_eq!(state(store, late).await, StorageState::Archived);
    for run in [young, under_way, asked] {
        assert_eq!(state(store, run).await, StorageState::Available);
    }
    let archived = |run| ("run_storage".to_owned(), run);
    assert_eq!(told(store).await[before..], [archived(early), archived(late)]);
    let changes = store.changes_after(None, 0, 1000).await.unwrap();
    assert_eq!(changes.last().unwrap().detail["storage_state"], "ARCHIVED");
}

#[tokio::test]
async fn archived_runs_count_from_when_they_were_archived() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = ended(&fixture, 1, 9).await;
    let before = Timestamp::now();
    store.set_run_storage(run, StorageState::Archived).await.unwrap();
    let after = Timestamp::now();
    assert_eq!(expired(store, before).await, NONE);
    assert_eq!(expired(store, after).await, [run]);
    // Archiving it again puts nothing off; taking it out does.
    store.set_run_storage(run, StorageState::Archived).await.unwrap();
    assert_eq!(expired(store, after).await, [run]);
    store.set_run_storage(run, StorageState::Available).await.unwrap();
    assert_eq!(expired(store, Timestamp::now()).await, NONE);
    store.set_run_storage(run, StorageState::Archived).await.unwrap();
    assert_eq!(expired(store, after).await, NONE);
    assert_eq!(expired(store, Timestamp::now()).await, [run]);
}

/// By themselves, too, and with their experiment.
#[tokio::test]
async fn runs_that_others_archive_count_from_then() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let alone = ended(&fixture, 1, 9).await;
    store.create_experiment(experiment(7, "seven")).await.unwrap();
    let mut run = new_run(2);
    run.registration = RunRegistration { experiment: Some(Uuid::from_u128(7)), ..RunRegistration::default() };
    let of_experiment = run.info.id;
    store.create_run(run).await.unwrap();
    store.take_epoch(of_experiment).await.unwrap();
    fixture.set_status(of_experiment, RunStatus::Failed, Some(days_ago(8))).await;
    let before = Timestamp::now();
    store.set_experiment_storage(Uuid::from_u128(7), StorageState::Archived).await.unwrap();
    store.archive_ended_runs(days_ago(1), 100).await.unwrap();
    assert_eq!(expired(store, before).await, NONE);
    assert_eq!(expired(store, Timestamp::now()).await, [of_experiment, alone]);
}

#[tokio::test]
async fn run_that_was_archived_before_it_ended_counts_from_its_end() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    store.set_run_storage(run, StorageState::Archived).await.unwrap();
    assert_eq!(expired(store, Timestamp::now()).await, NONE, "it is under way");
    let archived = Timestamp::now();
    fixture.set_status(run, RunStatus::Succeeded, Some(Timestamp::now())).await;
    assert_eq!(expired(store, archived).await, NONE);
    assert_eq!(expired(store, Timestamp::now()).await, [run]);
}

#[tokio::test]
async fn expired_runs_are_deleted_and_told_of() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (gone, left) = (ended(&fixture, 1, 9).await, ended(&fixture, 2, 9).await);
    store.archive_ended_runs(days_ago(1), 100).await.unwrap();
    let now = Timestamp::now();
    let mut changes = store.subscribe();
    assert!(store.delete_expired_run(gone, now).await.unwrap());
    assert!(matches!(store.run(gone).await, Err(MetastoreError::NoSuchRun { .. })));
    assert_eq!(changes.try_recv().unwrap(), Change::RunChanged { run: gone });
    assert!(store.leave_expired_run_to_driver(left, now).await.unwrap());
    assert!(matches!(store.run_record(left).await, Err(MetastoreError::NoSuchRun { .. })));
    assert_eq!(changes.try_recv().unwrap(), Change::CommandStored { run: left }, "its driver is woken up");
    let commands = store.pending_commands(left).await.unwrap();
    assert_eq!(commands.last().unwrap().command, Listed::Readable(Command::Remove));
    // Another process may have been faster.
    for run in [gone, left] {
        assert!(!store.delete_expired_run(run, now).await.unwrap());
        assert!(!store.leave_expired_run_to_driver(run, now).await.unwrap());
    }
    assert!(changes.try_recv().is_err());
    let deleted: Vec<_> = told(store).await.into_iter().filter(|(kind, _)| kind == "run_deleted").collect();
    assert_eq!(deleted, [("run_deleted".to_owned(), gone), ("run_deleted".to_owned(), left)]);
}

/// Something may have happened since it was looked for.
#[tokio::test]
async fn run_that_is_needed_again_is_not_deleted() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut runs = Vec::new();
    for number in 1..=3 {
        runs.push(ended(&fixture, number, 9).await);
    }
    store.archive_ended_runs(days_ago(1), 100).await.unwrap();
    let now = Timestamp::now();
    assert_eq!(expired(store, now).await.len(), 3);
    store.set_run_storage(runs[0], StorageState::Available).await.unwrap();
    store.put_command(runs[1], "again", &Command::Retry).await.unwrap();
    fixture.set_status(runs[2], RunStatus::Running, None).await;
    for run in &runs {
        assert!(!store.delete_expired_run(*run, now).await.unwrap());
        assert!(!store.leave_expired_run_to_driver(*run, now).await.unwrap());
        assert!(store.run_record(*run).await.is_ok());
    }
    assert_eq!(expired(store, now).await, NONE);
    let commands = store.pending_commands(runs[2]).await.unwrap();
    assert!(commands.is_empty(), "nobody has ended it: {commands:?}");
}

#[tokio::test]
async fn expired_runs_are_paged_along_whatever_becomes_of_them() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut runs = Vec::new();
    for number in 1..=5 {
        runs.push(ended(&fixture, number, 9).await);
        store.set_run_storage(runs[runs.len() - 1], StorageState::Archived).await.unwrap();
    }
    let now = Timestamp::now();
    let first = store.expired_runs(now, None, 2).await.unwrap();
    assert_eq!(ids(&first), runs[..2]);
    store.delete_expired_run(runs[0], now).await.unwrap();
    let second = store.expired_runs(now, first.next, 2).await.unwrap();
    assert_eq!(ids(&second), runs[2..4]);
    let last = store.expired_runs(now, second.next, 2).await.unwrap();
    assert_eq!((ids(&last), last.next), (runs[4..].to_vec(), None));
}

/// I-30: rows that cannot be read are named, and keep no others.
#[tokio::test]
async fn i30_damaged_runs_are_archived_and_stay() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    for number in 1..=5 {
        ended(&fixture, number, 9).await;
    }
    let mut raw = fixture.raw().await;
    for sql in [DAMAGED_TEXT, DAMAGED_ROW, "UPDATE runs SET info_json = '{' WHERE name = 'train-00004'"] {
        assert_eq!(execute(&mut raw, sql).await, 1);
    }
    assert_eq!(store.archive_ended_runs(days_ago(1), 100).await.unwrap(), 5);
    let page = store.expired_runs(Timestamp::now(), None, 100).await.unwrap();
    let damaged: Vec<_> = page.runs.iter().filter(|run| matches!(run, Listed::Unreadable(_))).collect();
    assert_eq!((damaged.len(), page.runs.len()), (2, 5));
    assert_eq!(ids(&page), [1, 2, 5].map(|number| new_run(number).info.id));
}

/// However many processes look, each run is archived and deleted once, and told of once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_run_is_archived_and_deleted_by_one_of_two() {
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    let mut runs = Vec::new();
    for number in 1..=40 {
        runs.push(ended(&fixture, number, 9).await);
    }
    let archive = async |store: &Metastore| {
        let mut archived = 0;
        loop {
            match store.archive_ended_runs(days_ago(1), 7).await.unwrap() {
                0 => return archived,
                some => archived += some,
            }
        }
    };
    let (first, second) = tokio::join!(archive(&fixture.store), archive(&other));
    assert_eq!(first + second, 40);
    let now = Timestamp::now();
    let delete = async |store: &Metastore| {
        let mut deleted = Vec::new();
        for run in expired(store, now).await {
            if store.delete_expired_run(run, now).await.unwrap() {
                deleted.push(run);
            }
        }
        deleted
    };
    let (first, second) = tokio::join!(delete(&fixture.store), delete(&other));
    let mut deleted = [first, second].concat();
    deleted.sort_unstable();
    assert_eq!(deleted, runs);
    assert_eq!(told(&fixture.store).await.len(), 80);
}
