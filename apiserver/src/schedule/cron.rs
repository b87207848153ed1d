//! Cron expressions in the dialect that KFP takes (robfig/cron 1.2): seconds first, and the day of the week, the last field,
//! may be missing.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use penstock_spec::Timestamp;

use super::duration;
use super::fields::{self, Field};
use super::{later, whole_second};

/// What does not come about within this many years never does.
const HORIZON_YEARS: i16 = 5;
/// Longest expression that is looked at.
const MAX_LENGTH: usize = 1024;

/// A cron expression is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CronError {
    #[error("Empty spec string")]
    Empty,
    #[error("the expression has {0} bytes, and at most {MAX_LENGTH} are possible")]
    TooLong(usize),
    #[error("Expected 5 to 6 fields, found {found}: {spec}")]
    Count { found: usize, spec: String },
    #[error("{spec} is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every <duration>")]
    Descriptor { spec: String },
    #[error("{spec} has no duration such as 1h30m or 90s")]
    Duration { spec: String },
    #[error("the {field} {item:?} is not *, ?, n or a-b, with or without /step, of numbers or known names")]
    Item { field: &'static str, item: String },
    #[error("the {field} {item:?} is not within {min} to {max}")]
    Range { field: &'static str, item: String, min: u8, max: u8 },
    #[error("the {field} {item:?} ends before it begins")]
    Backwards { field: &'static str, item: String },
    #[error("the step of the {field} {item:?} is not a positive number")]
    Step { field: &'static str, item: String },
}

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Calendar(Calendar),
    /// Seconds from one slot to the next.
    Every(i64),
}

/// Which readings of a clock match.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Calendar {
    second: Field,
    minute: Field,
    hour: Field,
    day_of_month: Field,
    month: Field,
    day_of_week: Field,
}

impl Cron {
    /// Reads an expression.
    pub fn parse(spec: &str) -> Result<Self, CronError> {
        if spec.is_empty() {
            return Err(CronError::Empty);
        }
        if spec.len() > MAX_LENGTH {
            return Err(CronError::TooLong(spec.len()));
        }
        if spec.starts_with('@') {
            return descriptor(spec).map(Self);
        }
        calendar(spec).map(Form::Calendar).map(Self)
    }

    /// The first slot after `base`, strictly.
    pub fn next(&self, base: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.0 {
            Form::Every(seconds) => later(whole_second(base), *seconds),
            Form::Calendar(calendar) => calendar.next(base, zone),
        }
    }

    /// Seconds between slots, of an expression that does not follow the clock.
    pub(super) fn interval(&self) -> Option<i64> {
        match &self.0 {
            Form::Every(seconds) => Some(*seconds),
            Form::Calendar(_) => None,
        }
    }

    /// The last slot after `base` that is not later than `bound`.
    pub(super) fn latest(&self, base: Timestamp, bound: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.0 {
            Form::Every(seconds) => {
                let base = whole_second(base);
                let slots = bound.as_second().checked_sub(base.as_second())? / seconds;
                if slots < 1 { None } else { later(base, slots.checked_mul(*seconds)?) }
            }
            Form::Calendar(calendar) => calendar.latest(base, bound, zone),
        }
    }
}

impl Calendar {
    fn next(&self, base: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = later(whole_second(base), 1)?;
        let last_year = zone.to_datetime(from).year().saturating_add(HORIZON_YEARS);
        // Between two changes of the zone's offset its clock goes on evenly, so each stretch is a plain calendar.
        loop {
            let offset = zone.to_offset(from);
            let change = zone.following(from).next().map(|transition| transition.timestamp());
            let found = self.next_reading(offset.to_datetime(from), last_year);
            let slot = found.and_then(|reading| offset.to_timestamp(reading).ok());
            match (slot, change) {
                (Some(slot), Some(change)) if slot >= change => from = change,
                (Some(slot), _) => return Some(slot),
                // The horizon was reached in this stretch, or the clock goes back from beyond it.
                (None, Some(change)) if zone.to_datetime(change).year() <= last_year => from = change,
                (None, _) => return None,
            }
        }
    }

    /// The later the base, the later the slot after it, so the last base from which one is reached can be searched for by
    /// halves.
    fn latest(&self, base: Timestamp, bound: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let reached = |second: i64| {
            let slot = self.next(Timestamp::from_second(second).ok()?, zone)?;
            (slot <= bound).then_some(slot)
        };
        let (mut low, mut high) = (whole_second(base).as_second(), bound.as_second());
        let mut latest = reached(low)?;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match reached(middle) {
                Some(slot) => (low, latest) = (middle, slot),
                None => high = middle,
            }
        }
        Some(latest)
    }

    /// The first reading at or after `from` that matches, up to the end of a year.
    fn next_reading(&self, from: DateTime, last_year: i16) -> Option<DateTime> {
        let (mut date, mut time) = (from.date(), from.time());
        while date.year() <= last_year {
            if !self.month.has(date.month()) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
                time = Time::midnight();
                continue;
            }
            if self.matches_day(date)
                && let Some(time) = self.next_time(time)
            {
                return Some(date.to_datetime(time));
            }
            date = date.tomorrow().ok()?;
            time = Time::midnight();
        }
        None
    }

    /// Where one of the two is a star, the other decides; where both are restricted, either does.
    fn matches_day(&self, date: Date) -> bool {
        let of_month = self.day_of_month.has(date.day());
        let of_week = self.day_of_week.has(date.weekday().to_sunday_zero_offset());
        match self.day_of_month.is_star() || self.day_of_week.is_star() {
            true => of_month && of_week,
            false => of_month || of_week,
        }
    }

    /// The first time of a day at or after `from` that matches.
    fn next_time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let first = |field: &Field| field.first_from(0);
        if self.hour.has(hour) {
            if self.minute.has(minute)
                && let Some(second) = self.second.first_from(second)
            {
                return Time::new(hour, minute, second, 0).ok();
            }
            if let Some(minute) = self.minute.first_from(minute.saturating_add(1)) {
                return Time::new(hour, minute, first(&self.second)?, 0).ok();
            }
        }
        let hour = self.hour.first_from(hour.saturating_add(1))?;
        Time::new(hour, first(&self.minute)?, first(&self.second)?, 0).ok()
    }
}

fn calendar(spec: &str) -> Result<Calendar, CronError> {
    let parts: Vec<&str> = spec.split_whitespace().collect();
    let (first, day_of_week) = match *parts.as_slice() {
        [second, minute, hour, day, month] => ([second, minute, hour, day, month], "*"),
        [second, minute, hour, day, month, day_of_week] => ([second, minute, hour, day, month], day_of_week),
        _ => return Err(CronError::Count { found: parts.len(), spec: spec.to_owned() }),
    };
    let [second, minute, hour, day, month] = first;
    Ok(Calendar {
        second: Field::parse(second, &fields::SECOND)?,
        minute: Field::parse(minute, &fields::MINUTE)?,
        hour: Field::parse(hour, &fields::HOUR)?,
        day_of_month: Field::parse(day, &fields::DAY_OF_MONTH)?,
        month: Field::parse(month, &fields::MONTH)?,
        day_of_week: Field::parse(day_of_week, &fields::DAY_OF_WEEK)?,
    })
}

fn descriptor(spec: &str) -> Result<Form, CronError> {
    let fields = match spec {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * 0",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        _ => {
            let unknown = || CronError::Descriptor { spec: spec.to_owned() };
            let every = spec.strip_prefix("@every ").ok_or_else(unknown)?;
            let every = duration::parse(every).ok_or_else(|| CronError::Duration { spec: spec.to_owned() })?;
            return Ok(Form::Every(every.max(SignedDuration::from_secs(1)).as_secs()));
        }
    };
    calendar(fields).map(Form::Calendar)
}
