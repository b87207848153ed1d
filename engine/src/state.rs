//! The state of a run: the fold of its facts. What a fact means is in `apply`, what follows from an event in `step`.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use penstock_spec::Timestamp;
use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus};
use serde_json::{Map, Value};

use crate::effect::Effect;
use crate::fact::{Fact, NodeId};
use crate::node::{Group, GroupState, Node, NodeKind};
use crate::pipeline::{Component, Pipeline, Task};

/// Nodes that a run may have. Loops within loops multiply: this bounds memory where the cap on the items of one loop
/// does not.
pub const MAX_NODES: usize = 2_000_000;

pub(crate) static NO_OUTPUTS: LazyLock<TaskOutputs> = LazyLock::new(TaskOutputs::default);

/// What a step decided.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// New facts, in order; already part of the state. They are to be stored in one transaction.
    pub facts: Vec<Fact>,
    /// What to do once the facts are durable.
    pub effects: Vec<Effect>,
}

impl Step {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.effects.is_empty()
    }
}

/// A run.
#[derive(Debug)]
pub struct RunState {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) run: Option<Run>,
    pub(crate) nodes: Vec<Node>,
    /// Facts applied so far.
    pub(crate) applied: u64,
    /// Attempts that may be at work at a time. Set by the host, not a fact.
    pub(crate) capacity: u32,
    /// Attempts at work.
    pub(crate) running: u32,
    /// Tasks that wait for room, first come first served. Found again by `resume`, so not a fact either.
    pub(crate) queued: VecDeque<NodeId>,
}

/// What is known of a run beside its nodes.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) info: RunInfo,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) status: RunStatus,
    pub(crate) stopping: Option<Stopping>,
    pub(crate) outputs: Option<TaskOutputs>,
    pub(crate) failure: Option<Failure>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// When the run has taken as long as it may.
    pub(crate) deadline: Option<Timestamp>,
    /// Whether it went on after it had ended.
    pub(crate) retried: bool,
}

/// Why a run is being brought to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopping {
    Canceled { reason: String },
    DeadlineExceeded { reason: String },
}

impl RunState {
    /// A run of which nothing is known yet.
    pub fn new(pipeline: Arc<Pipeline>) -> RunState {
        RunState {
            pipeline,
            run: None,
            nodes: Vec::new(),
            applied: 0,
            capacity: u32::MAX,
            running: 0,
            queued: VecDeque::new(),
        }
    }

    /// Limits the attempts that are at work at a time. Tasks beyond it stay pending, and start in the order in which
    /// they became ready. There is no limit unless one is set.
    pub fn set_capacity(&mut self, attempts: u32) {
        self.capacity = attempts.max(1);
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Number of facts that made this state.
    pub fn fact_count(&self) -> u64 {
        self.applied
    }

    /// State of the run.
    pub fn status(&self) -> RunStatus {
        self.run.as_ref().map_or(RunStatus::Pending, |run| run.status)
    }

    /// Identity and settings, once the run has started.
    pub fn info(&self) -> Option<&RunInfo> {
        self.run.as_ref().map(|run| &run.info)
    }

    /// Root parameters: macros expanded, defaults filled in.
    pub fn parameters(&self) -> Option<&Map<String, Value>> {
        self.run.as_ref().map(|run| &run.parameters)
    }

    /// Why the run failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.run.as_ref()?.failure.as_ref()
    }

    /// Outputs of the pipeline, once the run has ended.
    pub fn outputs(&self) -> Option<&TaskOutputs> {
        self.run.as_ref()?.outputs.as_ref()
    }

    /// Whether the run went on after it had ended, so that tasks may have begun more than once.
    pub fn was_retried(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.retried)
    }

    /// When the run started.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.run.as_ref().map(|run| run.started_at)
    }

    /// When the run ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.run.as_ref()?.ended_at
    }

    /// Why the run is being, or was, brought to an end from outside.
    pub fn stop_reason(&self) -> Option<&str> {
        match self.run.as_ref()?.stopping.as_ref()? {
            Stopping::Canceled { reason } | Stopping::DeadlineExceeded { reason } => Some(reason),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.stopping.is_some())
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    pub(crate) fn parent(&self, id: NodeId) -> Option<NodeId> {
        (id != NodeId::ROOT).then(|| self.get(id).map(|node| node.parent)).flatten()
    }

    pub(crate) fn component(&self, id: NodeId) -> Option<&Component> {
        self.get(id).map(|node| self.pipeline.component(node.component))
    }

    /// The task that a node is an instance of; an iteration's is its loop's. The root has none.
    pub(crate) fn task(&self, id: NodeId) -> Option<&Task> {
        let mut id = id;
        let node = self.get(id)?;
        if node.iteration {
            id = node.parent;
        }
        let dag = self.component(self.parent(id)?)?.dag()?;
        dag.tasks.get(self.get(id)?.slot as usize)
    }

    pub(crate) fn group(&self, id: NodeId) -> Option<&Group> {
        self.get(id)?.group.as_deref()
    }

    pub(crate) fn group_mut(&mut self, id: NodeId) -> Option<&mut Group> {
        self.get_mut(id)?.group.as_deref_mut()
    }

    /// The node of a task of a DAG.
    pub(crate) fn child(&self, dag: NodeId, task: u32) -> Option<NodeId> {
        match self.group(dag)?.state {
            GroupState::Dag { first_child } => Some(NodeId(first_child.0.checked_add(task)?)),
            GroupState::Loop { .. } => None,
        }
    }

    /// All nodes right below a node.
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        let Some(group) = self.group(id) else { return Vec::new() };
        match &group.state {
            GroupState::Loop { iterations, .. } => iterations.clone(),
            GroupState::Dag { first_child } => {
                let count = self.component(id).and_then(Component::dag).map_or(0, |dag| dag.tasks.len());
                (first_child.0..).map(NodeId).take(count).collect()
            }
        }
    }

    pub(crate) fn outputs_of(&self, id: NodeId) -> &TaskOutputs {
        self.get(id).and_then(|node| node.outputs.as_deref()).unwrap_or(&NO_OUTPUTS)
    }

    pub(crate) fn is_loop(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|node| node.kind == NodeKind::Loop)
    }
}
