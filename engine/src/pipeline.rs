//! The compiled pipeline: a checked specification turned once into tasks with numbers instead of names, dependency
//! lists in both directions, and parsed conditions, selectors and templates. Shared by all that happens in a run.
//!
//! Compiling cannot fail. What the check should have refused (an unknown producer, a condition that does not parse) is
//! kept as a text, and the task that needs it fails with that text.

mod compile;
mod platform;

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_spec::artifact::Artifact;
use penstock_spec::cel::{Condition, Selector};
use penstock_spec::check::CheckedPipeline;
use penstock_spec::ir::{
    CachingOptions, ContainerSpec, ImporterSpec, InputDefinitions, OutputDefinitions, ParameterInput, ParameterType,
    PipelineSpec, RetryPolicy, TaskConfigPassthrough, TriggerStrategy,
};
use penstock_spec::plan::PlanWorkspace;
use penstock_spec::platform::KubernetesExecutorConfig;
use penstock_spec::retention::Retention;
use serde_json::Value;

/// A compiled pipeline.
#[derive(Debug)]
pub struct Pipeline {
    spec: Arc<PipelineSpec>,
    /// The root is the first.
    components: Vec<Component>,
    active_deadline_seconds: Option<u64>,
    workspace: Option<PlanWorkspace>,
    retention: Retention,
}

/// Position of a component.
pub(crate) type ComponentId = u32;

/// A component: its interface and what it does.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) name: String,
    /// The name that cache keys of the author's own go with: of components that do the same work, the first one's.
    pub(crate) shared_name: String,
    pub(crate) inputs: InputDefinitions,
    pub(crate) outputs: OutputDefinitions,
    pub(crate) passthroughs: Vec<TaskConfigPassthrough>,
    pub(crate) body: Body,
}

/// What a component does.
#[derive(Debug)]
pub(crate) enum Body {
    Dag(Dag),
    Container(Box<Container>),
    Importer(ImporterSpec),
    /// Nothing that can be run; the text says why.
    Broken(String),
}

/// A command in an image, with what its platform settings say to the engine.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) spec: ContainerSpec,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) image_pull_policy: String,
    pub(crate) service_account: Option<String>,
    /// What the settings ask of the Pod beside that, if anything.
    pub(crate) pod: Option<Box<PodTemplate>>,
    /// Platform settings that give the container data, as written: part of the cache key.
    pub(crate) data_settings: Option<Value>,
}

/// Settings of the Pods of a container.
#[derive(Debug)]
pub(crate) struct PodTemplate {
    pub(crate) config: KubernetesExecutorConfig,
    /// Where the values in it come from, by the paths of their fields.
    pub(crate) parameters: Vec<(String, ParameterInput)>,
}

/// Tasks in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Dag {
    pub(crate) tasks: Vec<Task>,
    /// Tasks such that each comes after those it depends on.
    pub(crate) order: Vec<u32>,
    pub(crate) output_parameters: Vec<OutputRule>,
    pub(crate) output_artifacts: Vec<OutputRule>,
}

/// Where an output of a DAG comes from.
#[derive(Debug)]
pub(crate) struct OutputRule {
    pub(crate) name: String,
    /// Sub-task and its output, in order.
    pub(crate) candidates: Vec<(u32, String)>,
    /// Whether one of the candidates must have run.
    pub(crate) one_of: bool,
}

/// One task of a DAG.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: String,
    pub(crate) display_name: String,
    pub(crate) component: ComponentId,
    pub(crate) parameters: Vec<ParameterBinding>,
    pub(crate) artifacts: Vec<ArtifactBinding>,
    /// Declared parameters that the task does not mention.
    pub(crate) unmentioned: Vec<(Arc<str>, Declared)>,
    /// Declared artifacts that the task does not mention although they are not optional.
    pub(crate) unmentioned_artifacts: Vec<String>,
    pub(crate) dependencies: Vec<u32>,
    pub(crate) dependents: Vec<u32>,
    pub(crate) condition: Option<ParsedCondition>,
    pub(crate) strategy: TriggerStrategy,
    pub(crate) caching: CachingOptions,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) iterator: Option<Iterator>,
    /// Iterations that may run at a time.
    pub(crate) parallelism: Option<u32>,
}

/// The condition of a task.
#[derive(Debug)]
pub(crate) struct ParsedCondition {
    pub(crate) text: String,
    pub(crate) parsed: Result<Condition, String>,
}

/// What a loop goes over, and the input of its component that receives the item.
#[derive(Debug)]
pub(crate) struct Iterator {
    pub(crate) items: Items,
    pub(crate) item_input: Arc<str>,
}

/// The list of a loop.
#[derive(Debug)]
pub(crate) enum Items {
    Static(Result<Vec<Arc<Value>>, String>),
    Parameter(String),
    Artifact(String),
}

/// A parameter of a task and where it comes from.
#[derive(Debug)]
pub(crate) struct ParameterBinding {
    pub(crate) name: Arc<str>,
    pub(crate) source: Source,
    pub(crate) selector: Option<Result<Selector, String>>,
    /// Absent when the component does not declare the parameter.
    pub(crate) declared: Option<Declared>,
}

/// What a component says about an input parameter.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) parameter_type: ParameterType,
    /// Whether it may be left out: declared so, or with a default.
    pub(crate) optional: bool,
    pub(crate) default: Option<Arc<Value>>,
    pub(crate) literals: Vec<Value>,
}

/// Where a parameter comes from.
#[derive(Debug)]
pub(crate) enum Source {
    ComponentInput(String),
    TaskOutput {
        task: u32,
        output: String,
    },
    Literal(Arc<Value>),
    /// A constant with placeholders.
    Template(Value),
    FinalStatus {
        task: u32,
    },
    Broken(String),
}

/// An artifact of a task and where it comes from.
#[derive(Debug)]
pub(crate) struct ArtifactBinding {
    pub(crate) name: Arc<str>,
    pub(crate) source: ArtifactSource,
    pub(crate) declared: bool,
    pub(crate) optional: bool,
}

/// Where an artifact comes from.
#[derive(Debug)]
pub(crate) enum ArtifactSource {
    ComponentInput(String),
    TaskOutput { task: u32, output: String },
    Broken(String),
}

/// Values by name: the inputs of a DAG, or of a task.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Scope {
    pub(crate) parameters: BTreeMap<Arc<str>, Arc<Value>>,
    pub(crate) artifacts: BTreeMap<Arc<str>, Arc<Vec<Artifact>>>,
    /// The loop's inputs, for one of its iterations: shared by all of them.
    pub(crate) base: Option<Arc<Scope>>,
}

impl Scope {
    pub(crate) fn parameter(&self, name: &str) -> Option<&Arc<Value>> {
        self.parameters.get(name).or_else(|| self.base.as_ref()?.parameters.get(name))
    }

    pub(crate) fn artifact(&self, name: &str) -> Option<&Arc<Vec<Artifact>>> {
        self.artifacts.get(name).or_else(|| self.base.as_ref()?.artifacts.get(name))
    }

    /// All parameters, the item of an iteration over the loop's own.
    pub(crate) fn all_parameters(&self) -> BTreeMap<&str, &Arc<Value>> {
        let base = self.base.iter().flat_map(|base| &base.parameters);
        base.chain(&self.parameters).map(|(name, value)| (&**name, value)).collect()
    }

    /// All artifacts, the item of an iteration over the loop's own.
    pub(crate) fn all_artifacts(&self) -> BTreeMap<&str, &Arc<Vec<Artifact>>> {
        let base = self.base.iter().flat_map(|base| &base.artifacts);
        base.chain(&self.artifacts).map(|(name, value)| (&**name, value)).collect()
    }
}

impl Pipeline {
    /// Compiles a pipeline that passed the check.
    pub fn compile(checked: &CheckedPipeline) -> Arc<Pipeline> {
        compile::compile(checked)
    }

    /// Name of the pipeline.
    pub fn name(&self) -> &str {
        &self.spec.pipeline_info.name
    }

    /// The specification that was compiled.
    pub fn spec(&self) -> &PipelineSpec {
        &self.spec
    }

    /// Seconds that a run may take (`pipelineConfig.activeDeadlineSeconds`).
    pub fn active_deadline_seconds(&self) -> Option<u64> {
        self.active_deadline_seconds
    }

    /// What its tasks share (`pipelineConfig.workspace`).
    pub fn workspace(&self) -> Option<&PlanWorkspace> {
        self.workspace.as_ref()
    }

    /// For how long what a run has left in a cluster is kept (`pipelineConfig.resourceTtl*`).
    pub fn retention(&self) -> Retention {
        self.retention
    }

    pub(crate) fn root(&self) -> &Component {
        // `compile` makes the root first, so that there is always one.
        &self.components[0]
    }

    pub(crate) fn component(&self, id: ComponentId) -> &Component {
        // Ids come from `compile`, never from outside.
        &self.components[id as usize]
    }
}

impl Component {
    pub(crate) fn dag(&self) -> Option<&Dag> {
        match &self.body {
            Body::Dag(dag) => Some(dag),
            Body::Container(_) | Body::Importer(_) | Body::Broken(_) => None,
        }
    }
}
