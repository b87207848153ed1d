//! Logs while attempts are under way, and afterwards.

use penstock_metastore::TaskRow;
use penstock_spec::pod::pod_name;
use penstock_spec::run::TaskStatus;
use tokio::io::AsyncWriteExt as _;

use crate::recorded::{Recorded, TASK, read_until, row};

fn of_node(recorded: &Recorded, node: &str) -> String {
    format!("/apis/v1alpha1/runs/{}/nodes/{}/log", recorded.run, node.replace('/', "%2F"))
}

fn of_attempt(recorded: &Recorded, attempt: &str) -> String {
    format!("/apis/penstock/v1/runs/{}/tasks/{}/attempts/{attempt}/log", recorded.run, recorded.task)
}

#[tokio::test]
async fn a_task_is_named_by_its_id_its_path_or_its_pod() {
    let recorded = Recorded::start().await;
    recorded.print(0, "first\n");
    recorded.retry(None).await;
    recorded.print(1, "second\n");
    let pod = |attempt| pod_name("hello-abcde", "train", recorded.task, attempt);
    for (name, expected) in [
        (recorded.task.to_string(), "second\n"),
        (TASK.replace('[', "%5B").replace(']', "%5D"), "second\n"),
        (pod(1), "second\n"),
        (pod(0), "first\n"),
    ] {
        let answer = recorded.get(&of_node(&recorded, &name)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, expected), "{name}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    }
    assert!(recorded.get(&of_node(&recorded, &pod(2))).await.refused(404).contains("Task hello-abcde"));
    assert_eq!(recorded.get(&of_attempt(&recorded, "0")).await.text, "first\n");
}

#[tokio::test]
async fn a_log_is_read_from_the_store_once_it_is_there() {
    let recorded = Recorded::start().await;
    let first = recorded.store_file("logs/0", b"first");
    let second = recorded.store_file("logs/1", b"second");
    recorded.retry(Some(&first)).await;
    recorded.succeed(1, Some(&second)).await;
    // What is left where it ran does not count any more.
    recorded.print(1, "half of sec");
    let answer = recorded.get(&of_node(&recorded, &recorded.task.to_string())).await;
    assert_eq!((answer.text.as_str(), &answer.headers["content-length"]), ("second", &"6".parse().unwrap()));
    assert_eq!(recorded.get(&of_attempt(&recorded, "0")).await.text, "first");
    assert_eq!(recorded.get(&of_attempt(&recorded, "1")).await.text, "second");
    assert_eq!(recorded.get(&format!("{}?follow=true", of_attempt(&recorded, "1"))).await.text, "second");
}

#[tokio::test]
async fn lines_have_the_times_at_which_they_were_printed() {
    let recorded = Recorded::start().await;
    let first = recorded.store_file("logs/0", b"one\ntwo\n\nthree");
    recorded.store_file("logs/0.times", b"4 1785578400000\n9 1785578401500\n");
    let second = recorded.store_file("logs/1", b"nobody knows\n");
    recorded.retry(Some(&first)).await;
    recorded.print(1, "nobody ");
    let stamped = |attempt, more| format!("{}?timestamps=true{more}", of_attempt(&recorded, attempt));
    let answer = recorded.get(&stamped("0", "")).await;
    let expected = "2026-08-01T10:00:00.000Z one\n2026-08-01T10:00:01.500Z two\n2026-08-01T10:00:01.500Z \n- three";
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, expected));
    assert_eq!(recorded.get(&stamped("1", "")).await.text, "- nobody ");
    // What was sent where it was written has its words already.
    let log = recorded.open(&stamped("1", "&follow=true")).await;
    let (rest, ()) = tokio::join!(rest_of(log), recorded.succeed(1, Some(&second)));
    assert_eq!(rest.expect("a log"), "- nobody knows\n");
    assert_eq!(recorded.get(&stamped("1", "")).await.text, "- nobody knows\n");
    assert_eq!(recorded.get(&format!("{}?timestamps=maybe", of_node(&recorded, TASK))).await.status, 400);
}

#[tokio::test]
async fn times_that_others_wrote_do_no_harm() {
    let recorded = Recorded::start().await;
    let log = recorded.store_file("logs/0", b"one\ntwo\n");
    recorded.store_file("logs/0.times", b"\xff\xfe 1 2 3\n99999999999999999999 5\n8 1785578400000\n");
    recorded.succeed(0, Some(&log)).await;
    let of_first = format!("{}?timestamps=true", of_attempt(&recorded, "0"));
    let expected = "2026-08-01T10:00:00.000Z one\n2026-08-01T10:00:00.000Z two\n";
    assert_eq!(recorded.get(&of_first).await.text, expected);
    recorded.store_file("logs/0.times", &b"8 1785578400000\n".repeat(300_000));
    assert_eq!(recorded.get(&of_first).await.text, "- one\n- two\n", "an index that is too large is not read");
}

#[tokio::test]
async fn what_is_not_there_is_told_before_the_first_byte() {
    let recorded = Recorded::start().await;
    let refused = async |path: String| recorded.get(&path).await.refused(404);
    assert!(refused(of_node(&recorded, "nothing")).await.contains("Task nothing not found"));
    assert!(refused(of_node(&recorded, TASK)).await.contains("has no log, or none yet"));
    assert!(refused(of_attempt(&recorded, "1")).await.contains("0 is the newest"));
    assert!(refused(of_attempt(&recorded, "x")).await.contains("Attempt x not found"));
    assert!(refused("/apis/v1alpha1/runs/x/nodes/y/log".to_owned()).await.contains("Run x not found"));
    // Its log was stored, and is gone.
    recorded.succeed(0, Some("file:///nowhere/else")).await;
    let outside = recorded.get(&of_attempt(&recorded, "0")).await.refused(400);
    assert!(outside.contains("outside of the directories"), "{outside}");
    let gone = recorded.store_file("gone", b"");
    std::fs::remove_file(gone.strip_prefix("file://").unwrap()).unwrap();
    let task = TaskRow { log_uri: Some(gone), ..row(TASK, TaskStatus::Failed, Some(0)) };
    recorded.append(penstock_engine::Fact::RetryRequested { from: Vec::new() }, |append| append.tasks.push(task)).await;
    assert!(refused(of_attempt(&recorded, "0")).await.contains("has no log"));
    let cached = TaskRow { cached: true, ..row(TASK, TaskStatus::Succeeded, None) };
    recorded
        .append(penstock_engine::Fact::RetryRequested { from: Vec::new() }, |append| append.tasks.push(cached))
        .await;
    assert!(refused(of_node(&recorded, TASK)).await.contains("was taken from the cache"));
    assert_eq!(recorded.get(&format!("{}?follow=maybe", of_node(&recorded, TASK))).await.status, 400);
}

#[tokio::test]
async fn a_log_is_followed_until_its_attempt_has_ended() {
    let recorded = Recorded::start().await;
    let mut log = recorded.open(&format!("{}?follow=true", of_attempt(&recorded, "0"))).await;
    assert_eq!(log.status(), 200);
    // Nothing was written when it was asked for.
    recorded.print(0, "one\n");
    read_until(&mut log, "one\n").await;
    recorded.print(0, "two\n");
    read_until(&mut log, "two\n").await;
    recorded.print(0, "last\n");
    let stored = recorded.store_file("log", b"one\ntwo\nlast\n");
    recorded.clean(0);
    recorded.succeed(0, Some(&stored)).await;
    let rest = axum::body::to_bytes(log.into_body(), usize::MAX).await.expect("it ends well");
    assert_eq!(rest, "last\n");
}

/// Everything that is still to come.
async fn rest_of(log: axum::response::Response) -> Result<String, axum::Error> {
    let rest = axum::body::to_bytes(log.into_body(), usize::MAX).await?;
    Ok(String::from_utf8(rest.to_vec()).expect("text"))
}

#[tokio::test]
async fn a_log_that_waits_at_its_end_is_given_up_for_the_stored_one() {
    let recorded = Recorded::start().await;
    let mut pipe = recorded.pipe();
    let mut log = recorded.open(&format!("{}?follow=true", of_attempt(&recorded, "0"))).await;
    pipe.write_all(b"one\n").await.expect("it is read");
    read_until(&mut log, "one\n").await;
    // Nobody closes the pipe.
    let stored = recorded.store_file("log", b"one\ntwo\n");
    recorded.succeed(0, Some(&stored)).await;
    assert_eq!(rest_of(log).await.expect("it ends well"), "two\n");
}

#[tokio::test]
async fn a_log_of_which_more_was_sent_than_stored_ends_where_it_is_written() {
    let recorded = Recorded::start().await;
    let mut pipe = recorded.pipe();
    let mut log = recorded.open(&format!("{}?follow=true", of_attempt(&recorded, "0"))).await;
    pipe.write_all(b"one\ntwo\n").await.expect("it is read");
    read_until(&mut log, "two\n").await;
    let stored = recorded.store_file("log", b"(cut off)\ntwo\nthree\n");
    recorded.succeed(0, Some(&stored)).await;
    pipe.write_all(b"three\n").await.expect("it is read");
    drop(pipe);
    assert_eq!(rest_of(log).await.expect("it ends well"), "three\n");
}

#[tokio::test]
async fn a_log_that_breaks_off_goes_on_from_the_stored_one_or_ends_visibly() {
    for (content, expected) in [(&b"one\ntwo\n"[..], Some("two\n")), (b"another\n", None)] {
        let recorded = Recorded::start().await;
        let mut pipe = recorded.pipe();
        let mut log = recorded.open(&format!("{}?follow=true", of_attempt(&recorded, "0"))).await;
        pipe.write_all(b"one\n").await.expect("it is read");
        read_until(&mut log, "one\n").await;
        recorded.break_off();
        drop(pipe);
        let stored = recorded.store_file("log", content);
        recorded.succeed(0, Some(&stored)).await;
        assert_eq!(rest_of(log).await.ok().as_deref(), expected);
    }
}

#[tokio::test]
async fn why_there_is_no_log_yet_is_told() {
    let recorded = Recorded::start().await;
    recorded.wait("0/1 nodes are available");
    let refused = recorded.get(&of_attempt(&recorded, "0")).await.refused(404);
    assert!(refused.contains("has no log yet: 0/1 nodes are available"), "{refused}");
}

#[tokio::test]
async fn a_log_that_is_written_elsewhere_is_sent_at_the_end() {
    let recorded = Recorded::start().await;
    let log = recorded.open(&format!("{}?follow=true", of_attempt(&recorded, "0"))).await;
    let stored = recorded.store_file("log", b"all of it");
    recorded.succeed(0, Some(&stored)).await;
    assert_eq!(axum::body::to_bytes(log.into_body(), usize::MAX).await.expect("it ends well"), "all of it");
}
