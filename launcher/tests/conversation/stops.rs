//! Signals, in each state.

use std::time::{Duration, Instant};

use penstock_entry::protocol::{End, EntryMessage, LauncherMessage};
use rustix::process::Signal;

use crate::fixture::{Stage, soon, until};

/// Says `ready`, then waits and ignores SIGTERM.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 0.02; done";

async fn ready(stage: &Stage) {
    until("ready", || stage.path("log").exists() && stage.text().contains("ready")).await;
}

#[tokio::test]
async fn a_process_that_ignores_the_stop_is_killed_after_the_grace() {
    for by_signal in [true, false] {
        let mut stage = Stage::new();
        let mut pair = stage.running(&["sh", "-c", STUBBORN]).await;
        ready(&stage).await;
        let since = Instant::now();
        if by_signal {
            pair.signal(Signal::TERM);
        } else {
            pair.say(&LauncherMessage::Stop).await;
        }
        let end = pair.end().await;
        assert_eq!((end.how, end.terminated), (End::Signal(9), by_signal));
        let took = since.elapsed();
        assert!((Duration::from_millis(400)..Duration::from_secs(20)).contains(&took), "{took:?}");
        assert_eq!(pair.leave().await, 137);
    }
}

#[tokio::test]
async fn a_process_may_end_well_when_it_is_stopped() {
    let mut stage = Stage::new();
    let mut pair =
        stage.running(&["sh", "-c", "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.02; done"]).await;
    ready(&stage).await;
    pair.signal(Signal::TERM);
    assert_eq!(pair.end().await.how, End::Code(0));
    // The shell may also say that what it waited for was terminated.
    assert!(stage.text().lines().any(|line| line == "saved"), "{}", stage.text());
}

#[tokio::test]
async fn signals_reach_the_whole_group() {
    let mut stage = Stage::new();
    let script = "for s in HUP INT QUIT USR1 USR2 WINCH CONT; do trap \"echo $s\" $s; done; \
                  sh -c 'trap \"\" HUP USR1; trap \"echo inner; exit\" USR2; while :; do sleep 0.02; done' & \
                  sleep 0.2; echo ready; while :; do sleep 0.02; done";
    let mut pair = stage.running(&["sh", "-c", script]).await;
    ready(&stage).await;
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::WINCH, "WINCH"),
        (Signal::CONT, "CONT"),
        (Signal::USR2, "USR2"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
    ] {
        pair.signal(signal);
        until(name, || stage.text().lines().any(|line| line == name)).await;
    }
    until("the inner one", || stage.text().lines().any(|line| line == "inner")).await;
    pair.signal(Signal::TERM);
    assert_eq!(pair.end().await.how, End::Signal(15));
}

#[tokio::test]
async fn a_termination_before_the_start_is_obeyed_at_once() {
    let mut stage = Stage::new();
    let mut pair = stage.waiting(stage.entry(&["true"])).await;
    pair.signal(Signal::TERM);
    assert_eq!(pair.exit_code().await, 143);

    let stage = Stage::new();
    std::fs::remove_file(stage.path("socket")).unwrap();
    let mut entry = stage.entry(&["true"]).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(entry.id().unwrap()).unwrap()).unwrap();
    // Handlers are set when the program catches the signal.
    until("handlers", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        u64::from_str_radix(caught, 16).unwrap() & (1 << 14) != 0
    })
    .await;
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(soon(entry.wait()).await.unwrap().code(), Some(143));
}

#[tokio::test]
async fn a_termination_during_the_hold_is_told_and_waits_for_the_launcher() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", "exit 4"]).await;
    pair.end().await;
    pair.signal(Signal::TERM);
    assert_eq!(pair.hear().await, EntryMessage::Terminating);
    pair.say(&LauncherMessage::Stop).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(pair.entry.try_wait().unwrap(), None);
    assert_eq!(pair.leave().await, 4);
}

#[tokio::test]
async fn f37_a_termination_during_the_hold_ends_it_before_the_grace_does() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", "exit 4"]).await;
    pair.end().await;
    let since = Instant::now();
    pair.signal(Signal::TERM);
    assert_eq!(pair.exit_code().await, 125);
    let took = since.elapsed();
    assert!((Duration::from_millis(1500)..Duration::from_secs(20)).contains(&took), "{took:?}");
    assert!(stage.message().contains("the Pod is being ended"), "{}", stage.message());
}

#[tokio::test]
async fn leave_while_it_runs_stops_it_first() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", STUBBORN]).await;
    ready(&stage).await;
    pair.say(&LauncherMessage::Acknowledge { exit_code: Some(125), message: Some("given up".to_owned()) }).await;
    assert_eq!(pair.exit_code().await, 125);
    assert_eq!(stage.message(), "given up");
}
