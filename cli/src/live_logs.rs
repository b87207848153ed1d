//! Where the API finds what tasks are printing: in files of this machine, or from their Pods.

mod timed;

use std::io;
use std::path::Path;

use async_trait::async_trait;
use penstock_apiserver::{LiveLog, LiveLogs, LogReader, PlainLog, WantedLog};
use penstock_driver::{BackendKind, Driver, FollowedLog, LogNews, LogSoFar, PodLog, attempt_log};
use penstock_objectstore::ErrorKind;
use penstock_objectstore::local::LocalStore;
use penstock_spec::log_times::{LogPiece, index_path};
use tokio::fs::File;

use self::timed::TimedLog;
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
        let Some(log) = open(&path).await? else { return Ok(LiveLog::Absent) };
        let index = if wanted.with_times { open(&index_path(&path)).await? } else { None };
        Ok(LiveLog::Here(match index {
            Some(index) => Box::new(TimedLog::new(log, index)),
            None => Box::new(PlainLog(log)),
        }))
    }

    /// The log of an attempt that is a Pod.
    async fn of_pod(&self, wanted: &WantedLog) -> io::Result<LiveLog> {
        let WantedLog { run, task_key, attempt, follow, with_times } = wanted;
        if *follow {
            let log = self.driver.follow_log(&run.info, task_key, attempt, *with_times).map_err(io::Error::other)?;
            return Ok(LiveLog::Here(Box::new(Followed(log))));
        }
        match self.driver.log_so_far(&run.info, task_key, attempt, *with_times).await.map_err(io::Error::other)? {
            LogSoFar::Log(log) => Ok(LiveLog::Here(Box::new(SoFar(log)))),
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

/// A file of an attempt. User code can put something else in its place: a link, or a pipe that is never written to.
async fn open(path: &Path) -> io::Result<Option<File>> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(None);
    };
    let (directory, name) = (LocalStore::new(directory), name.to_owned());
    match tokio::task::spawn_blocking(move || directory.open(&name)).await.map_err(io::Error::other)? {
        Ok(file) => Ok(Some(File::from_std(file))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

struct SoFar(PodLog);

#[async_trait]
impl LogReader for SoFar {
    async fn next(&mut self) -> io::Result<Option<LogPiece>> {
        self.0.next().await.map_err(io::Error::other)
    }
}

struct Followed(FollowedLog);

#[async_trait]
impl LogReader for Followed {
    async fn next(&mut self) -> io::Result<Option<LogPiece>> {
        loop {
            match self.0.next().await {
                None => return Ok(None),
                Some(LogNews::Piece(piece)) => return Ok(Some(piece)),
                Some(LogNews::Waits(_) | LogNews::Reads) => {}
                Some(LogNews::Gap) => return Err(io::Error::other("its node no longer has a part of it")),
            }
        }
    }
}
