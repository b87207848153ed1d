//! Runs that somebody has to drive.

use std::time::Duration;

use penstock_metastore::{Append, Claimant, Command, Listed, RunToDrive, RunUpdate};
use penstock_spec::run::RunStatus;
use uuid::Uuid;

use crate::fixture::{Fixture, at, execute, new_run};

async fn end(fixture: &Fixture, run: Uuid) {
    let mut append = Append::new(run, 1, 0);
    append.run_update =
        Some(RunUpdate { status: RunStatus::Failed, error: None, started_at: Some(at(2)), finished_at: Some(at(3)) });
    fixture.store.append(append).await.unwrap();
}

async fn all(fixture: &Fixture, page_size: u32) -> Vec<Listed<RunToDrive>> {
    let (mut runs, mut after) = (Vec::new(), None);
    loop {
        let page = fixture.store.runs_to_drive(after, page_size).await.unwrap();
        assert!(page.runs.len() <= page_size as usize);
        runs.extend(page.runs);
        after = page.next;
        if after.is_none() {
            return runs;
        }
    }
}

async fn ids(fixture: &Fixture) -> Vec<Uuid> {
    all(fixture, 2).await.into_iter().map(|run| run.readable().unwrap().run).collect()
}

#[tokio::test]
async fn unfinished_runs_and_ended_ones_with_commands_come_oldest_first() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut runs = Vec::new();
    for number in 1..=6 {
        runs.push(fixture.run(number).await);
    }
    for ended in [0, 2, 4] {
        end(&fixture, runs[ended]).await;
    }
    assert_eq!(ids(&fixture).await, [runs[1], runs[3], runs[5]]);

    store.put_command(runs[2], "again", &Command::Retry).await.unwrap();
    store.put_command(runs[2], "and again", &Command::Retry).await.unwrap();
    store.put_command(runs[5], "stop", &Command::Terminate { reason: "test".to_owned() }).await.unwrap();
    assert_eq!(ids(&fixture).await, [runs[1], runs[2], runs[3], runs[5]]);
    let listed: Vec<RunToDrive> = all(&fixture, 100).await.into_iter().map(|run| run.readable().unwrap()).collect();
    let commands: Vec<_> = listed.iter().map(|run| (run.ended, run.newest_command)).collect();
    assert_eq!(commands, [(false, None), (true, Some(2)), (false, None), (false, Some(3))]);
    let terminating: Vec<_> = listed.iter().map(|run| run.terminating).collect();
    assert_eq!(terminating, [false, false, false, true]);
    assert_eq!((listed[0].created_at, &listed[0].options), (at(2), &new_run(2).options));

    let mut append = Append::new(runs[2], 1, 0);
    append.commands_taken = vec![1, 2];
    store.append(append).await.unwrap();
    assert_eq!(ids(&fixture).await, [runs[1], runs[3], runs[5]], "the command is taken");
}

#[tokio::test]
async fn whoever_has_a_run_is_listed_with_it() {
    let Some(fixture) = Fixture::new().await else { return };
    let (free, claimed) = (fixture.run(1).await, fixture.run(2).await);
    let claimant = Claimant {
        driver: Uuid::from_u128(5),
        data_dir: Uuid::from_u128(6),
        name: "process 5".to_owned(),
        silence: Duration::from_secs(45),
    };
    fixture.store.claim_run(claimed, &claimant, None).await.unwrap();
    let listed = all(&fixture, 1).await.into_iter().map(|run| run.readable().unwrap());
    let claims: Vec<_> = listed.map(|run| (run.run, run.claim.map(|claim| claim.claimant))).collect();
    assert_eq!(claims, [(free, None), (claimed, Some(claimant))]);
}

/// I-30, T-19: a row that cannot be read is named, and hides no other.
#[tokio::test]
async fn i30_damaged_run_is_listed_as_unreadable() {
    let Some(fixture) = Fixture::new().await else { return };
    let first = fixture.run(1).await;
    let second = fixture.run(2).await;
    let mut raw = fixture.raw().await;
    assert_eq!(execute(&mut raw, "UPDATE runs SET options_json = '{' WHERE name = 'train-00001'").await, 1);
    let listed = all(&fixture, 1).await;
    assert!(matches!(&listed[0], Listed::Unreadable(row) if row.row == first.to_string()), "{listed:?}");
    assert!(matches!(&listed[1], Listed::Readable(run) if run.run == second), "{listed:?}");
}
