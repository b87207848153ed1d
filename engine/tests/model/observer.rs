//! Reads the facts of a run as somebody would who knows the specification and nothing of the engine: keeps its own
//! account of every node and says which fact breaks a rule that holds for every run.

mod ends;
mod rerun;

use std::collections::{BTreeMap, BTreeSet};

use penstock_engine::{Fact, NodeId};
use penstock_spec::ir::{ComponentSpec, DagSpec, PipelineSpec, TaskSpec};
use penstock_spec::report::FailureCause;
use penstock_spec::run::{RunStatus, TaskStatus};

use crate::expected::{End, Outputs, Wanted};
use crate::naive::dependencies;

/// A node, as far as facts tell.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) status: TaskStatus,
    pub(crate) attempts: u32,
    /// Attempts that were interrupted: nobody's fault, and nobody knows how many there will be.
    pub(crate) interrupted: u32,
    pub(crate) outputs: Outputs,
    /// Round of the run in which it last started or was taken up.
    pub(crate) round: Option<usize>,
    parent: Option<NodeId>,
    /// Key of the task; of an iteration, its loop's.
    key: String,
    component: String,
    is_loop: bool,
    /// How it was skipped, if no failure was behind that.
    skipped: Option<End>,
    begun: bool,
    /// Whether it belongs to the latest start of its loop.
    current: bool,
    /// Whether an attempt runs.
    running: bool,
    /// What somebody wants of it, and has not come to pass.
    wanted: Wanted,
    /// Whether its result, or all within it, is to be new.
    uncached: bool,
    children: Vec<NodeId>,
    items: u32,
    /// The next iteration.
    next: u32,
}

/// What the rules are to be judged by, beside the specification.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Attempts at a time.
    pub(crate) capacity: u32,
    /// Taken from the limits of loops; a test of this observer takes 1.
    pub(crate) stricter: u32,
}

pub(crate) struct Observer<'a> {
    spec: &'a PipelineSpec,
    pub(crate) nodes: Vec<Seen>,
    /// How often the run was asked to go on.
    pub(crate) round: usize,
    pub(crate) stopping: bool,
    pub(crate) canceled: bool,
    pub(crate) status: RunStatus,
    /// Whether parallelism ever came to its limit.
    pub(crate) limited: bool,
}

type Judged = Result<(), String>;

impl<'a> Observer<'a> {
    pub(crate) fn new(spec: &'a PipelineSpec) -> Observer<'a> {
        Observer {
            spec,
            nodes: Vec::new(),
            round: 0,
            stopping: false,
            canceled: false,
            status: RunStatus::Pending,
            limited: false,
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> Result<&Seen, String> {
        self.nodes.get(id.0 as usize).ok_or_else(|| format!("there is no node {}", id.0))
    }

    fn node_mut(&mut self, id: NodeId) -> Result<&mut Seen, String> {
        self.nodes.get_mut(id.0 as usize).ok_or_else(|| format!("there is no node {}", id.0))
    }

    pub(crate) fn paths(&self) -> BTreeMap<&str, NodeId> {
        (0..).map(NodeId).zip(&self.nodes).map(|(id, node)| (node.path.as_str(), id)).collect()
    }

    pub(crate) fn running(&self) -> u32 {
        self.nodes.iter().map(|node| u32::from(node.running)).sum()
    }

    fn component(&self, name: &str) -> &'a ComponentSpec {
        if name.is_empty() { &self.spec.root } else { &self.spec.components[name] }
    }

    fn dag(&self, id: NodeId) -> Result<&'a DagSpec, String> {
        let component = self.component(&self.node(id)?.component);
        component.dag.as_ref().ok_or_else(|| format!("node {} is no DAG", id.0))
    }

    /// The task that a node, or the loop that it is an iteration of, is an instance of.
    fn task(&self, id: NodeId) -> Result<&'a TaskSpec, String> {
        let node = self.node(id)?;
        let mut dag = node.parent.ok_or("the root is no task")?;
        if self.node(dag)?.is_loop {
            dag = self.node(dag)?.parent.ok_or("the root is no loop")?;
        }
        Ok(&self.dag(dag)?.tasks[&node.key])
    }

    fn is_iteration(&self, id: NodeId) -> bool {
        let parent = self.node(id).ok().and_then(|node| node.parent);
        parent.is_some_and(|parent| self.node(parent).is_ok_and(|parent| parent.is_loop))
    }

    fn siblings(&self, id: NodeId) -> Result<BTreeMap<&'a str, NodeId>, String> {
        let parent = self.node(id)?.parent.ok_or("the root has no siblings")?;
        let keys = self.dag(parent)?.tasks.keys().map(String::as_str);
        Ok(keys.zip(self.node(parent)?.children.iter().copied()).collect())
    }

    /// Takes a fact in.
    pub(crate) fn see(&mut self, fact: &Fact, limits: Limits) -> Judged {
        match fact {
            Fact::RunStarted { .. } => return self.run_started(),
            Fact::RetryRequested { from } => return self.retried(from),
            _ if self.status.is_final() => return Err("a fact after the run's end".to_owned()),
            _ => {}
        }
        match fact {
            Fact::DagStarted { node, first_child } => self.dag_started(*node, *first_child),
            Fact::LoopStarted { node, items } => self.loop_started(*node, *items),
            Fact::IterationStarted { node, index, iteration } => {
                self.iteration_started(*node, *index, *iteration, limits)
            }
            Fact::TaskReady { node, .. } => {
                self.starts(*node)?;
                self.node_mut(*node)?.status = TaskStatus::Running;
                Ok(())
            }
            Fact::AttemptStarted { node, attempt } => self.attempt_started(*node, *attempt, limits),
            Fact::AttemptFailed { node, attempt, failure, .. } => {
                self.attempt_ended(*node, Some(*attempt))?;
                let interrupted = failure.cause == FailureCause::Interrupted;
                self.node_mut(*node)?.interrupted += u32::from(interrupted);
                Ok(())
            }
            Fact::CancelRequested { .. } | Fact::DeadlineExceeded { .. } => {
                if self.stopping {
                    return Err("the run is stopped twice".to_owned());
                }
                self.stopping = true;
                self.canceled = matches!(fact, Fact::CancelRequested { .. });
                Ok(())
            }
            Fact::RunEnded { status, .. } => {
                let open = self.nodes.iter().find(|node| node.status == TaskStatus::Running && !node.path.is_empty());
                if let Some(open) = open {
                    return Err(format!("the run ends while {:?} is at work", open.path));
                }
                self.status = *status;
                Ok(())
            }
            other => self.ended(other),
        }
    }

    fn run_started(&mut self) -> Judged {
        if !self.nodes.is_empty() {
            return Err("the run starts twice".to_owned());
        }
        self.status = RunStatus::Running;
        self.add(None, String::new(), String::new(), String::new(), false);
        Ok(())
    }

    fn add(&mut self, parent: Option<NodeId>, path: String, key: String, component: String, is_loop: bool) {
        self.nodes.push(Seen {
            path,
            status: TaskStatus::Pending,
            attempts: 0,
            interrupted: 0,
            outputs: Outputs::default(),
            round: None,
            parent,
            key,
            component,
            is_loop,
            skipped: None,
            begun: false,
            current: true,
            running: false,
            wanted: Wanted::Nothing,
            uncached: false,
            children: Vec::new(),
            items: 0,
            next: 0,
        });
    }

    /// Judges the start of a node: everything that it needs has ended, its parent is at work, the run is not being
    /// stopped, and it has not started before in this round.
    fn starts(&mut self, id: NodeId) -> Judged {
        let node = self.node(id)?;
        let path = node.path.clone();
        if self.stopping {
            return Err(format!("{path:?} starts while the run is being stopped"));
        }
        let begins = self.is_iteration(id) && !node.begun;
        if node.status != TaskStatus::Pending && !begins {
            return Err(format!("{path:?} starts, but it is {:?}", node.status));
        }
        if let Some(parent) = node.parent
            && self.node(parent)?.status != TaskStatus::Running
        {
            return Err(format!("{path:?} starts outside of what is at work"));
        }
        if id != NodeId::ROOT && !self.is_iteration(id) {
            self.ended_before(id, self.task(id)?)?;
        }
        let round = self.round;
        let node = self.node_mut(id)?;
        node.round = Some(round);
        Ok(())
    }

    fn ended_before(&self, id: NodeId, task: &TaskSpec) -> Judged {
        let siblings = self.siblings(id)?;
        for key in dependencies(task) {
            let needed = self.node(siblings[key])?;
            if !needed.status.is_final() {
                return Err(format!("{:?} starts before {key:?} ended", self.node(id)?.path));
            }
        }
        Ok(())
    }

    fn dag_started(&mut self, id: NodeId, first: NodeId) -> Judged {
        self.starts(id)?;
        let dag = self.dag(id)?;
        let known = !self.node(id)?.children.is_empty();
        let new = NodeId(self.nodes.len() as u32);
        let path = self.node(id)?.path.clone();
        let mut children = Vec::new();
        for (slot, (key, task)) in (0..).zip(&dag.tasks) {
            let child = NodeId(first.0 + slot);
            children.push(child);
            if known {
                self.reset(child)?;
                continue;
            }
            let path = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
            let is_loop = task.parameter_iterator.is_some() || task.artifact_iterator.is_some();
            self.add(Some(id), path, key.clone(), task.component_ref.name.clone(), is_loop);
        }
        if (known && self.node(id)?.children != children) || (!known && first != new) {
            return Err(format!("tasks of {path:?} have other numbers than before, or than they should"));
        }
        let node = self.node_mut(id)?;
        node.children = children;
        node.status = TaskStatus::Running;
        node.begun = true;
        Ok(())
    }

    fn loop_started(&mut self, id: NodeId, items: u32) -> Judged {
        self.starts(id)?;
        let earlier: BTreeSet<NodeId> = self.node(id)?.children.iter().copied().collect();
        for iteration in earlier {
            let node = self.node_mut(iteration)?;
            node.current = false;
            node.begun = false;
        }
        let node = self.node_mut(id)?;
        node.items = items;
        node.next = 0;
        node.status = TaskStatus::Running;
        node.begun = true;
        Ok(())
    }

    fn iteration_started(&mut self, id: NodeId, index: u32, iteration: NodeId, limits: Limits) -> Judged {
        let parent = self.node(id)?.clone();
        let path = format!("{}[{index}]", parent.path);
        if self.stopping || !parent.is_loop || parent.status != TaskStatus::Running {
            return Err(format!("{path:?} starts, but its loop does not run"));
        }
        if index < parent.next || index >= parent.items {
            return Err(format!("{path:?} starts out of order or beyond the items"));
        }
        let at_work = |child: &NodeId| self.node(*child).is_ok_and(|it| it.status == TaskStatus::Running);
        let active = parent.children.iter().filter(|child| at_work(child)).count() as u32;
        let limit = self.task(id)?.iterator_policy.parallelism_limit;
        if limit > 0 && active + limits.stricter >= limit {
            return Err(format!("{path:?} starts beside {active} others, but the limit is {limit}"));
        }
        self.limited |= limit > 0 && active + 1 == limit;
        self.node_mut(id)?.next = index + 1;
        let round = self.round;
        match parent.children.get(index as usize) {
            Some(known) if *known == iteration => {
                let node = self.node_mut(iteration)?;
                node.round = Some(round);
                if node.current && node.begun && node.wanted != Wanted::Anew {
                    return self.reopen(iteration);
                }
                node.current = true;
                self.reset(iteration)?;
            }
            None if iteration.0 as usize == self.nodes.len() => {
                self.add(Some(id), path, parent.key.clone(), parent.component.clone(), false);
                self.node_mut(id)?.children.push(iteration);
            }
            _ => return Err(format!("{path:?} is node {}", iteration.0)),
        }
        let node = self.node_mut(iteration)?;
        node.round = Some(round);
        node.status = TaskStatus::Running;
        Ok(())
    }

    fn attempt_started(&mut self, id: NodeId, attempt: u32, limits: Limits) -> Judged {
        let running = self.running();
        let stopping = self.stopping;
        let node = self.node_mut(id)?;
        let path = &node.path;
        if node.running {
            return Err(format!("two attempts of {path:?} at a time"));
        }
        if stopping || node.status != TaskStatus::Running {
            return Err(format!("an attempt of {path:?} starts, but it is {:?}, or the run is stopped", node.status));
        }
        if attempt != node.attempts {
            return Err(format!("attempt {attempt} of {path:?} follows {} attempts", node.attempts));
        }
        if running >= limits.capacity {
            return Err(format!("an attempt of {path:?} starts beside {running} others: too many"));
        }
        node.running = true;
        node.attempts += 1;
        Ok(())
    }
}
