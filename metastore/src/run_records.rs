//! Runs as those see them who arrange and look for them: with what they belong to, what became of them when, and whether
//! they are put away. Runs that were deleted are not seen here, even while they are still under way.

use std::borrow::Cow;

use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_time, json, optional_json, reference, word};
use crate::database::{Connection, Dialect, Row, query};
use crate::error::MetastoreError;
use crate::listing::{Counts, Entity, Listing, Page, RunField, Search};
use crate::rows::{Command, RunRegistration, RunRow, StorageState};
use crate::runs::run_row;
use crate::statements::{Answer, Operation};

/// A status that a run has taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStateChange {
    /// When.
    pub at: Timestamp,
    /// The status.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<String>,
}

/// A run with all that is known of it beside its facts.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The run.
    pub row: RunRow,
    /// Where it belongs.
    pub registration: RunRegistration,
    /// In use or put away.
    pub storage_state: StorageState,
    /// The changes of its status, the oldest first. Begins with `PENDING` when it was created.
    pub history: Vec<RunStateChange>,
    /// The newest command that nobody has taken, unless this build does not know it.
    pub pending: Option<Command>,
    /// Parameters as the submitter gave them.
    pub parameters: Map<String, Value>,
    /// The pipeline as it was submitted, of a run that was made from neither a pipeline nor a version of the store.
    pub inline_text: Option<String>,
}

impl Entity for RunRecord {
    type Field = RunField;
    const KIND: &'static str = "run";
    const TABLE: &'static str = "runs";
    fn columns(dialect: Dialect) -> Cow<'static, str> {
        let nil = dialect.nil_id();
        Cow::Owned(format!(
            "id, info_json, options_json, status, error, started_at, finished_at, epoch, fact_count, experiment_id, \
             description, pipeline_id, version_id, recurring_run_id, pipeline_root, plugins_input_json, storage_state, \
             history, \
             (SELECT command_json FROM commands WHERE run_id = runs.id AND taken_at IS NULL \
                ORDER BY commands.id DESC LIMIT 1) AS pending_json, \
             (SELECT parameters_json FROM run_specs WHERE run_id = runs.id) AS parameters_json, \
             CASE WHEN pipeline_id = {nil} AND version_id = {nil} \
               THEN (SELECT pipeline_text FROM run_specs WHERE run_id = runs.id) END AS inline_text"
        ))
    }
    const VISIBLE: &'static str = "deleted_at IS NULL";
    const COUNTS: Option<Counts> = Some(Counts {
        table: "run_counts",
        count: "run_count",
        // Commands that wait are few.
        unsettled: "(SELECT DISTINCT run_id AS commanded FROM commands WHERE taken_at IS NULL) AS waiting",
        key: "commanded",
    });
    const SEARCH: Option<Search<RunField>> = Some(Search {
        field: RunField::Name,
        copied: &[
            RunField::Id,
            RunField::Name,
            RunField::CreatedAt,
            RunField::Namespace,
            RunField::Experiment,
            RunField::StorageState,
        ],
        scopes: &[RunField::Namespace, RunField::Experiment],
        trigrams: "run_trigrams",
        copies: "searched_runs",
    });

    fn read(row: &Row) -> Result<Self, Reason> {
        Ok(Self {
            row: run_row(row)?,
            registration: RunRegistration {
                experiment: reference(row, "experiment_id")?,
                description: column(row, "description")?,
                pipeline: reference(row, "pipeline_id")?,
                version: reference(row, "version_id")?,
                recurring_run: reference(row, "recurring_run_id")?,
                pipeline_root: column(row, "pipeline_root")?,
                plugins_input: json(row, "plugins_input_json")?,
                slot: None,
            },
            storage_state: word(row, "storage_state")?,
            history: history(&column::<Cow<'_, str>>(row, "history")?)?,
            // One of a newer build takes nothing away from the run.
            pending: optional_json(row, "pending_json").unwrap_or(None),
            parameters: json(row, "parameters_json")?,
            inline_text: column(row, "inline_text")?,
        })
    }
}

impl Metastore {
    /// A run, unless it was deleted.
    pub async fn run_record(&self, run: Uuid) -> Result<RunRecord, MetastoreError> {
        self.find(run).await?.ok_or(MetastoreError::NoSuchRun { run })
    }

    /// Runs that were not deleted.
    pub async fn list_run_records(&self, listing: &Listing<RunField>) -> Result<Page<RunRecord>, MetastoreError> {
        self.list(listing, None).await
    }

    /// Those of an experiment, which must exist; `listing` says that they are.
    pub async fn list_run_records_of(
        &self,
        experiment: Uuid,
        listing: &Listing<RunField>,
    ) -> Result<Page<RunRecord>, MetastoreError> {
        self.list_of_experiment(experiment, listing).await
    }

    /// Archives a run, or takes it out of the archive. It goes on as it did.
    pub async fn set_run_storage(&self, run: Uuid, state: StorageState) -> Result<(), MetastoreError> {
        let at = encode_time(Timestamp::now());
        self.writer.submit(Operation::StoreRun { run, state, at }).await.map(drop)
    }
}

pub(crate) async fn store(
    connection: &mut Connection,
    run: Uuid,
    state: StorageState,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    // Whoever archives it again does not begin anew.
    let stored = query(
        "UPDATE runs SET storage_state = $2, archived_at = CASE WHEN storage_state = $2 THEN archived_at ELSE $3 END \
         WHERE id = $1 AND deleted_at IS NULL",
    )
    .bind(run)
    .bind(state.as_str())
    .bind((state == StorageState::Archived).then_some(at))
    .execute(connection)
    .await?;
    Ok(if stored > 0 { Ok(1) } else { Err(MetastoreError::NoSuchRun { run }) })
}

/// A change as it is stored: a line of JSON.
#[derive(Serialize, Deserialize)]
struct Line {
    at: i64,
    status: RunStatus,
    error: Option<String>,
}

/// What is added to a run's history.
pub(crate) fn history_line(at: Timestamp, status: RunStatus, error: Option<&str>) -> String {
    let line = Line { at: encode_time(at), status, error: error.map(str::to_owned) };
    // Numbers, words and text always have a JSON form.
    let mut line = serde_json::to_string(&line).unwrap_or_default();
    line.push('\n');
    line
}

fn history(lines: &str) -> Result<Vec<RunStateChange>, Reason> {
    let failed = |error: &dyn std::fmt::Display| format!("column history: {error}");
    lines
        .lines()
        .map(|line| {
            let Line { at, status, error } = serde_json::from_str(line).map_err(|error| failed(&error))?;
            let at = Timestamp::from_nanosecond(i128::from(at)).map_err(|error| failed(&error))?;
            Ok(RunStateChange { at, status, error })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_reads_back() {
        let at = Timestamp::from_nanosecond(1_790_000_000_000_000_001).unwrap();
        let error = "two\nlines, \u{2028} and a \"quote\"";
        let mut text = history_line(at, RunStatus::Pending, None);
        text += &history_line(at, RunStatus::Failed, Some(error));
        let failed = RunStateChange { at, status: RunStatus::Failed, error: Some(error.to_owned()) };
        assert_eq!(history(&text).unwrap(), [RunStateChange { at, status: RunStatus::Pending, error: None }, failed]);
        assert_eq!(history("").unwrap(), []);
        assert!(history("{\n").unwrap_err().contains("history"));
    }
}
