//! Attempts of tasks that run a container.

use std::sync::Arc;

use penstock_spec::report::{Failure, FailureCause};

use super::Stepper;
use crate::effect::{Effect, Timer};
use crate::fact::{Fact, NodeId};
use crate::identity::attempt_id;
use crate::node::Phase;
use crate::pipeline::Scope;
use crate::resolve::input_failure;
use crate::retry::next_attempt;

impl Stepper<'_> {
    pub(super) fn start_attempt(&mut self, id: NodeId) {
        let Some(node) = self.state.get(id) else { return };
        if !matches!(node.phase, Phase::Ready | Phase::CacheAsked | Phase::Backoff(_)) {
            return;
        }
        if self.state.is_stopping() {
            return self.stop_node(id);
        }
        let inputs = self.state.scope(id);
        self.start_attempt_with(id, &inputs);
    }

    pub(super) fn start_attempt_with(&mut self, id: NodeId, inputs: &Arc<Scope>) {
        if self.state.running >= self.state.capacity {
            self.state.queued.push_back(id);
            return;
        }
        let Some(attempt) = self.state.get(id).map(|node| node.attempts) else { return };
        let Some(plan) = self.state.plan_of(id, attempt, inputs) else {
            return self.fail(id, input_failure("the component of the task runs no container"));
        };
        if self.record(Fact::AttemptStarted { node: id, attempt }) {
            self.effect(Effect::StartAttempt { node: id, plan: Box::new(plan) });
        }
    }

    /// An attempt that runs failed, or is gone.
    pub(super) fn attempt_failed(&mut self, id: NodeId, attempt: u32, failure: Failure, log_uri: Option<String>) {
        if self.state.is_stopping() {
            return self.record_end(id, Fact::TaskCanceled { node: id, attempt: Some(attempt) });
        }
        let Some(spent) = self.state.get(id).map(|node| node.spent) else { return };
        let identity = self.state.task_id(id).map(|task| attempt_id(task, attempt)).unwrap_or_default();
        let delay = next_attempt(failure.cause, spent, self.state.retry_policy(id), identity);
        let retry_at = delay.and_then(|delay| self.now.checked_add(delay).ok());
        let Some(retry_at) = retry_at else {
            let failure = final_failure(failure, spent.user.max(spent.infrastructure));
            return self.record_end(id, Fact::TaskFailed { node: id, attempt: Some(attempt), failure, log_uri });
        };
        if !self.record(Fact::AttemptFailed { node: id, attempt, failure, retry_at, log_uri }) {
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
