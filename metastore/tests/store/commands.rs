//! Commands and their idempotency keys.

use penstock_metastore::{Append, Command, Listed, MetastoreError};
use uuid::Uuid;

use crate::fixture::{Fixture, execute, one_fact};

fn terminate() -> Command {
    Command::Terminate { reason: "asked by a test".to_owned() }
}

#[tokio::test]
async fn command_is_taken_with_the_facts_it_led_to() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    assert!(store.put_command(run, "a", &terminate()).await.unwrap());
    assert!(store.put_command(run, "b", &Command::Retry).await.unwrap());
    assert_eq!(store.runs_with_commands().await.unwrap(), [run]);
    let pending = store.pending_commands(run).await.unwrap();
    let commands: Vec<_> = pending.iter().map(|pending| pending.command.clone()).collect();
    assert_eq!(commands, [Listed::Readable(terminate()), Listed::Readable(Command::Retry)]);

    // An append that is refused takes nothing.
    let mut refused = one_fact(run, 1, 5);
    refused.commands_taken = vec![pending[0].id];
    store.append(refused).await.unwrap_err();
    assert_eq!(store.pending_commands(run).await.unwrap().len(), 2);

    let mut append = one_fact(run, 1, 0);
    append.commands_taken = vec![pending[0].id];
    store.append(append).await.unwrap();
    assert_eq!(store.pending_commands(run).await.unwrap(), pending[1..]);

    let mut append = Append::new(run, 1, 1);
    append.commands_taken = vec![pending[1].id];
    store.append(append).await.unwrap();
    assert_eq!(store.runs_with_commands().await.unwrap(), Vec::<Uuid>::new());
}

#[tokio::test]
async fn command_under_the_same_key_is_stored_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    assert!(store.put_command(run, "a", &terminate()).await.unwrap());
    assert!(!store.put_command(run, "a", &terminate()).await.unwrap());
    let error = store.put_command(run, "a", &Command::Retry).await.unwrap_err();
    assert!(matches!(error, MetastoreError::CommandExists { .. }), "{error}");
    assert_eq!(store.pending_commands(run).await.unwrap().len(), 1);
    let error = store.put_command(Uuid::from_u128(5), "a", &terminate()).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NoSuchRun { .. }), "{error}");
}

/// I-30: a command of a newer build can be seen and taken.
#[tokio::test]
async fn i30_unknown_command_is_listed_as_unreadable() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.put_command(run, "a", &terminate()).await.unwrap();
    fixture.store.put_command(run, "b", &Command::Retry).await.unwrap();
    let mut raw = fixture.raw().await;
    let sql = r#"UPDATE commands SET command_json = '{"command":"pause"}' WHERE idempotency_key = 'a'"#;
    assert_eq!(execute(&mut raw, sql).await, 1);
    let pending = fixture.store.pending_commands(run).await.unwrap();
    assert!(matches!(&pending[0].command, Listed::Unreadable(row) if row.reason.contains("pause")));
    assert_eq!(pending[1].command, Listed::Readable(Command::Retry));
}
