//! A run as a tree of what happens in it: which nodes are told of, and a task in full.

mod node;
mod task;
mod timings;

use penstock_engine::{NodeId, NodeKind, NodeView, RunState, task_id};
use penstock_metastore::RunRow;
use penstock_spec::Timestamp;
use penstock_spec::pod::pod_name;
use penstock_spec::run::{RunStatus, TaskStatus};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::ApiError;
use crate::folded::{FoldedRun, shown_status};
use node::NodeDocument;
pub(crate) use task::TaskDocument;

/// What of a tree is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// This node and what is below it, or of a loop its iterations; everything when absent.
    pub(crate) node: Option<NodeId>,
    /// Which iterations, where they are asked for.
    pub(crate) iterations: Option<Iterations>,
}

/// Which iterations of a loop are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Iterations {
    /// From this index on.
    pub(crate) from: u32,
    /// At most so many.
    pub(crate) limit: usize,
    /// Only those in this state.
    pub(crate) status: Option<TaskStatus>,
}

impl Iterations {
    /// Those of a request that does not say.
    pub(crate) const FIRST: Iterations = Iterations { from: 0, limit: 100, status: None };
}

/// Some of a run's nodes.
#[derive(Debug, Serialize)]
pub(crate) struct TreeDocument<'a> {
    /// Number of the newest fact that it tells of.
    seq: u64,
    /// When that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    status: RunStatus,
    nodes: Vec<NodeDocument<'a>>,
    /// The index that the next page of iterations starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_from: Option<u32>,
}

/// The Pods that attempts of a run are, if they are any.
#[derive(Debug, Clone)]
pub(crate) struct Pods {
    /// Nothing where attempts are processes.
    run_name: Option<String>,
}

impl Pods {
    pub(crate) fn of(run: &RunRow) -> Pods {
        let is_on_kubernetes = run.options.get("backend").and_then(Value::as_str) == Some("kubernetes");
        Pods { run_name: is_on_kubernetes.then(|| run.info.name.clone()) }
    }

    /// The name of an attempt's Pod.
    fn name(&self, key: &str, task: Uuid, attempt: u32) -> Option<String> {
        Some(pod_name(self.run_name.as_deref()?, key, task, attempt))
    }
}

/// What of a run is wanted.
pub(crate) fn tree<'a>(
    folded: &'a FoldedRun,
    state: &'a RunState,
    wanted: Wanted,
    pods: &Pods,
) -> Result<TreeDocument<'a>, ApiError> {
    let (ids, next_from) = chosen(state, wanted)?;
    let nodes = ids.into_iter().filter_map(|id| NodeDocument::new(folded, state, id, pods)).collect();
    let (seq, at) = (state.fact_count(), folded.history().last_at());
    Ok(TreeDocument { seq, at, status: state.status(), nodes, next_from })
}

/// The nodes that are wanted, and where the next page starts.
fn chosen(state: &RunState, Wanted { node, iterations }: Wanted) -> Result<(Vec<NodeId>, Option<u32>), ApiError> {
    let top = match node {
        // There is none before the run has started.
        None => state.node(NodeId::ROOT),
        Some(id) => Some(state.node(id).ok_or_else(|| ApiError::not_found("Node", id.0))?),
    };
    match top.filter(|view| view.kind == NodeKind::Loop) {
        Some(view) => Ok(page(state, &view, iterations.unwrap_or(Iterations::FIRST))),
        None if iterations.is_some() => {
            let text = "from, limit and status choose iterations of a loop: name its node with them, and no other";
            Err(ApiError::invalid(text))
        }
        None => Ok((top.map(|view| with_all_below(state, view.id)).unwrap_or_default(), None)),
    }
}

/// Some iterations of a loop.
fn page(state: &RunState, of: &NodeView<'_>, wanted: Iterations) -> (Vec<NodeId>, Option<u32>) {
    let fits = |id: &NodeId| match wanted.status {
        Some(status) => state.node(*id).is_some_and(|view| shown_status(&view) == status),
        None => true,
    };
    let mut found = (0..).zip(state.below(of.id)).skip(wanted.from as usize).filter(|(_, id)| fits(id));
    let ids = found.by_ref().take(wanted.limit).map(|(_, id)| id).collect();
    (ids, found.next().map(|(index, _)| index))
}

/// A node and what is below it, but for what is below loops: parents first, each after those that it depends on.
fn with_all_below(state: &RunState, id: NodeId) -> Vec<NodeId> {
    let mut ids = Vec::new();
    let mut pending = vec![id];
    while let Some(id) = pending.pop() {
        ids.push(id);
        if state.node(id).is_some_and(|view| view.kind != NodeKind::Loop) {
            pending.extend(state.below(id).into_iter().rev());
        }
    }
    ids
}

/// The task that a name means: its path, its id, or the name of the Pod of one of its attempts.
pub(crate) fn find(state: &RunState, name: &str, pods: &Pods) -> Option<NodeId> {
    let run = state.info()?.id;
    let wanted = Uuid::try_parse(name).ok();
    let is_meant = |view: &NodeView<'_>| {
        let path = view.path();
        let is_its_pod = |attempt| pods.name(view.key, task_id(run, &path), attempt).as_deref() == Some(name);
        match wanted {
            Some(id) => task_id(run, &path) == id,
            None => path == name || attempt_in(name).filter(|it| Some(*it) <= view.attempt).is_some_and(is_its_pod),
        }
    };
    state.nodes().find(is_meant).map(|view| view.id)
}

/// The attempt at the end of a Pod's name.
fn attempt_in(name: &str) -> Option<u32> {
    name.rsplit_once('-')?.1.parse().ok()
}
