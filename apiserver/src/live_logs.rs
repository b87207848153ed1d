//! Logs that are still being written. Where they are is known to what carries out runs, which the API does not know.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use tokio::io::AsyncRead;
use uuid::Uuid;

/// A log from its beginning. At its end there may be more later.
pub type LogReader = Pin<Box<dyn AsyncRead + Send>>;

/// Where attempts write.
#[async_trait]
pub trait LiveLogs: Send + Sync + Debug + 'static {
    /// Opens what an attempt (from 0) of a task has written; `None` when nothing of it is here, or not yet. The reader
    /// stays good when the log is put away meanwhile.
    async fn open(&self, run: Uuid, task: Uuid, attempt: u32) -> io::Result<Option<LogReader>>;
}
