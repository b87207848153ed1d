//! Facts: what was decided, in order. The log of facts is the truth of a run; everything else follows from it.

use penstock_spec::Timestamp;
use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use penstock_spec::timings::Timings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Number of a task instance within its run, given in the order of creation. The root DAG is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The root DAG.
    pub const ROOT: NodeId = NodeId(0);
}

/// One decision. Facts are stored as JSON and read by later versions: variants and fields are added, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Fact {
    /// The run exists. Always the first fact. Creates node 0.
    RunStarted {
        /// Identity and settings.
        run: RunInfo,
        /// Validated root parameters: macros expanded, defaults filled in.
        parameters: Map<String, Value>,
    },
    /// A DAG (root, nested pipeline, group, or one iteration of a loop) began. Its tasks become the nodes
    /// `first_child ..` in the order of their keys.
    DagStarted {
        /// The DAG's node.
        node: NodeId,
        /// First of its tasks.
        first_child: NodeId,
    },
    /// A loop's list of items is known.
    LoopStarted {
        /// The loop's node.
        node: NodeId,
        /// Number of items.
        items: u32,
    },
    /// One iteration of a loop began; it becomes a node. A `DagStarted` for it follows.
    IterationStarted {
        /// The loop's node.
        node: NodeId,
        /// Index of the item.
        index: u32,
        /// The iteration's own node.
        iteration: NodeId,
    },
    /// A task's inputs are resolved and its trigger holds; the cache will be asked under `cache_key`, if there is one.
    TaskReady {
        /// The task's node.
        node: NodeId,
        /// Key of the result in the cache; absent when caching is off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_key: Option<String>,
        /// Whether the cache is not asked all the same, because somebody wants a new result. It goes to the cache.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// An attempt is to be started. Committed before the attempt exists anywhere.
    AttemptStarted {
        /// The task's node.
        node: NodeId,
        /// Attempt, from 0.
        attempt: u32,
    },
    /// An attempt failed, and another will follow.
    AttemptFailed {
        /// The task's node.
        node: NodeId,
        /// The attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When the next attempt may start.
        retry_at: Timestamp,
        /// URI of the failed attempt's log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_uri: Option<String>,
        /// When the attempt came to each of its steps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timings: Option<Box<Timings>>,
    },
    /// A task that runs something succeeded, from the cache or by an attempt.
    TaskSucceeded {
        /// The task's node.
        node: NodeId,
        /// The attempt; absent for cache hits and importers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
        /// Outputs.
        outputs: TaskOutputs,
        /// Where the result came from, for a cache hit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached_from: Option<CacheSource>,
        /// URI of the attempt's log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_uri: Option<String>,
        /// Whether the command of an image ran as a process of this machine.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ran_on_host: bool,
        /// When the attempt came to each of its steps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timings: Option<Box<Timings>>,
    },
    /// A task (of any kind) did not run and will not.
    TaskSkipped {
        /// The task's node.
        node: NodeId,
        /// Why.
        reason: SkipReason,
    },
    /// A task that runs something failed for good, or a task of any kind could not start.
    TaskFailed {
        /// The task's node.
        node: NodeId,
        /// The last attempt, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
        /// Why.
        failure: Failure,
        /// URI of the last attempt's log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log_uri: Option<String>,
        /// When the last attempt came to each of its steps, if it failed just now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timings: Option<Box<Timings>>,
    },
    /// A task was stopped, or never started, because the run was cancelled.
    TaskCanceled {
        /// The task's node.
        node: NodeId,
        /// The attempt that was stopped, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
        /// When that attempt came to each of its steps, if it was stopped just now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timings: Option<Box<Timings>>,
    },
    /// All tasks of a DAG, or all iterations of a loop, ended.
    DagEnded {
        /// The node of the DAG or loop.
        node: NodeId,
        /// How.
        status: TaskStatus,
        /// Outputs; empty unless it succeeded.
        #[serde(default)]
        outputs: TaskOutputs,
        /// Why it failed, naming the task within.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// Somebody asked for the run's end.
    CancelRequested {
        /// Who or what, for people.
        reason: String,
    },
    /// The run took longer than its pipeline allows, and is brought to an end. It will have failed.
    DeadlineExceeded {
        /// What it was allowed.
        seconds: u64,
    },
    /// Somebody asked for a run that ended to go on: nodes that succeeded or were skipped by their condition stay,
    /// everything else starts anew.
    RetryRequested {
        /// Tasks that start anew although they may have succeeded, and with each all that depends on it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        from: Vec<NodeId>,
    },
    /// The run ended.
    RunEnded {
        /// How: succeeded, failed or canceled.
        status: RunStatus,
        /// Outputs of the pipeline.
        outputs: TaskOutputs,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
}

/// The run that a cached result came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheSource {
    /// The run.
    pub run_id: Uuid,
    /// Path of the task in that run.
    pub task_path: String,
}

/// Why a task did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SkipReason {
    /// Its condition was false.
    Condition {
        /// The condition's text.
        condition: String,
    },
    /// A task it depends on did not run.
    Upstream {
        /// Key of the task in the same DAG where it began.
        task: String,
    },
    /// A task it depends on, directly or through others, failed. The run is failed by that task, not by this one.
    UpstreamFailed {
        /// Key of the task in the same DAG that failed.
        task: String,
    },
}
