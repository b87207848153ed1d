//! Volumes of the Pods of one executor, and where they are mounted.

use serde::{Deserialize, Serialize};

use super::PodMetadata;
use crate::ir::ParameterInput;
use crate::ir::proto_json;

/// A secret mounted as files; each key is one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretAsVolume {
    /// Deprecated literal name; `secret_name_parameter` wins.
    #[serde(default, alias = "secret_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_name: String,
    /// Where the volume is mounted.
    #[serde(default, alias = "mount_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount_path: String,
    /// Whether the secret may be missing.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Name of the secret.
    #[serde(default, alias = "secret_name_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name_parameter: Option<ParameterInput>,
}

/// A config map mounted as files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapAsVolume {
    /// Deprecated literal name; `config_map_name_parameter` wins.
    #[serde(default, alias = "config_map_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_map_name: String,
    /// Where the volume is mounted.
    #[serde(default, alias = "mount_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount_path: String,
    /// Whether the config map may be missing.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Name of the config map.
    #[serde(default, alias = "config_map_name_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_name_parameter: Option<ParameterInput>,
}

/// A volume claim mounted into the task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PvcMount {
    /// Where the volume is mounted.
    #[serde(default, alias = "mount_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount_path: String,
    /// Path within the volume; empty for all of it.
    #[serde(default, alias = "sub_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_path: String,
    /// Name of the claim.
    #[serde(default, alias = "pvc_name_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pvc_name_parameter: Option<ParameterInput>,
    /// Deprecated form of the name.
    #[serde(default, alias = "task_output_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_output_parameter: Option<PvcTaskOutput>,
    /// Deprecated form of the name.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// Deprecated form of the name.
    #[serde(default, alias = "component_input_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_input_parameter: Option<String>,
}

/// An output of a sibling that names a claim.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PvcTaskOutput {
    /// Key of the sibling.
    #[serde(default, alias = "producer_task", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub producer_task: String,
    /// Name of its output.
    #[serde(default, alias = "output_parameter_key", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub output_parameter_key: String,
}

/// A volume that lives as long as the Pod, from a claim template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenericEphemeralVolume {
    /// Name of the volume.
    #[serde(default, alias = "volume_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub volume_name: String,
    /// Where the volume is mounted.
    #[serde(default, alias = "mount_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount_path: String,
    /// Access modes.
    #[serde(default, alias = "access_modes", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access_modes: Vec<String>,
    /// Size as a quantity.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub size: String,
    /// Whether the cluster's default class is used.
    #[serde(default, alias = "default_storage_class", deserialize_with = "proto_json::nullable")]
    pub default_storage_class: bool,
    /// The class otherwise; empty means no dynamic provisioning.
    #[serde(default, alias = "storage_class_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_class_name: String,
    /// Labels and annotations of the claim.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PodMetadata>,
}

/// Memory at `/dev/shm`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnabledSharedMemory {
    /// Name of the volume.
    #[serde(default, alias = "volume_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub volume_name: String,
    /// Size as a quantity.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub size: String,
}

/// A scratch directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDirMount {
    /// Name of the volume.
    #[serde(default, alias = "volume_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub volume_name: String,
    /// Where the volume is mounted.
    #[serde(default, alias = "mount_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount_path: String,
    /// Empty or `Memory`.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// Greatest size as a quantity.
    #[serde(default, alias = "size_limit")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<String>,
}

/// A volume mounted into an init container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// Name of the volume.
    #[serde(default, alias = "volume_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub volume_name: String,
    /// Where the volume is mounted.
    #[serde(default, alias = "mount_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount_path: String,
}
