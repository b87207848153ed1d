//! Cached results as a list: the newest first.

use penstock_engine::CacheSource;
use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, time};
use crate::database::{Dialect, QueryBuilder, Row};
use crate::error::MetastoreError;
use crate::runs::MAX_PAGE;

/// Which cached results to list; parts that are absent match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheList {
    /// The namespace.
    pub namespace: String,
    /// Name of the pipeline.
    pub pipeline_name: Option<String>,
    /// Path of the task.
    pub task_path: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// The run that made them.
    pub run: Option<Uuid>,
    /// Only those that are older than this number.
    pub before: Option<i64>,
}

/// A cached result in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSummary {
    /// Its number; greater ones are newer.
    pub id: i64,
    /// Name of the pipeline.
    pub pipeline_name: String,
    /// The key.
    pub key: String,
    /// Run and task that made it.
    pub source: CacheSource,
    /// When.
    pub created_at: Timestamp,
}

impl Metastore {
    /// Cached results, the newest first.
    pub async fn cache_entries(&self, list: &CacheList, limit: u32) -> Result<Vec<CacheSummary>, MetastoreError> {
        let rows = list_query(self.readers.dialect(), list, limit).build().fetch_all(&self.readers).await;
        let rows = rows.map_err(|error| MetastoreError::database("list cached results", error))?;
        let unreadable = |reason| MetastoreError::Unreadable { row: "a cached result".to_owned(), reason };
        rows.iter().map(|row| summary(row).map_err(unreadable)).collect()
    }
}

fn list_query(dialect: Dialect, list: &CacheList, limit: u32) -> QueryBuilder<'_> {
    let CacheList { namespace, pipeline_name, task_path, key, run, before } = list;
    let mut sql = QueryBuilder::new(
        dialect,
        "SELECT id, pipeline_name, cache_key, run_id, task_path, created_at FROM cache_entries WHERE namespace = ",
    );
    sql.push_bind(namespace);
    let texts =
        [(" AND pipeline_name = ", pipeline_name), (" AND task_path = ", task_path), (" AND cache_key = ", key)];
    for (condition, value) in texts {
        if let Some(value) = value {
            sql.push(condition).push_bind(value);
        }
    }
    if let Some(run) = run {
        sql.push(" AND run_id = ").push_bind(*run);
    }
    if let Some(before) = before {
        sql.push(" AND id < ").push_bind(*before);
    }
    sql.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
    sql
}

/// How cached results are listed, for a test.
#[doc(hidden)]
pub async fn cache_list_plan(store: &Metastore, list: &CacheList) -> Result<Vec<String>, MetastoreError> {
    store.explain(list_query(store.readers.dialect(), list, 100).build()).await
}

fn summary(row: &Row) -> Result<CacheSummary, Reason> {
    Ok(CacheSummary {
        id: column(row, "id")?,
        pipeline_name: column(row, "pipeline_name")?,
        key: column(row, "cache_key")?,
        source: CacheSource { run_id: column(row, "run_id")?, task_path: column(row, "task_path")? },
        created_at: time(row, "created_at")?,
    })
}
