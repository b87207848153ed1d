//! Deleting runs. One that has ended is removed at once, with all that is stored of it but its cached results. One that is
//! under way is hidden and told to end, and removed when it has: until then its driver needs its rows.

use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{encode_json, encode_time};
use crate::database::{Connection, query};
use crate::error::MetastoreError;
use crate::rows::Command;
use crate::runs::MAX_PAGE;
use crate::statements::{Answer, Operation, put_command};

/// What is said of a run that ends because it was deleted.
const REASON: &str = "deleted";

/// The answer for a run that was removed at once.
pub(crate) const REMOVED: Answer = 0;
/// The answer for a run that is told to end first.
pub(crate) const HIDDEN: Answer = 1;

impl Metastore {
    /// Deletes a run. If it has not ended it is hidden from [`Metastore::run_record`], the lists and
    /// [`Metastore::resolve_run`] and told to end; [`Metastore::purge_deleted`] removes it then.
    pub async fn delete_run(&self, run: Uuid) -> Result<(), MetastoreError> {
        let command = Command::Terminate { reason: REASON.to_owned() };
        let command_json = encode_json(run, "a command", &command)?;
        let at = encode_time(Timestamp::now());
        let operation = Operation::DeleteRun { run, kind: command.kind(), command_json, at };
        self.writer.submit(operation).await.map(drop)
    }

    /// Removes runs that were deleted while they were under way and have ended since; returns those that this call
    /// removed.
    pub async fn purge_deleted(&self) -> Result<Vec<Uuid>, MetastoreError> {
        let ended: Vec<Uuid> =
            query("SELECT id FROM runs WHERE deleted_at IS NOT NULL AND finished_at IS NOT NULL ORDER BY id LIMIT $1")
                .bind(i64::from(MAX_PAGE))
                .fetch_values(&self.readers, "id")
                .await
                .map_err(|error| MetastoreError::database("look for deleted runs", error))?;
        let mut removed = Vec::with_capacity(ended.len());
        for run in ended {
            if self.writer.submit(Operation::PurgeRun { run }).await? > 0 {
                removed.push(run);
            }
        }
        Ok(removed)
    }
}

pub(crate) async fn delete(
    connection: &mut Connection,
    run: Uuid,
    kind: &str,
    command_json: &str,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    // The rows of a run refer to it and go with it.
    let removed = query("DELETE FROM runs WHERE id = $1 AND deleted_at IS NULL AND finished_at IS NOT NULL")
        .bind(run)
        .execute(&mut *connection)
        .await?;
    if removed > 0 {
        return Ok(Ok(REMOVED));
    }
    let hidden = query("UPDATE runs SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL")
        .bind(run)
        .bind(at)
        .execute(&mut *connection)
        .await?;
    if hidden == 0 {
        return Ok(Err(MetastoreError::NoSuchRun { run }));
    }
    // A key of its own: a run is hidden once.
    let command = put_command(connection, run, &format!("delete-{at}"), kind, command_json, at).await?;
    Ok(command.map(|_| HIDDEN))
}

/// Removes a run if it is hidden and has ended.
pub(crate) async fn purge(connection: &mut Connection, run: Uuid) -> Result<Answer, sqlx::Error> {
    let removed = query("DELETE FROM runs WHERE id = $1 AND deleted_at IS NOT NULL AND finished_at IS NOT NULL")
        .bind(run)
        .execute(connection)
        .await?;
    Ok(removed)
}
