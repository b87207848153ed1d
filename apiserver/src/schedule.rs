//! When recurring runs are due: triggers, and the slots that follow from them. Nothing here knows the time of day or the
//! store; both are arguments.
//!
//! A slot of a cron expression is a second whose reading on the clock of the time zone matches all fields. A reading that
//! the clock skips is no slot, and one that it shows twice is two, as in KFP.

mod cron;
mod duration;
mod fields;

use jiff::tz::TimeZone;
use penstock_metastore::{CountsFrom, Trigger};
use penstock_spec::Timestamp;

pub use cron::{Cron, CronError};

/// A trigger that is understood, and how it treats slots that were missed.
#[derive(Debug, Clone)]
pub struct Schedule {
    rule: Rule,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    no_catchup: bool,
}

#[derive(Debug, Clone)]
enum Rule {
    Once,
    Cron(Cron, TimeZone),
    /// Seconds from one slot to the next.
    Every(i64),
}

/// A trigger cannot be used. The texts are KFP's where it refuses the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// The expression is not understood.
    #[error("Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: {0}")]
    Cron(CronError),
    /// The interval is too short.
    #[error("Found invalid period schedule interval {0}. Set at interval to least 1 second")]
    Interval(i64),
    /// It begins after its end.
    #[error("the schedule never fires: its start_time {start} is after its end_time {end}")]
    Backwards {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// Its first slot lies beyond all times.
    #[error("the schedule never fires: {0} seconds are longer than there is time")]
    TooLong(i64),
    /// No time is a slot of it.
    #[error("the schedule never fires: no time within five years is as its cron expression says")]
    Never,
}

/// What a schedule has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When it was made.
    pub created_at: Timestamp,
    /// The slot that fired last.
    pub last: Option<Timestamp>,
    /// What was due up to then is another place's.
    pub counts_from: Option<Timestamp>,
}

impl Progress {
    /// As it stands now. What has never been enabled would count from now.
    pub fn new(created_at: Timestamp, last: Option<Timestamp>, counts_from: CountsFrom, now: Timestamp) -> Self {
        let counts_from = match counts_from {
            CountsFrom::Start => None,
            CountsFrom::FirstEnabling => Some(now),
            CountsFrom::Time(time) => Some(time),
        };
        Self { created_at, last, counts_from }
    }
}

impl Schedule {
    /// Reads a trigger. Cron expressions are meant in the time zone.
    pub fn new(trigger: &Trigger, no_catchup: bool, zone: &TimeZone) -> Result<Self, TriggerError> {
        let (rule, start, end) = match trigger {
            Trigger::Once => (Rule::Once, None, None),
            Trigger::Cron { expression, start, end } => {
                let cron = Cron::parse(expression).map_err(TriggerError::Cron)?;
                (Rule::Cron(cron, zone.clone()), *start, *end)
            }
            Trigger::Periodic { seconds, start, end } => {
                if *seconds < 1 {
                    return Err(TriggerError::Interval(*seconds));
                }
                (Rule::Every(*seconds), *start, *end)
            }
        };
        Ok(Self { rule, start, end, no_catchup })
    }

    /// The same of one that somebody wants from `now` on, which must not be such that it could never fire. One that is over
    /// before it has begun is no fault: KFP's own clients send an end of 1970.
    pub fn wanted(trigger: &Trigger, no_catchup: bool, zone: &TimeZone, now: Timestamp) -> Result<Self, TriggerError> {
        let schedule = Self::new(trigger, no_catchup, zone)?;
        if let (Some(start), Some(end)) = (schedule.start, schedule.end)
            && start > end
        {
            return Err(TriggerError::Backwards { start, end });
        }
        match (schedule.following(&Progress { created_at: now, last: None, counts_from: None }), schedule.interval()) {
            (Some(_), _) => Ok(schedule),
            (None, Some(seconds)) => Err(TriggerError::TooLong(seconds)),
            (None, None) => Err(TriggerError::Never),
        }
    }

    /// The slot that fires next, which is due once it is not later than `now`. `None` if there is none any more.
    ///
    /// Slots that were missed fire one after the other, or, without catching up, as one.
    pub fn next(&self, progress: &Progress, now: Timestamp) -> Option<Timestamp> {
        let next = self.following(progress)?;
        let next = match self.no_catchup && next <= now {
            true => self.latest(progress, next, self.end.map_or(now, |end| end.min(now))),
            false => next,
        };
        self.end.is_none_or(|end| next <= end).then_some(next)
    }

    /// The slots that fire next, the first of which may be due already.
    pub fn upcoming(&self, mut progress: Progress, now: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::from_fn(move || {
            let slot = self.next(&progress, now)?;
            progress.last = Some(slot);
            Some(slot)
        })
    }

    /// The slots from one time to another that the schedule has left behind: it fires only later ones. Before it was made
    /// there were slots too, but none before its start.
    pub fn passed(&self, progress: &Progress, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let anchor = self.last(progress).or(self.start).unwrap_or_else(|| whole_second(progress.created_at));
        let last = [Some(to), Some(anchor), self.end].into_iter().flatten().min().unwrap_or(to);
        let before = self.start.map_or(before(from), |start| start.max(before(from)));
        let mut at = Some(before);
        std::iter::from_fn(move || {
            at = match (&self.rule, self.interval()) {
                (Rule::Once, _) => None,
                (_, Some(seconds)) => aligned(anchor, seconds, at?),
                (Rule::Cron(cron, zone), None) => cron.next(at?, zone),
                (Rule::Every(_), None) => None,
            };
            // That at which the distances are measured from has fired, or is no slot.
            at = at.filter(|at| *at <= last && (self.interval().is_none() || *at < anchor));
            at
        })
    }

    /// Until when a run that was made late is still that of a slot.
    pub fn until_next(&self, slot: Timestamp) -> Timestamp {
        let next = match self.interval() {
            Some(seconds) => later(slot, seconds),
            None => slot.checked_add(jiff::SignedDuration::from_nanos(1)).ok(),
        };
        next.unwrap_or(Timestamp::MAX)
    }

    /// Seconds between slots, where they do not follow the clock.
    fn interval(&self) -> Option<i64> {
        match &self.rule {
            Rule::Once => None,
            Rule::Cron(cron, _) => cron.interval(),
            Rule::Every(seconds) => Some(*seconds),
        }
    }

    /// The slot that fired last, here or at another place.
    fn last(&self, progress: &Progress) -> Option<Timestamp> {
        progress.last.max(progress.counts_from.and_then(|from| self.last_before(from)))
    }

    /// What stands for everything that was due up to a time. Distances go on being measured from the start.
    fn last_before(&self, from: Timestamp) -> Option<Timestamp> {
        match (self.start, self.interval()) {
            (Some(start), _) if start > from => None,
            (Some(start), Some(seconds)) => later(aligned(start, seconds, from)?, seconds.checked_neg()?),
            _ => Some(whole_second(from)),
        }
    }

    /// The first slot after the one that fired last, whatever the time and the end.
    fn following(&self, progress: &Progress) -> Option<Timestamp> {
        let (created_at, last) = (whole_second(progress.created_at), self.last(progress));
        match &self.rule {
            Rule::Once => last.is_none().then_some(created_at),
            Rule::Cron(cron, zone) => cron.next(self.cron_base(progress), zone),
            Rule::Every(seconds) => match (last, self.start) {
                (Some(last), Some(start)) if start > last => Some(start),
                (Some(last), _) => later(last, *seconds),
                (None, start) => later(start.unwrap_or(created_at), *seconds),
            },
        }
    }

    fn cron_base(&self, progress: &Progress) -> Timestamp {
        match (self.last(progress), self.start) {
            (Some(last), Some(start)) => last.max(start),
            (Some(last), None) => last,
            (None, Some(start)) => start,
            (None, None) => whole_second(progress.created_at),
        }
    }

    /// The slot that stands for `next` and all after it until `bound`. Where `bound` is before `next`, the end is: nothing
    /// fires then.
    fn latest(&self, progress: &Progress, next: Timestamp, bound: Timestamp) -> Timestamp {
        if bound < next {
            return next;
        }
        match &self.rule {
            Rule::Once => next,
            Rule::Cron(cron, zone) => cron.latest(self.cron_base(progress), bound, zone).unwrap_or(next),
            // Only what was missed moves to the present: a slot that fires in time keeps its place, or the slots would
            // drift by what it takes to notice that one is due.
            Rule::Every(seconds) => match later(next, *seconds) {
                Some(after) if after <= bound => whole_second(bound),
                _ => next,
            },
        }
    }
}

/// That many seconds later, if there is such a time.
fn later(time: Timestamp, seconds: i64) -> Option<Timestamp> {
    let second = time.as_second().checked_add(seconds)?;
    Timestamp::new(second, time.subsec_nanosecond()).ok()
}

/// The first time after another one that is a whole number of intervals away from the anchor.
fn aligned(anchor: Timestamp, seconds: i64, after: Timestamp) -> Option<Timestamp> {
    let distance = i64::try_from((after.as_nanosecond() - anchor.as_nanosecond()).div_euclid(1_000_000_000)).ok()?;
    later(anchor, distance.div_euclid(seconds).checked_add(1)?.checked_mul(seconds)?)
}

/// The last second after whose end a time comes.
fn before(time: Timestamp) -> Timestamp {
    time.checked_sub(jiff::SignedDuration::from_nanos(1)).map_or(time, whole_second)
}

/// The beginning of the second that a time lies in.
fn whole_second(time: Timestamp) -> Timestamp {
    let second = time.as_nanosecond().div_euclid(1_000_000_000);
    i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(time)
}

#[cfg(test)]
pub(crate) mod tests;
