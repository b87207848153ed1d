//! What ought to be in flight. For loading only: a host compares it with the world and does what is missing.

use crate::effect::{Effect, Timer};
use crate::fact::NodeId;
use crate::node::Phase;
use crate::state::RunState;

/// Effects whose answers the run still waits for. Each may have been carried out already.
pub fn outstanding(state: &RunState) -> Vec<Effect> {
    let Some(run) = state.run.as_ref().filter(|run| !run.status.is_final()) else { return Vec::new() };
    let mut effects = Vec::new();
    if let Some(at) = run.deadline.filter(|_| run.stopping.is_none()) {
        effects.push(Effect::SetTimer { timer: Timer::RunDeadline, at });
    }
    effects.extend(state.ids().filter_map(|id| outstanding_of(state, id)));
    effects
}

fn outstanding_of(state: &RunState, id: NodeId) -> Option<Effect> {
    let node = state.get(id)?;
    match node.phase {
        Phase::CacheAsked => Some(Effect::LookUpCache { node: id, key: node.cache_key.as_deref()?.to_owned() }),
        Phase::Importing => {
            let request = state.import_request(id, &state.scope(id)).ok()?;
            Some(Effect::Import { node: id, request: Box::new(request) })
        }
        Phase::Attempt if state.is_stopping() => {
            Some(Effect::StopAttempt { node: id, attempt: node.latest_attempt()? })
        }
        Phase::Attempt => Some(Effect::StartAttempt { node: id, plan: Box::new(state.plan(id)?) }),
        Phase::Backoff(at) => Some(Effect::SetTimer { timer: Timer::Retry { node: id, attempt: node.attempts }, at }),
        Phase::Waiting | Phase::Starting | Phase::Ready | Phase::Within | Phase::Ended => None,
    }
}
