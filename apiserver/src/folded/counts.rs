//! How many are in which state below each group of a run.

use penstock_engine::{NodeId, NodeKind, NodeView, RunState};
use penstock_spec::run::TaskStatus;

/// Numbers of tasks, or of iterations, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts([u32; 6]);

impl Counts {
    /// States in the order in which they are shown.
    pub(crate) const STATES: [TaskStatus; 6] = [
        TaskStatus::Pending,
        TaskStatus::Running,
        TaskStatus::Succeeded,
        TaskStatus::Skipped,
        TaskStatus::Failed,
        TaskStatus::Canceled,
    ];

    fn count(&mut self, status: TaskStatus, count: u32) {
        let place = Self::STATES.into_iter().zip(&mut self.0).find(|(state, _)| *state == status);
        if let Some((_, counted)) = place {
            *counted = counted.saturating_add(count);
        }
    }

    fn add(&mut self, other: Counts) {
        for (counted, more) in self.0.iter_mut().zip(other.0) {
            *counted = counted.saturating_add(more);
        }
    }

    /// The states that something is in, and how many.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskStatus, u32)> {
        Self::STATES.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// The tasks that run something below each node of a run, by the number of the node.
#[derive(Debug)]
pub(crate) struct TaskCounts(Vec<Counts>);

impl TaskCounts {
    /// Counts once through all nodes.
    pub(crate) fn of(state: &RunState) -> TaskCounts {
        let mut counts = vec![Counts::default(); state.node_count()];
        // What is below a node has a greater number than the node.
        for view in (0..counts.len()).rev().filter_map(|id| state.node(NodeId(u32::try_from(id).ok()?))) {
            let Some(parent) = view.parent.filter(|_| view.is_of_present_start()) else { continue };
            let mut passed = counts.get(view.id.0 as usize).copied().unwrap_or_default();
            if view.is_executed() {
                passed.count(shown_status(&view), 1);
            }
            if let Some(above) = counts.get_mut(parent.0 as usize) {
                above.add(passed);
            }
        }
        TaskCounts(counts)
    }

    /// Of a group.
    pub(crate) fn below(&self, id: NodeId) -> Counts {
        self.0.get(id.0 as usize).copied().unwrap_or_default()
    }
}

/// The state that is shown of a node: of an iteration that its loop has still to come to, not that of an earlier start.
pub(crate) fn shown_status(view: &NodeView<'_>) -> TaskStatus {
    if view.is_to_come_again() { TaskStatus::Pending } else { view.status }
}

/// The iterations of a loop; those that were not started, also of a loop that ended early, are pending.
pub(crate) fn iterations(state: &RunState, id: NodeId) -> Counts {
    let mut counts = Counts::default();
    let Some(view) = state.node(id).filter(|view| view.kind == NodeKind::Loop) else { return counts };
    let known = state.below(id);
    let (started, items) = (u32::try_from(known.len()).unwrap_or(u32::MAX), view.items.unwrap_or_default());
    for iteration in known.into_iter().filter_map(|id| state.node(id)) {
        counts.count(shown_status(&iteration), 1);
    }
    counts.count(TaskStatus::Pending, items.saturating_sub(started));
    counts
}
