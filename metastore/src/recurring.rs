//! Recurring runs: what makes runs by itself, and how far it has come. When a slot is due is not known here.
//!
//! A slot and its run are stored together ([`SlotClaim`]), so there is one run for each slot whoever makes it, and none for a
//! slot that the recurring run, as it stands then, does not have.

mod backfill;
mod claim;
mod write;

use std::borrow::Cow;

use penstock_spec::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Metastore;
use crate::catalog::CatalogOperation;
use crate::codec::{
    Reason, column, count, encode_time, identity, json, listed, number, optional_time, reference, time,
};
use crate::database::{Dialect, Row, query};
use crate::error::MetastoreError;
use crate::listing::{Entity, Listing, Page, RecurringRunField};
use crate::rows::Listed;

pub use backfill::WaitingSlot;
pub(crate) use backfill::{cancel, queue};
pub use claim::SlotClaim;
pub(crate) use claim::{Claimed, claim};
pub(crate) use write::{EncodedRecurringRun, advance, create, delete, disable_of, enable, set_error, update};

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

/// From where on slots of a recurring run are its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CountsFrom {
    /// Its start, or its creation where it has none.
    #[default]
    Start,
    /// When it is enabled for the first time, which has not been yet. What is due before is another place's.
    FirstEnabling,
    /// When it was enabled for the first time.
    Time(Timestamp),
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
    /// From where on slots are its own.
    pub counts_from: CountsFrom,
    /// Grows with each change by somebody, which firing is not.
    pub revision: u64,
    /// Why the slot that is due, or the last one, has no run of its own, or one that was refused.
    pub error: Option<String>,
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
    /// From where on slots are its own.
    pub counts_from: CountsFrom,
    /// Grows with each change by somebody.
    pub revision: u64,
    /// What is noted of its last failure.
    pub error: Option<String>,
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
        pipeline_root, parameters_json, plugins_input_json, pipeline_id, version_id, revision, \
        error, counts_from, pipeline_text",
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
            counts_from: counts_from(row)?,
            revision: count(row, "revision")?,
            error: column(row, "error")?,
        })
    }
}

fn counts_from(row: &Row) -> Result<CountsFrom, Reason> {
    Ok(match optional_time(row, "counts_from")? {
        None => CountsFrom::Start,
        Some(at) if at == Timestamp::UNIX_EPOCH => CountsFrom::FirstEnabling,
        Some(time) => CountsFrom::Time(time),
    })
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

    /// Those of an experiment, which must exist; `listing` says that they are.
    pub async fn list_recurring_runs_of(
        &self,
        experiment: Uuid,
        listing: &Listing<RecurringRunField>,
    ) -> Result<Page<RecurringRun>, MetastoreError> {
        self.list_of_experiment(experiment, listing).await
    }

    /// Changes what a recurring run is called, when it fires and what its runs are made from, if neither a slot has fired nor
    /// anything been changed since it was read. `false` if so, or if it is gone: then nothing changes.
    pub async fn update_recurring_run(&self, recurring: RecurringRun) -> Result<bool, MetastoreError> {
        let encoded = Box::new(EncodedRecurringRun::new(recurring)?);
        Ok(self.submit_for_answer(CatalogOperation::UpdateRecurringRun { encoded }).await? > 0)
    }

    /// Makes a recurring run fire, or keeps it from that.
    pub async fn enable_recurring_run(&self, recurring: Uuid, enabled: bool) -> Result<(), MetastoreError> {
        let at = encode_time(Timestamp::now());
        self.submit(CatalogOperation::EnableRecurringRun { recurring, enabled, at }).await
    }

    /// Deletes a recurring run. Its runs stay, and go on naming it.
    pub async fn delete_recurring_run(&self, recurring: Uuid) -> Result<(), MetastoreError> {
        let at = encode_time(Timestamp::now());
        self.submit(CatalogOperation::DeleteRecurringRun { recurring, at }).await
    }

    /// Notes why the next slot has not fired, or that nothing stands in its way any more. `false` if it is noted already, or
    /// the recurring run stands elsewhere by now: then nothing changes.
    pub async fn note_recurring_run_error(
        &self,
        state: &ScheduleState,
        error: Option<String>,
    ) -> Result<bool, MetastoreError> {
        let at = encode_time(Timestamp::now());
        let (recurring, fired_before, revision) = (state.id, state.fired, state.revision);
        let operation = CatalogOperation::NoteRecurringRunError { recurring, fired_before, revision, error, at };
        Ok(self.submit_for_answer(operation).await? > 0)
    }

    /// Notes that a slot has fired whose run is there already, if so many had fired before. `false` if others had been
    /// faster: then nothing changes. Runs that are made claim their slots themselves.
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
            "SELECT id, created_at, trigger_json, no_catchup, max_concurrency, fired_count, last_fired_at, \
               counts_from, revision, error \
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
                counts_from: counts_from(row)?,
                revision: count(row, "revision")?,
                error: column(row, "error")?,
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
