//! What callers hand in and get back: runs, tasks, artifacts, facts, commands and cache entries as values.

use penstock_engine::{CacheSource, Fact, NodeId};
use penstock_spec::Timestamp;
use penstock_spec::artifact::Artifact;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::recurring::SlotClaim;

/// A row of a list: either readable, or in quarantine because this build does not understand it.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed<T> {
    /// The row.
    Readable(T),
    /// A row with an unknown state, damaged JSON or the like. The rest of the list is not affected.
    Unreadable(Unreadable),
}

/// A row that this build cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Identity of the row as far as it is known, such as a run's id.
    pub row: String,
    /// What is wrong with it.
    pub reason: String,
}

impl<T> Listed<T> {
    /// The row, if it can be read.
    pub fn readable(self) -> Option<T> {
        match self {
            Self::Readable(row) => Some(row),
            Self::Unreadable(_) => None,
        }
    }
}

/// A run to create.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Identity and settings.
    pub info: RunInfo,
    /// The pipeline as it was submitted, so that it can be parsed and checked again on resume.
    pub pipeline_text: String,
    /// Parameters as the user gave them.
    pub parameters: Map<String, Value>,
    /// Settings of the submitter that a resumed run needs too; opaque here.
    pub options: Value,
    /// Where it belongs.
    pub registration: RunRegistration,
}

/// What a run belongs to and came from, for those who arrange and look for runs. Nothing of it changes how the run goes,
/// and what it refers to may be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRegistration {
    /// The experiment.
    pub experiment: Option<Uuid>,
    /// What somebody says of it.
    pub description: String,
    /// The pipeline that it was made from.
    pub pipeline: Option<Uuid>,
    /// The version of that pipeline.
    pub version: Option<Uuid>,
    /// The recurring run that created it.
    pub recurring_run: Option<Uuid>,
    /// The pipeline root as the submitter named it; empty if they named none.
    pub pipeline_root: String,
    /// Input for plugins; stored and shown again.
    pub plugins_input: Map<String, Value>,
    /// The slot of that recurring run, which is stored together with the run; not read again.
    pub slot: Option<SlotClaim>,
}

/// Whether something is in daily use or put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageState {
    /// In use.
    Available,
    /// Put away.
    Archived,
}

impl StorageState {
    /// KFP's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Archived => "ARCHIVED",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Identity and settings.
    pub info: RunInfo,
    /// Settings of the submitter.
    pub options: Value,
    /// State.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// When its first task could start.
    pub started_at: Option<Timestamp>,
    /// When it ended; absent again after a retry.
    pub finished_at: Option<Timestamp>,
    /// The newest epoch that was handed out.
    pub epoch: u64,
    /// Number of facts.
    pub fact_count: u64,
}

/// What a run was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// The pipeline as it was submitted.
    pub pipeline_text: String,
    /// Parameters as the user gave them.
    pub parameters: Map<String, Value>,
}

/// New state of a run; replaces all four columns.
#[derive(Debug, Clone, PartialEq)]
pub struct RunUpdate {
    /// State.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// When its first task could start.
    pub started_at: Option<Timestamp>,
    /// When it ended. A run without it counts as unfinished.
    pub finished_at: Option<Timestamp>,
}

/// Kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskKind {
    /// The pipeline itself.
    Root,
    /// A nested pipeline or a group.
    Dag,
    /// A loop.
    Loop,
    /// One iteration of a loop.
    Iteration,
    /// Runs an image or a Python function.
    Container,
    /// Records an artifact that exists already.
    Importer,
}

/// A task: what lists and trees show of it. Follows from the facts.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// The task's node.
    pub node: NodeId,
    /// The DAG, loop or iteration that it belongs to; absent for the root.
    pub parent: Option<NodeId>,
    /// Path from the root, such as `for-loop-1[3]/train`; unique in the run.
    pub path: String,
    /// Key of the task in its DAG.
    pub key: String,
    /// Name for people.
    pub display_name: String,
    /// Kind.
    pub kind: TaskKind,
    /// State.
    pub status: TaskStatus,
    /// The newest attempt, from 0.
    pub attempt: Option<u32>,
    /// Whether the result came from the cache.
    pub cached: bool,
    /// Index of the item, for an iteration.
    pub iteration: Option<u32>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it is in its state, for people: the condition that was false, the task that it waits for.
    pub reason: Option<String>,
    /// URI of the newest log.
    pub log_uri: Option<String>,
    /// Outputs. Those above [`MAX_OUTPUTS_BYTES`] of JSON are not stored here and read back as absent.
    pub outputs: Option<TaskOutputs>,
}

/// Largest outputs, in bytes of JSON, that are repeated in a task's row. The facts have them in any case.
pub const MAX_OUTPUTS_BYTES: usize = 64 * 1024;

/// An output artifact of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactRow {
    /// The producer's node, or that of a task that took it from the cache.
    pub node: NodeId,
    /// Key of the output.
    pub output: String,
    /// Place in the output's list, normally 0.
    pub position: u32,
    /// The record.
    pub artifact: Artifact,
}

/// An artifact that a task took as an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInput {
    /// The task's node.
    pub node: NodeId,
    /// Name of the input.
    pub input: String,
    /// Place in the input's list, normally 0.
    pub position: u32,
    /// The artifact.
    pub artifact: Uuid,
    /// When the task became ready.
    pub taken_at: Timestamp,
}

/// Most artifacts that are recorded of one task's inputs. A loop whose every task takes the outputs of all of another loop
/// would make a square of them.
pub const MAX_TASK_INPUTS: usize = 1000;

/// A fact as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFact {
    /// Number in the run, from 1 without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The decision.
    pub fact: Fact,
}

/// Where cached results count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheScope {
    /// Name of the pipeline.
    pub pipeline_name: String,
    /// Namespace; empty on a machine of its own.
    pub namespace: String,
}

/// A result to remember.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCacheEntry {
    /// Where it counts.
    pub scope: CacheScope,
    /// The key.
    pub key: String,
    /// Path of the task that produced it.
    pub task_path: String,
    /// Its outputs.
    pub outputs: TaskOutputs,
    /// What the key is the digest of.
    pub key_document: Value,
    /// When the task succeeded.
    pub created_at: Timestamp,
}

/// A remembered result.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheEntry {
    /// The key.
    pub key: String,
    /// Run and task that produced it.
    pub source: CacheSource,
    /// Its outputs.
    pub outputs: TaskOutputs,
    /// What the key is the digest of.
    pub key_document: Value,
    /// When the task succeeded.
    pub created_at: Timestamp,
}

/// Selects cache entries; parts that are absent match everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheFilter {
    /// Name of the pipeline.
    pub pipeline_name: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// Path of the task.
    pub task_path: Option<String>,
    /// The run that produced them.
    pub run: Option<Uuid>,
    /// Only those made before.
    pub created_before: Option<Timestamp>,
}

/// Something asked of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Cancel it.
    Terminate {
        /// Who or what asked, for people.
        reason: String,
    },
    /// Let a failed or cancelled run go on.
    Retry,
    /// Let a run that ended go on, and these of its tasks start anew, with all that depends on them.
    RetryFrom {
        /// The tasks' nodes.
        from: Vec<NodeId>,
    },
    /// It was deleted: what it has left outside of the store may go.
    Remove,
}

/// The word for [`Command::Remove`].
pub(crate) const REMOVE: &str = "remove";

impl Command {
    /// The word for it, by which it is found.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Terminate { .. } => "terminate",
            Self::Retry | Self::RetryFrom { .. } => "retry",
            Self::Remove => REMOVE,
        }
    }
}

/// A command that nobody has taken yet.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingCommand {
    /// Number, growing in the order of arrival. Named in [`Append::commands_taken`].
    pub id: i64,
    /// The run.
    pub run: Uuid,
    /// The idempotency key under which it came.
    pub key: String,
    /// The command; a command of a newer build is unreadable, and can be taken all the same.
    pub command: Listed<Command>,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// Everything that one step of a run adds, stored whole or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// The run.
    pub run: Uuid,
    /// The epoch that the caller took.
    pub epoch: u64,
    /// Number of facts that are stored already.
    pub expected: u64,
    /// New facts and when each was decided.
    pub facts: Vec<(Fact, Timestamp)>,
    /// Tasks that changed, each in full.
    pub tasks: Vec<TaskRow>,
    /// New state of the run, if it changed.
    pub run_update: Option<RunUpdate>,
    /// Artifacts that tasks have put out.
    pub artifacts: Vec<ArtifactRow>,
    /// Artifacts that tasks which became ready have taken; at most [`MAX_TASK_INPUTS`] each.
    pub inputs: Vec<TaskInput>,
    /// Tasks that became ready and may have done so before, whose earlier inputs and artifacts no longer count.
    pub restarted: Vec<NodeId>,
    /// Results to remember.
    pub cache_entries: Vec<NewCacheEntry>,
    /// Commands that led to these facts, or that are done with because they change nothing.
    pub commands_taken: Vec<i64>,
}

impl Append {
    /// An append without content.
    pub fn new(run: Uuid, epoch: u64, expected: u64) -> Self {
        Self {
            run,
            epoch,
            expected,
            facts: Vec::new(),
            tasks: Vec::new(),
            run_update: None,
            artifacts: Vec::new(),
            inputs: Vec::new(),
            restarted: Vec::new(),
            cache_entries: Vec::new(),
            commands_taken: Vec::new(),
        }
    }
}

/// Something that was stored; see [`crate::Metastore::subscribe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A run was created.
    RunCreated {
        /// The run.
        run: Uuid,
    },
    /// A run has new facts.
    FactsAppended {
        /// The run.
        run: Uuid,
        /// Number of the newest.
        seq: u64,
    },
    /// A command waits.
    CommandStored {
        /// The run.
        run: Uuid,
    },
    /// A run was archived, taken out of the archive, deleted, or has another state without new facts.
    RunChanged {
        /// The run.
        run: Uuid,
    },
    /// A recurring run was created, enabled, disabled or deleted, or has fired.
    RecurringRunsChanged,
}
