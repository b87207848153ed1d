//! Ten years under a virtual clock, with changes of summer time and with outages, against looking at the clock every quarter
//! of an hour.
//!
//! `PENSTOCK_SCHEDULES` sets the number of schedules, `PENSTOCK_SEED` repeats those of an earlier test.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::expressions::{BEGIN, Expression, QUARTER, YEARS, ZONES, setting};
use super::*;

const SCHEDULES: u64 = 8;
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn every_due_slot_fires_exactly_once_in_ten_years() {
    let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| rand::rng().random());
    println!("seed {seed}: PENSTOCK_SEED={seed} repeats it");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..setting("PENSTOCK_SCHEDULES").unwrap_or(SCHEDULES) {
        let (expression, zone) = (Expression::random(&mut random), *ZONES.choose(&mut random).unwrap());
        let what = format!("{} in {zone}, seed {seed}", expression.text());
        let zone = TimeZone::get(zone).unwrap();
        let end = BEGIN + YEARS * 365 * 24 * 3600;
        let due: Vec<Timestamp> = (BEGIN + QUARTER..=end)
            .step_by(QUARTER as usize)
            .map(at)
            .filter(|slot| expression.matches(zone.to_datetime(*slot)))
            .collect();
        for no_catchup in [false, true] {
            let schedule = Schedule::new(&cron(&expression.text()), no_catchup, &zone).unwrap();
            walk(&schedule, no_catchup, &due, end, &mut random, &what);
        }
    }
}

/// Looks from time to time, sometimes after a long outage, and fires all that is due then.
fn walk(schedule: &Schedule, no_catchup: bool, due: &[Timestamp], end: i64, random: &mut StdRng, what: &str) {
    let mut progress = Progress { created_at: at(BEGIN), last: None, counts_from: None };
    let (mut now, mut seen) = (BEGIN, 0);
    while now < end {
        let pause = if random.random_bool(0.05) { 90 * 24 * 3600 } else { 48 * 3600 };
        now = (now + random.random_range(1..pause)).min(end);
        let mut fired = Vec::new();
        while let Some(slot) = schedule.next(&progress, at(now)).filter(|slot| *slot <= at(now)) {
            assert!(progress.last.is_none_or(|last| last < slot), "{what}: {slot} again");
            fired.push(slot);
            progress.last = Some(slot);
        }
        let all = &due[seen..seen + due[seen..].partition_point(|slot| *slot <= at(now))];
        seen += all.len();
        let expected = if no_catchup { &all[all.len().saturating_sub(1)..] } else { all };
        assert_eq!(fired, expected, "{what}, no_catchup {no_catchup}");
    }
    assert_eq!(seen, due.len());
}
