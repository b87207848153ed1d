//! Multi-row inserts: the rows of all appends of a transaction go to the database in a few statements.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use uuid::Uuid;

use super::append::{EncodedAppend, EncodedArtifact, EncodedCacheEntry, EncodedFact, EncodedTask, encode_node};
use super::records::{self, OfAppend};
use crate::codec::{encode_count, encode_time};
use crate::database::{Connection, QueryBuilder, RowValues};

/// Rows that wait for the end of the transaction.
#[derive(Default)]
pub(crate) struct Staged<'a> {
    facts: Vec<(Uuid, &'a EncodedFact)>,
    tasks: Vec<(Uuid, &'a EncodedTask)>,
    artifacts: Vec<(Uuid, &'a EncodedArtifact)>,
    cache_entries: Vec<(Uuid, &'a EncodedCacheEntry)>,
    records: Vec<OfAppend<'a>>,
}

/// Few different lengths, so that the prepared statements are found again. A step of a chain has two or three rows of a
/// kind, and each statement costs two changes of thread.
const ROWS_PER_STATEMENT: [usize; 7] = [64, 16, 8, 4, 3, 2, 1];

impl<'a> Staged<'a> {
    /// Takes the rows of an append that has passed the fence.
    pub(crate) fn add(&mut self, append: &'a EncodedAppend) {
        let run = append.run;
        self.facts.extend(append.facts.iter().map(|row| (run, row)));
        self.tasks.extend(append.tasks.iter().map(|row| (run, row)));
        self.artifacts.extend(append.artifacts.iter().map(|row| (run, row)));
        self.cache_entries.extend(append.cache_entries.iter().map(|row| (run, row)));
        let (records, artifacts, tasks) = (&append.records, &append.artifacts, &append.tasks);
        self.records.push(OfAppend { run, records, artifacts, tasks });
    }

    /// Writes everything.
    pub(crate) async fn store(self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        records::forget(connection, &self.records).await?;
        insert(connection, &FACTS, &self.facts, bind_fact).await?;
        let tasks = newest(self.tasks, |(run, task)| (*run, task.row.node));
        insert(connection, &TASKS, &tasks, bind_task).await?;
        let artifacts = newest(self.artifacts, |(run, artifact)| {
            let row = &artifact.row;
            (*run, row.node, row.output.as_str(), row.position)
        });
        insert(connection, &ARTIFACTS, &artifacts, bind_artifact).await?;
        insert(connection, &CACHE_ENTRIES, &self.cache_entries, bind_cache_entry).await?;
        records::store(connection, &self.records).await
    }
}

/// A statement around its list of values.
pub(crate) struct Insert {
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
}

/// Of several rows of one key the last. PostgreSQL does not write one row twice in a statement.
pub(super) fn newest<T: Copy, K: Eq + Hash>(rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut places = HashMap::with_capacity(rows.len());
    let mut kept: Vec<T> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.entry(key(&row)) {
            Entry::Occupied(place) => kept[*place.get()] = row,
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(row);
            }
        }
    }
    kept
}

/// Writes rows, many in a statement.
pub(crate) async fn insert<T>(
    connection: &mut Connection,
    insert: &Insert,
    rows: &[T],
    bind: impl for<'q> Fn(&mut RowValues<'_, 'q>, &'q T),
) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    for size in ROWS_PER_STATEMENT {
        while let Some((chunk, after)) = rest.split_at_checked(size) {
            rest = after;
            let mut query = QueryBuilder::new(connection.dialect(), insert.before);
            query.push_values(chunk, |values, row| bind(values, row));
            query.push(insert.after);
            query.build().execute(&mut *connection).await?;
        }
    }
    Ok(())
}

const FACTS: Insert = Insert { before: "INSERT INTO facts (run_id, seq, at, fact_json) ", after: "" };

fn bind_fact<'q>(values: &mut RowValues<'_, 'q>, (run, fact): &'q (Uuid, &EncodedFact)) {
    values.push_bind(*run).push_bind(fact.seq).push_bind(fact.at).push_bind(fact.json.as_str());
}

const TASKS: Insert = Insert {
    before: "INSERT INTO tasks (run_id, node, parent, path, task_key, display_name, kind, status, attempt, cached, \
             iteration, started_at, finished_at, error, reason, log_uri, outputs_json) ",
    after: " ON CONFLICT (run_id, node) DO UPDATE SET parent = excluded.parent, path = excluded.path, \
            task_key = excluded.task_key, display_name = excluded.display_name, kind = excluded.kind, \
            status = excluded.status, attempt = excluded.attempt, cached = excluded.cached, \
            iteration = excluded.iteration, started_at = excluded.started_at, finished_at = excluded.finished_at, \
            error = excluded.error, reason = excluded.reason, log_uri = excluded.log_uri, \
            outputs_json = excluded.outputs_json",
};

fn bind_task<'q>(values: &mut RowValues<'_, 'q>, (run, task): &'q (Uuid, &EncodedTask)) {
    let row = &task.row;
    values
        .push_bind(*run)
        .push_bind(encode_node(row.node))
        .push_bind(row.parent.map(encode_node))
        .push_bind(row.path.as_str())
        .push_bind(row.key.as_str())
        .push_bind(row.display_name.as_str())
        .push_bind(task.kind.as_str())
        .push_bind(task.status.as_str())
        .push_bind(row.attempt.map(i64::from))
        .push_bind(row.cached)
        .push_bind(row.iteration.map(i64::from))
        .push_bind(row.started_at.map(encode_time))
        .push_bind(row.finished_at.map(encode_time))
        .push_bind(row.error.as_deref())
        .push_bind(row.reason.as_deref())
        .push_bind(row.log_uri.as_deref())
        .push_bind(task.outputs_json.as_deref());
}

const ARTIFACTS: Insert = Insert {
    before: "INSERT INTO artifacts (run_id, node, output, position, artifact_id, name, type_title, uri, digest, size, \
             record_json) ",
    after: " ON CONFLICT (run_id, node, output, position) DO UPDATE SET artifact_id = excluded.artifact_id, \
            name = excluded.name, type_title = excluded.type_title, uri = excluded.uri, digest = excluded.digest, \
            size = excluded.size, record_json = excluded.record_json",
};

fn bind_artifact<'q>(values: &mut RowValues<'_, 'q>, (run, encoded): &'q (Uuid, &EncodedArtifact)) {
    let row = &encoded.row;
    let content = row.artifact.content.as_ref();
    values
        .push_bind(*run)
        .push_bind(encode_node(row.node))
        .push_bind(row.output.as_str())
        .push_bind(i64::from(row.position))
        .push_bind(row.artifact.id)
        .push_bind(row.artifact.name.as_str())
        .push_bind(row.artifact.artifact_type.schema_title.as_str())
        .push_bind(row.artifact.uri.as_str())
        .push_bind(content.map(|content| content.digest.as_str()))
        .push_bind(content.map(|content| encode_count(content.size)))
        .push_bind(encoded.record_json.as_str());
}

const CACHE_ENTRIES: Insert = Insert {
    before: "INSERT INTO cache_entries (pipeline_name, namespace, cache_key, run_id, task_path, outputs_json, \
             key_json, created_at) ",
    after: "",
};

fn bind_cache_entry<'q>(values: &mut RowValues<'_, 'q>, (run, encoded): &'q (Uuid, &EncodedCacheEntry)) {
    let entry = &encoded.entry;
    values
        .push_bind(entry.scope.pipeline_name.as_str())
        .push_bind(entry.scope.namespace.as_str())
        .push_bind(entry.key.as_str())
        .push_bind(*run)
        .push_bind(entry.task_path.as_str())
        .push_bind(encoded.outputs_json.as_str())
        .push_bind(encoded.key_json.as_str())
        .push_bind(encode_time(entry.created_at));
}
