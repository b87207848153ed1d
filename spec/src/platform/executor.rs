//! The messages of `KubernetesExecutorConfig`, field by field as
//! `kubernetes_platform/proto/kubernetes_executor_config.proto` of Kubeflow Pipelines has them.

use serde::{Deserialize, Serialize};

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

/// Labels that a node must have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector {
    /// The labels.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub labels: Named<String>,
    /// A struct of labels; wins.
    #[serde(default, alias = "node_selector_json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector_json: Option<ParameterInput>,
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

/// A toleration of the Pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `Exists` or `Equal`.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// Value of the taint.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Effect of the taint.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub effect: String,
    /// How long the taint is tolerated.
    #[serde(default, alias = "toleration_seconds", deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
    /// A struct or a list of structs; wins.
    #[serde(default, alias = "toleration_json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_json: Option<ParameterInput>,
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

/// A node affinity; preferred when it has a weight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeAffinityTerm {
    /// Requirements on labels.
    #[serde(default, alias = "match_expressions", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
    /// Requirements on fields.
    #[serde(default, alias = "match_fields", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_fields: Vec<SelectorRequirement>,
    /// Weight of a preference.
    #[serde(default, deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// A Kubernetes `NodeAffinity`; wins.
    #[serde(default, alias = "node_affinity_json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_affinity_json: Option<ParameterInput>,
}

/// A requirement on labels or fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectorRequirement {
    /// Key.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Operator.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// Values.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A pod affinity, or anti-affinity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodAffinityTerm {
    /// Requirements on labels of Pods.
    #[serde(default, alias = "match_pod_expressions", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_pod_expressions: Vec<SelectorRequirement>,
    /// Labels of Pods.
    #[serde(default, alias = "match_pod_labels", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub match_pod_labels: Named<String>,
    /// Label of nodes that tells places apart.
    #[serde(default, alias = "topology_key", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_key: String,
    /// Namespaces of the Pods.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Requirements on labels of namespaces.
    #[serde(default, alias = "match_namespace_expressions", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_namespace_expressions: Vec<SelectorRequirement>,
    /// Labels of namespaces.
    #[serde(default, alias = "match_namespace_labels", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub match_namespace_labels: Named<String>,
    /// Weight of a preference.
    #[serde(default, deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Whether Pods are to be kept apart.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anti: Option<bool>,
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
