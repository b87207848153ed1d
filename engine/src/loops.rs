//! What a loop goes over.
//!
//! Items come from the text of the specification, from an input that holds a list or the text of one, or from a list
//! of artifacts. Each is fitted to the declared type of the input that receives it, before anything starts: an item
//! that does not fit fails the loop, not a single iteration.

use std::sync::Arc;

use penstock_spec::limits::Limits;
use penstock_spec::report::Failure;
use penstock_spec::value::{canonicalize, kind};
use serde_json::Value;

use crate::fact::NodeId;
use crate::node::LoopItems;
use crate::pipeline::{Items, Scope};
use crate::resolve::{fit_value, input_failure};
use crate::state::RunState;

impl RunState {
    /// The items of a loop whose inputs are given.
    pub(crate) fn fan_out(&self, id: NodeId, inputs: &Scope) -> Result<LoopItems, Failure> {
        let iterator = self.task(id).and_then(|task| task.iterator.as_ref());
        let iterator = iterator.ok_or_else(|| input_failure("the task has no iterator"))?;
        let found = match &iterator.items {
            Items::Static(items) => LoopItems::Parameters(items.clone().map_err(input_failure)?),
            Items::Parameter(name) => {
                let value = inputs.parameter(name);
                let value = value.ok_or_else(|| input_failure(format!("the loop has no input parameter {name:?}")))?;
                LoopItems::Parameters(items_of(value).map_err(input_failure)?)
            }
            Items::Artifact(name) => {
                let list = inputs.artifact(name);
                let list = list.ok_or_else(|| input_failure(format!("the loop has no input artifact {name:?}")))?;
                LoopItems::Artifacts(Arc::clone(list))
            }
        };
        let limit = Limits::default().loop_items;
        if found.len() > limit {
            let message = format!("the loop has {} items, more than the {limit} that one loop may have", found.len());
            return Err(input_failure(message));
        }
        self.fit_items(id, &iterator.item_input, found)
    }

    fn fit_items(&self, id: NodeId, input: &str, items: LoopItems) -> Result<LoopItems, Failure> {
        let LoopItems::Parameters(values) = items else { return Ok(items) };
        let declared = self.component(id).and_then(|component| component.inputs.parameters.get(input));
        let Some(declared) = declared else { return Ok(LoopItems::Parameters(values)) };
        let optional = declared.is_optional || declared.default_value.is_some();
        let fitted = (0_usize..).zip(values).map(|(index, item)| {
            if item.is_null() && optional {
                return Ok(item);
            }
            fit_value(input, declared.parameter_type, &declared.literals, &item)
                .map_err(|reason| input_failure(format!("item {index} of the loop: {reason}")))
        });
        fitted.collect::<Result<_, _>>().map(LoopItems::Parameters)
    }
}

fn items_of(value: &Arc<Value>) -> Result<Vec<Arc<Value>>, String> {
    let not_a_list = |value: &Value| format!("value of type {} cannot be iterated", kind(value));
    match &**value {
        Value::Array(items) => Ok(items.iter().cloned().map(Arc::new).collect()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(mut parsed @ Value::Array(_)) => {
                canonicalize(&mut parsed);
                match parsed {
                    Value::Array(items) => Ok(items.into_iter().map(Arc::new).collect()),
                    other => Err(not_a_list(&other)),
                }
            }
            Ok(_) | Err(_) => Err(format!("{}: the text is not a JSON array", not_a_list(value))),
        },
        other => Err(not_a_list(other)),
    }
}
