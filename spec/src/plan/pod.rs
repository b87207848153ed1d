//! What the platform settings ask of a task's Pod, with the values that they take from the enclosing DAG.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ir::{Named, TaskConfigPassthrough};
use crate::platform::KubernetesExecutorConfig;

/// Settings of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanPod {
    /// The settings as the author wrote them.
    pub config: KubernetesExecutorConfig,
    /// What their values came to, by the paths that [`KubernetesExecutorConfig::parameters`] gives them.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub values: Named<PlanValue>,
    /// Settings that the component takes as data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passthroughs: Vec<TaskConfigPassthrough>,
    /// Inputs of the component that receive those settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_config_inputs: Vec<String>,
}

/// What a value of a setting came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PlanValue {
    /// This; null where an optional input was left out.
    Value(Value),
    /// Nothing, for this reason.
    Missing(String),
}
