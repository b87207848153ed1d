//! Stores of earlier layouts.

use std::path::Path;

use penstock_engine::NodeId;
use penstock_metastore::{
    ArtifactQuery, Command, Comparison, Listed, Listing, Metastore, Operand, Predicate, RunField, RunRegistration,
    RunStateChange, StorageState, TaskInput,
};
use penstock_spec::run::RunStatus;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::fixture::{artifact, at, close, execute, new_run};
use crate::place::raw;

/// A store as the builds before layout 4 left it.
async fn store_of_layout_3(path: &Path) -> SqliteConnection {
    store_of_layout(path, 3).await
}

async fn store_of_layout(path: &Path, layout: i64) -> SqliteConnection {
    std::fs::write(path, "").unwrap();
    let mut raw = raw(path).await;
    let migrations = sqlx::migrate!("./migrations/sqlite");
    let old = migrations.iter().filter(|migration| migration.version <= layout).cloned().collect();
    Migrator::with_migrations(old).run(&mut raw).await.unwrap();
    execute(&mut raw, "PRAGMA application_id = 1347310420").await;
    raw
}

async fn insert_run(
    raw: &mut SqliteConnection,
    number: u128,
    status: &str,
    error: Option<&str>,
    started: Option<i64>,
    finished: Option<i64>,
) -> Uuid {
    let run = new_run(number);
    let nanoseconds = |second: i64| i64::try_from(at(second).as_nanosecond()).unwrap();
    sqlx::query(
        "INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, info_json, options_json, \
         status, error, started_at, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', $8, $9, $10, $11)",
    )
    .bind(run.info.id)
    .bind(&run.info.name)
    .bind(&run.info.display_name)
    .bind(&run.info.pipeline_name)
    .bind(&run.info.namespace)
    .bind(nanoseconds(i64::try_from(number).unwrap()))
    .bind(serde_json::to_string(&run.info).unwrap())
    .bind(status)
    .bind(error)
    .bind(started.map(nanoseconds))
    .bind(finished.map(nanoseconds))
    .execute(&mut *raw)
    .await
    .unwrap();
    sqlx::query("INSERT INTO run_specs (run_id, pipeline_text, parameters_json) VALUES ($1, '', '{}')")
        .bind(run.info.id)
        .execute(&mut *raw)
        .await
        .unwrap();
    run.info.id
}

#[tokio::test]
async fn runs_of_layout_3_are_listed_with_their_history() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("penstock.db");
    let mut raw = store_of_layout_3(&path).await;
    let pending = insert_run(&mut raw, 1, "PENDING", None, None, None).await;
    let running = insert_run(&mut raw, 2, "RUNNING", None, Some(10), None).await;
    let failed = insert_run(&mut raw, 3, "FAILED", Some("exit \"1\"\n"), Some(20), Some(30)).await;
    let never_started = insert_run(&mut raw, 4, "CANCELED", None, None, Some(40)).await;
    let command = serde_json::to_string(&Command::Terminate { reason: "test".to_owned() }).unwrap();
    for (run, command) in [(pending, "damaged"), (running, command.as_str())] {
        sqlx::query("INSERT INTO commands (run_id, idempotency_key, command_json, created_at) VALUES ($1, 'a', $2, 0)")
            .bind(run)
            .bind(command)
            .execute(&mut raw)
            .await
            .unwrap();
    }
    close(raw).await;

    let store = Metastore::open(&path).await.unwrap();

    let change = |second, status| RunStateChange { at: at(second), status, error: None };
    let history = async |run| store.run_record(run).await.unwrap().history;
    assert_eq!(history(pending).await, [change(1, RunStatus::Pending)]);
    assert_eq!(history(running).await, [change(2, RunStatus::Pending), change(10, RunStatus::Running)]);
    let end = RunStateChange { error: Some("exit \"1\"\n".to_owned()), ..change(30, RunStatus::Failed) };
    assert_eq!(history(failed).await, [change(3, RunStatus::Pending), change(20, RunStatus::Running), end]);
    assert_eq!(history(never_started).await, [change(4, RunStatus::Pending), change(40, RunStatus::Canceled)]);
    let record = store.run_record(running).await.unwrap();
    let terminate = Command::Terminate { reason: "test".to_owned() };
    assert_eq!((record.storage_state, record.pending), (StorageState::Available, Some(terminate)));
    assert_eq!(record.registration, RunRegistration::default());
    assert_eq!(store.run_record(pending).await.unwrap().pending, None);

    let by_slot = Predicate::Compare {
        field: RunField::ScheduledAt,
        comparison: Comparison::Equal,
        operand: Operand::Integer(i64::try_from(at(3).as_nanosecond()).unwrap()),
    };
    let canceling = Predicate::Compare {
        field: RunField::State,
        comparison: Comparison::Equal,
        operand: Operand::Text("CANCELING".to_owned()),
    };
    let searched = |text: &str| Predicate::Contains { field: RunField::Name, text: text.to_owned() };
    for (predicates, total) in [
        (vec![], 4),
        (vec![by_slot], 1),
        (vec![canceling], 1),
        (vec![searched("RAIN")], 4),
        (vec![searched("ain 3")], 1),
    ] {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 10) };
        let page = store.list_run_records(&listing).await.unwrap();
        assert_eq!((page.total, page.rows.len() as u64), (total, total));
    }
    store.delete_run(failed).await.unwrap();
    assert_eq!(store.list_run_records(&Listing::by(RunField::CreatedAt, 10)).await.unwrap().total, 3);
}

#[tokio::test]
async fn artifacts_of_layout_5_are_recorded_with_the_tasks_that_made_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("penstock.db");
    let mut raw = store_of_layout(&path, 5).await;
    // The run that took it from the cache was created first.
    let holder = insert_run(&mut raw, 1, "SUCCEEDED", None, Some(10), Some(30)).await;
    let maker = insert_run(&mut raw, 2, "SUCCEEDED", None, Some(10), Some(20)).await;
    let artifact = serde_json::to_string(&artifact(7, "s3://b/7", &serde_json::json!({}))).unwrap();
    for (run, cached) in [(holder, 1), (maker, 0)] {
        sqlx::query(
            "INSERT INTO tasks (run_id, node, path, task_key, display_name, kind, status, cached, finished_at) \
             VALUES ($1, 1, 'make', 'make', 'make', 'CONTAINER', 'SUCCEEDED', $2, 20)",
        )
        .bind(run)
        .bind(cached)
        .execute(&mut raw)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO artifacts (run_id, node, output, position, artifact_id, name, type_title, uri, record_json) \
             VALUES ($1, 1, 'out', 0, $2, 'model', 'system.Model', 's3://b/7', $3)",
        )
        .bind(run)
        .bind(Uuid::from_u128(7))
        .bind(&artifact)
        .execute(&mut raw)
        .await
        .unwrap();
    }
    execute(&mut raw, "UPDATE runs SET fact_count = 3").await;
    close(raw).await;

    let store = Metastore::open(&path).await.unwrap();

    let records = store.list_artifacts(&ArtifactQuery::default(), 10).await.unwrap();
    let [(_, Listed::Readable(record))] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.run, record.task_path.as_str()), (maker, "make"));
    assert_eq!(record.recorded_at.as_nanosecond(), 20);
    assert_eq!(store.runs_without_inputs(Some(""), 10).await.unwrap().len(), 2);
    let input = TaskInput {
        node: NodeId(2),
        input: "in".to_owned(),
        position: 0,
        artifact: Uuid::from_u128(7),
        taken_at: at(1),
    };
    assert!(store.fill_inputs(maker, vec![input.clone()]).await.unwrap());
    assert!(!store.fill_inputs(maker, vec![input]).await.unwrap(), "somebody was faster");
    assert_eq!(store.runs_without_inputs(None, 10).await.unwrap(), [holder]);
    assert_eq!(store.consumers(Uuid::from_u128(7), None, 10).await.unwrap().len(), 1);
    assert_eq!(store.changes_after(None, 0, 10).await.unwrap(), [], "what was is not news");
}

/// Nobody noted when they were archived.
#[tokio::test]
async fn runs_archived_before_layout_15_count_from_their_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("penstock.db");
    let mut raw = store_of_layout(&path, 14).await;
    let ended = insert_run(&mut raw, 1, "SUCCEEDED", None, Some(10), Some(30)).await;
    insert_run(&mut raw, 2, "RUNNING", None, Some(10), None).await;
    execute(&mut raw, "UPDATE runs SET storage_state = 'ARCHIVED'").await;
    close(raw).await;

    let store = Metastore::open(&path).await.unwrap();

    assert!(store.expired_runs(at(30), None, 10).await.unwrap().runs.is_empty());
    let due = store.expired_runs(at(31), None, 10).await.unwrap().runs;
    assert!(matches!(&due[..], [Listed::Readable(run)] if run.info.id == ended), "{due:?}");
    assert!(store.delete_expired_run(ended, at(31)).await.unwrap());
}
