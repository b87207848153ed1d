//! Fields of a cron expression: sets of small numbers.

use super::cron::CronError;

/// What a field can hold.
#[derive(Debug)]
pub(super) struct Domain {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names, the first of which means `min`.
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

pub(super) const SECOND: Domain = Domain { name: "second", min: 0, max: 59, words: &[] };
pub(super) const MINUTE: Domain = Domain { name: "minute", min: 0, max: 59, words: &[] };
pub(super) const HOUR: Domain = Domain { name: "hour", min: 0, max: 23, words: &[] };
pub(super) const DAY_OF_MONTH: Domain = Domain { name: "day of the month", min: 1, max: 31, words: &[] };
pub(super) const MONTH: Domain = Domain { name: "month", min: 1, max: 12, words: MONTHS };
pub(super) const DAY_OF_WEEK: Domain = Domain { name: "day of the week", min: 0, max: 6, words: DAYS };

/// The numbers that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    bits: u64,
    star: bool,
}

impl Field {
    /// Reads items with commas between them.
    pub(super) fn parse(text: &str, domain: &Domain) -> Result<Self, CronError> {
        let mut field = Self { bits: 0, star: false };
        for item in text.split(',').filter(|item| !item.is_empty()) {
            field.add(item, domain)?;
        }
        if field.bits == 0 {
            return Err(CronError::Item { field: domain.name, item: text.to_owned() });
        }
        Ok(field)
    }

    /// Whether a number matches.
    pub(super) fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| number < u64::BITS && self.bits >> number & 1 == 1)
    }

    /// The least number from `least` on that matches.
    pub(super) fn first_from(self, least: i8) -> Option<i8> {
        (least.max(0)..i8::try_from(u64::BITS).unwrap_or(i8::MAX)).find(|number| self.has(*number))
    }

    /// Whether one of its items is a star, be it with a step.
    pub(super) fn is_star(self) -> bool {
        self.star
    }

    fn add(&mut self, item: &str, domain: &Domain) -> Result<(), CronError> {
        let (field, text) = (domain.name, || item.to_owned());
        let unknown = || CronError::Item { field, item: text() };
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => (range, Some(step)),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*" | "?", _) => {
                self.star = true;
                (u32::from(domain.min), u32::from(domain.max))
            }
            (_, Some((first, last))) => {
                (domain.number(first).ok_or_else(unknown)?, domain.number(last).ok_or_else(unknown)?)
            }
            // With a step, a single number is where it begins.
            (one, None) => {
                let one = domain.number(one).ok_or_else(unknown)?;
                (one, if step.is_some() { u32::from(domain.max) } else { one })
            }
        };
        let step = match step {
            None => 1,
            Some(step) => {
                digits(step).filter(|step| *step > 0).ok_or_else(|| CronError::Step { field, item: text() })?
            }
        };
        if first < u32::from(domain.min) || last > u32::from(domain.max) {
            return Err(CronError::Range { field, item: text(), min: domain.min, max: domain.max });
        }
        if first > last {
            return Err(CronError::Backwards { field, item: text() });
        }
        for number in (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            self.bits |= 1 << number;
        }
        Ok(())
    }
}

impl Domain {
    fn number(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        match word {
            Some(place) => u32::try_from(place).ok()?.checked_add(u32::from(self.min)),
            None => digits(text),
        }
    }
}

/// A number without a sign. What is too large for one is too large for every field as well.
fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}
