//! The writer: one task per store. It takes what is queued, stores it in one transaction, and answers everybody
//! (group commit), so that the cost of making data durable is shared by all runs that are at work.
//!
//! A request that was queued is carried out whether or not its caller still waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::database::Connection;
use crate::error::{MetastoreError, is_constraint};
use crate::location::StoreLocation;
use crate::rows::Change;
use crate::statements::{Answer, Operation};
use crate::wake;

mod transaction;

use transaction::Failure;

/// Requests that may wait. Callers wait for a place beyond that.
const QUEUE: usize = 1024;
/// Most requests in one transaction.
const BATCH_REQUESTS: usize = 256;
/// A transaction takes no further request once it has this many rows.
const BATCH_ROWS: usize = 8192;
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
    pub(crate) fn spawn(store: StoreLocation, connection: Connection) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let (changes, _) = broadcast::channel(CHANGES);
        let counters = Arc::new(Counters::default());
        let id = Uuid::new_v4();
        let listener = match &store {
            StoreLocation::Sqlite(_) => None,
            StoreLocation::Postgres(location) => {
                let listening = wake::listen(location.clone(), id, changes.clone());
                Some(Listener(tokio::spawn(listening).abort_handle()))
            }
        };
        let writer = Writer {
            store,
            id,
            batch: 0,
            connection: Some(connection),
            begun: false,
            counters: Arc::clone(&counters),
            changes: changes.clone(),
            _listener: listener,
        };
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

/// Ends with the writer.
struct Listener(AbortHandle);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Writer {
    store: StoreLocation,
    /// Names this writer among those of a store on a server.
    id: Uuid,
    /// Number of the newest transaction, tried ones included.
    batch: i64,
    /// Absent after an error that may have left the connection in an unknown state; opened anew for the next request.
    connection: Option<Connection>,
    /// Whether the connection is in a transaction.
    begun: bool,
    counters: Arc<Counters>,
    changes: broadcast::Sender<Change>,
    _listener: Option<Listener>,
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
                Failure::Unsettled(source) => MetastoreError::Unsettled { what, source: Arc::clone(source) },
            };
            let _ = request.reply.send(Err(error));
        }
    }
}

/// A short wait of random length, for another process to give up the lock.
pub(crate) async fn pause() {
    let microseconds = rand::random_range(500..2_500);
    tokio::time::sleep(Duration::from_micros(microseconds)).await;
}
