//! Where artifacts come from and where they go: artifacts across runs, the tasks that made them, the runs that have them
//! from the cache, and the tasks that took them.
//!
//! An artifact is of one namespace: the caches and the imports that hand records on are too.

use penstock_engine::NodeId;
use penstock_spec::Timestamp;
use penstock_spec::artifact::Artifact;
use penstock_spec::run::TaskStatus;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_time, identity, json, listed, number, optional_time, time, word};
use crate::database::{QueryBuilder, Row};
use crate::error::MetastoreError;
use crate::rows::{Listed, TaskInput, TaskKind};
use crate::runs::MAX_PAGE;
use crate::statements::Operation;

mod queries;

use queries::{EXECUTION, INPUT, OUTPUT, by_tasks, consumers_query, holders_query, list_query, records_query};
#[doc(hidden)]
pub use queries::{artifact_list_plan, lineage_plans};

/// Ids in one statement.
const IDS_PER_STATEMENT: usize = 100;

/// Which artifacts to list; parts that are absent match everything. The newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactQuery {
    /// The namespace.
    pub namespace: String,
    /// Title of the type, such as `system.Model`.
    pub type_title: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// URI.
    pub uri: Option<String>,
    /// Digest of the content.
    pub digest: Option<String>,
    /// Name of the pipeline that made it.
    pub pipeline_name: Option<String>,
    /// Path of the task that made it.
    pub task_path: Option<String>,
    /// Only those recorded at this time or later.
    pub from: Option<Timestamp>,
    /// Only those recorded before.
    pub until: Option<Timestamp>,
    /// Only those behind this one.
    pub after: Option<ArtifactCursor>,
}

/// Where an artifact stands in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArtifactCursor {
    /// When it was recorded, in nanoseconds since 1970.
    pub recorded_at: i64,
    /// The artifact.
    pub id: Uuid,
}

/// An artifact with the task that made the record.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactRecord {
    /// The record.
    pub artifact: Artifact,
    /// The namespace.
    pub namespace: String,
    /// Name of the pipeline.
    pub pipeline_name: String,
    /// The run of the task.
    pub run: Uuid,
    /// The task.
    pub node: NodeId,
    /// Its path; empty if that is not known.
    pub task_path: String,
    /// Key of the output.
    pub output: String,
    /// Place in the output's list.
    pub position: u32,
    /// When the task ended.
    pub recorded_at: Timestamp,
}

impl ArtifactRecord {
    /// Where it stands in a list.
    pub fn cursor(&self) -> ArtifactCursor {
        ArtifactCursor { recorded_at: encode_time(self.recorded_at), id: self.artifact.id }
    }
}

/// An artifact that a task took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedInput {
    /// The run.
    pub run: Uuid,
    /// What was taken, by which task, and when.
    pub input: TaskInput,
}

/// An artifact that a task put out, made by it or taken from the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedOutput {
    /// The run.
    pub run: Uuid,
    /// The task.
    pub node: NodeId,
    /// Key of the output.
    pub output: String,
    /// Place in the output's list.
    pub position: u32,
    /// The artifact.
    pub artifact: Uuid,
}

/// A task of a run, for a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The run.
    pub run: Uuid,
    /// The task.
    pub node: NodeId,
    /// Its path.
    pub task_path: String,
    /// Name of the task for people.
    pub task_name: String,
    /// Kind.
    pub kind: TaskKind,
    /// State.
    pub status: TaskStatus,
    /// Whether its result came from the cache.
    pub cached: bool,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Name of the run for people.
    pub run_name: String,
    /// Name of the pipeline.
    pub pipeline_name: String,
}

impl Metastore {
    /// Artifacts across runs, the newest first, at most `limit`.
    pub async fn list_artifacts(
        &self,
        query: &ArtifactQuery,
        limit: u32,
    ) -> Result<Vec<(ArtifactCursor, Listed<ArtifactRecord>)>, MetastoreError> {
        let rows = list_query(self.readers.dialect(), query, limit).build().fetch_all(&self.readers).await;
        let rows = rows.map_err(|error| MetastoreError::database("list artifacts", error))?;
        let unreadable = |reason| MetastoreError::Unreadable { row: "an artifact".to_owned(), reason };
        let cursor = |row: &Row| {
            Ok(ArtifactCursor { recorded_at: column(row, "recorded_at")?, id: column(row, "artifact_id")? })
        };
        rows.iter()
            .map(|row| {
                let place = cursor(row).map_err(unreadable)?;
                Ok((place, listed(record(row), || identity(row, "artifact_id"))))
            })
            .collect()
    }

    /// Artifacts by their ids, with the tasks that made them, in no particular order. Those that are not there are left
    /// out, and so are those that cannot be read.
    pub async fn artifact_records(&self, ids: &[Uuid]) -> Result<Vec<ArtifactRecord>, MetastoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_PER_STATEMENT) {
            let rows = records_query(self.readers.dialect(), ids).build().fetch_all(&self.readers).await;
            let rows = rows.map_err(|error| MetastoreError::database("read artifacts", error))?;
            found.extend(rows.iter().filter_map(|row| record(row).ok()));
        }
        Ok(found)
    }

    /// Tasks that put an artifact out, the one that made it and those that have it from the cache, behind a place among
    /// them, at most `limit`.
    pub async fn holders(
        &self,
        artifact: Uuid,
        after: Option<(Uuid, NodeId)>,
        limit: u32,
    ) -> Result<Vec<ProducedOutput>, MetastoreError> {
        let rows = holders_query(self.readers.dialect(), artifact, after, limit).build().fetch_all(&self.readers).await;
        let rows =
            rows.map_err(|error| MetastoreError::database(format!("read runs of artifact {artifact}"), error))?;
        rows.iter().map(|row| readable(output(row))).collect()
    }

    /// Tasks that took an artifact, in the order in which they did, behind one of them, at most `limit`.
    pub async fn consumers(
        &self,
        artifact: Uuid,
        after: Option<&ConsumedInput>,
        limit: u32,
    ) -> Result<Vec<ConsumedInput>, MetastoreError> {
        let rows =
            consumers_query(self.readers.dialect(), artifact, after, limit).build().fetch_all(&self.readers).await;
        let failed = |error| MetastoreError::database(format!("read consumers of artifact {artifact}"), error);
        rows.map_err(failed)?.iter().map(|row| readable(input(row))).collect()
    }

    /// What tasks took, at most `limit` rows.
    pub async fn inputs_of(
        &self,
        tasks: &[(Uuid, NodeId)],
        limit: usize,
    ) -> Result<Vec<ConsumedInput>, MetastoreError> {
        self.of_tasks(INPUT, "task_inputs", tasks, limit, input).await
    }

    /// What tasks put out, at most `limit` rows.
    pub async fn outputs_of(
        &self,
        tasks: &[(Uuid, NodeId)],
        limit: usize,
    ) -> Result<Vec<ProducedOutput>, MetastoreError> {
        self.of_tasks(OUTPUT, "artifacts", tasks, limit, output).await
    }

    /// Tasks, for a graph.
    pub async fn executions(&self, tasks: &[(Uuid, NodeId)]) -> Result<Vec<Execution>, MetastoreError> {
        self.of_tasks(EXECUTION, "tasks", tasks, tasks.len(), execution).await
    }

    async fn of_tasks<T>(
        &self,
        head: &'static str,
        table: &'static str,
        tasks: &[(Uuid, NodeId)],
        limit: usize,
        read: impl Fn(&Row) -> Result<T, Reason>,
    ) -> Result<Vec<T>, MetastoreError> {
        let mut found = Vec::new();
        for tasks in tasks.chunks(IDS_PER_STATEMENT) {
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            let query = by_tasks(self.readers.dialect(), head, table, tasks, left).build();
            let rows = query.fetch_all(&self.readers).await;
            let rows = rows.map_err(|error| MetastoreError::database("read a lineage", error))?;
            for row in &rows {
                found.push(readable(read(row))?);
            }
        }
        Ok(found)
    }

    /// Runs of a namespace that began before inputs were recorded, at most `limit`: what their tasks took is not known.
    pub async fn runs_without_inputs(&self, namespace: Option<&str>, limit: u32) -> Result<Vec<Uuid>, MetastoreError> {
        let mut sql = QueryBuilder::new(
            self.readers.dialect(),
            "SELECT run_id FROM unrecorded_inputs JOIN runs ON runs.id = run_id WHERE 1 = 1",
        );
        if let Some(namespace) = namespace {
            sql.push(" AND namespace = ").push_bind(namespace);
        }
        sql.push(" ORDER BY run_id LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
        let runs = sql.build().fetch_values(&self.readers, "run_id").await;
        runs.map_err(|error| MetastoreError::database("look for runs without recorded inputs", error))
    }

    /// Stores what the tasks of such a run took; returns whether it was one.
    pub async fn fill_inputs(&self, run: Uuid, inputs: Vec<TaskInput>) -> Result<bool, MetastoreError> {
        Ok(self.writer.submit(Operation::FillInputs { run, inputs }).await? > 0)
    }
}

fn readable<T>(read: Result<T, Reason>) -> Result<T, MetastoreError> {
    read.map_err(|reason| MetastoreError::Unreadable { row: "a row of a lineage".to_owned(), reason })
}

fn record(row: &Row) -> Result<ArtifactRecord, Reason> {
    Ok(ArtifactRecord {
        artifact: json(row, "record_json")?,
        namespace: column(row, "namespace")?,
        pipeline_name: column(row, "pipeline_name")?,
        run: column(row, "run_id")?,
        node: NodeId(number(row, "node")?),
        task_path: column(row, "task_path")?,
        output: column(row, "output")?,
        position: number(row, "position")?,
        recorded_at: time(row, "recorded_at")?,
    })
}

fn input(row: &Row) -> Result<ConsumedInput, Reason> {
    let input = TaskInput {
        node: NodeId(number(row, "node")?),
        input: column(row, "input")?,
        position: number(row, "position")?,
        artifact: column(row, "artifact_id")?,
        taken_at: time(row, "taken_at")?,
    };
    Ok(ConsumedInput { run: column(row, "run_id")?, input })
}

fn output(row: &Row) -> Result<ProducedOutput, Reason> {
    Ok(ProducedOutput {
        run: column(row, "run_id")?,
        node: NodeId(number(row, "node")?),
        output: column(row, "output")?,
        position: number(row, "position")?,
        artifact: column(row, "artifact_id")?,
    })
}

fn execution(row: &Row) -> Result<Execution, Reason> {
    Ok(Execution {
        run: column(row, "run_id")?,
        node: NodeId(number(row, "node")?),
        task_path: column(row, "path")?,
        task_name: column(row, "task_name")?,
        kind: word(row, "kind")?,
        status: word(row, "status")?,
        cached: column(row, "cached")?,
        finished_at: optional_time(row, "finished_at")?,
        run_name: column(row, "run_name")?,
        pipeline_name: column(row, "pipeline_name")?,
    })
}
