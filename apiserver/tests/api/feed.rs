//! What changes in the runs of a namespace.

use penstock_metastore::{Command, StorageState};
use serde_json::{Value, json};

use crate::recorded::{Recorded, read_until};

const EVENTS: &str = "/apis/penstock/v1/events";

/// Number, name and data of each event.
fn events(text: &str) -> Vec<(u64, String, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data: "));
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned).unwrap_or_default()
    };
    blocks
        .map(|block| {
            let data = serde_json::from_str(&field(block, "data: ")).expect("JSON");
            (field(block, "id: ").parse().expect("a number"), field(block, "event: "), data)
        })
        .collect()
}

#[tokio::test]
async fn changes_come_as_they_happen_and_go_on_where_a_client_was() {
    let recorded = Recorded::start().await;
    let mut stream = recorded.open(EVENTS).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let ready = events(&read_until(&mut stream, "\n\n").await);
    assert_eq!((ready[0].0, ready[0].1.as_str()), (1, "ready"), "the run was created before");
    recorded.succeed(0, None).await;
    recorded.end().await;
    let told = events(&read_until(&mut stream, "event: run_state").await);
    let task = &told[0].2;
    assert_eq!((told[0].1.as_str(), &task["state"]), ("task_ended", &json!("SUCCEEDED")));
    assert_eq!((&task["task_id"], &task["run_id"]), (&json!(recorded.task), &json!(recorded.run)));
    drop(stream);
    recorded.store.put_command(recorded.run, "a", &Command::Retry).await.unwrap();
    recorded.store.set_run_storage(recorded.run, StorageState::Archived).await.unwrap();

    let mut again = recorded.open(&format!("{EVENTS}?after=0")).await;
    let all = events(&read_until(&mut again, "run_storage").await);
    let names: Vec<&str> = all.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["run_created", "task_ended", "run_state", "run_command", "run_storage"]);
    let mut rest = recorded.open_with(&format!("{EVENTS}?after=0"), &[("last-event-id", "4")]).await;
    assert_eq!(events(&read_until(&mut rest, "run_storage").await).len(), 1);
    assert!(recorded.get(&format!("{EVENTS}?after=x")).await.refused(400).contains("is not the number of an event"));
}

#[tokio::test]
async fn a_client_that_was_away_for_too_long_is_told_so() {
    let recorded = Recorded::start().await;
    recorded.end().await;
    let nobody = uuid::Uuid::nil();
    recorded.execute("UPDATE change_counter SET pruned_id = 1 WHERE $1 = $1", nobody).await;
    for after in ["0", "999"] {
        let mut stream = recorded.open(&format!("{EVENTS}?after={after}")).await;
        let told = events(&read_until(&mut stream, "\n\n").await);
        assert_eq!((told[0].0, told[0].1.as_str()), (2, "reset"), "{after}");
        recorded.store.set_run_storage(recorded.run, StorageState::Archived).await.unwrap();
        let next = events(&read_until(&mut stream, "\n\n").await);
        assert_eq!(next[0].1, "run_storage", "it goes on from there");
        recorded.execute("UPDATE change_counter SET last_id = 2, pruned_id = 1 WHERE $1 = $1", nobody).await;
        recorded.execute("DELETE FROM changes WHERE id > 2 AND $1 = $1", nobody).await;
        drop(stream);
        // The reader of the streams ends before the next begins.
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    }
}

#[tokio::test]
async fn other_namespaces_are_not_told_of() {
    let recorded = Recorded::start().await;
    let mut stream = recorded.open(&format!("{EVENTS}?namespace=elsewhere")).await;
    read_until(&mut stream, "ready").await;
    recorded.end().await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(16)).await;
    tokio::time::resume();
    // A heart beat says how far the client has come, although it was told nothing.
    let beat = read_until(&mut stream, "id: 2\n\n").await;
    assert!(!beat.contains("data:"), "{beat}");
}

#[tokio::test]
async fn a_thousand_clients_follow_at_a_time() {
    let recorded = Recorded::start().await;
    let mut streams = Vec::new();
    for _ in 0..1000 {
        let mut stream = recorded.open(EVENTS).await;
        assert_eq!(stream.status(), 200);
        read_until(&mut stream, "ready").await;
        streams.push(stream);
    }
    recorded.end().await;
    for mut stream in streams {
        read_until(&mut stream, "run_state").await;
    }
}
