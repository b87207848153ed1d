//! The writer: one task per store. It takes what is queued, stores it in one transaction, and answers everybody
//! (group commit), so that the cost of making data durable is shared by all runs that are at work.
//!
//! A request that was queued is carried out whether or not its caller still waits.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::error::{MetastoreError, is_busy, is_constraint};
use crate::open;
use crate::rows::Change;
use crate::statements::{self, Answer, Operation, Staged};

/// Requests that may wait. Callers wait for a place beyond that.
const QUEUE: usize = 1024;
/// Most requests in one transaction.
const BATCH_REQUESTS: usize = 256;
/// A transaction takes no further request once it has this many rows.
const BATCH_ROWS: usize = 8192;
/// How long one transaction waits for other processes before its requests fail.
const BUSY_BUDGET: Duration = Duration::from_secs(30);
/// Changes that a slow subscriber may lag behind.
const CHANGES: usize = 4096;

/// What the writer has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed.
    pub transactions: u64,
    /// Requests carried out, refused ones included.
    pub requests: u64,
    /// Facts stored.
    pub facts: u64,
    /// Times the lock of another process had to be waited for.
    pub lock_waits: u64,
}

#[derive(Debug, Default)]
struct Counters {
    transactions: AtomicU64,
    requests: AtomicU64,
    facts: AtomicU64,
    lock_waits: AtomicU64,
}

struct Request {
    operation: Operation,
    reply: oneshot::Sender<Result<Answer, MetastoreError>>,
}

enum Message {
    Request(Request),
    Close(oneshot::Sender<()>),
}

/// Callers' side of the writer.
#[derive(Debug, Clone)]
pub(crate) struct WriterHandle {
    queue: mpsc::Sender<Message>,
    counters: Arc<Counters>,
    changes: broadcast::Sender<Change>,
}

impl WriterHandle {
    /// Starts the writer of a store that is prepared already.
    pub(crate) fn spawn(path: PathBuf, connection: SqliteConnection) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let (changes, _) = broadcast::channel(CHANGES);
        let counters = Arc::new(Counters::default());
        let writer =
            Writer { path, connection: Some(connection), counters: Arc::clone(&counters), changes: changes.clone() };
        tokio::spawn(writer.run(requests));
        Self { queue, counters, changes }
    }

    /// Stores something; returns when it is durable or known to be refused.
    pub(crate) async fn submit(&self, operation: Operation) -> Result<Answer, MetastoreError> {
        let what = operation.description();
        let (reply, answer) = oneshot::channel();
        let message = Message::Request(Request { operation, reply });
        if self.queue.send(message).await.is_err() {
            return Err(MetastoreError::Closed { what });
        }
        answer.await.unwrap_or(Err(MetastoreError::Closed { what }))
    }

    /// Stores what is queued, then ends the writer.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that the writer has ended some other way, which is as good.
            let _ = closed.await;
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    pub(crate) fn stats(&self) -> WriterStats {
        WriterStats {
            transactions: self.counters.transactions.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
            facts: self.counters.facts.load(Ordering::Relaxed),
            lock_waits: self.counters.lock_waits.load(Ordering::Relaxed),
        }
    }
}

struct Writer {
    path: PathBuf,
    /// Absent after an error that may have left the connection in an unknown state; opened anew for the next request.
    connection: Option<SqliteConnection>,
    counters: Arc<Counters>,
    changes: broadcast::Sender<Change>,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = queue.recv().await else { break };
            let mut batch = Vec::new();
            let mut rows = 0;
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Request(request) => {
                        rows += request.operation.rows();
                        batch.push(request);
                    }
                    Message::Close(done) => {
                        queue.close();
                        closing = Some(done);
                    }
                }
                if batch.len() < BATCH_REQUESTS && rows < BATCH_ROWS {
                    next = queue.try_recv().ok();
                }
            }
            self.carry_out(batch).await;
        }
        // After a request to close, the queue may still hold what came before it was closed.
        while let Some(message) = queue.recv().await {
            if let Message::Request(request) = message {
                self.carry_out(vec![request]).await;
            }
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(error = %error, "the store's write connection did not close cleanly");
        }
        if let Some(done) = closing {
            // The caller may have gone.
            let _ = done.send(());
        }
    }

    /// Stores a batch in one transaction. If the database objects to a row, it does not say to whose, so each request
    /// gets a transaction of its own then.
    async fn carry_out(&mut self, batch: Vec<Request>) {
        if batch.is_empty() {
            return;
        }
        let operations: Vec<&Operation> = batch.iter().map(|request| &request.operation).collect();
        match self.transact(&operations).await {
            Ok(answers) => self.answer(batch, answers),
            Err(Failure::Database(error)) if is_constraint(&error) && batch.len() > 1 => {
                for request in batch {
                    let result = self.transact(&[&request.operation]).await;
                    match result {
                        Ok(answers) => self.answer(vec![request], answers),
                        Err(failure) => self.fail(vec![request], &failure),
                    }
                }
            }
            Err(failure) => self.fail(batch, &failure),
        }
    }

    fn answer(&self, batch: Vec<Request>, answers: Vec<Result<Answer, MetastoreError>>) {
        self.counters.requests.fetch_add(batch.len() as u64, Ordering::Relaxed);
        for (request, answer) in batch.into_iter().zip(answers) {
            if let Ok(answer) = &answer {
                self.counters.facts.fetch_add(request.operation.facts() as u64, Ordering::Relaxed);
                if let Some(change) = request.operation.change(*answer) {
                    // Nobody may be listening.
                    let _ = self.changes.send(change);
                }
            }
            // The caller may have gone; what it asked for is stored all the same.
            let _ = request.reply.send(answer);
        }
    }

    fn fail(&self, batch: Vec<Request>, failure: &Failure) {
        self.counters.requests.fetch_add(batch.len() as u64, Ordering::Relaxed);
        for request in batch {
            let what = request.operation.description();
            let error = match failure {
                Failure::Busy(waited) => MetastoreError::Busy { what, waited: *waited },
                Failure::Database(error) => MetastoreError::database(what, Arc::clone(error)),
            };
            let _ = request.reply.send(Err(error));
        }
    }

    async fn transact(&mut self, operations: &[&Operation]) -> Result<Vec<Result<Answer, MetastoreError>>, Failure> {
        let started = Instant::now();
        let mut waited = false;
        loop {
            match self.try_transact(operations).await {
                Err(error) if is_busy(&error) => {
                    if started.elapsed() > BUSY_BUDGET {
                        return Err(Failure::Busy(started.elapsed()));
                    }
                    if !std::mem::replace(&mut waited, true) {
                        self.counters.lock_waits.fetch_add(1, Ordering::Relaxed);
                    }
                    pause().await;
                }
                Err(error) => {
                    if !is_constraint(&error) {
                        // The state of the connection is not known (a failed commit, a lost file): start afresh.
                        self.connection = None;
                    }
                    return Err(Failure::Database(Arc::new(error)));
                }
                Ok(answers) => {
                    self.counters.transactions.fetch_add(1, Ordering::Relaxed);
                    return Ok(answers);
                }
            }
        }
    }

    async fn try_transact(
        &mut self,
        operations: &[&Operation],
    ) -> Result<Vec<Result<Answer, MetastoreError>>, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(open::connect_writer(&self.path).await?),
        };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut staged = Staged::default();
        let mut answers = Vec::with_capacity(operations.len());
        for operation in operations {
            answers.push(statements::apply(&mut transaction, &mut staged, operation).await?);
        }
        staged.store(&mut transaction).await?;
        transaction.commit().await?;
        Ok(answers)
    }
}

enum Failure {
    Busy(Duration),
    Database(Arc<sqlx::Error>),
}

/// A short wait of random length, for another process to give up the lock.
pub(crate) async fn pause() {
    let microseconds = rand::random_range(500..2_500);
    tokio::time::sleep(Duration::from_micros(microseconds)).await;
}
