//! Tasks of a run, for lists and trees.

use penstock_engine::NodeId;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, listed, number, optional_json, optional_number, optional_time, word};
use crate::database::{Row, query};
use crate::error::MetastoreError;
use crate::rows::{Listed, TaskRow};
use crate::runs::MAX_PAGE;
use crate::statements::encode_node;

/// All columns of a row.
const EVERYTHING: &str = "*";
/// All but the outputs, which are most of what a row holds.
const WITHOUT_OUTPUTS: &str = "node, parent, path, task_key, display_name, kind, status, attempt, cached, iteration, started_at, \
     finished_at, error, reason, log_uri, CAST(NULL AS TEXT) AS outputs_json";

impl Metastore {
    /// All tasks of a run in the order of their nodes, their outputs left out: those are most of a large run.
    pub async fn tasks(&self, run: Uuid) -> Result<Vec<Listed<TaskRow>>, MetastoreError> {
        let rows = self.fetch_tasks(WITHOUT_OUTPUTS, run, -1, i64::MAX).await?;
        Ok(rows.iter().map(listed_task).collect())
    }

    /// Tasks of a run with a node greater than `after`, at most `limit`.
    pub async fn tasks_after(
        &self,
        run: Uuid,
        after: Option<NodeId>,
        limit: u32,
    ) -> Result<Vec<Listed<TaskRow>>, MetastoreError> {
        let rows =
            self.fetch_tasks(EVERYTHING, run, after.map_or(-1, encode_node), i64::from(limit.min(MAX_PAGE))).await?;
        Ok(rows.iter().map(listed_task).collect())
    }

    /// The task at a path.
    pub async fn task(&self, run: Uuid, path: &str) -> Result<Option<TaskRow>, MetastoreError> {
        let row = query("SELECT * FROM tasks WHERE run_id = $1 AND path = $2")
            .bind(run)
            .bind(path)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read task {path} of run {run}"), error))?;
        row.map(|row| task_row(&row))
            .transpose()
            .map_err(|reason| MetastoreError::Unreadable { row: format!("task {path} of run {run}"), reason })
    }

    async fn fetch_tasks(
        &self,
        columns: &'static str,
        run: Uuid,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Row>, MetastoreError> {
        query(format!("SELECT {columns} FROM tasks WHERE run_id = $1 AND node > $2 ORDER BY node LIMIT $3"))
            .bind(run)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read tasks of run {run}"), error))
    }
}

fn listed_task(row: &Row) -> Listed<TaskRow> {
    listed(task_row(row), || {
        let node = column::<i64>(row, "node").map_or_else(|_| "?".to_owned(), |node| node.to_string());
        match column::<String>(row, "path") {
            Ok(path) => format!("node {node}, {path}"),
            Err(_) => format!("node {node}"),
        }
    })
}

fn task_row(row: &Row) -> Result<TaskRow, Reason> {
    Ok(TaskRow {
        node: NodeId(number(row, "node")?),
        parent: optional_number(row, "parent")?.map(NodeId),
        path: column(row, "path")?,
        key: column(row, "task_key")?,
        display_name: column(row, "display_name")?,
        kind: word(row, "kind")?,
        status: word(row, "status")?,
        attempt: optional_number(row, "attempt")?,
        cached: column(row, "cached")?,
        iteration: optional_number(row, "iteration")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
        error: column(row, "error")?,
        reason: column(row, "reason")?,
        log_uri: column(row, "log_uri")?,
        outputs: optional_json(row, "outputs_json")?,
    })
}
