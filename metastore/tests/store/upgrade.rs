//! Stores of earlier layouts.

use std::path::Path;

use penstock_metastore::{
    Command, Comparison, Listing, Metastore, Operand, Predicate, RunField, RunRegistration, RunStateChange,
    StorageState,
};
use penstock_spec::run::RunStatus;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::fixture::{at, close, execute, new_run};
use crate::place::raw;

/// A store as the builds before layout 4 left it.
async fn store_of_layout_3(path: &Path) -> SqliteConnection {
    std::fs::write(path, "").unwrap();
    let mut raw = raw(path).await;
    let migrations = sqlx::migrate!("./migrations/sqlite");
    let old = migrations.iter().filter(|migration| migration.version <= 3).cloned().collect();
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
    for (predicates, total) in [(vec![], 4), (vec![by_slot], 1), (vec![canceling], 1)] {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 10) };
        let page = store.list_run_records(&listing).await.unwrap();
        assert_eq!((page.total, page.rows.len() as u64), (total, total));
    }
    store.delete_run(failed).await.unwrap();
    assert_eq!(store.list_run_records(&Listing::by(RunField::CreatedAt, 10)).await.unwrap().total, 3);
}
