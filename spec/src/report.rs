//! The report: how an attempt ended, as the launcher tells the driver.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::artifact::Artifact;
use crate::ir::Named;
use crate::timings::Timings;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Run, task and attempt that the report is about.
    pub attempt: AttemptRef,
    /// The end.
    pub outcome: Outcome,
    /// Exit code of the user's process, if it ran to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// URI of the stored log, if one was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_uri: Option<String>,
    /// Digest `sha256:<hex>` of the manifest; present on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<String>,
    /// Set when the command of an image ran as a process of this machine instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ran_on_host: bool,
    /// When the attempt came to each of its steps, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Box<Timings>>,
}

/// Names one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRef {
    /// Run.
    pub run_id: uuid::Uuid,
    /// Task ([`crate::plan::PlanTask::id`]).
    pub task_id: uuid::Uuid,
    /// Attempt, from 0.
    pub attempt: u32,
}

/// The two ways to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All outputs are stored.
    Succeeded(TaskOutputs),
    /// The attempt failed.
    Failed(Failure),
}

/// Outputs of a task, or of a DAG.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskOutputs {
    /// Parameters by output name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Artifacts by output name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub artifacts: Named<Vec<Artifact>>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of failure.
    pub cause: FailureCause,
    /// What was attempted, on what, and why it failed.
    pub message: String,
}

/// Kinds of failures. They decide which retries apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCause {
    /// The user's process ended badly.
    User,
    /// The attempt took longer than allowed.
    Timeout,
    /// An output is missing or not of its type.
    Output,
    /// An input could not be resolved or fetched for a reason that another attempt would meet again.
    Input,
    /// The attempt could not be carried out here: unsupported image, missing program, refused setting.
    Refused,
    /// Storage or the machine failed; another attempt may succeed. Counted apart from the user's retries.
    Infrastructure,
    /// Penstock itself went away while the attempt ran, and the attempt was stopped when it came back. Another attempt
    /// follows at once and counts against no budget.
    Interrupted,
    /// The attempt was stopped on request.
    Canceled,
    /// Something that this task needs failed.
    Upstream,
}
