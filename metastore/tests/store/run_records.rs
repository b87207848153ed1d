//! Runs with what they belong to and what became of them when.

use penstock_engine::NodeId;
use penstock_metastore::{
    Append, Command, Comparison, Listing, MetastoreError, Operand, Predicate, RunField, RunRegistration,
    RunStateChange, RunUpdate, StorageState,
};
use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, at, execute, fact, new_run, one_fact};

fn change(at: Timestamp, status: RunStatus) -> RunStateChange {
    RunStateChange { at, status, error: None }
}

fn update(status: RunStatus, error: Option<&str>) -> Option<RunUpdate> {
    let finished_at = status.is_final().then(|| at(50));
    Some(RunUpdate { status, error: error.map(str::to_owned), started_at: Some(at(40)), finished_at })
}

#[tokio::test]
async fn registration_reads_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut run = new_run(1);
    run.registration = RunRegistration {
        experiment: Some(Uuid::from_u128(1)),
        description: "för\u{1f600}\nmore".to_owned(),
        pipeline: Some(Uuid::from_u128(2)),
        version: Some(Uuid::from_u128(3)),
        recurring_run: Some(Uuid::from_u128(4)),
        pipeline_root: "s3://bucket/named".to_owned(),
        plugins_input: json!({"mlflow": {"n": 1.5}}).as_object().unwrap().clone(),
        slot: None,
    };
    store.create_run(run.clone()).await.unwrap();
    let record = store.run_record(run.info.id).await.unwrap();
    assert_eq!(record.row, store.run(run.info.id).await.unwrap());
    assert_eq!(record.registration, run.registration);
    assert_eq!((record.storage_state, record.pending), (StorageState::Available, None));
    assert_eq!((record.parameters, record.inline_text), (run.parameters, None));
    assert_eq!(record.history, [change(run.info.created_at, RunStatus::Pending)]);
    // What runs of the command line are like.
    let bare = fixture.run(2).await;
    let bare = store.run_record(bare).await.unwrap();
    assert_eq!(bare.registration, RunRegistration::default());
    assert_eq!(bare.inline_text, Some(new_run(2).pipeline_text));
    let unknown = Uuid::from_u128(9);
    for error in [
        store.run_record(unknown).await.map(drop).unwrap_err(),
        store.set_run_storage(unknown, StorageState::Archived).await.unwrap_err(),
        store.delete_run(unknown).await.unwrap_err(),
    ] {
        assert!(matches!(error, MetastoreError::NoSuchRun { run } if run == unknown), "{error}");
    }
}

/// F-34: the same run in another experiment is another run.
#[tokio::test]
async fn f34_creating_a_run_again_elsewhere_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.store.create_run(new_run(1)).await.unwrap();
    let mut other = new_run(1);
    other.registration.experiment = Some(Uuid::from_u128(1));
    let error = fixture.store.create_run(other).await.unwrap_err();
    assert!(matches!(error, MetastoreError::RunExists { .. }), "{error}");
}

#[tokio::test]
async fn history_has_each_change_of_status_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    // Started, by the second of two facts.
    let mut append = Append::new(run, 1, 0);
    append.facts = vec![fact(3), fact(4)];
    append.run_update = update(RunStatus::Running, None);
    store.append(append).await.unwrap();
    // Nothing new of the run; then the same status again.
    store.append(one_fact(run, 1, 2)).await.unwrap();
    let mut append = one_fact(run, 1, 3);
    append.run_update = update(RunStatus::Running, Some("not yet"));
    store.append(append).await.unwrap();
    // An append that is refused.
    let mut append = one_fact(run, 1, 0);
    append.run_update = update(RunStatus::Succeeded, None);
    store.append(append).await.unwrap_err();
    // Failed, and retried.
    let mut append = one_fact(run, 1, 4);
    append.run_update = update(RunStatus::Failed, Some("exit code 1\n\"quoted\""));
    store.append(append).await.unwrap();
    let mut append = one_fact(run, 1, 5);
    append.run_update = update(RunStatus::Running, None);
    store.append(append).await.unwrap();

    let failed =
        RunStateChange { at: at(4), status: RunStatus::Failed, error: Some("exit code 1\n\"quoted\"".to_owned()) };
    let wanted = [
        change(at(1), RunStatus::Pending),
        change(at(4), RunStatus::Running),
        failed,
        change(at(5), RunStatus::Running),
    ];
    assert_eq!(store.run_record(run).await.unwrap().history, wanted);
}

/// The states by which a run is found.
async fn states(fixture: &Fixture) -> Vec<&'static str> {
    let mut found = Vec::new();
    for state in ["PENDING", "RUNNING", "CANCELING", "FAILED"] {
        let (field, operand) = (RunField::State, Operand::Text(state.to_owned()));
        let equal = Predicate::Compare { field, comparison: Comparison::Equal, operand };
        let listing = Listing { predicates: vec![equal], ..Listing::by(RunField::CreatedAt, 5) };
        let page = fixture.store.list_run_records(&listing).await.unwrap();
        assert_eq!(page.rows.len() as u64, page.total);
        found.extend((page.total > 0).then_some(state));
    }
    found
}

async fn take_commands(fixture: &Fixture, run: Uuid, expected: u64, status: RunStatus) {
    let mut append = one_fact(run, 1, expected);
    append.run_update = update(status, None);
    let pending = fixture.store.pending_commands(run).await.unwrap();
    append.commands_taken = pending.iter().map(|command| command.id).collect();
    fixture.store.append(append).await.unwrap();
}

#[tokio::test]
async fn newest_command_that_waits_counts_as_the_state_that_it_leads_to() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    let terminate = Command::Terminate { reason: "test".to_owned() };
    let pending = async || store.run_record(run).await.unwrap().pending;
    // Nothing retries what has not ended.
    store.put_command(run, "retry", &Command::Retry).await.unwrap();
    assert_eq!((pending().await, states(&fixture).await), (Some(Command::Retry), vec!["PENDING"]));
    store.put_command(run, "stop", &terminate).await.unwrap();
    assert_eq!((pending().await, states(&fixture).await), (Some(terminate.clone()), vec!["CANCELING"]));
    let record = store.run_record(run).await.unwrap();
    assert_eq!((record.row.status, record.history.len()), (RunStatus::Pending, 1));
    take_commands(&fixture, run, 0, RunStatus::Running).await;
    assert_eq!((pending().await, states(&fixture).await), (None, vec!["RUNNING"]));
    take_commands(&fixture, run, 1, RunStatus::Failed).await;
    // Nothing terminates what has ended.
    store.put_command(run, "late", &terminate).await.unwrap();
    assert_eq!((pending().await, states(&fixture).await), (Some(terminate), vec!["FAILED"]));
    store.put_command(run, "retry again", &Command::Retry).await.unwrap();
    assert_eq!((pending().await, states(&fixture).await), (Some(Command::Retry), vec!["PENDING"]));
    take_commands(&fixture, run, 2, RunStatus::Running).await;
    assert_eq!((pending().await, states(&fixture).await), (None, vec!["RUNNING"]));
    // A run that succeeded goes on from a task.
    take_commands(&fixture, run, 3, RunStatus::Succeeded).await;
    let from = Command::RetryFrom { from: vec![NodeId(2)] };
    store.put_command(run, "from a task", &from).await.unwrap();
    assert_eq!((pending().await, states(&fixture).await), (Some(from), vec!["PENDING"]));
}

/// I-30: a command of a newer build takes nothing away from the run.
#[tokio::test]
async fn i30_run_with_an_unknown_command_can_be_read() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.put_command(run, "a", &Command::Retry).await.unwrap();
    let mut raw = fixture.raw().await;
    execute(&mut raw, r#"UPDATE commands SET command_json = '{"command":"pause"}', kind = 'pause'"#).await;
    assert_eq!(fixture.store.run_record(run).await.unwrap().pending, None);
    assert_eq!(states(&fixture).await, ["PENDING"]);
}

#[tokio::test]
async fn archived_run_goes_on() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    let before = store.run_record(run).await.unwrap();
    for state in [StorageState::Archived, StorageState::Archived, StorageState::Available] {
        store.set_run_storage(run, state).await.unwrap();
        let mut record = store.run_record(run).await.unwrap();
        assert_eq!(record.storage_state, state);
        record.storage_state = before.storage_state;
        assert_eq!(record, before);
    }
    assert_eq!(store.append(one_fact(run, 1, 0)).await.unwrap(), 1);
}
