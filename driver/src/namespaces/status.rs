//! How each namespace stands: for `penstock doctor`, and in numbers for metrics.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use tokio::time::Instant;

/// How a namespace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamespaceState {
    /// Everything is there.
    Ready,
    /// Everything that can be made is there; something in its configuration does not work.
    Degraded,
    /// Something could not be read or written; it is tried again.
    Failing,
    /// The label is gone, and task Pods are left that still need our objects.
    Draining,
    /// It is being deleted.
    Terminating,
}

impl NamespaceState {
    const ALL: [NamespaceState; 5] = [
        NamespaceState::Ready,
        NamespaceState::Degraded,
        NamespaceState::Failing,
        NamespaceState::Draining,
        NamespaceState::Terminating,
    ];

    /// The state in a word.
    pub fn word(self) -> &'static str {
        match self {
            NamespaceState::Ready => "ready",
            NamespaceState::Degraded => "degraded",
            NamespaceState::Failing => "failing",
            NamespaceState::Draining => "draining",
            NamespaceState::Terminating => "terminating",
        }
    }
}

/// How a namespace stands, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceStatus {
    /// The state.
    pub state: NamespaceState,
    /// What does not work, for people; what failed last, while it fails.
    pub problems: Vec<String>,
    /// What of its configuration is ignored.
    pub warnings: Vec<String>,
}

impl NamespaceStatus {
    pub(super) fn new(state: NamespaceState) -> NamespaceStatus {
        NamespaceStatus { state, problems: Vec::new(), warnings: Vec::new() }
    }
}

/// What there is to tell the people of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// Nothing.
    Nothing,
    /// Something, after a while.
    Later(Duration),
    /// This.
    Say(Vec<String>),
}

/// What is remembered of a namespace.
#[derive(Debug)]
struct Record {
    status: NamespaceStatus,
    failures: u32,
    /// Since when it is known that it is being deleted.
    terminating: Option<Instant>,
    /// What was said in an Event last, and when.
    noticed: Option<(Vec<String>, Instant)>,
}

/// An Event with the same text is repeated after this time: the cluster forgets Events after an hour.
const REPEAT_NOTICE: Duration = Duration::from_secs(45 * 60);
/// A namespace gets no more Events than one in this time, whatever changes.
const NOTICE_INTERVAL: Duration = Duration::from_secs(10);

/// All namespaces that matter, and the numbers about them.
#[derive(Debug)]
pub(super) struct Standing {
    records: Mutex<HashMap<String, Record>>,
    metrics: NamespaceMetrics,
}

impl Standing {
    pub(super) fn new(metrics: NamespaceMetrics) -> Standing {
        Standing { records: Mutex::default(), metrics }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Record>) -> T) -> T {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut records);
        for state in NamespaceState::ALL {
            let count = records.values().filter(|record| record.status.state == state).count();
            self.metrics.namespaces.with_label_values(&[state.word()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        result
    }

    /// A look at a namespace ended well.
    pub(super) fn set(&self, namespace: &str, status: NamespaceStatus) {
        self.metrics.reconciliations.with_label_values(&["success"]).inc();
        self.with(|records| {
            let noticed = records.remove(namespace).and_then(|record| record.noticed);
            records.insert(namespace.to_owned(), Record { status, failures: 0, terminating: None, noticed });
        });
    }

    /// A look at a namespace that is being deleted ended well; since when that is known.
    pub(super) fn terminating(&self, namespace: &str, now: Instant) -> Instant {
        let known = self.with(|records| records.get(namespace).and_then(|record| record.terminating));
        let since = known.unwrap_or(now);
        self.set(namespace, NamespaceStatus::new(NamespaceState::Terminating));
        self.with(|records| {
            if let Some(record) = records.get_mut(namespace) {
                record.terminating = Some(since);
            }
        });
        since
    }

    /// A look at a namespace failed: how often it has, one after the other.
    pub(super) fn failed(&self, namespace: &str, reason: String) -> u32 {
        self.metrics.reconciliations.with_label_values(&["failure"]).inc();
        self.with(|records| {
            let record = records.entry(namespace.to_owned()).or_insert_with(|| Record {
                status: NamespaceStatus::new(NamespaceState::Failing),
                failures: 0,
                terminating: None,
                noticed: None,
            });
            record.status.state = NamespaceState::Failing;
            record.status.problems = vec![reason];
            record.failures = record.failures.saturating_add(1);
            record.failures
        })
    }

    /// Nothing is to be said of a namespace any more.
    pub(super) fn forget(&self, namespace: &str) {
        self.with(|records| drop(records.remove(namespace)));
    }

    /// Nothing is known any more.
    pub(super) fn clear(&self) {
        self.with(HashMap::clear);
    }

    /// What is to be said in an Event, if anything is: not the same again and again, and never too often.
    pub(super) fn take_notice(&self, namespace: &str, now: Instant) -> Notice {
        self.with(|records| {
            let Some(record) = records.get_mut(namespace) else { return Notice::Nothing };
            let text: Vec<String> = record.status.problems.iter().chain(&record.status.warnings).cloned().collect();
            if text.is_empty() {
                return Notice::Nothing;
            }
            if let Some((said, at)) = &record.noticed {
                let age = now.saturating_duration_since(*at);
                if *said == text && age < REPEAT_NOTICE {
                    return Notice::Nothing;
                }
                if age < NOTICE_INTERVAL {
                    return Notice::Later(NOTICE_INTERVAL - age);
                }
            }
            record.noticed = Some((text.clone(), now));
            Notice::Say(text)
        })
    }

    /// How all of them stand.
    pub(super) fn all(&self) -> BTreeMap<String, NamespaceStatus> {
        self.with(|records| records.iter().map(|(name, record)| (name.clone(), record.status.clone())).collect())
    }

    pub(super) fn metrics(&self) -> &NamespaceMetrics {
        &self.metrics
    }
}

/// Numbers about namespaces. Labels take a few fixed values; a namespace's name is none of them (T-29).
#[derive(Debug)]
pub(super) struct NamespaceMetrics {
    namespaces: IntGaugeVec,
    reconciliations: IntCounterVec,
    /// Objects that were written or deleted.
    pub(super) writes: IntCounterVec,
    /// Watches that broke, by kind.
    pub(super) watch_errors: IntCounterVec,
    /// When the last event of a watch came, by kind.
    pub(super) last_event: IntGaugeVec,
}

impl NamespaceMetrics {
    pub(super) fn new(registry: &Registry) -> Result<NamespaceMetrics, prometheus::Error> {
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(NamespaceMetrics {
            namespaces: gauge("penstock_namespaces", "Namespaces with the label, by state.", &["state"])?,
            reconciliations: counter(
                "penstock_namespace_reconciliations_total",
                "Comparisons of a namespace with what ought to be there, by result.",
                &["result"],
            )?,
            writes: counter(
                "penstock_namespace_writes_total",
                "Objects written or deleted in namespaces, by kind and verb.",
                &["kind", "verb"],
            )?,
            watch_errors: counter(
                "penstock_namespace_watch_errors_total",
                "Watches of the namespace controller that broke and were started again, by kind.",
                &["kind"],
            )?,
            last_event: gauge(
                "penstock_namespace_watch_last_event_timestamp_seconds",
                "When the last event of a watch of the namespace controller came, by kind.",
                &["kind"],
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        Standing::new(NamespaceMetrics::new(&Registry::new()).expect("the names are valid and new"))
    }

    fn degraded(problem: &str) -> NamespaceStatus {
        NamespaceStatus { problems: vec![problem.to_owned()], ..NamespaceStatus::new(NamespaceState::Degraded) }
    }

    #[tokio::test(start_paused = true)]
    async fn r12_events_are_not_repeated_and_never_too_many() {
        let standing = standing();
        let notice = || standing.take_notice("team", Instant::now());
        let say = |text: &str| Notice::Say(vec![text.to_owned()]);
        standing.set("team", degraded("one"));
        assert_eq!(notice(), say("one"));
        tokio::time::advance(Duration::from_secs(60)).await;
        standing.set("team", degraded("one"));
        assert_eq!(notice(), Notice::Nothing, "the same again");
        standing.set("team", degraded("two"));
        assert_eq!(notice(), say("two"), "something else");
        tokio::time::advance(Duration::from_secs(1)).await;
        standing.set("team", degraded("three"));
        assert_eq!(notice(), Notice::Later(Duration::from_secs(9)), "too soon, but not forgotten");
        tokio::time::advance(NOTICE_INTERVAL).await;
        assert_eq!(notice(), say("three"));
        tokio::time::advance(REPEAT_NOTICE).await;
        assert_eq!(notice(), say("three"), "the cluster has forgotten it");
        standing.set("team", NamespaceStatus::new(NamespaceState::Ready));
        assert_eq!(notice(), Notice::Nothing);
    }

    #[test]
    fn failures_are_counted_until_a_look_ends_well() {
        let standing = standing();
        standing.set("team", degraded("one"));
        assert_eq!(standing.failed("team", "no answer".to_owned()), 1);
        assert_eq!(standing.failed("team", "no answer".to_owned()), 2);
        assert_eq!(standing.all()["team"].problems, ["no answer"]);
        let count = |state: &str| standing.metrics.namespaces.with_label_values(&[state]).get();
        assert_eq!((count("failing"), count("degraded")), (1, 0));
        standing.set("team", NamespaceStatus::new(NamespaceState::Ready));
        assert_eq!(standing.failed("team", "no answer".to_owned()), 1);
        standing.forget("team");
        assert!(standing.all().is_empty());
        assert_eq!(count("failing"), 0);
    }
}
