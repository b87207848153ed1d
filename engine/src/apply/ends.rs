//! The end of a node, and what it means for its parent and its siblings.

use std::sync::{Arc, OnceLock};

use penstock_spec::Timestamp;
use penstock_spec::run::TaskStatus;

use super::Applied;
use crate::fact::NodeId;
use crate::node::{GroupState, Phase};
use crate::state::RunState;

impl RunState {
    pub(super) fn node_ended(&mut self, id: NodeId, status: TaskStatus, at: Timestamp) -> Applied {
        let pipeline = Arc::clone(&self.pipeline);
        let node = self.live(id)?;
        let ran = node.phase == Phase::Attempt;
        node.status = status;
        node.phase = Phase::Ended;
        node.ended_at = Some(at);
        node.uncached &= status != TaskStatus::Succeeded;
        let (parent, slot) = (node.parent, node.slot);
        if let Some(group) = &mut node.group {
            // Only needed while something below may start; found again on demand.
            group.scope = OnceLock::new();
            if let GroupState::Loop { items, .. } = &mut group.state {
                *items = OnceLock::new();
            }
        }
        self.running = self.running.saturating_sub(u32::from(ran));
        if id == NodeId::ROOT {
            return Ok(());
        }
        let component = self.get(parent).map(|node| node.component);
        let Some(group) = self.group_mut(parent) else {
            return Err(format!("node {} has no parent that started", id.0));
        };
        group.active = group.active.checked_sub(1).ok_or_else(|| format!("node {} had all ended", parent.0))?;
        match status {
            TaskStatus::Failed => {
                group.failed = group.failed.saturating_add(1);
                group.first_failed = Some(group.first_failed.map_or(slot, |first| first.min(slot)));
            }
            TaskStatus::Canceled => group.canceled = group.canceled.saturating_add(1),
            _ => {}
        }
        let GroupState::Dag { first_child } = group.state else { return Ok(()) };
        let tasks = component.and_then(|component| pipeline.component(component).dag()).map(|dag| &dag.tasks);
        let dependents = tasks.and_then(|tasks| tasks.get(slot as usize)).map(|task| task.dependents.as_slice());
        for dependent in dependents.unwrap_or_default() {
            if let Some(node) = self.get_mut(NodeId(first_child.0.saturating_add(*dependent))) {
                node.waiting = node.waiting.saturating_sub(1);
            }
        }
        Ok(())
    }
}
