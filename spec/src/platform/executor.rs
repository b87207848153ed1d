//! The messages of `KubernetesExecutorConfig`, field by field as
//! `kubernetes_platform/proto/kubernetes_executor_config.proto` of Kubeflow Pipelines has them.

use serde::{Deserialize, Serialize};

use super::{
    ConfigMapAsVolume, EmptyDirMount, EnabledSharedMemory, GenericEphemeralVolume, NodeAffinityTerm, NodeSelector,
    PodAffinityTerm, PvcMount, SecretAsVolume, Toleration, VolumeMount,
};
use crate::ir::proto_json;
use crate::ir::{EnvVar, Named, ParameterInput};

/// Settings of the Pods of one executor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesExecutorConfig {
    /// Secrets as files.
    #[serde(default, alias = "secret_as_volume", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_as_volume: Vec<SecretAsVolume>,
    /// Secrets as environment variables.
    #[serde(default, alias = "secret_as_env", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_as_env: Vec<SecretAsEnv>,
    /// Volume claims.
    #[serde(default, alias = "pvc_mount", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pvc_mount: Vec<PvcMount>,
    /// Node selector.
    #[serde(default, alias = "node_selector")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<NodeSelector>,
    /// Labels and annotations of the Pod.
    #[serde(default, alias = "pod_metadata")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_metadata: Option<PodMetadata>,
    /// Secrets for pulling images.
    #[serde(default, alias = "image_pull_secret", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secret: Vec<ImagePullSecret>,
    /// `Always`, `Never`, `IfNotPresent` or empty.
    #[serde(default, alias = "image_pull_policy", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image_pull_policy: String,
    /// Config maps as files.
    #[serde(default, alias = "config_map_as_volume", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_map_as_volume: Vec<ConfigMapAsVolume>,
    /// Config maps as environment variables.
    #[serde(default, alias = "config_map_as_env", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_map_as_env: Vec<ConfigMapAsEnv>,
    /// Deadline of the Pod when greater than 0.
    #[serde(default, alias = "active_deadline_seconds", deserialize_with = "proto_json::integer")]
    pub active_deadline_seconds: i64,
    /// Fields of the Pod as environment variables.
    #[serde(default, alias = "field_path_as_env", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub field_path_as_env: Vec<FieldPathAsEnv>,
    /// Tolerations.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Volumes that live as long as the Pod.
    #[serde(default, alias = "generic_ephemeral_volume", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub generic_ephemeral_volume: Vec<GenericEphemeralVolume>,
    /// Node affinities.
    #[serde(default, alias = "node_affinity", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_affinity: Vec<NodeAffinityTerm>,
    /// Pod affinities.
    #[serde(default, alias = "pod_affinity", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pod_affinity: Vec<PodAffinityTerm>,
    /// Shared memory.
    #[serde(default, alias = "enabled_shared_memory")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled_shared_memory: Option<EnabledSharedMemory>,
    /// Scratch directories.
    #[serde(default, alias = "empty_dir_mounts", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty_dir_mounts: Vec<EmptyDirMount>,
    /// Who the container runs as.
    #[serde(default, alias = "security_context")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// Containers before or beside the task.
    #[serde(default, alias = "init_containers", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<InitContainer>,
}

/// Keys of a secret as environment variables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretAsEnv {
    /// Deprecated literal name; `secret_name_parameter` wins.
    #[serde(default, alias = "secret_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_name: String,
    /// Which key becomes which variable.
    #[serde(default, alias = "key_to_env", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_to_env: Vec<SecretKeyToEnv>,
    /// Whether the secret may be missing.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Name of the secret.
    #[serde(default, alias = "secret_name_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name_parameter: Option<ParameterInput>,
}

/// A key of a secret and the variable it becomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyToEnv {
    /// Key of the secret.
    #[serde(default, alias = "secret_key", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_key: String,
    /// Name of the variable.
    #[serde(default, alias = "env_var", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub env_var: String,
}

/// Keys of a config map as environment variables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapAsEnv {
    /// Deprecated literal name; `config_map_name_parameter` wins.
    #[serde(default, alias = "config_map_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_map_name: String,
    /// Which key becomes which variable.
    #[serde(default, alias = "key_to_env", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_to_env: Vec<ConfigMapKeyToEnv>,
    /// Whether the config map may be missing.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Name of the config map.
    #[serde(default, alias = "config_map_name_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_name_parameter: Option<ParameterInput>,
}

/// A key of a config map and the variable it becomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyToEnv {
    /// Key of the config map.
    #[serde(default, alias = "config_map_key", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_map_key: String,
    /// Name of the variable.
    #[serde(default, alias = "env_var", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub env_var: String,
}

/// Labels and annotations of a Pod or claim.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodMetadata {
    /// Labels.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub labels: Named<String>,
    /// Annotations.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub annotations: Named<String>,
}

/// A secret for pulling images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePullSecret {
    /// Deprecated literal name; `secret_name_parameter` wins.
    #[serde(default, alias = "secret_name", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_name: String,
    /// Name of the secret.
    #[serde(default, alias = "secret_name_parameter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name_parameter: Option<ParameterInput>,
}

/// A field of the Pod as an environment variable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldPathAsEnv {
    /// Name of the variable.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path of the field.
    #[serde(default, alias = "field_path", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field_path: String,
}

/// Who the container runs as.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// User ID.
    #[serde(default, alias = "run_as_user", deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<i64>,
    /// Group ID.
    #[serde(default, alias = "run_as_group", deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_group: Option<i64>,
    /// Whether root is refused.
    #[serde(default, alias = "run_as_non_root")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_non_root: Option<bool>,
}

/// A container that runs before the task, or beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitContainer {
    /// Name; unique in the Pod.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Image.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Command.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Mounts.
    #[serde(default, alias = "volume_mounts", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// `Always` makes it a sidecar.
    #[serde(default, alias = "restart_policy")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<String>,
    /// Requests and limits.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ContainerResources>,
}

/// Requests and limits by resource name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerResources {
    /// Requests.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub requests: Named<String>,
    /// Limits.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub limits: Named<String>,
}
