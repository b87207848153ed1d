//! Outputs of groups, gathered once when the group ends and stored with it.
//!
//! A DAG hands on outputs of its tasks. What a task that did not run would have made is left out; of a `OneOf` the
//! first candidate that ran counts, and it is a failure if none did. A loop collects: parameters into one list for each
//! loop, artifacts into one flat list over all loops, both by index. Iterations without the output contribute nothing.

use penstock_spec::report::{Failure, FailureCause, TaskOutputs};
use penstock_spec::run::TaskStatus;
use serde_json::Value;

use crate::fact::NodeId;
use crate::node::GroupState;
use crate::pipeline::{Dag, OutputRule};
use crate::state::RunState;

impl RunState {
    /// Outputs of a group of which everything ended well.
    pub(crate) fn gather_outputs(&self, id: NodeId) -> Result<TaskOutputs, Failure> {
        let Some(dag) = self.component(id).and_then(|component| component.dag()) else {
            // A loop directly over a component that runs something.
            return Ok(self.collect(id));
        };
        if self.is_loop(id) { Ok(self.collect(id)) } else { self.dag_outputs(id, dag) }
    }

    fn dag_outputs(&self, id: NodeId, dag: &Dag) -> Result<TaskOutputs, Failure> {
        let mut outputs = TaskOutputs::default();
        for rule in &dag.output_parameters {
            let Some((from, output)) = self.candidate(id, dag, rule)? else { continue };
            if let Some(value) = self.outputs_of(from).parameters.get(output) {
                outputs.parameters.insert(rule.name.clone(), value.clone());
            }
        }
        for rule in &dag.output_artifacts {
            let Some((from, output)) = self.candidate(id, dag, rule)? else { continue };
            if let Some(list) = self.outputs_of(from).artifacts.get(output) {
                outputs.artifacts.insert(rule.name.clone(), list.clone());
            }
        }
        Ok(outputs)
    }

    /// The task that an output is taken from.
    fn candidate<'a>(&self, id: NodeId, dag: &Dag, rule: &'a OutputRule) -> Result<Option<(NodeId, &'a str)>, Failure> {
        let ran = rule.candidates.iter().find_map(|(task, output)| {
            let from = self.child(id, *task)?;
            (self.get(from)?.status == TaskStatus::Succeeded).then_some((from, output.as_str()))
        });
        if ran.is_some() || !rule.one_of {
            return Ok(ran);
        }
        let keys = rule.candidates.iter().filter_map(|(task, _)| dag.tasks.get(*task as usize));
        let keys: Vec<&str> = keys.map(|task| task.key.as_str()).collect();
        let message = format!(
            "output {:?} is taken from the first of these tasks that ran, and none did: {}",
            rule.name,
            keys.join(", ")
        );
        Err(Failure { cause: FailureCause::Output, message })
    }

    fn collect(&self, id: NodeId) -> TaskOutputs {
        let mut outputs = TaskOutputs::default();
        let Some(component) = self.component(id) else { return outputs };
        let Some(GroupState::Loop { count, iterations, .. }) = self.group(id).map(|group| &group.state) else {
            return outputs;
        };
        let iterations = || iterations.iter().take(*count as usize).map(|iteration| self.outputs_of(*iteration));
        for name in component.outputs.parameters.keys() {
            let values: Vec<Value> = iterations().filter_map(|it| it.parameters.get(name).cloned()).collect();
            outputs.parameters.insert(name.clone(), Value::Array(values));
        }
        for name in component.outputs.artifacts.keys() {
            let lists = iterations().filter_map(|it| it.artifacts.get(name));
            outputs.artifacts.insert(name.clone(), lists.flatten().cloned().collect());
        }
        outputs
    }
}
