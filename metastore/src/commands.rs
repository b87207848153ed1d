//! Commands: what any process asks of a run. They wait here for whoever drives it.

use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_json, encode_time, json, listed, time};
use crate::database::{Row, query};
use crate::error::MetastoreError;
use crate::rows::{Command, PendingCommand};

/// Most commands that one call returns; the rest follows when these are taken.
const PAGE: i64 = 100;

impl Metastore {
    /// Stores a command; false if it was there already under this idempotency key. It is taken by an append
    /// ([`crate::Append::commands_taken`]).
    pub async fn put_command(&self, run: Uuid, key: &str, command: &Command) -> Result<bool, MetastoreError> {
        let command_json = encode_json(run, "a command", command)?;
        let at = encode_time(Timestamp::now());
        let operation = crate::statements::Operation::PutCommand {
            run,
            key: key.to_owned(),
            kind: command.kind(),
            command_json,
            at,
        };
        Ok(self.writer.submit(operation).await? > 0)
    }

    /// Commands of a run that nobody has taken, the oldest first.
    pub async fn pending_commands(&self, run: Uuid) -> Result<Vec<PendingCommand>, MetastoreError> {
        let what = || format!("read commands of run {run}");
        let rows = query(
            "SELECT id, run_id, idempotency_key, command_json, created_at FROM commands \
             WHERE run_id = $1 AND taken_at IS NULL ORDER BY id LIMIT $2",
        )
        .bind(run)
        .bind(PAGE)
        .fetch_all(&self.readers)
        .await
        .map_err(|error| MetastoreError::database(what(), error))?;
        rows.iter()
            .map(pending_command)
            .collect::<Result<_, _>>()
            .map_err(|reason| MetastoreError::Unreadable { row: format!("a command of run {run}"), reason })
    }

    /// Runs for which commands wait.
    pub async fn runs_with_commands(&self) -> Result<Vec<Uuid>, MetastoreError> {
        query("SELECT DISTINCT run_id FROM commands WHERE taken_at IS NULL")
            .fetch_values(&self.readers, "run_id")
            .await
            .map_err(|error| MetastoreError::database("look for commands", error))
    }
}

fn pending_command(row: &Row) -> Result<PendingCommand, Reason> {
    let id: i64 = column(row, "id")?;
    Ok(PendingCommand {
        id,
        run: column(row, "run_id")?,
        key: column(row, "idempotency_key")?,
        command: listed(json::<Command>(row, "command_json"), || format!("command {id}")),
        created_at: time(row, "created_at")?,
    })
}
