//! What the engine has decided and is not durable yet.
//!
//! Effects wait until the facts that led to them are durable. A look-up in the cache is none that could be regretted: it
//! only reads. It is carried out at once, and while the answer is on its way the facts may wait for what it brings, so
//! that a chain of tasks whose results are all in the cache needs few commits, and a task whose result is not needs one
//! fewer. A crash meanwhile loses decisions that nobody has acted upon.

use std::collections::HashSet;
use std::time::Duration;

use penstock_engine::{Effect, Fact, NodeId, RunState, Step};
use penstock_spec::Timestamp;
use tokio::time::Instant;

use crate::projection::{changes_run, is_new_result};

/// Longest time that facts wait for the answer to a look-up.
const LIMIT: Duration = Duration::from_millis(20);
/// Most facts that wait.
const MAX_FACTS: usize = 4096;

/// Facts that are not durable, and the effects that wait for them.
#[derive(Debug, Default)]
pub(crate) struct Held {
    facts: Vec<(Fact, Timestamp)>,
    effects: Vec<Effect>,
    look_ups: Vec<(NodeId, String)>,
    /// Keys of results among the facts: a look-up of one of them has to find it.
    new_keys: HashSet<String>,
    /// Whether somebody outside waits for one of the facts.
    urgent: bool,
    since: Option<Instant>,
    /// Look-ups whose answers are on their way.
    asked: usize,
}

impl Held {
    /// Adds a step that led to `state`.
    pub(crate) fn add(&mut self, state: &RunState, step: Step, now: Timestamp) {
        for fact in step.facts {
            self.urgent |= changes_run(&fact);
            if is_new_result(&fact)
                && let Fact::TaskSucceeded { node, .. } = &fact
                && let Some(key) = state.node(*node).and_then(|view| view.cache_key().map(str::to_owned))
            {
                self.new_keys.insert(key);
            }
            self.since.get_or_insert_with(Instant::now);
            self.facts.push((fact, now));
        }
        for effect in step.effects {
            match effect {
                Effect::LookUpCache { node, key } => self.look_ups.push((node, key)),
                effect => self.effects.push(effect),
            }
        }
    }

    /// The look-ups to carry out at once; they count as asked.
    pub(crate) fn take_look_ups(&mut self) -> Vec<(NodeId, String)> {
        let look_ups = std::mem::take(&mut self.look_ups);
        let (late, early): (Vec<_>, Vec<_>) = look_ups.into_iter().partition(|(_, key)| self.new_keys.contains(key));
        self.effects.extend(late.into_iter().map(|(node, key)| Effect::LookUpCache { node, key }));
        self.asked += early.len();
        early
    }

    /// A look-up was carried out after a commit.
    pub(crate) fn asked(&mut self) {
        self.asked += 1;
    }

    /// An answer arrived.
    pub(crate) fn answered(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    /// Whether everything can wait for an answer that is on its way.
    pub(crate) fn may_wait(&self) -> bool {
        let late = self.since.is_some_and(|since| since.elapsed() > LIMIT);
        self.asked > 0 && self.effects.is_empty() && !self.urgent && !late && self.facts.len() < MAX_FACTS
    }

    /// When the wait ends, if something waits.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.since.map(|since| since + LIMIT)
    }

    /// Takes everything that is to be made durable, and the effects to carry out then.
    pub(crate) fn take(&mut self) -> (Vec<(Fact, Timestamp)>, Vec<Effect>) {
        let look_ups = std::mem::take(&mut self.look_ups);
        self.effects.extend(look_ups.into_iter().map(|(node, key)| Effect::LookUpCache { node, key }));
        self.new_keys.clear();
        (self.urgent, self.since) = (false, None);
        (std::mem::take(&mut self.facts), std::mem::take(&mut self.effects))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(node: u32, key: &str) -> (NodeId, String) {
        (NodeId(node), key.to_owned())
    }

    #[test]
    fn look_up_of_a_result_that_is_not_durable_yet_waits_for_it() {
        let mut held = Held { look_ups: vec![look_up(1, "new"), look_up(2, "old")], ..Held::default() };
        held.new_keys.insert("new".to_owned());
        assert_eq!(held.take_look_ups(), [look_up(2, "old")]);
        assert!(!held.may_wait(), "the other look-up needs the commit");
        let (_, effects) = held.take();
        assert_eq!(effects, [Effect::LookUpCache { node: NodeId(1), key: "new".to_owned() }]);
        held.look_ups.push(look_up(3, "new"));
        assert_eq!(held.take_look_ups(), [look_up(3, "new")], "it is durable now");
    }

    #[test]
    fn facts_wait_only_while_an_answer_is_on_its_way_and_not_for_long() {
        let ready = || (Fact::AttemptStarted { node: NodeId(1), attempt: 0 }, Timestamp::UNIX_EPOCH);
        let mut held = Held { facts: vec![ready()], since: Some(Instant::now()), ..Held::default() };
        assert!(!held.may_wait(), "nothing is on its way");
        held.asked();
        assert!(held.may_wait());
        held.since = Instant::now().checked_sub(LIMIT * 2);
        assert!(held.since.is_none() || !held.may_wait(), "it takes too long");
        assert_eq!(held.take().0.len(), 1);
        held.facts.push(ready());
        held.since = Some(Instant::now());
        held.urgent = true;
        assert!(!held.may_wait(), "somebody waits for it");
        held.urgent = false;
        assert!(held.may_wait());
        held.answered();
        assert!(!held.may_wait());
    }
}
