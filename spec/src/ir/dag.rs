//! DAGs: tasks, where their inputs come from, and what governs when and how often they run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Named, proto_json, wire};

/// Tasks and where the DAG's own outputs come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DagSpec {
    /// Tasks by key; the key is the task's identity.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub tasks: Named<TaskSpec>,
    /// Outputs of the DAG.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub outputs: DagOutputs,
}

/// Outputs of a DAG, each taken from its tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DagOutputs {
    /// Artifacts by output name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub artifacts: Named<DagOutputArtifact>,
    /// Parameters by output name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub parameters: Named<DagOutputParameter>,
}

/// Where an output artifact of a DAG comes from; several selectors mean "the first that ran".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DagOutputArtifact {
    /// Candidates in order.
    #[serde(default, alias = "artifact_selectors", deserialize_with = "proto_json::nullable")]
    pub artifact_selectors: Vec<ArtifactSelector>,
}

/// An output artifact of a sub-task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactSelector {
    /// Key of the sub-task.
    #[serde(default, alias = "producer_subtask", deserialize_with = "proto_json::nullable")]
    pub producer_subtask: String,
    /// Its output.
    #[serde(default, alias = "output_artifact_key", deserialize_with = "proto_json::nullable")]
    pub output_artifact_key: String,
}

/// Where an output parameter of a DAG comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum DagOutputParameter {
    /// One sub-task's output.
    #[serde(alias = "value_from_parameter")]
    ValueFromParameter(ParameterSelector),
    /// The first of several that ran.
    #[serde(alias = "value_from_oneof")]
    ValueFromOneof(OneofParameter),
}

/// Candidates for an output parameter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneofParameter {
    /// Candidates in order.
    #[serde(default, alias = "parameter_selectors", deserialize_with = "proto_json::nullable")]
    pub parameter_selectors: Vec<ParameterSelector>,
}

/// An output parameter of a sub-task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterSelector {
    /// Key of the sub-task.
    #[serde(default, alias = "producer_subtask", deserialize_with = "proto_json::nullable")]
    pub producer_subtask: String,
    /// Its output.
    #[serde(default, alias = "output_parameter_key", deserialize_with = "proto_json::nullable")]
    pub output_parameter_key: String,
}

/// One task of a DAG.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSpec {
    /// Display name; may repeat. The identity is the key in [`DagSpec::tasks`].
    #[serde(default, alias = "task_info", deserialize_with = "proto_json::nullable")]
    pub task_info: TaskInfo,
    /// The component that the task runs.
    #[serde(default, alias = "component_ref", deserialize_with = "proto_json::nullable")]
    pub component_ref: ComponentRef,
    /// Inputs of the task.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub inputs: TaskInputs,
    /// Keys of siblings that must end first.
    #[serde(default, alias = "dependent_tasks", skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub dependent_tasks: Vec<String>,
    /// When to start.
    #[serde(default, alias = "trigger_policy", deserialize_with = "proto_json::nullable")]
    pub trigger_policy: TriggerPolicy,
    /// Whether an earlier result may be reused. Absent means no.
    #[serde(default, alias = "caching_options", deserialize_with = "proto_json::nullable")]
    pub caching_options: CachingOptions,
    /// What happens after a failed attempt.
    #[serde(default, alias = "retry_policy", skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// Loop over a list of values.
    #[serde(default, alias = "parameter_iterator", skip_serializing_if = "Option::is_none")]
    pub parameter_iterator: Option<ParameterIterator>,
    /// Loop over a list of artifacts.
    #[serde(default, alias = "artifact_iterator", skip_serializing_if = "Option::is_none")]
    pub artifact_iterator: Option<ArtifactIterator>,
    /// Limits of a loop.
    #[serde(default, alias = "iterator_policy", deserialize_with = "proto_json::nullable")]
    pub iterator_policy: IteratorPolicy,
}

/// Display name of a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskInfo {
    /// Display name.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub name: String,
}

/// Reference to a component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentRef {
    /// Key of [`PipelineSpec::components`](super::PipelineSpec::components).
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub name: String,
}

/// Inputs of a task by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskInputs {
    /// Parameters. A task may be given parameters that its component does not declare.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub parameters: Named<ParameterInput>,
    /// Artifacts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub artifacts: Named<ArtifactInput>,
}

/// Where a parameter of a task comes from, and what is taken of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "wire::ParameterInput", into = "wire::ParameterInput")]
pub struct ParameterInput {
    /// Where the value comes from.
    pub source: ParameterSource,
    /// A CEL expression over the value; its result replaces the value.
    pub selector: Option<String>,
}

/// Where a parameter comes from. All names are those of the enclosing DAG.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterSource {
    /// An input of the enclosing DAG.
    ComponentInput(String),
    /// An output of a sibling.
    TaskOutput {
        /// Key of the sibling.
        task: String,
        /// Name of its output.
        output: String,
    },
    /// A literal, in which placeholders are replaced.
    Constant(Value),
    /// `runtimeValue.runtimeParameter`: refused for task inputs, kept so that the check can name it.
    RuntimeParameter(String),
    /// How a sibling ended.
    FinalStatus {
        /// Key of the sibling.
        task: String,
    },
}

/// Where an artifact of a task comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ArtifactInput {
    /// An input of the enclosing DAG.
    #[serde(alias = "component_input_artifact")]
    ComponentInputArtifact(String),
    /// An output of a sibling.
    #[serde(alias = "task_output_artifact")]
    TaskOutputArtifact(TaskOutputArtifact),
}

/// An output artifact of a sibling.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskOutputArtifact {
    /// Key of the sibling.
    #[serde(default, alias = "producer_task", deserialize_with = "proto_json::nullable")]
    pub producer_task: String,
    /// Name of its output.
    #[serde(default, alias = "output_artifact_key", deserialize_with = "proto_json::nullable")]
    pub output_artifact_key: String,
}

/// When a task starts: a strategy and a condition, both of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriggerPolicy {
    /// CEL over the task's inputs; empty means true.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "proto_json::nullable")]
    pub condition: String,
    /// How the dependencies must have ended.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub strategy: TriggerStrategy,
}

/// How the dependencies of a task must have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum TriggerStrategy {
    /// All succeeded.
    #[default]
    #[serde(rename = "ALL_UPSTREAM_TASKS_SUCCEEDED")]
    AllSucceeded,
    /// All ended, in whatever way.
    #[serde(rename = "ALL_UPSTREAM_TASKS_COMPLETED")]
    AllCompleted,
}

/// Whether and under which key an earlier result may be reused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CachingOptions {
    /// Absent means no.
    #[serde(default, alias = "enable_cache", deserialize_with = "proto_json::nullable")]
    pub enable_cache: bool,
    /// When not empty, replaces everything else in the cache key.
    #[serde(default, alias = "cache_key", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub cache_key: String,
}

/// What happens after a failed attempt. Delay before retry n (from 0): `backoff × factor^n`, at most `max`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts after the first.
    #[serde(default, alias = "max_retry_count", deserialize_with = "proto_json::integer")]
    pub max_retry_count: u32,
    /// First delay.
    #[serde(default, alias = "backoff_duration", skip_serializing_if = "Option::is_none")]
    pub backoff_duration: Option<ProtoDuration>,
    /// Growth of the delay.
    #[serde(default, alias = "backoff_factor", deserialize_with = "proto_json::double")]
    pub backoff_factor: f64,
    /// Greatest delay.
    #[serde(default, alias = "backoff_max_duration", skip_serializing_if = "Option::is_none")]
    pub backoff_max_duration: Option<ProtoDuration>,
}

/// `google.protobuf.Duration`: text such as `3600s` or `0.5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtoDuration(pub std::time::Duration);

/// Loop over a list of values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterIterator {
    /// The list.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub items: ParameterItems,
    /// The input of the component that receives the item.
    #[serde(default, alias = "item_input", deserialize_with = "proto_json::nullable")]
    pub item_input: String,
}

/// The list of a parameter loop: exactly one of the two is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterItems {
    /// Text of a JSON array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// An input of the loop task itself.
    #[serde(default, alias = "input_parameter", skip_serializing_if = "Option::is_none")]
    pub input_parameter: Option<String>,
}

/// Loop over a list of artifacts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactIterator {
    /// The list.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub items: ArtifactItems,
    /// The input of the component that receives the item.
    #[serde(default, alias = "item_input", deserialize_with = "proto_json::nullable")]
    pub item_input: String,
}

/// The list of an artifact loop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactItems {
    /// An input of the loop task itself.
    #[serde(default, alias = "input_artifact", deserialize_with = "proto_json::nullable")]
    pub input_artifact: String,
}

/// Limits of a loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IteratorPolicy {
    /// Iterations of one loop instance that may run at a time; 0 means no limit.
    #[serde(default, alias = "parallelism_limit", deserialize_with = "proto_json::integer")]
    pub parallelism_limit: u32,
}
