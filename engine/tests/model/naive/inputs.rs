//! Inputs of tasks and items of loops, as the naive interpreter reads them.

use std::rc::Rc;

use penstock_spec::ir::{ArtifactInput, ComponentSpec, InputParameter, ParameterInput, ParameterSource, ParameterType};
use penstock_spec::ir::{TaskSpec, TriggerStrategy};
use serde_json::{Map, Value, json};

use super::{Dag, Naive, Scope, Wrong};
use crate::expected::{End, Expected};

/// Why a task has no inputs.
pub(super) enum Unresolved {
    /// What would have made one of them did not run.
    Skip,
    Failed(&'static str),
}

pub(super) enum Items {
    Parameters(String, Vec<Value>),
    Artifacts(String, Vec<String>),
}

impl Items {
    pub(super) fn len(&self) -> usize {
        match self {
            Items::Parameters(_, items) => items.len(),
            Items::Artifacts(_, items) => items.len(),
        }
    }

    pub(super) fn give(&self, index: usize, scope: &mut Scope) {
        match self {
            Items::Parameters(name, items) => drop(scope.parameters.insert(name.clone(), items[index].clone())),
            Items::Artifacts(name, items) => drop(scope.artifacts.insert(name.clone(), vec![items[index].clone()])),
        }
    }
}

fn is_optional(declared: &InputParameter) -> bool {
    declared.is_optional || declared.default_value.is_some()
}

pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a value becomes for an input of a type; nothing if it does not fit.
fn converted(value: &Value, to: ParameterType) -> Option<Value> {
    let fits = match to {
        ParameterType::String => return Some(Value::String(text_of(value))),
        ParameterType::NumberInteger => value.is_number(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::List => value.is_array(),
        _ => value.is_object(),
    };
    fits.then(|| value.clone())
}

impl Naive<'_> {
    pub(super) fn inputs(&self, dag: &Dag<'_>, task: &TaskSpec, path: &str) -> Result<Scope, Unresolved> {
        let component = &self.case.spec.components[&task.component_ref.name];
        let declared = &component.input_definitions.parameters;
        let mut scope = Scope::default();
        let is_template = |input: &ParameterInput| matches!(&input.source, ParameterSource::Constant(Value::String(text)) if text.contains("{{$"));
        let (templates, others): (Vec<_>, Vec<_>) =
            task.inputs.parameters.iter().partition(|(_, input)| is_template(input));
        for (name, input) in others {
            if let Some(value) = self.parameter(dag, task, input, declared.get(name))? {
                scope.parameters.insert(name.clone(), value);
            }
        }
        let before = scope.parameters.clone();
        for (name, input) in templates {
            let ParameterSource::Constant(Value::String(text)) = &input.source else { continue };
            let value = template(text, path, &before, task, component);
            self.note("constant with a placeholder");
            if let Some(value) = self.fitted(value, declared.get(name), false)? {
                scope.parameters.insert(name.clone(), value);
            }
        }
        if component.dag.is_some() {
            for (name, input) in declared {
                let is_item = task.parameter_iterator.as_ref().is_some_and(|it| it.item_input == *name);
                if !scope.parameters.contains_key(name) && !is_item {
                    let default = input.default_value.clone().filter(|_| !self.is(Wrong::DefaultIsForgotten));
                    self.note(if default.is_some() { "default of a group" } else { "null of a group" });
                    scope.parameters.insert(name.clone(), default.unwrap_or_default());
                }
            }
        } else {
            scope.parameters.retain(|_, value| !value.is_null());
        }
        for (name, input) in &task.inputs.artifacts {
            let optional = component.input_definitions.artifacts[name].is_optional;
            let (found, may_skip) = match input {
                ArtifactInput::ComponentInputArtifact(input) => (dag.scope.artifacts.get(input).cloned(), false),
                ArtifactInput::TaskOutputArtifact(output) => {
                    let producer = sibling(dag, &output.producer_task);
                    let list = producer.outputs.artifacts.get(&output.output_artifact_key).cloned();
                    (list, self.skips_without(dag, task, &output.producer_task))
                }
            };
            match found {
                Some(list) => drop(scope.artifacts.insert(name.clone(), list)),
                None if optional => self.note("artifact left out"),
                None if may_skip => return Err(Unresolved::Skip),
                None => return Err(Unresolved::Failed("artifact missing")),
            }
        }
        Ok(scope)
    }

    fn skips_without(&self, dag: &Dag<'_>, task: &TaskSpec, producer: &str) -> bool {
        let producer = &dag.spec.tasks[producer];
        let iterates = producer.parameter_iterator.is_some() || producer.artifact_iterator.is_some();
        let is_group = iterates || self.case.spec.components[&producer.component_ref.name].dag.is_some();
        is_group && task.trigger_policy.strategy == TriggerStrategy::AllSucceeded
    }

    /// A parameter; nothing if it is left out.
    fn parameter(
        &self,
        dag: &Dag<'_>,
        task: &TaskSpec,
        input: &ParameterInput,
        declared: Option<&InputParameter>,
    ) -> Result<Option<Value>, Unresolved> {
        let value = match &input.source {
            ParameterSource::ComponentInput(name) => match dag.scope.parameters.get(name) {
                Some(Value::Null) if declared.is_none() => return Ok(Some(Value::Null)),
                Some(Value::Null) => return self.fitted(Value::Null, declared, false),
                Some(value) => value.clone(),
                None => return Err(Unresolved::Failed("input of the DAG missing")),
            },
            ParameterSource::TaskOutput { task: producer, output } => {
                let given = sibling(dag, producer).outputs.parameters.get(output).cloned();
                match (given, declared) {
                    (Some(value), _) if !value.is_null() => value,
                    (_, None) => return Ok(Some(Value::Null)),
                    (_, Some(declared)) if is_optional(declared) => {
                        self.note("parameter left out");
                        return Ok(None);
                    }
                    (None, _) if self.skips_without(dag, task, producer) => return Err(Unresolved::Skip),
                    (None, _) => return Err(Unresolved::Failed("output missing")),
                    (Some(_), _) => return Err(Unresolved::Failed("null for an input that must have a value")),
                }
            }
            ParameterSource::FinalStatus { task } => self.status(&sibling(dag, task), task),
            ParameterSource::Constant(value) => value.clone(),
            ParameterSource::RuntimeParameter(_) => return Err(Unresolved::Failed("not written by the generator")),
        };
        if input.selector.is_none() || self.is(Wrong::SelectorIsIgnored) {
            return self.fitted(value, declared, false);
        }
        self.note("selector");
        match serde_json::from_str::<Map<String, Value>>(&text_of(&value)).ok().and_then(|it| it.get("k").cloned()) {
            Some(member) => self.fitted(member, declared, true),
            None => Err(Unresolved::Failed("selector fails")),
        }
    }

    fn fitted(
        &self,
        value: Value,
        declared: Option<&InputParameter>,
        selected: bool,
    ) -> Result<Option<Value>, Unresolved> {
        let Some(declared) = declared else {
            self.note("undeclared input");
            return Ok(Some(value));
        };
        if value.is_null() && is_optional(declared) && !self.is(Wrong::NullIsMissing) {
            self.note("parameter left out");
            return Ok(None);
        }
        if value.is_null() && !selected {
            return Err(Unresolved::Failed("null for an input that must have a value"));
        }
        match converted(&value, declared.parameter_type) {
            Some(value) => Ok(Some(value)),
            None => Err(Unresolved::Failed("value of another type")),
        }
    }

    fn status(&self, of: &Expected, key: &str) -> Value {
        self.note("final status");
        let (state, failed) = match of.end {
            End::Succeeded => ("SUCCEEDED", false),
            End::Failed if self.is(Wrong::StatusOfFailedIsSuccess) => ("SUCCEEDED", false),
            End::Failed => ("FAILED", true),
            End::NotTriggered => ("NOT_TRIGGERED", false),
            End::Unschedulable { .. } => ("UNSCHEDULABLE", false),
        };
        if failed {
            let is_group = of.group.is_some();
            self.note(if is_group { "final status of a failed group" } else { "final status of a failed task" });
        }
        json!({ "state": state, "pipelineTaskName": key, "failed": failed })
    }

    /// What a task goes over, if it is a loop; or why it cannot.
    pub(super) fn iterator(
        &self,
        task: &TaskSpec,
        component: &ComponentSpec,
        scope: &Scope,
    ) -> Option<Result<Items, &'static str>> {
        if let Some(iterator) = &task.artifact_iterator {
            self.note("loop over artifacts");
            let list = scope.artifacts.get(&iterator.items.input_artifact);
            let items = list.map(|list| Items::Artifacts(iterator.item_input.clone(), list.clone()));
            return Some(items.ok_or("loop without its artifacts"));
        }
        let iterator = task.parameter_iterator.as_ref()?;
        let list = match (&iterator.items.raw, &iterator.items.input_parameter) {
            (Some(raw), _) => serde_json::from_str(raw).ok(),
            (None, name) => match scope.parameters.get(name.as_ref()?) {
                Some(Value::String(text)) => {
                    self.note("loop over the text of a list");
                    serde_json::from_str(text).ok()
                }
                other => {
                    self.note("loop over a parameter");
                    other.cloned()
                }
            },
        };
        let Some(Value::Array(list)) = list else { return Some(Err("loop over something else")) };
        let declared = &component.input_definitions.parameters[&iterator.item_input];
        let items: Option<Vec<Value>> = list.iter().map(|item| converted(item, declared.parameter_type)).collect();
        Some(items.map(|items| Items::Parameters(iterator.item_input.clone(), items)).ok_or("item of another type"))
    }
}

fn sibling(dag: &Dag<'_>, key: &str) -> Rc<Expected> {
    // Whatever a task takes something of is among those that it needs, and was found out before.
    Rc::clone(&dag.found.borrow()[key])
}

/// A constant with placeholders: a whole one is the value, others become text.
fn template(
    text: &str,
    path: &str,
    values: &std::collections::BTreeMap<String, Value>,
    task: &TaskSpec,
    component: &ComponentSpec,
) -> Value {
    let key = path.rsplit('/').next().unwrap_or_default();
    let mut text = text.replace("{{$.pipeline_task_name}}", key);
    for name in task.inputs.parameters.keys() {
        let placeholder = format!("{{{{$.inputs.parameters['{name}']}}}}");
        if !text.contains(&placeholder) {
            continue;
        }
        let default = || component.input_definitions.parameters.get(name).and_then(|it| it.default_value.clone());
        let value = values.get(name).cloned().or_else(default).unwrap_or_default();
        if text == placeholder {
            return value;
        }
        text = text.replace(&placeholder, &text_of(&value));
    }
    Value::String(text)
}
