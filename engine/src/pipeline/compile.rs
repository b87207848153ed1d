//! From names to numbers. Works through components one by one, never through instances, so its cost is that of the
//! document whatever refers to what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use penstock_spec::cel::{Condition, Selector};
use penstock_spec::check::CheckedPipeline;
use penstock_spec::ir::{
    ArtifactInput, ComponentSpec, ContainerSpec, DagOutputParameter, DagSpec, ExecutorSpec, InputParameter,
    ParameterInput, ParameterSource, PipelineSpec, TaskSpec,
};
use penstock_spec::placeholder::has_placeholder;
use penstock_spec::retention::Retention;
use penstock_spec::value::canonicalize;
use serde_json::Value;

use super::{
    ArtifactBinding, ArtifactSource, Body, Component, ComponentId, Container, Dag, Declared, Items, Iterator,
    OutputRule, ParameterBinding, ParsedCondition, Pipeline, Source, Task, platform,
};

const ROOT: &str = "root";

pub(super) fn compile(checked: &CheckedPipeline) -> Arc<Pipeline> {
    let spec = Arc::clone(&checked.spec);
    let numbers: BTreeMap<&str, ComponentId> =
        (1..).zip(spec.components.keys()).map(|(id, name)| (name.as_str(), id)).collect();
    let context = Context { spec: &spec, checked, numbers: &numbers };
    let mut components = vec![context.component(ROOT, &spec.root)];
    components.extend(spec.components.iter().map(|(name, component)| context.component(name, component)));
    let active_deadline_seconds = context.run_deadline();
    let of_run = checked.platform.as_deref().map(|platform| &platform.kubernetes.pipeline_config);
    let workspace = of_run.and_then(|config| config.workspace.as_ref()).map(platform::workspace);
    let retention = of_run.map(Retention::of).unwrap_or_default();
    Arc::new(Pipeline { spec, components, active_deadline_seconds, workspace, retention })
}

struct Context<'a> {
    spec: &'a PipelineSpec,
    checked: &'a CheckedPipeline,
    numbers: &'a BTreeMap<&'a str, ComponentId>,
}

impl Context<'_> {
    fn run_deadline(&self) -> Option<u64> {
        platform::run_deadline_seconds(self.checked.platform.as_deref()?)
    }

    fn component(&self, name: &str, component: &ComponentSpec) -> Component {
        Component {
            name: name.to_owned(),
            shared_name: self.shared_name(name, component).to_owned(),
            inputs: component.input_definitions.clone(),
            outputs: component.output_definitions.clone(),
            passthroughs: component.task_config_passthroughs.clone(),
            body: self.body(name, component),
        }
    }

    /// The SDK makes a component of each use and numbers them: `comp-train`, `comp-train-2`, `comp-train-2-2`. The
    /// number alone says nothing, since a function may be called `train_2`: what runs must be the same as well.
    fn shared_name<'n>(&self, name: &'n str, component: &ComponentSpec) -> &'n str {
        let mut shared = name;
        let mut rest = name;
        while let Some((base, number)) = rest.rsplit_once('-') {
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                break;
            }
            if self.spec.components.get(base).is_some_and(|other| self.does_the_same(other, component)) {
                shared = base;
            }
            rest = base;
        }
        shared
    }

    fn does_the_same(&self, left: &ComponentSpec, right: &ComponentSpec) -> bool {
        let (Some(left_runs), Some(right_runs)) = (self.container_of(left), self.container_of(right)) else {
            return false;
        };
        left.output_definitions == right.output_definitions
            && (&left_runs.image, &left_runs.command, &left_runs.args)
                == (&right_runs.image, &right_runs.command, &right_runs.args)
    }

    fn container_of(&self, component: &ComponentSpec) -> Option<&ContainerSpec> {
        match self.spec.deployment_spec.executors.get(component.executor_label.as_ref()?) {
            Some(ExecutorSpec::Container(container)) => Some(container),
            _ => None,
        }
    }

    fn body(&self, name: &str, component: &ComponentSpec) -> Body {
        if let Some(dag) = &component.dag {
            return Body::Dag(self.dag(dag));
        }
        let Some(label) = &component.executor_label else {
            return Body::Broken(format!("component {name:?} has neither a dag nor an executorLabel"));
        };
        match self.spec.deployment_spec.executors.get(label) {
            Some(ExecutorSpec::Container(container)) => {
                let platform = self.checked.platform.as_deref();
                Body::Container(Box::new(Container {
                    spec: (**container).clone(),
                    timeout_seconds: platform.and_then(|it| platform::attempt_timeout_seconds(it, label)),
                    image_pull_policy: platform
                        .and_then(|it| platform::image_pull_policy(it, label))
                        .unwrap_or_default()
                        .to_owned(),
                    service_account: platform.and_then(|it| platform::service_account(it, label)).map(str::to_owned),
                    pod: platform.and_then(|it| platform::pod_template(it, label)).map(Box::new),
                    data_settings: platform.and_then(|it| platform::data_settings(it, label)),
                }))
            }
            Some(ExecutorSpec::Importer(importer)) => Body::Importer((**importer).clone()),
            Some(ExecutorSpec::Resolver(_) | ExecutorSpec::CustomJob(_) | ExecutorSpec::Unknown {}) => {
                Body::Broken(format!("executor {label:?} is neither a container nor an importer"))
            }
            None => Body::Broken(format!("component {name:?} names executor {label:?}, which does not exist")),
        }
    }

    fn dag(&self, dag: &DagSpec) -> Dag {
        let positions: BTreeMap<&str, u32> = (0..).zip(dag.tasks.keys()).map(|(at, key)| (key.as_str(), at)).collect();
        let mut tasks: Vec<Task> = dag.tasks.iter().map(|(key, task)| self.task(key, task, &positions)).collect();
        let edges: Vec<(u32, u32)> =
            (0..).zip(&tasks).flat_map(|(at, task)| task.dependencies.iter().map(move |on| (*on, at))).collect();
        for (on, dependent) in edges {
            if let Some(task) = tasks.get_mut(on as usize) {
                task.dependents.push(dependent);
            }
        }
        let order = order(&tasks);
        Dag {
            order,
            output_parameters: output_parameters(dag, &positions),
            output_artifacts: output_artifacts(dag, &positions),
            tasks,
        }
    }

    fn task(&self, key: &str, task: &TaskSpec, positions: &BTreeMap<&str, u32>) -> Task {
        let component = self.numbers.get(task.component_ref.name.as_str()).copied();
        let interface = component.and_then(|_| self.spec.components.get(&task.component_ref.name));
        let dependencies = self.dependencies(key, task, positions);
        let declared_parameters = interface.map(|it| &it.input_definitions.parameters);
        let declared_artifacts = interface.map(|it| &it.input_definitions.artifacts);
        let parameters = task
            .inputs
            .parameters
            .iter()
            .map(|(name, input)| ParameterBinding {
                name: Arc::from(name.as_str()),
                source: parameter_source(input, positions, &dependencies),
                selector: input.selector.as_ref().map(|text| Selector::parse(text).map_err(|it| it.to_string())),
                declared: declared_parameters.and_then(|all| all.get(name)).map(declared),
            })
            .collect();
        let artifacts = task
            .inputs
            .artifacts
            .iter()
            .map(|(name, input)| {
                let declared = declared_artifacts.and_then(|all| all.get(name));
                ArtifactBinding {
                    name: Arc::from(name.as_str()),
                    source: artifact_source(input, positions),
                    declared: declared.is_some(),
                    optional: declared.is_none_or(|it| it.is_optional),
                }
            })
            .collect();
        let iterator = iterator(task);
        let item = iterator.as_ref().map(|it| Arc::clone(&it.item_input));
        let given = |name: &str| item.as_deref() == Some(name);
        let unmentioned = declared_parameters
            .into_iter()
            .flatten()
            .filter(|(name, _)| !task.inputs.parameters.contains_key(*name) && !given(name))
            .map(|(name, input)| (Arc::from(name.as_str()), declared(input)))
            .collect();
        let unmentioned_artifacts = declared_artifacts
            .into_iter()
            .flatten()
            .filter(|(name, it)| !it.is_optional && !task.inputs.artifacts.contains_key(*name) && !given(name))
            .map(|(name, _)| name.clone())
            .collect();
        let display_name = if task.task_info.name.is_empty() { key } else { &task.task_info.name };
        let condition = &task.trigger_policy.condition;
        Task {
            key: key.to_owned(),
            display_name: display_name.to_owned(),
            // A reference to nothing becomes the root, which would never end: the check refuses both.
            component: component.unwrap_or(0),
            parameters,
            artifacts,
            unmentioned,
            unmentioned_artifacts,
            dependencies,
            dependents: Vec::new(),
            condition: (!condition.is_empty()).then(|| ParsedCondition {
                text: condition.clone(),
                parsed: Condition::parse(condition).map_err(|error| error.to_string()),
            }),
            strategy: task.trigger_policy.strategy,
            caching: task.caching_options.clone(),
            retry: task.retry_policy.clone(),
            iterator,
            parallelism: Some(task.iterator_policy.parallelism_limit).filter(|limit| *limit > 0),
        }
    }

    /// `dependentTasks`, and all tasks that something of this one is taken from.
    fn dependencies(&self, key: &str, task: &TaskSpec, positions: &BTreeMap<&str, u32>) -> Vec<u32> {
        let mut names: BTreeSet<&str> = task.dependent_tasks.iter().map(String::as_str).collect();
        names.extend(task.inputs.parameters.values().filter_map(|input| match &input.source {
            ParameterSource::TaskOutput { task, .. } => Some(task.as_str()),
            _ => None,
        }));
        names.extend(task.inputs.artifacts.values().filter_map(|input| match input {
            ArtifactInput::TaskOutputArtifact(output) => Some(output.producer_task.as_str()),
            ArtifactInput::ComponentInputArtifact(_) => None,
        }));
        let label = self.spec.components.get(&task.component_ref.name).and_then(|it| it.executor_label.as_ref());
        if let (Some(platform), Some(label)) = (&self.checked.platform, label) {
            names.extend(platform::producers(platform, label));
        }
        names.iter().filter(|name| **name != key).filter_map(|name| positions.get(name).copied()).collect()
    }
}

fn declared(input: &InputParameter) -> Declared {
    let mut default = input.default_value.clone();
    if let Some(value) = &mut default {
        canonicalize(value);
    }
    Declared {
        parameter_type: input.parameter_type,
        optional: input.is_optional || input.default_value.is_some(),
        default: default.map(Arc::new),
        literals: input.literals.clone(),
    }
}

fn parameter_source(input: &ParameterInput, positions: &BTreeMap<&str, u32>, dependencies: &[u32]) -> Source {
    match &input.source {
        ParameterSource::ComponentInput(name) => Source::ComponentInput(name.clone()),
        ParameterSource::TaskOutput { task, output } => match positions.get(task.as_str()) {
            Some(at) => Source::TaskOutput { task: *at, output: output.clone() },
            None => Source::Broken(format!("unknown producer task {task:?}")),
        },
        ParameterSource::Constant(value) => {
            let mut value = value.clone();
            canonicalize(&mut value);
            if holds_placeholder(&value) { Source::Template(value) } else { Source::Literal(Arc::new(value)) }
        }
        ParameterSource::RuntimeParameter(name) => {
            Source::Broken(format!("runtimeParameter {name:?} is not supported for inputs of tasks"))
        }
        // A status is only known when the task has ended, so it may be asked only of a dependency.
        ParameterSource::FinalStatus { task } => match positions.get(task.as_str()) {
            Some(at) if dependencies.contains(at) => Source::FinalStatus { task: *at },
            Some(_) => Source::Broken(format!("final status of task {task:?}, which is not in dependentTasks")),
            None => Source::Broken(format!("final status of unknown task {task:?}")),
        },
    }
}

fn artifact_source(input: &ArtifactInput, positions: &BTreeMap<&str, u32>) -> ArtifactSource {
    match input {
        ArtifactInput::ComponentInputArtifact(name) => ArtifactSource::ComponentInput(name.clone()),
        ArtifactInput::TaskOutputArtifact(output) => match positions.get(output.producer_task.as_str()) {
            Some(at) => ArtifactSource::TaskOutput { task: *at, output: output.output_artifact_key.clone() },
            None => ArtifactSource::Broken(format!("unknown producer task {:?}", output.producer_task)),
        },
    }
}

/// Whether a string, or a key, at any depth of a constant holds a placeholder.
fn holds_placeholder(value: &Value) -> bool {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::String(text) if has_placeholder(text) => return true,
            Value::Array(items) => pending.extend(items),
            Value::Object(members) => {
                if members.keys().any(|key| has_placeholder(key)) {
                    return true;
                }
                pending.extend(members.values());
            }
            _ => {}
        }
    }
    false
}

fn iterator(task: &TaskSpec) -> Option<Iterator> {
    if let Some(iterator) = &task.parameter_iterator {
        let items = match (&iterator.items.raw, &iterator.items.input_parameter) {
            (Some(raw), _) => Items::Static(static_items(raw)),
            (None, Some(input)) => Items::Parameter(input.clone()),
            (None, None) => Items::Static(Err("parameterIterator has neither raw items nor an inputParameter".into())),
        };
        return Some(Iterator { items, item_input: Arc::from(iterator.item_input.as_str()) });
    }
    let iterator = task.artifact_iterator.as_ref()?;
    Some(Iterator {
        items: Items::Artifact(iterator.items.input_artifact.clone()),
        item_input: Arc::from(iterator.item_input.as_str()),
    })
}

fn static_items(raw: &str) -> Result<Vec<Arc<Value>>, String> {
    let mut value: Value =
        serde_json::from_str(raw).map_err(|error| format!("raw items of the loop are not JSON: {error}"))?;
    canonicalize(&mut value);
    match value {
        Value::Array(items) => Ok(items.into_iter().map(Arc::new).collect()),
        other => Err(format!("value of type {} cannot be iterated", penstock_spec::value::kind(&other))),
    }
}

fn output_parameters(dag: &DagSpec, positions: &BTreeMap<&str, u32>) -> Vec<OutputRule> {
    let rule = |(name, output): (&String, &DagOutputParameter)| {
        let (selectors, one_of) = match output {
            DagOutputParameter::ValueFromParameter(selector) => (std::slice::from_ref(selector), false),
            DagOutputParameter::ValueFromOneof(oneof) => (oneof.parameter_selectors.as_slice(), true),
        };
        let candidates = selectors
            .iter()
            .filter_map(|it| Some((*positions.get(it.producer_subtask.as_str())?, it.output_parameter_key.clone())))
            .collect();
        OutputRule { name: name.clone(), candidates, one_of }
    };
    dag.outputs.parameters.iter().map(rule).collect()
}

fn output_artifacts(dag: &DagSpec, positions: &BTreeMap<&str, u32>) -> Vec<OutputRule> {
    let rule = |(name, output): (&String, &penstock_spec::ir::DagOutputArtifact)| {
        let selectors = &output.artifact_selectors;
        let candidates = selectors
            .iter()
            .filter_map(|it| Some((*positions.get(it.producer_subtask.as_str())?, it.output_artifact_key.clone())))
            .collect();
        OutputRule { name: name.clone(), candidates, one_of: selectors.len() > 1 }
    };
    dag.outputs.artifacts.iter().map(rule).collect()
}

/// Tasks such that each comes after those it depends on. Tasks on a cycle, which the check refuses, come last.
fn order(tasks: &[Task]) -> Vec<u32> {
    let mut waiting: Vec<usize> = tasks.iter().map(|task| task.dependencies.len()).collect();
    let mut ready: VecDeque<u32> = (0..).zip(&waiting).filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
    let mut order = Vec::with_capacity(tasks.len());
    while let Some(at) = ready.pop_front() {
        order.push(at);
        for dependent in tasks.get(at as usize).into_iter().flat_map(|task| &task.dependents) {
            if let Some(count) = waiting.get_mut(*dependent as usize) {
                *count -= 1;
                if *count == 0 {
                    ready.push_back(*dependent);
                }
            }
        }
    }
    order.extend((0..).zip(&waiting).filter(|(_, count)| **count > 0).map(|(at, _): (u32, _)| at));
    order
}
