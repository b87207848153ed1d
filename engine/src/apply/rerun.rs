//! A run that goes on after it failed or was cancelled.
//!
//! What succeeded stays, and so does what was skipped without a failure; everything else starts anew. There is one
//! exception: a task that depends on one which starts anew cannot keep its result, since its inputs may change. Only
//! tasks that run whatever their dependencies did (exit tasks, `ignore_upstream_failure`) and their dependants can be
//! in that place.
//!
//! A group that failed is reopened where it stands if its inputs are the same, else started from the beginning.
//! Iterations of a reopened loop are reopened one by one, in index order and within the parallelism limit.
//!
//! Tasks that are named start anew although they may have succeeded. The groups around them are reopened for that, so
//! that what depends on one of these groups starts anew as well. What was wanted of a node stays wanted until it has
//! come to it: of an iteration that waits for its turn when the run fails again, the next round still knows.

use std::num::NonZeroU32;

use penstock_spec::Timestamp;
use penstock_spec::run::{RunStatus, TaskStatus};

use super::Applied;
use crate::fact::{NodeId, SkipReason};
use crate::node::{GroupState, Node, Phase, Wanted};
use crate::pipeline::Dag;
use crate::state::RunState;

impl RunState {
    /// Why a run cannot go on now; nothing if it can. With tasks that are to start anew, one that succeeded can, too.
    pub fn retry_refusal(&self, from: &[NodeId], now: Timestamp) -> Option<String> {
        let Some(run) = self.run.as_ref().filter(|run| run.status.is_final()) else {
            return Some("the run has not ended".to_owned());
        };
        if self.group(NodeId::ROOT).is_none() {
            return Some("the run never began: its parameters were refused, and would be again".to_owned());
        }
        if run.status == RunStatus::Succeeded && from.is_empty() {
            return Some("the run succeeded: there is nothing to retry".to_owned());
        }
        if run.status == RunStatus::Succeeded && run.info.workspace.is_some() {
            return Some("the run succeeded, and its workspace is gone: submit it again".to_owned());
        }
        if let Some(seconds) = self.workspace_kept_for(now) {
            return Some(format!(
                "the run's workspace was kept for the {seconds} s after its end that its pipeline asks for \
                 (ttl_seconds_after_finished and the like), and is gone: submit it again"
            ));
        }
        from.iter().find_map(|id| self.cannot_start_anew(*id))
    }

    /// For how many seconds the workspace of a run that ended was kept, if that time is over. On one machine it stays.
    fn workspace_kept_for(&self, now: Timestamp) -> Option<u32> {
        let run = self.run.as_ref().filter(|run| run.info.workspace.is_some() && !run.info.namespace.is_empty())?;
        let retention = self.pipeline.retention();
        let is_over = now >= retention.until(run.status, run.ended_at?)?;
        retention.seconds(run.status).filter(|_| is_over).map(NonZeroU32::get)
    }

    /// Why a task of a run that ended cannot start anew.
    fn cannot_start_anew(&self, id: NodeId) -> Option<String> {
        let Some(node) = self.get(id) else { return Some(format!("the run has no task of number {}", id.0)) };
        let path = self.path(id);
        if id == NodeId::ROOT {
            return Some("the whole run cannot start anew: submit it again".to_owned());
        }
        if let Some(reason) = node.skip_reason() {
            let reason = match reason {
                SkipReason::Condition { condition } => format!("its condition is false: {condition}"),
                SkipReason::Upstream { task } => format!("{task} did not run"),
                SkipReason::UpstreamFailed { task } => format!("{task} failed"),
            };
            return Some(format!("task {path:?} did not run ({reason}): retry from a task that it depends on"));
        }
        let is_beyond = |id: NodeId| {
            let node = self.get(id)?;
            match &self.group(node.parent).filter(|_| node.iteration)?.state {
                GroupState::Loop { count, .. } => Some(node.slot >= *count),
                GroupState::Dag { .. } => None,
            }
        };
        let mut around = Some(id);
        while let Some(at) = around {
            let is_void = at != id && self.get(at).is_none_or(|node| node.stale);
            if is_void || is_beyond(at) == Some(true) {
                return Some(format!(
                    "task {path:?} is of an earlier round of the run, and what was around it is void"
                ));
            }
            around = self.parent(at);
        }
        None
    }

    /// Remembers that a task is to start anew, and that what is around it is to be taken up.
    fn want_anew(&mut self, id: NodeId) {
        if let Some(node) = self.get_mut(id) {
            node.wanted = Wanted::Anew;
            node.uncached = true;
        }
        let mut around = self.parent(id);
        while let Some(id) = around {
            if let Some(node) = self.get_mut(id).filter(|node| node.wanted == Wanted::Nothing) {
                node.wanted = Wanted::Reopened;
            }
            around = self.parent(id);
        }
    }

    /// Whether the result of a task is to be a new one: of its own accord, or because all of a group around it is.
    pub(crate) fn is_uncached(&self, id: NodeId) -> bool {
        let mut around = Some(id);
        while let Some(id) = around {
            if self.get(id).is_some_and(|node| node.uncached) {
                return true;
            }
            around = self.parent(id);
        }
        false
    }

    pub(super) fn rerun(&mut self, from: &[NodeId], at: Timestamp) -> Applied {
        if let Some(reason) = from.iter().find_map(|id| self.cannot_start_anew(*id)) {
            return Err(reason);
        }
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
        from.iter().for_each(|id| self.want_anew(*id));
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
            node.wanted = Wanted::Nothing;
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
            if anew == 0 && node.wanted == Wanted::Nothing && keeps_result(node) {
                if let Some(stays) = stays.get_mut(*slot as usize) {
                    *stays = true;
                }
                continue;
            }
            active = active.saturating_add(1);
            let is_open =
                node.wanted == Wanted::Reopened || matches!(node.status, TaskStatus::Failed | TaskStatus::Canceled);
            if anew == 0 && is_open && node.can_be_reopened() {
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
