//! Crashes: the state is thrown away and folded again from what was committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_engine::{Effect, Event, NodeId, NodeView, RunState, Timer, outstanding};
use penstock_spec::report::{Failure, FailureCause};

use super::{Broken, Host, Judged, Tape, shown};
use crate::observer::{Limits, Observer};

impl<'a> Host<'a> {
    fn folded(&self, facts: usize) -> Result<RunState, String> {
        let lost = if self.broken == Some(Broken::LosesFacts) && facts > 8 { Some(facts / 2) } else { None };
        let facts = self.log.iter().take(facts).enumerate().filter(|(at, _)| Some(*at) != lost);
        RunState::fold(Arc::clone(&self.case.pipeline), facts.map(|(_, (fact, at))| (fact, *at)))
            .map_err(|error| error.to_string())
    }

    /// The fold of the log is the state, and the effects that it waits for are those in flight.
    pub(super) fn check_fold(&self) -> Judged {
        let mut folded = self.folded(self.log.len())?;
        let of_run = |state: &RunState| {
            let (status, failure, outputs) = (state.status(), state.failure().cloned(), state.outputs().cloned());
            (status, failure, outputs, state.stop_reason().map(str::to_owned), state.ended_at())
        };
        let (found, wanted) = (of_run(&folded), of_run(&self.state));
        if found != wanted || folded.node_count() != self.state.node_count() {
            return Err(format!("the fold of the run is {found:?}, but should be {wanted:?}"));
        }
        if let Some((found, wanted)) = folded.nodes().zip(self.state.nodes()).find(|(it, other)| !same(it, other)) {
            let (path, before) = (found.path(), wanted.inputs());
            let (inputs, wanted) = (found.inputs(), shown_view(&wanted));
            return Err(format!(
                "the fold of {path:?} is {} with {inputs:?}, but should be {wanted} with {before:?}",
                shown_view(&found)
            ));
        }
        let effects = outstanding(&folded);
        if let Some(missing) = self.in_flight.iter().find(|effect| !effects.contains(effect)) {
            return Err(format!("the fold does not wait for {missing:?}"));
        }
        // Answered already, but without room for the attempt: it will be asked for once more.
        let queued = |effect: &Effect| {
            self.observer.running() >= self.capacity
                && matches!(effect, Effect::LookUpCache { .. } | Effect::SetTimer { timer: Timer::Retry { .. }, .. })
        };
        if let Some(more) = effects.iter().find(|effect| !self.in_flight.contains(effect) && !queued(effect)) {
            return Err(format!("the fold waits for {more:?}"));
        }
        folded.set_capacity(self.capacity);
        let resumed = folded.resume(self.now);
        match resumed.is_empty() {
            true => Ok(()),
            false => Err(format!("a log of whole steps left something open: {resumed:?}")),
        }
    }

    /// Dies between two steps.
    pub(super) fn crash(&mut self) -> Judged {
        self.note("crash");
        self.check_fold()?;
        self.recover()
    }

    /// Comes back with what was committed.
    pub(super) fn recover(&mut self) -> Judged {
        self.state = self.folded(self.log.len())?;
        if self.case.troubles[0] % 4 == 3 && self.tape.next() % 4 == 3 {
            self.note("another capacity");
            self.capacity = 1 + self.tape.below(4) as u32;
        }
        self.state.set_capacity(self.capacity);
        if self.broken != Some(Broken::DoesNotResume) {
            let step = self.state.resume(self.now);
            self.take(step)?;
        }
        self.in_flight = outstanding(&self.state);
        for effect in self.in_flight.clone() {
            self.check_effect(&effect)?;
            if let Effect::StartAttempt { node, plan } = effect
                && self.tape.next() % 4 == 3
            {
                self.note("interrupted attempt");
                let failure = Failure { cause: FailureCause::Interrupted, message: "was away".to_owned() };
                self.in_flight
                    .retain(|other| !matches!(other, Effect::StartAttempt { node: other, .. } if node == *other));
                self.deliver(Event::TaskLost { node, attempt: plan.task.attempt, failure, timings: None }, None)?;
            }
        }
        Ok(())
    }

    /// Cuts the whole log somewhere and carries on from there: the run comes to the same end.
    pub(super) fn check_forks(&mut self) -> Judged {
        let count = usize::from(self.case.troubles[5] % 4);
        for cut in 0..count {
            if self.log.len() < 2 {
                return Ok(());
            }
            let facts = 1 + (usize::from(self.case.troubles[5] / 4) * (cut + 1)) % (self.log.len() - 1);
            self.note("crash after any fact");
            let mut observer = Observer::new(&self.case.spec);
            let limits = Limits { capacity: u32::MAX, stricter: 0 };
            for (fact, _) in &self.log[..facts] {
                observer.see(fact, limits)?;
            }
            // What starts later may have other numbers there.
            let started = |node: NodeId, attempt| observer.node(node).is_ok_and(|node| attempt < node.attempts);
            let plans = self.plans.iter().filter(|((node, attempt), _)| started(*node, *attempt));
            let plans = plans.map(|(attempt, plan)| (*attempt, plan.clone())).collect();
            let mut fork = Host {
                state: self.folded(facts)?,
                observer,
                expected: self.expected.clone(),
                log: self.log[..facts].to_vec(),
                now: self.log[facts - 1].1,
                in_flight: Vec::new(),
                plans,
                cache_keys: BTreeMap::new(),
                history: Vec::new(),
                reports: Vec::new(),
                tape: Tape { bytes: [].iter() },
                ..*self
            };
            if fork.observer.status.is_final() {
                continue;
            }
            let ended = fork.recover().and_then(|()| fork.carry_on());
            ended.map_err(|reason| {
                format!("after a crash at fact {facts}: {reason}; then:\n{}", shown(&fork.log[facts..]))
            })?;
        }
        Ok(())
    }

    fn carry_on(&mut self) -> Judged {
        for _ in 0..super::MOST_TURNS {
            if self.state.status().is_final() {
                return self.check_end();
            }
            self.turn()?;
        }
        Err("the run does not end".to_owned())
    }
}

/// Whether all that can be seen of a node is the same.
fn same(it: &NodeView<'_>, other: &NodeView<'_>) -> bool {
    let times = |it: &NodeView<'_>| (it.started_at, it.ended_at, it.retry_at);
    let place = |it: &NodeView<'_>| (it.id, it.parent, it.kind, it.iteration, it.items);
    place(it) == place(other)
        && (it.status, it.attempt, it.ran_on_host) == (other.status, other.attempt, other.ran_on_host)
        && times(it) == times(other)
        && it.key == other.key
        && it.outputs() == other.outputs()
        && it.failure() == other.failure()
        && it.skip_reason() == other.skip_reason()
        && it.cached_from() == other.cached_from()
        && (it.cache_key(), it.log_uri()) == (other.cache_key(), other.log_uri())
        && it.inputs() == other.inputs()
}

fn shown_view(it: &NodeView<'_>) -> String {
    let (outputs, reason) = (it.outputs(), it.skip_reason());
    let end = format!("{outputs:?} {:?} {reason:?} {:?}", it.failure(), it.cached_from());
    let times = format!("{:?} {:?} {:?}", it.started_at, it.ended_at, it.retry_at);
    format!("{:?} {:?} {:?} {:?} {:?} {end} {times}", it.id, it.kind, it.status, it.attempt, it.items)
}
