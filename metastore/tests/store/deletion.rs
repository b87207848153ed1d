//! Deleting runs that have ended, and runs that are under way.

use penstock_engine::NodeId;
use penstock_metastore::{
    Append, ArtifactRow, CacheFilter, CacheScope, Change, Command, Listed, Listing, MetastoreError, NewCacheEntry,
    Remark, RemarkKind, RunField, RunQuery, RunUpdate, StorageState,
};
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::RunStatus;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, artifact, at, count, fact, one_fact, task};

fn scope() -> CacheScope {
    CacheScope { pipeline_name: "train".to_owned(), namespace: String::new() }
}

/// A run with a row in each table.
async fn full_run(fixture: &Fixture, number: u128) -> Uuid {
    let run = fixture.run(number).await;
    let mut append = Append::new(run, 1, 0);
    append.facts = vec![fact(1)];
    append.tasks = vec![task(1, "fit")];
    let artifact = artifact(7, "s3://bucket/model", &json!({}));
    append.artifacts = vec![ArtifactRow { node: NodeId(1), output: "model".to_owned(), position: 0, artifact }];
    append.cache_entries = vec![NewCacheEntry {
        scope: scope(),
        key: "key".to_owned(),
        task_path: "fit".to_owned(),
        outputs: TaskOutputs::default(),
        key_document: json!({}),
        created_at: at(1),
    }];
    fixture.store.append(append).await.unwrap();
    fixture.store.put_command(run, "again", &Command::Retry).await.unwrap();
    let remark = Remark { kind: RemarkKind::Quarantined, subject: String::new(), at: at(1), text: "test".to_owned() };
    fixture.store.put_remark(run, remark).await.unwrap();
    run
}

async fn end(fixture: &Fixture, run: Uuid, expected: u64) {
    let mut append = one_fact(run, 1, expected);
    append.run_update =
        Some(RunUpdate { status: RunStatus::Canceled, error: None, started_at: Some(at(1)), finished_at: Some(at(2)) });
    fixture.store.append(append).await.unwrap();
}

/// How many rows there are of all runs together, but for their cached results.
async fn rows(fixture: &Fixture) -> i64 {
    let mut raw = fixture.raw().await;
    let mut rows = 0;
    for sql in [
        "SELECT COUNT(*) FROM runs",
        "SELECT COUNT(*) FROM run_specs",
        "SELECT COUNT(*) FROM facts",
        "SELECT COUNT(*) FROM tasks",
        "SELECT COUNT(*) FROM artifacts",
        "SELECT COUNT(*) FROM commands",
        "SELECT COUNT(*) FROM remarks",
    ] {
        rows += count(&mut raw, sql).await;
    }
    rows
}

#[tokio::test]
async fn ended_run_is_removed_with_all_its_rows_but_cached_results() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let other = full_run(&fixture, 2).await;
    let before = rows(&fixture).await;
    assert_eq!(before, 7);
    let run = full_run(&fixture, 1).await;
    end(&fixture, run, 1).await;
    let mut changes = store.subscribe();
    store.delete_run(run).await.unwrap();
    assert_eq!(rows(&fixture).await, before);
    assert!(matches!(store.run(run).await, Err(MetastoreError::NoSuchRun { .. })));
    assert!(matches!(store.delete_run(run).await, Err(MetastoreError::NoSuchRun { .. })));
    assert!(matches!(store.append(one_fact(run, 1, 2)).await, Err(MetastoreError::NoSuchRun { .. })));
    assert_eq!(changes.try_recv().unwrap(), Change::RunChanged { run }, "who follows is told");
    assert!(changes.try_recv().is_err(), "nobody has anything to do");
    assert_eq!(store.run(other).await.unwrap().fact_count, 1);
    let filter = CacheFilter { run: Some(run), ..CacheFilter::default() };
    assert_eq!(store.evict(filter).await.unwrap(), 1, "its result is still there");
    assert!(store.purge_deleted().await.unwrap().is_empty());
}

#[tokio::test]
async fn run_under_way_is_hidden_and_told_to_end() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = full_run(&fixture, 1).await;
    let mut changes = store.subscribe();
    store.delete_run(run).await.unwrap();

    // Nobody who looks for runs sees it.
    assert!(matches!(store.run_record(run).await, Err(MetastoreError::NoSuchRun { .. })));
    assert!(matches!(store.delete_run(run).await, Err(MetastoreError::NoSuchRun { .. })));
    let archive = store.set_run_storage(run, StorageState::Archived).await;
    assert!(matches!(archive, Err(MetastoreError::NoSuchRun { .. })));
    let page = store.list_run_records(&Listing::by(RunField::CreatedAt, 5)).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (0, 0));
    for query in [RunQuery::default(), RunQuery { unfinished: true, ..RunQuery::default() }] {
        assert_eq!(store.list_runs(&query).await.unwrap().runs, []);
    }
    let run_text = run.to_string();
    for selector in ["latest", &run_text, &run_text[..20], "train-00001", "train", "Train 1"] {
        assert!(store.resolve_run(None, selector).await.is_err(), "{selector}");
    }

    // Its driver does, and is told.
    assert_eq!(changes.try_recv().unwrap(), Change::CommandStored { run });
    let commands = store.pending_commands(run).await.unwrap();
    let terminate = Command::Terminate { reason: "deleted".to_owned() };
    assert_eq!(commands.last().unwrap().command, Listed::Readable(terminate));
    assert_eq!(commands.len(), 2, "deleting it twice tells it once");
    assert_eq!(store.run(run).await.unwrap().fact_count, 1);
    assert_eq!(store.all_facts(run).await.unwrap().len(), 1);
    let to_drive = store.runs_to_drive(None, 5).await.unwrap().runs;
    assert!(matches!(&to_drive[..], [Listed::Readable(found)] if found.run == run), "{to_drive:?}");
    assert!(store.purge_deleted().await.unwrap().is_empty(), "it has not ended");

    end(&fixture, run, 1).await;
    assert_eq!(store.purge_deleted().await.unwrap(), [run]);
    assert!(store.purge_deleted().await.unwrap().is_empty());
    assert_eq!(rows(&fixture).await, 0);
    assert!(matches!(store.run(run).await, Err(MetastoreError::NoSuchRun { .. })));
}

#[tokio::test]
async fn ended_run_that_has_left_something_goes_when_its_driver_was_told() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = full_run(&fixture, 1).await;
    end(&fixture, run, 1).await;
    let mut changes = store.subscribe();
    assert!(!store.is_deleted(run).await.unwrap());
    store.leave_to_driver_to_delete(run).await.unwrap();
    assert!(store.is_deleted(run).await.unwrap());
    assert!(matches!(store.run_record(run).await, Err(MetastoreError::NoSuchRun { .. })), "nobody else sees it");
    assert!(matches!(store.leave_to_driver_to_delete(run).await, Err(MetastoreError::NoSuchRun { .. })));
    assert!(store.purge_deleted().await.unwrap().is_empty(), "what it has left is still there");

    assert_eq!(changes.try_recv().unwrap(), Change::CommandStored { run }, "its driver is woken up");
    let to_drive = store.runs_to_drive(None, 5).await.unwrap().runs;
    assert!(matches!(&to_drive[..], [Listed::Readable(found)] if found.run == run && found.ended), "{to_drive:?}");
    let commands = store.pending_commands(run).await.unwrap();
    assert_eq!(commands.last().unwrap().command, Listed::Readable(Command::Remove));
    let mut append = Append::new(run, 1, 2);
    append.commands_taken = commands.iter().map(|command| command.id).collect();
    store.append(append).await.unwrap();
    assert_eq!(store.purge_deleted().await.unwrap(), [run]);
    assert_eq!(rows(&fixture).await, 0);
    assert!(store.is_deleted(run).await.unwrap());
}

#[tokio::test]
async fn run_under_way_that_leaves_something_ends_before_it_goes() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    store.leave_to_driver_to_delete(run).await.unwrap();
    let kinds: Vec<_> = store.pending_commands(run).await.unwrap().into_iter().map(|stored| stored.command).collect();
    let terminate = Command::Terminate { reason: "deleted".to_owned() };
    assert_eq!(kinds, [Listed::Readable(terminate), Listed::Readable(Command::Remove)]);
    end(&fixture, run, 0).await;
    assert!(store.purge_deleted().await.unwrap().is_empty(), "its driver comes back for the second command");
}

/// Requests of one transaction follow each other as if each had one of its own.
#[tokio::test]
async fn run_is_deleted_in_the_transaction_that_ends_it() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut runs = Vec::new();
    for number in 1..=20 {
        runs.push(fixture.run(number).await);
    }
    let work = runs.iter().map(|run| async {
        tokio::join!(
            biased;
            end(&fixture, *run, 0),
            async { store.delete_run(*run).await.unwrap() },
            async { store.append(one_fact(*run, 1, 1)).await },
        )
    });
    futures::future::join_all(work).await;
    store.purge_deleted().await.unwrap();
    assert_eq!(rows(&fixture).await, 0);
}

#[tokio::test]
async fn hidden_run_is_not_created_again() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.delete_run(run).await.unwrap();
    let error = fixture.store.create_run(crate::fixture::new_run(1)).await.unwrap_err();
    assert!(matches!(error, MetastoreError::RunExists { .. }), "{error}");
}

/// Two services that tidy up do not get into each other's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_run_is_purged_by_one_of_two() {
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    let mut runs = Vec::new();
    for number in 1..=30 {
        let run = fixture.run(number).await;
        fixture.store.delete_run(run).await.unwrap();
        end(&fixture, run, 0).await;
        runs.push(run);
    }
    let (first, second) = tokio::join!(fixture.store.purge_deleted(), other.purge_deleted());
    let mut purged: Vec<Uuid> = first.unwrap().into_iter().chain(second.unwrap()).collect();
    purged.sort_unstable();
    assert_eq!(purged, runs);
}
