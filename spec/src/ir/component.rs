//! Components: their interface, and the types of what goes in and out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DagSpec, Named, proto_json, wire};

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
    /// Set for a component that runs something; a key of [`DeploymentSpec::executors`](super::DeploymentSpec::executors).
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
