//! What the writer does for recurring runs, and what the feed is told of it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{CountsFrom, KIND, RecurringRun, RecurringSource};
use crate::catalog::expect_row;
use crate::codec::{encode_count, encode_json, encode_time};
use crate::database::{Connection, Row, query};
use crate::error::MetastoreError;
use crate::feed::{self, ChangeKind, Labels, NewChange, excerpt};
use crate::statements::Answer;

/// A recurring run to create. Its documents become text in the caller's task, so that the writer has little to do.
#[derive(Debug)]
pub(crate) struct EncodedRecurringRun {
    pub(crate) recurring: RecurringRun,
    trigger_json: String,
    parameters_json: String,
    plugins_input_json: String,
}

impl EncodedRecurringRun {
    pub(super) fn new(recurring: RecurringRun) -> Result<Self, MetastoreError> {
        Ok(Self {
            trigger_json: encode_json(recurring.id, "the trigger", &recurring.trigger)?,
            parameters_json: encode_json(recurring.id, "the parameters", &recurring.parameters)?,
            plugins_input_json: encode_json(recurring.id, "the input for plugins", &recurring.plugins_input)?,
            recurring,
        })
    }
}

/// What a change repeats of a recurring run.
fn labels(row: &RecurringRun) -> Labels {
    Labels::of_recurring_run(row.id, row.namespace.clone(), row.display_name.clone(), row.experiment)
}

/// The same of one that is stored.
fn stored_labels(row: &Row) -> Result<Labels, sqlx::Error> {
    Ok(Labels::of_recurring_run(
        row.get("id")?,
        row.get("namespace")?,
        row.get("display_name")?,
        row.get("experiment_id")?,
    ))
}

const LABELS: &str = "SELECT id, namespace, display_name, experiment_id, enabled FROM recurring_runs WHERE id = $1";

/// What changes repeat of a recurring run, and whether it fires; `None` if there is none.
pub(super) async fn read_labels(
    connection: &mut Connection,
    recurring: Uuid,
) -> Result<Option<(Labels, bool)>, sqlx::Error> {
    let row = query(LABELS).bind(recurring).fetch_optional(connection).await?;
    row.map(|row| Ok((stored_labels(&row)?, row.get("enabled")?))).transpose()
}

async fn tell(
    connection: &mut Connection,
    labels: Labels,
    kind: ChangeKind,
    at: i64,
    detail: Value,
) -> Result<(), sqlx::Error> {
    feed::add(connection, &[(labels, NewChange::new(kind, at, detail))]).await
}

pub(crate) async fn create(connection: &mut Connection, encoded: &EncodedRecurringRun) -> Result<Answer, sqlx::Error> {
    let row = &encoded.recurring;
    let (pipeline, version, text) = source_columns(&row.source);
    let created = query(
        "INSERT INTO recurring_runs (id, namespace, display_name, description, experiment_id, created_at, updated_at, \
           run_name, enabled, max_concurrency, no_catchup, trigger_json, fired_count, last_fired_at, service_account, \
           pipeline_root, parameters_json, plugins_input_json, pipeline_id, version_id, revision, error, pipeline_text, \
           counts_from) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
           $24)",
    )
    .bind(row.id)
    .bind(&row.namespace)
    .bind(&row.display_name)
    .bind(&row.description)
    .bind(row.experiment)
    .bind(encode_time(row.created_at))
    .bind(encode_time(row.updated_at))
    .bind(&row.run_name)
    .bind(row.enabled)
    .bind(i64::from(row.max_concurrency))
    .bind(row.no_catchup)
    .bind(&encoded.trigger_json)
    .bind(encode_count(row.fired))
    .bind(row.last_fired.map(encode_time))
    .bind(&row.service_account)
    .bind(&row.pipeline_root)
    .bind(&encoded.parameters_json)
    .bind(&encoded.plugins_input_json)
    .bind(pipeline)
    .bind(version)
    .bind(encode_count(row.revision))
    .bind(&row.error)
    .bind(text)
    .bind(encode_counts_from(row.counts_from))
    .execute(&mut *connection)
    .await?;
    let detail = json!({ "enabled": row.enabled });
    tell(connection, labels(row), ChangeKind::RecurringRunCreated, encode_time(row.created_at), detail).await?;
    Ok(created)
}

/// A source as columns; ids that are not set are all zeros.
fn source_columns(source: &RecurringSource) -> (Uuid, Uuid, &str) {
    match source {
        RecurringSource::Version { pipeline, version, text } => (*pipeline, *version, text.as_str()),
        RecurringSource::Inline(text) => (Uuid::nil(), Uuid::nil(), text.as_str()),
        RecurringSource::Latest(pipeline) => (*pipeline, Uuid::nil(), ""),
    }
}

fn encode_counts_from(from: CountsFrom) -> Option<i64> {
    match from {
        CountsFrom::Start => None,
        CountsFrom::FirstEnabling => Some(NOT_ENABLED_YET),
        CountsFrom::Time(time) => Some(encode_time(time)),
    }
}

/// Whether it fires, and what has fired, are changed by others. What failed before may be right now.
pub(crate) async fn update(connection: &mut Connection, encoded: &EncodedRecurringRun) -> Result<Answer, sqlx::Error> {
    let row = &encoded.recurring;
    let (pipeline, version, text) = source_columns(&row.source);
    let updated = query(
        "UPDATE recurring_runs SET display_name = $4, description = $5, updated_at = $6, max_concurrency = $7, \
           no_catchup = $8, trigger_json = $9, last_fired_at = $10, parameters_json = $11, pipeline_id = $12, \
           version_id = $13, pipeline_text = $14, service_account = $15, plugins_input_json = $16, \
           revision = revision + 1, error = NULL \
         WHERE id = $1 AND fired_count = $2 AND revision = $3",
    )
    .bind(row.id)
    .bind(encode_count(row.fired))
    .bind(encode_count(row.revision))
    .bind(&row.display_name)
    .bind(&row.description)
    .bind(encode_time(row.updated_at))
    .bind(i64::from(row.max_concurrency))
    .bind(row.no_catchup)
    .bind(&encoded.trigger_json)
    .bind(row.last_fired.map(encode_time))
    .bind(&encoded.parameters_json)
    .bind(pipeline)
    .bind(version)
    .bind(text)
    .bind(&row.service_account)
    .bind(&encoded.plugins_input_json)
    .execute(&mut *connection)
    .await?;
    if updated > 0 {
        let at = encode_time(row.updated_at);
        tell(connection, labels(row), ChangeKind::RecurringRunEdited, at, json!({})).await?;
    }
    Ok(updated)
}

/// Stands for the time at which one is enabled first, until it is.
const NOT_ENABLED_YET: i64 = 0;

const ENABLE: &str = "UPDATE recurring_runs SET enabled = $2, updated_at = $3, revision = revision + 1, error = NULL, \
      counts_from = CASE WHEN counts_from = $4 THEN $5 ELSE counts_from END \
    WHERE id = $1";

/// Enabling what is enabled is no change that anybody is told of, but it must exist.
pub(crate) async fn enable(
    connection: &mut Connection,
    recurring: Uuid,
    enabled: bool,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let before = read_labels(connection, recurring).await?;
    let counts_from = if enabled { at } else { NOT_ENABLED_YET };
    let changed = query(ENABLE)
        .bind(recurring)
        .bind(enabled)
        .bind(at)
        .bind(NOT_ENABLED_YET)
        .bind(counts_from)
        .execute(&mut *connection)
        .await?;
    if let Some((labels, was_enabled)) = before
        && was_enabled != enabled
    {
        tell(connection, labels, switched(enabled), at, json!({})).await?;
    }
    Ok(expect_row(changed, KIND, recurring))
}

fn switched(enabled: bool) -> ChangeKind {
    if enabled { ChangeKind::RecurringRunEnabled } else { ChangeKind::RecurringRunDisabled }
}

/// Keeps all recurring runs of an experiment from firing, and from making runs of slots that wait.
pub(crate) async fn disable_of(connection: &mut Connection, experiment: Uuid, at: i64) -> Result<(), sqlx::Error> {
    query(
        "DELETE FROM waiting_slots \
         WHERE recurring_run_id IN (SELECT id FROM recurring_runs WHERE experiment_id = $1)",
    )
    .bind(experiment)
    .execute(&mut *connection)
    .await?;
    let rows = query(
        "UPDATE recurring_runs SET enabled = 0, updated_at = $2, revision = revision + 1, error = NULL \
         WHERE experiment_id = $1 AND enabled = 1 RETURNING id, namespace, display_name, experiment_id",
    )
    .bind(experiment)
    .bind(at)
    .fetch_all(&mut *connection)
    .await?;
    let change = || NewChange::new(switched(false), at, json!({}));
    let changes: Result<Vec<_>, sqlx::Error> = rows.iter().map(|row| Ok((stored_labels(row)?, change()))).collect();
    feed::add(connection, &changes?).await
}

pub(crate) async fn delete(
    connection: &mut Connection,
    recurring: Uuid,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let before = read_labels(connection, recurring).await?;
    let deleted = query("DELETE FROM recurring_runs WHERE id = $1").bind(recurring).execute(&mut *connection).await?;
    if let Some((labels, _)) = before {
        tell(connection, labels, ChangeKind::RecurringRunDeleted, at, json!({})).await?;
    }
    Ok(expect_row(deleted, KIND, recurring))
}

pub(crate) async fn advance(
    connection: &mut Connection,
    recurring: Uuid,
    fired_before: u64,
    slot: i64,
    at: i64,
) -> Result<Answer, sqlx::Error> {
    let advanced = query(
        "UPDATE recurring_runs SET fired_count = fired_count + 1, last_fired_at = $3, updated_at = $4, error = NULL \
         WHERE id = $1 AND fired_count = $2",
    )
    .bind(recurring)
    .bind(encode_count(fired_before))
    .bind(slot)
    .bind(at)
    .execute(connection)
    .await?;
    Ok(advanced)
}

/// Notes why the next slot does not fire.
pub(crate) async fn set_error(
    connection: &mut Connection,
    recurring: Uuid,
    (fired_before, revision): (u64, u64),
    error: Option<&str>,
    at: i64,
) -> Result<Answer, sqlx::Error> {
    let error = error.map(excerpt);
    let changed = query(
        "UPDATE recurring_runs SET error = $4 \
         WHERE id = $1 AND fired_count = $2 AND revision = $3 AND error IS DISTINCT FROM $4",
    )
    .bind(recurring)
    .bind(encode_count(fired_before))
    .bind(encode_count(revision))
    .bind(error)
    .execute(&mut *connection)
    .await?;
    if changed > 0
        && let Some(error) = error
        && let Some((labels, _)) = read_labels(connection, recurring).await?
    {
        let detail = json!({ "error": error, "tried_again": true });
        tell(connection, labels, ChangeKind::RecurringRunRefused, at, detail).await?;
    }
    Ok(changed)
}
