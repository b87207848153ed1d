//! Tasks whose dependencies have ended: trigger, inputs, condition, start.

use std::sync::Arc;

use penstock_spec::ir::TriggerStrategy;
use penstock_spec::report::Failure;

use super::Stepper;
use crate::effect::Effect;
use crate::fact::{Fact, NodeId, SkipReason};
use crate::node::{LoopItems, NodeKind, Phase};
use crate::pipeline::{Body, Scope};
use crate::resolve::{Unresolved, input_failure};
use crate::state::MAX_NODES;

impl Stepper<'_> {
    pub(super) fn consider(&mut self, id: NodeId) {
        let Some(node) = self.state.get(id) else { return };
        if node.phase != Phase::Waiting || node.status.is_final() {
            return;
        }
        if self.state.is_stopping() {
            self.record_end(id, Fact::TaskCanceled { node: id, attempt: None, timings: None });
            return;
        }
        if node.waiting > 0 {
            return;
        }
        let (dag, kind) = (node.parent, node.kind);
        let pipeline = Arc::clone(&self.state.pipeline);
        let (Some(component), slot) = (self.state.get(dag).map(|node| node.component), node.slot) else { return };
        let task = pipeline.component(component).dag().and_then(|dag| dag.tasks.get(slot as usize));
        let Some(task) = task else { return };
        if let Some(reason) = self.state.unmet_strategy(dag, task) {
            self.record_end(id, Fact::TaskSkipped { node: id, reason });
            return;
        }
        let inputs = match self.state.resolve_task(id) {
            Ok(inputs) => Arc::new(inputs),
            Err(Unresolved::Failed(failure)) => return self.fail(id, failure),
            Err(Unresolved::Skip { task: producer }) => {
                debug_assert!(task.strategy == TriggerStrategy::AllSucceeded);
                let key = pipeline.component(component).dag().and_then(|dag| dag.tasks.get(producer as usize));
                let reason = SkipReason::Upstream { task: key.map(|task| task.key.clone()).unwrap_or_default() };
                return self.record_end(id, Fact::TaskSkipped { node: id, reason });
            }
        };
        match self.state.condition_holds(task, &inputs) {
            Ok(true) => {}
            Ok(false) => {
                let condition = task.condition.as_ref().map(|it| it.text.clone()).unwrap_or_default();
                let reason = SkipReason::Condition { condition };
                return self.record_end(id, Fact::TaskSkipped { node: id, reason });
            }
            Err(failure) => return self.fail(id, failure),
        }
        if kind == NodeKind::Loop {
            self.start_loop(id, &inputs);
        } else {
            self.start_body(id, &inputs);
        }
    }

    /// Begins a node of which it was decided already that it starts: the root, or an iteration.
    pub(super) fn begin(&mut self, id: NodeId) {
        if self.state.get(id).is_none_or(|node| node.phase != Phase::Starting) {
            return;
        }
        if self.state.is_stopping() {
            self.record_end(id, Fact::TaskCanceled { node: id, attempt: None, timings: None });
            return;
        }
        // Not what the node keeps: that may be of an earlier start, if somebody asked for it since.
        let inputs = Arc::new(self.state.resolve_node(id));
        self.start_body(id, &inputs);
    }

    /// Starts what a component does.
    fn start_body(&mut self, id: NodeId, inputs: &Arc<Scope>) {
        let pipeline = Arc::clone(&self.state.pipeline);
        let Some(component) = self.state.get(id).map(|node| pipeline.component(node.component)) else { return };
        match &component.body {
            Body::Dag(dag) => self.start_dag(id, dag, inputs),
            Body::Container(_) => self.start_container(id, inputs),
            Body::Importer(_) => self.start_import(id, inputs),
            Body::Broken(reason) => self.fail(id, input_failure(reason.clone())),
        }
    }

    fn start_container(&mut self, id: NodeId, inputs: &Arc<Scope>) {
        let cache_key = self.state.task(id).and_then(|task| self.state.cache_key_of(id, task, inputs));
        let anew = cache_key.is_some() && self.state.is_uncached(id);
        if !self.record(Fact::TaskReady { node: id, cache_key: cache_key.clone(), anew }) {
            return;
        }
        match cache_key.filter(|_| !anew) {
            Some(key) => self.effect(Effect::LookUpCache { node: id, key }),
            None => self.start_attempt_with(id, Some(inputs)),
        }
    }

    fn start_import(&mut self, id: NodeId, inputs: &Arc<Scope>) {
        match self.state.import_request(id, inputs) {
            Ok(request) => {
                if self.record(Fact::TaskReady { node: id, cache_key: None, anew: false }) {
                    self.effect(Effect::Import { node: id, request: Box::new(request) });
                }
            }
            Err(failure) => self.fail(id, failure),
        }
    }

    fn start_loop(&mut self, id: NodeId, inputs: &Arc<Scope>) {
        let items = match self.state.fan_out(id, inputs) {
            Ok(items) => items,
            Err(failure) => return self.fail(id, failure),
        };
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if !self.record(Fact::LoopStarted { node: id, items: count }) {
            return;
        }
        self.keep(id, inputs, Some(items));
        self.queue.push_back(super::Work::Iterate(id));
    }

    /// Keeps what was resolved for a group, for all that is below it.
    pub(super) fn keep(&mut self, id: NodeId, inputs: &Arc<Scope>, found: Option<LoopItems>) {
        let Some(group) = self.state.group_mut(id) else { return };
        drop(group.scope.set(Arc::clone(inputs)));
        if let (crate::node::GroupState::Loop { items, .. }, Some(found)) = (&mut group.state, found) {
            drop(items.set(Arc::new(found)));
        }
    }

    pub(super) fn fail(&mut self, id: NodeId, failure: Failure) {
        self.record_end(id, Fact::TaskFailed { node: id, attempt: None, failure, log_uri: None, timings: None });
    }

    /// Whether a run may have so many nodes more.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.state.nodes.len().saturating_add(more) <= MAX_NODES
    }
}
