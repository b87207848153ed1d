//! Events: which of them still mean something, and what they lead to.

use penstock_spec::report::{Failure, FailureCause, Outcome, Report};
use penstock_spec::run::{RunInfo, RunStatus};
use serde_json::{Map, Value};

use super::attempts::Attempted;
use super::{Stepper, Work};
use crate::effect::{Effect, Timer};
use crate::event::{CacheHit, Event, ImportResult};
use crate::fact::{Fact, NodeId};
use crate::node::{NodeKind, Phase};
use crate::parameters::{self, ParameterError};
use crate::state::Stopping;

impl Stepper<'_> {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Start { run, parameters } => self.start_run(run, parameters),
            Event::CacheAnswered { node, hit } => self.cache_answered(node, hit),
            Event::ImportAnswered { node, result } => self.import_answered(node, result),
            Event::TaskReported { node, report } => self.task_reported(node, report),
            Event::TaskLost { node, attempt, failure, timings } => {
                if self.is_running(node, attempt) {
                    self.attempt_failed(node, attempt, Attempted { failure, log_uri: None, timings });
                }
            }
            Event::TimerDue { timer: Timer::Retry { node, attempt } } => self.retry_due(node, attempt),
            Event::TimerDue { timer: Timer::RunDeadline } => self.deadline_due(),
            Event::Terminate { reason } => {
                if self.is_under_way() {
                    self.stop_run(Fact::CancelRequested { reason });
                }
            }
            Event::Retry => self.retry_run(Vec::new()),
            Event::RetryFrom { from } => self.retry_run(from),
        }
    }

    /// Whether the run has started, has not ended, and is not being stopped.
    fn is_under_way(&self) -> bool {
        self.state.status() == RunStatus::Running
    }

    fn start_run(&mut self, run: RunInfo, given: Map<String, Value>) {
        if self.state.run.is_some() {
            return;
        }
        match parameters::resolve(&self.state.pipeline, &given, &run) {
            Ok(parameters) => {
                self.record(Fact::RunStarted { run, parameters });
                self.set_deadline();
                self.queue.push_back(Work::Begin(NodeId::ROOT));
            }
            Err(error) => {
                self.record(Fact::RunStarted { run, parameters: given });
                self.refuse(&error);
            }
        }
    }

    fn refuse(&mut self, error: &ParameterError) {
        let failure = Failure { cause: FailureCause::Input, message: error.full_message() };
        self.record(Fact::RunEnded {
            status: RunStatus::Failed,
            outputs: penstock_spec::report::TaskOutputs::default(),
            failure: Some(failure),
        });
    }

    /// Refuses the parameters of a run whose log ends before it says so.
    pub(super) fn refuse_again(&mut self) {
        let starts = |root: &crate::node::Node| root.phase == Phase::Starting;
        if !self.state.get(NodeId::ROOT).is_some_and(starts) {
            return;
        }
        let Some(run) = self.state.run.as_ref().filter(|run| !run.status.is_final()) else { return };
        if let Some(error) = parameters::refused(&self.state.pipeline, &run.parameters, &run.info) {
            self.refuse(&error);
        }
    }

    fn set_deadline(&mut self) {
        if let Some(at) = self.state.run.as_ref().and_then(|run| run.deadline) {
            self.effect(Effect::SetTimer { timer: Timer::RunDeadline, at });
        }
    }

    fn cache_answered(&mut self, id: NodeId, hit: Option<CacheHit>) {
        if self.state.get(id).is_none_or(|node| node.phase != Phase::CacheAsked) {
            return;
        }
        match hit {
            None => self.start_attempt(id),
            Some(CacheHit { source, outputs }) => self.record_end(
                id,
                Fact::TaskSucceeded {
                    node: id,
                    attempt: None,
                    outputs,
                    cached_from: Some(source),
                    log_uri: None,
                    ran_on_host: false,
                    timings: None,
                },
            ),
        }
    }

    fn import_answered(&mut self, id: NodeId, result: ImportResult) {
        let importing = |node: &crate::node::Node| node.kind == NodeKind::Importer && node.phase == Phase::Importing;
        if !self.state.get(id).is_some_and(importing) {
            return;
        }
        match result {
            ImportResult::Imported(artifact) => {
                let outputs = self.state.imported(id, *artifact);
                self.record_end(
                    id,
                    Fact::TaskSucceeded {
                        node: id,
                        attempt: None,
                        outputs,
                        cached_from: None,
                        log_uri: None,
                        ran_on_host: false,
                        timings: None,
                    },
                );
            }
            ImportResult::Failed(failure) => self.fail(id, failure),
        }
    }

    fn task_reported(&mut self, id: NodeId, report: Report) {
        let run = self.state.info().map(|info| info.id);
        let attempt = report.attempt.attempt;
        let names_it = Some(report.attempt.run_id) == run && Some(report.attempt.task_id) == self.state.task_id(id);
        if !names_it || !self.is_running(id, attempt) {
            return;
        }
        let Report { outcome, log_uri, ran_on_host, timings, .. } = report;
        match outcome {
            Outcome::Succeeded(outputs) => self.record_end(
                id,
                Fact::TaskSucceeded {
                    node: id,
                    attempt: Some(attempt),
                    outputs,
                    cached_from: None,
                    log_uri,
                    ran_on_host,
                    timings,
                },
            ),
            Outcome::Failed(failure) => self.attempt_failed(id, attempt, Attempted { failure, log_uri, timings }),
        }
    }

    fn is_running(&self, id: NodeId, attempt: u32) -> bool {
        let node = self.state.get(id);
        node.is_some_and(|node| node.phase == Phase::Attempt && node.latest_attempt() == Some(attempt))
    }

    fn retry_due(&mut self, id: NodeId, attempt: u32) {
        let due = |node: &crate::node::Node| matches!(node.phase, Phase::Backoff(_)) && node.attempts == attempt;
        if self.state.get(id).is_some_and(due) {
            self.queue.push_back(Work::Attempt(id));
        }
    }

    fn deadline_due(&mut self) {
        if !self.is_under_way() {
            return;
        }
        let deadline = self.state.run.as_ref().and_then(|run| run.deadline);
        let (Some(at), Some(seconds)) = (deadline, self.state.pipeline.active_deadline_seconds()) else { return };
        if self.now < at {
            // The timer of an earlier round of this run, or of a clock that is ahead.
            self.set_deadline();
            return;
        }
        self.stop_run(Fact::DeadlineExceeded { seconds });
    }

    fn stop_run(&mut self, fact: Fact) {
        if !self.record(fact) {
            return;
        }
        for id in self.state.ids() {
            if self.state.get(id).is_some_and(|node| !node.status.is_final()) {
                self.queue.push_back(Work::Stop(id));
            }
        }
    }

    /// Brings one node to an end while the run is being stopped.
    pub(super) fn stop_node(&mut self, id: NodeId) {
        let Some(node) = self.state.get(id).filter(|node| !node.status.is_final()) else { return };
        match node.phase {
            Phase::Attempt => {
                if let Some(attempt) = node.latest_attempt() {
                    self.effect(Effect::StopAttempt { node: id, attempt });
                }
            }
            Phase::Backoff(_) => {
                let attempt = node.latest_attempt();
                self.record_end(id, Fact::TaskCanceled { node: id, attempt, timings: None });
            }
            Phase::Waiting | Phase::Starting | Phase::CacheAsked | Phase::Ready | Phase::Importing => {
                self.record_end(id, Fact::TaskCanceled { node: id, attempt: None, timings: None });
            }
            Phase::Within => self.queue.push_back(Work::Settle(id)),
            Phase::Ended => {}
        }
    }

    fn retry_run(&mut self, from: Vec<NodeId>) {
        if self.state.retry_refusal(&from, self.now).is_some() {
            return;
        }
        if self.record(Fact::RetryRequested { from }) {
            self.set_deadline();
            self.look_everywhere();
        }
    }

    pub(super) fn end_run(&mut self) {
        let Some(run) = self.state.run.as_ref().filter(|run| !run.status.is_final()) else { return };
        let Some(root) = self.state.get(NodeId::ROOT).filter(|root| root.status.is_final()) else { return };
        let (status, failure) = match &run.stopping {
            Some(Stopping::Canceled { .. }) => (RunStatus::Canceled, None),
            Some(Stopping::DeadlineExceeded { reason }) => {
                let failure = Failure { cause: FailureCause::Timeout, message: reason.clone() };
                (RunStatus::Failed, Some(failure))
            }
            None => match root.status {
                penstock_spec::run::TaskStatus::Succeeded => (RunStatus::Succeeded, None),
                penstock_spec::run::TaskStatus::Canceled => (RunStatus::Canceled, None),
                _ => (RunStatus::Failed, root.failure().cloned()),
            },
        };
        let outputs = match status {
            RunStatus::Succeeded => self.state.outputs_of(NodeId::ROOT).clone(),
            _ => penstock_spec::report::TaskOutputs::default(),
        };
        self.record(Fact::RunEnded { status, outputs, failure });
    }
}
