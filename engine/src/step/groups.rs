//! DAGs and loops: start, go on, end.

use std::sync::Arc;

use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::run::TaskStatus;

use super::{Stepper, Work};
use crate::fact::{Fact, NodeId};
use crate::node::{Group, GroupState, Node, Phase};
use crate::pipeline::{Dag, Scope};
use crate::resolve::input_failure;
use crate::state::MAX_NODES;

/// What a loop does next.
enum Next {
    /// Starts or takes up this iteration.
    Start(u32),
    /// Nothing: it waits for iterations that run.
    Wait,
    /// Nothing: everything ended.
    End,
}

impl Stepper<'_> {
    pub(super) fn start_dag(&mut self, id: NodeId, dag: &Dag, inputs: &Arc<Scope>) {
        let known = match self.state.group(id).map(|group| &group.state) {
            Some(GroupState::Dag { first_child }) => Some(*first_child),
            _ => None,
        };
        if known.is_none() && !self.has_room(dag.tasks.len()) {
            return self.fail(id, too_many_nodes());
        }
        let new = NodeId(u32::try_from(self.state.nodes.len()).unwrap_or(u32::MAX));
        let first_child = known.unwrap_or(new);
        if !self.record(Fact::DagStarted { node: id, first_child }) {
            return;
        }
        self.keep(id, inputs, None);
        for (slot, task) in (0_u32..).zip(&dag.tasks) {
            if task.dependencies.is_empty() {
                self.queue.push_back(Work::Consider(NodeId(first_child.0.saturating_add(slot))));
            }
        }
        if dag.tasks.is_empty() {
            self.queue.push_back(Work::Settle(id));
        }
    }

    /// Starts as many iterations as there is room for.
    pub(super) fn iterate(&mut self, id: NodeId) {
        loop {
            match self.next_iteration(id) {
                Next::Start(index) => {
                    if !self.start_iteration(id, index) {
                        return;
                    }
                }
                Next::Wait => return,
                Next::End => return self.settle(id),
            }
        }
    }

    fn next_iteration(&mut self, id: NodeId) -> Next {
        let limit = self.state.task(id).and_then(|task| task.parallelism);
        let stopping = self.state.is_stopping();
        let Some(node) = self.state.get(id).filter(|node| node.phase == Phase::Within) else { return Next::Wait };
        let Some(Group { state: GroupState::Loop { count, next, iterations, .. }, active, failed, .. }) =
            node.group.as_deref()
        else {
            return Next::Wait;
        };
        // Iterations that ended well before the run went on stay.
        let stays = |index: u32| {
            let known = iterations.get(index as usize).and_then(|iteration| self.state.get(*iteration));
            known.is_some_and(Node::stays_in_loop)
        };
        let index = (*next..*count).find(|index| !stays(*index));
        let (active, no_more) = (*active, stopping || *failed > 0);
        match index {
            Some(index) if !no_more => {
                if limit.is_some_and(|limit| active >= limit) {
                    Next::Wait
                } else {
                    Next::Start(index)
                }
            }
            _ if active > 0 => Next::Wait,
            _ => Next::End,
        }
    }

    fn start_iteration(&mut self, id: NodeId, index: u32) -> bool {
        let known = match self.state.group(id).map(|group| &group.state) {
            Some(GroupState::Loop { iterations, .. }) => iterations.get(index as usize).copied(),
            _ => return false,
        };
        if known.is_none() && !self.has_room(1) {
            // It ends as failed when the iterations that run have ended.
            if self.state.group(id).is_some_and(|group| group.active == 0) {
                self.fail(id, too_many_nodes());
            }
            return false;
        }
        let new = NodeId(u32::try_from(self.state.nodes.len()).unwrap_or(u32::MAX));
        let iteration = known.unwrap_or(new);
        if !self.record(Fact::IterationStarted { node: id, index, iteration }) {
            return false;
        }
        match self.state.get(iteration).map(|node| node.phase) {
            Some(Phase::Within) => self.look_below(iteration),
            _ => self.begin(iteration),
        }
        true
    }

    /// Queues what can go on below a node that was taken up again.
    fn look_below(&mut self, id: NodeId) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let Some(node) = self.state.get(id) else { continue };
            match node.phase {
                Phase::Waiting if node.waiting == 0 => self.queue.push_back(Work::Consider(id)),
                Phase::Within if self.state.is_loop(id) => self.queue.push_back(Work::Iterate(id)),
                Phase::Within => {
                    self.queue.push_back(Work::Settle(id));
                    pending.extend(self.state.children(id).into_iter().rev());
                }
                _ => {}
            }
        }
    }

    /// Ends a group of which everything ended.
    pub(super) fn settle(&mut self, id: NodeId) {
        let Some(node) = self.state.get(id).filter(|node| node.phase == Phase::Within) else { return };
        let Some(group) = node.group.as_deref().filter(|group| group.active == 0) else { return };
        let (canceled, failed) = (group.canceled, group.failed);
        let incomplete = match &group.state {
            GroupState::Loop { .. } => self.next_iteration_index(id).is_some(),
            GroupState::Dag { .. } => false,
        };
        let stopping = self.state.is_stopping();
        if incomplete && !stopping && failed == 0 {
            return;
        }
        let fact = if canceled > 0 || (stopping && incomplete && failed == 0) {
            ended(id, TaskStatus::Canceled, TaskOutputs::default(), None)
        } else if failed > 0 {
            ended(id, TaskStatus::Failed, TaskOutputs::default(), Some(self.failure_within(id)))
        } else {
            match self.state.gather_outputs(id) {
                Ok(outputs) => ended(id, TaskStatus::Succeeded, outputs, None),
                Err(failure) => ended(id, TaskStatus::Failed, TaskOutputs::default(), Some(failure)),
            }
        };
        self.record_end(id, fact);
    }

    fn next_iteration_index(&self, id: NodeId) -> Option<u32> {
        let GroupState::Loop { count, next, iterations, .. } = &self.state.group(id)?.state else { return None };
        (*next..*count).find(|index| {
            let known = iterations.get(*index as usize).and_then(|iteration| self.state.get(*iteration));
            !known.is_some_and(Node::stays_in_loop)
        })
    }

    /// Why a group failed: the failure of the first node within, by position, that did.
    fn failure_within(&self, id: NodeId) -> Failure {
        let Some(group) = self.state.group(id) else { return input_failure("the group never started") };
        let failed = group.first_failed.and_then(|slot| match &group.state {
            GroupState::Dag { .. } => self.state.child(id, slot),
            GroupState::Loop { iterations, .. } => iterations.get(slot as usize).copied(),
        });
        let Some(first) = failed else { return too_many_nodes() };
        let cause = self.state.get(first).and_then(|node| node.failure());
        let Some(cause) = cause else { return input_failure(format!("task {:?} failed", self.state.path(first))) };
        let within = self.state.group(first).is_some_and(|group| group.failed > 0);
        let mut failure = cause.clone();
        if !within {
            failure.message = format!("task {:?} failed: {}", self.state.path(first), cause.message);
        }
        if !within && group.failed > 1 {
            failure.message = format!("{} (and {} more failed)", failure.message, group.failed - 1);
        }
        let GroupState::Loop { count, next, .. } = &group.state else { return failure };
        if next < count {
            failure.message = format!("{}; {} iterations were not started", failure.message, count - next);
        }
        failure
    }
}

fn ended(node: NodeId, status: TaskStatus, outputs: TaskOutputs, failure: Option<Failure>) -> Fact {
    Fact::DagEnded { node, status, outputs, failure }
}

fn too_many_nodes() -> Failure {
    input_failure(format!("the run would have more than {MAX_NODES} task instances, the most that one run may have"))
}
