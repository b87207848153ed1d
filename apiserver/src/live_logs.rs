//! Logs that are still being written. Where they are is known to what carries out runs, which the API does not know.

use std::fmt::Debug;
use std::io;

use async_trait::async_trait;
use penstock_metastore::RunRow;
use penstock_spec::log_times::LogPiece;
use penstock_spec::report::AttemptRef;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// A log from its beginning.
#[async_trait]
pub trait LogReader: Send {
    /// What comes next; nothing at the end. There may be more later, and one that is followed may wait instead. Nothing is
    /// lost when it is not waited out.
    async fn next(&mut self) -> io::Result<Option<LogPiece>>;
}

/// A log of which nobody knows when it was printed.
#[derive(Debug)]
pub struct PlainLog<R>(pub R);

#[async_trait]
impl<R: AsyncRead + Send + Unpin> LogReader for PlainLog<R> {
    async fn next(&mut self) -> io::Result<Option<LogPiece>> {
        let mut piece = Vec::with_capacity(PIECE);
        self.0.read_buf(&mut piece).await?;
        Ok(Some(LogPiece::without_times(piece)).filter(|piece| !piece.bytes.is_empty()))
    }
}

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
    /// Whether it matters when what was printed.
    pub with_times: bool,
}

/// What is found where an attempt writes.
pub enum LiveLog {
    /// Its log. The reader stays good when the log is put away meanwhile.
    Here(Box<dyn LogReader>),
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
