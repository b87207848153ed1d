//! Events that must change nothing: repeated, late, foreign, of attempts that are not there.

use penstock_engine::{Effect, Event, ImportResult, NodeId, Timer};
use penstock_spec::report::{Failure, FailureCause, Outcome, TaskOutputs};
use uuid::Uuid;

use super::{Host, Judged};
use crate::world::artifact;

impl Host<'_> {
    /// Gives the engine an event that means nothing any more.
    pub(super) fn changes_nothing(&mut self, event: &Event) -> Judged {
        let step = self.state.step(event.clone(), self.now);
        if step.is_empty() {
            return Ok(());
        }
        Err(format!("an event that means nothing changed something: {event:?} led to {step:?}"))
    }

    /// Repeats an earlier event, or contradicts it.
    pub(super) fn repeat(&mut self) -> Judged {
        let all: Vec<&Event> = self.reports.iter().chain(&self.history).collect();
        let Some(event) = all.get(self.tape.below(all.len())).map(|event| (*event).clone()) else { return Ok(()) };
        if self.answers(&event) {
            return Ok(());
        }
        let mut event = event;
        if let Event::TaskReported { report, .. } = &mut event
            && self.tape.next().is_multiple_of(2)
        {
            self.note("contradiction");
            report.outcome = match &report.outcome {
                Outcome::Succeeded(_) => Outcome::Failed(failure(FailureCause::User)),
                Outcome::Failed(_) => Outcome::Succeeded(TaskOutputs::default()),
            };
        }
        self.note("late event");
        self.changes_nothing(&event)
    }

    /// Whether an event would be an answer once more: after a crash, what waited for room asks again.
    fn answers(&self, event: &Event) -> bool {
        self.in_flight.iter().any(|effect| match (event, effect) {
            (Event::CacheAnswered { node, .. }, Effect::LookUpCache { node: other, .. }) => node == other,
            (Event::TimerDue { timer }, Effect::SetTimer { timer: other, .. }) => timer == other,
            _ => false,
        })
    }

    /// Tells of what is not there.
    pub(super) fn foreign(&mut self) -> Judged {
        self.note("foreign event");
        let node = NodeId(self.tape.below(self.observer.nodes.len() + 2) as u32);
        let attempt = self.observer.node(node).map_or(0, |node| node.attempts);
        let report = |run_id, task_id, attempt| Event::TaskReported {
            node,
            report: penstock_spec::report::Report {
                attempt: penstock_spec::report::AttemptRef { run_id, task_id, attempt },
                outcome: Outcome::Succeeded(TaskOutputs::default()),
                exit_code: Some(0),
                log_uri: None,
                manifest_digest: None,
                ran_on_host: true,
                timings: None,
            },
        };
        let (run, task) = (super::run_info().id, self.state.task_id(node).unwrap_or_default());
        let asks = self.state.node(node).is_some_and(|node| node.is_asking_cache());
        let imports = self.state.node(node).is_some_and(|node| node.kind == penstock_engine::NodeKind::Importer);
        let event = match self.tape.next() % 8 {
            0 => report(Uuid::from_u128(9), task, attempt.saturating_sub(1)),
            1 => report(run, Uuid::from_u128(9), attempt.saturating_sub(1)),
            2 => report(run, task, attempt),
            3 => Event::TaskLost { node, attempt, failure: failure(FailureCause::Infrastructure), timings: None },
            4 if !asks => Event::CacheAnswered { node, hit: None },
            5 if !imports => {
                let result = ImportResult::Imported(Box::new(artifact("a", "s3://b/k".to_owned())));
                Event::ImportAnswered { node, result }
            }
            6 => Event::TimerDue { timer: Timer::Retry { node, attempt: attempt.saturating_add(1) } },
            _ => Event::Start { run: super::run_info(), parameters: serde_json::Map::new() },
        };
        self.changes_nothing(&event)
    }
}

fn failure(cause: FailureCause) -> Failure {
    Failure { cause, message: "told by somebody else".to_owned() }
}
