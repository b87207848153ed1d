//! Pods of attempts. Where they are is known to what carries out runs, which the API does not know.

use std::fmt::Debug;
use std::io;

use async_trait::async_trait;
use penstock_metastore::RunRow;
use penstock_spec::pod_state::PodState;
use penstock_spec::report::AttemptRef;

/// An attempt whose Pod is wanted.
#[derive(Debug, Clone)]
pub struct WantedPod {
    /// Its run.
    pub run: RunRow,
    /// Key of its task.
    pub task_key: String,
    /// Which attempt.
    pub attempt: AttemptRef,
}

/// What is found of an attempt's Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundPod {
    /// How it is.
    Here(Box<PodState>),
    /// There is none, for this reason.
    Absent(&'static str),
}

/// Where the Pods of attempts are.
#[async_trait]
pub trait LivePods: Send + Sync + Debug + 'static {
    /// Looks at the Pod of an attempt.
    async fn look(&self, wanted: &WantedPod) -> io::Result<FoundPod>;
}
