//! How components without a DAG are executed: containers and importers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ArtifactType, Named, proto_json, wire};

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
