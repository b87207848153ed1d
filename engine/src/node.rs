//! One task instance of a run. There may be very many, so a node is small and points to what few nodes have.

use std::sync::{Arc, OnceLock};

use penstock_spec::Timestamp;
use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::run::TaskStatus;
use serde_json::Value;

use crate::fact::{CacheSource, NodeId, SkipReason};
use crate::pipeline::{ComponentId, Scope};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// The pipeline.
    Root,
    /// A nested pipeline or a group: condition, branches, exit handler.
    Dag,
    /// A loop; its iterations are below it.
    Loop,
    /// One iteration of a loop over a DAG.
    Iteration,
    /// A task that runs a container.
    Container,
    /// A task that records an artifact which exists already.
    Importer,
}

/// What a node waits for. The status that people see follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For its dependencies.
    Waiting,
    /// For nothing: it was decided that the node starts, and it is about to.
    Starting,
    /// For the cache's answer.
    CacheAsked,
    /// For nothing: its inputs are resolved, and its first attempt or import is about to start.
    Ready,
    /// For the import.
    Importing,
    /// For the attempt's report.
    Attempt,
    /// For the time of the next attempt.
    Backoff(Timestamp),
    /// For the nodes below it.
    Within,
    /// For nothing.
    Ended,
}

/// A task instance.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) parent: NodeId,
    /// Which task of the parent's DAG, or which item of the parent's loop.
    pub(crate) slot: u32,
    pub(crate) component: ComponentId,
    pub(crate) kind: NodeKind,
    /// Whether the parent is a loop.
    pub(crate) iteration: bool,
    /// What is below this node belongs to an earlier start of it, and is taken up anew when it starts again.
    pub(crate) stale: bool,
    /// What somebody wants of it, until it has come to that.
    pub(crate) wanted: Wanted,
    /// Whether somebody wants a new result of it, or of all within it. Until it has one, the cache is not asked.
    pub(crate) uncached: bool,
    /// Whether the cache was not asked for that reason.
    pub(crate) bypassed_cache: bool,
    pub(crate) ran_on_host: bool,
    pub(crate) status: TaskStatus,
    pub(crate) phase: Phase,
    /// Dependencies that have not ended.
    pub(crate) waiting: u32,
    /// Attempts ever started; the number of the next one. Never goes down, so that no identity is used twice.
    pub(crate) attempts: u32,
    /// Failed attempts since the node last became ready, by what pays for them.
    pub(crate) spent: Spent,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) cache_key: Option<Box<str>>,
    pub(crate) log_uri: Option<Box<str>>,
    pub(crate) outputs: Option<Box<TaskOutputs>>,
    pub(crate) end: Option<Box<End>>,
    pub(crate) group: Option<Box<Group>>,
}

/// What is wanted of a node of a run that goes on, whatever it came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing.
    #[default]
    Nothing,
    /// That it is taken up, for a node within it.
    Reopened,
    /// That it starts anew.
    Anew,
}

/// Failed attempts that counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) user: u32,
    pub(crate) infrastructure: u32,
    pub(crate) interrupted: u32,
}

/// More about how a node ended, or why its last attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Failed(Failure),
    Skipped(SkipReason),
    Cached(CacheSource),
}

/// What is below a node that is made of others.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) state: GroupState,
    /// Nodes below that failed.
    pub(crate) failed: u32,
    /// Nodes below that were canceled.
    pub(crate) canceled: u32,
    /// The first node below, by position, that failed.
    pub(crate) first_failed: Option<u32>,
    /// Inputs, resolved when the group started or when first asked for after loading.
    pub(crate) scope: OnceLock<Arc<Scope>>,
    /// Nodes below that have not ended; of a loop only those that started.
    pub(crate) active: u32,
}

/// The two ways to be made of others.
#[derive(Debug)]
pub(crate) enum GroupState {
    Dag {
        first_child: NodeId,
    },
    Loop {
        count: u32,
        /// The next index to look at.
        next: u32,
        /// Nodes by index; iterations start in the order of their indices, so there are no gaps.
        iterations: Vec<NodeId>,
        /// Items, fitted to the declared type of the item input.
        items: OnceLock<Arc<LoopItems>>,
    },
}

/// The items of a loop.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LoopItems {
    Parameters(Vec<Arc<Value>>),
    Artifacts(Arc<Vec<penstock_spec::artifact::Artifact>>),
}

impl LoopItems {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Parameters(items) => items.len(),
            Self::Artifacts(items) => items.len(),
        }
    }
}

impl Node {
    pub(crate) fn new(parent: NodeId, slot: u32, component: ComponentId, kind: NodeKind) -> Node {
        Node {
            parent,
            slot,
            component,
            kind,
            iteration: false,
            stale: false,
            wanted: Wanted::Nothing,
            uncached: false,
            bypassed_cache: false,
            ran_on_host: false,
            status: TaskStatus::Pending,
            phase: Phase::Waiting,
            waiting: 0,
            attempts: 0,
            spent: Spent::default(),
            started_at: None,
            ended_at: None,
            cache_key: None,
            log_uri: None,
            outputs: None,
            end: None,
            group: None,
        }
    }

    /// Back to the beginning. The number of attempts stays, and so does what is below, as stale.
    pub(crate) fn reset(&mut self, waiting: u32) {
        self.stale = self.group.is_some();
        self.wanted = Wanted::Nothing;
        self.bypassed_cache = false;
        self.ran_on_host = false;
        self.status = TaskStatus::Pending;
        self.phase = Phase::Waiting;
        self.waiting = waiting;
        self.spent = Spent::default();
        self.started_at = None;
        self.ended_at = None;
        self.cache_key = None;
        self.log_uri = None;
        self.outputs = None;
        self.end = None;
    }

    /// Whether it can go on where it stands: what is below it belongs to its latest start, and is not to start anew.
    pub(crate) fn can_be_reopened(&self) -> bool {
        self.group.is_some() && !self.stale && self.wanted != Wanted::Anew
    }

    /// Whether it stays as an earlier round of the run left it, as an iteration of its loop.
    pub(crate) fn stays_in_loop(&self) -> bool {
        !self.stale && self.wanted == Wanted::Nothing && self.status == TaskStatus::Succeeded
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self.end.as_deref() {
            Some(End::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    pub(crate) fn skip_reason(&self) -> Option<&SkipReason> {
        match self.end.as_deref() {
            Some(End::Skipped(reason)) => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn latest_attempt(&self) -> Option<u32> {
        self.attempts.checked_sub(1)
    }
}

impl Group {
    pub(crate) fn new(state: GroupState) -> Group {
        Group { state, failed: 0, canceled: 0, first_failed: None, scope: OnceLock::new(), active: 0 }
    }

    /// Forgets how nodes below ended.
    pub(crate) fn clear_counts(&mut self) {
        self.failed = 0;
        self.canceled = 0;
        self.first_failed = None;
        self.active = 0;
    }
}
