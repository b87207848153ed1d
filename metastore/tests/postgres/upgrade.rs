//! Stores of earlier layouts.

use penstock_engine::NodeId;
use penstock_metastore::{ArtifactQuery, Listed, Listing, Metastore, Predicate, RunField, StoreLocation, TaskInput};
use penstock_spec::Timestamp;
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::fixture::{artifact, at, close, count, execute, new_run};
use crate::place::{Place, Raw};

/// A store as the builds before a layout left it.
async fn store_of_layout(place: &Place, layout: i64) -> Raw {
    let mut raw = place.raw().await;
    let migrations = sqlx::migrate!("./migrations/postgres");
    let old = migrations.iter().filter(|migration| migration.version <= layout).cloned().collect();
    let mut old = Migrator::with_migrations(old);
    old.dangerous_set_table_name("penstock_migrations");
    old.run(&mut raw).await.unwrap();
    raw
}

async fn insert_run(raw: &mut Raw, number: u128, cached: i64) -> Uuid {
    let run = new_run(number);
    let id = run.info.id;
    sqlx::query(
        "INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, info_json, options_json, \
           status, finished_at, fact_count, experiment_id, pipeline_id, version_id, recurring_run_id, pipeline_root, \
           plugins_input_json, description, scheduled_at, history) \
         VALUES ($1, $2, $2, $3, '', $4, '{}', '{}', 'SUCCEEDED', 30, 3, $5, $5, $5, $5, '', '{}', '', 0, '')",
    )
    .bind(id)
    .bind(&run.info.name)
    .bind(&run.info.pipeline_name)
    .bind(i64::try_from(number).unwrap())
    .bind(Uuid::nil())
    .execute(&mut *raw)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO tasks (run_id, node, path, task_key, display_name, kind, status, cached, finished_at) \
         VALUES ($1, 1, 'make', 'make', 'make', 'CONTAINER', 'SUCCEEDED', $2, 20)",
    )
    .bind(id)
    .bind(cached)
    .execute(&mut *raw)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO artifacts (run_id, node, output, position, artifact_id, name, type_title, uri, record_json) \
         VALUES ($1, 1, 'out', 0, $2, 'model', 'system.Model', 's3://b/7', $3)",
    )
    .bind(id)
    .bind(Uuid::from_u128(7))
    .bind(serde_json::to_string(&artifact(7, "s3://b/7", &serde_json::json!({}))).unwrap())
    .execute(raw)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn artifacts_of_layout_1_are_recorded_with_the_tasks_that_made_them() {
    let Some(place) = Place::new().await else { return };
    let mut raw = store_of_layout(&place, 1).await;
    // The run that took it from the cache was created first.
    let holder = insert_run(&mut raw, 1, 1).await;
    let maker = insert_run(&mut raw, 2, 0).await;
    close(raw).await;

    let store = Metastore::open(place.location()).await.unwrap();

    let searched = Predicate::Contains { field: RunField::Name, text: "RAIN-00002".to_owned() };
    let found = Listing { predicates: vec![searched], ..Listing::by(RunField::CreatedAt, 10) };
    assert_eq!(store.list_run_records(&found).await.unwrap().total, 1);
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

/// What an administrator runs in the stead of a role that may not; as docs/database.md says.
const BY_ADMINISTRATOR: [&str; 2] = [
    "CREATE EXTENSION pg_trgm",
    "CREATE INDEX CONCURRENTLY runs_by_trigrams ON runs USING gin (lower(listed_name) gin_trgm_ops) \
     WITH (fastupdate = off) WHERE deleted_at IS NULL",
];

const TRIGRAM_INDICES: &str = "SELECT count(*) FROM pg_class WHERE relname = 'runs_by_trigrams'";

#[tokio::test]
async fn role_that_may_make_no_extension_searches_all_the_same() {
    let Some(place) = Place::new().await else { return };
    let mut raw = place.raw().await;
    execute(&mut raw, "CREATE ROLE limited LOGIN").await;
    execute(&mut raw, "GRANT ALL ON SCHEMA public TO limited").await;
    let location = place.url().replace("penstock@", "limited@").parse().unwrap();
    let store = Metastore::open(StoreLocation::Postgres(location)).await.unwrap();
    store.create_run(new_run(1)).await.unwrap();
    let searched = Predicate::Contains { field: RunField::Name, text: "RAIN".to_owned() };
    let listing = Listing { predicates: vec![searched], ..Listing::by(RunField::CreatedAt, 10) };
    assert_eq!(store.list_run_records(&listing).await.unwrap().total, 1);
    assert_eq!(count(&mut raw, TRIGRAM_INDICES).await, 0);
    for statement in BY_ADMINISTRATOR {
        execute(&mut raw, statement).await;
    }
    assert_eq!(store.list_run_records(&listing).await.unwrap().total, 1);
    let other = Place::new().await.unwrap();
    Metastore::open(other.location()).await.unwrap();
    assert_eq!(count(&mut other.raw().await, TRIGRAM_INDICES).await, 1);
}

#[tokio::test]
async fn store_of_layout_1_takes_what_is_new() {
    let Some(place) = Place::new().await else { return };
    let raw = store_of_layout(&place, 1).await;
    close(raw).await;
    let store = Metastore::open(place.location()).await.unwrap();
    store.create_run(new_run(1)).await.unwrap();
    assert_eq!(store.feed_position().await.unwrap().last, 1);
    let mut raw = place.raw().await;
    execute(&mut raw, "DELETE FROM runs").await;
    assert_eq!(store.feed_position().await.unwrap().last, 1);
}

/// Nobody noted when they were archived.
#[tokio::test]
async fn runs_archived_before_layout_11_count_from_their_end() {
    let Some(place) = Place::new().await else { return };
    let mut raw = store_of_layout(&place, 10).await;
    let ended = insert_run(&mut raw, 1, 0).await;
    execute(&mut raw, "UPDATE runs SET storage_state = 'ARCHIVED'").await;
    close(raw).await;

    let store = Metastore::open(place.location()).await.unwrap();

    let time = |nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap();
    assert!(!store.delete_expired_run(ended, time(30)).await.unwrap());
    assert!(store.delete_expired_run(ended, time(31)).await.unwrap());
}
