//! Events: observations and commands.

use penstock_spec::report::{Failure, Report, TaskOutputs};
use penstock_spec::run::RunInfo;
use penstock_spec::timings::Timings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::effect::Timer;
use crate::fact::{CacheSource, NodeId};

/// Something that happened outside the engine. Late, repeated and reordered events change nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A run is to start. `parameters` are those the user gave.
    Start {
        /// Identity and settings.
        run: RunInfo,
        /// Parameters as given.
        parameters: Map<String, Value>,
    },
    /// The cache was asked.
    CacheAnswered {
        /// The task's node.
        node: NodeId,
        /// An entry that is known to be whole, or nothing.
        hit: Option<CacheHit>,
    },
    /// An importer's request was carried out.
    ImportAnswered {
        /// The task's node.
        node: NodeId,
        /// The artifact, or why there is none.
        result: ImportResult,
    },
    /// An attempt ended and said how.
    TaskReported {
        /// The task's node.
        node: NodeId,
        /// How it ended.
        report: Report,
    },
    /// An attempt is gone without a word.
    TaskLost {
        /// The task's node.
        node: NodeId,
        /// The attempt.
        attempt: u32,
        /// What is known. Its cause is normally `INFRASTRUCTURE`.
        failure: Failure,
        /// When it came to each of its steps, as far as it was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timings: Option<Box<Timings>>,
    },
    /// A timer is due.
    TimerDue {
        /// Which.
        timer: Timer,
    },
    /// The run is to be cancelled.
    Terminate {
        /// Who or what, for people.
        reason: String,
    },
    /// A failed or cancelled run is to go on.
    Retry,
    /// A run that ended is to go on, and these tasks are to start anew whatever they came to, with all that depends on
    /// them.
    RetryFrom {
        /// The tasks' nodes.
        from: Vec<NodeId>,
    },
}

/// A result from the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheHit {
    /// Where it came from.
    pub source: CacheSource,
    /// The outputs, the same artifact records included.
    pub outputs: TaskOutputs,
}

/// The end of an import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImportResult {
    /// The record to hand on: the one asked for, or an equal one that existed before.
    Imported(Box<penstock_spec::artifact::Artifact>),
    /// It could not be done.
    Failed(Failure),
}
