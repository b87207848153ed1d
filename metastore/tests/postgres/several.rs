//! Several processes on one store, and a server that goes away under them. A process is a store that is opened once more:
//! it has a writer, readers and a listener of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use penstock_metastore::{Change, Command, Experiment, Metastore, MetastoreError, StorageState, StoreLocation};
use penstock_spec::run::RunStatus;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use uuid::Uuid;

use crate::experiments::experiment;
use crate::fixture::{Fixture, count, execute, new_run, one_fact};
use crate::place::Place;
use crate::proxy::{Cut, Proxy};
use crate::server::Server;

const LONG: Duration = Duration::from_secs(20);

/// What a writer was told that it has stored.
#[derive(Default)]
struct Told {
    facts: u64,
    experiments: Vec<Uuid>,
}

/// Stores facts and experiments until it is told to stop. Each must be stored, and once: otherwise a number of facts or a
/// name is not what it was.
async fn write(store: Metastore, run: Uuid, number: u128, stop: Arc<AtomicBool>) -> Result<Told, MetastoreError> {
    let mut told = Told::default();
    while !stop.load(Ordering::Relaxed) {
        told.facts = store.append(one_fact(run, 1, told.facts)).await?;
        let id = number * 1_000_000 + u128::from(told.facts);
        let named = Experiment { name: format!("{number}-{}", told.facts), ..experiment(id, "") };
        store.create_experiment(named).await?;
        told.experiments.push(Uuid::from_u128(id));
        assert!(store.put_command(run, &told.facts.to_string(), &Command::Retry).await?);
    }
    Ok(told)
}

/// No write that was acknowledged is lost, and none is there twice, while the server is killed and stopped under four
/// writers of two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_stored_twice_when_the_server_is_restarted() {
    let Some(server) = Server::start() else { return };
    let place = Place::on(&server).await;
    let stores = [Metastore::open(place.location()).await.unwrap(), Metastore::open(place.location()).await.unwrap()];
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 1..=4 {
        let run = new_run(number);
        let id = run.info.id;
        stores[0].create_run(run).await.unwrap();
        assert_eq!(stores[0].take_epoch(id).await.unwrap(), 1);
        let store = stores[usize::from(number % 2 == 0)].clone();
        writers.push((id, tokio::spawn(write(store, id, number, Arc::clone(&stop)))));
    }
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        tokio::task::block_in_place(|| if round % 2 == 0 { server.crash_and_restart() } else { server.restart() });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut experiments = 0;
    for (run, writer) in writers {
        let told = timeout(3 * LONG, writer).await.unwrap().unwrap().unwrap();
        assert!(told.facts > 10, "{} facts", told.facts);
        for store in &stores {
            assert_eq!(store.all_facts(run).await.unwrap().len() as u64, told.facts);
        }
        for id in &told.experiments {
            stores[1].experiment(*id).await.unwrap();
        }
        experiments += told.experiments.len();
    }
    let stored = count(&mut place.raw().await, "SELECT COUNT(*) FROM experiments").await;
    assert_eq!(usize::try_from(stored).unwrap(), experiments);
    println!("{experiments} steps of four writers over four restarts");
}

async fn proxied() -> Option<(Fixture, Proxy, Metastore)> {
    let fixture = Fixture::new().await?;
    let (directory, database) = fixture.place.url().rsplit_once('/').unwrap();
    let directory = directory.rsplit_once('@').unwrap().1.replace("%2F", "/");
    let proxy = Proxy::start(&directory);
    let url = format!("postgres://penstock@{}/{database}", proxy.directory().replace('/', "%2F"));
    let store = Metastore::open(StoreLocation::Postgres(url.parse().unwrap())).await.unwrap();
    Some((fixture, proxy, store))
}

/// The connection is lost when the server has the word to commit and nobody hears its answer, and just before: what was to
/// be stored is there once either way, and whoever asked for it is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_whose_answer_is_lost_is_found_out() {
    let Some((fixture, proxy, store)) = proxied().await else { return };
    let run = fixture.run(1).await;
    for (step, cut) in (0_u64..).zip([Cut::After, Cut::Before, Cut::After, Cut::Before]) {
        proxy.cut(cut);
        let appended = timeout(3 * LONG, store.append(one_fact(run, 1, step))).await.unwrap();
        assert_eq!(appended.unwrap(), step + 1, "{cut:?}");
        assert!(proxy.has_cut(), "{cut:?}");
        proxy.cut(cut);
        let named = experiment(u128::from(step) + 1, &format!("experiment {step}"));
        timeout(3 * LONG, store.create_experiment(named)).await.unwrap().unwrap();
        assert!(proxy.has_cut(), "{cut:?}");
    }
    assert_eq!(fixture.store.all_facts(run).await.unwrap().len(), 4);
    assert_eq!(count(&mut fixture.raw().await, "SELECT COUNT(*) FROM experiments").await, 4);
}

/// Sessions that an administrator ends are replaced, those for reading too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_were_ended_are_replaced() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut raw = fixture.raw().await;
    for step in 0..5 {
        let reads = (0..8).map(|_| fixture.store.run(run));
        assert!(join_all(reads).await.into_iter().all(|row| row.unwrap().fact_count == step));
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert!(execute(&mut raw, end).await > 0);
        assert_eq!(timeout(LONG, fixture.store.append(one_fact(run, 1, step))).await.unwrap().unwrap(), step + 1);
    }
}

async fn next(changes: &mut Receiver<Change>) -> Change {
    timeout(LONG, changes.recv()).await.unwrap().unwrap()
}

/// Waits for a process to listen: it is told of something.
async fn listening(fixture: &Fixture, changes: &mut Receiver<Change>) {
    let run = fixture.run(1000).await;
    for step in 0.. {
        fixture.store.append(one_fact(run, 1, step)).await.unwrap();
        if timeout(Duration::from_millis(50), changes.recv()).await.is_ok() {
            break;
        }
        assert!(step < 400, "it does not listen");
    }
    while timeout(Duration::from_millis(200), changes.recv()).await.is_ok() {}
}

/// What one process stores wakes the others up, each change once; and again after their connections were lost.
#[tokio::test]
async fn other_processes_are_told_of_what_is_stored() {
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    let mut changes = other.subscribe();
    listening(&fixture, &mut changes).await;
    let mut own = fixture.store.subscribe();
    let run = fixture.run(1).await;
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap();
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap_err();
    fixture.store.put_command(run, "a", &Command::Retry).await.unwrap();
    fixture.store.set_run_storage(run, StorageState::Archived).await.unwrap();
    fixture.set_status_after(run, 1, RunStatus::Failed).await;
    fixture.store.delete_run(run).await.unwrap();
    let changed = Change::RunChanged { run };
    let expected = [
        Change::RunCreated { run },
        Change::FactsAppended { run, seq: 1 },
        Change::CommandStored { run },
        changed,
        changed,
        changed,
    ];
    for change in expected {
        assert_eq!(next(&mut changes).await, change);
        assert_eq!(next(&mut own).await, change);
    }
    // Nobody is told of what it stored itself a second time.
    assert!(timeout(Duration::from_millis(300), own.recv()).await.is_err());
    assert!(changes.try_recv().is_err());

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'penstock-listen'";
    assert_eq!(execute(&mut fixture.raw().await, end).await, 2);
    let run = fixture.run(2).await;
    for step in 0..100 {
        fixture.store.append(one_fact(run, 1, step)).await.unwrap();
        if timeout(Duration::from_millis(100), changes.recv()).await.is_ok() {
            return;
        }
    }
    panic!("it does not listen any more");
}

/// Who goes on behind the newest change that it has seen misses none, however many processes add some at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_become_visible_in_the_order_of_their_numbers() {
    const WRITERS: u128 = 4;
    const RUNS: u128 = 50;
    let Some(fixture) = Fixture::new().await else { return };
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = fixture.open().await;
        writers.push(tokio::spawn(async move {
            for number in 1..=RUNS {
                store.create_run(new_run(writer * RUNS + number)).await.unwrap();
            }
        }));
    }
    let mut seen = Vec::new();
    timeout(3 * LONG, async {
        while seen.len() < usize::try_from(WRITERS * RUNS).unwrap() {
            let after = seen.last().copied().unwrap_or(0);
            let changes = fixture.store.changes_after(None, after, 100).await.unwrap();
            seen.extend(changes.iter().map(|change| change.id));
        }
    })
    .await
    .unwrap();
    join_all(writers).await.into_iter().for_each(|writer| writer.unwrap());
    assert!(seen.iter().copied().eq(1..=u64::try_from(WRITERS * RUNS).unwrap()), "{seen:?}");
}

/// Somebody who was stopped in the middle of a transaction keeps the others from writing for a while, and not for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_that_was_stopped_in_a_transaction_does_not_stop_the_others() {
    let Some((fixture, proxy, store)) = proxied().await else { return };
    let run = fixture.run(1).await;
    proxy.cut(Cut::StallBefore);
    let stalled = tokio::spawn(async move { store.append(one_fact(run, 1, 0)).await });
    timeout(LONG, async {
        while !proxy.has_cut() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    let other = new_run(2);
    let id = other.info.id;
    timeout(LONG, fixture.store.create_run(other)).await.unwrap().unwrap();
    assert_eq!(fixture.store.run(id).await.unwrap().fact_count, 0);
    // It finds out that it was not stored, and stores it.
    proxy.resume();
    assert_eq!(timeout(5 * LONG, stalled).await.unwrap().unwrap().unwrap(), 1);
    assert_eq!(fixture.store.all_facts(run).await.unwrap().len(), 1);
}
