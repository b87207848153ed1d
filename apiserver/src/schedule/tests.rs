use super::*;

mod elsewhere;
pub(crate) mod expressions;
mod years;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(expression: &str) -> Trigger {
    Trigger::Cron { expression: expression.to_owned(), start: None, end: None }
}

fn periodic(seconds: i64, start: Option<&str>, end: Option<&str>) -> Trigger {
    Trigger::Periodic { seconds, start: start.map(time), end: end.map(time) }
}

fn schedule(trigger: &Trigger) -> Schedule {
    Schedule::new(trigger, false, &TimeZone::UTC).unwrap()
}

fn created(text: &str) -> Progress {
    Progress { created_at: time(text), last: None, counts_from: None }
}

/// All that fire by `now`, one after the other.
fn fired(schedule: &Schedule, created_at: &str, now: &str) -> Vec<String> {
    let (mut progress, now, mut slots) = (created(created_at), time(now), Vec::new());
    while let Some(slot) = schedule.next(&progress, now).filter(|slot| *slot <= now) {
        slots.push(slot.to_string());
        progress.last = Some(slot);
        assert!(slots.len() < 1000, "it does not end");
    }
    slots
}

/// The first slots of an expression after a time.
fn slots_in(zone: &str, expression: &str, base: &str, count: usize) -> Vec<String> {
    let (cron, zone) = (Cron::parse(expression).unwrap(), TimeZone::get(zone).unwrap());
    let mut base = Some(time(base));
    let next = || {
        base = cron.next(base?, &zone);
        base.map(|slot| slot.to_string())
    };
    std::iter::from_fn(next).take(count).collect()
}

fn slots(expression: &str, base: &str, count: usize) -> Vec<String> {
    slots_in("UTC", expression, base, count)
}

/// The one slot after a time.
fn slot(expression: &str, base: &str) -> String {
    slots(expression, base, 1).pop().unwrap_or_else(|| "never".to_owned())
}

fn refused(expression: &str) -> String {
    Cron::parse(expression).unwrap_err().to_string()
}

#[test]
fn of_five_fields_the_last_is_missing() {
    let every_ten_seconds = ["2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"];
    assert_eq!(slots("*/10 * * * *", "2026-01-01T00:00:00Z", 2), every_ten_seconds);
    let at_one_on_the_first = ["2026-01-01T01:00:00Z", "2026-02-01T01:00:00Z"];
    assert_eq!(slots("0 0 1 1 *", "2026-01-01T00:00:00Z", 2), at_one_on_the_first);
    assert_eq!(slot("0 0 1 1 * *", "2026-01-01T01:00:00Z"), "2026-02-01T01:00:00Z");
}

#[test]
fn other_numbers_of_fields_are_refused_in_the_words_of_kfp() {
    assert_eq!(refused(""), "Empty spec string");
    assert_eq!(refused("0 9 * *"), "Expected 5 to 6 fields, found 4: 0 9 * *");
    assert_eq!(refused("0 0 9 * * 1-5 2026"), "Expected 5 to 6 fields, found 7: 0 0 9 * * 1-5 2026");
    assert_eq!(refused(" "), "Expected 5 to 6 fields, found 0:  ");
    assert_eq!(refused("TZ=UTC 0 0 9 * * *"), "Expected 5 to 6 fields, found 7: TZ=UTC 0 0 9 * * *");
    assert!(refused("CRON_TZ=UTC 0 9 * * *").contains("second \"CRON_TZ=UTC\""), "there is no prefix for a zone");
    let error = Schedule::new(&cron("x * * * * *"), false, &TimeZone::UTC).unwrap_err().to_string();
    let head = "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: ";
    assert!(error.starts_with(head) && error.contains("second \"x\""), "{error}");
}

#[test]
fn fields_have_their_ranges_and_names() {
    for good in [
        "0 0 0 1 1 0",
        "59 59 23 31 12 6",
        "0 0 9 ? JAN-dec Sun,mon-WED",
        "  0\t0  9 * * 1-5 ",
        "5/15 * * * * *",
        "0-59/59 * * * *",
        "1,,2 * * * * *",
    ] {
        assert!(Cron::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "60 * * * * *",
        "* 60 * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * 32 * *",
        "* * * * 0 *",
        "* * * * 13 *",
        "* * * * * 7",
        "* * * * * -1",
        "jan * * * * *",
        "* * * * mon *",
        "5-1 * * * * *",
        "*/0 * * * * *",
        "*/-1 * * * * *",
        "*/x * * * * *",
        "1/2/3 * * * * *",
        "1-2-3 * * * * *",
        "*-5 * * * * *",
        "+5 * * * * *",
        ", * * * * *",
        "99999999999999999999 * * * * *",
        "٣ * * * * *",
        "@Daily",
        "@every",
        "@every x",
        "@reboot",
    ] {
        assert!(Cron::parse(bad).is_err(), "{bad}");
    }
    assert!(Cron::parse(&"*".repeat(5000)).is_err());
    assert_eq!(refused("* * * * * 7"), "the day of the week \"7\" is not within 0 to 6");
}

#[test]
fn a_number_with_a_step_goes_on_to_the_end() {
    let seen = slots("50/5 0 0 * * *", "2026-01-01T00:00:00Z", 3);
    assert_eq!(seen, ["2026-01-01T00:00:50Z", "2026-01-01T00:00:55Z", "2026-01-02T00:00:50Z"]);
    let seen = slots("10-20/5,40 0 0 1 1 ?", "2026-01-01T00:00:00Z", 5);
    assert_eq!(seen.iter().map(|slot| &slot[17..19]).collect::<Vec<_>>(), ["10", "15", "20", "40", "10"]);
}

#[test]
fn both_fields_of_a_day_match_where_one_is_a_star_and_either_where_none_is() {
    // The 13th of February 2026 is a Friday, the 13th of January a Tuesday.
    assert_eq!(slot("0 0 0 13 * ?", "2026-01-10T00:00:00Z"), "2026-01-13T00:00:00Z");
    assert_eq!(slot("0 0 0 * * fri", "2026-01-10T00:00:00Z"), "2026-01-16T00:00:00Z");
    let either = ["2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z", "2026-01-23T00:00:00Z"];
    assert_eq!(slots("0 0 0 13 * fri", "2026-01-10T00:00:00Z", 3), either);
    // A step keeps the star: an odd day that is also a Friday.
    assert_eq!(slot("0 0 0 */2 * fri", "2026-01-10T00:00:00Z"), "2026-01-23T00:00:00Z");
    assert_eq!(slot("0 0 0 13 * */2", "2026-01-10T00:00:00Z"), "2026-01-13T00:00:00Z");
    // 13 January is a Tuesday (2), 13 February a Friday (5), 13 March a Friday, 13 June a Saturday (6).
    assert_eq!(slot("0 0 0 13 * */2", "2026-01-14T00:00:00Z"), "2026-06-13T00:00:00Z");
    assert_eq!(slot("0 0 0 13,*/31 * fri", "2026-01-14T00:00:00Z"), "2026-02-13T00:00:00Z");
}

#[test]
fn what_does_not_come_within_five_years_never_does() {
    assert_eq!(slot("0 0 0 29 2 ?", "2024-03-01T00:00:00Z"), "2028-02-29T00:00:00Z");
    assert_eq!(slot("0 0 0 30 2 ?", "2026-01-01T00:00:00Z"), "never");
    assert_eq!(slot("0 0 0 31 4,6,9,11 ?", "2026-01-01T00:00:00Z"), "never");
    // There is no 29 February in 2100.
    assert_eq!(slot("0 0 0 29 2 ?", "2096-03-01T00:00:00Z"), "never");
    assert_eq!(slot("0 0 0 1 1 ?", "9999-06-01T00:00:00Z"), "never");
}

#[test]
fn descriptors_stand_for_expressions() {
    for (descriptor, expected) in [
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
        ("@monthly", "2026-09-01T00:00:00Z"),
        ("@weekly", "2026-08-09T00:00:00Z"),
        ("@daily", "2026-08-06T00:00:00Z"),
        ("@midnight", "2026-08-06T00:00:00Z"),
        ("@hourly", "2026-08-05T11:00:00Z"),
        ("@every 1h30m", "2026-08-05T12:00:30Z"),
        ("@every 1.5s", "2026-08-05T10:30:31Z"),
        ("@every 1ms", "2026-08-05T10:30:31Z"),
        ("@every -5s", "2026-08-05T10:30:31Z"),
    ] {
        assert_eq!(slot(descriptor, "2026-08-05T10:30:30Z"), expected, "{descriptor}");
    }
}

#[test]
fn the_zone_decides_what_the_clock_says() {
    // Clocks go forward at 02:00 on 8 March 2026 and back at 02:00 on 1 November.
    let new_york = |expression, base, count| slots_in("America/New_York", expression, base, count);
    let nine = ["2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z"];
    assert_eq!(new_york("0 0 9 * * *", "2026-03-07T00:00:00Z", 2), nine);
    // 02:30 is not on the clock of the 8th.
    let skipped = ["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z"];
    assert_eq!(new_york("0 30 2 * * *", "2026-03-07T00:00:00Z", 2), skipped);
    let twice = ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"];
    assert_eq!(new_york("0 30 1 * * *", "2026-11-01T00:00:00Z", 3), twice);
    // Midnight is not on the clock of the day on which summer begins here.
    let beirut = slots_in("Asia/Beirut", "0 0 0 * * *", "2026-03-28T00:00:00Z", 2);
    assert_eq!(beirut, ["2026-03-29T21:00:00Z", "2026-03-30T21:00:00Z"]);
    // Half an hour of summer time.
    let lord_howe = slots_in("Australia/Lord_Howe", "0 45 1 * * *", "2026-04-04T12:00:00Z", 2);
    assert_eq!(lord_howe, ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"]);
    // A whole day that never was.
    let apia = slots_in("Pacific/Apia", "0 0 12 * * *", "2011-12-29T12:00:00Z", 2);
    assert_eq!(apia, ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"]);
}

#[test]
fn cron_begins_after_its_start_or_else_after_its_creation() {
    let hourly = |start: Option<&str>, end: Option<&str>| Trigger::Cron {
        expression: "0 0 * * * *".to_owned(),
        start: start.map(time),
        end: end.map(time),
    };
    let (made, now) = ("2026-01-01T10:00:00Z", "2026-01-01T12:30:00Z");
    assert_eq!(fired(&schedule(&hourly(None, None)), made, now), ["2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"]);
    // Strictly after the start; the end counts.
    let within = hourly(Some("2026-01-01T08:00:00Z"), Some("2026-01-01T10:00:00Z"));
    assert_eq!(fired(&schedule(&within), made, now), ["2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"]);
    let later = hourly(Some("2026-01-02T08:00:00Z"), None);
    let next = schedule(&later).next(&created(made), time(now));
    assert_eq!(next, Some(time("2026-01-02T09:00:00Z")));
    // A start after what fired last counts too.
    let progress = Progress { last: Some(time("2026-01-01T11:00:00Z")), ..created(made) };
    assert_eq!(schedule(&later).next(&progress, time(now)), next);
}

#[test]
fn intervals_begin_one_after_their_start_or_else_after_their_creation() {
    let (made, now) = ("2026-01-01T10:00:00.7Z", "2026-01-01T10:02:30Z");
    let plain = periodic(60, None, None);
    assert_eq!(fired(&schedule(&plain), made, now), ["2026-01-01T10:01:00Z", "2026-01-01T10:02:00Z"]);
    let within = periodic(60, Some("2026-01-01T09:00:30Z"), Some("2026-01-01T09:02:30Z"));
    assert_eq!(fired(&schedule(&within), made, now), ["2026-01-01T09:01:30Z", "2026-01-01T09:02:30Z"]);
    let ahead = schedule(&periodic(60, Some("2026-01-02T00:00:00Z"), None));
    assert_eq!(ahead.next(&created(made), time(now)), Some(time("2026-01-02T00:01:00Z")));
    let progress = Progress { last: Some(time("2026-01-01T11:00:00Z")), ..created(made) };
    assert_eq!(ahead.next(&progress, time(now)), Some(time("2026-01-02T00:00:00Z")));
    for seconds in [0, -1, i64::MIN] {
        let error = Schedule::new(&periodic(seconds, None, None), false, &TimeZone::UTC).unwrap_err();
        let expected = format!("Found invalid period schedule interval {seconds}. Set at interval to least 1 second");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(schedule(&periodic(i64::MAX, None, None)).next(&created(made), time(now)), None);
}

#[test]
fn what_was_missed_is_caught_up_with_or_runs_once() {
    let (made, now) = ("2026-01-01T12:00:00Z", "2026-01-01T12:00:10Z");
    for start in ["2026-01-01T10:00:00Z", "2026-01-01T10:00:17Z"] {
        let end = later(time(start), 120).unwrap();
        let expression = "0 * * * * ?".to_owned();
        let minutely = Trigger::Cron { expression, start: Some(time(start)), end: Some(end) };
        let interval = Trigger::Periodic { seconds: 60, start: Some(time(start)), end: Some(end) };
        for trigger in [&minutely, &interval] {
            let caught_up = fired(&schedule(trigger), made, now);
            assert_eq!(caught_up.len(), 2, "{caught_up:?}");
            let once = fired(&Schedule::new(trigger, true, &TimeZone::UTC).unwrap(), made, now);
            assert_eq!(once, caught_up[1..], "the latest alone");
        }
    }
}

#[test]
fn without_catching_up_intervals_go_on_from_the_present() {
    let schedule = Schedule::new(&periodic(60, None, None), true, &TimeZone::UTC).unwrap();
    let slots = fired(&schedule, "2026-01-01T10:00:00Z", "2026-01-01T10:30:17.4Z");
    assert_eq!(slots, ["2026-01-01T10:30:17Z"]);
    let progress = Progress { last: Some(time(&slots[0])), ..created("2026-01-01T10:00:00Z") };
    let next = time("2026-01-01T10:31:17Z");
    assert_eq!(schedule.next(&progress, time("2026-01-01T10:30:18Z")), Some(next));
    // One that is noticed a moment late keeps its place.
    assert_eq!(schedule.next(&progress, time("2026-01-01T10:31:17.2Z")), Some(next));
}

#[test]
fn without_catching_up_the_latest_of_many_slots_is_found_at_once() {
    let trigger = |expression: &str| Trigger::Cron {
        expression: expression.to_owned(),
        start: Some(time("1970-01-01T00:00:00Z")),
        end: None,
    };
    for (expression, expected) in [
        ("* * * * * *", "2026-08-05T10:30:30Z"),
        ("* * * * 1 *", "2026-01-31T23:59:59Z"),
        ("0 0 0 1 1 *", "2026-01-01T00:00:00Z"),
        ("@every 1h", "2026-08-05T10:00:00Z"),
    ] {
        let schedule = Schedule::new(&trigger(expression), true, &TimeZone::UTC).unwrap();
        let seen = fired(&schedule, "2026-01-01T00:00:00Z", "2026-08-05T10:30:30Z");
        assert_eq!(seen, [expected], "{expression}");
    }
}

#[test]
fn without_a_trigger_it_fires_once_at_its_creation() {
    for no_catchup in [false, true] {
        let schedule = Schedule::new(&Trigger::Once, no_catchup, &TimeZone::UTC).unwrap();
        let slots = fired(&schedule, "2026-01-01T10:00:00.5Z", "2026-01-05T00:00:00Z");
        assert_eq!(slots, ["2026-01-01T10:00:00Z"]);
    }
}

#[test]
fn nothing_fires_after_the_end() {
    let schedule = schedule(&periodic(60, None, Some("2026-01-01T09:00:00Z")));
    assert_eq!(schedule.next(&created("2026-01-01T10:00:00Z"), time("2026-01-01T12:00:00Z")), None);
    let ended = Trigger::Cron {
        expression: "* * * * * *".to_owned(),
        start: Some(time("2026-01-01T10:00:00Z")),
        end: Some(time("2026-01-01T10:00:00Z")),
    };
    for no_catchup in [false, true] {
        let schedule = Schedule::new(&ended, no_catchup, &TimeZone::UTC).unwrap();
        assert_eq!(fired(&schedule, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), [""; 0]);
    }
}

fn passed(trigger: &Trigger, last: Option<&str>, from: &str, to: &str) -> Vec<String> {
    let progress = Progress { created_at: time("2026-01-01T10:00:30Z"), last: last.map(time), counts_from: None };
    let schedule = schedule(trigger);
    schedule.passed(&progress, time(from), time(to)).map(|slot| slot.to_string()).take(1000).collect()
}

#[test]
fn slots_that_a_schedule_has_left_behind_are_those_before_it_and_up_to_the_last_one() {
    let hourly = cron("0 0 * * * *");
    let (from, to) = ("2026-01-01T08:00:00Z", "2026-01-01T13:00:00Z");
    let before = ["2026-01-01T08:00:00Z", "2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"];
    assert_eq!(passed(&hourly, None, from, to), before);
    let both = [before.as_slice(), &["2026-01-01T11:00:00Z"]].concat();
    assert_eq!(passed(&hourly, Some("2026-01-01T11:00:00Z"), from, to), both);
    assert_eq!(passed(&hourly, None, "2026-01-01T08:00:00.5Z", "2026-01-01T09:59:59Z"), before[1..2]);
    // Before its start there is none.
    let started = Trigger::Cron { expression: "0 0 * * * *".to_owned(), start: Some(time(before[1])), end: None };
    assert_eq!(passed(&started, Some("2026-01-01T11:00:00Z"), from, to), both[2..]);
    assert_eq!(passed(&started, None, from, to), [""; 0]);
}

#[test]
fn slots_at_equal_distances_are_counted_back_from_the_last_one() {
    let (from, to) = ("2026-01-01T08:00:00Z", "2026-01-01T13:00:00Z");
    for trigger in [periodic(3600, None, None), cron("@every 1h")] {
        assert_eq!(passed(&trigger, None, from, to), ["2026-01-01T08:00:30Z", "2026-01-01T09:00:30Z"]);
        let late = passed(&trigger, Some("2026-01-01T11:15:00Z"), from, to);
        assert_eq!(late, ["2026-01-01T08:15:00Z", "2026-01-01T09:15:00Z", "2026-01-01T10:15:00Z"]);
    }
    let bounded = periodic(3600, Some("2026-01-01T10:00:00Z"), Some("2026-01-01T11:30:00Z"));
    assert_eq!(passed(&bounded, Some("2026-01-01T14:00:00Z"), from, to), ["2026-01-01T11:00:00Z"]);
    assert_eq!(passed(&Trigger::Once, Some(from), from, to), [""; 0]);
}

#[test]
fn upcoming_slots_follow_each_other() {
    let progress = created("2026-01-01T10:00:30Z");
    let upcoming = |no_catchup| {
        let schedule = Schedule::new(&cron("0 0 * * * *"), no_catchup, &TimeZone::UTC).unwrap();
        let slots = schedule.upcoming(progress, time("2026-01-01T12:30:00Z"));
        slots.take(3).map(|slot| slot.strftime("%H").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(upcoming(false), ["11", "12", "13"]);
    assert_eq!(upcoming(true), ["12", "13", "14"]);
    assert_eq!(schedule(&Trigger::Once).upcoming(progress, time("2026-01-01T12:30:00Z")).count(), 1);
}
