//! What the state of a run forgets: when each attempt of a task began and ended, and how. Gathered from the same facts as
//! the state, one after the other.

use std::collections::HashMap;

use penstock_engine::{Fact, NodeId};
use penstock_spec::Timestamp;
use penstock_spec::report::Failure;
use penstock_spec::timings::Timings;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    Canceled,
}

/// An attempt of a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    /// Its number, from 0.
    pub(crate) number: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) end: Option<Box<AttemptEnd>>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AttemptEnd {
    pub(crate) at: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) failure: Option<Failure>,
    /// When the next attempt may start.
    pub(crate) retry_at: Option<Timestamp>,
    /// Whether its log was stored.
    pub(crate) has_log: bool,
    /// When it came to each of its steps.
    pub(crate) timings: Option<Box<Timings>>,
}

/// Attempts of the tasks of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct History {
    tasks: HashMap<NodeId, TaskAttempts>,
    last_at: Option<Timestamp>,
}

/// Attempts of one task, those of earlier starts included: a run that goes on counts on.
#[derive(Debug, Default, PartialEq)]
struct TaskAttempts {
    attempts: Vec<Attempt>,
    /// How many of them are of earlier starts.
    earlier: usize,
}

impl History {
    /// Adds the next fact.
    pub(crate) fn apply(&mut self, fact: &Fact, at: Timestamp) {
        self.last_at = Some(at);
        match fact {
            Fact::TaskReady { node, .. } => {
                if let Some(task) = self.tasks.get_mut(node) {
                    task.earlier = task.attempts.len();
                }
            }
            Fact::AttemptStarted { node, attempt } => {
                let task = self.tasks.entry(*node).or_default();
                task.attempts.push(Attempt { number: *attempt, started_at: at, end: None });
            }
            Fact::AttemptFailed { node, attempt, failure, retry_at, log_uri, timings } => {
                let (failure, retry_at, has_log) = (Some(failure.clone()), Some(*retry_at), log_uri.is_some());
                let timings = timings.clone();
                let end = AttemptEnd { at, outcome: Outcome::Failed, failure, retry_at, has_log, timings };
                self.end(*node, Some(*attempt), end);
            }
            Fact::TaskSucceeded { node, attempt, log_uri, timings, .. } => {
                let (has_log, timings) = (log_uri.is_some(), timings.clone());
                let end =
                    AttemptEnd { at, outcome: Outcome::Succeeded, failure: None, retry_at: None, has_log, timings };
                self.end(*node, *attempt, end);
            }
            Fact::TaskFailed { node, attempt, failure, log_uri, timings } => {
                let (failure, has_log, timings) = (Some(failure.clone()), log_uri.is_some(), timings.clone());
                let end = AttemptEnd { at, outcome: Outcome::Failed, failure, retry_at: None, has_log, timings };
                self.end(*node, *attempt, end);
            }
            Fact::TaskCanceled { node, attempt, timings } => {
                let (outcome, timings) = (Outcome::Canceled, timings.clone());
                let end = AttemptEnd { at, outcome, failure: None, retry_at: None, has_log: false, timings };
                self.end(*node, *attempt, end);
            }
            Fact::RunStarted { .. }
            | Fact::DagStarted { .. }
            | Fact::LoopStarted { .. }
            | Fact::IterationStarted { .. }
            | Fact::TaskSkipped { .. }
            | Fact::DagEnded { .. }
            | Fact::CancelRequested { .. }
            | Fact::DeadlineExceeded { .. }
            | Fact::RetryRequested { .. }
            | Fact::RunEnded { .. } => {}
        }
    }

    /// Ends the attempt, unless it has ended: what is told of a task that waits for its next attempt is not about the last.
    fn end(&mut self, node: NodeId, attempt: Option<u32>, end: AttemptEnd) {
        let newest = self.tasks.get_mut(&node).and_then(|task| task.attempts.last_mut());
        let open = newest.filter(|newest| Some(newest.number) == attempt && newest.end.is_none());
        if let Some(open) = open {
            open.end = Some(Box::new(end));
        }
    }

    /// When the newest fact was decided.
    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    /// All attempts of a task, the first one first.
    pub(crate) fn attempts(&self, node: NodeId) -> &[Attempt] {
        self.tasks.get(&node).map_or(&[], |task| &task.attempts)
    }

    /// When the first attempt began since the task last became ready.
    pub(crate) fn started_at(&self, node: NodeId) -> Option<Timestamp> {
        let task = self.tasks.get(&node)?;
        task.attempts.get(task.earlier).map(|attempt| attempt.started_at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NODE: NodeId = NodeId(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    /// Facts of task 1, one each second.
    fn history(facts: &[Value]) -> History {
        let mut history = History::default();
        for (second, fact) in (1..).zip(facts) {
            let mut fact = fact.clone();
            fact["node"] = json!(1);
            let fact: Fact = serde_json::from_value(fact).expect("a fact");
            history.apply(&fact, at(second));
        }
        history
    }

    fn failed(attempt: u32) -> Value {
        json!({"fact": "attemptFailed", "attempt": attempt, "failure": {"cause": "USER", "message": "it broke"},
               "retryAt": "1970-01-01T00:01:00Z", "logUri": "file:///log"})
    }

    fn started(attempt: u32) -> Value {
        json!({"fact": "attemptStarted", "attempt": attempt})
    }

    /// Number, start, end, how it ended, and whether there is a log.
    /// Number, start, and of the end: when, how, and whether there is a log.
    type Shown = (u32, i64, Option<(i64, Outcome, bool)>);

    fn shown(history: &History) -> Vec<Shown> {
        let end = |end: &AttemptEnd| (end.at.as_second(), end.outcome, end.has_log);
        let attempts = history.attempts(NODE).iter();
        attempts
            .map(|attempt| (attempt.number, attempt.started_at.as_second(), attempt.end.as_deref().map(end)))
            .collect()
    }

    #[test]
    fn attempts_have_their_times() {
        let ready = json!({"fact": "taskReady"});
        let succeeded = json!({"fact": "taskSucceeded", "attempt": 1, "outputs": {}});
        let mut facts = vec![ready, started(0), failed(0), started(1)];
        let first = (0, 2, Some((3, Outcome::Failed, true)));
        assert_eq!(shown(&history(&facts)), [first, (1, 4, None)]);
        facts.push(succeeded);
        let history = history(&facts);
        assert_eq!(shown(&history), [first, (1, 4, Some((5, Outcome::Succeeded, false)))]);
        let end = history.attempts(NODE)[0].end.as_deref().expect("it ended");
        assert_eq!(end.retry_at, Some(at(60)));
        assert_eq!(end.failure.as_ref().map(|failure| failure.message.as_str()), Some("it broke"));
        assert_eq!((history.started_at(NODE), history.last_at()), (Some(at(2)), Some(at(5))));
    }

    #[test]
    fn what_happens_to_a_task_that_waits_for_its_next_attempt_is_not_about_the_last() {
        let facts = [started(0), failed(0), json!({"fact": "taskCanceled", "attempt": 0})];
        assert_eq!(shown(&history(&facts)), [(0, 1, Some((2, Outcome::Failed, true)))]);
    }

    #[test]
    fn a_task_that_starts_anew_has_a_start_of_its_own() {
        let ready = || json!({"fact": "taskReady", "cacheKey": "k"});
        let ended = json!({"fact": "taskFailed", "attempt": 0, "failure": {"cause": "USER", "message": "it broke"}});
        let mut facts = vec![ready(), started(0), ended, json!({"fact": "retryRequested"}), ready()];
        assert_eq!(history(&facts).started_at(NODE), None, "it waits");
        facts.push(started(1));
        let history = history(&facts);
        assert_eq!(history.started_at(NODE), Some(at(6)));
        assert_eq!(shown(&history), [(0, 2, Some((3, Outcome::Failed, false))), (1, 6, None)]);
    }

    #[test]
    fn results_from_the_cache_have_no_attempt() {
        let facts = [json!({"fact": "taskReady"}), json!({"fact": "taskSucceeded", "outputs": {}})];
        assert_eq!(history(&facts).attempts(NODE), []);
    }
}
