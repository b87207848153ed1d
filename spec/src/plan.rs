//! The plan: everything that one attempt of a task needs to know. The engine writes it, a backend carries it, the
//! launcher follows it. It holds no secret and no path of any machine.

mod known;
mod pod;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::artifact::Artifact;
use crate::ir::{ArtifactType, EnvVar, Named, OutputArtifact, ParameterType};
use crate::placeholder::Placeholder;
use crate::run::RunInfo;

pub use pod::{PlanPod, PlanValue};

/// Version of the plan's format that this build writes.
pub const PLAN_VERSION: u32 = 1;

/// What one attempt of a task is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Format, [`PLAN_VERSION`].
    pub version: u32,
    /// The run.
    pub run: RunInfo,
    /// The task and the attempt.
    pub task: PlanTask,
    /// Image, placeholders resolved.
    pub image: String,
    /// First part of argv, placeholders **not** resolved.
    pub command: Vec<String>,
    /// Second part of argv, placeholders **not** resolved.
    pub args: Vec<String>,
    /// Environment in order, verbatim.
    pub env: Vec<EnvVar>,
    /// What the user's container asks of a machine. Only a backend that has containers honours it.
    #[serde(default, skip_serializing_if = "PlanResources::is_empty")]
    pub resources: PlanResources,
    /// When the image is pulled: `Always`, `IfNotPresent`, `Never`, or empty. Only a backend that has containers honours
    /// it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_pull_policy: String,
    /// Account of Kubernetes that the task asks for, with a token in user code. Only a backend that has accounts honours
    /// it, and only where it is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// What the platform settings ask of the task's Pod. Only a backend that has Pods honours it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Box<PlanPod>>,
    /// The volume that the run's tasks share, if this one uses it. Only a backend that has volumes makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<PlanWorkspace>,
    /// Inputs that were provided, without component defaults.
    pub inputs: PlanInputs,
    /// Defaults of declared parameters that were not provided. Part of `{{$}}` and of placeholders, but not
    /// "present" for `IfPresent`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub defaults: Map<String, Value>,
    /// Declared inputs that have neither a value nor a default: their placeholders are empty text. A placeholder of an
    /// input that is not declared is no placeholder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_inputs: Vec<String>,
    /// Types that the component declares for its input artifacts: an artifact of no particular type is handed on as
    /// the consumer's.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub input_artifact_types: Named<ArtifactType>,
    /// Declared output parameters.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub output_parameters: Named<ParameterType>,
    /// Declared output artifacts.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub output_artifacts: Named<OutputArtifact>,
    /// `<run root>/<task key>/<uuid of this attempt>`: outputs, logs and manifest of the attempt go below it.
    pub task_root: String,
    /// Greatest duration of the attempt in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Whether the task has a retry policy, so that `KFP_RETRY_INDEX` is set.
    #[serde(default)]
    pub retries: bool,
}

/// Requests and limits by resource name, as the author wrote them, placeholders resolved. What is not set is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanResources {
    /// What is set aside.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub requests: Named<String>,
    /// What may not be exceeded. Accelerators are among it.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub limits: Named<String>,
}

/// A run's workspace as its pipeline asks for it, nothing of it checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanWorkspace {
    /// Its size as a quantity.
    pub size: String,
    /// What its claim is to hold beside what the installation says.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claim_patch: Map<String, Value>,
}

/// Which task a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanTask {
    /// Deterministic identity: UUID v5 of run id and path. Value of `{{$.pipeline_task_uuid}}`.
    pub id: Uuid,
    /// Key of the task in its DAG. Value of `{{$.pipeline_task_name}}`.
    pub key: String,
    /// Name for people.
    pub display_name: String,
    /// Path from the root, such as `for-loop-1[3]/train`.
    pub path: String,
    /// Attempt, from 0.
    pub attempt: u32,
}

/// Inputs of an attempt that were provided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanInputs {
    /// Parameters.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Artifacts: only those the component declares. The list is normally of length one.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub artifacts: Named<Vec<Artifact>>,
}

impl PlanResources {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

impl Plan {
    /// What a placeholder about the run or the task stands for.
    pub fn value_of(&self, placeholder: &Placeholder) -> Option<String> {
        let run = &self.run;
        match placeholder {
            Placeholder::PipelineRoot => Some(run.run_root()),
            Placeholder::JobName => Some(run.display_name.clone()),
            Placeholder::JobResourceName => Some(run.name.clone()),
            Placeholder::JobUuid => Some(run.id.to_string()),
            Placeholder::TaskName => Some(self.task.key.clone()),
            Placeholder::TaskUuid => Some(self.task.id.to_string()),
            Placeholder::CreateTime => Some(run.created_at.to_string()),
            Placeholder::ScheduleTime => Some(run.scheduled_at.to_string()),
            Placeholder::WorkspacePath => Some(run.workspace_path().to_owned()),
            Placeholder::ExecutorInput
            | Placeholder::JsonEscape(_)
            | Placeholder::InputParameter(_)
            | Placeholder::InputArtifact { .. }
            | Placeholder::OutputArtifact { .. }
            | Placeholder::OutputParameterFile(_)
            | Placeholder::OutputFile => None,
        }
    }

    /// Whether an input was given and is not null. A default does not count.
    pub fn is_provided(&self, name: &str) -> bool {
        self.inputs.parameters.get(name).is_some_and(|value| !value.is_null())
            || self.inputs.artifacts.get(name).is_some_and(|list| !list.is_empty())
    }

    /// URI of the object that lists what the attempt stored.
    pub fn manifest_uri(&self) -> String {
        format!("{}/{}", self.task_root, crate::keys::MANIFEST_OBJECT)
    }

    /// URI of the attempt's log.
    pub fn log_uri(&self) -> String {
        format!("{}/{}-{}", self.task_root, crate::keys::EXECUTOR_LOGS, self.task.attempt)
    }

    /// URI assigned to an output artifact.
    pub fn artifact_uri(&self, output: &str) -> String {
        format!("{}/{output}", self.task_root)
    }
}
