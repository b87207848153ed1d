//! Compares how a run ended with what it should have come to.
//!
//! A run that was stopped may have cancelled anything, but what ended by itself ended as it should. Of a loop with a
//! limit and a failed iteration, the order of events decides how many iterations started; which ones, and how they
//! end, it does not decide.

use std::collections::BTreeMap;
use std::rc::Rc;

use penstock_engine::{NodeId, NodeView, RunState, SkipReason};
use penstock_spec::run::{RunStatus, TaskStatus};

use crate::expected::{End, Expected, Group, Inputs, Outputs};
use crate::observer::Observer;
use crate::world::{comparable, uris};

struct Comparison<'a> {
    state: &'a RunState,
    observer: &'a Observer<'a>,
    paths: BTreeMap<&'a str, NodeId>,
}

type Compared = Result<(), String>;

/// A run that ended, with what its latest round should have come to.
pub(crate) fn compare(state: &RunState, observer: &Observer<'_>, expected: &Expected) -> Compared {
    agree(state, observer)?;
    let comparison = Comparison { state, observer, paths: observer.paths() };
    let status = match (observer.stopping, observer.canceled, expected.end) {
        (true, true, _) => RunStatus::Canceled,
        (true, false, _) => RunStatus::Failed,
        (false, _, End::Succeeded) => RunStatus::Succeeded,
        (false, ..) => RunStatus::Failed,
    };
    equal("", "status of the run", &state.status(), &status)?;
    let outputs = state.outputs().map(Outputs::from).unwrap_or_default();
    let wanted = if status == RunStatus::Succeeded { expected.outputs.clone() } else { Outputs::default() };
    equal("", "outputs of the run", &outputs, &wanted)?;
    comparison.node(expected)
}

/// The state that the engine shows is the one that the facts tell.
fn agree(state: &RunState, observer: &Observer<'_>) -> Compared {
    equal("", "number of nodes", &state.node_count(), &observer.nodes.len())?;
    for (view, seen) in state.nodes().zip(&observer.nodes) {
        let path = &seen.path;
        equal(path, "path", &view.path(), path)?;
        let hidden = view.status == TaskStatus::Skipped && view.skip_reason().is_none();
        if view.parent.is_some() && !hidden && seen.status.is_final() {
            equal(path, "status by its facts", &view.status, &seen.status)?;
        }
        equal(path, "number of attempts by its facts", &view.attempt.map_or(0, |it| it + 1), &seen.attempts)?;
    }
    Ok(())
}

fn equal<T: PartialEq + std::fmt::Debug>(path: &str, what: &str, found: &T, expected: &T) -> Compared {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} of {path:?} is {found:?}, but should be {expected:?}"))
}

/// Inputs of a task as an executor gets them.
pub(crate) fn inputs_of(
    inputs: &penstock_spec::plan::PlanInputs,
    defaults: &serde_json::Map<String, serde_json::Value>,
) -> Inputs {
    Inputs {
        parameters: comparable(&inputs.parameters),
        defaults: defaults.clone(),
        artifacts: uris(&inputs.artifacts),
    }
}

impl<'a> Comparison<'a> {
    fn view(&self, path: &str) -> Result<(NodeView<'a>, NodeId), String> {
        let id = *self.paths.get(path).ok_or_else(|| format!("there is no node {path:?}"))?;
        Ok((self.state.node(id).ok_or_else(|| format!("there is no node {}", id.0))?, id))
    }

    fn node(&self, expected: &Expected) -> Compared {
        let path = &expected.path;
        let (view, id) = self.view(path)?;
        if self.observer.stopping && view.status == TaskStatus::Canceled {
            let begun = self.observer.node(id)?.round == Some(self.observer.round);
            return if begun { self.below(expected, true) } else { Ok(()) };
        }
        let end = match (view.status, view.skip_reason()) {
            (TaskStatus::Succeeded, _) => End::Succeeded,
            (TaskStatus::Failed, _) => End::Failed,
            (TaskStatus::Skipped, Some(SkipReason::Condition { .. })) => End::NotTriggered,
            (TaskStatus::Skipped, Some(SkipReason::Upstream { .. })) => End::Unschedulable { failed: false },
            (TaskStatus::Skipped, Some(SkipReason::UpstreamFailed { .. })) => End::Unschedulable { failed: true },
            (other, _) => return Err(format!("{path:?} is left as {other:?}")),
        };
        equal(path, "end", &end, &expected.end)?;
        equal(path, "outputs", &Outputs::from(view.outputs()), &expected.outputs)?;
        equal(path, "failure", &view.failure().is_some(), &(end == End::Failed))?;
        if expected.kept {
            return Ok(());
        }
        let seen = self.observer.node(id)?;
        if let Some(inputs) = &expected.inputs {
            equal(path, "number of attempts that count", &(seen.attempts - seen.interrupted), &expected.attempts)?;
            equal(path, "use of the cache", &view.cached_from().is_some(), &expected.cached)?;
            let plan = self.state.plan(id).ok_or_else(|| format!("{path:?} has no plan"))?;
            equal(path, "inputs", &inputs_of(&view.inputs(), &plan.defaults), inputs)?;
        }
        self.below(expected, false)
    }

    /// Nodes within; when the group was cancelled, those that there are.
    fn below(&self, expected: &Expected, canceled: bool) -> Compared {
        let round = self.observer.round;
        match &expected.group {
            None if round == 0 => {
                let (_, id) = self.view(&expected.path)?;
                equal(&expected.path, "nodes within", &self.state.children(id).len(), &0)
            }
            None => Ok(()),
            Some(Group::Dag(tasks)) => {
                if canceled && self.state.children(self.view(&expected.path)?.1).is_empty() {
                    return Ok(());
                }
                tasks.iter().try_for_each(|task| self.node(task))
            }
            Some(Group::Loop { limit, iterations }) => self.iterations(expected, *limit, iterations, canceled),
        }
    }

    fn iterations(
        &self,
        expected: &Expected,
        limit: Option<usize>,
        iterations: &[Rc<Expected>],
        canceled: bool,
    ) -> Compared {
        let path = &expected.path;
        let (view, _) = self.view(path)?;
        if canceled && view.items.is_none() {
            return Ok(());
        }
        equal(path, "number of items", &view.items, &u32::try_from(iterations.len()).ok())?;
        let to_do: Vec<&Rc<Expected>> = iterations.iter().filter(|it| !it.kept).collect();
        let started = |it: &&&Rc<Expected>| {
            let id = self.paths.get(it.path.as_str());
            id.is_some_and(|id| self.observer.node(*id).is_ok_and(|it| it.round == Some(self.observer.round)))
        };
        let count = to_do.iter().filter(started).count();
        if to_do.iter().take(count).filter(started).count() < count {
            return Err(format!("iterations of {path:?} did not start in order"));
        }
        for iteration in iterations.iter().filter(|it| it.kept).chain(to_do.iter().copied().take(count)) {
            self.node(iteration)?;
        }
        let fails = |it: &&&Rc<Expected>| it.end == End::Failed;
        let failed = to_do.iter().take(count).filter(fails).count();
        if !self.observer.stopping {
            let at_once = limit.map_or(to_do.len(), |limit| limit.min(to_do.len()));
            if count < at_once || (failed == 0 && count < to_do.len()) {
                return Err(format!("only {count} iterations of {path:?} started"));
            }
        }
        // Whatever starts does so while none has failed: those that fail were all at work then.
        let before = to_do.iter().take(count.saturating_sub(1)).filter(fails).count();
        if limit.is_some_and(|limit| before >= limit) {
            return Err(format!("an iteration of {path:?} started after another had failed"));
        }
        Ok(())
    }
}
