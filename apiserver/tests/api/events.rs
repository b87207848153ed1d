//! The facts of a run as they happen.

use crate::recorded::{Recorded, read_until};

fn events(recorded: &Recorded) -> String {
    format!("/apis/penstock/v1/runs/{}/events", recorded.run)
}

/// The ids of events.
fn ids(text: &str) -> Vec<u64> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
}

#[tokio::test]
async fn facts_come_as_they_happen_until_the_run_has_ended() {
    let recorded = Recorded::start().await;
    let mut stream = recorded.open(&events(&recorded)).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = read_until(&mut stream, "\n\n").await;
    assert!(first.contains("\"seq\":1,\"at\":\""), "{first}");
    assert!(first.ends_with("\"fact\":{\"fact\":\"attemptStarted\",\"node\":1,\"attempt\":0}}\n\n"), "{first}");
    recorded.retry(None).await;
    read_until(&mut stream, "id: 3\n").await;
    recorded.succeed(1, None).await;
    recorded.end().await;
    let rest = axum::body::to_bytes(stream.into_body(), usize::MAX).await.expect("it ends well");
    assert_eq!(ids(std::str::from_utf8(&rest).unwrap()), [4, 5]);
}

#[tokio::test]
async fn a_client_goes_on_where_it_was() {
    let recorded = Recorded::start().await;
    recorded.retry(None).await;
    recorded.succeed(1, None).await;
    recorded.end().await;
    let all = recorded.get(&events(&recorded)).await;
    assert_eq!(ids(&all.text), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&recorded.get(&format!("{}?after=3", events(&recorded))).await.text), [4, 5]);
    // A client that connects again does so with the URL of the first time.
    let again = recorded.get_with(&format!("{}?after=1", events(&recorded)), &[("last-event-id", "4")]).await;
    assert_eq!(ids(&again.text), [5]);
    let done = recorded.get_with(&events(&recorded), &[("last-event-id", "5")]).await;
    assert_eq!((done.status.as_u16(), done.text.as_str()), (204, ""));
    for wrong in ["-1", "x", "1e3"] {
        let refused = recorded.get(&format!("{}?after={wrong}", events(&recorded))).await.refused(400);
        assert!(refused.contains("is not the number of an event"), "{refused}");
    }
    assert_eq!(recorded.get("/apis/penstock/v1/runs/x/events").await.refused(404), "Run x not found");
}

#[tokio::test]
async fn a_silent_run_has_a_heart_beat() {
    let recorded = Recorded::start().await;
    let mut stream = recorded.open(&events(&recorded)).await;
    read_until(&mut stream, "id: 1\n").await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(16)).await;
    tokio::time::resume();
    assert_eq!(read_until(&mut stream, ":\n\n").await, ":\n\n");
}

#[tokio::test]
async fn a_deleted_run_has_no_events() {
    let recorded = Recorded::start().await;
    let stream = recorded.open(&events(&recorded)).await;
    recorded.end().await;
    recorded.store.delete_run(recorded.run).await.expect("it is deleted");
    axum::body::to_bytes(stream.into_body(), usize::MAX).await.expect("it ends well");
    recorded.get(&events(&recorded)).await.refused(404);
}
