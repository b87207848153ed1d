//! The pipeline specification as the `kfp` SDK compiles it (schema version 2.1.0), in typed form.
//!
//! Field names and meaning: `api/v2alpha1/pipeline_spec.proto` of Kubeflow Pipelines. Both the `camelCase` and the
//! `snake_case` spelling of every field are read; `camelCase` is written. Reading documents is [`crate::parse`],
//! judging them is [`crate::check`].

pub(crate) mod proto_json;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use wire::TypedValue;

/// A map whose order never matters: the SDK sorts keys, and so do we.
pub type Named<T> = BTreeMap<String, T>;

/// A compiled pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineSpec {
    /// Name and description of the pipeline.
    #[serde(default, alias = "pipeline_info", deserialize_with = "proto_json::nullable")]
    pub pipeline_info: PipelineInfo,
    /// Must be `2.1.0`.
    #[serde(default, alias = "schema_version", deserialize_with = "proto_json::nullable")]
    pub schema_version: String,
    /// The SDK that compiled the pipeline, such as `kfp-2.17.0`. Informational.
    #[serde(default, alias = "sdk_version", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub sdk_version: String,
    /// The author's default root for artifacts.
    #[serde(default, alias = "default_pipeline_root", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub default_pipeline_root: String,
    /// The components that tasks refer to, by name.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub components: Named<ComponentSpec>,
    /// How components without a DAG are executed.
    #[serde(default, alias = "deployment_spec", deserialize_with = "proto_json::nullable")]
    pub deployment_spec: DeploymentSpec,
    /// The pipeline itself.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub root: ComponentSpec,
}

/// Name and description of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineInfo {
    /// Identity of the pipeline.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub name: String,
    /// Name for people.
    #[serde(default, alias = "display_name", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub display_name: String,
    /// Text for people.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "proto_json::nullable")]
    pub description: String,
}

/// A component: an interface, and either a DAG of tasks or the label of an executor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentSpec {
    /// Declared inputs.
    #[serde(default, alias = "input_definitions", deserialize_with = "proto_json::nullable")]
    pub input_definitions: InputDefinitions,
    /// Declared outputs.
    #[serde(default, alias = "output_definitions", deserialize_with = "proto_json::nullable")]
    pub output_definitions: OutputDefinitions,
    /// Set for a component made of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dag: Option<DagSpec>,
    /// Set for a component that runs something; a key of [`DeploymentSpec::executors`].
    #[serde(default, alias = "executor_label", skip_serializing_if = "Option::is_none")]
    pub executor_label: Option<String>,
    /// Already merged into the platform document by the SDK; kept, not read.
    #[serde(default, alias = "single_platform_specs", skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "proto_json::values")]
    pub single_platform_specs: Vec<Value>,
    /// Pod settings that the component receives as data.
    #[serde(default, alias = "task_config_passthroughs", skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub task_config_passthroughs: Vec<TaskConfigPassthrough>,
}

/// One pod setting handed to the component as data, and whether it also applies to the task's own pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskConfigPassthrough {
    /// Which setting.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub field: TaskConfigField,
    /// Whether the setting applies to the task's own pod as well.
    #[serde(default, alias = "apply_to_task", deserialize_with = "proto_json::nullable")]
    pub apply_to_task: bool,
}

/// The pod settings that can be passed through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the specification's own")]
pub enum TaskConfigField {
    #[default]
    None,
    Resources,
    Env,
    KubernetesAffinity,
    KubernetesTolerations,
    KubernetesNodeSelector,
    KubernetesVolumes,
}

/// Declared inputs of a component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InputDefinitions {
    /// Parameters by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub parameters: Named<InputParameter>,
    /// Artifacts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub artifacts: Named<InputArtifact>,
}

/// Declared outputs of a component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputDefinitions {
    /// Parameters by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub parameters: Named<OutputParameter>,
    /// Artifacts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "proto_json::nullable")]
    pub artifacts: Named<OutputArtifact>,
}

/// Types of parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the specification's own")]
pub enum ParameterType {
    #[default]
    #[serde(rename = "PARAMETER_TYPE_ENUM_UNSPECIFIED")]
    Unspecified,
    NumberDouble,
    NumberInteger,
    String,
    Boolean,
    List,
    Struct,
    TaskFinalStatus,
    TaskConfig,
}

/// The deprecated field `type` of compilers before 2.0, as the newer type that means the same.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PrimitiveType(pub(crate) ParameterType);

/// A declared input parameter. The deprecated `type` of compilers before 2.0 is read into `parameter_type`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "wire::InputParameter")]
pub struct InputParameter {
    /// Type of the value.
    pub parameter_type: ParameterType,
    /// Value when none is given. `Some(Value::Null)` is an explicit null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_value: Option<Value>,
    /// Whether the value may be absent.
    pub is_optional: bool,
    /// Text for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When not empty: the only values allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub literals: Vec<Value>,
}

/// A declared input artifact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InputArtifact {
    /// Type of the artifact.
    #[serde(default, alias = "artifact_type", deserialize_with = "proto_json::nullable")]
    pub artifact_type: ArtifactType,
    /// Whether the input is a list of artifacts.
    #[serde(default, alias = "is_artifact_list", deserialize_with = "proto_json::nullable")]
    pub is_artifact_list: bool,
    /// Whether the artifact may be absent.
    #[serde(default, alias = "is_optional", deserialize_with = "proto_json::nullable")]
    pub is_optional: bool,
    /// Text for people.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "proto_json::nullable")]
    pub description: String,
}

/// A declared output parameter; see [`InputParameter`] for its type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "wire::OutputParameter")]
pub struct OutputParameter {
    /// Type of the value.
    pub parameter_type: ParameterType,
    /// Text for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A declared output artifact. Deprecated `properties` and `customProperties` are read into `metadata`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "wire::OutputArtifact")]
pub struct OutputArtifact {
    /// Type of the artifact.
    #[serde(default, alias = "artifact_type", deserialize_with = "proto_json::nullable")]
    pub artifact_type: ArtifactType,
    /// Metadata that the artifact starts with.
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "proto_json::structure")]
    pub metadata: Map<String, Value>,
    /// Whether the output is a list of artifacts.
    #[serde(default, alias = "is_artifact_list", deserialize_with = "proto_json::nullable")]
    pub is_artifact_list: bool,
    /// Text for people.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "proto_json::nullable")]
    pub description: String,
}

/// Type of an artifact: a title such as `system.Model`, or one of the older forms.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactType {
    /// Title, such as `system.Dataset`. Unknown titles are legal and opaque.
    #[serde(default, alias = "schema_title", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub schema_title: String,
    /// Deprecated.
    #[serde(default, alias = "schema_uri", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub schema_uri: String,
    /// A schema in full.
    #[serde(default, alias = "instance_schema", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub instance_schema: String,
    /// Version of the schema, such as `0.0.1`.
    #[serde(default, alias = "schema_version", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub schema_version: String,
}

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
    /// Key of [`PipelineSpec::components`].
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

/// How components are executed. Unknown fields below this point are ignored, as the reference backend does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// Executors by label.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub executors: Named<ExecutorSpec>,
}

/// What an executor does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "wire::ExecutorSpec")]
pub enum ExecutorSpec {
    /// Runs a command in an image.
    Container(Box<ContainerSpec>),
    /// Records an artifact that exists already.
    Importer(Box<ImporterSpec>),
    /// Never written by the SDK; refused.
    Resolver(Value),
    /// Never written by the SDK; refused.
    CustomJob(Value),
    /// None of these; refused where it is used.
    Unknown {},
}

/// A command in an image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSpec {
    /// Image; may hold placeholders.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub image: String,
    /// First part of argv; may hold placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "proto_json::nullable")]
    pub command: Vec<String>,
    /// Second part of argv; may hold placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "proto_json::nullable")]
    pub args: Vec<String>,
    /// Environment, verbatim and in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "proto_json::nullable")]
    pub env: Vec<EnvVar>,
    /// Requests and limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceSpec>,
}

/// An environment variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// Name.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub name: String,
    /// Value, never substituted.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub value: String,
}

/// Requests and limits. The text fields win over the deprecated numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the specification's own")]
pub struct ResourceSpec {
    #[serde(default, alias = "cpu_limit", skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "proto_json::optional_double")]
    pub cpu_limit: Option<f64>,
    #[serde(default, alias = "memory_limit", skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "proto_json::optional_double")]
    pub memory_limit: Option<f64>,
    #[serde(default, alias = "cpu_request", skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "proto_json::optional_double")]
    pub cpu_request: Option<f64>,
    #[serde(default, alias = "memory_request", skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "proto_json::optional_double")]
    pub memory_request: Option<f64>,
    #[serde(default, alias = "resource_cpu_limit", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub resource_cpu_limit: String,
    #[serde(default, alias = "resource_memory_limit", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub resource_memory_limit: String,
    #[serde(default, alias = "resource_cpu_request", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub resource_cpu_request: String,
    #[serde(default, alias = "resource_memory_request", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub resource_memory_request: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<Accelerator>,
}

/// An accelerator: type and count, each in an old and a new spelling.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the specification's own")]
pub struct Accelerator {
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub kind: String,
    /// An int64: text or number in the document.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "proto_json::optional_integer")]
    pub count: Option<i64>,
    #[serde(default, alias = "resource_type", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub resource_type: String,
    #[serde(default, alias = "resource_count", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub resource_count: String,
}

/// Records an artifact that exists already. Deprecated `properties` are read into `metadata`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "wire::ImporterSpec")]
pub struct ImporterSpec {
    /// Where the artifact is.
    pub artifact_uri: ArtifactUri,
    /// Type of the artifact.
    pub type_schema: ArtifactType,
    /// Whether to make a new record even when an equal one exists.
    pub reimport: bool,
    /// Metadata; keys and values may hold placeholders.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Whether to copy the artifact into the run's workspace.
    pub download_to_workspace: bool,
}

/// The URI of an importer: a constant, or the name of a task input. A deprecated `constantValue` is read into
/// `constant`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactUri {
    /// A literal URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// Name of the task input that holds the URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_parameter: Option<String>,
}
