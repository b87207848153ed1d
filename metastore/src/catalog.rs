//! What the writer does for experiments, pipelines, versions and recurring runs: each request on its own, inside the writer's transaction.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column};
use crate::database::{Connection, query};
use crate::error::MetastoreError;
use crate::experiments::{self, Experiment};
use crate::pipelines::{self, StoredPipeline};
use crate::recurring::{self, EncodedRecurringRun};
use crate::rows::StorageState;
use crate::statements::{Answer, Operation};
use crate::versions::{self, EncodedVersion};

/// Labels of a pipeline or version, by key.
pub type Tags = BTreeMap<String, String>;

/// What to change of a pipeline or version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntityUpdate {
    /// The new name for people; absent to keep it.
    pub display_name: Option<String>,
    /// All tags that it is to have from now on; absent to keep them.
    pub tags: Option<Tags>,
}

impl Metastore {
    pub(crate) async fn submit(&self, operation: CatalogOperation) -> Result<(), MetastoreError> {
        self.submit_for_answer(operation).await.map(drop)
    }

    pub(crate) async fn submit_for_answer(&self, operation: CatalogOperation) -> Result<Answer, MetastoreError> {
        self.writer.submit(Operation::Catalog(Box::new(operation))).await
    }
}

/// A request to the writer that is about experiments, pipelines, versions or recurring runs.
#[derive(Debug)]
pub(crate) enum CatalogOperation {
    CreateExperiment(Experiment),
    EnsureExperiment(Experiment),
    StoreExperiment { experiment: Uuid, state: StorageState, at: i64 },
    ArchiveRuns { experiment: Uuid, at: i64 },
    DeleteExperiment { experiment: Uuid },
    CreatePipeline { pipeline: StoredPipeline, version: Option<EncodedVersion> },
    UpdatePipeline { pipeline: Uuid, update: EntityUpdate },
    DeletePipeline { pipeline: Uuid, cascade: bool },
    CreateVersion(EncodedVersion),
    UpdateVersion { version: Uuid, update: EntityUpdate },
    DeleteVersion { version: Uuid },
    CreateRecurringRun(Box<EncodedRecurringRun>),
    UpdateRecurringRun { encoded: Box<EncodedRecurringRun> },
    EnableRecurringRun { recurring: Uuid, enabled: bool, at: i64 },
    AdvanceRecurringRun { recurring: Uuid, fired_before: u64, slot: i64, at: i64 },
    NoteRecurringRunError { recurring: Uuid, fired_before: u64, revision: u64, error: Option<String>, at: i64 },
    DeleteRecurringRun { recurring: Uuid, at: i64 },
    QueueSlots { recurring: Uuid, slots: Vec<i64> },
    CancelSlots { recurring: Uuid },
}

impl CatalogOperation {
    /// What is attempted, for error texts.
    pub(crate) fn description(&self) -> String {
        match self {
            Self::CreateExperiment(experiment) | Self::EnsureExperiment(experiment) => {
                format!("create experiment {}", experiment.id)
            }
            Self::StoreExperiment { experiment, state: StorageState::Archived, .. } => {
                format!("archive experiment {experiment}")
            }
            Self::ArchiveRuns { experiment, .. } => format!("archive the runs of experiment {experiment}"),
            Self::StoreExperiment { experiment, state: StorageState::Available, .. } => {
                format!("unarchive experiment {experiment}")
            }
            Self::DeleteExperiment { experiment } => format!("delete experiment {experiment}"),
            Self::CreatePipeline { pipeline, .. } => format!("create pipeline {}", pipeline.id),
            Self::UpdatePipeline { pipeline, .. } => format!("change pipeline {pipeline}"),
            Self::DeletePipeline { pipeline, .. } => format!("delete pipeline {pipeline}"),
            Self::CreateVersion(version) => format!("create pipeline version {}", version.version.id),
            Self::UpdateVersion { version, .. } => format!("change pipeline version {version}"),
            Self::DeleteVersion { version } => format!("delete pipeline version {version}"),
            Self::CreateRecurringRun(encoded) => format!("create recurring run {}", encoded.recurring.id),
            Self::UpdateRecurringRun { encoded } => format!("change recurring run {}", encoded.recurring.id),
            Self::EnableRecurringRun { recurring, enabled: true, .. } => format!("enable recurring run {recurring}"),
            Self::EnableRecurringRun { recurring, enabled: false, .. } => format!("disable recurring run {recurring}"),
            Self::AdvanceRecurringRun { recurring, .. } => format!("move on recurring run {recurring}"),
            Self::NoteRecurringRunError { recurring, .. } => {
                format!("note why recurring run {recurring} does not fire")
            }
            Self::DeleteRecurringRun { recurring, .. } => format!("delete recurring run {recurring}"),
            Self::QueueSlots { recurring, .. } => format!("let slots of recurring run {recurring} wait"),
            Self::CancelSlots { recurring } => format!("let no slot of recurring run {recurring} wait"),
        }
    }

    /// Whether it may change which recurring runs are due.
    pub(crate) fn is_of_recurring_runs(&self) -> bool {
        matches!(
            self,
            Self::CreateRecurringRun(_)
                | Self::UpdateRecurringRun { .. }
                | Self::EnableRecurringRun { .. }
                | Self::AdvanceRecurringRun { .. }
                | Self::DeleteRecurringRun { .. }
                | Self::QueueSlots { .. }
                | Self::StoreExperiment { state: StorageState::Archived, .. }
        )
    }

    /// Carries it out. The outer error ends the transaction; the inner one is this request's alone.
    pub(crate) async fn apply(
        &self,
        connection: &mut Connection,
    ) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
        match self {
            Self::CreateExperiment(experiment) => experiments::create(connection, experiment).await,
            Self::EnsureExperiment(experiment) => experiments::ensure(connection, experiment).await.map(Ok),
            Self::StoreExperiment { experiment, state, at } => {
                experiments::store(connection, *experiment, *state, *at).await
            }
            Self::ArchiveRuns { experiment, at } => experiments::archive_some(connection, *experiment, *at).await,
            Self::DeleteExperiment { experiment } => experiments::delete(connection, *experiment).await,
            Self::CreatePipeline { pipeline, version } => {
                pipelines::create(connection, pipeline, version.as_ref()).await
            }
            Self::UpdatePipeline { pipeline, update } => pipelines::update(connection, *pipeline, update).await,
            Self::DeletePipeline { pipeline, cascade } => pipelines::delete(connection, *pipeline, *cascade).await,
            Self::CreateVersion(version) => versions::create(connection, version).await,
            Self::UpdateVersion { version, update } => versions::update(connection, *version, update).await,
            Self::DeleteVersion { version } => versions::delete(connection, *version).await,
            Self::CreateRecurringRun(encoded) => recurring::create(connection, encoded).await.map(Ok),
            Self::UpdateRecurringRun { encoded } => recurring::update(connection, encoded).await.map(Ok),
            Self::EnableRecurringRun { recurring, enabled, at } => {
                recurring::enable(connection, *recurring, *enabled, *at).await
            }
            Self::AdvanceRecurringRun { recurring, fired_before, slot, at } => {
                recurring::advance(connection, *recurring, *fired_before, *slot, *at).await.map(Ok)
            }
            Self::NoteRecurringRunError { recurring, fired_before, revision, error, at } => {
                let state = (*fired_before, *revision);
                recurring::set_error(connection, *recurring, state, error.as_deref(), *at).await.map(Ok)
            }
            Self::DeleteRecurringRun { recurring, at } => recurring::delete(connection, *recurring, *at).await,
            Self::QueueSlots { recurring, slots } => recurring::queue(connection, *recurring, slots).await,
            Self::CancelSlots { recurring } => recurring::cancel(connection, *recurring).await.map(Ok),
        }
    }
}

/// The answer to a change of one thing, which must exist.
pub(crate) fn expect_row(changed: u64, kind: &'static str, id: Uuid) -> Result<Answer, MetastoreError> {
    if changed > 0 { Ok(1) } else { Err(MetastoreError::not_found(kind, &id)) }
}

/// Where the tags of one kind of thing are.
pub(crate) struct TagTable {
    /// Statement that reads all of them.
    pub(crate) get: &'static str,
    /// Statement that takes all of them off.
    pub(crate) clear: &'static str,
    /// Statement that adds one.
    pub(crate) put: &'static str,
}

/// The tags of something. What does not exist has none.
pub(crate) async fn tags(store: &Metastore, table: &TagTable, id: Uuid) -> Result<Tags, MetastoreError> {
    let rows = query(table.get)
        .bind(id)
        .fetch_all(&store.readers)
        .await
        .map_err(|error| MetastoreError::database(format!("read the tags of {id}"), error))?;
    rows.iter()
        .map(|row| Ok((column(row, "tag_key")?, column(row, "tag_value")?)))
        .collect::<Result<_, Reason>>()
        .map_err(|reason| MetastoreError::Unreadable { row: format!("a tag of {id}"), reason })
}

/// Gives something the tags that it is to have.
pub(crate) async fn replace_tags(
    connection: &mut Connection,
    table: &TagTable,
    id: Uuid,
    tags: &Tags,
) -> Result<(), sqlx::Error> {
    query(table.clear).bind(id).execute(&mut *connection).await?;
    put_tags(connection, table, id, tags).await
}

/// Gives something new its tags.
pub(crate) async fn put_tags(
    connection: &mut Connection,
    table: &TagTable,
    id: Uuid,
    tags: &Tags,
) -> Result<(), sqlx::Error> {
    for (key, value) in tags {
        query(table.put).bind(id).bind(key).bind(value).execute(&mut *connection).await?;
    }
    Ok(())
}
