//! Many runs at once, several processes at once, and locks held by others.

use std::time::{Duration, Instant};

use futures::future::join_all;
use penstock_metastore::{MetastoreError, WriterStats};
use uuid::Uuid;

use crate::fixture::{Fixture, close, execute, new_run, one_fact, task};
use crate::place::LOCK;

async fn runs(fixture: &Fixture, count: u128) -> Vec<Uuid> {
    let mut runs = Vec::new();
    for number in 1..=count {
        runs.push(fixture.run(number).await);
    }
    runs
}

fn since(before: WriterStats, after: WriterStats) -> (u64, u64) {
    (after.transactions - before.transactions, after.requests - before.requests)
}

#[tokio::test]
async fn appends_of_many_runs_share_transactions() {
    let Some(fixture) = Fixture::new().await else { return };
    let runs = runs(&fixture, 64).await;
    let before = fixture.store.stats();
    let appends = runs.iter().map(|run| fixture.store.append(one_fact(*run, 1, 0)));
    for count in join_all(appends).await {
        assert_eq!(count.unwrap(), 1);
    }
    let (transactions, requests) = since(before, fixture.store.stats());
    assert_eq!(requests, 64);
    // The first may go alone; the others are queued by then.
    assert!(transactions <= 3, "{transactions} transactions");
}

/// A conflict is found by the fence, and the rest of the transaction goes on.
#[tokio::test]
async fn conflicting_append_fails_alone() {
    let Some(fixture) = Fixture::new().await else { return };
    let runs = runs(&fixture, 10).await;
    let before = fixture.store.stats();
    let appends = (0..).zip(&runs).map(|(index, run)| {
        let epoch = if index == 3 { 0 } else { 1 };
        let expected = if index == 6 { 4 } else { 0 };
        fixture.store.append(one_fact(*run, epoch, expected))
    });
    let results = join_all(appends).await;
    for (index, result) in results.iter().enumerate() {
        match index {
            3 => assert!(matches!(result, Err(MetastoreError::Fenced { .. })), "{result:?}"),
            6 => assert!(matches!(result, Err(MetastoreError::FactCount { .. })), "{result:?}"),
            _ => assert_eq!(*result.as_ref().unwrap(), 1),
        }
    }
    let (transactions, _) = since(before, fixture.store.stats());
    assert!(transactions <= 3, "{transactions} transactions");
    assert_eq!(fixture.store.all_facts(runs[3]).await.unwrap(), []);
}

/// An objection of the database names no request; the transaction is repeated request by request.
#[tokio::test]
async fn append_that_the_database_refuses_fails_alone() {
    let Some(fixture) = Fixture::new().await else { return };
    let runs = runs(&fixture, 10).await;
    let appends = (0..).zip(&runs).map(|(index, run)| {
        let mut append = one_fact(*run, 1, 0);
        append.tasks = vec![task(1, "fit"), task(2, if index == 4 { "fit" } else { "score" })];
        fixture.store.append(append)
    });
    let results = join_all(appends).await;
    for (index, (result, run)) in results.iter().zip(&runs).enumerate() {
        let facts = fixture.store.all_facts(*run).await.unwrap().len();
        if index == 4 {
            assert!(matches!(result, Err(MetastoreError::Refused { .. })), "{result:?}");
            assert_eq!(facts, 0);
        } else {
            assert_eq!((*result.as_ref().unwrap(), facts), (1, 1));
        }
    }
    assert_eq!(fixture.store.append(one_fact(runs[4], 1, 0)).await.unwrap(), 1);
}

/// F-33: two processes at work in one store never see that it is locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f33_two_stores_on_one_file_both_make_progress() {
    const APPENDS: u64 = 300;
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    let runs = runs(&fixture, 8).await;
    let stores = [fixture.store.clone(), other];
    let started = Instant::now();
    let work = runs.iter().enumerate().map(|(index, run)| {
        let (store, run) = (stores[index % 2].clone(), *run);
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            for expected in 0..APPENDS {
                let begun = Instant::now();
                store.append(one_fact(run, 1, expected)).await?;
                slowest = slowest.max(begun.elapsed());
            }
            Ok::<_, MetastoreError>(slowest)
        })
    });
    let slowest = join_all(work).await.into_iter().map(|done| done.unwrap().unwrap()).max().unwrap();
    println!("2400 appends in {:?}, the slowest took {slowest:?}", started.elapsed());
    for run in &runs {
        // Each store sees what the other has written.
        for store in &stores {
            assert_eq!(store.all_facts(*run).await.unwrap().len() as u64, APPENDS);
        }
    }
    assert!(slowest < Duration::from_secs(10), "an append took {slowest:?}");
}

/// F-36: of two drivers with the same epoch and knowledge, exactly one wins each step.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f36_two_writers_of_one_run_cannot_both_win() {
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    let run = fixture.run(1).await;
    for expected in 0..100 {
        let (first, second) =
            tokio::join!(fixture.store.append(one_fact(run, 1, expected)), other.append(one_fact(run, 1, expected)));
        assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1, "{first:?} {second:?}");
        assert!(first.err().or(second.err()).unwrap().is_conflict());
    }
    assert_eq!(fixture.store.all_facts(run).await.unwrap().len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_take_over_gets_an_epoch_of_its_own() {
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    fixture.store.create_run(new_run(1)).await.unwrap();
    let run = new_run(1).info.id;
    let takes = (0..20).map(|index| {
        let store = if index % 2 == 0 { fixture.store.clone() } else { other.clone() };
        tokio::spawn(async move { store.take_epoch(run).await })
    });
    let mut epochs: Vec<u64> = join_all(takes).await.into_iter().map(|epoch| epoch.unwrap().unwrap()).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=20).collect::<Vec<_>>());
}

/// F-33: a lock that somebody else holds is waited for, and reading does not wait at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_append_waits_for_a_lock_and_reads_do_not() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut raw = fixture.raw().await;
    for statement in LOCK {
        execute(&mut raw, statement).await;
    }
    execute(&mut raw, "UPDATE runs SET error = 'half done'").await;
    let waits = fixture.store.stats().lock_waits;
    let store = fixture.store.clone();
    let append = tokio::spawn(async move { store.append(one_fact(run, 1, 0)).await });
    let deadline = Instant::now() + Duration::from_secs(10);
    while fixture.store.stats().lock_waits == waits {
        assert!(Instant::now() < deadline, "the writer did not meet the lock");
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.store.run(run).await.unwrap().error, None);
    assert!(!append.is_finished());
    execute(&mut raw, "COMMIT").await;
    assert_eq!(append.await.unwrap().unwrap(), 1);
    close(raw).await;
}
