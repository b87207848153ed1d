//! Whether a task whose dependencies have all ended starts.
//!
//! - It is decided once all dependencies ended, also when an earlier one has settled it already: so the reason does not
//!   depend on which event came first.
//! - A failed task stops only those that depend on it; independent siblings go on.
//! - `ALL_UPSTREAM_TASKS_COMPLETED` (exit tasks, `ignore_upstream_failure`) starts whatever its dependencies did, also
//!   when they did not run. It does not hide a failure: the DAG fails nevertheless.
//! - The strategy comes first, then inputs, then the condition.

use penstock_spec::ir::TriggerStrategy;
use penstock_spec::report::Failure;
use penstock_spec::run::TaskStatus;

use crate::fact::{NodeId, SkipReason};
use crate::pipeline::{Scope, Task};
use crate::resolve::input_failure;
use crate::resolve::scopes::executor_inputs;
use crate::state::RunState;

impl RunState {
    /// Why the strategy of a task does not hold; nothing if it does.
    pub(crate) fn unmet_strategy(&self, dag: NodeId, task: &Task) -> Option<SkipReason> {
        if task.strategy == TriggerStrategy::AllCompleted {
            return None;
        }
        let mut skipped = None;
        for dependency in &task.dependencies {
            let Some(id) = self.child(dag, *dependency) else { continue };
            match self.get(id).map(|node| node.status) {
                Some(TaskStatus::Failed | TaskStatus::Canceled) => {
                    return Some(SkipReason::UpstreamFailed { task: self.key_of(id) });
                }
                Some(TaskStatus::Skipped) => match self.skip_because(id) {
                    failed @ SkipReason::UpstreamFailed { .. } => return Some(failed),
                    other => drop(skipped.get_or_insert(other)),
                },
                _ => {}
            }
        }
        skipped
    }

    /// The reason of a task that depends on a task which was skipped: the one where it began.
    pub(crate) fn skip_because(&self, id: NodeId) -> SkipReason {
        match self.get(id).and_then(|node| node.skip_reason()) {
            Some(reason @ (SkipReason::Upstream { .. } | SkipReason::UpstreamFailed { .. })) => reason.clone(),
            Some(SkipReason::Condition { .. }) | None => SkipReason::Upstream { task: self.key_of(id) },
        }
    }

    fn key_of(&self, id: NodeId) -> String {
        self.task(id).map(|task| task.key.clone()).unwrap_or_default()
    }

    /// Whether the condition of a task holds. A condition that cannot be evaluated is a failure, not false.
    pub(crate) fn condition_holds(&self, task: &Task, inputs: &Scope) -> Result<bool, Failure> {
        let Some(condition) = &task.condition else { return Ok(true) };
        let result = match &condition.parsed {
            Ok(parsed) => parsed.evaluate(&executor_inputs(inputs)).map_err(|error| error.to_string()),
            Err(reason) => Err(reason.clone()),
        };
        result.map_err(|reason| input_failure(format!("condition of the task: {reason}")))
    }
}
