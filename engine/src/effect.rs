//! Effects: what ought to be in flight. The host carries them out after the facts that caused them are durable.

use penstock_spec::Timestamp;
use penstock_spec::artifact::Artifact;
use penstock_spec::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::fact::NodeId;

/// Something for the host to do. Each may be carried out again after a restart.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the cache; answer with [`crate::Event::CacheAnswered`].
    LookUpCache {
        /// The task's node.
        node: NodeId,
        /// Key of the result.
        key: String,
    },
    /// Start an attempt, or find the one that is running under this identity already.
    StartAttempt {
        /// The task's node.
        node: NodeId,
        /// What it is to do.
        plan: Box<Plan>,
    },
    /// Stop an attempt; it still reports, or is lost.
    StopAttempt {
        /// The task's node.
        node: NodeId,
        /// The attempt.
        attempt: u32,
    },
    /// Record an artifact that exists already; answer with [`crate::Event::ImportAnswered`].
    Import {
        /// The task's node.
        node: NodeId,
        /// What to import.
        request: Box<ImportRequest>,
    },
    /// Send [`crate::Event::TimerDue`] at this time or later.
    SetTimer {
        /// Which.
        timer: Timer,
        /// When.
        at: Timestamp,
    },
}

/// Timers of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "timer", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Timer {
    /// The next attempt of a task may start.
    Retry {
        /// The task's node.
        node: NodeId,
        /// The attempt that will start.
        attempt: u32,
    },
    /// The run has taken as long as it may (`pipelineConfig.activeDeadlineSeconds`).
    RunDeadline,
}

/// An artifact to record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportRequest {
    /// The record to make, unless an equal one may be used.
    pub artifact: Artifact,
    /// Make a new record even when one of the same type, URI and metadata exists in the same pipeline.
    pub reimport: bool,
    /// Copy the content into the run's workspace.
    pub download_to_workspace: bool,
}
