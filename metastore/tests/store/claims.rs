//! Who drives a run on a machine.

use std::time::Duration;

use penstock_metastore::{Claimant, MetastoreError, SilentDriver};
use uuid::Uuid;

use crate::fixture::{Fixture, count, new_run, one_fact};

/// A process of a data directory.
fn process(number: u128, data_dir: u128) -> Claimant {
    Claimant {
        driver: Uuid::from_u128(number),
        data_dir: Uuid::from_u128(data_dir),
        name: format!("process {number}"),
        silence: Duration::from_millis(45_500),
    }
}

async fn new(fixture: &Fixture, number: u128) -> Uuid {
    let run = new_run(number);
    let id = run.info.id;
    fixture.store.create_run(run).await.unwrap();
    id
}

#[tokio::test]
async fn t28_run_is_had_by_one_process_until_it_gives_it_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let (store, other) = (&fixture.store, fixture.open().await);
    let run = new(&fixture, 1).await;
    let (one, two) = (process(1, 1), process(2, 2));
    assert_eq!(store.run_claim(run).await.unwrap(), None);
    assert_eq!(store.claim_run(run, &one, None).await.unwrap(), 1);
    let claim = other.run_claim(run).await.unwrap().unwrap();
    assert_eq!((&claim.claimant, claim.epoch), (&one, 1));
    assert_eq!(store.runs_of_driver(one.driver).await.unwrap(), [(run, 1)]);

    let error = other.claim_run(run, &two, None).await.unwrap_err();
    assert!(matches!(&error, MetastoreError::Claimed { driver, .. } if driver == "process 1"), "{error}");
    assert_eq!(store.append(one_fact(run, 1, 0)).await.unwrap(), 1, "a claim that is refused changes nothing");
    // Its own it gets again: an answer may have been lost.
    assert_eq!(store.claim_run(run, &one, None).await.unwrap(), 2);

    store.release_run(run, one.driver, 1).await.unwrap();
    assert!(other.claim_run(run, &two, None).await.is_err(), "that was the claim before");
    store.release_run(run, one.driver, 2).await.unwrap();
    assert_eq!(other.claim_run(run, &two, None).await.unwrap(), 3);
    let error = store.append(one_fact(run, 2, 1)).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    store.release_run(run, one.driver, 3).await.unwrap();
    assert_eq!(store.run_claim(run).await.unwrap().unwrap().claimant, two, "it is not the other's to give back");
}

/// Where files and processes of a run are, locks on files say who is at work on it.
#[tokio::test]
async fn run_of_the_same_data_directory_is_taken_at_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = new(&fixture, 1).await;
    let (killed, next) = (process(1, 7), process(2, 7));
    fixture.store.claim_run(run, &killed, None).await.unwrap();
    assert_eq!(fixture.store.claim_run(run, &next, None).await.unwrap(), 2);
    assert_eq!(count(&mut fixture.raw().await, "SELECT COUNT(*) FROM drivers").await, 1, "the other one is forgotten");
}

/// R4: only a beat that was seen for too long counts, and only as long as it is the newest.
#[tokio::test]
async fn f36_run_of_a_silent_process_is_taken_over_unless_it_has_been_heard_again() {
    let Some(fixture) = Fixture::new().await else { return };
    let (store, run) = (&fixture.store, new(&fixture, 1).await);
    let (one, two) = (process(1, 1), process(2, 2));
    store.claim_run(run, &one, None).await.unwrap();
    let seen = async || {
        let claim = store.run_claim(run).await.unwrap().unwrap();
        SilentDriver { driver: claim.claimant.driver, beat: claim.beat }
    };
    let early = seen().await;
    store.beat(&one).await.unwrap();
    assert!(seen().await.beat > early.beat);
    assert!(store.claim_run(run, &two, Some(early)).await.is_err(), "it was only slow");
    let second = new(&fixture, 2).await;
    let early = seen().await;
    store.claim_run(second, &one, None).await.unwrap();
    assert!(store.claim_run(run, &two, Some(early)).await.is_err(), "a claim is a sign of life too");
    assert_eq!(store.claim_run(run, &two, Some(seen().await)).await.unwrap(), 2);
    assert_eq!(store.runs_of_driver(one.driver).await.unwrap(), [(second, 1)], "the other run is taken by itself");
}

#[tokio::test]
async fn what_is_left_of_processes_and_runs_that_have_gone_goes() {
    let Some(fixture) = Fixture::new().await else { return };
    let (store, run) = (&fixture.store, new(&fixture, 1).await);
    let (one, two) = (process(1, 1), process(2, 2));
    let epoch = store.claim_run(run, &one, None).await.unwrap();
    store.leave(one.driver).await.unwrap();
    assert!(store.claim_run(run, &two, None).await.is_err(), "it has not said what has become of the run");
    store.release_run(run, one.driver, epoch).await.unwrap();
    store.leave(one.driver).await.unwrap();
    let mut raw = fixture.raw().await;
    assert_eq!(count(&mut raw, "SELECT COUNT(*) FROM drivers").await, 0);

    let epoch = store.claim_run(run, &two, None).await.unwrap();
    fixture.end_claimed(run, epoch).await;
    store.delete_run(run).await.unwrap();
    assert_eq!(count(&mut raw, "SELECT COUNT(*) FROM run_claims").await, 0);
    let error = store.claim_run(run, &two, None).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NoSuchRun { .. }), "{error}");
}

/// Of many that want a run at the same moment one gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t28_of_many_processes_one_gets_a_run() {
    let Some(fixture) = Fixture::new().await else { return };
    let stores = [fixture.store.clone(), fixture.open().await, fixture.open().await];
    for round in 0..20 {
        let run = new(&fixture, 10 + round).await;
        let asked = (0..12_u128).map(|number| {
            let store = stores[usize::try_from(number).unwrap() % stores.len()].clone();
            tokio::spawn(async move { store.claim_run(run, &process(number, number), None).await })
        });
        let answers = futures::future::join_all(asked).await;
        let epochs: Vec<u64> = answers.into_iter().filter_map(|answer| answer.unwrap().ok()).collect();
        assert_eq!(epochs, [1], "round {round}");
    }
}
