//! Recurring runs: what makes runs by itself, and how far it has come. When a slot is due is not known here.

use std::borrow::Cow;

use penstock_spec::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Metastore;
use crate::catalog::{CatalogOperation, expect_row};
use crate::codec::{
    Reason, column, count, encode_count, encode_json, encode_time, identity, json, listed, number, optional_time,
    reference, time,
};
use crate::database::{Connection, Dialect, Row, query};
use crate::error::MetastoreError;
use crate::listing::{Entity, Listing, Page, RecurringRunField};
use crate::rows::Listed;
use crate::statements::Answer;

/// When a recurring run fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Trigger {
    /// Once, when it is created.
    Once,
    /// By the clock.
    Cron {
        /// The expression.
        expression: String,
        /// It fires after this time only.
        start: Option<Timestamp>,
        /// It fires no later than this.
        end: Option<Timestamp>,
    },
    /// At equal distances.
    Periodic {
        /// Seconds from one time to the next.
        seconds: i64,
        /// It fires after this time only.
        start: Option<Timestamp>,
        /// It fires no later than this.
        end: Option<Timestamp>,
    },
}

/// What the runs of a recurring run are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecurringSource {
    /// A version as it was when the recurring run was created.
    Version {
        /// The pipeline.
        pipeline: Uuid,
        /// Its version.
        version: Uuid,
        /// The specification.
        text: String,
    },
    /// A specification of its own.
    Inline(String),
    /// The latest version of a pipeline at each time.
    Latest(Uuid),
}

/// A recurring run.
#[derive(Debug, Clone, PartialEq)]
pub struct RecurringRun {
    /// Identity.
    pub id: Uuid,
    /// Namespace; empty on a machine of its own.
    pub namespace: String,
    /// Name for people; several may have the same.
    pub display_name: String,
    /// What somebody says of it.
    pub description: String,
    /// The experiment of its runs.
    pub experiment: Uuid,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was created, enabled, disabled, or fired last.
    pub updated_at: Timestamp,
    /// What the names of its runs begin with.
    pub run_name: String,
    /// Whether it fires.
    pub enabled: bool,
    /// Most runs of it that are under way at a time.
    pub max_concurrency: u32,
    /// Whether of several slots that were missed only one fires.
    pub no_catchup: bool,
    /// When it fires.
    pub trigger: Trigger,
    /// What its runs are made from.
    pub source: RecurringSource,
    /// Parameters of its runs.
    pub parameters: Map<String, Value>,
    /// Their pipeline root as the client named it; empty if it named none.
    pub pipeline_root: String,
    /// KFP's service account.
    pub service_account: String,
    /// Input for plugins; stored and shown again.
    pub plugins_input: Map<String, Value>,
    /// How many slots have fired.
    pub fired: u64,
    /// The slot that fired last.
    pub last_fired: Option<Timestamp>,
}

/// What is needed to know whether an enabled recurring run is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleState {
    /// The recurring run.
    pub id: Uuid,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it fires.
    pub trigger: Trigger,
    /// Whether of several slots that were missed only one fires.
    pub no_catchup: bool,
    /// Most runs of it that are under way at a time.
    pub max_concurrency: u32,
    /// How many slots have fired.
    pub fired: u64,
    /// The slot that fired last.
    pub last_fired: Option<Timestamp>,
}

const KIND: &str = "recurring run";

impl Entity for RecurringRun {
    type Field = RecurringRunField;
    const KIND: &'static str = KIND;
    const TABLE: &'static str = "recurring_runs";
    fn columns(_dialect: Dialect) -> Cow<'static, str> {
        Cow::Borrowed(
            "id, namespace, display_name, description, experiment_id, created_at, updated_at, \
        run_name, enabled, max_concurrency, no_catchup, trigger_json, fired_count, last_fired_at, service_account, \
        pipeline_root, parameters_json, plugins_input_json, pipeline_id, version_id, pipeline_text",
        )
    }

    fn read(row: &Row) -> Result<Self, Reason> {
        Ok(Self {
            id: column(row, "id")?,
            namespace: column(row, "namespace")?,
            display_name: column(row, "display_name")?,
            description: column(row, "description")?,
            experiment: column(row, "experiment_id")?,
            created_at: time(row, "created_at")?,
            updated_at: time(row, "updated_at")?,
            run_name: column(row, "run_name")?,
            enabled: column(row, "enabled")?,
            max_concurrency: number(row, "max_concurrency")?,
            no_catchup: column(row, "no_catchup")?,
            trigger: json(row, "trigger_json")?,
            source: source(row)?,
            parameters: json(row, "parameters_json")?,
            pipeline_root: column(row, "pipeline_root")?,
            service_account: column(row, "service_account")?,
            plugins_input: json(row, "plugins_input_json")?,
            fired: count(row, "fired_count")?,
            last_fired: optional_time(row, "last_fired_at")?,
        })
    }
}

fn source(row: &Row) -> Result<RecurringSource, Reason> {
    let text: String = column(row, "pipeline_text")?;
    Ok(match (reference(row, "pipeline_id")?, reference(row, "version_id")?) {
        (Some(pipeline), Some(version)) => RecurringSource::Version { pipeline, version, text },
        (Some(pipeline), None) => RecurringSource::Latest(pipeline),
        (None, _) => RecurringSource::Inline(text),
    })
}

impl Metastore {
    /// Creates a recurring run.
    pub async fn create_recurring_run(&self, recurring: RecurringRun) -> Result<(), MetastoreError> {
        let encoded = EncodedRecurringRun::new(recurring)?;
        self.submit(CatalogOperation::CreateRecurringRun(Box::new(encoded))).await
    }

    /// A recurring run.
    pub async fn recurring_run(&self, recurring: Uuid) -> Result<RecurringRun, MetastoreError> {
        self.find(recurring).await?.ok_or_else(|| MetastoreError::not_found(KIND, &recurring))
    }

    /// Recurring runs.
    pub async fn list_recurring_runs(
        &self,
        listing: &Listing<RecurringRunField>,
    ) -> Result<Page<RecurringRun>, MetastoreError> {
        self.list(listing, None).await
    }

    /// Changes what a recurring run is called, when it fires and what its runs are made from, if so many slots had fired
    /// before. `false` if others had been faster, or it is gone: then nothing changes.
    pub async fn update_recurring_run(
        &self,
        recurring: RecurringRun,
        fired_before: u64,
    ) -> Result<bool, MetastoreError> {
        let encoded = Box::new(EncodedRecurringRun::new(recurring)?);
        let operation = CatalogOperation::UpdateRecurringRun { encoded, fired_before };
        Ok(self.submit_for_answer(operation).await? > 0)
    }

    /// Makes a recurring run fire, or keeps it from that.
    pub async fn enable_recurring_run(&self, recurring: Uuid, enabled: bool) -> Result<(), MetastoreError> {
        let at = encode_time(Timestamp::now());
        self.submit(CatalogOperation::EnableRecurringRun { recurring, enabled, at }).await
    }

    /// Deletes a recurring run. Its runs stay, and go on naming it.
    pub async fn delete_recurring_run(&self, recurring: Uuid) -> Result<(), MetastoreError> {
        self.submit(CatalogOperation::DeleteRecurringRun { recurring }).await
    }

    /// Notes that a slot has fired, if so many had fired before. `false` if others had been faster: then nothing changes.
    pub async fn advance_recurring_run(
        &self,
        recurring: Uuid,
        fired_before: u64,
        slot: Timestamp,
    ) -> Result<bool, MetastoreError> {
        let at = encode_time(Timestamp::now());
        let operation = CatalogOperation::AdvanceRecurringRun { recurring, fired_before, slot: encode_time(slot), at };
        Ok(self.submit_for_answer(operation).await? > 0)
    }

    /// All recurring runs that are enabled.
    pub async fn enabled_schedules(&self) -> Result<Vec<Listed<ScheduleState>>, MetastoreError> {
        let rows = query(
            "SELECT id, created_at, trigger_json, no_catchup, max_concurrency, fired_count, last_fired_at \
             FROM recurring_runs WHERE enabled = 1",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(|error| MetastoreError::database("read the enabled recurring runs", error))?;
        let read = |row: &Row| {
            Ok(ScheduleState {
                id: column(row, "id")?,
                created_at: time(row, "created_at")?,
                trigger: json(row, "trigger_json")?,
                no_catchup: column(row, "no_catchup")?,
                max_concurrency: number(row, "max_concurrency")?,
                fired: count(row, "fired_count")?,
                last_fired: optional_time(row, "last_fired_at")?,
            })
        };
        Ok(rows.iter().map(|row| listed(read(row), || identity(row, "id"))).collect())
    }

    /// How many runs of a recurring run have not ended, those included that were deleted and are about to end.
    pub async fn active_runs_of(&self, recurring: Uuid) -> Result<u64, MetastoreError> {
        let active: Option<i64> =
            query("SELECT COUNT(*) AS active FROM runs WHERE recurring_run_id = $1 AND finished_at IS NULL")
                .bind(recurring)
                .fetch_value(&self.readers, "active")
                .await
                .map_err(|error| MetastoreError::database(format!("count the runs of {KIND} {recurring}"), error))?;
        Ok(active.and_then(|active| u64::try_from(active).ok()).unwrap_or(0))
    }
}

/// A recurring run to create. Its documents become text in the caller's task, so that the writer has little to do.
#[derive(Debug)]
pub(crate) struct EncodedRecurringRun {
    pub(crate) recurring: RecurringRun,
    trigger_json: String,
    parameters_json: String,
    plugins_input_json: String,
}

impl EncodedRecurringRun {
    fn new(recurring: RecurringRun) -> Result<Self, MetastoreError> {
        Ok(Self {
            trigger_json: encode_json(recurring.id, "the trigger", &recurring.trigger)?,
            parameters_json: encode_json(recurring.id, "the parameters", &recurring.parameters)?,
            plugins_input_json: encode_json(recurring.id, "the input for plugins", &recurring.plugins_input)?,
            recurring,
        })
    }
}

pub(crate) async fn create(connection: &mut Connection, encoded: &EncodedRecurringRun) -> Result<Answer, sqlx::Error> {
    let row = &encoded.recurring;
    let (pipeline, version, text) = source_columns(&row.source);
    let created = query(
        "INSERT INTO recurring_runs (id, namespace, display_name, description, experiment_id, created_at, updated_at, \
           run_name, enabled, max_concurrency, no_catchup, trigger_json, fired_count, last_fired_at, service_account, \
           pipeline_root, parameters_json, plugins_input_json, pipeline_id, version_id, pipeline_text) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
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
    .bind(text)
    .execute(connection)
    .await?;
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

/// Whether it fires, and what has fired, are changed by others.
pub(crate) async fn update(
    connection: &mut Connection,
    encoded: &EncodedRecurringRun,
    fired_before: u64,
) -> Result<Answer, sqlx::Error> {
    let row = &encoded.recurring;
    let (pipeline, version, text) = source_columns(&row.source);
    let updated = query(
        "UPDATE recurring_runs SET display_name = $3, description = $4, updated_at = $5, max_concurrency = $6, \
           no_catchup = $7, trigger_json = $8, last_fired_at = $9, parameters_json = $10, pipeline_id = $11, \
           version_id = $12, pipeline_text = $13 \
         WHERE id = $1 AND fired_count = $2",
    )
    .bind(row.id)
    .bind(encode_count(fired_before))
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
    .execute(connection)
    .await?;
    Ok(updated)
}

/// Enabling what is enabled is no change, but it must exist.
pub(crate) async fn enable(
    connection: &mut Connection,
    recurring: Uuid,
    enabled: bool,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let changed = query("UPDATE recurring_runs SET enabled = $2, updated_at = $3 WHERE id = $1")
        .bind(recurring)
        .bind(enabled)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(expect_row(changed, KIND, recurring))
}

/// Keeps all recurring runs of an experiment from firing.
pub(crate) async fn disable_of(connection: &mut Connection, experiment: Uuid, at: i64) -> Result<(), sqlx::Error> {
    query("UPDATE recurring_runs SET enabled = 0, updated_at = $2 WHERE experiment_id = $1 AND enabled = 1")
        .bind(experiment)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(
    connection: &mut Connection,
    recurring: Uuid,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let deleted = query("DELETE FROM recurring_runs WHERE id = $1").bind(recurring).execute(connection).await?;
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
        "UPDATE recurring_runs SET fired_count = fired_count + 1, last_fired_at = $3, updated_at = $4 \
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
