//! Attempts of tasks that run a container.

use std::sync::Arc;

use penstock_spec::report::{Failure, FailureCause};
use penstock_spec::timings::Timings;

use super::Stepper;
use crate::effect::{Effect, Timer};
use crate::fact::{Fact, NodeId};
use crate::identity::attempt_id;
use crate::node::Phase;
use crate::pipeline::Scope;
use crate::resolve::input_failure;
use crate::retry::next_attempt;

/// What is known of an attempt that failed.
pub(super) struct Attempted {
    pub(super) failure: Failure,
    pub(super) log_uri: Option<String>,
    pub(super) timings: Option<Box<Timings>>,
}

impl Stepper<'_> {
    pub(super) fn start_attempt(&mut self, id: NodeId) {
        if self.may_start(id) {
            self.start_attempt_with(id, None);
        }
    }

    /// Starts an attempt, or lets it wait: for room, and for those that wait already.
    pub(super) fn start_attempt_with(&mut self, id: NodeId, inputs: Option<&Arc<Scope>>) {
        if self.state.running >= self.state.capacity || !self.state.queued.is_empty() {
            self.state.queued.push_back(id);
            return;
        }
        match inputs {
            Some(inputs) => self.launch(id, inputs),
            None => self.launch(id, &self.state.scope(id)),
        }
    }

    /// Starts an attempt that waited for room, and for which there is some.
    pub(super) fn admit(&mut self, id: NodeId) {
        if self.may_start(id) {
            self.launch(id, &self.state.scope(id));
        }
    }

    /// Whether a node still waits for an attempt. One that does while the run is being stopped is stopped instead.
    fn may_start(&mut self, id: NodeId) -> bool {
        let Some(node) = self.state.get(id) else { return false };
        if !matches!(node.phase, Phase::Ready | Phase::CacheAsked | Phase::Backoff(_)) {
            return false;
        }
        if self.state.is_stopping() {
            self.stop_node(id);
            return false;
        }
        true
    }

    fn launch(&mut self, id: NodeId, inputs: &Arc<Scope>) {
        let Some(attempt) = self.state.get(id).map(|node| node.attempts) else { return };
        let Some(plan) = self.state.plan_of(id, attempt, inputs) else {
            return self.fail(id, input_failure("the component of the task runs no container"));
        };
        if self.record(Fact::AttemptStarted { node: id, attempt }) {
            self.effect(Effect::StartAttempt { node: id, plan: Box::new(plan) });
        }
    }

    /// An attempt that runs failed, or is gone.
    pub(super) fn attempt_failed(&mut self, id: NodeId, attempt: u32, attempted: Attempted) {
        let Attempted { failure, log_uri, timings } = attempted;
        if self.state.is_stopping() {
            return self.record_end(id, Fact::TaskCanceled { node: id, attempt: Some(attempt), timings });
        }
        let Some(spent) = self.state.get(id).map(|node| node.spent) else { return };
        let identity = self.state.task_id(id).map(|task| attempt_id(task, attempt)).unwrap_or_default();
        let delay = next_attempt(failure.cause, spent, self.state.retry_policy(id), identity);
        let retry_at = delay.and_then(|delay| self.now.checked_add(delay).ok());
        let Some(retry_at) = retry_at else {
            let failure = final_failure(failure, spent.user.saturating_add(spent.infrastructure));
            let failed = Fact::TaskFailed { node: id, attempt: Some(attempt), failure, log_uri, timings };
            return self.record_end(id, failed);
        };
        if !self.record(Fact::AttemptFailed { node: id, attempt, failure, retry_at, log_uri, timings }) {
            return;
        }
        if retry_at <= self.now {
            self.start_attempt(id);
        } else {
            let timer = Timer::Retry { node: id, attempt: attempt.saturating_add(1) };
            self.effect(Effect::SetTimer { timer, at: retry_at });
        }
    }
}

/// The last failure, with how many attempts went before it.
fn final_failure(mut failure: Failure, earlier: u32) -> Failure {
    let counts = !matches!(failure.cause, FailureCause::Canceled | FailureCause::Upstream);
    if earlier > 0 && counts {
        failure.message = format!("{} (after {} attempts)", failure.message, earlier.saturating_add(1));
    }
    failure
}
