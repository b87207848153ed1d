//! What is recorded across runs, in the transaction that holds the facts: each artifact once, the artifacts that tasks
//! took, and what changed.

use penstock_engine::NodeId;
use uuid::Uuid;

use super::Answer;
use super::append::{EncodedArtifact, EncodedRunUpdate, EncodedTask, encode_node};
use super::insert::{Insert, insert, newest};
use crate::codec::encode_time;
use crate::database::{Connection, RowValues, query};
use crate::feed::{self, Labels, NewChange};
use crate::rows::{Append, TaskInput};
use crate::run_values::{self, EncodedValue, ValueRow};

/// What one append adds.
#[derive(Debug, Default)]
pub(crate) struct RecordRows {
    inputs: Vec<TaskInput>,
    restarted: Vec<NodeId>,
    /// When artifacts were recorded.
    at: i64,
    changes: Vec<NewChange>,
    values: Vec<EncodedValue>,
}

impl RecordRows {
    /// Takes what an append has beside its other rows.
    pub(crate) fn take(append: &mut Append, values: Vec<EncodedValue>, at: i64) -> Self {
        Self {
            inputs: std::mem::take(&mut append.inputs),
            restarted: std::mem::take(&mut append.restarted),
            at,
            changes: Vec::new(),
            values,
        }
    }

    /// Adds what follows from the other rows.
    pub(crate) fn note(&mut self, tasks: &[EncodedTask], update: Option<&EncodedRunUpdate>) {
        let at = self.at;
        self.changes.extend(tasks.iter().filter_map(|task| NewChange::task_ended(&task.row, &task.status, at)));
        self.changes.extend(update.map(|update| NewChange::run_updated(&update.update, at)));
    }

    /// Whether others may want to know of it.
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    pub(crate) fn rows(&self) -> usize {
        self.inputs.len() + self.changes.len() + self.values.len()
    }
}

/// The rows of one append, with those that they refer to.
pub(super) struct OfAppend<'a> {
    pub(super) run: Uuid,
    pub(super) records: &'a RecordRows,
    pub(super) artifacts: &'a [EncodedArtifact],
    pub(super) tasks: &'a [EncodedTask],
}

/// Forgets what tasks took and put out in an earlier round of their run: that may be more than they do now. Comes before
/// anything is written.
pub(super) async fn forget(connection: &mut Connection, appends: &[OfAppend<'_>]) -> Result<(), sqlx::Error> {
    for append in appends {
        for node in &append.records.restarted {
            query("DELETE FROM task_inputs WHERE run_id = $1 AND node = $2")
                .bind(append.run)
                .bind(encode_node(*node))
                .execute(&mut *connection)
                .await?;
            query("DELETE FROM artifacts WHERE run_id = $1 AND node = $2")
                .bind(append.run)
                .bind(encode_node(*node))
                .execute(&mut *connection)
                .await?;
            query("DELETE FROM run_values WHERE run_id = $1 AND node = $2")
                .bind(append.run)
                .bind(encode_node(*node))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Writes what the appends of a transaction add.
pub(super) async fn store(connection: &mut Connection, appends: &[OfAppend<'_>]) -> Result<(), sqlx::Error> {
    let mut inputs = Vec::new();
    for append in appends {
        inputs.extend(append.records.inputs.iter().map(|input| (append.run, input)));
    }
    let inputs = newest(inputs, |(run, input)| (*run, input.node, input.input.as_str(), input.position));
    insert(connection, &INPUTS, &inputs, bind_input).await?;
    let mut artifacts = Vec::new();
    let mut changes = Vec::new();
    let mut values = Vec::new();
    for append in appends {
        let records = append.records;
        if append.artifacts.is_empty() && records.changes.is_empty() && records.values.is_empty() {
            continue;
        }
        let Some(labels) = feed::labels(connection, append.run).await? else { continue };
        let path_of = |node: NodeId| {
            let task = append.tasks.iter().find(|task| task.row.node == node);
            task.map_or("", |task| task.row.path.as_str())
        };
        artifacts.extend(append.artifacts.iter().map(|encoded| Record {
            labels: labels.clone(),
            path: path_of(encoded.row.node),
            at: records.at,
            encoded,
        }));
        if !records.values.is_empty() && run_values::has_room(connection, append.run).await? {
            values.extend(records.values.iter().map(|value| (append.run, labels.namespace.clone(), value)));
        }
        if !labels.hidden {
            changes.extend(records.changes.iter().map(|change| (labels.clone(), change.clone())));
        }
    }
    insert(connection, &ARTIFACT_RECORDS, &artifacts, bind_record).await?;
    let values: Vec<ValueRow<'_>> = values.iter().map(|(run, place, value)| (*run, place.as_str(), *value)).collect();
    let values = newest(values, |(run, _, value)| (*run, value.key.as_str()));
    insert(connection, &run_values::VALUES, &values, run_values::bind_value).await?;
    feed::add(connection, &changes).await
}

/// Stores what the tasks of a run took that began before inputs were recorded. What is there already stays.
pub(crate) async fn fill_inputs(
    connection: &mut Connection,
    run: Uuid,
    inputs: &[TaskInput],
) -> Result<Answer, sqlx::Error> {
    // Its row refers to the run: without it, the run is gone, or somebody else was faster.
    let waits = query("DELETE FROM unrecorded_inputs WHERE run_id = $1").bind(run).execute(&mut *connection).await?;
    if waits > 0 {
        let rows: Vec<_> = inputs.iter().map(|input| (run, input)).collect();
        insert(connection, &FILLED, &rows, bind_input).await?;
    }
    Ok(waits)
}

const FILLED: Insert =
    Insert { after: " ON CONFLICT (run_id, node, input, position) DO NOTHING", before: INPUTS.before };

const INPUTS: Insert = Insert {
    before: "INSERT INTO task_inputs (run_id, node, input, position, artifact_id, taken_at) ",
    after: " ON CONFLICT (run_id, node, input, position) DO UPDATE SET artifact_id = excluded.artifact_id, \
            taken_at = excluded.taken_at",
};

fn bind_input<'q>(values: &mut RowValues<'_, 'q>, (run, input): &'q (Uuid, &TaskInput)) {
    values
        .push_bind(*run)
        .push_bind(encode_node(input.node))
        .push_bind(input.input.as_str())
        .push_bind(i64::from(input.position))
        .push_bind(input.artifact)
        .push_bind(encode_time(input.taken_at));
}

struct Record<'a> {
    labels: Labels,
    path: &'a str,
    at: i64,
    encoded: &'a EncodedArtifact,
}

/// The first task that is stored with an artifact is the one that made it: others have it from the cache, or found it
/// when they imported the same.
const ARTIFACT_RECORDS: Insert = Insert {
    before: "INSERT INTO artifact_records (artifact_id, namespace, pipeline_name, run_id, node, task_path, output, \
             position, name, type_title, uri, digest, recorded_at, record_json) ",
    after: " ON CONFLICT (artifact_id) DO NOTHING",
};

fn bind_record<'q>(values: &mut RowValues<'_, 'q>, record: &'q Record<'_>) {
    let Record { labels, path, at, encoded } = record;
    let (row, artifact) = (&encoded.row, &encoded.row.artifact);
    values
        .push_bind(artifact.id)
        .push_bind(labels.namespace.as_str())
        .push_bind(labels.pipeline_name.as_str())
        .push_bind(labels.run)
        .push_bind(encode_node(row.node))
        .push_bind(*path)
        .push_bind(row.output.as_str())
        .push_bind(i64::from(row.position))
        .push_bind(artifact.name.as_str())
        .push_bind(artifact.artifact_type.schema_title.as_str())
        .push_bind(artifact.uri.as_str())
        .push_bind(artifact.content.as_ref().map(|content| content.digest.as_str()))
        .push_bind(*at)
        .push_bind(encoded.record_json.as_str());
}
