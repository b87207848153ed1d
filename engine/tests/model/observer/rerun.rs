//! A run that goes on: which of its tasks stay, which are taken up where they were left, which start anew.

use std::collections::BTreeMap;

use penstock_engine::NodeId;
use penstock_spec::run::{RunStatus, TaskStatus};

use super::{Judged, Observer};
use crate::expected::{Outputs, Prior, Priors};
use crate::naive::dependencies;

impl Observer<'_> {
    /// What a later round has to know of this one.
    pub(crate) fn priors(&self) -> Priors {
        let prior = |node: &super::Seen| Prior {
            succeeded: node.status == TaskStatus::Succeeded,
            skipped: node.skipped,
            begun: node.begun,
            current: node.current,
            attempts: node.attempts - node.interrupted,
            outputs: node.outputs.clone(),
        };
        self.nodes.iter().map(|node| (node.path.clone(), prior(node))).collect()
    }

    pub(super) fn retried(&mut self) -> Judged {
        if !matches!(self.status, RunStatus::Failed | RunStatus::Canceled) {
            return Err(format!("a run that is {:?} goes on", self.status));
        }
        self.status = RunStatus::Running;
        self.round += 1;
        self.stopping = false;
        self.canceled = false;
        self.reopen(NodeId::ROOT)
    }

    pub(super) fn reset(&mut self, id: NodeId) -> Judged {
        let node = self.node_mut(id)?;
        node.status = TaskStatus::Pending;
        node.skipped = None;
        node.begun = false;
        node.outputs = Outputs::default();
        Ok(())
    }

    /// Takes up a group that began.
    pub(super) fn reopen(&mut self, id: NodeId) -> Judged {
        let round = self.round;
        let node = self.node_mut(id)?;
        node.status = TaskStatus::Running;
        node.round = Some(round);
        node.outputs = Outputs::default();
        if node.is_loop {
            // Its iterations are taken up one by one.
            node.next = 0;
            return Ok(());
        }
        let dag = self.dag(id)?;
        let children: BTreeMap<&str, NodeId> =
            dag.tasks.keys().map(String::as_str).zip(self.node(id)?.children.clone()).collect();
        let mut stays = BTreeMap::new();
        while stays.len() < children.len() {
            for (key, child) in &children {
                let needed: Option<Vec<bool>> =
                    dependencies(&dag.tasks[*key]).into_iter().map(|on| stays.get(on).copied()).collect();
                let Some(needed) = needed.filter(|_| !stays.contains_key(key)) else { continue };
                let as_before = needed.into_iter().all(|stays| stays);
                let node = self.node(*child)?;
                let ended_well = node.status == TaskStatus::Succeeded || node.skipped.is_some();
                let begun = node.begun && matches!(node.status, TaskStatus::Failed | TaskStatus::Canceled);
                stays.insert(*key, as_before && ended_well);
                match as_before {
                    true if ended_well => {}
                    true if begun => self.reopen(*child)?,
                    _ => self.reset(*child)?,
                }
            }
        }
        Ok(())
    }
}
