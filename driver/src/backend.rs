//! The seam between the driver and the place where attempts run.

use async_trait::async_trait;
use penstock_engine::{Event, NodeId};
use penstock_spec::plan::Plan;
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

/// Where a backend sends what it observes: `TaskReported` and `TaskLost` events of one run.
pub type Observation = mpsc::Sender<Event>;

/// A place where attempts run. One value serves one run.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Starts an attempt. Returns as soon as the attempt is on its way; how it ends is an observation.
    async fn start(&self, key: AttemptKey, plan: Plan);

    /// Takes up an attempt that an earlier driver started: its end if it has ended well, and otherwise makes sure
    /// that nothing of it runs any more and says that it was interrupted.
    async fn recover(&self, key: AttemptKey, plan: Plan);

    /// Stops an attempt. It still reports.
    async fn stop(&self, key: AttemptKey);

    /// Forgets an attempt whose success is durable: nothing that it needed on this machine is needed any more. Returns
    /// at once; the work is done beside the attempts that follow.
    async fn forget(&self, task: Uuid, attempt: u32);

    /// Waits, for a bounded time, until what was forgotten is gone. Nothing is forgotten afterwards. A run that has
    /// `succeeded` will not go on: then nothing of it is needed.
    async fn finish(&self, succeeded: bool);

    /// Kills whatever runs, at once. Nothing is reported; a later `recover` finds what is left.
    async fn abort(&self);
}
