//! Where the API finds what tasks are printing: in files of this machine, or from their Pods.

use std::io::{self, Cursor};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;
use penstock_apiserver::{LiveLog, LiveLogs, LogReader, WantedLog};
use penstock_driver::{BackendKind, Driver, FollowedLog, LogNews, LogSoFar, PodLog, attempt_log};
use penstock_objectstore::ErrorKind;
use penstock_objectstore::local::LocalStore;
use tokio_util::io::StreamReader;

use crate::context;

/// What attempts of a driver's runs are printing.
#[derive(Debug)]
pub(crate) struct AttemptLogs {
    driver: Driver,
}

impl AttemptLogs {
    /// Of the runs of this driver.
    pub(crate) fn new(driver: Driver) -> AttemptLogs {
        AttemptLogs { driver }
    }

    /// The file of an attempt that is a process of this machine.
    async fn of_process(&self, wanted: &WantedLog) -> io::Result<LiveLog> {
        let attempt = &wanted.attempt;
        let path = attempt_log(self.driver.data_dir(), attempt.run_id, attempt.task_id, attempt.attempt);
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Ok(LiveLog::Absent);
        };
        let (directory, name) = (LocalStore::new(directory), name.to_owned());
        // User code can put something else in its place: a link, or a pipe that is never written to.
        let opened = tokio::task::spawn_blocking(move || directory.open(&name)).await.map_err(io::Error::other)?;
        match opened {
            Ok(file) => Ok(LiveLog::Here(Box::pin(tokio::fs::File::from_std(file)))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(LiveLog::Absent),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// The log of an attempt that is a Pod.
    async fn of_pod(&self, wanted: &WantedLog) -> io::Result<LiveLog> {
        let WantedLog { run, task_key, attempt, follow } = wanted;
        if *follow {
            let log = self.driver.follow_log(&run.info, task_key, attempt).map_err(io::Error::other)?;
            return Ok(LiveLog::Here(followed(log)));
        }
        match self.driver.log_so_far(&run.info, task_key, attempt).await.map_err(io::Error::other)? {
            LogSoFar::Log(log) => Ok(LiveLog::Here(so_far(log))),
            LogSoFar::Waits(reason) => Ok(LiveLog::NotYet(reason)),
            LogSoFar::Absent => Ok(LiveLog::Absent),
        }
    }
}

#[async_trait]
impl LiveLogs for AttemptLogs {
    async fn open(&self, wanted: &WantedLog) -> io::Result<LiveLog> {
        match context::options(&wanted.run).backend {
            BackendKind::Process => self.of_process(wanted).await,
            BackendKind::Kubernetes if self.driver.has_cluster() => self.of_pod(wanted).await,
            BackendKind::Kubernetes => Ok(LiveLog::Absent),
        }
    }
}

fn so_far(log: PodLog) -> LogReader {
    let pieces = stream::try_unfold(log, |mut log| async move {
        let piece = log.next().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(piece.map(|piece| (Cursor::new(piece), log)))
    });
    Box::pin(StreamReader::new(Box::pin(pieces.fuse())))
}

fn followed(log: FollowedLog) -> LogReader {
    let pieces = stream::unfold(log, |mut log| async move {
        loop {
            match log.next().await? {
                LogNews::Piece(piece) => return Some((Ok(Cursor::new(piece)), log)),
                LogNews::Waits(_) | LogNews::Reads => {}
                LogNews::Gap => return Some((Err(io::Error::other("its node no longer has a part of it")), log)),
            }
        }
    });
    Box::pin(StreamReader::new(Box::pin(pieces.fuse())))
}
