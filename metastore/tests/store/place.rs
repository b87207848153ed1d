//! Where the stores of these tests are: SQLite files.

use std::path::{Path, PathBuf};

use penstock_metastore::StoreLocation;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use uuid::Uuid;

/// A directory for one store.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    // Where there are none the test is skipped; there always are.
    #[allow(clippy::unused_async, reason = "other places take time")]
    pub(crate) async fn new() -> Option<Self> {
        Some(Self { directory: tempfile::tempdir().unwrap() })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("penstock.db")
    }

    pub(crate) fn location(&self) -> StoreLocation {
        StoreLocation::Sqlite(self.path())
    }

    /// The last connection folds the write-ahead log into the store.
    #[allow(clippy::unused_async, reason = "other places take time")]
    pub(crate) async fn assert_closed(&self) {
        assert!(!self.path().with_extension("db-wal").exists());
    }

    /// A connection beside the store, to look at it or to damage it.
    pub(crate) async fn raw(&self) -> Raw {
        raw(&self.path()).await
    }
}

pub(crate) type Raw = SqliteConnection;

pub(crate) async fn raw(path: &Path) -> Raw {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

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

/// Damages the third run, and what is said of it then.
pub(crate) const DAMAGED_TEXT: &str = "UPDATE runs SET error = CAST(x'c328' AS TEXT) WHERE name = 'train-00003'";
pub(crate) const DAMAGED_TEXT_COLUMN: &str = "utf-8";

/// Damages an id of the third run, and what is said of it then.
pub(crate) const DAMAGED_ROW: &str = "UPDATE runs SET experiment_id = x'00' WHERE name = 'train-00003'";
pub(crate) const DAMAGED_COLUMN: &str = "experiment_id";

/// Takes the lock of all writers.
pub(crate) const LOCK: [&str; 1] = ["BEGIN IMMEDIATE"];

/// Copies of the only run, 6,000 of them, whose ids are their numbers.
pub(crate) const COPIES: [&str; 2] = [
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 6000) \
    INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, scheduled_at, info_json, \
      options_json, status, finished_at, experiment_id) \
    SELECT unhex(printf('%032x', n)), 'copy-' || n, 'Copy ' || n, pipeline_name, namespace, n, n, \
      json_set(info_json, '$.id', printf('00000000-0000-0000-0000-%012x', n)), options_json, \
      CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END, n, unhex(printf('%032x', n % 50)) FROM numbers, runs",
    "INSERT INTO run_specs SELECT id, pipeline_text, parameters_json FROM runs, run_specs WHERE runs.name LIKE 'copy-%'",
];

/// Makes sessions that begin later use the index of trigrams wherever they can. They always do.
pub(crate) const BY_TRIGRAMS: [&str; 0] = [];
