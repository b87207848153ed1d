//! One append: the fence, then rows for the transaction's multi-row inserts.

use penstock_engine::NodeId;
use penstock_spec::Timestamp;
use uuid::Uuid;

use super::records::RecordRows;
use super::{Answer, Staged, explain_conflict};
use crate::codec::{encode_count, encode_json, encode_time, encode_word};
use crate::database::{Connection, query};
use crate::error::MetastoreError;
use crate::rows::{Append, ArtifactRow, MAX_OUTPUTS_BYTES, NewCacheEntry, RunUpdate, TaskRow};
use crate::run_records::history_line;
use crate::run_values;

/// An append, as columns. Encoding happens in the caller's task, so that the writer has little to do.
#[derive(Debug)]
pub(crate) struct EncodedAppend {
    pub(crate) run: Uuid,
    pub(crate) epoch: u64,
    pub(crate) expected: u64,
    pub(crate) facts: Vec<EncodedFact>,
    pub(crate) tasks: Vec<EncodedTask>,
    pub(crate) run_update: Option<EncodedRunUpdate>,
    pub(crate) artifacts: Vec<EncodedArtifact>,
    pub(crate) cache_entries: Vec<EncodedCacheEntry>,
    pub(crate) records: RecordRows,
    pub(crate) commands_taken: Vec<i64>,
    /// When commands count as taken.
    pub(crate) now: i64,
}

#[derive(Debug)]
pub(crate) struct EncodedRunUpdate {
    pub(crate) update: RunUpdate,
    /// What the run's history says of it, if the status is another one than before.
    pub(crate) history: String,
}

#[derive(Debug)]
pub(crate) struct EncodedFact {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) json: String,
}

#[derive(Debug)]
pub(crate) struct EncodedTask {
    pub(crate) row: TaskRow,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) outputs_json: Option<String>,
}

#[derive(Debug)]
pub(crate) struct EncodedArtifact {
    pub(crate) row: ArtifactRow,
    pub(crate) record_json: String,
}

#[derive(Debug)]
pub(crate) struct EncodedCacheEntry {
    pub(crate) entry: NewCacheEntry,
    pub(crate) outputs_json: String,
    pub(crate) key_json: String,
}

impl EncodedAppend {
    pub(crate) fn new(mut append: Append, now: Timestamp) -> Result<Self, MetastoreError> {
        // The last of the facts is what changed the run.
        let changed_at = append.facts.last().map_or(now, |(_, at)| *at);
        let values = run_values::of_append(append.facts.iter().map(|(fact, _)| fact), &append.artifacts);
        let mut records = RecordRows::take(&mut append, values, encode_time(changed_at));
        let Append { run, epoch, expected, facts, tasks, run_update, artifacts, cache_entries, commands_taken, .. } =
            append;
        let run_update = run_update.map(|update| {
            let history = history_line(changed_at, update.status, update.error.as_deref());
            EncodedRunUpdate { update, history }
        });
        let facts = facts.iter().zip(expected + 1..).map(|((fact, at), seq)| {
            let json = encode_json(run, "a fact", fact)?;
            Ok(EncodedFact { seq: encode_count(seq), at: encode_time(*at), json })
        });
        let artifacts = artifacts.into_iter().map(|row| {
            let record_json = encode_json(run, "an artifact", &row.artifact)?;
            Ok(EncodedArtifact { row, record_json })
        });
        let cache_entries = cache_entries.into_iter().map(|entry| {
            let outputs_json = encode_json(run, "outputs", &entry.outputs)?;
            let key_json = encode_json(run, "a cache key", &entry.key_document)?;
            Ok(EncodedCacheEntry { entry, outputs_json, key_json })
        });
        let tasks: Vec<_> = tasks.into_iter().map(|row| encode_task(run, row)).collect::<Result<_, _>>()?;
        records.note(&tasks, run_update.as_ref());
        Ok(Self {
            run,
            epoch,
            expected,
            facts: facts.collect::<Result<_, MetastoreError>>()?,
            tasks,
            run_update,
            records,
            artifacts: artifacts.collect::<Result<_, MetastoreError>>()?,
            cache_entries: cache_entries.collect::<Result<_, MetastoreError>>()?,
            commands_taken,
            now: encode_time(now),
        })
    }

    pub(crate) fn rows(&self) -> usize {
        1 + self.facts.len() + self.tasks.len() + self.artifacts.len() + self.cache_entries.len() + self.records.rows()
    }
}

fn encode_task(run: Uuid, row: TaskRow) -> Result<EncodedTask, MetastoreError> {
    let outputs_json = match &row.outputs {
        Some(outputs) => Some(encode_json(run, "outputs", outputs)?).filter(|json| json.len() <= MAX_OUTPUTS_BYTES),
        None => None,
    };
    Ok(EncodedTask { kind: encode_word(row.kind), status: encode_word(row.status), outputs_json, row })
}

/// Node as a column.
pub(crate) fn encode_node(node: NodeId) -> i64 {
    i64::from(node.0)
}

pub(crate) async fn apply<'a>(
    connection: &mut Connection,
    staged: &mut Staged<'a>,
    append: &'a EncodedAppend,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let advanced = match &append.run_update {
        None => advance(connection, append).await?,
        Some(update) => advance_and_update(connection, append, update).await?,
    };
    if !advanced {
        return explain_conflict(connection, append.run, append.epoch, append.expected).await.map(Err);
    }
    for command in &append.commands_taken {
        query("UPDATE commands SET taken_at = $1 WHERE id = $2 AND run_id = $3 AND taken_at IS NULL")
            .bind(append.now)
            .bind(*command)
            .bind(append.run)
            .execute(&mut *connection)
            .await?;
    }
    staged.add(append);
    Ok(Ok(append.expected + append.facts.len() as u64))
}

/// The fence: one statement compares the epoch and the number of facts, and moves on.
async fn advance(connection: &mut Connection, append: &EncodedAppend) -> Result<bool, sqlx::Error> {
    let updated =
        query("UPDATE runs SET fact_count = fact_count + $1 WHERE id = $2 AND epoch = $3 AND fact_count = $4")
            .bind(encode_count(append.facts.len() as u64))
            .bind(append.run)
            .bind(encode_count(append.epoch))
            .bind(encode_count(append.expected))
            .execute(connection)
            .await?;
    Ok(updated == 1)
}

async fn advance_and_update(
    connection: &mut Connection,
    append: &EncodedAppend,
    EncodedRunUpdate { update, history }: &EncodedRunUpdate,
) -> Result<bool, sqlx::Error> {
    let updated = query(
        "UPDATE runs SET fact_count = fact_count + $1, status = $5, error = $6, started_at = $7, finished_at = $8, \
           history = CASE WHEN status = $5 THEN history ELSE history || $9 END \
         WHERE id = $2 AND epoch = $3 AND fact_count = $4",
    )
    .bind(encode_count(append.facts.len() as u64))
    .bind(append.run)
    .bind(encode_count(append.epoch))
    .bind(encode_count(append.expected))
    .bind(encode_word(update.status))
    .bind(&update.error)
    .bind(update.started_at.map(encode_time))
    .bind(update.finished_at.map(encode_time))
    .bind(history)
    .execute(connection)
    .await?;
    Ok(updated == 1)
}
