//! The seam between the driver and the place where attempts run.

use async_trait::async_trait;
use penstock_engine::{Event, NodeId};
use penstock_spec::plan::Plan;
use penstock_spec::report::FailureCause;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Names an attempt within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    /// The task's node.
    pub node: NodeId,
    /// Attempt, from 0.
    pub attempt: u32,
}

/// An attempt whose end is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAttempt {
    /// Identity of the task.
    pub task: Uuid,
    /// Key of the task in its DAG.
    pub key: String,
    /// Attempt, from 0.
    pub attempt: u32,
    /// How it ended.
    pub end: AttemptEnd,
}

/// How an attempt ended, as far as its remains are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// Well.
    Succeeded {
        /// Whether its log is in the object store.
        log_stored: bool,
    },
    /// In any other way.
    Failed {
        /// Why; not known any more of attempts that an earlier driver saw end.
        cause: Option<FailureCause>,
        /// Whether another attempt follows.
        again: bool,
    },
}

/// What becomes of an attempt that an earlier driver started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It ought to be running.
    GoOn,
    /// It ought to be stopped.
    Stop,
}

/// Where a backend sends what it observes: `TaskReported` and `TaskLost` events of one run.
pub type Observation = mpsc::Sender<Event>;

/// A place where attempts run. One value serves one run.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Starts an attempt. Returns as soon as the attempt is on its way; how it ends is an observation.
    async fn start(&self, key: AttemptKey, plan: Plan);

    /// Takes up an attempt that an earlier driver started, or was about to: its end if it has ended, and otherwise what
    /// the place allows, which is to go on with it, to start what was never started, or to make sure that nothing of it
    /// runs any more and say that it was interrupted.
    async fn recover(&self, key: AttemptKey, plan: Plan, recovery: Recovery);

    /// Stops an attempt. It still reports.
    async fn stop(&self, key: AttemptKey);

    /// Takes note of an attempt whose end is durable: what of it nobody needs any more may go. Called again after a
    /// restart. Returns at once; the work is done beside the attempts that follow.
    async fn forget(&self, attempt: EndedAttempt);

    /// Waits, for a bounded time, until what was forgotten is gone. Nothing is forgotten afterwards. A run that has
    /// `succeeded` will not go on: then nothing of it is needed.
    async fn finish(&self, succeeded: bool);

    /// Lets go of everything at once: processes of this machine are killed, Pods run on. Nothing is reported; a later
    /// `recover` finds what is left.
    async fn abort(&self);
}
