//! The cache of results. Entries are written with the facts of the task that made them ([`crate::Append`]).

use penstock_engine::CacheSource;

use crate::Metastore;
use crate::codec::{Reason, column, encode_time, json, listed, time};
use crate::database::{Connection, QueryBuilder, Row, query};
use crate::error::MetastoreError;
use crate::rows::{CacheEntry, CacheFilter, CacheScope, Listed};
use crate::runs::MAX_PAGE;
use crate::statements::Operation;

/// Entries under one key that are tried when the newest cannot be read.
const TRIED: i64 = 10;

impl Metastore {
    /// The newest result under a key.
    pub async fn lookup(&self, scope: &CacheScope, key: &str) -> Result<Option<CacheEntry>, MetastoreError> {
        let rows = query(
            "SELECT * FROM cache_entries WHERE pipeline_name = $1 AND namespace = $2 AND cache_key = $3 \
             ORDER BY id DESC LIMIT $4",
        )
        .bind(&scope.pipeline_name)
        .bind(&scope.namespace)
        .bind(key)
        .bind(TRIED)
        .fetch_all(&self.readers)
        .await
        .map_err(|error| MetastoreError::database(format!("look up cache key {key}"), error))?;
        for row in &rows {
            match cache_entry(row) {
                Ok(entry) => return Ok(Some(entry)),
                Err(reason) => {
                    tracing::warn!(cache.key = key, reason, "a cache entry cannot be read and is passed over");
                }
            }
        }
        Ok(None)
    }

    /// The newest results of a task under any key, for saying what differs.
    pub async fn nearest(
        &self,
        scope: &CacheScope,
        task_path: &str,
        limit: u32,
    ) -> Result<Vec<Listed<CacheEntry>>, MetastoreError> {
        let rows = query(
            "SELECT * FROM cache_entries WHERE pipeline_name = $1 AND namespace = $2 AND task_path = $3 \
             ORDER BY id DESC LIMIT $4",
        )
        .bind(&scope.pipeline_name)
        .bind(&scope.namespace)
        .bind(task_path)
        .bind(i64::from(limit.min(MAX_PAGE)))
        .fetch_all(&self.readers)
        .await
        .map_err(|error| MetastoreError::database(format!("look up cached results of {task_path}"), error))?;
        let identity = |row: &Row| {
            column::<i64>(row, "id").map_or_else(|_| "unknown".to_owned(), |id| format!("cache entry {id}"))
        };
        Ok(rows.iter().map(|row| listed(cache_entry(row), || identity(row))).collect())
    }

    /// Forgets results; returns how many.
    pub async fn evict(&self, filter: CacheFilter) -> Result<u64, MetastoreError> {
        self.writer.submit(Operation::EvictCache { filter }).await
    }
}

/// Deletes what a filter selects, inside the writer's transaction.
pub(crate) async fn evict(connection: &mut Connection, filter: &CacheFilter) -> Result<u64, sqlx::Error> {
    let CacheFilter { pipeline_name, namespace, key, task_path, run, created_before } = filter;
    let mut sql = QueryBuilder::new(connection.dialect(), "DELETE FROM cache_entries WHERE 1 = 1");
    let texts = [
        (" AND pipeline_name = ", pipeline_name),
        (" AND namespace = ", namespace),
        (" AND cache_key = ", key),
        (" AND task_path = ", task_path),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            sql.push(condition).push_bind(value);
        }
    }
    if let Some(run) = run {
        sql.push(" AND run_id = ").push_bind(*run);
    }
    if let Some(time) = created_before {
        sql.push(" AND created_at < ").push_bind(encode_time(*time));
    }
    sql.build().execute(connection).await
}

fn cache_entry(row: &Row) -> Result<CacheEntry, Reason> {
    Ok(CacheEntry {
        key: column(row, "cache_key")?,
        source: CacheSource { run_id: column(row, "run_id")?, task_path: column(row, "task_path")? },
        outputs: json(row, "outputs_json")?,
        key_document: json(row, "key_json")?,
        created_at: time(row, "created_at")?,
    })
}
