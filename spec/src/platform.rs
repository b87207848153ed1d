//! Settings for Kubernetes that travel beside a pipeline (`PlatformSpec`): per executor, and for the whole run.
//!
//! Values may come from the enclosing DAG at run time; such fields hold a [`ParameterInput`]. Unknown fields do not
//! lose the document, as they do in KFP: they become warnings.

mod executor;
mod scheduling;
mod volumes;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use executor::*;
pub use scheduling::*;
pub use volumes::*;

use crate::ir::proto_json;
use crate::ir::{Named, ParameterInput, ParameterSource};

/// The second document of a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlatformSpec {
    /// The settings for Kubernetes.
    pub kubernetes: KubernetesPlatform,
    /// The document as it was written, unknown fields included.
    pub raw: Value,
}

/// The settings for Kubernetes (`SinglePlatformSpec`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesPlatform {
    /// Settings per executor.
    #[serde(default, alias = "deployment_spec", deserialize_with = "proto_json::nullable")]
    pub deployment_spec: PlatformDeployment,
    /// Name of the platform; informational.
    #[serde(default, deserialize_with = "proto_json::nullable", skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Not used by KFP.
    #[serde(default, deserialize_with = "proto_json::structure", skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Settings of the whole run.
    #[serde(default, alias = "pipeline_config", deserialize_with = "proto_json::nullable")]
    pub pipeline_config: PipelineConfig,
}

/// Settings per executor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlatformDeployment {
    /// By label, as in [`crate::ir::DeploymentSpec::executors`].
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub executors: Named<KubernetesExecutorConfig>,
}

/// Settings of the whole run. Times are in seconds, 0 means none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineConfig {
    /// How long resources are kept after the run.
    #[serde(default, alias = "resource_ttl_on_completion", deserialize_with = "proto_json::integer")]
    pub resource_ttl_on_completion: i32,
    /// The same after success.
    #[serde(default, alias = "resource_ttl_on_success", deserialize_with = "proto_json::integer")]
    pub resource_ttl_on_success: i32,
    /// The same after failure.
    #[serde(default, alias = "resource_ttl_on_failure", deserialize_with = "proto_json::integer")]
    pub resource_ttl_on_failure: i32,
    /// Greatest duration of the run.
    #[serde(default, alias = "active_deadline_seconds", deserialize_with = "proto_json::integer")]
    pub active_deadline_seconds: i32,
    /// A volume that all tasks share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceConfig>,
}

/// A volume that all tasks of a run share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceConfig {
    /// Size as a quantity.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub size: String,
    /// Settings for Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesWorkspaceConfig>,
}

/// Settings of the workspace for Kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesWorkspaceConfig {
    /// Merged into the spec of the volume claim.
    #[serde(default, alias = "pvc_spec_patch", deserialize_with = "proto_json::structure")]
    pub pvc_spec_patch: Map<String, Value>,
}

/// The whole document; only the platform `kubernetes` is known.
#[derive(Default, Deserialize)]
pub(crate) struct PlatformDocument {
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub(crate) platforms: Platforms,
}

#[derive(Default, Deserialize)]
pub(crate) struct Platforms {
    #[serde(default)]
    pub(crate) kubernetes: Option<KubernetesPlatform>,
}

/// A name that a parameter gives, or, in older documents, a literal.
fn name_of(parameter: Option<&ParameterInput>, literal: &str) -> Option<ParameterInput> {
    let literal = || (!literal.is_empty()).then(|| constant(literal));
    parameter.cloned().or_else(literal)
}

fn constant(text: &str) -> ParameterInput {
    ParameterInput { source: ParameterSource::Constant(Value::from(text)), selector: None }
}

impl SecretAsVolume {
    /// Name of the secret.
    pub fn name(&self) -> Option<ParameterInput> {
        name_of(self.secret_name_parameter.as_ref(), &self.secret_name)
    }
}

impl SecretAsEnv {
    /// Name of the secret.
    pub fn name(&self) -> Option<ParameterInput> {
        name_of(self.secret_name_parameter.as_ref(), &self.secret_name)
    }
}

impl ConfigMapAsVolume {
    /// Name of the config map.
    pub fn name(&self) -> Option<ParameterInput> {
        name_of(self.config_map_name_parameter.as_ref(), &self.config_map_name)
    }
}

impl ConfigMapAsEnv {
    /// Name of the config map.
    pub fn name(&self) -> Option<ParameterInput> {
        name_of(self.config_map_name_parameter.as_ref(), &self.config_map_name)
    }
}

impl ImagePullSecret {
    /// Name of the secret.
    pub fn name(&self) -> Option<ParameterInput> {
        name_of(self.secret_name_parameter.as_ref(), &self.secret_name)
    }
}

impl PvcMount {
    /// Name of the claim.
    pub fn name(&self) -> Option<ParameterInput> {
        if let Some(parameter) = &self.pvc_name_parameter {
            return Some(parameter.clone());
        }
        let source = if let Some(output) = &self.task_output_parameter {
            let (task, output) = (output.producer_task.clone(), output.output_parameter_key.clone());
            ParameterSource::TaskOutput { task, output }
        } else if let Some(name) = &self.constant {
            ParameterSource::Constant(Value::from(name.as_str()))
        } else {
            ParameterSource::ComponentInput(self.component_input_parameter.clone()?)
        };
        Some(ParameterInput { source, selector: None })
    }
}

impl KubernetesExecutorConfig {
    /// All values that come from the enclosing DAG or are literals, each with the path of its field. Producers among
    /// them are dependencies of the task.
    pub fn parameters(&self) -> Vec<(String, ParameterInput)> {
        let mut found = Vec::new();
        collect(&mut found, "secretAsVolume", "secretNameParameter", &self.secret_as_volume, SecretAsVolume::name);
        collect(&mut found, "secretAsEnv", "secretNameParameter", &self.secret_as_env, SecretAsEnv::name);
        collect(&mut found, "pvcMount", "pvcNameParameter", &self.pvc_mount, PvcMount::name);
        collect(&mut found, "imagePullSecret", "secretNameParameter", &self.image_pull_secret, ImagePullSecret::name);
        let (volumes, variables) = (&self.config_map_as_volume, &self.config_map_as_env);
        collect(&mut found, "configMapAsVolume", "configMapNameParameter", volumes, ConfigMapAsVolume::name);
        collect(&mut found, "configMapAsEnv", "configMapNameParameter", variables, ConfigMapAsEnv::name);
        collect(&mut found, "tolerations", "tolerationJson", &self.tolerations, |entry| entry.toleration_json.clone());
        collect(&mut found, "nodeAffinity", "nodeAffinityJson", &self.node_affinity, |entry| {
            entry.node_affinity_json.clone()
        });
        if let Some(parameter) = self.node_selector.as_ref().and_then(|selector| selector.node_selector_json.clone()) {
            found.push(("nodeSelector.nodeSelectorJson".to_owned(), parameter));
        }
        found
    }
}

fn collect<T>(
    found: &mut Vec<(String, ParameterInput)>,
    list: &str,
    field: &str,
    entries: &[T],
    parameter: impl Fn(&T) -> Option<ParameterInput>,
) {
    for (index, entry) in entries.iter().enumerate() {
        found.extend(parameter(entry).map(|parameter| (format!("{list}[{index}].{field}"), parameter)));
    }
}
