//! Which runs are driven, wait, or are held back, as values: no clock, no store, no tasks.
//!
//! A run that fails to be driven waits longer each time; one that keeps failing for a reason of its own is put into
//! quarantine, with the reason, until somebody asks something of it. Failures of what all runs share (the store, another
//! driver) are never counted against a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use penstock_metastore::{RunToDrive, Unreadable};
use penstock_spec::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::backoff::Backoff;

/// Why a run is not driven at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// How it is held.
    pub state: HeldState,
    /// Failures for reasons of the run's own, one after the other.
    pub failures: u32,
    /// What failed last, for people.
    pub reason: String,
}

/// How a run is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldState {
    /// It is tried again at this time.
    UntilRetry(Instant),
    /// It is left alone until somebody asks something of it.
    Quarantined,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The run's: the same would happen again.
    Run,
    /// Of something that all runs share.
    Surroundings,
}

/// What there is to do, and what is being done.
#[derive(Debug)]
pub(crate) struct Work {
    capacity: usize,
    quarantine_after: u32,
    retry: Backoff,
    driven: BTreeSet<Uuid>,
    held: BTreeMap<Uuid, Held>,
    /// Runs that ended well. One that is listed all the same is not taken up again and again.
    over: BTreeMap<Uuid, Over>,
    waiting: Vec<(Uuid, Timestamp)>,
    unreadable: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy)]
struct Over {
    command: Option<i64>,
    times: u32,
    again_at: Instant,
}

#[derive(Debug)]
struct Held {
    run: HeldRun,
    /// The newest command when it was held: a newer one sets it free.
    command: Option<i64>,
    tries: u32,
}

impl Work {
    pub(crate) fn new(capacity: usize, quarantine_after: u32, retry: Backoff) -> Work {
        Work {
            capacity: capacity.max(1),
            quarantine_after: quarantine_after.max(1),
            retry,
            driven: BTreeSet::new(),
            held: BTreeMap::new(),
            over: BTreeMap::new(),
            waiting: Vec::new(),
            unreadable: BTreeMap::new(),
        }
    }

    /// Takes what the store lists, in its order, and returns the runs to begin with now. They count as driven.
    pub(crate) fn take(
        &mut self,
        listed: Vec<RunToDrive>,
        unreadable: Vec<Unreadable>,
        now: Instant,
    ) -> Vec<(Uuid, Option<i64>)> {
        let known: BTreeSet<Uuid> = listed.iter().map(|run| run.run).collect();
        self.held.retain(|run, _| known.contains(run) || self.driven.contains(run));
        self.over.retain(|run, _| known.contains(run) || self.driven.contains(run));
        self.unreadable = unreadable.into_iter().map(|row| (row.row, row.reason)).collect();
        self.waiting.clear();
        let mut begin = Vec::new();
        for RunToDrive { run, created_at, newest_command, .. } in listed {
            if self.driven.contains(&run) || !self.is_due(run, newest_command, now) {
                continue;
            }
            if self.driven.len() < self.capacity {
                self.driven.insert(run);
                begin.push((run, newest_command));
            } else {
                self.waiting.push((run, created_at));
            }
        }
        begin
    }

    fn is_due(&mut self, run: Uuid, newest_command: Option<i64>, now: Instant) -> bool {
        if let Some(over) = self.over.get(&run) {
            if newest_command > over.command {
                self.over.remove(&run);
            } else if over.again_at > now {
                return false;
            }
        }
        let Some(held) = self.held.get_mut(&run) else { return true };
        if newest_command > held.command {
            // Somebody knows about it and wants it tried.
            held.run.failures = 0;
            held.tries = 0;
            return true;
        }
        match held.run.state {
            HeldState::UntilRetry(at) => at <= now,
            HeldState::Quarantined => false,
        }
    }

    /// A drive ended well. `command`: the newest command when it began.
    pub(crate) fn ended(&mut self, run: Uuid, command: Option<i64>, now: Instant) {
        self.driven.remove(&run);
        self.held.remove(&run);
        let times = self.over.get(&run).map_or(0, |over| over.times).saturating_add(1);
        self.over.insert(run, Over { command, times, again_at: now + self.retry.next(times) });
    }

    /// A drive failed. `command`: the newest command when it began.
    pub(crate) fn failed(
        &mut self,
        run: Uuid,
        blame: Blame,
        reason: String,
        command: Option<i64>,
        now: Instant,
    ) -> &HeldRun {
        self.driven.remove(&run);
        let (failures, tries) = self.held.get(&run).map_or((0, 0), |held| (held.run.failures, held.tries));
        let tries = tries.saturating_add(1);
        let failures = if blame == Blame::Run { failures.saturating_add(1) } else { failures };
        let state = if failures >= self.quarantine_after {
            HeldState::Quarantined
        } else {
            HeldState::UntilRetry(now + self.retry.next(tries))
        };
        let held = Held { run: HeldRun { state, failures, reason }, command, tries };
        &self.held.entry(run).insert_entry(held).into_mut().run
    }

    /// When the next run that is held back is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let due = |(run, held): (&Uuid, &Held)| match held.run.state {
            HeldState::UntilRetry(at) if !self.driven.contains(run) => Some(at),
            HeldState::UntilRetry(_) | HeldState::Quarantined => None,
        };
        self.held.iter().filter_map(due).min()
    }

    /// Runs at work.
    pub(crate) fn driven(&self) -> &BTreeSet<Uuid> {
        &self.driven
    }

    /// Runs for which there is no room.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How long the oldest of them has existed.
    pub(crate) fn oldest_waiting(&self, now: Timestamp) -> Duration {
        let oldest = self.waiting.iter().map(|(_, created_at)| *created_at).min();
        oldest.map_or(Duration::ZERO, |oldest| now.duration_since(oldest).try_into().unwrap_or_default())
    }

    /// Runs that are held back.
    pub(crate) fn held(&self) -> BTreeMap<Uuid, HeldRun> {
        let idle = self.held.iter().filter(|(run, _)| !self.driven.contains(run));
        idle.map(|(run, held)| (*run, held.run.clone())).collect()
    }

    /// Rows that cannot be read, with the reason.
    pub(crate) fn unreadable(&self) -> &BTreeMap<String, String> {
        &self.unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

    const NOBODY: [Uuid; 0] = [];

    fn run(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn listed(number: u128, newest_command: Option<i64>) -> RunToDrive {
        let options = serde_json::Value::Null;
        let created_at = Timestamp::UNIX_EPOCH;
        let (ended, terminating, claim) = (false, false, None);
        RunToDrive { run: run(number), created_at, options, ended, newest_command, terminating, claim }
    }

    fn begun(work: &mut Work, runs: &[RunToDrive], now: Instant) -> Vec<Uuid> {
        work.take(runs.to_vec(), Vec::new(), now).into_iter().map(|(run, _)| run).collect()
    }

    #[test]
    fn runs_begin_in_order_as_far_as_there_is_room() {
        let (mut work, now) = (Work::new(2, 3, RETRY), Instant::now());
        let runs = [listed(1, None), listed(2, None), listed(3, None)];
        assert_eq!(begun(&mut work, &runs, now), [run(1), run(2)]);
        assert_eq!(work.waiting(), 1);
        assert_eq!(work.oldest_waiting(Timestamp::from_second(7).expect("in range")), Duration::from_secs(7));
        assert_eq!(begun(&mut work, &runs, now), NOBODY, "they are driven already");
        work.ended(run(1), None, now);
        assert_eq!(begun(&mut work, &runs[1..], now), [run(3)]);
        assert_eq!(work.waiting(), 0);
    }

    #[test]
    fn t19_run_that_keeps_failing_is_quarantined_and_the_others_go_on() {
        let (mut work, mut now) = (Work::new(1, 3, RETRY), Instant::now());
        let runs = [listed(1, None), listed(2, None)];
        for failure in 1..=3 {
            assert_eq!(begun(&mut work, &runs[..1], now), [run(1)], "failure {failure}");
            let held = work.failed(run(1), Blame::Run, "its facts are damaged".to_owned(), None, now).clone();
            assert_eq!(held.failures, failure);
            assert_eq!(begun(&mut work, &runs, now), [run(2)], "another does not wait for it");
            work.ended(run(2), None, now);
            now += RETRY.longest;
        }
        let held = work.held()[&run(1)].clone();
        assert_eq!((held.state, held.reason.as_str()), (HeldState::Quarantined, "its facts are damaged"));
        assert_eq!(begun(&mut work, &runs[..1], now + Duration::from_secs(86_400)), NOBODY);
        assert_eq!(work.next_due(), None);
        // Somebody asks for a retry.
        assert_eq!(begun(&mut work, &[listed(1, Some(5))], now), [run(1)]);
        work.failed(run(1), Blame::Run, "still".to_owned(), Some(5), now);
        assert!(matches!(work.held()[&run(1)].state, HeldState::UntilRetry(_)));
        assert_eq!(begun(&mut work, &[listed(1, Some(5))], now), NOBODY, "the same command does not set it free again");
        assert_eq!(begun(&mut work, &[], now), NOBODY);
        assert!(work.held().is_empty(), "nobody has to drive it any more");
    }

    #[test]
    fn run_that_has_ended_and_is_listed_all_the_same_is_not_taken_up_on_and_on() {
        let (mut work, mut now) = (Work::new(1, 3, RETRY), Instant::now());
        let mut drives = 0;
        for _ in 0..3600 {
            if begun(&mut work, &[listed(1, Some(4))], now) == [run(1)] {
                drives += 1;
                work.ended(run(1), Some(4), now);
            }
            now += Duration::from_secs(1);
        }
        assert!((60..200).contains(&drives), "{drives}");
        assert_eq!(begun(&mut work, &[listed(1, Some(5))], now), [run(1)], "a new command does not wait");
        work.ended(run(1), Some(5), now);
        assert_eq!(begun(&mut work, &[], now), NOBODY);
        assert_eq!(begun(&mut work, &[listed(1, Some(5))], now), [run(1)], "nothing is remembered of it");
    }

    #[test]
    fn faults_of_the_surroundings_never_quarantine_a_run() {
        let (mut work, mut now) = (Work::new(1, 3, RETRY), Instant::now());
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            assert_eq!(begun(&mut work, &[listed(1, None)], now), [run(1)]);
            work.failed(run(1), Blame::Surroundings, "the store is away".to_owned(), None, now);
            let due = work.next_due().expect("it is tried again");
            assert_eq!(begun(&mut work, &[listed(1, None)], now), NOBODY, "not before its time");
            longest = longest.max(due - now);
            now = due;
        }
        assert!(longest > RETRY.longest / 3 && longest <= RETRY.longest, "{longest:?}");
        assert_eq!(work.held()[&run(1)].failures, 0);
    }
}
