//! Where the stores of these tests are: databases of a PostgreSQL server.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use penstock_metastore::StoreLocation;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::server::{Server, shared};

/// A database for one store.
pub(crate) struct Place {
    url: String,
}

impl Place {
    /// `None` after saying that the test is skipped.
    pub(crate) async fn new() -> Option<Self> {
        Some(Self::on(shared()?).await)
    }

    /// A database of a server of one's own.
    pub(crate) async fn on(server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Self { url: server.url(&name) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn location(&self) -> StoreLocation {
        StoreLocation::Postgres(self.url.parse().unwrap())
    }

    /// No session is left behind.
    pub(crate) async fn assert_closed(&self) {
        let sessions = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name LIKE 'penstock-%'";
        let mut raw = self.raw().await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while count(&mut raw, sessions).await > 0 {
            assert!(Instant::now() < deadline, "sessions are left");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A connection beside the store, to look at it or to damage it.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::connect(&self.url).await.unwrap()
    }
}

pub(crate) type Raw = PgConnection;

pub(crate) async fn execute(connection: &mut Raw, sql: &'static str) -> u64 {
    sqlx::query(sql).execute(connection).await.unwrap().rows_affected()
}

/// Like [`execute`], with an id as the value of `$1`.
pub(crate) async fn execute_for(connection: &mut Raw, sql: &'static str, id: Uuid) -> u64 {
    sqlx::query(sql).bind(id).execute(connection).await.unwrap().rows_affected()
}

pub(crate) async fn count(connection: &mut Raw, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

pub(crate) async fn close(connection: Raw) {
    connection.close().await.unwrap();
}

/// Damages the third run, and what is said of it then. There is no text that is not UTF-8.
pub(crate) const DAMAGED_TEXT: &str = "UPDATE runs SET options_json = '{' WHERE name = 'train-00003'";
pub(crate) const DAMAGED_TEXT_COLUMN: &str = "options_json";

/// Damages the third run, and what is said of it then. There is no id that is none.
pub(crate) const DAMAGED_ROW: &str = "UPDATE runs SET plugins_input_json = '{' WHERE name = 'train-00003'";
pub(crate) const DAMAGED_COLUMN: &str = "plugins_input_json";

/// Takes the lock of all writers.
pub(crate) const LOCK: [&str; 2] = ["BEGIN", "SELECT pg_advisory_xact_lock(1347310420)"];

/// Copies of the only run, 6,000 of them, whose ids are their numbers.
pub(crate) const COPIES: [&str; 2] = [
    "INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, scheduled_at, info_json, \
      options_json, status, finished_at, experiment_id, pipeline_id, version_id, recurring_run_id, pipeline_root, \
      plugins_input_json, description, history) \
    SELECT CAST(lpad(to_hex(n), 32, '0') AS UUID), 'copy-' || n, 'Copy ' || n, pipeline_name, namespace, n, n, \
      jsonb_set(info_json::jsonb, '{id}', to_jsonb(CAST(lpad(to_hex(n), 32, '0') AS UUID)))::text, options_json, \
      CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END, n, CAST(lpad(to_hex(n % 50), 32, '0') AS UUID), \
      pipeline_id, version_id, recurring_run_id, pipeline_root, plugins_input_json, description, history \
    FROM generate_series(1, 6000) AS n, runs",
    "INSERT INTO run_specs SELECT id, pipeline_text, parameters_json FROM runs, run_specs WHERE runs.name LIKE 'copy-%'",
];

/// Makes sessions that begin later use the index of trigrams wherever they can, few rows as there are.
pub(crate) const BY_TRIGRAMS: [&str; 1] = ["DO $$ BEGIN \
    EXECUTE format('ALTER DATABASE %I SET enable_seqscan = off', current_database()); \
    EXECUTE format('ALTER DATABASE %I SET enable_indexscan = off', current_database()); \
    EXECUTE format('ALTER DATABASE %I SET enable_indexonlyscan = off', current_database()); END $$"];
