//! Which nodes of a run have a line in the tree, and in what order.

use std::collections::{BTreeMap, BTreeSet};

use penstock_engine::{NodeId, NodeKind, NodeView, RunState};
use penstock_spec::run::TaskStatus;

use super::layout::{Head, first_line, given_name};
use super::row::{Counts, Row};
use crate::waiting::Waiting;

/// Iterations of a loop that are opened because they failed.
const OPEN_ITERATIONS: usize = 5;

/// A run as the tree shows it.
pub(super) struct Outline {
    pub(super) head: Head,
    pub(super) rows: Vec<Row>,
}

/// Chooses the rows.
pub(super) fn outline(state: &RunState, waiting: &Waiting, expand: bool) -> Outline {
    let mut rows = Vec::new();
    let waits = Waits::new(state, waiting, expand);
    let busy = busy(state);
    // What is still to be visited, the next one last; never deeper than the pipeline, and no recursion.
    let mut pending: Vec<(NodeId, usize)> = below(state, NodeId::ROOT, 0);
    let mut names = Names { state, shared: BTreeMap::new() };
    while let Some((id, depth)) = pending.pop() {
        let Some(view) = state.node(id) else { continue };
        let inner = match view.kind {
            NodeKind::Loop if !expand => failed_iterations(state, id, depth + 1),
            _ => below(state, id, depth + 1),
        };
        let iterations = (view.kind == NodeKind::Loop).then(|| count_iterations(state, &view, &busy));
        let waits = waits.of(&view);
        rows.push(Row { waits, ..row(names.of(&view), &view, depth, !inner.is_empty(), iterations) });
        pending.extend(inner);
    }
    let head = Head {
        name: state.info().map(|info| info.name.clone()).unwrap_or_else(|| state.pipeline().name().to_owned()),
        given_name: state.info().and_then(given_name),
        status: state.status(),
        started_at: state.started_at(),
        finished_at: state.ended_at(),
        tasks: count_tasks(state),
    };
    Outline { head, rows }
}

/// All nodes but the root, parents first, siblings such that each comes after those it depends on.
pub(crate) fn order(state: &RunState) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    let mut pending = below(state, NodeId::ROOT, 0);
    while let Some((id, depth)) = pending.pop() {
        nodes.push(id);
        pending.extend(below(state, id, depth + 1));
    }
    nodes
}

/// Nodes right below a node, last one first.
fn below(state: &RunState, id: NodeId, depth: usize) -> Vec<(NodeId, usize)> {
    children(state, id).into_iter().rev().map(|child| (child, depth)).collect()
}

/// Nodes right below a node, each after those it depends on, otherwise by key.
fn children(state: &RunState, id: NodeId) -> Vec<NodeId> {
    // What is below a node that waits is left over from an earlier start.
    let Some(view) = state.node(id).filter(|view| id == NodeId::ROOT || view.status != TaskStatus::Pending) else {
        return Vec::new();
    };
    let siblings = state.children(id);
    if view.kind == NodeKind::Loop {
        return siblings;
    }
    // Those that nothing holds back any more, the first by key first.
    let mut free = BTreeSet::new();
    let mut held_by: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    let mut holds: BTreeMap<NodeId, usize> = BTreeMap::new();
    for id in &siblings {
        let Some(view) = state.node(*id) else { continue };
        let mut count = 0;
        for on in view.dependencies() {
            held_by.entry(on).or_default().push(*id);
            count += 1;
        }
        if count == 0 {
            free.insert(*id);
        } else {
            holds.insert(*id, count);
        }
    }
    let mut ordered = Vec::with_capacity(siblings.len());
    while let Some(next) = free.pop_first() {
        ordered.push(next);
        for held in held_by.remove(&next).into_iter().flatten() {
            let Some(count) = holds.get_mut(&held) else { continue };
            *count -= 1;
            if *count == 0 {
                holds.remove(&held);
                free.insert(held);
            }
        }
    }
    // The check refuses cycles; should one be met all the same, its nodes come last.
    ordered.extend(holds.into_keys());
    ordered
}

fn failed_iterations(state: &RunState, id: NodeId, depth: usize) -> Vec<(NodeId, usize)> {
    let failed = |id: &NodeId| state.node(*id).is_some_and(|view| view.status == TaskStatus::Failed);
    let mut open: Vec<_> = children(state, id).into_iter().filter(failed).take(OPEN_ITERATIONS).collect();
    open.reverse();
    open.into_iter().map(|child| (child, depth)).collect()
}

/// Nodes at work, and all nodes above them. A group counts as running from its start, even while all that is below it
/// waits for a free place; people want to know where something happens.
fn busy(state: &RunState) -> BTreeSet<NodeId> {
    let mut busy = BTreeSet::new();
    for view in state.nodes().filter(|view| view.status == TaskStatus::Running && runs_something(view)) {
        let mut at = Some(view.id);
        while let Some(id) = at.filter(|id| busy.insert(*id)) {
            at = state.node(id).and_then(|view| view.parent);
        }
    }
    busy
}

fn runs_something(view: &NodeView<'_>) -> bool {
    matches!(view.kind, NodeKind::Container | NodeKind::Importer)
}

fn count_iterations(state: &RunState, view: &NodeView<'_>, busy: &BTreeSet<NodeId>) -> Counts {
    let mut counts = Counts::default();
    for child in children(state, view.id).into_iter().filter_map(|id| state.node(id)) {
        let waits = child.status == TaskStatus::Running && !busy.contains(&child.id);
        counts.add(if waits { TaskStatus::Pending } else { child.status });
    }
    // Iterations that have not started have no nodes yet.
    counts.total = counts.total.max(view.items.map_or(0, |items| items as usize));
    counts
}

fn count_tasks(state: &RunState) -> Counts {
    let mut counts = Counts::default();
    for view in state.nodes().filter(runs_something) {
        counts.add(view.status);
        counts.cached += usize::from(view.cached_from().is_some());
    }
    counts
}

fn row(name: String, view: &NodeView<'_>, depth: usize, has_rows_below: bool, iterations: Option<Counts>) -> Row {
    Row {
        depth,
        name,
        status: view.status,
        queued: is_queued(view),
        cached: view.cached_from().is_some(),
        attempt: view.attempt,
        retry_at: view.retry_at,
        started_at: view.started_at,
        finished_at: view.ended_at,
        failure: view.failure().cloned(),
        skipped: view.skip_reason().cloned(),
        on_host: view.ran_on_host,
        waits: None,
        has_rows_below,
        iterations: iterations.filter(|counts| view.status != TaskStatus::Pending || counts.total > 0),
    }
}

/// What rows wait for: a loop for what the tasks below it wait for, unless they have rows of their own.
struct Waits<'a> {
    own: &'a Waiting,
    /// Tasks below a loop that wait, and the reason of the first.
    below: BTreeMap<NodeId, (usize, &'a str)>,
}

impl<'a> Waits<'a> {
    fn new(state: &RunState, own: &'a Waiting, expand: bool) -> Waits<'a> {
        let mut below: BTreeMap<NodeId, (usize, &str)> = BTreeMap::new();
        for (id, reason) in own.iter().filter(|_| !expand) {
            let mut above = state.node(*id).and_then(|view| view.parent);
            while let Some(view) = above.and_then(|id| state.node(id)) {
                if view.kind == NodeKind::Loop {
                    below.entry(view.id).or_insert((0, reason)).0 += 1;
                }
                above = view.parent;
            }
        }
        Waits { own, below }
    }

    fn of(&self, view: &NodeView<'_>) -> Option<String> {
        if view.status != TaskStatus::Running {
            return None;
        }
        let below =
            || self.below.get(&view.id).map(|(count, reason)| format!("{count} held up: {}", first_line(reason)));
        self.own.get(&view.id).map(|reason| first_line(reason)).or_else(below)
    }
}

/// Whether it could run and waits for a place.
fn is_queued(view: &NodeView<'_>) -> bool {
    view.status == TaskStatus::Pending
        && view.kind == NodeKind::Container
        && view.started_at.is_some()
        && view.retry_at.is_none()
        && !view.is_asking_cache()
}

/// Names of rows: the display name, or the key where siblings share a display name.
struct Names<'a> {
    state: &'a RunState,
    /// Display names that occur more than once, by the node that they are below.
    shared: BTreeMap<NodeId, BTreeSet<&'a str>>,
}

impl<'a> Names<'a> {
    fn of(&mut self, view: &NodeView<'a>) -> String {
        if let Some(index) = view.iteration {
            return format!("[{index}]");
        }
        let display = view.display_name;
        let is_shared = view.parent.is_some_and(|parent| self.shared_below(parent).contains(display));
        if is_shared || display.is_empty() { view.key.to_owned() } else { display.to_owned() }
    }

    fn shared_below(&mut self, parent: NodeId) -> &BTreeSet<&'a str> {
        let state = self.state;
        self.shared.entry(parent).or_insert_with(|| {
            let mut seen = BTreeSet::new();
            let names = state.children(parent).into_iter().filter_map(|id| Some(state.node(id)?.display_name));
            names.filter(|name| !seen.insert(*name)).collect()
        })
    }
}
