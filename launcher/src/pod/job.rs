//! What the sidecar of a Pod is there for.

use std::sync::Arc;
use std::time::Duration;

use penstock_entry::protocol::LauncherMessage;
use penstock_objectstore::Transfer;
use penstock_spec::report::{AttemptRef, Failure, FailureCause};
use tokio::task::JoinSet;

use super::data::DataJob;
use super::ending::Ending;
use super::machine::Conclusion;
use super::task::TaskJob;
use crate::report::{attempt_of, describe, failure};

/// Longest time for a look whether outputs can be stored.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// What there is to do.
#[derive(Debug, Clone)]
pub enum Job {
    /// A task's attempt.
    Task(Arc<TaskJob>),
    /// Inputs and outputs of any other Pod.
    Data(Arc<DataJob>),
    /// Nothing can be done here, for this reason. With an attempt, its driver is told.
    Broken(Option<AttemptRef>, Failure),
}

impl Job {
    /// The attempt that is reported on.
    pub fn attempt(&self) -> Option<AttemptRef> {
        match self {
            Job::Task(task) => Some(attempt_of(task.plan())),
            Job::Data(_) => None,
            Job::Broken(attempt, _) => attempt.clone(),
        }
    }

    /// How long the user's process may run.
    pub fn timeout(&self) -> Option<Duration> {
        match self {
            Job::Task(task) => task.plan().timeout_seconds.map(Duration::from_secs),
            Job::Data(_) | Job::Broken(..) => None,
        }
    }

    /// Fetches the inputs.
    pub async fn fetch(&self) -> Result<(), Failure> {
        match self {
            Job::Task(task) => Box::pin(task.fetch()).await,
            Job::Data(data) => Box::pin(data.fetch()).await,
            Job::Broken(_, failure) => Err(failure.clone()),
        }
    }

    /// What the entry is told to run; `argv` is as Kubernetes passed it.
    pub fn start(&self, argv: Vec<String>) -> Result<LauncherMessage, Failure> {
        match self {
            Job::Task(task) => task.start(argv),
            Job::Data(data) => Ok(data.start(argv)),
            Job::Broken(_, failure) => Err(failure.clone()),
        }
    }

    /// Stores what there is to be stored.
    pub async fn store(&self, ending: Ending) -> Conclusion {
        match (self, ending) {
            (Job::Task(task), ending) => Box::pin(task.store(ending)).await,
            (Job::Data(data), ending) => Box::pin(data.store(ending)).await,
            (Job::Broken(_, failure), Ending::Well) => unstored(failure.clone(), Some(0)),
            (Job::Broken(..), Ending::Badly { failure, exit_code, .. }) => unstored(failure, exit_code),
        }
    }

    /// From now on stores the log from time to time while the process runs. Asking again changes nothing.
    pub fn ship_log(&self) {
        if let Job::Task(task) = self {
            task.ship_log();
        }
    }

    /// Stores the log of a process that is still running, in little time.
    pub async fn store_partial_log(&self) {
        if let Job::Task(task) = self {
            task.store_partial_log().await;
        }
    }
}

/// Looks whether anything can be stored below a URI: what is wrong with the store shows before user code runs (F-27).
pub async fn probe_store(transfer: &Transfer, uri: &str) -> Result<(), Failure> {
    match tokio::time::timeout(PROBE_LIMIT, transfer.probe(uri)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if !error.is_infrastructure() => {
            let message = format!("outputs cannot be stored below {uri}: {}", describe(&error));
            Err(failure(FailureCause::Refused, message))
        }
        // It may be there again when the outputs are.
        Ok(Err(error)) => {
            tracing::warn!("the store of outputs does not answer: {}", describe(&error));
            Ok(())
        }
        Err(_) => {
            tracing::warn!("the store of outputs does not answer");
            Ok(())
        }
    }
}

/// A time as messages and reports state it.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A failure of which nothing is stored.
pub fn unstored(failure: Failure, exit_code: Option<i32>) -> Conclusion {
    Conclusion { failure: Some(failure), manifest_digest: None, exit_code, log_uri: None }
}

/// The failure of a step that panicked.
pub fn broken(error: &tokio::task::JoinError) -> Failure {
    let message = format!("a step of the attempt stopped unexpectedly: {error}");
    failure(FailureCause::Infrastructure, message)
}

/// Runs work as a task of its own, so that a panic in it becomes a failure. Dropping this ends the work.
pub async fn guarded<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Failure> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(done)) => Ok(done),
        Some(Err(error)) => Err(broken(&error)),
        None => std::future::pending().await,
    }
}
