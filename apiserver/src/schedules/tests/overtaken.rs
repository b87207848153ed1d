//! Changes of a recurring run while one of its slots fires.

use super::*;
use crate::recurring::with_trigger;

const NOW: &str = "2026-01-01T10:03:30Z";

fn every_ten_seconds() -> Trigger {
    Trigger::Periodic { seconds: 10, start: None, end: None }
}

/// What the API does when it is asked for another trigger.
async fn edit(world: &World, number: u128, trigger: Trigger) {
    let store = world.api.metastore();
    let before = store.recurring_run(Uuid::from_u128(number)).await.unwrap();
    assert!(store.update_recurring_run(with_trigger(before, trigger, time(NOW))).await.unwrap());
}

/// The slots that are due, as a process sees them that then takes its time.
async fn seen(world: &World) -> Vec<Due> {
    let schedules = world.api.metastore().enabled_schedules().await.unwrap();
    world.clockwork().due(schedules, time(NOW)).due
}

#[tokio::test]
async fn a_slot_of_the_trigger_before_does_not_fire_after_the_change() {
    let world = World::with(recurring(1, minutely())).await;
    let due = seen(&world).await;
    edit(&world, 1, every_ten_seconds()).await;
    assert_eq!(fire(&world.api, &due[0]).await.unwrap(), Outcome::Gone);
    world.settle(&mut world.clockwork(), "2026-01-01T10:03:50Z").await;
    assert_eq!(world.slots(1).await, ["2026-01-01T10:03:40Z", "2026-01-01T10:03:50Z"]);
}

#[tokio::test]
async fn a_change_while_a_run_is_made_keeps_it_from_being_stored() {
    let world = World::with(recurring(1, minutely())).await;
    let one = world.api.metastore().recurring_run(Uuid::from_u128(1)).await.unwrap();
    let name = naming::display_name(&one.run_name, 1);
    let run = naming::run_id(one.id, &name);
    let due = Slot::Due { index: 1, at: time("2026-01-01T10:01:00Z") };
    // It was checked, and is about to be stored.
    let made = submission(&world.api, one, run, name, due).await.unwrap();
    edit(&world, 1, every_ten_seconds()).await;
    let error = world.runs.submit(made).await.unwrap_err();
    assert!(matches!(error, SubmissionError::Metastore(MetastoreError::SlotTaken { .. })), "{error}");
    world.settle(&mut world.clockwork(), "2026-01-01T10:03:40Z").await;
    // It has the number that the other one would have had.
    let [run] = world.runs(1).await.try_into().unwrap();
    assert_eq!((run.row.info.scheduled_at, &run.row.info.display_name), (time("2026-01-01T10:03:40Z"), &named(1)));
}

fn named(index: u64) -> String {
    naming::display_name("helloworld1", index)
}

#[tokio::test]
async fn a_slot_that_fires_first_is_not_undone_by_the_change() {
    let world = World::with(recurring(1, minutely())).await;
    let store = world.api.metastore();
    let before = store.recurring_run(Uuid::from_u128(1)).await.unwrap();
    let due = seen(&world).await;
    assert_eq!(fire(&world.api, &due[0]).await.unwrap(), Outcome::Fired);
    let after = with_trigger(before, every_ten_seconds(), time(NOW));
    assert!(!store.update_recurring_run(after).await.unwrap(), "it has to be looked at again");
    edit(&world, 1, every_ten_seconds()).await;
    world.settle(&mut world.clockwork(), "2026-01-01T10:03:40Z").await;
    assert_eq!(world.slots(1).await, ["2026-01-01T10:01:00Z", "2026-01-01T10:03:40Z"]);
}

#[tokio::test]
async fn of_two_changes_at_a_time_none_is_lost() {
    let world = World::with(recurring(1, minutely())).await;
    let store = world.api.metastore();
    let before = store.recurring_run(Uuid::from_u128(1)).await.unwrap();
    let first = RecurringRun { description: "new".to_owned(), ..before.clone() };
    assert!(store.update_recurring_run(first).await.unwrap());
    let second = RecurringRun { max_concurrency: 2, ..before };
    assert!(!store.update_recurring_run(second).await.unwrap());
}

#[tokio::test]
async fn a_run_of_an_earlier_build_does_not_swallow_a_slot_of_the_new_trigger() {
    let world = World::with(recurring(1, minutely())).await;
    let one = world.api.metastore().recurring_run(Uuid::from_u128(1)).await.unwrap();
    let (name, at) = (named(1), time("2026-01-01T10:01:00Z"));
    let run = naming::run_id(one.id, &name);
    let mut made = submission(&world.api, one, run, name, Slot::Due { index: 1, at }).await.unwrap();
    made.registration.slot = None;
    world.runs.submit(made).await.unwrap();
    edit(&world, 1, every_ten_seconds()).await;
    world.settle(&mut world.clockwork(), "2026-01-01T10:03:50Z").await;
    let slots = ["2026-01-01T10:01:00Z", "2026-01-01T10:03:40Z", "2026-01-01T10:03:50Z"];
    assert_eq!(world.slots(1).await, slots);
}

#[tokio::test]
async fn what_is_disabled_while_a_run_is_made_makes_none() {
    let world = World::with(recurring(1, minutely())).await;
    let store = world.api.metastore();
    let one = store.recurring_run(Uuid::from_u128(1)).await.unwrap();
    let due = Slot::Due { index: 1, at: time("2026-01-01T10:01:00Z") };
    let made = submission(&world.api, one, Uuid::from_u128(9), named(1), due).await.unwrap();
    store.enable_recurring_run(Uuid::from_u128(1), false).await.unwrap();
    world.runs.submit(made).await.unwrap_err();
    assert_eq!(world.slots(1).await, [""; 0]);
}
