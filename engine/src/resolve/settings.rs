//! Values in the platform settings of a task: they come from the same places as its inputs. What cannot be resolved is
//! kept as a reason, since only a backend that has Pods needs the value.

use std::sync::Arc;

use penstock_spec::cel::Selector;
use penstock_spec::ir::{Named, ParameterInput, ParameterSource, ParameterType};
use penstock_spec::placeholder::Placeholder;
use penstock_spec::plan::PlanValue;
use penstock_spec::value::canonicalize;
use serde_json::Value;

use super::{constants, is_untyped_channel, undo_text};
use crate::fact::NodeId;
use crate::pipeline::PodTemplate;
use crate::state::RunState;

/// How the paths of fields end that take more than a name.
const JSON_SUFFIX: &str = "Json";
/// How the paths of fields end that name a volume claim.
const CLAIM_SUFFIX: &str = "pvcNameParameter";

impl RunState {
    /// What the values in the settings of a task came to.
    pub(crate) fn setting_values(&self, id: NodeId, template: &PodTemplate) -> Named<PlanValue> {
        let values = template.parameters.iter().map(|(path, input)| {
            let value = match self.setting(id, input, path.ends_with(JSON_SUFFIX)) {
                Ok(value) => PlanValue::Value(value),
                Err(reason) => PlanValue::Missing(reason),
            };
            (path.clone(), value)
        });
        values.collect()
    }

    /// Names of the volume claims that a task mounts, in order and without repetition.
    pub(crate) fn claims_of(&self, id: NodeId, template: &PodTemplate) -> Vec<String> {
        let inputs = template.parameters.iter().filter(|(path, _)| path.ends_with(CLAIM_SUFFIX));
        let values = inputs.filter_map(|(_, input)| self.setting(id, input, false).ok());
        let mut names: Vec<String> = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn setting(&self, id: NodeId, input: &ParameterInput, is_json: bool) -> Result<Value, String> {
        let task = if self.get(id).is_some_and(|node| node.iteration) { self.parent(id) } else { Some(id) };
        let dag = task.and_then(|task| self.parent(task)).ok_or("the task is in no DAG")?;
        let value = match &input.source {
            ParameterSource::ComponentInput(name) => {
                let outer = self.scope(dag);
                let value = outer.parameter(name).cloned();
                let value = value.ok_or_else(|| format!("the enclosing DAG has no input parameter {name:?}"))?;
                if is_json && is_untyped_channel(name) {
                    undo_text(ParameterType::List, undo_text(ParameterType::Struct, value))
                } else {
                    value
                }
            }
            ParameterSource::TaskOutput { task, output } => Arc::new(self.sibling_output(dag, task, output)?),
            ParameterSource::Constant(value) => {
                let mut value = value.clone();
                canonicalize(&mut value);
                let lookup = |placeholder: &Placeholder| {
                    self.run_placeholder(id, placeholder).map(|text| Arc::new(Value::String(text)))
                };
                Arc::new(constants::substitute(&value, &lookup))
            }
            ParameterSource::RuntimeParameter(name) => {
                return Err(format!("runtimeParameter {name:?} is not supported"));
            }
            ParameterSource::FinalStatus { task } => {
                return Err(format!("the final status of task {task:?} is no value for a setting"));
            }
        };
        match &input.selector {
            None => Ok(Arc::unwrap_or_clone(value)),
            Some(text) => {
                let selected = Selector::parse(text).and_then(|selector| selector.evaluate(&value));
                selected.map_err(|error| format!("parameterExpressionSelector: {error}"))
            }
        }
    }

    fn sibling_output(&self, dag: NodeId, task: &str, output: &str) -> Result<Value, String> {
        let tasks = self.component(dag).and_then(|component| component.dag()).map(|dag| &dag.tasks);
        let position = tasks.and_then(|tasks| tasks.iter().position(|it| it.key == task));
        let position = position.ok_or_else(|| format!("unknown producer task {task:?}"))?;
        let producer = u32::try_from(position).ok().and_then(|position| self.child(dag, position));
        let value = producer.and_then(|it| self.outputs_of(it).parameters.get(output));
        value.cloned().ok_or_else(|| format!("task {task:?} has no output parameter {output:?}"))
    }
}
