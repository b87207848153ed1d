//! Ends of nodes and attempts.

use penstock_engine::{Fact, NodeId, SkipReason};
use penstock_spec::run::TaskStatus;

use super::{Judged, Observer};
use crate::expected::{End, Outputs};

impl Observer<'_> {
    pub(super) fn attempt_ended(&mut self, id: NodeId, attempt: Option<u32>) -> Judged {
        let node = self.node_mut(id)?;
        match attempt {
            Some(attempt) if !node.running || attempt + 1 != node.attempts => {
                Err(format!("attempt {attempt} of {:?} ends, but it does not run", node.path))
            }
            None if node.running => Err(format!("{:?} ends while an attempt runs", node.path)),
            _ => {
                node.running = false;
                Ok(())
            }
        }
    }

    pub(super) fn ended(&mut self, fact: &Fact) -> Judged {
        match fact {
            Fact::TaskSucceeded { node, attempt, outputs, .. } => {
                self.attempt_ended(*node, *attempt)?;
                self.node_mut(*node)?.outputs = Outputs::from(outputs);
                self.ends(*node, TaskStatus::Succeeded, true)
            }
            Fact::TaskFailed { node, attempt, .. } => {
                let running = self.node(*node)?.running;
                self.attempt_ended(*node, attempt.filter(|_| running))?;
                self.ends(*node, TaskStatus::Failed, false)
            }
            Fact::TaskCanceled { node, attempt, .. } => {
                let running = self.node(*node)?.running;
                self.attempt_ended(*node, attempt.filter(|_| running))?;
                self.ends(*node, TaskStatus::Canceled, false)
            }
            Fact::TaskSkipped { node, reason } => {
                self.ended_before(*node, self.task(*node)?)?;
                self.ends(*node, TaskStatus::Skipped, false)?;
                self.node_mut(*node)?.skipped = match reason {
                    SkipReason::Condition { .. } => Some(End::NotTriggered),
                    SkipReason::Upstream { .. } => Some(End::Unschedulable { failed: false }),
                    SkipReason::UpstreamFailed { .. } => None,
                };
                Ok(())
            }
            Fact::DagEnded { node, status, outputs, .. } => {
                let (children, is_loop) = (self.node(*node)?.children.clone(), self.node(*node)?.is_loop);
                for child in children {
                    let child = self.node(child)?;
                    let taken_up = !is_loop || child.round == Some(self.round);
                    if taken_up && !child.status.is_final() {
                        return Err(format!("{:?} ends before {:?}", self.node(*node)?.path, child.path));
                    }
                }
                self.node_mut(*node)?.outputs = Outputs::from(outputs);
                self.ends(*node, *status, true)
            }
            other => Err(format!("no end of a node: {other:?}")),
        }
    }

    /// A node ends once in each start of it.
    fn ends(&mut self, id: NodeId, status: TaskStatus, must_run: bool) -> Judged {
        let node = self.node_mut(id)?;
        if node.status.is_final() || (must_run && node.status != TaskStatus::Running) {
            return Err(format!("{:?} ends as {status:?}, but it is {:?}", node.path, node.status));
        }
        node.status = status;
        node.skipped = None;
        node.uncached &= status != TaskStatus::Succeeded;
        if status != TaskStatus::Succeeded {
            node.outputs = Outputs::default();
        }
        Ok(())
    }
}
