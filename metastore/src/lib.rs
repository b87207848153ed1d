//! The only SQL: runs, their facts, the lists that follow from them, and the cache; the experiments, pipelines and versions
//! that users arrange them by; and the recurring runs that make more of them.
//!
//! The log of facts is the truth of a run; tasks, artifacts and a run's state are stored in the same transaction for
//! lists. One writer task per process commits what all runs add in groups ([`Metastore::append`] returns when its part
//! is durable); readers never wait for it. Several processes may use one store: who drives a run is settled by its
//! epoch and its number of facts, which every append compares.
//!
//! The store is a SQLite file on a local disk, or a database of a PostgreSQL server. This crate knows nothing of objects, processes or Kubernetes, and leaves
//! the meaning of facts to the engine.

mod artifacts;
mod cache;
mod cache_list;
mod catalog;
mod claims;
mod codec;
mod commands;
mod database;
mod deletion;
mod error;
mod experiments;
mod expired;
mod fact_texts;
mod feed;
mod lineage;
mod listing;
mod location;
mod notifications;
mod open;
mod pipelines;
mod recurring;
mod remarks;
mod rows;
mod run_records;
mod run_values;
mod runs;
mod secrets;
mod statements;
mod tasks;
mod to_drive;
mod versions;
mod wake;
mod writer;

use std::sync::Arc;

use penstock_spec::Timestamp;
use tokio::sync::broadcast;
use uuid::Uuid;

pub use crate::artifacts::{ArtifactPosition, StoredArtifact};
#[doc(hidden)]
pub use crate::cache_list::cache_list_plan;
pub use crate::cache_list::{CacheList, CacheSummary};
pub use crate::catalog::{EntityUpdate, Tags};
pub use crate::claims::{Claimant, RunClaim, SilentDriver};
pub use crate::error::MetastoreError;
pub use crate::experiments::Experiment;
#[doc(hidden)]
pub use crate::expired::expired_plans;
pub use crate::expired::{ExpiredPosition, ExpiredRuns};
pub use crate::fact_texts::FactText;
#[doc(hidden)]
pub use crate::feed::changes_plan;
pub use crate::feed::{ChangeKind, FeedChange, FeedPosition};
pub use crate::lineage::{ArtifactCursor, ArtifactQuery, ArtifactRecord, ConsumedInput, Execution, ProducedOutput};
#[doc(hidden)]
pub use crate::lineage::{artifact_list_plan, lineage_plans};
pub use crate::listing::{
    Comparison, Cursor, ExperimentField, Field, FieldKind, FoundRuns, Listing, MAX_CONTAINED_BYTES, MAX_OPERANDS,
    MAX_PREDICATES, MAX_VALUE_CONDITIONS, MAX_VALUE_TEXTS, Operand, Page, PipelineField, Predicate, RecurringRunField,
    RunField, RunSearch, ValueCondition, VersionField,
};
#[doc(hidden)]
pub use crate::listing::{
    experiment_list_plans, known_total_plan, pipeline_list_plans, recurring_run_list_plans, run_list_plans,
    run_search_plans, version_list_plans,
};
pub use crate::location::{InvalidDatabaseUrl, PostgresLocation, StoreLocation};
pub use crate::notifications::{NotificationFailure, NotificationRule};
pub use crate::pipelines::StoredPipeline;
pub use crate::recurring::{CountsFrom, RecurringRun, RecurringSource, ScheduleState, SlotClaim, Trigger, WaitingSlot};
pub use crate::remarks::{Remark, RemarkKind};
pub use crate::rows::{
    Append, ArtifactRow, CacheEntry, CacheFilter, CacheScope, Change, Command, Listed, MAX_OUTPUTS_BYTES,
    MAX_TASK_INPUTS, NewCacheEntry, NewRun, PendingCommand, RunRegistration, RunRow, RunSpec, RunUpdate, StorageState,
    StoredFact, TaskInput, TaskKind, TaskRow, Unreadable,
};
pub use crate::run_records::{RunRecord, RunStateChange};
pub use crate::run_values::{MAX_RUN_VALUES, RunValueKind, RunValueName, RunValues};
#[doc(hidden)]
pub use crate::runs::resolve_run_plan;
pub use crate::runs::{MAX_PAGE, RunPage, RunQuery};
#[doc(hidden)]
pub use crate::to_drive::runs_to_drive_plan;
pub use crate::to_drive::{DrivePosition, RunToDrive, RunsToDrive};
pub use crate::versions::PipelineVersion;
pub use crate::writer::WriterStats;

use crate::database::{Dialect, Query, Readers};
use crate::statements::{EncodedAppend, Operation};
use crate::writer::WriterHandle;

/// A store. Clones share the writer and the connections.
#[derive(Debug, Clone)]
pub struct Metastore {
    writer: WriterHandle,
    readers: Readers,
}

impl Metastore {
    /// What kind of database it is in: `sqlite` or `postgresql`.
    pub fn database(&self) -> &'static str {
        match self.readers.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgresql",
        }
    }

    /// Opens a store; creates it, or brings its layout up to date, if need be. A path is that of a SQLite file. Starts the
    /// writer on the current tokio runtime.
    ///
    /// A store of a newer layout, or a file or database that is something else, is refused and not touched.
    pub async fn open(location: impl Into<StoreLocation>) -> Result<Self, MetastoreError> {
        let store = location.into();
        open::prepare(&store).await?;
        let connection = match open::connect_writer(&store).await {
            Ok(connection) => connection,
            Err(source) => return Err(MetastoreError::Open { store, source: Arc::new(source) }),
        };
        let readers = open::reader_pool(&store);
        Ok(Self { writer: WriterHandle::spawn(store, connection), readers })
    }

    /// Stores what is queued and closes the file. Later requests, of clones too, are refused.
    pub async fn close(&self) {
        // The writer goes last: the last connection folds the write-ahead log into the store.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Stores one step of a run: facts and what follows from them, whole or not at all. Returns the number of facts
    /// once it is durable.
    ///
    /// It is stored even if the returned future is dropped while it waits for that.
    pub async fn append(&self, append: Append) -> Result<u64, MetastoreError> {
        let encoded = EncodedAppend::new(append, Timestamp::now())?;
        self.writer.submit(Operation::Append(Box::new(encoded))).await
    }

    /// Takes over a run, whoever has it: from now on, appends with an older epoch are refused. Where several machines share
    /// the store, runs are [claimed](Metastore::claim_run).
    pub async fn take_epoch(&self, run: Uuid) -> Result<u64, MetastoreError> {
        self.writer.submit(Operation::TakeEpoch { run }).await
    }

    /// What this process stores from now on, as it becomes durable. A subscriber that lags loses the oldest changes and
    /// is told so. What other processes store appears here too if the store is in PostgreSQL, but not while the connection
    /// is lost; of a SQLite store it does not.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.writer.subscribe()
    }

    /// How the database carries out a statement.
    async fn explain(&self, query: Query<'_>) -> Result<Vec<String>, MetastoreError> {
        let dialect = self.readers.dialect();
        query
            .explained(dialect)
            .fetch_values(&self.readers, dialect.explained_column())
            .await
            .map_err(|error| MetastoreError::database("explain a statement", error))
    }

    /// What the writer has done so far.
    pub fn stats(&self) -> WriterStats {
        self.writer.stats()
    }
}
