//! The only place where a run advances: an event goes in, facts and effects come out.
//!
//! What a fact makes possible is put in a queue and taken up in turn, so a cascade is one call, costs what it changes,
//! and needs no stack however deep the pipeline is. An event that is late, repeated or about another attempt changes
//! nothing.
//!
//! Decisions where the rules leave room:
//! - A failed task does not stop its independent siblings; only what depends on it is skipped.
//! - Exit tasks and tasks that ignore upstream failures always run, except while the run is being stopped. One that
//!   fails fails its DAG, and one that succeeds does not save it.
//! - A failed iteration fails its loop: running iterations finish, no further ones start. Those that never started have
//!   no node; the loop's failure says how many there were.
//! - While a run is stopped (cancelled, or over its time) nothing new starts, exit tasks included; running attempts are
//!   told to stop, and one that succeeds nevertheless is recorded as such. A cancelled run ends cancelled, whatever its
//!   tasks managed to do; one over its time fails.

mod attempts;
mod events;
mod groups;
mod tasks;

use std::collections::VecDeque;

use penstock_spec::Timestamp;
use penstock_spec::run::TaskStatus;

use crate::effect::Effect;
use crate::event::Event;
use crate::fact::{Fact, NodeId};
use crate::node::Phase;
use crate::state::{RunState, Step};

impl RunState {
    /// Advances the run. The facts are part of the state already; if they cannot be stored, the state is to be thrown
    /// away and folded again.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Step {
        let mut stepper = Stepper::new(self, now);
        stepper.take(event);
        stepper.finish()
    }

    /// Decides what a log that ends in the middle of a step left open. A log of whole steps leaves nothing.
    pub fn resume(&mut self, now: Timestamp) -> Step {
        let mut stepper = Stepper::new(self, now);
        stepper.refuse_again();
        stepper.look_everywhere();
        stepper.finish()
    }
}

/// Something to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A task whose dependencies have ended.
    Consider(NodeId),
    /// A node of which it was decided that it starts.
    Begin(NodeId),
    /// A task that may start its attempt when it is its turn.
    Attempt(NodeId),
    /// A task whose turn it is to start its attempt.
    Admit(NodeId),
    /// A loop that may have room for another iteration.
    Iterate(NodeId),
    /// A group of which everything may have ended.
    Settle(NodeId),
    /// The root ended.
    EndRun,
    /// A node that runs, or waits to, while the run is being stopped.
    Stop(NodeId),
}

struct Stepper<'a> {
    state: &'a mut RunState,
    now: Timestamp,
    step: Step,
    queue: VecDeque<Work>,
}

impl<'a> Stepper<'a> {
    fn new(state: &'a mut RunState, now: Timestamp) -> Self {
        Stepper { state, now, step: Step::default(), queue: VecDeque::new() }
    }

    fn finish(mut self) -> Step {
        while let Some(work) = self.queue.pop_front().or_else(|| self.next_in_line()) {
            match work {
                Work::Consider(id) => self.consider(id),
                Work::Begin(id) => self.begin(id),
                Work::Attempt(id) => self.start_attempt(id),
                Work::Admit(id) => self.admit(id),
                Work::Iterate(id) => self.iterate(id),
                Work::Settle(id) => self.settle(id),
                Work::EndRun => self.end_run(),
                Work::Stop(id) => self.stop_node(id),
            }
        }
        self.step
    }

    /// The task that has waited longest for room, if there is room.
    fn next_in_line(&mut self) -> Option<Work> {
        let room = self.state.running < self.state.capacity;
        self.state.queued.pop_front_if(|_| room).map(Work::Admit)
    }

    /// Applies a fact and keeps it. Facts that do not fit the state are a fault of this crate; they are left out, and
    /// what depends on them does not happen.
    fn record(&mut self, fact: Fact) -> bool {
        match self.state.apply(&fact, self.now) {
            Ok(()) => {
                self.step.facts.push(fact);
                true
            }
            Err(error) => {
                debug_assert!(false, "{error}: {fact:?}");
                false
            }
        }
    }

    /// Records the end of a node and looks at what that makes possible.
    fn record_end(&mut self, id: NodeId, fact: Fact) {
        if self.record(fact) {
            self.follow_end(id);
        }
    }

    fn follow_end(&mut self, id: NodeId) {
        let Some(parent) = self.state.parent(id) else {
            self.queue.push_back(Work::EndRun);
            return;
        };
        if self.state.is_loop(parent) {
            self.queue.push_back(Work::Iterate(parent));
            return;
        }
        let pipeline = std::sync::Arc::clone(&self.state.pipeline);
        let slot = self.state.get(id).map_or(0, |node| node.slot as usize);
        let dag = self.state.get(parent).and_then(|node| pipeline.component(node.component).dag());
        for dependent in dag.and_then(|dag| dag.tasks.get(slot)).into_iter().flat_map(|task| &task.dependents) {
            let Some(dependent) = self.state.child(parent, *dependent) else { continue };
            if self.state.get(dependent).is_some_and(|node| node.waiting == 0 && node.phase == Phase::Waiting) {
                self.queue.push_back(Work::Consider(dependent));
            }
        }
        if self.state.group(parent).is_some_and(|group| group.active == 0) {
            self.queue.push_back(Work::Settle(parent));
        }
    }

    /// Queues everything that could go on. Used where the whole state changed: loading, and a run that goes on.
    fn look_everywhere(&mut self) {
        if self.state.run.as_ref().is_none_or(|run| run.status.is_final()) {
            return;
        }
        let stopping = self.state.is_stopping();
        for id in self.state.ids() {
            let Some(node) = self.state.get(id) else { continue };
            let parent_runs = id == NodeId::ROOT
                || self.state.get(node.parent).is_some_and(|parent| parent.status == TaskStatus::Running);
            if node.status.is_final() || !parent_runs {
                continue;
            }
            let work = match node.phase {
                Phase::Waiting if node.iteration => continue,
                Phase::Waiting if stopping || node.waiting == 0 => Work::Consider(id),
                Phase::Starting => Work::Begin(id),
                Phase::Ready => Work::Attempt(id),
                Phase::Within if self.state.is_loop(id) => Work::Iterate(id),
                Phase::Within => Work::Settle(id),
                Phase::CacheAsked | Phase::Importing | Phase::Backoff(_) if stopping => Work::Stop(id),
                _ => continue,
            };
            self.queue.push_back(work);
        }
        if self.state.get(NodeId::ROOT).is_some_and(|root| root.status.is_final()) {
            self.queue.push_back(Work::EndRun);
        }
    }

    fn effect(&mut self, effect: Effect) {
        self.step.effects.push(effect);
    }
}
