//! Which runs the service drives, and what it does about those that fail.

use std::time::Duration;

use penstock_driver::service::{HeldState, ServiceSettings};
use penstock_metastore::{Command, Listed, Remark, RemarkKind};
use rstest::rstest;
use uuid::Uuid;

use crate::database::Database;
use crate::double::{Double, Manner, Running, settings};
use crate::until;

#[rstest]
#[tokio::test]
async fn runs_of_its_backend_are_found_at_the_start_and_later(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let early = double.run(1, "kubernetes", Manner::End).await;
    let foreign = double.run(2, "process", Manner::End).await;
    let running = Running::start(&double, settings());
    until("the early one has ended", || double.has_ended(early)).await;
    let late = double.run(3, "kubernetes", Manner::End).await;
    until("the late one has ended", || double.has_ended(late)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((double.drives(early), double.drives(foreign), double.drives(late)), (1, 0, 1));
    assert_eq!(running.gauge("penstock_driver_leading", None), 1.0);
    running.end().await;
}

/// A run of this process begins at once, one of another process at the next poll.
#[rstest]
#[tokio::test]
async fn new_runs_begin_at_once_or_at_the_next_poll(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let running = Running::start(&double, ServiceSettings { poll: Duration::from_secs(3600), ..settings() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = std::time::Instant::now();
    let run = double.run(1, "kubernetes", Manner::End).await;
    until("it has ended", || double.has_ended(run)).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    running.end().await;

    let running = Running::start(&double, settings());
    let elsewhere = double.over_another_connection().await;
    let run = elsewhere.run(2, "kubernetes", Manner::End).await;
    until("it has ended too", || double.has_ended(run)).await;
    running.end().await;
}

#[rstest]
#[tokio::test]
async fn command_for_a_run_that_has_ended_drives_it_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let running = Running::start(&double, settings());
    let run = double.run(1, "kubernetes", Manner::End).await;
    until("it has ended", || double.has_ended(run)).await;
    double.store.put_command(run, "again", &Command::Retry).await.unwrap();
    until("it was driven again", async || double.drives(run) == 2).await;
    until("the command is taken", async || double.store.pending_commands(run).await.unwrap().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(double.drives(run), 2);
    running.end().await;
}

#[rstest]
#[tokio::test]
async fn run_that_is_deleted_right_after_its_end_is_no_failure(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let running = Running::start(&double, settings());
    double.run(1, "kubernetes", Manner::Deleted).await;
    until("it is seen to be gone", async || running.drives("deleted") == 1.0).await;
    assert_eq!(running.drives("store"), 0.0);
    running.end().await;
}

#[rstest]
#[tokio::test]
async fn r12_number_of_runs_at_work_is_bounded(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(double) = Double::new(database).await else { return };
    for number in 1..=20 {
        double.run(number, "kubernetes", Manner::End).await;
    }
    let stuck = [double.run(30, "kubernetes", Manner::Hang).await, double.run(31, "kubernetes", Manner::Hang).await];
    let queued = double.run(40, "kubernetes", Manner::Hang).await;
    let running = Running::start(&double, ServiceSettings { concurrency: 2, ..settings() });
    until("two hang", async || double.at_work() == stuck.into()).await;
    until("one waits", async || running.service.status().waiting == 1).await;
    assert_eq!(double.most_at_work(), 2);
    assert_eq!((double.drives(queued), running.gauge("penstock_driver_runs", Some("waiting"))), (0, 1.0));
    assert!(running.gauge("penstock_driver_oldest_waiting_run_seconds", None) >= 0.0);
    running.end().await;
    assert!(double.at_work().is_empty(), "what does not stop is dropped");
}

async fn remarks(double: &Double, run: Uuid) -> Vec<Remark> {
    let readable = |remark| match remark {
        Listed::Readable(remark) => remark,
        Listed::Unreadable(row) => panic!("{row:?}"),
    };
    double.store.remarks(run).await.unwrap().into_iter().map(readable).collect()
}

/// R11: whoever has nothing but the store sees why, also when the process that found out is gone.
#[rstest]
#[tokio::test]
async fn t19_store_says_which_runs_are_in_quarantine_and_why(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let damaged = double.run(1, "kubernetes", Manner::Damaged).await;
    let running = Running::start(&double, settings());
    let said = async || remarks(&double, damaged).await.pop();
    until("it is said", async || said().await.is_some()).await;
    let remark = said().await.unwrap();
    assert_eq!((remark.kind, remark.subject.as_str()), (RemarkKind::Quarantined, ""));
    assert!(remark.text.contains("3 times") && remark.text.ends_with("it is missing"), "{}", remark.text);
    running.end().await;
    assert_eq!(said().await, Some(remark.clone()), "it outlives the process");

    let next = double.other();
    next.set(damaged, Manner::Damaged);
    let running = Running::start(&next, settings());
    until("it was tried and is said again", async || said().await.is_some_and(|said| said.at > remark.at)).await;
    next.set(damaged, Manner::End);
    next.store.put_command(damaged, "again", &Command::Retry).await.unwrap();
    until("somebody's retry sets it free", || next.has_ended(damaged)).await;
    until("nothing is said of it any more", async || said().await.is_none()).await;
    running.end().await;
}

/// T-19, R11: one run that cannot be driven, and one that makes the driver fall over.
#[rstest]
#[tokio::test]
async fn t19_runs_that_fail_are_quarantined_with_their_reason_and_others_go_on(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let damaged = double.run(1, "kubernetes", Manner::Damaged).await;
    let falls = double.run(2, "kubernetes", Manner::Panic).await;
    let away = double.run(3, "kubernetes", Manner::StoreAway).await;
    let running = Running::start(&double, settings());
    let state = |run| running.service.status().held.get(&run).map(|held| held.state);
    until("one is quarantined", async || state(damaged) == Some(HeldState::Quarantined)).await;
    until("the other too", async || state(falls) == Some(HeldState::Quarantined)).await;
    let held = running.service.status().held;
    assert!(held[&damaged].reason.ends_with("cannot read fact 3: it is missing"), "{}", held[&damaged].reason);
    assert!(held[&falls].reason.contains("internal error"), "{}", held[&falls].reason);
    let good = double.run(4, "kubernetes", Manner::End).await;
    until("a good one ends", || double.has_ended(good)).await;
    until("the store is tried on and on", async || double.drives(away) > 6).await;
    assert_ne!(state(away), Some(HeldState::Quarantined));
    assert_eq!((double.drives(damaged), double.drives(falls)), (3, 3));
    until("it is counted", async || running.gauge("penstock_driver_runs", Some("quarantined")) == 2.0).await;

    double.set(damaged, Manner::End);
    double.set(away, Manner::End);
    until("the store is back", || double.has_ended(away)).await;
    double.store.put_command(damaged, "again", &Command::Retry).await.unwrap();
    until("somebody's retry sets it free", || double.has_ended(damaged)).await;
    until("nothing is held but the one that falls over", async || running.service.status().held.len() == 1).await;
    running.end().await;
}

/// F-01: whoever comes next goes on.
#[rstest]
#[tokio::test]
async fn f01_runs_are_left_as_they_are_and_taken_up_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(double) = Double::new(database).await else { return };
    let run = double.run(1, "kubernetes", Manner::Hang).await;
    let running = Running::start(&double, settings());
    until("it is at work", async || double.at_work().contains(&run)).await;
    running.end().await;
    assert!(!double.has_ended(run).await);
    let next = double.other();
    let running = Running::start(&next, settings());
    until("it has ended", || next.has_ended(run)).await;
    running.end().await;
}

/// F-34: a store that is away for a while.
#[rstest]
#[tokio::test]
async fn f34_store_that_fails_is_asked_again(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(double) = Double::new(database).await else { return };
    let running = Running::start(&double, settings());
    double.store.close().await;
    let failures = || {
        let families = running.registry.gather();
        let family = families.iter().find(|family| family.name() == "penstock_driver_poll_failures_total");
        family.map_or(0.0, |family| family.get_metric()[0].get_counter().get_value())
    };
    until("it is asked again", async || failures() >= 2.0).await;
    running.end().await;
}
