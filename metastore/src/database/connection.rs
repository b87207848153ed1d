//! Connections to either database: the one that writes, and those for reading.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Connection as _, Executor as _};

use super::{Dialect, Query, Row, Source};
use crate::error::is_connection_lost;

/// How long a read is tried again while the server cannot be reached.
const LOST_BUDGET: Duration = Duration::from_secs(20);
/// Longest time of one try. The server gives up on a statement a little before ([`crate::open`]).
const READ_DEADLINE: Duration = Duration::from_secs(35);
const PAUSE: Duration = Duration::from_millis(100);

/// A connection that writes.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(Box<PgConnection>),
}

/// Writers of one PostgreSQL database agree on a number: "PNST".
const BEGIN_POSTGRES: &str = "BEGIN; SELECT pg_advisory_xact_lock(1347310420)";

impl Connection {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a transaction once no other one writes. SQLite reports at once that one does, PostgreSQL after a while.
    ///
    /// PostgreSQL would let several write at once. Nearly all of them would then wait for each other's counts of runs in
    /// whatever order, and be ended as deadlocks; one after the other they need not be tried again.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.execute("BEGIN IMMEDIATE").await.map(drop),
            Self::Postgres(connection) => match connection.execute(BEGIN_POSTGRES).await {
                Ok(_) => Ok(()),
                Err(error) => {
                    // The transaction has begun, and only the lock was not to be had. What cannot be told the server is no
                    // matter: then the connection is given up.
                    connection.execute("ROLLBACK").await.ok();
                    Err(error)
                }
            },
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.execute("COMMIT").await.map(drop),
            Self::Postgres(connection) => connection.execute("COMMIT").await.map(drop),
        }
    }

    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.execute("ROLLBACK").await.map(drop),
            Self::Postgres(connection) => connection.execute("ROLLBACK").await.map(drop),
        }
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }

    pub(super) async fn execute(&mut self, query: &Query<'_>) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => Ok(query.for_sqlite().execute(connection).await?.rows_affected()),
            Self::Postgres(connection) => Ok(query.for_postgres().execute(connection.as_mut()).await?.rows_affected()),
        }
    }
}

impl Source for &mut Connection {
    async fn rows(self, query: &Query<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Connection::Sqlite(connection) => {
                Ok(query.for_sqlite().fetch_all(connection).await?.into_iter().map(Row::Sqlite).collect())
            }
            Connection::Postgres(connection) => {
                let rows = query.for_postgres().fetch_all(connection.as_mut()).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    async fn first_row(self, query: &Query<'_>) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Connection::Sqlite(connection) => Ok(query.for_sqlite().fetch_optional(connection).await?.map(Row::Sqlite)),
            Connection::Postgres(connection) => {
                Ok(query.for_postgres().fetch_optional(connection.as_mut()).await?.map(Row::Postgres))
            }
        }
    }
}

/// Connections for reading.
#[derive(Debug, Clone)]
pub(crate) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Readers {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Source for &Readers {
    async fn rows(self, query: &Query<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Readers::Sqlite(pool) => {
                Ok(query.for_sqlite().fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect())
            }
            Readers::Postgres(pool) => {
                let tries = Tries::begin();
                loop {
                    match tries.one(query.for_postgres().fetch_all(pool)).await {
                        Err(error) if tries.another(&error).await => {}
                        rows => return Ok(rows?.into_iter().map(Row::Postgres).collect()),
                    }
                }
            }
        }
    }

    async fn first_row(self, query: &Query<'_>) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Readers::Sqlite(pool) => Ok(query.for_sqlite().fetch_optional(pool).await?.map(Row::Sqlite)),
            Readers::Postgres(pool) => {
                let tries = Tries::begin();
                loop {
                    match tries.one(query.for_postgres().fetch_optional(pool)).await {
                        Err(error) if tries.another(&error).await => {}
                        row => return Ok(row?.map(Row::Postgres)),
                    }
                }
            }
        }
    }
}

/// Reads again when the server was lost meanwhile: idle connections of before a restart fail one after the other.
struct Tries {
    since: Instant,
}

impl Tries {
    fn begin() -> Self {
        Self { since: Instant::now() }
    }

    /// One try.
    async fn one<T>(&self, read: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let timed_out = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        tokio::time::timeout(READ_DEADLINE, read).await.unwrap_or_else(timed_out)
    }

    /// Whether there is another one after this error, and the time for it.
    async fn another(&self, error: &sqlx::Error) -> bool {
        let another = is_connection_lost(error) && self.since.elapsed() < LOST_BUDGET;
        if another {
            tokio::time::sleep(PAUSE).await;
        }
        another
    }
}
