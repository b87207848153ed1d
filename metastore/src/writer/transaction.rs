//! One transaction of the writer: tried again as long as others, or a server that has gone, stand in the way, and never told
//! to have failed when it is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use uuid::Uuid;

use super::{Writer, pause};
use crate::database::{Connection, Dialect, query};
use crate::error::{MetastoreError, is_busy, is_connection_lost, is_constraint};
use crate::location::StoreLocation;
use crate::open;
use crate::statements::{self, Answer, Operation, Staged};
use crate::wake::{CHANNEL, payloads};

/// How long one transaction waits for other processes before its requests fail.
const BUSY_BUDGET: Duration = Duration::from_secs(30);
/// Longest time for the statements of one transaction on a server, and for its end. The server gives up a little before.
const WORK_DEADLINE: Duration = Duration::from_secs(150);
const ROLL_BACK_DEADLINE: Duration = Duration::from_secs(5);
/// How long a server is asked whether a transaction is stored of which the end was not seen.
const SETTLE_BUDGET: Duration = Duration::from_secs(60);
/// Longest time for one such question.
const SETTLE_DEADLINE: Duration = Duration::from_secs(30);
/// Between two attempts to reach a server.
const LOST_PAUSE: Duration = Duration::from_millis(100);

impl Writer {
    pub(super) async fn transact(&mut self, operations: &[&Operation]) -> Result<Answers, Failure> {
        let started = Instant::now();
        let mut waited = false;
        loop {
            let error = match self.try_transact(operations).await {
                Ok(answers) => return Ok(answers),
                Err(Attempt::Unsettled { answers, error }) => match self.settle().await {
                    Some(true) => return Ok(answers),
                    Some(false) => error,
                    None => return Err(Failure::Unsettled(Arc::new(error))),
                },
                Err(Attempt::NotStored(error)) => error,
            };
            let lost = is_connection_lost(&error) && self.is_shared();
            if !lost && !is_busy(&error) {
                return Err(Failure::Database(Arc::new(error)));
            }
            if started.elapsed() > BUSY_BUDGET {
                return Err(if lost { Failure::Database(Arc::new(error)) } else { Failure::Busy(started.elapsed()) });
            }
            if lost {
                tracing::debug!(error = %error, "the database was lost; what was to be stored is tried again");
                tokio::time::sleep(LOST_PAUSE).await;
            } else if !std::mem::replace(&mut waited, true) {
                self.counters.lock_waits.fetch_add(1, Ordering::Relaxed);
            }
            pause().await;
        }
    }

    /// Whether the store is on a server, which may go away and come back.
    fn is_shared(&self) -> bool {
        matches!(self.store, StoreLocation::Postgres(_))
    }

    async fn try_transact(&mut self, operations: &[&Operation]) -> Result<Answers, Attempt> {
        self.batch += 1;
        let answers = match self.deadline() {
            None => self.work(operations).await,
            Some(deadline) => timeout(deadline, self.work(operations)).await.unwrap_or_else(|_| Err(timed_out())),
        };
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                self.roll_back(&error).await;
                return Err(Attempt::NotStored(error));
            }
        };
        match self.commit().await {
            Ok(()) => {}
            // The server says so itself.
            Err(error) if !self.is_shared() || (is_from_database(&error) && !is_connection_lost(&error)) => {
                self.connection = None;
                return Err(Attempt::NotStored(error));
            }
            Err(error) => {
                self.connection = None;
                return Err(Attempt::Unsettled { answers, error });
            }
        }
        self.counters.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(answers)
    }

    /// Longest time for the statements of a transaction. A file answers, or fails.
    fn deadline(&self) -> Option<Duration> {
        self.is_shared().then_some(WORK_DEADLINE)
    }

    /// Everything of a transaction but its end.
    async fn work(&mut self, operations: &[&Operation]) -> Result<Answers, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(open::connect_writer(&self.store).await?),
        };
        connection.begin().await?;
        self.begun = true;
        let mut staged = Staged::default();
        let mut answers = Vec::with_capacity(operations.len());
        for operation in operations {
            answers.push(statements::apply(connection, &mut staged, operation).await?);
        }
        staged.store(connection).await?;
        if connection.dialect() == Dialect::Postgres {
            let stored = operations.iter().zip(&answers);
            let changes = stored.filter_map(|(operation, answer)| operation.change(*answer.as_ref().ok()?));
            note(connection, self.id, self.batch, &payloads(self.id, changes)).await?;
        }
        Ok(answers)
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.begun = false;
        let deadline = self.deadline();
        let Some(connection) = &mut self.connection else { return Err(timed_out()) };
        match deadline {
            None => connection.commit().await,
            Some(deadline) => timeout(deadline, connection.commit()).await.unwrap_or_else(|_| Err(timed_out())),
        }
    }

    /// Leaves the connection as it was before the transaction, or gives it up.
    async fn roll_back(&mut self, error: &sqlx::Error) {
        let begun = std::mem::take(&mut self.begun);
        let Some(connection) = &mut self.connection else { return };
        // A lock that was not to be had is no reason, and otherwise the state of the connection is not known (a file or a
        // server that was lost).
        let sound = is_constraint(error) || is_busy(error);
        let rolled_back =
            sound && (!begun || matches!(timeout(ROLL_BACK_DEADLINE, connection.roll_back()).await, Ok(Ok(()))));
        if !rolled_back {
            self.connection = None;
        }
    }

    /// Whether the transaction is stored of which the end was not seen; `None` if the server cannot be asked.
    async fn settle(&mut self) -> Option<bool> {
        let started = Instant::now();
        loop {
            match timeout(SETTLE_DEADLINE, self.ask()).await {
                Ok(Ok(stored)) => {
                    tracing::info!(
                        stored,
                        "the database was lost during a commit, and was asked what has become of it"
                    );
                    return Some(stored);
                }
                Ok(Err(_)) | Err(_) => self.connection = None,
            }
            if started.elapsed() > SETTLE_BUDGET {
                return None;
            }
            tokio::time::sleep(LOST_PAUSE).await;
        }
    }

    /// Transactions follow each other, so that once this one has begun the other has ended, one way or the other.
    async fn ask(&mut self) -> Result<bool, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(open::connect_writer(&self.store).await?),
        };
        connection.begin().await?;
        let newest: Option<i64> = query("SELECT batch FROM writers WHERE id = $1")
            .bind(self.id)
            .fetch_value(&mut *connection, "batch")
            .await?;
        connection.roll_back().await?;
        Ok(newest == Some(self.batch))
    }
}

pub(super) type Answers = Vec<Result<Answer, MetastoreError>>;

/// Why a transaction may not be stored.
enum Attempt {
    NotStored(sqlx::Error),
    /// Its end was not seen. If it is stored, these are the answers.
    Unsettled {
        answers: Answers,
        error: sqlx::Error,
    },
}

/// Why a transaction is not stored, or may not be.
pub(super) enum Failure {
    Busy(Duration),
    Database(Arc<sqlx::Error>),
    Unsettled(Arc<sqlx::Error>),
}

/// Notes in a transaction that it was this one, and what others are to be told of it.
async fn note(connection: &mut Connection, id: Uuid, batch: i64, payloads: &[String]) -> Result<(), sqlx::Error> {
    query(NOTE).bind(id).bind(batch).execute(connection).await?;
    for payload in payloads {
        query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(connection).await?;
    }
    Ok(())
}

const NOTE: &str = "INSERT INTO writers (id, batch, at) VALUES ($1, $2, now()) \
    ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at";

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

fn is_from_database(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some()
}
