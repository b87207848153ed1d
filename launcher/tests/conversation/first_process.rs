//! The entry as process 1 of a container, with a process namespace of its own.

use std::time::{Duration, Instant};

use penstock_entry::protocol::End;
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{NONCE, Pair, Stage, children_of, is_root, until};

const CONTAINER: [&str; 5] = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

async fn in_container(stage: &mut Stage, user: &[&str], script: &str) -> Pair {
    let wrapper: Vec<&str> = CONTAINER.iter().chain(user).copied().collect();
    stage.running_as(stage.entry_behind(&wrapper, &["sh"]), &["sh", "-c", script]).await
}

fn first_process(pair: &Pair) -> Pid {
    let children = children_of(pair.pid());
    assert_eq!(children.len(), 1);
    children[0]
}

#[tokio::test]
async fn everything_that_is_left_is_killed_and_waited_for() {
    if !is_root("a process namespace") {
        return;
    }
    let mut stage = Stage::new();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do \
                    (setsid sh -c 'trap \"\" TERM; while :; do sleep 0.02; done' &); (sleep 0.01 &); \
                  done; sleep 0.1; echo $$; exit 5";
    let since = Instant::now();
    let mut pair = in_container(&mut stage, &[], script).await;
    let end = pair.end().await;
    assert_eq!((end.how, end.log_error), (End::Code(5), None));
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    assert_eq!(children_of(first_process(&pair)), []);
    assert_eq!(pair.leave().await, 5);
}

#[tokio::test]
async fn a_process_that_leaves_nothing_is_not_delayed() {
    if !is_root("a process namespace") {
        return;
    }
    // A machine under load may delay any one of them.
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let mut stage = Stage::new();
        let since = Instant::now();
        let mut pair = in_container(&mut stage, &[], "true").await;
        pair.end().await;
        quickest = quickest.min(since.elapsed());
        assert_eq!(pair.leave().await, 0);
    }
    assert!(quickest < Duration::from_millis(500), "{quickest:?}");
}

#[tokio::test]
async fn user_code_cannot_kill_or_stop_it() {
    if !is_root("a process namespace") {
        return;
    }
    let mut stage = Stage::new();
    let mut pair =
        in_container(&mut stage, &[], "kill -KILL 1; kill -STOP 1; kill -SEGV 1; kill -ABRT 1; exit 6").await;
    assert_eq!(pair.end().await.how, End::Code(6));
    assert_eq!(pair.leave().await, 6);
}

#[tokio::test]
async fn a_termination_is_passed_on() {
    if !is_root("a process namespace") {
        return;
    }
    let mut stage = Stage::new();
    let mut pair = in_container(&mut stage, &[], "echo ready; exec sleep 60").await;
    until("ready", || stage.path("log").exists() && stage.text() == "ready\n").await;
    kill_process(first_process(&pair), Signal::TERM).unwrap();
    assert_eq!(pair.end().await.how, End::Signal(15));
    assert_eq!(pair.leave().await, 143);
}

#[tokio::test]
async fn user_code_of_the_same_uid_cannot_read_its_memory() {
    if !is_root("a process namespace") {
        return;
    }
    let mut stage = Stage::new();
    let user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--bounding-set=-all"];
    // Its own memory shows that the question is a fair one.
    let script = "id -u; for f in maps environ mem; do \
                    (exec 3< /proc/$$/$f) 2> /dev/null && echo own $f; (exec 3< /proc/1/$f) 2> /dev/null && echo $f; \
                  done; ls /proc/1/fd 2> /dev/null; exit 0";
    let mut pair = in_container(&mut stage, &user, script).await;
    assert_eq!(pair.end().await.how, End::Code(0));
    assert_eq!(stage.text(), "12345\nown maps\nown environ\nown mem\n");
    assert!(!stage.text().contains(NONCE));
    assert_eq!(pair.leave().await, 0);
}
