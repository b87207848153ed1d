//! The two JSON documents that user code and its executor exchange: `ExecutorInput` and `ExecutorOutput`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ir::{ArtifactType, Named};

/// What `{{$}}` stands for. Empty parts are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutorInput {
    /// Resolved inputs.
    #[serde(default)]
    pub inputs: ExecutorInputs,
    /// Assigned places of outputs.
    #[serde(default)]
    pub outputs: ExecutorOutputs,
}

/// Resolved inputs of a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutorInputs {
    /// Parameters by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameter_values: Map<String, Value>,
    /// Artifacts by name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub artifacts: Named<ArtifactList>,
}

/// Assigned places of a task's outputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutorOutputs {
    /// Where each output parameter may be written.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub parameters: Named<OutputParameterFile>,
    /// Where each output artifact goes.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub artifacts: Named<ArtifactList>,
    /// Where `ExecutorOutput` may be written.
    #[serde(default)]
    pub output_file: String,
}

/// The file of an output parameter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputParameterFile {
    /// Path in the user's container.
    pub output_file: String,
}

/// An artifact input or output; normally of length one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArtifactList {
    /// The artifacts.
    #[serde(default)]
    pub artifacts: Vec<RuntimeArtifact>,
}

/// An artifact as user code sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeArtifact {
    /// Name; Python requires it on outputs.
    #[serde(default)]
    pub name: String,
    /// Type.
    #[serde(default, rename = "type")]
    pub artifact_type: ArtifactType,
    /// Place of the content.
    #[serde(default)]
    pub uri: String,
    /// Metadata.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// A path that replaces the one derived from the URI.
    #[serde(default, alias = "custom_path", skip_serializing_if = "Option::is_none")]
    pub custom_path: Option<String>,
}
