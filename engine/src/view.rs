//! What a host, a projection or a person may want to know of a node.

use penstock_spec::Timestamp;
use penstock_spec::ir::ContainerSpec;
use penstock_spec::plan::PlanInputs;
use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::run::TaskStatus;
use serde_json::Value;
use uuid::Uuid;

use crate::fact::{CacheSource, NodeId, SkipReason};
use crate::node::{End, GroupState, Node, NodeKind, Phase};
use crate::pipeline::{Body, Component, Scope};
use crate::state::RunState;

/// What a node does, or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activity {
    /// It waits for what it depends on.
    Waiting,
    /// Its inputs are resolved and the cache is asked. Facts do not tell that the answer was no: a task that has it and
    /// waits for room is here, too.
    Cache,
    /// Its inputs are resolved and nothing holds it back but room.
    Queued,
    /// An attempt of it runs, or what is below it does.
    Running,
    /// It waits for the time of its next attempt.
    Backoff,
    /// It has ended.
    Ended,
}

/// A node of a run.
#[derive(Debug, Clone, Copy)]
pub struct NodeView<'a> {
    state: &'a RunState,
    node: &'a Node,
    /// Its number.
    pub id: NodeId,
    /// The node that it is part of; the root has none.
    pub parent: Option<NodeId>,
    /// Key of the task in its DAG; an iteration's is its loop's. The root's is empty.
    pub key: &'a str,
    /// Name for people.
    pub display_name: &'a str,
    /// What it is.
    pub kind: NodeKind,
    /// How it is.
    pub status: TaskStatus,
    /// Latest attempt, for tasks that run a container and did.
    pub attempt: Option<u32>,
    /// Index of the item, for iterations.
    pub iteration: Option<u32>,
    /// Number of items, for loops that started.
    pub items: Option<u32>,
    /// When it became ready, or its first part started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the next attempt may start.
    pub retry_at: Option<Timestamp>,
    /// Whether the command of an image ran as a process of this machine.
    pub ran_on_host: bool,
}

impl RunState {
    /// All nodes in the order of their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView<'_>> {
        self.ids().filter_map(|id| self.node(id))
    }

    /// Number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> Option<NodeView<'_>> {
        let node = self.get(id)?;
        let task = self.task(id);
        let items = match node.group.as_deref().map(|group| &group.state) {
            Some(GroupState::Loop { count, .. }) => Some(*count),
            _ => None,
        };
        Some(NodeView {
            state: self,
            node,
            id,
            parent: self.parent(id),
            key: task.map_or("", |task| &task.key),
            display_name: task.map_or_else(|| self.info().map_or("", |info| &info.display_name), |it| &it.display_name),
            kind: node.kind,
            status: node.status,
            attempt: node.latest_attempt(),
            iteration: node.iteration.then_some(node.slot),
            items,
            started_at: node.started_at,
            ended_at: node.ended_at,
            retry_at: match node.phase {
                Phase::Backoff(at) => Some(at),
                _ => None,
            },
            ran_on_host: node.ran_on_host,
        })
    }

    /// The nodes right below a node that belong to its present start: each after those that it depends on, iterations by
    /// their indices.
    pub fn below(&self, id: NodeId) -> Vec<NodeId> {
        let begun = self.node(id).filter(|view| !view.is_to_begin());
        let Some(group) = begun.and_then(|view| view.node.group.as_deref()) else { return Vec::new() };
        match &group.state {
            GroupState::Loop { count, iterations, .. } => iterations.iter().take(*count as usize).copied().collect(),
            GroupState::Dag { first_child } => {
                let order = self.component(id).and_then(Component::dag).map_or(&[][..], |dag| &dag.order);
                order.iter().map(|slot| NodeId(first_child.0.saturating_add(*slot))).collect()
            }
        }
    }
}

impl<'a> NodeView<'a> {
    /// What it does, or waits for.
    pub fn activity(&self) -> Activity {
        match self.node.phase {
            Phase::Waiting | Phase::Starting => Activity::Waiting,
            Phase::CacheAsked => Activity::Cache,
            Phase::Ready => Activity::Queued,
            Phase::Importing | Phase::Attempt | Phase::Within => Activity::Running,
            Phase::Backoff(_) => Activity::Backoff,
            Phase::Ended => Activity::Ended,
        }
    }

    /// Whether it is an iteration that its loop, which started anew or was taken up again, has not come to yet: what is known
    /// of it is of an earlier start.
    pub fn is_to_come_again(&self) -> bool {
        let around = self.parent.and_then(|parent| self.state.get(parent));
        let around = around.filter(|around| self.node.iteration && around.phase == Phase::Within);
        match around.and_then(|around| around.group.as_deref()).map(|group| &group.state) {
            Some(GroupState::Loop { next, .. }) => self.node.slot >= *next && !self.node.stays_in_loop(),
            _ => false,
        }
    }

    /// Whether all that there may be below it is left over from an earlier start.
    fn is_to_begin(&self) -> bool {
        self.id != NodeId::ROOT && (self.node.status == TaskStatus::Pending || self.is_to_come_again())
    }

    /// Whether it is one of the nodes right below its parent that belong to the parent's present start.
    pub fn is_of_present_start(&self) -> bool {
        let Some(around) = self.parent.and_then(|parent| self.state.node(parent)) else { return true };
        let is_an_item = match around.node.group.as_deref().map(|group| &group.state) {
            Some(GroupState::Loop { count, .. }) => self.node.slot < *count,
            _ => true,
        };
        is_an_item && !around.is_to_begin()
    }

    /// Outputs; empty until it succeeded.
    pub fn outputs(&self) -> &'a TaskOutputs {
        self.state.outputs_of(self.id)
    }

    /// Why it failed, or why its last attempt did.
    pub fn failure(&self) -> Option<&'a Failure> {
        self.node.failure()
    }

    /// Why it did not run.
    pub fn skip_reason(&self) -> Option<&'a SkipReason> {
        self.node.skip_reason()
    }

    /// Where its result came from, for a cache hit.
    pub fn cached_from(&self) -> Option<&'a CacheSource> {
        match self.node.end.as_deref() {
            Some(End::Cached(source)) => Some(source),
            _ => None,
        }
    }

    /// Whether the cache's answer is awaited.
    pub fn is_asking_cache(&self) -> bool {
        self.node.phase == Phase::CacheAsked
    }

    /// Whether the cache was not asked because somebody wanted a new result.
    pub fn has_bypassed_cache(&self) -> bool {
        self.node.bypassed_cache
    }

    /// URI of the log of the latest attempt that ended.
    pub fn log_uri(&self) -> Option<&'a str> {
        self.node.log_uri.as_deref()
    }

    /// Key of the result in the cache.
    pub fn cache_key(&self) -> Option<&'a str> {
        self.node.cache_key.as_deref()
    }

    /// The document whose digest the cache key is, resolved now.
    pub fn cache_document(&self) -> Option<Value> {
        if !self.has_inputs() {
            return None;
        }
        self.state.cache_document_of(self.id, self.state.task(self.id)?, &self.state.scope(self.id))
    }

    /// Name of its component.
    pub fn component(&self) -> &'a str {
        self.state.component(self.id).map_or("", |component| &component.name)
    }

    /// Inputs, resolved now. Empty for a node that did not start, or whose start is void: what was around it starts
    /// anew, and its inputs with it.
    pub fn inputs(&self) -> PlanInputs {
        if self.has_inputs() { crate::plan::plan_inputs(&self.state.scope(self.id)) } else { PlanInputs::default() }
    }

    /// Whether it does something itself, rather than hold tasks that do.
    pub fn is_executed(&self) -> bool {
        matches!(self.kind, NodeKind::Container | NodeKind::Importer)
    }

    /// The artifacts among its inputs: name of the input, place in its list, and the artifact; at most `limit`.
    pub fn input_artifacts(&self, limit: usize) -> Vec<(String, u32, Uuid)> {
        if !self.has_inputs() {
            return Vec::new();
        }
        let scope = self.state.scope(self.id);
        let lists = scope.all_artifacts();
        let artifacts = lists.iter().flat_map(|(name, list)| {
            (0_u32..).zip(list.iter()).map(move |(position, artifact)| ((*name).to_owned(), position, artifact.id))
        });
        artifacts.take(limit).collect()
    }

    /// Whether its inputs are resolved: it has started, and so has everything around it.
    pub fn has_inputs(&self) -> bool {
        let mut around = Some(self.id);
        while let Some(id) = around {
            if self.state.get(id).is_none_or(|node| node.stale) {
                return false;
            }
            around = self.state.parent(id);
        }
        self.node.started_at.is_some()
    }

    /// Its own inputs, resolved now: of an iteration the item alone, without what it shares with all others of its loop.
    /// The list that the loop goes over is among that, and a list repeated for each of its items is a square.
    pub fn own_inputs(&self) -> PlanInputs {
        if !self.node.iteration || !self.has_inputs() {
            return self.inputs();
        }
        let scope = self.state.scope(self.id);
        crate::plan::plan_inputs(&Scope { base: None, ..(*scope).clone() })
    }

    /// Path from the root.
    pub fn path(&self) -> String {
        self.state.path(self.id)
    }

    /// Identity: UUID v5 of the run and the path.
    pub fn task_id(&self) -> Option<Uuid> {
        self.state.task_id(self.id)
    }

    /// What it runs, as its author declared it; nothing of a node that runs no container.
    pub fn container(&self) -> Option<&'a ContainerSpec> {
        match &self.state.component(self.id)?.body {
            Body::Container(container) if self.kind == NodeKind::Container => Some(&container.spec),
            _ => None,
        }
    }

    /// The siblings that it depends on.
    pub fn dependencies(&self) -> impl Iterator<Item = NodeId> + use<'a> {
        let (state, parent) = (self.state, self.parent);
        let task = (!self.node.iteration).then(|| state.task(self.id)).flatten();
        let dependencies = task.map_or(&[][..], |task| &task.dependencies);
        dependencies.iter().filter_map(move |on| state.child(parent?, *on))
    }
}
