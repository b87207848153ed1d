//! What attempts wait for before they do anything of their own: an image, a node, a quota.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use penstock_engine::{NodeId, RunState};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::TaskStatus;

use crate::text::inert;
use crate::tree::first_line;

/// How long something waits before that is worth a line: starting a Pod takes a moment.
const DWELL: Duration = Duration::from_secs(5);
/// Shortest time between two lines about one that waits; it doubles with each.
const PAUSE: Duration = Duration::from_secs(10);
/// Where the doubling ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Tasks that are named in one line.
const NAMED: usize = 3;

/// How long something that waited must not wait any more before that is said: between two reasons there may be a gap.
const SETTLE: Duration = Duration::from_secs(1);

/// Tasks that wait, and for what.
pub(crate) type Waiting = BTreeMap<NodeId, String>;

/// The tasks that reasons of attempts are about.
pub(crate) fn of_tasks(state: &RunState, reasons: Vec<(AttemptRef, String)>) -> Waiting {
    if reasons.is_empty() {
        return Waiting::new();
    }
    let mut reasons: HashMap<_, _> =
        reasons.into_iter().map(|(attempt, reason)| ((attempt.task_id, attempt.attempt), reason)).collect();
    let running = state.nodes().filter(|view| view.status == TaskStatus::Running);
    running.filter_map(|view| Some((view.id, reasons.remove(&(view.task_id()?, view.attempt?))?))).collect()
}

/// Says what is waited for in one line.
pub(crate) fn sentence(paths: &[String], reason: &str) -> String {
    let verb = if paths.len() > 1 { "wait" } else { "waits" };
    format!("{} {verb}: {}", subject(paths), first_line(reason))
}

/// Says that what was waited for is there.
pub(crate) fn end_sentence(paths: &[String]) -> String {
    let verb = if paths.len() > 1 { "run" } else { "runs" };
    format!("{} {verb} now", subject(paths))
}

fn subject(paths: &[String]) -> String {
    let named: Vec<String> = paths.iter().take(NAMED).map(|path| inert(path)).collect();
    let more = paths.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// Decides when a reason is worth a line: once it has lasted, when it changes, and ever more rarely.
#[derive(Debug)]
pub(crate) struct Waits<K> {
    known: HashMap<K, Known>,
}

#[derive(Debug)]
struct Known {
    said: Option<String>,
    not_before: Instant,
    pause: Duration,
}

impl<K> Default for Waits<K> {
    fn default() -> Self {
        Self { known: HashMap::new() }
    }
}

impl<K: Copy + Ord + Hash> Waits<K> {
    /// The reasons to be said now, each with all that it is new for.
    pub(crate) fn due(&mut self, now: Instant, waiting: &BTreeMap<K, String>) -> BTreeMap<String, Vec<K>> {
        self.known.retain(|key, _| waiting.contains_key(key));
        let mut due: BTreeMap<String, Vec<K>> = BTreeMap::new();
        for (key, reason) in waiting {
            let known =
                self.known.entry(*key).or_insert_with(|| Known { said: None, not_before: now + DWELL, pause: PAUSE });
            if now < known.not_before || known.said.as_ref() == Some(reason) {
                continue;
            }
            known.said = Some(reason.clone());
            known.not_before = now + known.pause;
            known.pause = (known.pause * 2).min(LONGEST_PAUSE);
            due.entry(reason.clone()).or_default().push(*key);
        }
        due
    }
}

/// Notices when something of which it was said that it waits does so no more.
#[derive(Debug)]
pub(crate) struct WaitEnds<K> {
    /// What was said to wait, and since when it does not.
    said: BTreeMap<K, Option<Instant>>,
}

impl<K> Default for WaitEnds<K> {
    fn default() -> Self {
        Self { said: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> WaitEnds<K> {
    /// It was said of them that they wait.
    pub(crate) fn said(&mut self, waiting: impl IntoIterator<Item = K>) {
        self.said.extend(waiting.into_iter().map(|key| (key, None)));
    }

    /// Those whose wait is over, each once.
    pub(crate) fn due(&mut self, now: Instant, waiting: &BTreeMap<K, String>) -> Vec<K> {
        let mut over = Vec::new();
        self.said.retain(|key, since| {
            if waiting.contains_key(key) {
                *since = None;
                return true;
            }
            let is_over = now >= *since.get_or_insert(now) + SETTLE;
            if is_over {
                over.push(*key);
            }
            !is_over
        });
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(reasons: &[(u32, &str)]) -> BTreeMap<u32, String> {
        reasons.iter().map(|(key, reason)| (*key, (*reason).to_owned())).collect()
    }

    #[test]
    fn reason_is_said_once_it_has_lasted_and_again_when_it_changes() {
        let (mut waits, start) = (Waits::default(), Instant::now());
        let mut due = |seconds, reasons: &[(u32, &str)]| {
            let due = waits.due(start + Duration::from_secs(seconds), &waiting(reasons));
            due.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(due(0, &[(1, "starts")]), []);
        assert_eq!(due(2, &[]), [], "it is at work");
        assert_eq!(due(3, &[(1, "pulls"), (2, "pulls")]), []);
        assert_eq!(due(9, &[(1, "no image"), (2, "no image")]), [("no image".to_owned(), vec![1, 2])]);
        assert_eq!(due(60, &[(1, "no image"), (2, "no image")]), [], "nothing is new");
        assert_eq!(due(61, &[(1, "backs off"), (2, "no image")]), [("backs off".to_owned(), vec![1])]);
    }

    #[test]
    fn end_of_a_wait_is_said_once_and_only_where_the_wait_was() {
        let (mut ends, start) = (WaitEnds::default(), Instant::now());
        let due = |ends: &mut WaitEnds<u32>, milliseconds, reasons: &[(u32, &str)]| {
            ends.due(start + Duration::from_millis(milliseconds), &waiting(reasons))
        };
        assert_eq!(due(&mut ends, 0, &[]), [0; 0], "nobody was told that anything waits");
        ends.said([1, 2]);
        assert_eq!(due(&mut ends, 100, &[(1, "no image"), (2, "no node")]), [0; 0]);
        assert_eq!(due(&mut ends, 200, &[(2, "no node")]), [0; 0]);
        assert_eq!(due(&mut ends, 900, &[(1, "backs off"), (2, "no node")]), [0; 0], "it was only a gap");
        assert_eq!(due(&mut ends, 1000, &[(2, "no node")]), [0; 0]);
        assert_eq!(due(&mut ends, 2000, &[(2, "no node")]), [1]);
        assert_eq!(due(&mut ends, 9000, &[(2, "no node")]), [0; 0]);
        let paths = |count: u32| (0..count).map(|index| format!("each[{index}]")).collect::<Vec<_>>();
        assert_eq!(end_sentence(&paths(1)), "each[0] runs now");
        assert_eq!(end_sentence(&paths(5)), "each[0], each[1], each[2] and 2 more run now");
    }

    #[test]
    fn reason_that_changes_all_the_time_is_said_ever_more_rarely() {
        let (mut waits, start) = (Waits::default(), Instant::now());
        let lines = (0..3600).filter(|second| {
            let reason = if second % 2 == 0 { "even" } else { "odd" };
            !waits.due(start + Duration::from_secs(*second), &waiting(&[(1, reason)])).is_empty()
        });
        assert!((5..=18).contains(&lines.count()));
    }

    #[test]
    fn i14_many_tasks_make_one_inert_line() {
        let paths: Vec<String> = (0..5).map(|index| format!("each[{index}]/\u{1b}work")).collect();
        assert_eq!(
            sentence(&paths, "quota\u{7} exceeded\nand more"),
            "each[0]/\\u{1b}work, each[1]/\\u{1b}work, each[2]/\\u{1b}work and 2 more wait: quota\\u{7} exceeded …"
        );
        assert_eq!(sentence(&["a".to_owned()], "no node"), "a waits: no node");
    }
}
