//! A run that goes on after it failed or was cancelled.
//!
//! What succeeded stays, and so does what was skipped without a failure; everything else starts anew. There is one
//! exception: a task that depends on one which starts anew cannot keep its result, since its inputs may change. Only
//! tasks that run whatever their dependencies did (exit tasks, `ignore_upstream_failure`) and their dependants can be
//! in that place.
//!
//! A group that failed is reopened where it stands if its inputs are the same, else started from the beginning.
//! Iterations of a reopened loop are reopened one by one, in index order and within the parallelism limit.

use penstock_spec::Timestamp;
use penstock_spec::run::{RunStatus, TaskStatus};

use super::Applied;
use crate::fact::{NodeId, SkipReason};
use crate::node::{GroupState, Node, Phase};
use crate::pipeline::Dag;
use crate::state::RunState;

impl RunState {
    pub(super) fn rerun(&mut self, at: Timestamp) -> Applied {
        let run = self.run_mut()?;
        if !run.status.is_final() {
            return Err("a run goes on only after it ended".to_owned());
        }
        run.status = RunStatus::Running;
        run.stopping = None;
        run.outputs = None;
        run.failure = None;
        run.ended_at = None;
        run.retried = true;
        self.set_deadline(at)?;
        self.reopen(NodeId::ROOT)
    }

    /// Takes up a DAG that started before, and all groups below it that did.
    pub(super) fn reopen(&mut self, id: NodeId) -> Applied {
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let Some(node) = self.get_mut(id) else { return Err(format!("there is no node {}", id.0)) };
            node.status = TaskStatus::Running;
            node.phase = Phase::Within;
            node.ended_at = None;
            node.end = None;
            node.outputs = None;
            let component = node.component;
            let Some(group) = &mut node.group else { return Err(format!("node {} never started", id.0)) };
            group.clear_counts();
            match &mut group.state {
                GroupState::Loop { next, .. } => *next = 0,
                GroupState::Dag { first_child } => {
                    let first_child = *first_child;
                    let Some(dag) = pipeline.component(component).dag() else { continue };
                    let active = self.reopen_tasks(dag, first_child, &mut pending);
                    if let Some(group) = self.group_mut(id) {
                        group.active = active;
                    }
                }
            }
        }
        Ok(())
    }

    /// Decides for each task of a DAG whether it stays; returns how many do not.
    fn reopen_tasks(&mut self, dag: &Dag, first_child: NodeId, pending: &mut Vec<NodeId>) -> u32 {
        let mut stays = vec![false; dag.tasks.len()];
        let mut active: u32 = 0;
        for slot in &dag.order {
            let child = NodeId(first_child.0.saturating_add(*slot));
            let Some(task) = dag.tasks.get(*slot as usize) else { continue };
            let anew = task.dependencies.iter().filter(|on| stays.get(**on as usize) == Some(&false)).count();
            let anew = u32::try_from(anew).unwrap_or(u32::MAX);
            let Some(node) = self.get_mut(child) else { continue };
            if anew == 0 && keeps_result(node) {
                if let Some(stays) = stays.get_mut(*slot as usize) {
                    *stays = true;
                }
                continue;
            }
            active = active.saturating_add(1);
            let began = node.group.is_some() && !node.stale;
            if anew == 0 && began && matches!(node.status, TaskStatus::Failed | TaskStatus::Canceled) {
                node.waiting = 0;
                pending.push(child);
            } else {
                node.reset(anew);
            }
        }
        active
    }
}

fn keeps_result(node: &Node) -> bool {
    match node.status {
        TaskStatus::Succeeded => true,
        TaskStatus::Skipped => {
            matches!(node.skip_reason(), Some(SkipReason::Condition { .. } | SkipReason::Upstream { .. }))
        }
        _ => false,
    }
}
