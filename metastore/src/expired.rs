//! Runs that are kept long enough: those that ended a while ago are archived, and those that were archived a while ago are
//! deleted. How long a while is, others say. A run that is under way, or for which a command waits, is neither.

use penstock_spec::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_time, identity, listed};
use crate::database::{Connection, Query, Row, query};
use crate::deletion::{KEPT, Removal};
use crate::error::MetastoreError;
use crate::feed::{self, ChangeKind, Labels, NewChange, RUN_LABELS};
use crate::rows::{Listed, RunRow, StorageState};
use crate::runs::{MAX_PAGE, run_row};
use crate::statements::{Answer, Operation};

/// Nobody has asked anything of it that is still to be done.
const UNDISTURBED: &str = "NOT EXISTS (SELECT 1 FROM commands WHERE run_id = runs.id AND taken_at IS NULL)";

/// Since when a run that has ended is archived, as the index has it.
const ARCHIVED_SINCE: &str = "COALESCE(archived_at, finished_at)";

/// Of archived runs, those that may go: archived, and ended, before `$1`. One may have ended after it was archived.
fn deletable() -> String {
    format!(
        "storage_state = 'ARCHIVED' AND finished_at IS NOT NULL AND deleted_at IS NULL AND {ARCHIVED_SINCE} < $1 \
           AND finished_at < $1 AND {UNDISTURBED}"
    )
}

/// Where a page of archived runs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiredPosition {
    archived_since: i64,
    run: Uuid,
}

/// Some archived runs that may go, those first that are archived for the longest.
#[derive(Debug, Clone)]
pub struct ExpiredRuns {
    /// The runs.
    pub runs: Vec<Listed<RunRow>>,
    /// Where the next page starts; absent on the last.
    pub next: Option<ExpiredPosition>,
}

impl Metastore {
    /// Archives runs that ended before a time, the oldest first, at most `limit`; returns how many it archived.
    pub async fn archive_ended_runs(&self, ended_before: Timestamp, limit: u32) -> Result<u64, MetastoreError> {
        let (before, at) = (encode_time(ended_before), encode_time(Timestamp::now()));
        self.writer.submit(Operation::ArchiveEnded { before, limit: limit.min(MAX_PAGE), at }).await
    }

    /// Runs that are archived, and ended, since before a time; after a position or from the start.
    pub async fn expired_runs(
        &self,
        archived_before: Timestamp,
        after: Option<ExpiredPosition>,
        page_size: u32,
    ) -> Result<ExpiredRuns, MetastoreError> {
        let size = page_size.clamp(1, MAX_PAGE) as usize;
        let mut rows = expired(archived_before, after, size + 1)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("look for archived runs to delete", error))?;
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).and_then(position);
        let runs = rows.iter().map(|row| listed(expired_run(row), || identity(row, "id"))).collect();
        Ok(ExpiredRuns { runs, next })
    }

    /// Deletes a run as [`Metastore::delete_run`] does if it is still archived, and ended, since before a time; returns
    /// whether this call deleted it.
    pub async fn delete_expired_run(&self, run: Uuid, archived_before: Timestamp) -> Result<bool, MetastoreError> {
        self.delete_expired(run, Removal::AtOnce, archived_before).await
    }

    /// The same of one that has left something outside of the store, as [`Metastore::leave_to_driver_to_delete`] does.
    pub async fn leave_expired_run_to_driver(
        &self,
        run: Uuid,
        archived_before: Timestamp,
    ) -> Result<bool, MetastoreError> {
        self.delete_expired(run, Removal::ByDriver, archived_before).await
    }

    async fn delete_expired(
        &self,
        run: Uuid,
        removal: Removal,
        archived_before: Timestamp,
    ) -> Result<bool, MetastoreError> {
        self.delete(run, removal, Some(encode_time(archived_before))).await.map(|answer| answer != KEPT)
    }
}

fn expired(before: Timestamp, after: Option<ExpiredPosition>, rows: usize) -> Query<'static> {
    let after = after.unwrap_or(ExpiredPosition { archived_since: i64::MIN, run: Uuid::nil() });
    let deletable = deletable();
    query(format!(
        "SELECT {RUN_LABELS}, info_json, options_json, status, error, started_at, finished_at, epoch, fact_count, \
           {ARCHIVED_SINCE} AS archived_since FROM runs \
         WHERE {deletable} AND ({ARCHIVED_SINCE}, id) > ($2, $3) ORDER BY {ARCHIVED_SINCE}, id LIMIT $4"
    ))
    .bind(encode_time(before))
    .bind(after.archived_since)
    .bind(after.run)
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// A page that ends with a row of which not even this can be read is the last.
fn position(row: &Row) -> Option<ExpiredPosition> {
    Some(ExpiredPosition { archived_since: column(row, "archived_since").ok()?, run: column(row, "id").ok()? })
}

/// One of which it cannot be told what it is called cannot be deleted either: that is told of.
fn expired_run(row: &Row) -> Result<RunRow, Reason> {
    Labels::of_run(row).map_err(|error| error.to_string())?;
    run_row(row)
}

/// Archives the oldest runs that ended before a time, and tells of each.
pub(crate) async fn archive_ended(
    connection: &mut Connection,
    before: i64,
    limit: u32,
    at: i64,
) -> Result<Answer, sqlx::Error> {
    let archived = archiving(before, limit, at).fetch_all(&mut *connection).await?;
    let change = NewChange::new(ChangeKind::RunStorage, at, json!({ "storage_state": StorageState::Archived }));
    // A damaged row is archived like any other, so that it does not keep all others from that.
    let labels = archived.iter().filter_map(|row| Labels::of_run(row).ok());
    let changes: Vec<_> = labels.map(|labels| (labels, change.clone())).collect();
    feed::add(connection, &changes).await?;
    Ok(archived.len() as Answer)
}

fn archiving(before: i64, limit: u32, at: i64) -> Query<'static> {
    query(format!(
        "UPDATE runs SET storage_state = 'ARCHIVED', archived_at = $2 WHERE id IN ( \
           SELECT id FROM runs WHERE storage_state = 'AVAILABLE' AND listed_finish > 0 AND listed_finish < $1 \
             AND deleted_at IS NULL AND {UNDISTURBED} ORDER BY listed_finish, id LIMIT $3) \
         RETURNING {RUN_LABELS}"
    ))
    .bind(before)
    .bind(at)
    .bind(i64::from(limit))
}

/// Whether a run may still go, in the writer's transaction.
pub(crate) async fn is_expired(connection: &mut Connection, run: Uuid, before: i64) -> Result<bool, sqlx::Error> {
    let sql = format!("SELECT 1 FROM runs WHERE {} AND id = $2", deletable());
    Ok(query(sql).bind(before).bind(run).fetch_optional(connection).await?.is_some())
}

/// How runs are looked for that are to be archived, and that are to be deleted, for a test.
#[doc(hidden)]
pub async fn expired_plans(store: &Metastore, before: Timestamp) -> Result<[Vec<String>; 2], MetastoreError> {
    let archiving = store.explain(archiving(encode_time(before), 100, encode_time(before))).await?;
    let after = ExpiredPosition { archived_since: 5, run: Uuid::nil() };
    Ok([archiving, store.explain(expired(before, Some(after), 100)).await?])
}
