//! Random cron expressions, and what they mean on a clock that is looked at every quarter of an hour.

use jiff::civil::DateTime;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

pub(crate) const ZONES: [&str; 6] =
    ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut", "America/Santiago"];
pub(crate) const QUARTER: i64 = 15 * 60;
pub(crate) const BEGIN: i64 = 1_767_225_600;
pub(crate) const YEARS: i64 = 10;

/// A number of the environment.
pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A field as text, and the numbers that it stands for; `None` for a star.
pub(crate) struct Part {
    text: String,
    numbers: Option<Vec<i8>>,
}

impl Part {
    fn random(random: &mut StdRng, choices: &[i8], stars: f64) -> Self {
        if random.random_bool(stars) {
            return Self { text: ["*", "?"].choose(random).unwrap().to_string(), numbers: None };
        }
        let count = random.random_range(1..=choices.len().min(4));
        let numbers: Vec<i8> = choices.sample(random, count).copied().collect();
        let text = numbers.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
        Self { text, numbers: Some(numbers) }
    }

    fn has(&self, number: i8) -> bool {
        self.numbers.as_ref().is_none_or(|numbers| numbers.contains(&number))
    }
}

pub(crate) struct Expression {
    minute: Part,
    hour: Part,
    day: Part,
    month: Part,
    weekday: Part,
}

impl Expression {
    pub(crate) fn random(random: &mut StdRng) -> Self {
        Self {
            // Every quarter, or some of them: the offsets of all zones are whole quarters.
            minute: Part::random(random, &[0, 15, 30, 45], 0.0),
            hour: Part::random(random, &(0..24).collect::<Vec<_>>(), 0.3),
            day: Part::random(random, &(1..32).collect::<Vec<_>>(), 0.5),
            month: Part::random(random, &(1..13).collect::<Vec<_>>(), 0.6),
            weekday: Part::random(random, &(0..7).collect::<Vec<_>>(), 0.5),
        }
    }

    /// One with a few slots in a month, most of them where clocks change.
    pub(crate) fn sparse(random: &mut StdRng) -> Self {
        let hours: &[i8] = if random.random_bool(0.7) { &[0, 1, 2, 3] } else { &[9, 12, 18, 23] };
        let one = |random: &mut StdRng, choices: &[i8]| {
            let number = *choices.choose(random).unwrap();
            Part { text: number.to_string(), numbers: Some(vec![number]) }
        };
        let star = || Part { text: "*".to_owned(), numbers: None };
        let by_week = random.random_bool(0.5);
        let days: Vec<i8> = (1..32).collect();
        Self {
            minute: one(random, &[0, 15, 30, 45]),
            hour: one(random, hours),
            day: if by_week { star() } else { Part::random(random, &days, 0.0) },
            month: Part::random(random, &[3, 4, 9, 10, 11], 0.6),
            weekday: if by_week { one(random, &[0, 1, 6]) } else { star() },
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self { minute, hour, day, month, weekday } = self;
        format!("0 {} {} {} {} {}", minute.text, hour.text, day.text, month.text, weekday.text)
    }

    pub(crate) fn matches(&self, reading: DateTime) -> bool {
        let (day, weekday) = (self.day.has(reading.day()), self.weekday.has(reading.weekday().to_sunday_zero_offset()));
        let restricted = self.day.numbers.is_some() && self.weekday.numbers.is_some();
        self.minute.has(reading.minute())
            && self.hour.has(reading.hour())
            && self.month.has(reading.month())
            && if restricted { day || weekday } else { day && weekday }
    }
}
