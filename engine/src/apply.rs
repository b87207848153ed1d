//! What each fact does to the state. Total: a log that does not fit the pipeline is an error that names the fact,
//! whatever it holds. Every fact costs what it changes.

mod ends;
mod rerun;

use std::sync::{Arc, OnceLock};

use penstock_spec::Timestamp;
use penstock_spec::report::{Failure, FailureCause};
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde_json::{Map, Value};

use crate::fact::{Fact, NodeId};
use crate::node::{End, Group, GroupState, Node, NodeKind, Phase};
use crate::pipeline::{Body, Component, ComponentId, Pipeline, Task};
use crate::state::{Run, RunState, Stopping};

/// A log of facts that is not one of this pipeline's.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("fact {number} of the run's log does not fit what comes before it: {reason}")]
pub struct FoldError {
    /// Number of the fact, from 0.
    pub number: u64,
    /// What does not fit.
    pub reason: String,
}

pub(crate) type Applied = Result<(), String>;

impl RunState {
    /// The state that facts lead to.
    pub fn fold<'a>(
        pipeline: Arc<Pipeline>,
        facts: impl IntoIterator<Item = (&'a Fact, Timestamp)>,
    ) -> Result<RunState, FoldError> {
        let mut state = RunState::new(pipeline);
        for (fact, at) in facts {
            state.apply(fact, at)?;
        }
        Ok(state)
    }

    /// Adds one stored fact. For those who follow a run that somebody else advances.
    pub fn apply(&mut self, fact: &Fact, at: Timestamp) -> Result<(), FoldError> {
        self.apply_fact(fact, at).map_err(|reason| FoldError { number: self.applied, reason })?;
        self.applied += 1;
        Ok(())
    }

    fn apply_fact(&mut self, fact: &Fact, at: Timestamp) -> Applied {
        if let Fact::RunStarted { run, parameters } = fact {
            return self.run_started(run, parameters, at);
        }
        if self.run.is_none() {
            return Err("the first fact must be that the run started".to_owned());
        }
        match fact {
            Fact::RunStarted { .. } => Ok(()),
            Fact::DagStarted { node, first_child } => self.dag_started(*node, *first_child, at),
            Fact::LoopStarted { node, items } => self.loop_started(*node, *items, at),
            Fact::IterationStarted { node, index, iteration } => self.iteration_started(*node, *index, *iteration, at),
            Fact::TaskReady { node, cache_key, anew } => self.task_ready(*node, cache_key.as_deref(), *anew, at),
            Fact::AttemptStarted { node, attempt } => self.attempt_started(*node, *attempt),
            Fact::AttemptFailed { node, attempt, failure, retry_at, log_uri, .. } => {
                self.attempt_failed(*node, *attempt, failure, *retry_at, log_uri.as_deref())
            }
            Fact::TaskSucceeded { node, outputs, cached_from, log_uri, ran_on_host, .. } => {
                let runs = |phase| matches!(phase, Phase::CacheAsked | Phase::Importing | Phase::Attempt);
                let ended = self.waiting(*node, runs)?;
                ended.outputs = Some(Box::new(outputs.clone()));
                ended.ran_on_host = *ran_on_host;
                ended.log_uri = log_uri.as_deref().map(Box::from);
                ended.end = cached_from.clone().map(|source| Box::new(End::Cached(source)));
                self.node_ended(*node, TaskStatus::Succeeded, at)
            }
            Fact::TaskSkipped { node, reason } => {
                self.live(*node)?.end = Some(Box::new(End::Skipped(reason.clone())));
                self.node_ended(*node, TaskStatus::Skipped, at)
            }
            Fact::TaskFailed { node, failure, log_uri, .. } => {
                let ended = self.live(*node)?;
                ended.log_uri = log_uri.as_deref().map(Box::from);
                ended.end = Some(Box::new(End::Failed(failure.clone())));
                self.node_ended(*node, TaskStatus::Failed, at)
            }
            Fact::TaskCanceled { node, .. } => {
                self.live(*node)?.end = None;
                self.node_ended(*node, TaskStatus::Canceled, at)
            }
            Fact::DagEnded { node, status, outputs, failure } => {
                if !status.is_final() {
                    return Err(format!("node {} cannot end as {status:?}", node.0));
                }
                let ended = self.waiting(*node, |phase| phase == Phase::Within)?;
                ended.outputs = Some(Box::new(outputs.clone()));
                ended.end = failure.clone().map(|failure| Box::new(End::Failed(failure)));
                self.node_ended(*node, *status, at)
            }
            Fact::CancelRequested { reason } => self.stop(Stopping::Canceled { reason: reason.clone() }),
            Fact::DeadlineExceeded { seconds } => {
                self.stop(Stopping::DeadlineExceeded { reason: deadline_text(*seconds) })
            }
            Fact::RetryRequested { from } => self.rerun(from, at),
            Fact::RunEnded { status, outputs, failure } => {
                if !status.is_final() || self.status().is_final() {
                    return Err(format!("a run that is {:?} cannot end as {status:?}", self.status()));
                }
                if let Some(root) = self.get_mut(NodeId::ROOT)
                    && !root.status.is_final()
                {
                    root.status = TaskStatus::Failed;
                    root.phase = Phase::Ended;
                    root.ended_at = Some(at);
                    root.end = failure.clone().map(|failure| Box::new(End::Failed(failure)));
                }
                let run = self.run_mut()?;
                run.status = *status;
                run.outputs = Some(outputs.clone());
                run.failure = failure.clone();
                run.ended_at = Some(at);
                Ok(())
            }
        }
    }

    fn run_mut(&mut self) -> Result<&mut Run, String> {
        self.run.as_mut().ok_or_else(|| "the run has not started".to_owned())
    }

    /// A node that has not ended.
    fn live(&mut self, id: NodeId) -> Result<&mut Node, String> {
        let node = self.get_mut(id).ok_or_else(|| format!("there is no node {}", id.0))?;
        if node.status.is_final() { Err(format!("node {} has ended already", id.0)) } else { Ok(node) }
    }

    /// A node that waits for what a fact says has come.
    fn waiting(&mut self, id: NodeId, expected: impl Fn(Phase) -> bool) -> Result<&mut Node, String> {
        let node = self.live(id)?;
        let phase = node.phase;
        if expected(phase) { Ok(node) } else { Err(format!("node {} is not waiting for this: {phase:?}", id.0)) }
    }

    fn run_started(&mut self, info: &RunInfo, parameters: &Map<String, Value>, at: Timestamp) -> Applied {
        if self.run.is_some() {
            return Err("the run started twice".to_owned());
        }
        self.run = Some(Run {
            info: info.clone(),
            parameters: parameters.clone(),
            status: RunStatus::Running,
            stopping: None,
            outputs: None,
            failure: None,
            started_at: at,
            ended_at: None,
            deadline: None,
            retried: false,
        });
        self.set_deadline(at)?;
        let mut root = Node::new(NodeId::ROOT, 0, 0, NodeKind::Root);
        root.phase = Phase::Starting;
        self.nodes.push(root);
        Ok(())
    }

    fn set_deadline(&mut self, from: Timestamp) -> Applied {
        let seconds = self.pipeline.active_deadline_seconds();
        let run = self.run_mut()?;
        run.deadline = seconds.and_then(|seconds| from.checked_add(std::time::Duration::from_secs(seconds)).ok());
        Ok(())
    }

    fn stop(&mut self, stopping: Stopping) -> Applied {
        let run = self.run_mut()?;
        if run.status != RunStatus::Running {
            return Err("the run has ended or is being stopped already".to_owned());
        }
        run.status = RunStatus::Canceling;
        run.stopping = Some(stopping);
        Ok(())
    }

    fn new_id(&self) -> NodeId {
        NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX))
    }

    fn dag_started(&mut self, id: NodeId, first_child: NodeId, at: Timestamp) -> Applied {
        let pipeline = Arc::clone(&self.pipeline);
        let component = self.waiting(id, is_before_start)?.component;
        let dag = pipeline.component(component).dag().ok_or_else(|| format!("node {} is not a DAG", id.0))?;
        let known = self.get(id).and_then(|node| node.group.as_ref()).map(|group| &group.state);
        match known {
            None if first_child == self.new_id() => {
                for (slot, task) in (0..).zip(&dag.tasks) {
                    self.nodes.push(new_task_node(&pipeline, id, slot, task));
                }
                let group = Group::new(GroupState::Dag { first_child });
                self.live(id)?.group = Some(Box::new(group));
            }
            Some(GroupState::Dag { first_child: known }) if *known == first_child => {
                for (slot, task) in (0_u32..).zip(&dag.tasks) {
                    let child = NodeId(first_child.0.saturating_add(slot));
                    let waiting = u32::try_from(task.dependencies.len()).unwrap_or(u32::MAX);
                    self.get_mut(child).ok_or_else(|| format!("there is no node {}", child.0))?.reset(waiting);
                }
            }
            _ => return Err(format!("tasks of node {} cannot begin at {}", id.0, first_child.0)),
        }
        let count = u32::try_from(dag.tasks.len()).unwrap_or(u32::MAX);
        let node = self.within(id, at)?;
        node.stale = false;
        if let Some(group) = &mut node.group {
            group.clear_counts();
            group.active = count;
            group.scope = OnceLock::new();
        }
        Ok(())
    }

    fn within(&mut self, id: NodeId, at: Timestamp) -> Result<&mut Node, String> {
        let node = self.live(id)?;
        node.status = TaskStatus::Running;
        node.phase = Phase::Within;
        node.started_at.get_or_insert(at);
        Ok(node)
    }

    fn loop_started(&mut self, id: NodeId, items: u32, at: Timestamp) -> Applied {
        if self.waiting(id, is_before_start)?.kind != NodeKind::Loop {
            return Err(format!("node {} is not a loop", id.0));
        }
        let earlier = match self.get_mut(id).and_then(|node| node.group.take()).map(|group| group.state) {
            Some(GroupState::Loop { iterations, .. }) => iterations,
            _ => Vec::new(),
        };
        for (index, iteration) in (0_u32..).zip(&earlier) {
            if let Some(node) = self.get_mut(*iteration) {
                node.stale = true;
                if index >= items {
                    node.status = TaskStatus::Skipped;
                    node.end = None;
                }
            }
        }
        let state = GroupState::Loop { count: items, next: 0, iterations: earlier, items: OnceLock::new() };
        let node = self.within(id, at)?;
        node.stale = false;
        node.group = Some(Box::new(Group::new(state)));
        Ok(())
    }

    fn iteration_started(&mut self, id: NodeId, index: u32, iteration: NodeId, at: Timestamp) -> Applied {
        let component = self.waiting(id, |phase| phase == Phase::Within)?.component;
        let kind = kind_of_body(self.pipeline.component(component), NodeKind::Iteration);
        let new_id = self.new_id();
        let Some(Group { state: GroupState::Loop { count, next, iterations, .. }, active, .. }) = self.group_mut(id)
        else {
            return Err(format!("node {} is not a loop that started", id.0));
        };
        if index >= *count || index < *next {
            return Err(format!("node {} has {count} items and comes to item {next}, not to {index}", id.0));
        }
        let known = iterations.get(index as usize).copied();
        match known {
            Some(known) if known == iteration => {}
            None if iteration == new_id && iterations.len() == index as usize => iterations.push(iteration),
            _ => return Err(format!("iteration {index} of node {} cannot be node {}", id.0, iteration.0)),
        }
        *next = index + 1;
        *active += 1;
        if known.is_none() {
            let mut node = Node::new(id, index, component, kind);
            node.iteration = true;
            self.nodes.push(node);
        } else if self.get(iteration).is_some_and(Node::can_be_reopened) {
            return self.reopen(iteration);
        } else if let Some(node) = self.get_mut(iteration) {
            node.reset(0);
        }
        let node = self.live(iteration)?;
        node.phase = Phase::Starting;
        node.started_at = Some(at);
        Ok(())
    }

    fn task_ready(&mut self, id: NodeId, cache_key: Option<&str>, anew: bool, at: Timestamp) -> Applied {
        let node = self.waiting(id, is_before_start)?;
        node.started_at = Some(at);
        node.cache_key = cache_key.map(Box::from);
        node.bypassed_cache = anew;
        node.phase = if cache_key.is_some() && !anew { Phase::CacheAsked } else { Phase::Ready };
        if node.kind == NodeKind::Importer {
            node.phase = Phase::Importing;
            node.status = TaskStatus::Running;
        }
        Ok(())
    }

    fn attempt_started(&mut self, id: NodeId, attempt: u32) -> Applied {
        let may_start = |phase| matches!(phase, Phase::Ready | Phase::CacheAsked | Phase::Backoff(_));
        let node = self.waiting(id, may_start)?;
        if attempt != node.attempts {
            return Err(format!("attempt {attempt} of node {} cannot follow {} attempts", id.0, node.attempts));
        }
        node.attempts = attempt.saturating_add(1);
        node.phase = Phase::Attempt;
        node.status = TaskStatus::Running;
        self.running = self.running.saturating_add(1);
        Ok(())
    }

    fn attempt_failed(
        &mut self,
        id: NodeId,
        attempt: u32,
        failure: &Failure,
        retry_at: Timestamp,
        log_uri: Option<&str>,
    ) -> Applied {
        let node = self.waiting(id, |phase| phase == Phase::Attempt)?;
        if node.latest_attempt() != Some(attempt) {
            return Err(format!("attempt {attempt} of node {} is not the one that runs", id.0));
        }
        let counter = match failure.cause {
            FailureCause::Infrastructure => &mut node.spent.infrastructure,
            FailureCause::Interrupted => &mut node.spent.interrupted,
            _ => &mut node.spent.user,
        };
        *counter = counter.saturating_add(1);
        let ran = node.phase == Phase::Attempt;
        node.status = TaskStatus::Pending;
        node.phase = Phase::Backoff(retry_at);
        node.log_uri = log_uri.map(Box::from);
        node.end = Some(Box::new(End::Failed(failure.clone())));
        self.running = self.running.saturating_sub(u32::from(ran));
        Ok(())
    }
}

fn is_before_start(phase: Phase) -> bool {
    matches!(phase, Phase::Waiting | Phase::Starting)
}

/// What the limit on a run's duration says when it is reached.
pub(crate) fn deadline_text(seconds: u64) -> String {
    format!("the run took longer than the {seconds} s that pipelineConfig.activeDeadlineSeconds allows")
}

fn kind_of_body(component: &Component, of_dag: NodeKind) -> NodeKind {
    match &component.body {
        Body::Dag(_) => of_dag,
        Body::Importer(_) => NodeKind::Importer,
        Body::Container(_) | Body::Broken(_) => NodeKind::Container,
    }
}

fn new_task_node(pipeline: &Pipeline, parent: NodeId, slot: u32, task: &Task) -> Node {
    let component: ComponentId = task.component;
    let kind = match task.iterator {
        Some(_) => NodeKind::Loop,
        None => kind_of_body(pipeline.component(component), NodeKind::Dag),
    };
    let mut node = Node::new(parent, slot, component, kind);
    node.waiting = u32::try_from(task.dependencies.len()).unwrap_or(u32::MAX);
    node
}
