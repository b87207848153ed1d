//! Deleting runs. One that has ended is removed at once, with all that is stored of it but its cached results. One that is
//! under way is hidden and told to end, and removed when it has: until then its driver needs its rows. So is one that has
//! left something outside of the store, which its driver removes first.

use penstock_spec::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{encode_json, encode_time};
use crate::database::{Connection, query};
use crate::error::MetastoreError;
use crate::expired;
use crate::feed::{self, ChangeKind, NewChange};
use crate::rows::{Command, REMOVE};
use crate::runs::MAX_PAGE;
use crate::statements::{Answer, Operation, put_command};

/// What is said of a run that ends because it was deleted.
const REASON: &str = "deleted";

/// The answer for a run that was removed at once.
pub(crate) const REMOVED: Answer = 0;
/// The answer for a run that is told to end first.
pub(crate) const HIDDEN: Answer = 1;
/// The answer for a run that is not to go, or not any more.
pub(crate) const KEPT: Answer = 2;

/// When a run that has ended goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    AtOnce,
    ByDriver,
}

/// A deletion, as columns.
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) run: Uuid,
    removal: Removal,
    /// What its driver is told if the run is hidden.
    commands: Vec<(&'static str, String)>,
    at: i64,
    /// The run stays unless it is archived, and has ended, since before this time.
    archived_before: Option<i64>,
}

/// Of runs that were deleted, those that nobody needs any more.
fn purgeable() -> String {
    format!(
        "deleted_at IS NOT NULL AND finished_at IS NOT NULL AND NOT EXISTS \
           (SELECT 1 FROM commands WHERE run_id = runs.id AND taken_at IS NULL AND kind = '{REMOVE}')"
    )
}

impl Metastore {
    /// Deletes a run. If it has not ended it is hidden from [`Metastore::run_record`], the lists and
    /// [`Metastore::resolve_run`] and told to end; [`Metastore::purge_deleted`] removes it then.
    pub async fn delete_run(&self, run: Uuid) -> Result<(), MetastoreError> {
        self.delete(run, Removal::AtOnce, None).await.map(drop)
    }

    /// Deletes a run that has left something outside of the store: hidden, as one that is under way is, until its driver
    /// has been told to remove that.
    pub async fn leave_to_driver_to_delete(&self, run: Uuid) -> Result<(), MetastoreError> {
        self.delete(run, Removal::ByDriver, None).await.map(drop)
    }

    /// One that is only to go if it is archived since before a time is [`KEPT`] otherwise.
    pub(crate) async fn delete(
        &self,
        run: Uuid,
        removal: Removal,
        archived_before: Option<i64>,
    ) -> Result<Answer, MetastoreError> {
        let terminate = Command::Terminate { reason: REASON.to_owned() };
        let commands = std::iter::once(terminate).chain((removal == Removal::ByDriver).then_some(Command::Remove));
        let encoded = |command: Command| Ok((command.kind(), encode_json(run, "a command", &command)?));
        let commands = commands.map(encoded).collect::<Result<_, MetastoreError>>()?;
        let at = encode_time(Timestamp::now());
        self.writer.submit(Operation::DeleteRun(Deletion { run, removal, commands, at, archived_before })).await
    }

    /// Whether a run was deleted: it is hidden, or gone.
    pub async fn is_deleted(&self, run: Uuid) -> Result<bool, MetastoreError> {
        let there: Option<Uuid> = query("SELECT id FROM runs WHERE id = $1 AND deleted_at IS NULL")
            .bind(run)
            .fetch_value(&self.readers, "id")
            .await
            .map_err(|error| MetastoreError::database("look whether a run was deleted", error))?;
        Ok(there.is_none())
    }

    /// Removes runs that were hidden and have ended, if their drivers have taken what they were told; returns those that
    /// this call removed.
    pub async fn purge_deleted(&self) -> Result<Vec<Uuid>, MetastoreError> {
        let ended: Vec<Uuid> = query(format!("SELECT id FROM runs WHERE {} ORDER BY id LIMIT $1", purgeable()))
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

/// Deletes a run, and tells of it.
pub(crate) async fn apply(
    connection: &mut Connection,
    deletion: &Deletion,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    if let Some(before) = deletion.archived_before
        && !expired::is_expired(connection, deletion.run, before).await?
    {
        return Ok(Ok(KEPT));
    }
    let labels = feed::labels(connection, deletion.run).await?;
    let deleted = delete(connection, deletion).await?;
    if let (Ok(_), Some(labels)) = (&deleted, labels) {
        let change = NewChange::new(ChangeKind::RunDeleted, deletion.at, json!({}));
        feed::add(connection, &[(labels, change)]).await?;
    }
    Ok(deleted)
}

async fn delete(
    connection: &mut Connection,
    Deletion { run, removal, commands, at, .. }: &Deletion,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    if *removal == Removal::AtOnce {
        // The rows of a run refer to it and go with it.
        let removed = query("DELETE FROM runs WHERE id = $1 AND deleted_at IS NULL AND finished_at IS NOT NULL")
            .bind(run)
            .execute(&mut *connection)
            .await?;
        if removed > 0 {
            return Ok(Ok(REMOVED));
        }
    }
    let hidden = query("UPDATE runs SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL")
        .bind(run)
        .bind(*at)
        .execute(&mut *connection)
        .await?;
    if hidden == 0 {
        return Ok(Err(MetastoreError::NoSuchRun { run: *run }));
    }
    for (kind, command_json) in commands {
        // Keys of its own: a run is hidden once.
        let key = format!("delete-{kind}-{at}");
        if let Err(error) = put_command(connection, *run, &key, kind, command_json, *at).await? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(HIDDEN))
}

/// Removes a run if it is hidden and nobody needs it any more.
pub(crate) async fn purge(connection: &mut Connection, run: Uuid) -> Result<Answer, sqlx::Error> {
    query(format!("DELETE FROM runs WHERE id = $1 AND {}", purgeable())).bind(run).execute(connection).await
}
