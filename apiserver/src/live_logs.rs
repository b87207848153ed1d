//! Logs that are still being written. Where they are is known to what carries out runs, which the API does not know.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use penstock_metastore::RunRow;
use penstock_spec::report::AttemptRef;
use tokio::io::AsyncRead;

/// A log from its beginning. At its end there may be more later, and one that is followed may wait instead of ending.
pub type LogReader = Pin<Box<dyn AsyncRead + Send>>;

/// An attempt whose log is wanted.
#[derive(Debug, Clone)]
pub struct WantedLog {
    /// Its run.
    pub run: RunRow,
    /// Key of its task.
    pub task_key: String,
    /// Which attempt.
    pub attempt: AttemptRef,
    /// Whether what is still to come is wanted, too.
    pub follow: bool,
}

/// What is found where an attempt writes.
pub enum LiveLog {
    /// Its log. The reader stays good when the log is put away meanwhile.
    Here(LogReader),
    /// None yet, for this reason.
    NotYet(String),
    /// None, or none yet.
    Absent,
}

/// Where attempts write.
#[async_trait]
pub trait LiveLogs: Send + Sync + Debug + 'static {
    /// Opens what an attempt has written.
    async fn open(&self, wanted: &WantedLog) -> io::Result<LiveLog>;
}
