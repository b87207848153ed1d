//! Where the API finds what tasks of this machine are printing.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use penstock_apiserver::{LiveLogs, LogReader};
use penstock_driver::attempt_log;
use penstock_objectstore::ErrorKind;
use penstock_objectstore::local::LocalStore;
use uuid::Uuid;

/// The files of attempts in a data directory.
#[derive(Debug)]
pub(crate) struct LocalLogs {
    data_dir: PathBuf,
}

impl LocalLogs {
    /// Those of this data directory.
    pub(crate) fn new(data_dir: PathBuf) -> LocalLogs {
        LocalLogs { data_dir }
    }
}

#[async_trait]
impl LiveLogs for LocalLogs {
    async fn open(&self, run: Uuid, task: Uuid, attempt: u32) -> io::Result<Option<LogReader>> {
        let path = attempt_log(&self.data_dir, run, task, attempt);
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Ok(None);
        };
        let (directory, name) = (LocalStore::new(directory), name.to_owned());
        // User code can put something else in its place: a link, or a pipe that is never written to.
        let opened = tokio::task::spawn_blocking(move || directory.open(&name)).await.map_err(io::Error::other)?;
        match opened {
            Ok(file) => Ok(Some(Box::pin(tokio::fs::File::from_std(file)))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
