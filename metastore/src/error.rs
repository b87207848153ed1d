//! What can go wrong with the store, in terms of what the caller can do about it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::error::DatabaseError as _;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;
use uuid::Uuid;

use crate::location::StoreLocation;

/// A failure of the store, or a refusal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetastoreError {
    /// The store could not be opened.
    #[error("cannot open the store {store}")]
    Open {
        /// The store.
        store: StoreLocation,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The file could not be created.
    #[error("cannot create the store {}", path.display())]
    Create {
        /// The store's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file or database holds something else.
    #[error("{store} is not a Penstock store: {reason}; name another one, or move this away")]
    NotAStore {
        /// What was to be opened.
        store: StoreLocation,
        /// What it is instead.
        reason: &'static str,
    },
    /// A newer Penstock has changed the store's layout. Nothing was touched.
    #[error(
        "the store {store} has layout {found}, and this build knows layouts up to {supported}; use the newer Penstock that wrote it, or another store"
    )]
    NewerVersion {
        /// The store.
        store: StoreLocation,
        /// Newest migration in the store.
        found: i64,
        /// Newest migration of this build.
        supported: i64,
    },
    /// The layout could not be brought up to date.
    #[error("cannot bring the store {store} up to date")]
    Migrate {
        /// The store.
        store: StoreLocation,
        /// Why.
        #[source]
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// Another driver took over the run.
    #[error("run {run} is driven by somebody else now: this driver has epoch {epoch}, the newest is {current}")]
    Fenced {
        /// The run.
        run: Uuid,
        /// Epoch of the caller.
        epoch: u64,
        /// Epoch in the store.
        current: u64,
    },
    /// Another process has the run.
    #[error("run {run} is driven by {driver}")]
    Claimed {
        /// The run.
        run: Uuid,
        /// What people call the process.
        driver: String,
    },
    /// The caller does not know the run's newest facts.
    #[error("run {run} has {found} facts where {expected} were expected; fold it again")]
    FactCount {
        /// The run.
        run: Uuid,
        /// Number that the caller knew.
        expected: u64,
        /// Number in the store.
        found: u64,
    },
    /// There is no such run.
    #[error("there is no run {run}")]
    NoSuchRun {
        /// The run.
        run: Uuid,
    },
    /// A run of this identity exists, and it is a different one.
    #[error("there is already a different run {run}")]
    RunExists {
        /// The run.
        run: Uuid,
    },
    /// The slot of a recurring run that a run was for is not to be had: it has fired, the recurring run was changed, disabled
    /// or deleted, or as many runs of it as may be are under way. Nothing was stored.
    #[error("run {run} is for a slot that its recurring run does not have any more, or has no room for")]
    SlotTaken {
        /// The run.
        run: Uuid,
    },
    /// There is no such experiment, pipeline, version, recurring run or artifact.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// `experiment`, `pipeline`, `pipeline version`, `recurring run` or `artifact`.
        kind: &'static str,
        /// Its id, or the name under which it was looked for. Of the latest version, the pipeline's id.
        id: String,
    },
    /// Another one has this name; names differ by more than the case of letters.
    #[error("there is already a {kind} of the name {name:?}")]
    NameTaken {
        /// `experiment`, `pipeline` or `pipeline version`.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// A pipeline is not deleted before its versions.
    #[error("pipeline {pipeline} has versions, such as {version}; delete them first, or all together")]
    HasVersions {
        /// The pipeline.
        pipeline: Uuid,
        /// One of its versions.
        version: Uuid,
    },
    /// A list is narrowed by more than the database can carry out in a reasonable time.
    #[error("cannot narrow the list: {reason}")]
    TooManyConditions {
        /// What there is too much of.
        reason: String,
    },
    /// An idempotency key was used again for something else.
    #[error("run {run} already has a different command under the key {key}; use a new key for a new command")]
    CommandExists {
        /// The run.
        run: Uuid,
        /// The key.
        key: String,
    },
    /// No run fits what the user typed.
    #[error("no run has an id or name that begins with {selector:?}")]
    UnknownRun {
        /// What the user typed.
        selector: String,
    },
    /// The store has no run at all.
    #[error("there are no runs yet")]
    NoRuns,
    /// Several runs fit what the user typed.
    #[error("{selector:?} fits several runs: {}; type more of the id or name", candidates.join(", "))]
    AmbiguousRun {
        /// What the user typed.
        selector: String,
        /// Names and ids of the first few.
        candidates: Vec<String>,
    },
    /// A page token that this store did not make.
    #[error("the page token {token:?} is not valid; list from the start")]
    PageToken {
        /// The token.
        token: String,
    },
    /// A row that this build cannot read.
    #[error("cannot read {row}: {reason}")]
    Unreadable {
        /// Which row.
        row: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that has no JSON form.
    #[error("cannot store {what} of run {run}")]
    Encode {
        /// What was to be stored.
        what: &'static str,
        /// The run.
        run: Uuid,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The request contradicts what is stored, such as two nodes with one path. Nothing of it was stored.
    #[error("the store refused to {what}")]
    Refused {
        /// What was attempted.
        what: String,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// No space is left. Nothing of the request was stored, and the store is intact.
    #[error("cannot {what}: the disk of the store is full; free some space")]
    DiskFull {
        /// What was attempted.
        what: String,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// Another process held the store's lock for too long.
    #[error("cannot {what}: another process has kept the store locked for {} s", waited.as_secs())]
    Busy {
        /// What was attempted.
        what: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The database server could not be reached, again and again. Nothing of the request was stored.
    #[error("cannot {what}: the database cannot be reached")]
    Unreachable {
        /// What was attempted.
        what: String,
        /// Why the last time.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// No connection to the database server became free in time: it cannot be reached, or all of them are in use. Nothing of
    /// the request was stored.
    #[error("cannot {what}: no connection to the database became free in time")]
    NoConnection {
        /// What was attempted.
        what: String,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The connection was lost while the request was committed, and the server could not be asked afterwards.
    #[error("cannot tell whether this is stored: {what}; the database was lost meanwhile")]
    Unsettled {
        /// What was attempted.
        what: String,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// Anything else that the database reported.
    #[error("cannot {what}")]
    Database {
        /// What was attempted.
        what: String,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The store was closed.
    #[error("cannot {what}: the store is closed")]
    Closed {
        /// What was attempted.
        what: String,
    },
}

impl MetastoreError {
    /// Whether the caller has to fold the run again, or to leave it to somebody else.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::FactCount { .. })
    }

    /// Whether the database server cannot be reached: it may be there later.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoConnection { .. } => true,
            Self::Open { source, .. } => is_connection_lost(source),
            _ => false,
        }
    }

    pub(crate) fn not_found(kind: &'static str, id: &impl ToString) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }

    /// Sorts an error of the database while attempting `what`.
    pub(crate) fn database(what: impl Into<String>, source: impl Into<Arc<sqlx::Error>>) -> Self {
        let (what, source) = (what.into(), source.into());
        match &*source {
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Closed { what },
            error if is_full(error) => Self::DiskFull { what, source },
            error if is_constraint(error) => Self::Refused { what, source },
            sqlx::Error::PoolTimedOut => Self::NoConnection { what, source },
            error if is_connection_lost(error) => Self::Unreachable { what, source },
            _ => Self::Database { what, source },
        }
    }
}

// Result codes of SQLite; the low byte is the primary code.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const FULL: i32 = 13;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;

fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let code: i32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// PostgreSQL's code: a class of two characters, and three more.
fn postgres_code(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
}

/// Whether others stand in the way, and it is worth another try.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(sqlite_code(error), Some(BUSY | LOCKED))
        // A conflict of transactions, a deadlock, a lock that was not to be had; a statement that took too long.
        || matches!(postgres_code(error), Some("40001" | "40P01" | "55P03" | "57014"))
}

pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(FULL) || postgres_code(error) == Some("53100")
}

/// Whether the database objects to what it was given, and not to whoever gives it.
pub(crate) fn is_constraint(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(CONSTRAINT)
        // Values that cannot be, constraints, and more than an index holds.
        || postgres_code(error).is_some_and(|code| ["22", "23", "54"].contains(&&code[..2]))
}

pub(crate) fn is_not_a_database(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(NOT_A_DATABASE)
}

/// Whether the server, or the way to it, has gone: nothing is known of what was asked of it last.
pub(crate) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        error => postgres_code(error).is_some_and(|code| {
            // Connections, a server that stops or starts, one that has no room or has become a replica, a transaction that
            // was left alone.
            code.starts_with("08") || code.starts_with("57P") || matches!(code, "53300" | "25P03" | "25006")
        }),
    }
}
