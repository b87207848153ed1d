//! What a recurring run has to do, by its rule alone: which slots there are is found by looking at the clock of the zone every
//! quarter of an hour.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use penstock_metastore::{RecurringRun, Trigger};
use penstock_spec::Timestamp;

use crate::schedule::tests::expressions::{BEGIN, Expression, QUARTER};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// When it fires.
pub(super) enum Meant {
    Cron(Box<Expression>),
    Every(i64),
}

/// A trigger, and from when to when it counts.
pub(super) struct Rule {
    pub(super) meant: Meant,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
}

impl Rule {
    pub(super) fn trigger(&self) -> Trigger {
        let (start, end) = (self.start.map(at), self.end.map(at));
        match &self.meant {
            Meant::Cron(expression) => Trigger::Cron { expression: expression.text(), start, end },
            Meant::Every(seconds) => Trigger::Periodic { seconds: *seconds, start, end },
        }
    }
}

pub(super) struct Model {
    pub(super) recurring: RecurringRun,
    pub(super) what: String,
    pub(super) rule: Rule,
    pub(super) zone: TimeZone,
    pub(super) enabled: bool,
    /// The slot that fired last, or from which on slots count.
    pub(super) last: Option<i64>,
    pub(super) fired: u64,
    /// Slots of the expression that have not fired, up to where the clock was looked at.
    pending: VecDeque<i64>,
    scanned: i64,
}

impl Model {
    pub(super) fn new(recurring: RecurringRun, rule: Rule, zone: TimeZone, what: String) -> Self {
        let mut model = Self {
            recurring,
            what,
            rule,
            zone,
            enabled: true,
            last: None,
            fired: 0,
            pending: VecDeque::new(),
            scanned: 0,
        };
        model.begin_anew();
        model
    }

    /// Forgets which slots there are: the trigger or the zone has changed.
    pub(super) fn begin_anew(&mut self) {
        self.pending.clear();
        self.scanned = self.base();
    }

    /// Another trigger from now on.
    pub(super) fn change(&mut self, rule: Rule, now: i64) {
        self.last = match rule.start {
            Some(start) if start > now => None,
            _ => Some(self.last.map_or(now, |last| last.max(now))),
        };
        self.rule = rule;
        self.begin_anew();
    }

    /// Slots come after this.
    fn base(&self) -> i64 {
        self.last.into_iter().chain(self.rule.start).max().unwrap_or(BEGIN)
    }

    /// Learns which slots there are up to a time.
    pub(super) fn scan(&mut self, until: i64) {
        let Meant::Cron(expression) = &self.rule.meant else { return };
        let until = self.rule.end.map_or(until, |end| end.min(until));
        let first = self.scanned.div_euclid(QUARTER) * QUARTER + QUARTER;
        for second in (first..=until).step_by(usize::try_from(QUARTER).unwrap()) {
            if expression.matches(self.zone.to_datetime(at(second))) {
                self.pending.push_back(second);
            }
        }
        self.scanned = self.scanned.max(until);
    }

    /// The slot that is due first at a time.
    fn first(&self, now: i64) -> Option<i64> {
        let first = match (&self.rule.meant, self.last, self.rule.start) {
            (Meant::Cron(_), ..) => *self.pending.front()?,
            (Meant::Every(_), Some(last), Some(start)) if start > last => start,
            (Meant::Every(seconds), last, start) => last.or(start).unwrap_or(BEGIN) + seconds,
        };
        (first <= now && self.rule.end.is_none_or(|end| first <= end)).then_some(first)
    }

    /// The slot that fires when somebody looks at a time.
    fn fires(&self, now: i64) -> Option<i64> {
        let first = self.first(now)?;
        if !self.recurring.no_catchup {
            return Some(first);
        }
        match &self.rule.meant {
            Meant::Cron(_) => self.pending.iter().copied().rfind(|slot| *slot <= now),
            Meant::Every(seconds) => {
                let bound = self.rule.end.map_or(now, |end| end.min(now));
                Some(if first + seconds <= bound { bound } else { first })
            }
        }
    }

    /// A slot has fired; it was looked at at these times.
    pub(super) fn fire(&mut self, slot: i64, times: &[i64]) {
        let could: Vec<i64> = times.iter().filter_map(|now| self.fires(*now)).collect();
        assert!(could.contains(&slot), "{}: {} fired, which is none of {could:?} at {times:?}", self.what, slot);
        self.last = Some(slot);
        self.fired += 1;
        while self.pending.front().is_some_and(|first| *first <= slot) {
            self.pending.pop_front();
        }
    }

    /// Nothing is left that is due at a time.
    pub(super) fn assert_done(&self, now: i64) {
        assert_eq!(self.first(now), None, "{}: a slot that is due at {now} has no run", self.what);
    }
}
