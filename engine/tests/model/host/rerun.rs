//! From which tasks a run goes on that has ended.

use penstock_engine::{Event, NodeId};
use penstock_spec::run::RunStatus;

use super::{Host, Judged};

/// Nodes of a run that cannot start anew and are tried nevertheless.
const MOST_VOID: usize = 3;

impl Host<'_> {
    /// The tasks that are to start anew whatever they came to; in half of the cases none.
    pub(super) fn named(&self, round: usize) -> Vec<NodeId> {
        let trouble = usize::from(self.case.troubles[5]);
        let all = (0..).map(NodeId).take(self.observer.nodes.len());
        let can: Vec<NodeId> = all.filter(|id| self.observer.can_start_anew(*id)).collect();
        let pick = |choice: usize| can.get(choice.checked_rem(can.len())?).copied();
        let choice = trouble / 4 + 11 * round;
        let named = match trouble % 4 {
            2 => [pick(choice), None],
            3 => [pick(choice), pick(2 * choice + 1)],
            _ => [None, None],
        };
        named.into_iter().flatten().collect()
    }

    /// What is no part of the run any more, or was left out, cannot start anew; nor can the run as a whole.
    pub(super) fn starts_nothing_void_anew(&mut self) -> Judged {
        // One number more than there are nodes.
        let all = (0..).map(NodeId).take(self.observer.nodes.len() + 1);
        let void: Vec<NodeId> = all.filter(|id| !self.observer.can_start_anew(*id)).collect();
        let ends = void.iter().take(MOST_VOID).chain(void.last());
        ends.copied().collect::<Vec<_>>().into_iter().try_for_each(|id| {
            let from = self.named(0).into_iter().chain([id]).collect();
            self.changes_nothing(&Event::RetryFrom { from })
        })
    }

    pub(super) fn note_rerun(&self, from: &[NodeId]) -> Judged {
        if self.state.status() == RunStatus::Succeeded {
            self.note("rerun of a run that succeeded");
        }
        if from.len() > 1 {
            self.note("rerun from several");
        }
        for id in from {
            let path = &self.observer.node(*id)?.path;
            let is_group = !self.state.children(*id).is_empty();
            self.note(match (path.ends_with(']'), is_group) {
                (true, _) => "rerun from an iteration",
                (false, true) => "rerun from a group",
                (false, false) if path.contains('[') => "rerun from within a loop",
                (false, false) => "rerun from a task",
            });
        }
        self.note(if self.observer.stopping { "rerun of a stopped run" } else { "rerun" });
        Ok(())
    }
}
