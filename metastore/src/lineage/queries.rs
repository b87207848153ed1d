//! The statements that lineages are read with.

use penstock_engine::NodeId;
use penstock_spec::Timestamp;
use uuid::Uuid;

use super::{ArtifactCursor, ArtifactQuery, ConsumedInput};
use crate::Metastore;
use crate::codec::encode_time;
use crate::database::{Dialect, QueryBuilder};
use crate::error::MetastoreError;
use crate::rows::TaskInput;
use crate::runs::MAX_PAGE;
use crate::statements::encode_node;

const RECORD: &str = "SELECT artifact_id, namespace, pipeline_name, run_id, node, task_path, output, position, \
    recorded_at, record_json FROM artifact_records WHERE ";

/// A record is seen as long as a run has the artifact that was not deleted.
const VISIBLE: &str = "EXISTS (SELECT 1 FROM artifacts JOIN runs ON runs.id = artifacts.run_id \
    WHERE artifacts.artifact_id = artifact_records.artifact_id AND runs.deleted_at IS NULL)";

pub(super) const INPUT: &str = "SELECT run_id, node, input, position, artifact_id, taken_at FROM task_inputs \
    JOIN runs ON runs.id = task_inputs.run_id WHERE runs.deleted_at IS NULL AND ";

pub(super) const OUTPUT: &str = "SELECT run_id, node, output, position, artifact_id FROM artifacts \
    JOIN runs ON runs.id = artifacts.run_id WHERE runs.deleted_at IS NULL AND ";

pub(super) const EXECUTION: &str = "SELECT tasks.run_id, tasks.node, path, tasks.display_name AS task_name, kind, tasks.status, \
    cached, tasks.finished_at, runs.display_name AS run_name, pipeline_name FROM tasks \
    JOIN runs ON runs.id = tasks.run_id WHERE runs.deleted_at IS NULL AND ";

pub(super) fn list_query(dialect: Dialect, query: &ArtifactQuery, limit: u32) -> QueryBuilder<'_> {
    let ArtifactQuery { namespace, type_title, name, uri, digest, pipeline_name, task_path, from, until, after } =
        query;
    let mut sql = QueryBuilder::new(dialect, RECORD);
    sql.push("namespace = ").push_bind(namespace);
    // What comes from a user's code may be longer than an index takes.
    for (column, value) in [("type_title", type_title), ("name", name), ("uri", uri)] {
        if let (Some(value), Some(beginning)) = (value, dialect.indexed_beginning()) {
            sql.push(format_args!(" AND left({column}, {beginning}) = left(")).push_bind(value);
            sql.push(format_args!(", {beginning})"));
        }
    }
    let texts = [
        (" AND type_title = ", type_title),
        (" AND name = ", name),
        (" AND uri = ", uri),
        (" AND digest = ", digest),
        (" AND pipeline_name = ", pipeline_name),
        (" AND task_path = ", task_path),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            sql.push(condition).push_bind(value);
        }
    }
    if let Some(from) = from {
        sql.push(" AND recorded_at >= ").push_bind(encode_time(*from));
    }
    if let Some(until) = until {
        sql.push(" AND recorded_at < ").push_bind(encode_time(*until));
    }
    if let Some(ArtifactCursor { recorded_at, id }) = after {
        sql.push(" AND (recorded_at, artifact_id) < (").push_bind(*recorded_at).push(", ").push_bind(*id).push(")");
    }
    sql.push(" AND ").push(VISIBLE);
    sql.push(" ORDER BY recorded_at DESC, artifact_id DESC LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
    sql
}

pub(super) fn holders_query(
    dialect: Dialect,
    artifact: Uuid,
    after: Option<(Uuid, NodeId)>,
    limit: u32,
) -> QueryBuilder<'static> {
    let mut sql = QueryBuilder::new(dialect, OUTPUT);
    sql.push("artifact_id = ").push_bind(artifact);
    if let Some((run, node)) = after {
        sql.push(" AND (run_id, node) > (").push_bind(run).push(", ").push_bind(encode_node(node)).push(")");
    }
    sql.push(" ORDER BY run_id, node LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
    sql
}

pub(super) fn consumers_query(
    dialect: Dialect,
    artifact: Uuid,
    after: Option<&ConsumedInput>,
    limit: u32,
) -> QueryBuilder<'_> {
    let mut sql = QueryBuilder::new(dialect, INPUT);
    sql.push("artifact_id = ").push_bind(artifact);
    if let Some(ConsumedInput { run, input }) = after {
        sql.push(" AND (taken_at, run_id, node, input, position) > (").push_bind(encode_time(input.taken_at));
        sql.push(", ").push_bind(*run).push(", ").push_bind(encode_node(input.node));
        sql.push(", ").push_bind(&input.input).push(", ").push_bind(i64::from(input.position)).push(")");
    }
    sql.push(" ORDER BY taken_at, run_id, node, input, position LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
    sql
}

pub(super) fn records_query(dialect: Dialect, ids: &[Uuid]) -> QueryBuilder<'static> {
    let mut sql = QueryBuilder::new(dialect, RECORD);
    sql.push("artifact_id IN (");
    for (index, id) in ids.iter().enumerate() {
        sql.push(if index > 0 { ", " } else { "" }).push_bind(*id);
    }
    sql.push(") AND ").push(VISIBLE);
    sql
}

pub(super) fn by_tasks(
    dialect: Dialect,
    head: &'static str,
    table: &'static str,
    tasks: &[(Uuid, NodeId)],
    limit: usize,
) -> QueryBuilder<'static> {
    let mut sql = QueryBuilder::new(dialect, head);
    sql.push(format_args!("({table}.run_id, {table}.node) IN (VALUES "));
    for (index, (run, node)) in tasks.iter().enumerate() {
        sql.push(if index > 0 { ", (" } else { "(" }).push_bind(*run);
        sql.push(", ").push_bind(encode_node(*node)).push(")");
    }
    sql.push(") LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    sql
}

/// How lists of artifacts are looked for, for a test.
#[doc(hidden)]
pub async fn artifact_list_plan(store: &Metastore, query: &ArtifactQuery) -> Result<Vec<String>, MetastoreError> {
    store.explain(list_query(store.readers.dialect(), query, 100).build()).await
}

/// How the holders and consumers of an artifact are looked for behind a place, and what belongs to artifacts and tasks,
/// for a test.
#[doc(hidden)]
pub async fn lineage_plans(
    store: &Metastore,
    artifact: Uuid,
    (run, node): (Uuid, NodeId),
) -> Result<Vec<Vec<String>>, MetastoreError> {
    let dialect = store.readers.dialect();
    let (id, tasks) = (artifact, [(run, node), (Uuid::nil(), node)]);
    let input = TaskInput { node, input: String::new(), position: 0, artifact, taken_at: Timestamp::UNIX_EPOCH };
    let taken = ConsumedInput { run, input };
    let queries = [
        holders_query(dialect, id, Some((run, node)), 100),
        consumers_query(dialect, id, Some(&taken), 100),
        records_query(dialect, &[id, Uuid::nil()]),
        by_tasks(dialect, INPUT, "task_inputs", &tasks, 100),
        by_tasks(dialect, OUTPUT, "artifacts", &tasks, 100),
        by_tasks(dialect, EXECUTION, "tasks", &tasks, 100),
    ];
    let mut plans = Vec::with_capacity(queries.len());
    for query in queries {
        plans.push(store.explain(query.build()).await?);
    }
    Ok(plans)
}
