//! A run that goes on: which of its tasks stay, which are taken up where they were left, which start anew.

use std::collections::BTreeMap;

use penstock_engine::NodeId;
use penstock_spec::run::{RunStatus, TaskStatus};

use super::{Judged, Observer};
use crate::expected::{Outputs, Prior, Priors, Wanted};
use crate::naive::dependencies;

impl Observer<'_> {
    /// What a later round has to know of this one, that is to go on from these tasks.
    pub(crate) fn priors(&self, from: &[NodeId]) -> Priors {
        let prior = |(id, node, wanted): (NodeId, &super::Seen, Wanted)| Prior {
            succeeded: node.status == TaskStatus::Succeeded,
            skipped: node.skipped,
            begun: node.begun,
            current: node.current,
            wanted,
            uncached: node.uncached || from.contains(&id),
            attempts: node.attempts - node.interrupted,
            outputs: node.outputs.clone(),
        };
        let all = (0..).map(NodeId).zip(&self.nodes).zip(self.wanted(from));
        all.map(|((id, node), wanted)| (node.path.clone(), prior((id, node, wanted)))).collect()
    }

    /// What is wanted of each node when the run goes on from these tasks, and what has been wanted before.
    fn wanted(&self, from: &[NodeId]) -> Vec<Wanted> {
        let mut all: Vec<Wanted> = self.nodes.iter().map(|node| node.wanted).collect();
        for id in from {
            all[id.0 as usize] = Wanted::Anew;
            let mut around = self.nodes[id.0 as usize].parent;
            while let Some(id) = around {
                let wanted = &mut all[id.0 as usize];
                *wanted = (*wanted).max(Wanted::Reopened);
                around = self.nodes[id.0 as usize].parent;
            }
        }
        all
    }

    /// Whether a run that ended can go on from this node: it is a part of it, and was not left out.
    pub(crate) fn can_start_anew(&self, id: NodeId) -> bool {
        let Ok(node) = self.node(id) else { return false };
        if node.parent.is_none() || node.status == TaskStatus::Skipped {
            return false;
        }
        let mut around = Some(id);
        while let Some(at) = around {
            let (Ok(node), Some(parent)) = (self.node(at), self.nodes.get(at.0 as usize).and_then(|node| node.parent))
            else {
                return true;
            };
            let is_void = at != id && !(node.begun && node.current);
            let siblings = &self.nodes[parent.0 as usize];
            let index = siblings.children.iter().position(|child| *child == at);
            if is_void || (siblings.is_loop && index.is_none_or(|index| index >= siblings.items as usize)) {
                return false;
            }
            around = Some(parent);
        }
        true
    }

    pub(super) fn retried(&mut self, from: &[NodeId]) -> Judged {
        let can = match self.status {
            RunStatus::Failed | RunStatus::Canceled => true,
            RunStatus::Succeeded => !from.is_empty(),
            _ => false,
        };
        if !can || !from.iter().all(|id| self.can_start_anew(*id)) {
            return Err(format!("a run that is {:?} goes on from {from:?}", self.status));
        }
        let wanted = self.wanted(from);
        self.nodes.iter_mut().zip(wanted).for_each(|(node, wanted)| node.wanted = wanted);
        for id in from {
            self.node_mut(*id)?.uncached = true;
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
        node.wanted = Wanted::Nothing;
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
        node.wanted = Wanted::Nothing;
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
                let ended_well = ended_well && node.wanted == Wanted::Nothing;
                let begun = node.begun && node.wanted != Wanted::Anew;
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
