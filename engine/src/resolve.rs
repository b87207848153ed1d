//! Inputs of tasks: where each value comes from, what is taken of it, and whether it fits the declaration.
//!
//! Names resolve in the instance of the enclosing DAG only: its inputs and its tasks' outputs. Inputs are not stored;
//! they follow from outputs, which do not change while anybody can ask. Only groups keep theirs while they run, since
//! everything below asks for them. Values are shared, not copied, on their way down.
//!
//! Decisions where the rules leave room:
//! - A constant that is exactly one parameter placeholder takes the parameter's value with its type; a placeholder
//!   within text takes its text form. A list literal `[x]` of a pipeline's author thus keeps the type of `x`.
//! - An output is missing although its producer succeeded: only a group can do that, whose own producer was skipped.
//!   An optional input is then left out; a task that needs the value is skipped like one that depends on the skipped
//!   task itself. A task that runs whatever its dependencies did, and needs the value, fails.
//! - The SDK declares the items of nested loops as `STRING` for want of a type. A consumer of another type gets the
//!   value that the text stands for, as the author meant.

pub(crate) mod constants;
pub(crate) mod scopes;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_spec::artifact::Artifact;
use penstock_spec::ir::{ParameterType, TriggerStrategy};
use penstock_spec::report::{Failure, FailureCause};
use penstock_spec::types;
use serde_json::Value;

use crate::fact::NodeId;
use crate::node::NodeKind;
use crate::pipeline::{ArtifactSource, Declared, ParameterBinding, Scope, Source, Task};
use crate::state::RunState;

/// Why a task has no inputs.
#[derive(Debug, PartialEq)]
pub(crate) enum Unresolved {
    /// A sibling that it needs something of gave nothing, because what would have made it did not run.
    Skip {
        task: u32,
    },
    Failed(Failure),
}

impl From<String> for Unresolved {
    fn from(message: String) -> Self {
        Unresolved::Failed(Failure { cause: FailureCause::Input, message })
    }
}

pub(crate) fn input_failure(message: impl Into<String>) -> Failure {
    Failure { cause: FailureCause::Input, message: message.into() }
}

type Parameters = BTreeMap<Arc<str>, Arc<Value>>;
type Artifacts = BTreeMap<Arc<str>, Arc<Vec<Artifact>>>;

/// What a binding came to.
enum Bound {
    Value(Arc<Value>),
    /// Null where null is allowed: the component's default applies.
    LeftOut,
}

impl RunState {
    /// Inputs of a task of a DAG; of a loop, those before fan-out.
    pub(crate) fn resolve_task(&self, id: NodeId) -> Result<Scope, Unresolved> {
        let missing = || Unresolved::from(format!("node {} is not a task of a DAG", id.0));
        let task = self.task(id).ok_or_else(missing)?;
        let dag = self.parent(id).ok_or_else(missing)?;
        let outer = self.scope(dag);
        let resolver = Resolver { state: self, id, dag, outer: &outer, task };
        let parameters = resolver.parameters()?;
        let artifacts = resolver.artifacts()?;
        Ok(Scope { parameters, artifacts, base: None })
    }
}

struct Resolver<'a> {
    state: &'a RunState,
    id: NodeId,
    dag: NodeId,
    outer: &'a Scope,
    task: &'a Task,
}

impl Resolver<'_> {
    fn parameters(&self) -> Result<Parameters, Unresolved> {
        let mut values = Parameters::new();
        let mut templates = Vec::new();
        let mut left_out = Vec::new();
        for binding in &self.task.parameters {
            if let Source::Template(template) = &binding.source {
                templates.push((binding, template));
                continue;
            }
            match self.bound(binding)? {
                Bound::Value(value) => drop(values.insert(Arc::clone(&binding.name), value)),
                Bound::LeftOut => left_out.push((&binding.name, binding.declared.as_ref())),
            }
        }
        let mut substituted = Vec::with_capacity(templates.len());
        for (binding, template) in templates {
            let value = Arc::new(self.substitute(template, &values));
            let value = select(binding, value)?;
            match fit(binding, value)? {
                Bound::Value(value) => substituted.push((Arc::clone(&binding.name), value)),
                Bound::LeftOut => left_out.push((&binding.name, binding.declared.as_ref())),
            }
        }
        values.extend(substituted);
        self.fill(&mut values, &left_out)?;
        Ok(values)
    }

    /// Defaults and nulls of a DAG's inputs. A container's are left to its plan: what was not provided must stay
    /// visible as such.
    fn fill(&self, values: &mut Parameters, left_out: &[(&Arc<str>, Option<&Declared>)]) -> Result<(), Unresolved> {
        let is_dag = self.state.pipeline.component(self.task.component).dag().is_some();
        for (name, declared) in &self.task.unmentioned {
            let given_by_backend = declared.parameter_type == ParameterType::TaskConfig;
            if !declared.optional && !given_by_backend {
                let message = format!("neither value nor default value provided for non-optional parameter {name:?}");
                return Err(message.into());
            }
            if is_dag {
                values.insert(Arc::clone(name), default_of(Some(declared)));
            }
        }
        for (name, declared) in left_out {
            if is_dag {
                values.insert(Arc::clone(name), default_of(*declared));
            }
        }
        if !is_dag {
            // A parameter that the component does not declare may be null; the executor has no use for it.
            values.retain(|_, value| !value.is_null());
        }
        Ok(())
    }

    fn bound(&self, binding: &ParameterBinding) -> Result<Bound, Unresolved> {
        let declared = binding.declared.as_ref();
        let value = match &binding.source {
            Source::ComponentInput(name) => {
                let value = self
                    .outer
                    .parameter(name)
                    .ok_or_else(|| format!("parent DAG does not have input parameter {name}"))?;
                if value.is_null() {
                    return match declared {
                        Some(declared) if !declared.optional => {
                            Err(format!("the resolved input parameter is null: {name}").into())
                        }
                        Some(_) => Ok(Bound::LeftOut),
                        None => Ok(Bound::Value(Arc::clone(value))),
                    };
                }
                Arc::clone(value)
            }
            Source::TaskOutput { task, output } => match self.output_parameter(*task, output) {
                Some(value) => value,
                None => return self.without_output(binding, *task, output),
            },
            Source::Literal(value) => Arc::clone(value),
            Source::Template(_) => return Ok(Bound::LeftOut),
            Source::FinalStatus { task } => {
                let producer = self.state.child(self.dag, *task);
                Arc::new(producer.map_or(Value::Null, |producer| self.state.final_status(producer)))
            }
            Source::Broken(reason) => return Err(format!("input parameter {:?}: {reason}", binding.name).into()),
        };
        let value = select(binding, value)?;
        match (&binding.source, declared) {
            (Source::ComponentInput(name), Some(declared)) if is_untyped_channel(name) => {
                fit(binding, undo_text(declared.parameter_type, value))
            }
            _ => fit(binding, value),
        }
    }

    fn output_parameter(&self, task: u32, output: &str) -> Option<Arc<Value>> {
        let producer = self.state.child(self.dag, task)?;
        self.state.outputs_of(producer).parameters.get(output).filter(|it| !it.is_null()).cloned().map(Arc::new)
    }

    fn without_output(&self, binding: &ParameterBinding, task: u32, output: &str) -> Result<Bound, Unresolved> {
        match &binding.declared {
            Some(declared) if declared.optional => Ok(Bound::LeftOut),
            None => Ok(Bound::Value(Arc::new(Value::Null))),
            Some(_) if !self.gave_null(task, output) && self.skips_without(task) => Err(Unresolved::Skip { task }),
            Some(_) => {
                let (name, producer) = (&binding.name, self.sibling_key(task));
                let reason = match self.gave_null(task, output) {
                    true => format!("output parameter {output:?} of task {producer:?} is null"),
                    false => format!("task {producer:?} has no output parameter {output:?}"),
                };
                Err(format!("got null for input parameter {name:?}: {reason}").into())
            }
        }
    }

    fn gave_null(&self, task: u32, output: &str) -> bool {
        let producer = self.state.child(self.dag, task);
        producer.is_some_and(|it| self.state.outputs_of(it).parameters.contains_key(output))
    }

    /// Whether a missing output of a sibling means that this task does not run.
    fn skips_without(&self, task: u32) -> bool {
        let producer = self.state.child(self.dag, task).and_then(|producer| self.state.get(producer));
        let is_group = producer.is_some_and(|node| !matches!(node.kind, NodeKind::Container | NodeKind::Importer));
        is_group && self.task.strategy == TriggerStrategy::AllSucceeded
    }

    fn sibling_key(&self, task: u32) -> &str {
        let dag = self.state.component(self.dag).and_then(|component| component.dag());
        dag.and_then(|dag| dag.tasks.get(task as usize)).map_or("", |task| &task.key)
    }

    fn artifacts(&self) -> Result<Artifacts, Unresolved> {
        let is_dag = self.state.pipeline.component(self.task.component).dag().is_some();
        let mut artifacts = Artifacts::new();
        for binding in &self.task.artifacts {
            if !binding.declared && !is_dag {
                // The Python executor takes every artifact for a declared one.
                continue;
            }
            let name = &binding.name;
            let found = match &binding.source {
                ArtifactSource::ComponentInput(input) => match self.outer.artifact(input) {
                    Some(list) => Some(Arc::clone(list)),
                    None if binding.optional => None,
                    None => return Err(format!("parent DAG does not have input artifact {input}").into()),
                },
                ArtifactSource::TaskOutput { task, output } => {
                    let producer = self.state.child(self.dag, *task);
                    let list = producer.and_then(|it| self.state.outputs_of(it).artifacts.get(output));
                    match list {
                        Some(list) => Some(Arc::new(list.clone())),
                        None if binding.optional => None,
                        None if self.skips_without(*task) => return Err(Unresolved::Skip { task: *task }),
                        None => {
                            let producer = self.sibling_key(*task);
                            return Err(format!(
                                "input artifact {name:?}: task {producer:?} has no output artifact {output:?}"
                            )
                            .into());
                        }
                    }
                }
                ArtifactSource::Broken(reason) => return Err(format!("input artifact {name:?}: {reason}").into()),
            };
            if let Some(list) = found {
                artifacts.insert(Arc::clone(name), list);
            }
        }
        match self.task.unmentioned_artifacts.first() {
            Some(name) => Err(format!("no artifact is given for the non-optional input artifact {name:?}").into()),
            None => Ok(artifacts),
        }
    }

    fn substitute(&self, template: &Value, values: &Parameters) -> Value {
        constants::substitute(template, &|placeholder| {
            if let penstock_spec::placeholder::Placeholder::InputParameter(name) = placeholder {
                return self.own_input(name, values);
            }
            self.state.run_placeholder(self.id, placeholder).map(|text| Arc::new(Value::String(text)))
        })
    }

    /// Another input of the same task, as a placeholder sees it.
    fn own_input(&self, name: &str, values: &Parameters) -> Option<Arc<Value>> {
        if let Some(value) = values.get(name) {
            return Some(Arc::clone(value));
        }
        let bound = self.task.parameters.iter().find(|binding| &*binding.name == name);
        if let Some(binding) = bound {
            // Constants with placeholders do not refer to each other: what they hold is never read again.
            let is_template = matches!(binding.source, Source::Template(_));
            return (!is_template).then(|| default_of(binding.declared.as_ref()));
        }
        let unmentioned = self.task.unmentioned.iter().find(|(other, _)| &**other == name);
        unmentioned.map(|(_, declared)| default_of(Some(declared)))
    }
}

fn default_of(declared: Option<&Declared>) -> Arc<Value> {
    declared.and_then(|it| it.default.clone()).unwrap_or_default()
}

fn select(binding: &ParameterBinding, value: Arc<Value>) -> Result<Arc<Value>, Unresolved> {
    let selected = match &binding.selector {
        None => return Ok(value),
        Some(Ok(selector)) => selector.evaluate(&value).map_err(|error| error.to_string()),
        Some(Err(reason)) => Err(reason.clone()),
    };
    match selected {
        Ok(value) => Ok(Arc::new(value)),
        Err(reason) => Err(format!("parameterExpressionSelector of input {:?}: {reason}", binding.name).into()),
    }
}

/// Whether the SDK made up an input for the item of a loop or a member of it. It declares those as `STRING` when it
/// does not know their type, so a number, list or struct travels as text.
fn is_untyped_channel(name: &str) -> bool {
    name.ends_with("-loop-item") || name.contains("-subvar-") || name.contains("--loop-item-param-")
}

/// What the text of an untyped channel was before, if a consumer of another type gets it.
fn undo_text(declared: ParameterType, value: Arc<Value>) -> Arc<Value> {
    let Value::String(text) = &*value else { return value };
    if matches!(declared, ParameterType::String | ParameterType::Unspecified) {
        return value;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(original) if types::check_input("", declared, original.clone()).is_ok() => Arc::new(original),
        _ => value,
    }
}

fn fit(binding: &ParameterBinding, value: Arc<Value>) -> Result<Bound, Unresolved> {
    let Some(declared) = &binding.declared else { return Ok(Bound::Value(value)) };
    if value.is_null() {
        if declared.optional {
            return Ok(Bound::LeftOut);
        }
        if binding.selector.is_none() {
            return Err(format!("got null for input parameter {:?}", binding.name).into());
        }
    }
    Ok(Bound::Value(fit_value(&binding.name, declared.parameter_type, &declared.literals, &value)?))
}

/// Fits a value to a declared type and its literals; copies it only where the type converts.
pub(crate) fn fit_value(
    name: &str,
    declared: ParameterType,
    literals: &[Value],
    value: &Arc<Value>,
) -> Result<Arc<Value>, String> {
    let as_is = match declared {
        ParameterType::String => value.is_string(),
        ParameterType::NumberDouble => value.is_f64(),
        ParameterType::NumberInteger => value.is_i64(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::List => value.is_array(),
        ParameterType::Struct | ParameterType::TaskFinalStatus | ParameterType::TaskConfig => value.is_object(),
        ParameterType::Unspecified => true,
    };
    let fitted = match as_is {
        true => Ok(Arc::clone(value)),
        false => types::check_input(name, declared, (**value).clone()).map(Arc::new),
    };
    let checked = fitted.and_then(|value| types::check_literals(name, literals, &value).map(|()| value));
    checked.map_err(|error| error.to_string())
}
