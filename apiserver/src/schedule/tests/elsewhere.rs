//! Schedules that have run at another place, and count from when they were enabled here.

use super::*;

/// The slots after that, of a schedule that was made here at ten, until two hours later.
fn own(trigger: &Trigger, no_catchup: bool, enabled_at: &str) -> Vec<String> {
    let from = time(enabled_at);
    let mut progress =
        Progress::new(time("2026-01-01T10:00:00Z"), None, CountsFrom::Time(from), time("2026-01-01T10:00:00Z"));
    let (schedule, now) = (Schedule::new(trigger, no_catchup, &TimeZone::UTC).unwrap(), later(from, 7200).unwrap());
    let mut slots = Vec::new();
    // They fire in time.
    while let Some(slot) = schedule.next(&progress, from).filter(|slot| *slot <= now) {
        slots.push(slot.to_string());
        progress.last = Some(slot);
    }
    slots
}

#[test]
fn nothing_that_was_due_before_is_its_own() {
    let enabled_at = "2026-01-01T12:10:00.5Z";
    let old = Some("2024-01-01T00:00:30Z");
    let hourly =
        |start: Option<&str>| Trigger::Cron { expression: "0 0 * * * *".to_owned(), start: start.map(time), end: None };
    for no_catchup in [false, true] {
        for start in [None, old, Some("2026-01-01T11:30:00Z")] {
            let expected = ["2026-01-01T13:00:00Z", "2026-01-01T14:00:00Z"];
            assert_eq!(own(&hourly(start), no_catchup, enabled_at), expected);
        }
        // Distances go on being measured from the start.
        let expected = ["2026-01-01T13:00:30Z", "2026-01-01T14:00:30Z"];
        assert_eq!(own(&periodic(3600, old, None), no_catchup, enabled_at), expected);
        let every = Trigger::Cron { expression: "@every 1h".to_owned(), start: old.map(time), end: None };
        assert_eq!(own(&every, no_catchup, enabled_at), expected);
        let expected = ["2026-01-01T13:10:00Z", "2026-01-01T14:10:00Z"];
        assert_eq!(own(&periodic(3600, None, None), no_catchup, enabled_at), expected);
        assert_eq!(own(&periodic(1, old, Some("2026-01-01T12:10:00Z")), no_catchup, enabled_at), [""; 0]);
        assert_eq!(own(&Trigger::Once, no_catchup, enabled_at), [""; 0]);
    }
}

#[test]
fn what_is_to_begin_later_begins_as_it_would_anywhere() {
    let start = Some("2026-01-01T13:00:00Z");
    let slots = own(&periodic(1800, start, None), false, "2026-01-01T12:00:00Z");
    assert_eq!(slots, ["2026-01-01T13:30:00Z", "2026-01-01T14:00:00Z"]);
    // Up to its first slot nothing has been due.
    let slots = own(&periodic(1800, start, None), false, "2026-01-01T13:10:00Z");
    assert_eq!(slots[0], "2026-01-01T13:30:00Z");
    // One that falls on the moment itself was due, and is the other place's.
    let slots = own(&periodic(1800, start, None), false, "2026-01-01T13:30:00Z");
    assert_eq!(slots[0], "2026-01-01T14:00:00Z");
}

#[test]
fn what_was_never_enabled_would_count_from_now() {
    let daily = periodic(86400, Some("2024-01-01T00:00:00Z"), None);
    for now in ["2026-01-01T12:00:00Z", "2026-01-05T12:00:00Z"] {
        let progress = Progress::new(time("2026-01-01T10:00:00Z"), None, CountsFrom::FirstEnabling, time(now));
        let next = schedule(&daily).next(&progress, time(now)).expect("it goes on");
        assert!(next > time(now) && next <= later(time(now), 86400).unwrap(), "{next}");
        assert_eq!(next.strftime("%T").to_string(), "00:00:00");
    }
}

#[test]
fn what_it_misses_once_it_is_enabled_is_its_own() {
    let from = CountsFrom::Time(time("2026-01-01T10:05:00Z"));
    let progress = Progress::new(time("2026-01-01T09:00:00Z"), None, from, time("2026-01-01T09:00:00Z"));
    let minutely = schedule(&periodic(60, Some("2025-01-01T00:00:00Z"), None));
    let now = time("2026-01-01T10:30:00Z");
    assert_eq!(minutely.upcoming(progress, now).take_while(|slot| *slot <= now).count(), 25);
    let alone = Schedule::new(&cron("0 * * * * *"), true, &TimeZone::UTC).unwrap();
    assert_eq!(alone.next(&progress, now), Some(now));
}
