//! Recurring runs.

use penstock_metastore::{
    CountsFrom, Listing, Metastore, MetastoreError, NewRun, Operand, Page, Predicate, RecurringRun, RecurringRunField,
    RecurringSource, ScheduleState, SlotClaim, StorageState, Trigger, WaitingSlot,
};
use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;
use serde_json::json;
use uuid::Uuid;

use crate::experiments::experiment;
use crate::fixture::{Fixture, at, new_run};

pub(crate) fn recurring(number: u128) -> RecurringRun {
    let created_at = at(i64::try_from(number).unwrap());
    RecurringRun {
        id: Uuid::from_u128(number),
        namespace: "team".to_owned(),
        display_name: format!("Nightly {number}"),
        description: "a\u{1f600}".to_owned(),
        experiment: Uuid::from_u128(7),
        created_at,
        updated_at: created_at,
        run_name: "nightlyabcde".to_owned(),
        enabled: true,
        max_concurrency: 3,
        no_catchup: true,
        trigger: Trigger::Cron { expression: "0 0 9 * * *".to_owned(), start: Some(at(5)), end: None },
        source: RecurringSource::Inline("pipelineInfo: {name: train}\n".to_owned()),
        parameters: json!({"n": 1}).as_object().unwrap().clone(),
        pipeline_root: "s3://bucket".to_owned(),
        service_account: "runner".to_owned(),
        plugins_input: json!({"mlflow": {}}).as_object().unwrap().clone(),
        fired: 0,
        last_fired: None,
        counts_from: CountsFrom::Start,
        revision: 0,
        error: None,
    }
}

#[tokio::test]
async fn recurring_run_reads_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (pipeline, version) = (Uuid::from_u128(8), Uuid::from_u128(9));
    let text = "pipelineInfo: {name: other}\n".to_owned();
    for (number, trigger, source) in [
        (1, recurring(1).trigger, recurring(1).source),
        (2, Trigger::Once, RecurringSource::Latest(pipeline)),
        (
            3,
            Trigger::Periodic { seconds: 60, start: None, end: Some(at(9)) },
            RecurringSource::Version { pipeline, version, text },
        ),
    ] {
        let one = RecurringRun { trigger, source, ..recurring(number) };
        store.create_recurring_run(one.clone()).await.unwrap();
        assert_eq!(store.recurring_run(one.id).await.unwrap(), one);
    }
    let unknown = Uuid::from_u128(99);
    for result in [
        store.recurring_run(unknown).await.map(drop),
        store.enable_recurring_run(unknown, true).await,
        store.delete_recurring_run(unknown).await,
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, MetastoreError::NotFound { kind: "recurring run", id } if *id == unknown.to_string()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn whatever_may_change_is_stored_when_it_does() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_recurring_run(recurring(1)).await.unwrap();
    let changed = RecurringRun {
        display_name: "Weekly".to_owned(),
        description: String::new(),
        updated_at: at(50),
        max_concurrency: 1,
        no_catchup: false,
        trigger: Trigger::Periodic { seconds: 60, start: None, end: None },
        source: RecurringSource::Latest(Uuid::from_u128(8)),
        parameters: json!({"n": 2}).as_object().unwrap().clone(),
        service_account: "other".to_owned(),
        plugins_input: json!({"penstock": {"enable_caching": false}}).as_object().unwrap().clone(),
        last_fired: Some(at(40)),
        ..recurring(1)
    };
    assert!(store.update_recurring_run(changed.clone()).await.unwrap());
    let stored = store.recurring_run(changed.id).await.unwrap();
    assert_eq!(stored, RecurringRun { revision: 1, ..changed });
}

async fn listed(fixture: &Fixture, listing: &Listing<RecurringRunField>) -> (Vec<u128>, u64) {
    let Page { rows, total, .. } = fixture.store.list_recurring_runs(listing).await.unwrap();
    (rows.into_iter().map(|row| row.readable().unwrap().id.as_u128()).collect(), total)
}

#[tokio::test]
async fn recurring_runs_are_listed() {
    let Some(fixture) = Fixture::new().await else { return };
    for number in 1..=3 {
        let experiment = Uuid::from_u128(number % 2);
        fixture.store.create_recurring_run(RecurringRun { experiment, ..recurring(number) }).await.unwrap();
    }
    let of_experiment =
        Predicate::In { field: RecurringRunField::Experiment, operands: vec![Operand::Id(Uuid::from_u128(1))] };
    for (predicates, descending, expected) in [
        (vec![], false, vec![1, 2, 3]),
        (vec![], true, vec![3, 2, 1]),
        (vec![of_experiment], false, vec![1, 3]),
        (vec![Predicate::Contains { field: RecurringRunField::Name, text: "LY 2".to_owned() }], false, vec![2]),
    ] {
        for sort in [RecurringRunField::CreatedAt, RecurringRunField::UpdatedAt, RecurringRunField::Name] {
            let listing = Listing { predicates: predicates.clone(), descending, ..Listing::by(sort, 10) };
            assert_eq!(listed(&fixture, &listing).await, (expected.clone(), expected.len() as u64));
        }
    }
    fixture.store.delete_recurring_run(Uuid::from_u128(2)).await.unwrap();
    assert_eq!(listed(&fixture, &Listing::by(RecurringRunField::Id, 10)).await, (vec![1, 3], 2));
}

async fn enabled(fixture: &Fixture) -> Vec<u128> {
    let schedules = fixture.store.enabled_schedules().await.unwrap();
    let mut ids: Vec<u128> = schedules.into_iter().map(|row| row.readable().unwrap().id.as_u128()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn one_that_comes_from_elsewhere_counts_from_when_it_is_first_enabled() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let [ours, theirs, enabled] = [1, 2, 3].map(Uuid::from_u128);
    let counts_from = CountsFrom::FirstEnabling;
    store.create_recurring_run(recurring(1)).await.unwrap();
    store.create_recurring_run(RecurringRun { enabled: false, counts_from, ..recurring(2) }).await.unwrap();
    store.create_recurring_run(RecurringRun { counts_from: CountsFrom::Time(at(90)), ..recurring(3) }).await.unwrap();
    let read = async |id| store.recurring_run(id).await.unwrap();
    // Keeping it from firing is no enabling.
    store.enable_recurring_run(theirs, false).await.unwrap();
    assert_eq!(read(theirs).await.counts_from, counts_from);
    for id in [ours, theirs, enabled] {
        store.enable_recurring_run(id, true).await.unwrap();
    }
    let first = read(theirs).await;
    assert_eq!(first.counts_from, CountsFrom::Time(first.updated_at));
    // The first time alone counts.
    for enable in [false, true] {
        store.enable_recurring_run(theirs, enable).await.unwrap();
    }
    assert!(read(theirs).await.updated_at > first.updated_at);
    let found = [read(ours).await, read(theirs).await, read(enabled).await].map(|one| one.counts_from);
    assert_eq!(found, [CountsFrom::Start, first.counts_from, CountsFrom::Time(at(90))]);
    let schedules = store.enabled_schedules().await.unwrap().into_iter().map(|row| row.readable().unwrap());
    let mut states: Vec<_> = schedules.map(|state| (state.id, state.counts_from)).collect();
    states.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(states, [ours, theirs, enabled].into_iter().zip(found).collect::<Vec<_>>());
}

#[tokio::test]
async fn enabling_and_disabling_touch_the_time_of_the_update() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_recurring_run(recurring(1)).await.unwrap();
    store.create_recurring_run(RecurringRun { enabled: false, ..recurring(2) }).await.unwrap();
    assert_eq!(enabled(&fixture).await, [1]);
    for (number, enable) in [(1, false), (2, true), (2, true)] {
        let id = Uuid::from_u128(number);
        let before = store.recurring_run(id).await.unwrap();
        store.enable_recurring_run(id, enable).await.unwrap();
        let after = store.recurring_run(id).await.unwrap();
        assert!(after.updated_at > before.updated_at);
        let revision = before.revision + 1;
        assert_eq!(after, RecurringRun { enabled: enable, updated_at: after.updated_at, revision, ..before });
    }
    assert_eq!(enabled(&fixture).await, [2]);
}

#[tokio::test]
async fn archiving_an_experiment_disables_what_recurs_in_it() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_experiment(experiment(7, "a")).await.unwrap();
    store.create_recurring_run(recurring(1)).await.unwrap();
    store.create_recurring_run(RecurringRun { experiment: Uuid::from_u128(8), ..recurring(2) }).await.unwrap();
    for number in 1..=2 {
        store.queue_slots(Uuid::from_u128(number), &[at(1)]).await.unwrap();
    }
    store.set_experiment_storage(Uuid::from_u128(7), StorageState::Archived).await.unwrap();
    assert_eq!(enabled(&fixture).await, [2]);
    let waiting = store.waiting_slots().await.unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    store.set_experiment_storage(Uuid::from_u128(7), StorageState::Available).await.unwrap();
    assert_eq!(enabled(&fixture).await, [2], "unarchiving does not enable them again");
}

#[tokio::test]
async fn a_slot_fires_for_one_of_all_who_try() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_recurring_run(recurring(1)).await.unwrap();
    let id = Uuid::from_u128(1);
    let results = futures::future::join_all((0..8).map(|_| store.advance_recurring_run(id, 0, at(60)))).await;
    assert_eq!(results.into_iter().filter(|result| *result.as_ref().unwrap()).count(), 1);
    assert!(!store.advance_recurring_run(id, 0, at(61)).await.unwrap());
    assert!(!store.advance_recurring_run(id, 2, at(61)).await.unwrap());
    assert!(store.advance_recurring_run(id, 1, at(120)).await.unwrap());
    assert!(!store.advance_recurring_run(Uuid::from_u128(9), 0, at(0)).await.unwrap());
    let after = store.recurring_run(id).await.unwrap();
    assert_eq!((after.fired, after.last_fired), (2, Some(at(120))));
    let [state] = store.enabled_schedules().await.unwrap().try_into().unwrap();
    let state = state.readable().unwrap();
    assert_eq!((state.fired, state.last_fired, state.trigger), (2, Some(at(120)), after.trigger));
}

#[tokio::test]
async fn active_are_the_runs_that_have_not_ended() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let id = Uuid::from_u128(1);
    for number in 1..=3 {
        let mut run = new_run(number);
        run.registration.recurring_run = Some(id);
        store.create_run(run.clone()).await.unwrap();
        store.take_epoch(run.info.id).await.unwrap();
    }
    fixture.run(4).await;
    assert_eq!(store.active_runs_of(id).await.unwrap(), 3);
    fixture.set_status(new_run(1).info.id, RunStatus::Failed, Some(at(9))).await;
    store.delete_run(new_run(2).info.id).await.unwrap();
    assert_eq!(store.active_runs_of(id).await.unwrap(), 2, "one that was deleted still runs");
    assert_eq!(store.active_runs_of(Uuid::from_u128(2)).await.unwrap(), 0);
}

/// A run for a slot of the recurring run 1.
fn run_for(number: u128, slot: SlotClaim) -> NewRun {
    let mut run = new_run(number);
    (run.registration.recurring_run, run.registration.slot) = (Some(Uuid::from_u128(1)), Some(slot));
    run
}

fn due(fired_before: u64, revision: u64, slot: Timestamp) -> SlotClaim {
    SlotClaim::Due { fired_before, revision, slot, refused: None }
}

async fn is_taken(store: &Metastore, run: NewRun) -> bool {
    let id = run.info.id;
    match store.create_run(run).await {
        Ok(()) => false,
        Err(MetastoreError::SlotTaken { run }) => {
            assert_eq!(run, id);
            assert!(matches!(store.run(id).await, Err(MetastoreError::NoSuchRun { .. })), "nothing was stored");
            true
        }
        Err(error) => panic!("{error}"),
    }
}

async fn state(store: &Metastore) -> ScheduleState {
    let [state] = store.enabled_schedules().await.unwrap().try_into().unwrap();
    state.readable().unwrap()
}

#[tokio::test]
async fn a_slot_and_its_run_are_stored_together_or_not_at_all() {
    let Some(fixture) = Fixture::new().await else { return };
    let (store, other) = (&fixture.store, fixture.open().await);
    store.create_recurring_run(recurring(1)).await.unwrap();
    let id = Uuid::from_u128(1);
    // Many try, in two processes.
    let tries = (1..=8_u128).map(|number| {
        let store = if number % 2 == 0 { store } else { &other };
        is_taken(store, run_for(number, due(0, 0, at(60))))
    });
    let taken = futures::future::join_all(tries).await;
    assert_eq!(taken.iter().filter(|taken| !**taken).count(), 1);
    let after = store.recurring_run(id).await.unwrap();
    assert_eq!((after.fired, after.last_fired, store.active_runs_of(id).await.unwrap()), (1, Some(at(60)), 1));
    // Changed meanwhile, disabled, not there.
    let changed = RecurringRun { description: "new".to_owned(), ..after.clone() };
    assert!(store.update_recurring_run(changed.clone()).await.unwrap());
    assert!(!store.update_recurring_run(changed).await.unwrap(), "somebody was faster");
    assert!(is_taken(store, run_for(11, due(1, 0, at(61)))).await);
    assert!(!is_taken(store, run_for(12, due(1, 1, at(61)))).await);
    assert!(store.update_recurring_run(store.recurring_run(id).await.unwrap()).await.unwrap());
    store.enable_recurring_run(id, false).await.unwrap();
    assert!(is_taken(store, run_for(13, due(2, 3, at(62)))).await);
    store.enable_recurring_run(id, true).await.unwrap();
    // There is room for three.
    assert!(!is_taken(store, run_for(14, due(2, 4, at(62)))).await);
    assert!(is_taken(store, run_for(15, due(3, 4, at(63)))).await);
    store.take_epoch(new_run(12).info.id).await.unwrap();
    fixture.set_status(new_run(12).info.id, RunStatus::Succeeded, Some(at(9))).await;
    assert!(!is_taken(store, run_for(15, due(3, 4, at(63)))).await);
    store.delete_recurring_run(id).await.unwrap();
    assert!(is_taken(store, run_for(16, due(4, 4, at(64)))).await);
    other.close().await;
}

#[tokio::test]
async fn slots_wait_until_there_is_room() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let id = Uuid::from_u128(1);
    let unknown = store.queue_slots(id, &[at(1)]).await.unwrap_err();
    assert!(matches!(unknown, MetastoreError::NotFound { .. }), "{unknown}");
    store.create_recurring_run(RecurringRun { enabled: false, ..recurring(1) }).await.unwrap();
    store.create_recurring_run(recurring(2)).await.unwrap();
    for _ in 0..2 {
        store.queue_slots(id, &[at(3), at(1), at(2), at(4), at(5)]).await.unwrap();
    }
    let past = |second| SlotClaim::Past { slot: at(second), refused: None };
    let first = store.waiting_slots().await.unwrap().remove(0).readable();
    assert_eq!(first, Some(WaitingSlot { recurring: id, slot: at(1) }));
    for second in 1..=3_u128 {
        assert!(!is_taken(store, run_for(second, past(i64::try_from(second).unwrap()))).await);
        assert!(is_taken(store, run_for(9, past(i64::try_from(second).unwrap()))).await, "it waits no more");
    }
    assert!(is_taken(store, run_for(4, past(4))).await, "three are under way");
    assert_eq!(store.waiting_slots_of(id).await.unwrap(), [at(4), at(5)]);
    assert_eq!(store.recurring_run(id).await.unwrap().fired, 0);
    assert_eq!(store.cancel_slots(id).await.unwrap(), 2);
    store.queue_slots(id, &[at(6)]).await.unwrap();
    store.delete_recurring_run(id).await.unwrap();
    assert_eq!(store.waiting_slots().await.unwrap(), []);
}

#[tokio::test]
async fn what_keeps_it_from_firing_is_noted_until_it_fires_or_is_changed() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_recurring_run(recurring(1)).await.unwrap();
    let id = Uuid::from_u128(1);
    let first = state(store).await;
    let trouble = || Some("the store is away".to_owned());
    assert!(store.note_recurring_run_error(&first, trouble()).await.unwrap());
    assert!(!store.note_recurring_run_error(&first, trouble()).await.unwrap(), "it is noted already");
    assert_eq!(state(store).await, ScheduleState { error: trouble(), ..first.clone() });
    assert!(!is_taken(store, run_for(1, due(0, 0, at(60)))).await);
    assert_eq!(store.recurring_run(id).await.unwrap().error, None);
    assert!(!store.note_recurring_run_error(&first, trouble()).await.unwrap(), "it has fired since");
    let refused = Some("no such parameter".to_owned());
    let slot = SlotClaim::Due { fired_before: 1, revision: 0, slot: at(61), refused: refused.clone() };
    assert!(!is_taken(store, run_for(2, slot)).await);
    let after = store.recurring_run(id).await.unwrap();
    assert_eq!(after.error, refused);
    assert!(store.update_recurring_run(after).await.unwrap());
    assert_eq!(store.recurring_run(id).await.unwrap().error, None);
}
