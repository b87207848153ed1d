//! Stores in databases of a PostgreSQL server.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor as _};

use crate::error::{MetastoreError, is_busy, is_connection_lost};
use crate::location::{PostgresLocation, StoreLocation};

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("./migrations/postgres");
    // A table of this name is what tells our databases from others.
    migrations.dangerous_set_table_name(MIGRATIONS_TABLE);
    // The lock of all writers is taken around them.
    migrations.set_locking(false);
    migrations
});

const MIGRATIONS_TABLE: &str = "penstock_migrations";

/// How long opening waits for other processes that migrate the same store.
const BUSY_BUDGET: Duration = Duration::from_secs(60);
/// How long opening waits for a server that cannot be reached: it may be about to start.
const LOST_BUDGET: Duration = Duration::from_secs(10);
/// Longest time to get a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Longest time for bringing the layout up to date.
const MIGRATION_DEADLINE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(200);
const READERS: u32 = 8;
const READER_WAIT: Duration = Duration::from_secs(30);
/// The server ends a statement that takes longer.
const STATEMENT_TIMEOUT: &str = "30s";
/// The same of a statement that writes: an experiment may be archived with all its runs.
const WRITE_TIMEOUT: &str = "120s";
/// The server reports a lock that is not to be had in this time.
const LOCK_TIMEOUT: &str = "5s";
/// The server ends a transaction that is left alone so long: its owner was stopped or cut off, and others wait.
const IDLE_TIMEOUT: &str = "10s";

pub(super) async fn prepare(location: &PostgresLocation) -> Result<(), MetastoreError> {
    let started = Instant::now();
    loop {
        let passes = |error: &sqlx::Error| {
            (is_busy(error) && started.elapsed() < BUSY_BUDGET)
                || (is_connection_lost(error) && !is_refused_by_tls(error) && started.elapsed() < LOST_BUDGET)
        };
        match prepare_once(location).await {
            Err(Attempt::Failed(error)) if passes(&error) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(Attempt::Failed(error)) => {
                let error = if is_refused_by_tls(&error) { explained(&error) } else { error };
                return Err(MetastoreError::Open { store: store(location), source: Arc::new(error) });
            }
            Err(Attempt::Refused(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
}

/// Whether one side does not take the other's certificate. Waiting does not change that.
fn is_refused_by_tls(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData)
}

/// Says what to do about it.
fn explained(error: &sqlx::Error) -> sqlx::Error {
    let hint = "sslmode, sslrootcert, sslcert and sslkey of the database URL say what is expected and shown";
    sqlx::Error::Tls(format!("{error}; {hint}").into())
}

fn store(location: &PostgresLocation) -> StoreLocation {
    StoreLocation::Postgres(location.clone())
}

enum Attempt {
    Refused(MetastoreError),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Attempt {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

async fn prepare_once(location: &PostgresLocation) -> Result<(), Attempt> {
    let mut connection = connect(&session(location, "open")).await?;
    // Nothing changes before the database is known to be ours, or nobody's, and of a layout that we understand.
    let state = inspect(&mut connection).await?;
    let refuse = |reason| Err(Attempt::Refused(MetastoreError::NotAStore { store: store(location), reason }));
    match state {
        State::OfAnotherEncoding => return refuse("its encoding is not UTF8"),
        State::Foreign => return refuse("it has tables of another program"),
        State::Ours { newest, .. } if newest > supported() => {
            let (found, supported) = (newest, supported());
            return Err(Attempt::Refused(MetastoreError::NewerVersion { store: store(location), found, supported }));
        }
        State::Ours { .. } | State::Empty => {}
    }
    if !matches!(state, State::Ours { up_to_date: true, .. }) {
        let migrated = tokio::time::timeout(MIGRATION_DEADLINE, migrate(&mut connection)).await;
        match migrated.unwrap_or_else(|_| Err(MigrateError::Execute(timed_out()))) {
            Ok(()) => {}
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
                if is_busy(&error) || is_connection_lost(&error) =>
            {
                return Err(Attempt::Failed(error));
            }
            Err(source) => {
                let source = Box::new(source);
                return Err(Attempt::Refused(MetastoreError::Migrate { store: store(location), source }));
            }
        }
    }
    // What writers of long ago noted of their last transaction is of use to nobody.
    connection.execute("DELETE FROM writers WHERE at < now() - interval '1 day'").await?;
    Ok(connection.close().await?)
}

/// Whoever migrates is alone: other writers wait, and find the layout up to date.
async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    transaction.execute("SELECT pg_advisory_xact_lock(1347310420)").await?;
    MIGRATIONS.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

enum State {
    Empty,
    Foreign,
    OfAnotherEncoding,
    Ours {
        newest: i64,
        /// Whether the layout came from the very migrations that this build has.
        up_to_date: bool,
    },
}

/// Tables in the schema that ours are in or will be, but for those that belong to an extension.
const TABLES: &str = "SELECT count(*) FROM pg_catalog.pg_class \
    WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema()) \
      AND relkind IN ('r', 'p') \
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend WHERE objid = pg_class.oid AND deptype = 'e')";

async fn inspect(connection: &mut PgConnection) -> Result<State, sqlx::Error> {
    let encoding: String =
        sqlx::query_scalar("SELECT current_setting('server_encoding')").fetch_one(&mut *connection).await?;
    if encoding != "UTF8" {
        return Ok(State::OfAnotherEncoding);
    }
    let ours: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATIONS_TABLE)
        .fetch_one(&mut *connection)
        .await?;
    if !ours {
        let tables: i64 = sqlx::query_scalar(TABLES).fetch_one(&mut *connection).await?;
        return Ok(if tables == 0 { State::Empty } else { State::Foreign });
    }
    let sql = format!("SELECT version, success, checksum FROM {MIGRATIONS_TABLE} ORDER BY version");
    let applied: Vec<(i64, bool, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let known = MIGRATIONS.iter().map(|migration| (migration.version, true, migration.checksum.to_vec()));
    Ok(State::Ours {
        newest: applied.last().map_or(0, |(version, ..)| *version),
        up_to_date: applied.iter().cloned().eq(known),
    })
}

fn supported() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// What all our connections have in common. What the URL says of the session itself counts.
fn session(location: &PostgresLocation, purpose: &str) -> PgConnectOptions {
    location
        .options()
        .clone()
        .application_name(&format!("penstock-{purpose}"))
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ])
        .disable_statement_logging()
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    tokio::time::timeout(CONNECT_DEADLINE, options.connect()).await.unwrap_or_else(|_| Err(timed_out()))
}

pub(super) async fn connect_writer(location: &PostgresLocation) -> Result<PgConnection, sqlx::Error> {
    let mut connection = connect(&session(location, "write").options([("statement_timeout", WRITE_TIMEOUT)])).await?;
    // What is answered must be durable, whatever is usual on this server; what is stricter stays.
    connection
        .execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        )
        .await?;
    Ok(connection)
}

/// Connections for reading. A read that meets a lost one is tried again ([`crate::database::Readers`]), so that none is
/// tested before each read.
pub(super) fn reader_pool(location: &PostgresLocation) -> PgPool {
    let options = session(location, "read").options([("default_transaction_read_only", "on")]);
    PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_WAIT)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// For the connection that is told of what others store.
pub(crate) fn listener_options(location: &PostgresLocation) -> PgConnectOptions {
    session(location, "listen")
}
