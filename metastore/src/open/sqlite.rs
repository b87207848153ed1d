//! Stores in SQLite files.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteSynchronous;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::error::{MetastoreError, is_busy, is_not_a_database};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// Marks a SQLite file as ours (`PRAGMA application_id`): "PNST".
const APPLICATION_ID: i32 = 0x504e_5354;

/// How long opening waits for other processes that open or migrate the same store.
const OPEN_BUDGET: Duration = Duration::from_secs(30);
/// How long SQLite itself waits for a lock before it reports the store as busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
const READER_WAIT: Duration = Duration::from_secs(30);
/// Rows that a reader's thread hands over before it waits for whoever takes them: what is read whole anyway should not make
/// two threads take turns.
const ROWS: usize = 1024;
/// The write-ahead log is cut back to this after a checkpoint.
const WAL_LIMIT_BYTES: &str = "67108864";

/// Makes the store ready for use: creates or migrates it, or says why it will not.
pub(super) async fn prepare(path: &Path) -> Result<(), MetastoreError> {
    create_file(path)?;
    let started = Instant::now();
    loop {
        match prepare_once(path).await {
            // Two processes that create the same store meet here: switching to WAL does not wait for locks.
            Err(Attempt::Busy) if started.elapsed() < OPEN_BUDGET => crate::writer::pause().await,
            Err(Attempt::Busy) => {
                let what = format!("open the store {}", path.display());
                return Err(MetastoreError::Busy { what, waited: started.elapsed() });
            }
            Err(Attempt::Failed(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
}

enum Attempt {
    Busy,
    Failed(MetastoreError),
}

impl Attempt {
    fn open(path: &Path, source: sqlx::Error) -> Self {
        if is_busy(&source) {
            return Self::Busy;
        }
        Self::Failed(if is_not_a_database(&source) {
            MetastoreError::NotAStore { store: path.into(), reason: "it is not a SQLite database" }
        } else {
            MetastoreError::Open { store: path.into(), source: Arc::new(source) }
        })
    }

    fn migrate(path: &Path, source: MigrateError) -> Self {
        match source {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if is_busy(&error) => Self::Busy,
            source => Self::Failed(MetastoreError::Migrate { store: path.into(), source: Box::new(source) }),
        }
    }
}

/// Runs hold parameters, which may be confidential, so only the owner may read the file. SQLite gives the files that it
/// puts beside it the same mode.
fn create_file(path: &Path) -> Result<(), MetastoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(MetastoreError::Create { path: path.to_owned(), source }),
    }
}

async fn prepare_once(path: &Path) -> Result<(), Attempt> {
    let failed = |error| Attempt::open(path, error);
    // Nothing of the file changes before it is known to be ours and of a layout that we understand.
    let mut connection = base_options(path).connect().await.map_err(failed)?;
    let state = inspect(&mut connection).await.map_err(failed)?;
    match state {
        State::Foreign => {
            return Err(Attempt::Failed(MetastoreError::NotAStore {
                store: path.into(),
                reason: "it is a SQLite database of another program",
            }));
        }
        State::Ours { newest, .. } if newest > supported() => {
            let (found, supported) = (newest, supported());
            return Err(Attempt::Failed(MetastoreError::NewerVersion { store: path.into(), found, supported }));
        }
        State::Ours { .. } | State::Empty => {}
    }
    connection.close().await.map_err(failed)?;
    if let State::Ours { up_to_date: true, .. } = state {
        // The usual case writes nothing.
        return Ok(());
    }
    let mut connection = writer_options(path).connect().await.map_err(failed)?;
    // Migrations of two processes must not run side by side, and a migration is whole or not at all.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    sqlx::query("PRAGMA application_id = 1347310420").execute(&mut *transaction).await.map_err(failed)?;
    // `run` does the same through a trait that makes this future unable to move between threads.
    MIGRATIONS.run_direct(None, &mut *transaction, false).await.map_err(|error| Attempt::migrate(path, error))?;
    transaction.commit().await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

enum State {
    Empty,
    Foreign,
    Ours {
        newest: i64,
        /// Whether the layout came from the very migrations that this build has.
        up_to_date: bool,
    },
}

async fn inspect(connection: &mut SqliteConnection) -> Result<State, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master").fetch_one(&mut *connection).await?;
    let application: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    match (tables, application) {
        (0, 0 | APPLICATION_ID) => Ok(State::Empty),
        (_, APPLICATION_ID) => {
            let applied: Vec<(i64, bool, Vec<u8>)> =
                sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
                    .fetch_all(connection)
                    .await?;
            let known = MIGRATIONS.iter().map(|migration| (migration.version, true, migration.checksum.to_vec()));
            Ok(State::Ours {
                newest: applied.last().map_or(0, |(version, ..)| *version),
                up_to_date: applied.iter().cloned().eq(known),
            })
        }
        _ => Ok(State::Foreign),
    }
}

fn supported() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn base_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging()
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    base_options(path)
        .journal_mode(SqliteJournalMode::Wal)
        // With WAL only FULL makes a commit survive the loss of power.
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", WAL_LIMIT_BYTES)
        .statement_cache_capacity(128)
        .thread_name(|number| format!("metastore-write-{number}"))
}

/// The connection of the writer task.
pub(super) async fn connect_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = writer_options(path).connect().await?;
    // The writer polls for the lock itself, at shorter intervals than SQLite does: between two transactions of a busy
    // process there is only a short gap.
    sqlx::query("PRAGMA busy_timeout = 0").execute(&mut connection).await?;
    Ok(connection)
}

/// Connections for reading; they never wait for the writer.
pub(super) fn reader_pool(path: &Path) -> SqlitePool {
    let options = base_options(path)
        .pragma("query_only", "on")
        .row_buffer_size(ROWS)
        .thread_name(|number| format!("metastore-read-{number}"));
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_WAIT)
        // A file does not go away between two reads as a server does; the question costs as much as a read.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
