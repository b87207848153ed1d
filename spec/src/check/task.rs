//! One task: its inputs, its trigger, its loop.

use serde_json::Value;

use super::Findings;
use super::dag::Scope;
use crate::cel::{Condition, Selector};
use crate::ir::{
    ArtifactInput, ArtifactIterator, ComponentSpec, ExecutorSpec, ParameterInput, ParameterIterator, ParameterSource,
    ParameterType, TaskSpec,
};

impl<'a> Scope<'a, '_> {
    pub(super) fn check_task(self, path: &str, task: &'a TaskSpec, findings: &mut Findings) {
        for (index, name) in task.dependent_tasks.iter().enumerate() {
            if !self.dag.tasks.contains_key(name) {
                findings.problem(format!("{path}.dependentTasks[{index}]"), format!("there is no task {name:?}"));
            }
        }
        let component = self.component_of(task);
        for (name, input) in &task.inputs.parameters {
            let path = format!("{path}.inputs.parameters.{name}");
            self.check_parameter(&path, input, findings);
            if let Some(component) = component {
                self.compare_types(&path, name, input, component, findings);
            }
        }
        for (name, input) in &task.inputs.artifacts {
            self.check_artifact(&format!("{path}.inputs.artifacts.{name}"), name, input, component, findings);
        }
        if let Some(component) = component {
            self.check_missing_inputs(path, task, component, findings);
        }
        self.check_trigger(path, task, findings);
        self.check_iterators(path, task, component, findings);
        self.check_platform(task, findings);
    }

    fn check_parameter(self, path: &str, input: &ParameterInput, findings: &mut Findings) {
        match &input.source {
            ParameterSource::ComponentInput(name) => {
                if !self.component.input_definitions.parameters.contains_key(name) {
                    findings.problem(path, format!("parent DAG does not have input parameter {name:?}"));
                }
            }
            ParameterSource::TaskOutput { task, output } => {
                self.check_producer(path, task, output, "parameter", findings);
            }
            ParameterSource::FinalStatus { task } => {
                if !self.dag.tasks.contains_key(task) {
                    findings.problem(path, format!("unknown producer task {task:?}"));
                }
            }
            ParameterSource::RuntimeParameter(name) => {
                let message = format!("runtimeParameter {name:?} is not supported for inputs of tasks");
                findings.problem(path, message);
            }
            ParameterSource::Constant(_) => {}
        }
        if let Some(selector) = &input.selector
            && let Err(error) = Selector::parse(selector)
        {
            findings.problem(format!("{path}.parameterExpressionSelector"), error.to_string());
        }
    }

    /// Warns of declared types that do not go together. Values are not bound to the type their producer declares, so
    /// this need not fail.
    fn compare_types(
        self,
        path: &str,
        name: &str,
        input: &ParameterInput,
        component: &ComponentSpec,
        findings: &mut Findings,
    ) {
        let Some(wanted) = component.input_definitions.parameters.get(name) else { return };
        let ParameterSource::TaskOutput { task, output } = &input.source else { return };
        let producer = self.dag.tasks.get(task).and_then(|task| self.component_of(task));
        let Some(given) = producer.and_then(|producer| producer.output_definitions.parameters.get(output)) else {
            return;
        };
        if input.selector.is_none() && !may_fit(given.parameter_type, wanted.parameter_type) {
            let (given, wanted) = (given.parameter_type.name(), wanted.parameter_type.name());
            findings.warning(path, &format!("task {task:?} declares {given}, but the input is {wanted}"));
        }
    }

    fn check_artifact(
        self,
        path: &str,
        name: &str,
        input: &ArtifactInput,
        component: Option<&ComponentSpec>,
        findings: &mut Findings,
    ) {
        let given_list = match input {
            ArtifactInput::ComponentInputArtifact(parent) => {
                let declared = self.component.input_definitions.artifacts.get(parent);
                if declared.is_none() {
                    findings.problem(path, format!("parent DAG does not have input artifact {parent:?}"));
                }
                declared.map(|declared| declared.is_artifact_list)
            }
            ArtifactInput::TaskOutputArtifact(output) => {
                let (producer, key) = (&output.producer_task, &output.output_artifact_key);
                self.check_producer(path, producer, key, "artifact", findings);
                let component = self.dag.tasks.get(producer).and_then(|task| self.component_of(task));
                let declared = component.and_then(|component| component.output_definitions.artifacts.get(key));
                declared.map(|declared| declared.is_artifact_list)
            }
        };
        let wanted_list = component
            .and_then(|component| component.input_definitions.artifacts.get(name))
            .map(|declared| declared.is_artifact_list);
        if let (Some(true), Some(false)) = (given_list, wanted_list) {
            findings.warning(path, "a list of artifacts is given to an input of one artifact");
        }
    }

    fn check_missing_inputs(self, path: &str, task: &TaskSpec, component: &ComponentSpec, findings: &mut Findings) {
        let item = task.parameter_iterator.as_ref().map(|iterator| &iterator.item_input);
        for (name, declared) in &component.input_definitions.parameters {
            let provided = task.inputs.parameters.contains_key(name)
                || item == Some(name)
                || declared.is_optional
                || declared.default_value.is_some()
                || declared.parameter_type == ParameterType::TaskConfig;
            if !provided {
                let message = format!("neither value nor default value provided for non-optional parameter {name:?}");
                findings.problem(format!("{path}.inputs.parameters"), message);
            }
        }
        let item = task.artifact_iterator.as_ref().map(|iterator| &iterator.item_input);
        for (name, declared) in &component.input_definitions.artifacts {
            if !task.inputs.artifacts.contains_key(name) && item != Some(name) && !declared.is_optional {
                findings
                    .warning(&format!("{path}.inputs.artifacts"), &format!("required artifact {name:?} is not given"));
            }
        }
        let executor =
            component.executor_label.as_ref().and_then(|label| self.checker.spec.deployment_spec.executors.get(label));
        if let Some(ExecutorSpec::Importer(importer)) = executor
            && let Some(name) = &importer.artifact_uri.runtime_parameter
            && !task.inputs.parameters.contains_key(name)
            && !component.input_definitions.parameters.contains_key(name)
        {
            findings
                .problem(path, format!("the importer takes its URI from input {name:?}, which the task does not have"));
        }
    }

    fn check_trigger(self, path: &str, task: &TaskSpec, findings: &mut Findings) {
        let condition = &task.trigger_policy.condition;
        if !condition.is_empty()
            && let Err(error) = Condition::parse(condition)
        {
            findings.problem(format!("{path}.triggerPolicy.condition"), error.to_string());
        }
        if let Some(policy) = &task.retry_policy
            && (policy.backoff_factor.is_nan() || policy.backoff_factor < 0.0)
        {
            findings.problem(format!("{path}.retryPolicy.backoffFactor"), "the factor must not be negative");
        }
    }

    fn check_iterators(self, path: &str, task: &TaskSpec, component: Option<&ComponentSpec>, findings: &mut Findings) {
        match (&task.parameter_iterator, &task.artifact_iterator) {
            (Some(_), Some(_)) => {
                findings.problem(path, "a task cannot have both a parameterIterator and an artifactIterator");
            }
            (Some(iterator), None) => {
                self.check_parameter_iterator(
                    &format!("{path}.parameterIterator"),
                    iterator,
                    task,
                    component,
                    findings,
                );
            }
            (None, Some(iterator)) => {
                check_artifact_iterator(&format!("{path}.artifactIterator"), iterator, task, component, findings);
            }
            (None, None) => {}
        }
    }

    fn check_parameter_iterator(
        self,
        path: &str,
        iterator: &ParameterIterator,
        task: &TaskSpec,
        component: Option<&ComponentSpec>,
        findings: &mut Findings,
    ) {
        match (&iterator.items.raw, &iterator.items.input_parameter) {
            (Some(raw), None) => match serde_json::from_str::<Value>(raw) {
                Ok(Value::Array(items)) if items.len() > self.checker.limits.loop_items => {
                    let limit = self.checker.limits.loop_items;
                    let message = format!("the loop has {} items, more than the {limit} that are allowed", items.len());
                    findings.problem(format!("{path}.items.raw"), message);
                }
                Ok(Value::Array(_)) => {}
                Ok(other) => {
                    let message = format!("value of type {} cannot be iterated", crate::value::kind(&other));
                    findings.problem(format!("{path}.items.raw"), message);
                }
                Err(error) => findings.problem(format!("{path}.items.raw"), format!("the items are not JSON: {error}")),
            },
            (None, Some(name)) => {
                let declared = component.and_then(|component| component.input_definitions.parameters.get(name));
                let has_default = declared.is_some_and(|declared| declared.default_value.is_some());
                if !task.inputs.parameters.contains_key(name) && !has_default {
                    findings.problem(format!("{path}.items.inputParameter"), format!("the task has no input {name:?}"));
                }
            }
            _ => findings.problem(format!("{path}.items"), "exactly one of raw and inputParameter must be set"),
        }
        let declared =
            component.is_none_or(|component| component.input_definitions.parameters.contains_key(&iterator.item_input));
        check_item_input(path, &iterator.item_input, declared, findings);
    }

    /// Settings of the executor that come from the DAG. KFP resolves them when the task starts, and a machine without
    /// Kubernetes never does, so a dangling reference is a warning.
    fn check_platform(self, task: &TaskSpec, findings: &mut Findings) {
        for (path, parameter) in self.platform_parameters(task) {
            let missing = match &parameter.source {
                ParameterSource::ComponentInput(name) => {
                    let known = self.component.input_definitions.parameters.contains_key(name);
                    (!known).then(|| format!("the enclosing DAG has no input parameter {name:?}"))
                }
                ParameterSource::TaskOutput { task, .. } | ParameterSource::FinalStatus { task } => {
                    (!self.dag.tasks.contains_key(task)).then(|| format!("unknown producer task {task:?}"))
                }
                ParameterSource::RuntimeParameter(_) => Some("runtimeParameter is not supported".to_owned()),
                ParameterSource::Constant(_) => None,
            };
            if let Some(missing) = missing {
                findings.warning(&path, &missing);
            }
        }
    }

    /// Values in the platform settings of a task's executor, each with its path.
    pub(super) fn platform_parameters(self, task: &TaskSpec) -> Vec<(String, ParameterInput)> {
        let label = self.component_of(task).and_then(|component| component.executor_label.as_ref());
        let (Some(platform), Some(label)) = (self.checker.platform, label) else { return Vec::new() };
        let Some(config) = platform.kubernetes.deployment_spec.executors.get(label) else { return Vec::new() };
        let prefix = format!("platforms.kubernetes.deploymentSpec.executors.{label}");
        config.parameters().into_iter().map(|(path, parameter)| (format!("{prefix}.{path}"), parameter)).collect()
    }
}

fn check_artifact_iterator(
    path: &str,
    iterator: &ArtifactIterator,
    task: &TaskSpec,
    component: Option<&ComponentSpec>,
    findings: &mut Findings,
) {
    let name = &iterator.items.input_artifact;
    if !task.inputs.artifacts.contains_key(name) {
        findings.problem(format!("{path}.items.inputArtifact"), format!("the task has no input artifact {name:?}"));
    }
    let declared =
        component.is_none_or(|component| component.input_definitions.artifacts.contains_key(&iterator.item_input));
    check_item_input(path, &iterator.item_input, declared, findings);
}

fn check_item_input(path: &str, name: &str, declared: bool, findings: &mut Findings) {
    if name.is_empty() || !declared {
        findings.problem(format!("{path}.itemInput"), format!("the component declares no input {name:?}"));
    }
}

/// Whether a value of one declared type can be accepted by an input of another.
fn may_fit(given: ParameterType, wanted: ParameterType) -> bool {
    use ParameterType::{NumberDouble, NumberInteger, String, Struct, TaskConfig, TaskFinalStatus, Unspecified};
    let class = |declared| match declared {
        NumberInteger => NumberDouble,
        TaskConfig | TaskFinalStatus => Struct,
        other => other,
    };
    matches!(wanted, String | Unspecified) || given == Unspecified || class(given) == class(wanted)
}
