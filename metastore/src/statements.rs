//! What the writer can be asked to do, and the SQL for it. All of it runs inside the writer's transaction.

use serde_json::json;
use uuid::Uuid;

use crate::catalog::CatalogOperation;
use crate::claims::ClaimOperation;
use crate::codec::{count, encode_count};
use crate::database::{Connection, query};
use crate::deletion::{self, Deletion, HIDDEN, KEPT};
use crate::error::MetastoreError;
use crate::expired;
use crate::feed::{self, ChangeKind, NewChange};
use crate::notifications::NotificationOperation;
use crate::recurring::{self, Claimed};
use crate::remarks::{self, EncodedRemark};
use crate::rows::{CacheFilter, Change, RunRegistration, StorageState, TaskInput};
use crate::run_records;
use crate::run_values::{self, EncodedValue, FilledRun, ValueRow};

mod append;
mod insert;
mod records;

pub(crate) use append::{EncodedAppend, encode_node};
pub(crate) use insert::{Insert, Staged, insert};
pub(crate) use records::fill_inputs;

/// What a request returns: the number of facts, the epoch, or how many rows it touched.
pub(crate) type Answer = u64;

/// A request to the writer, with everything that can be prepared outside it.
#[derive(Debug)]
pub(crate) enum Operation {
    CreateRun(Box<EncodedRun>),
    Append(Box<EncodedAppend>),
    TakeEpoch { run: Uuid },
    Claim(Box<ClaimOperation>),
    PutCommand { run: Uuid, key: String, kind: &'static str, command_json: String, at: i64 },
    EvictCache { filter: CacheFilter },
    PutRemark(Box<EncodedRemark>),
    ClearRemarks { run: Uuid, kind: String },
    Catalog(Box<CatalogOperation>),
    StoreRun { run: Uuid, state: StorageState, at: i64 },
    ArchiveEnded { before: i64, limit: u32, at: i64 },
    DeleteRun(Deletion),
    PurgeRun { run: Uuid },
    FillInputs { run: Uuid, inputs: Vec<TaskInput> },
    FillValues { runs: Vec<FilledRun> },
    Notification(Box<NotificationOperation>),
}

/// A run to create, as columns.
#[derive(Debug)]
pub(crate) struct EncodedRun {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) pipeline_name: String,
    pub(crate) namespace: String,
    pub(crate) created_at: i64,
    pub(crate) scheduled_at: i64,
    pub(crate) registration: RunRegistration,
    pub(crate) plugins_input_json: String,
    pub(crate) history: String,
    pub(crate) info_json: String,
    pub(crate) options_json: String,
    pub(crate) status: String,
    pub(crate) pipeline_text: String,
    pub(crate) parameters_json: String,
    pub(crate) values: Vec<EncodedValue>,
}

impl Operation {
    /// What is attempted, for error texts.
    pub(crate) fn description(&self) -> String {
        match self {
            Self::CreateRun(run) => format!("create run {}", run.id),
            Self::Append(append) => format!("append facts to run {}", append.run),
            Self::TakeEpoch { run } => format!("take over run {run}"),
            Self::Claim(operation) => operation.description(),
            Self::PutCommand { run, .. } => format!("store a command for run {run}"),
            Self::EvictCache { .. } => "evict cache entries".to_owned(),
            Self::PutRemark(remark) => format!("store a remark on run {}", remark.run()),
            Self::ClearRemarks { run, .. } => format!("clear remarks on run {run}"),
            Self::Catalog(operation) => operation.description(),
            Self::StoreRun { run, state: StorageState::Archived, .. } => format!("archive run {run}"),
            Self::StoreRun { run, state: StorageState::Available, .. } => format!("unarchive run {run}"),
            Self::ArchiveEnded { .. } => "archive runs that ended a while ago".to_owned(),
            Self::DeleteRun(Deletion { run, .. }) | Self::PurgeRun { run } => format!("delete run {run}"),
            Self::FillInputs { run, .. } => format!("store what tasks of run {run} took"),
            Self::FillValues { .. } => "store values of earlier runs".to_owned(),
            Self::Notification(operation) => operation.description(),
        }
    }

    /// Rows that it writes, about.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Append(append) => append.rows(),
            Self::FillInputs { inputs, .. } => inputs.len() + 1,
            Self::CreateRun(run) => run.values.len() + 1,
            Self::FillValues { runs } => runs.len(),
            Self::ArchiveEnded { limit, .. } => *limit as usize,
            _ => 1,
        }
    }

    /// Facts that it stores.
    pub(crate) fn facts(&self) -> usize {
        match self {
            Self::Append(append) => append.facts.len(),
            _ => 0,
        }
    }

    /// What subscribers are told when it is durable.
    pub(crate) fn change(&self, answer: Answer) -> Option<Change> {
        match self {
            Self::CreateRun(run) => Some(Change::RunCreated { run: run.id }),
            Self::Append(append) if append.facts.is_empty() => {
                append.records.has_changes().then_some(Change::RunChanged { run: append.run })
            }
            Self::Append(append) => Some(Change::FactsAppended { run: append.run, seq: answer }),
            Self::PutCommand { run, .. } if answer > 0 => Some(Change::CommandStored { run: *run }),
            Self::DeleteRun(deletion) if answer == HIDDEN => Some(Change::CommandStored { run: deletion.run }),
            Self::DeleteRun(_) if answer == KEPT => None,
            Self::StoreRun { run, .. } | Self::DeleteRun(Deletion { run, .. }) => {
                Some(Change::RunChanged { run: *run })
            }
            Self::Catalog(operation) if operation.is_of_recurring_runs() => Some(Change::RecurringRunsChanged),
            Self::PutCommand { .. }
            | Self::PurgeRun { .. }
            | Self::Catalog(_)
            | Self::TakeEpoch { .. }
            | Self::Claim(_)
            | Self::EvictCache { .. }
            | Self::PutRemark(_)
            | Self::FillInputs { .. }
            | Self::FillValues { .. }
            | Self::ArchiveEnded { .. }
            | Self::Notification(_)
            | Self::ClearRemarks { .. } => None,
        }
    }
}

/// Carries out one request. The outer error ends the transaction; the inner one is this request's alone, and the
/// request has changed nothing then.
pub(crate) async fn apply<'a>(
    connection: &mut Connection,
    staged: &mut Staged<'a>,
    operation: &'a Operation,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    match operation {
        Operation::Append(append) => append::apply(connection, staged, append).await,
        Operation::CreateRun(run) => {
            let Some(claimed) = claim_slot(connection, run).await? else {
                return Ok(Err(MetastoreError::SlotTaken { run: run.id }));
            };
            let created = create_run(connection, run).await?;
            if let Ok(1) = created {
                let change = NewChange::new(ChangeKind::RunCreated, run.created_at, json!({ "state": run.status }));
                feed::add_one(connection, run.id, change).await?;
            }
            feed::add(connection, &claimed).await?;
            Ok(created)
        }
        Operation::TakeEpoch { run } => take_epoch(connection, *run).await,
        Operation::Claim(operation) => operation.apply(connection).await,
        Operation::PutCommand { run, key, kind, command_json, at } => {
            let stored = put_command(connection, *run, key, kind, command_json, *at).await?;
            if let Ok(1) = stored {
                let change = NewChange::new(ChangeKind::RunCommand, *at, json!({ "command": kind }));
                feed::add_one(connection, *run, change).await?;
            }
            Ok(stored)
        }
        Operation::EvictCache { filter } => {
            // Entries of earlier requests in this transaction count too.
            std::mem::take(staged).store(connection).await?;
            crate::cache::evict(connection, filter).await.map(Ok)
        }
        Operation::PutRemark(remark) => remarks::put(connection, remark).await,
        Operation::ClearRemarks { run, kind } => remarks::clear(connection, *run, kind).await.map(Ok),
        Operation::Catalog(operation) => operation.apply(connection).await,
        Operation::StoreRun { run, state, at } => {
            let stored = run_records::store(connection, *run, *state, *at).await?;
            if stored.is_ok() {
                let change = NewChange::new(ChangeKind::RunStorage, *at, json!({ "storage_state": state }));
                feed::add_one(connection, *run, change).await?;
            }
            Ok(stored)
        }
        Operation::ArchiveEnded { before, limit, at } => {
            expired::archive_ended(connection, *before, *limit, *at).await.map(Ok)
        }
        Operation::DeleteRun(deletion) => {
            // Rows of earlier requests in this transaction go too, and have no run to refer to afterwards.
            std::mem::take(staged).store(connection).await?;
            deletion::apply(connection, deletion).await
        }
        Operation::PurgeRun { run } => {
            std::mem::take(staged).store(connection).await?;
            deletion::purge(connection, *run).await.map(Ok)
        }
        Operation::FillInputs { run, inputs } => fill_inputs(connection, *run, inputs).await.map(Ok),
        Operation::FillValues { runs } => run_values::fill(connection, runs).await.map(Ok),
        Operation::Notification(operation) => operation.apply(connection).await.map(Ok),
    }
}

/// Takes the slot that a run is for; nothing, if it is for none.
async fn claim_slot(connection: &mut Connection, run: &EncodedRun) -> Result<Option<Claimed>, sqlx::Error> {
    match (&run.registration.slot, run.registration.recurring_run) {
        (Some(slot), Some(recurring)) => recurring::claim(connection, recurring, slot, (run.id, run.created_at)).await,
        _ => Ok(Some(Claimed::new())),
    }
}

async fn create_run(
    connection: &mut Connection,
    run: &EncodedRun,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let RunRegistration { experiment, description, pipeline, version, recurring_run, pipeline_root, .. } =
        &run.registration;
    let created = query(
        "INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, info_json, options_json, \
           status, scheduled_at, history, experiment_id, description, pipeline_id, version_id, recurring_run_id, \
           pipeline_root, plugins_input_json) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(run.id)
    .bind(&run.name)
    .bind(&run.display_name)
    .bind(&run.pipeline_name)
    .bind(&run.namespace)
    .bind(run.created_at)
    .bind(&run.info_json)
    .bind(&run.options_json)
    .bind(&run.status)
    .bind(run.scheduled_at)
    .bind(&run.history)
    .bind(experiment.unwrap_or_default())
    .bind(description)
    .bind(pipeline.unwrap_or_default())
    .bind(version.unwrap_or_default())
    .bind(recurring_run.unwrap_or_default())
    .bind(pipeline_root)
    .bind(&run.plugins_input_json)
    .execute(&mut *connection)
    .await?;
    if created == 0 {
        // The run of a slot is there if an earlier build stored the two apart.
        let same = run.registration.slot.is_some() || is_stored(connection, run).await?;
        return Ok(if same { Ok(0) } else { Err(MetastoreError::RunExists { run: run.id }) });
    }
    query("INSERT INTO run_specs (run_id, pipeline_text, parameters_json) VALUES ($1, $2, $3)")
        .bind(run.id)
        .bind(&run.pipeline_text)
        .bind(&run.parameters_json)
        .execute(&mut *connection)
        .await?;
    let values: Vec<ValueRow<'_>> = run.values.iter().map(|value| (run.id, run.namespace.as_str(), value)).collect();
    insert(connection, &run_values::VALUES, &values, run_values::bind_value).await?;
    if let Some(experiment) = experiment {
        query("UPDATE experiments SET last_run_created_at = $2 WHERE id = $1 AND last_run_created_at < $2")
            .bind(experiment)
            .bind(run.created_at)
            .execute(connection)
            .await?;
    }
    Ok(Ok(1))
}

/// Whether this very run exists: the same request again, after an answer that was lost, is no error.
async fn is_stored(connection: &mut Connection, run: &EncodedRun) -> Result<bool, sqlx::Error> {
    let same = query(
        "SELECT 1 FROM runs JOIN run_specs ON run_id = runs.id \
         WHERE runs.id = $1 AND info_json = $2 AND pipeline_text = $3 AND parameters_json = $4 \
           AND experiment_id = $5 AND deleted_at IS NULL",
    )
    .bind(run.id)
    .bind(&run.info_json)
    .bind(&run.pipeline_text)
    .bind(&run.parameters_json)
    .bind(run.registration.experiment.unwrap_or_default())
    .fetch_optional(connection)
    .await?;
    Ok(same.is_some())
}

pub(crate) async fn take_epoch(
    connection: &mut Connection,
    run: Uuid,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let epoch: Option<i64> = query("UPDATE runs SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch")
        .bind(run)
        .fetch_value(connection, "epoch")
        .await?;
    Ok(epoch.and_then(|epoch| u64::try_from(epoch).ok()).ok_or(MetastoreError::NoSuchRun { run }))
}

pub(crate) async fn put_command(
    connection: &mut Connection,
    run: Uuid,
    key: &str,
    kind: &str,
    command_json: &str,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    // INSERT .. SELECT, so that a run which does not exist is told from other objections.
    let stored = query(
        "INSERT INTO commands (run_id, idempotency_key, kind, command_json, created_at) \
         SELECT id, $2, $3, $4, $5 FROM runs WHERE id = $1 ON CONFLICT (run_id, idempotency_key) DO NOTHING",
    )
    .bind(run)
    .bind(key)
    .bind(kind)
    .bind(command_json)
    .bind(at)
    .execute(&mut *connection)
    .await?;
    if stored > 0 {
        return Ok(Ok(1));
    }
    let existing: Option<Option<String>> = query(
        "SELECT command_json FROM runs \
         LEFT JOIN commands ON run_id = runs.id AND idempotency_key = $2 WHERE runs.id = $1",
    )
    .bind(run)
    .bind(key)
    .fetch_value(connection, "command_json")
    .await?;
    Ok(match existing {
        None => Err(MetastoreError::NoSuchRun { run }),
        Some(existing) if existing.as_deref() == Some(command_json) => Ok(0),
        Some(_) => Err(MetastoreError::CommandExists { run, key: key.to_owned() }),
    })
}

/// Why a guarded update of `run` met no row.
pub(crate) async fn explain_conflict(
    connection: &mut Connection,
    run: Uuid,
    epoch: u64,
    expected: u64,
) -> Result<MetastoreError, sqlx::Error> {
    let row = query("SELECT epoch, fact_count FROM runs WHERE id = $1").bind(run).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(MetastoreError::NoSuchRun { run }) };
    let unreadable = |reason| MetastoreError::Unreadable { row: format!("run {run}"), reason };
    Ok(match (count(&row, "epoch"), count(&row, "fact_count")) {
        (Ok(current), _) if encode_count(current) != encode_count(epoch) => {
            MetastoreError::Fenced { run, epoch, current }
        }
        (Ok(_), Ok(found)) => MetastoreError::FactCount { run, expected, found },
        (Err(reason), _) | (_, Err(reason)) => unreadable(reason),
    })
}
