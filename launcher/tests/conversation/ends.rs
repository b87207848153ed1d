//! How processes end, and what becomes of what they leave.

use std::time::{Duration, Instant};

use penstock_entry::protocol::{End, LauncherMessage};

use crate::fixture::{Stage, children_of};

#[tokio::test]
async fn exit_codes_are_the_programs_own() {
    for code in [0, 1, 2, 64, 65, 125, 126, 127, 137, 143, 255] {
        let (end, exit) = Stage::new().run(&format!("exit {code}")).await;
        assert_eq!((end.how, exit), (End::Code(code), code));
        assert_eq!(end.log_error, None);
    }
}

#[tokio::test]
async fn deaths_by_signal_are_told_and_exit_as_in_a_shell() {
    for signal in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 31, 34, 64] {
        let (end, exit) = Stage::new().run(&format!("ulimit -c 0; exec kill -{signal} $$")).await;
        assert_eq!((end.how, exit), (End::Signal(signal), 128 + signal));
    }
}

#[tokio::test]
async fn the_time_it_ran_is_told() {
    let (end, _) = Stage::new().run("sleep 0.3").await;
    assert!((300..20_000).contains(&end.duration_ms), "{end:?}");
}

#[tokio::test]
async fn the_container_is_held_until_the_launcher_gives_leave() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", "exit 3"]).await;
    pair.end().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(pair.entry.try_wait().unwrap(), None);
    let message = Some("outputs could not be stored".to_owned());
    pair.say(&LauncherMessage::Acknowledge { exit_code: Some(125), message }).await;
    assert_eq!(pair.exit_code().await, 125);
    assert_eq!(stage.message(), "outputs could not be stored");
}

#[tokio::test]
async fn orphans_are_waited_for() {
    let mut stage = Stage::new();
    let script = "for i in 1 2 3 4 5 6 7 8; do (sleep 0.05 & exec true) & done; wait; echo ready; exec sleep 30";
    let pair = stage.running(&["sh", "-c", script]).await;
    crate::fixture::until("no zombie", || {
        let zombies = children_of(pair.pid()).into_iter().filter(|child| {
            let path = format!("/proc/{}/stat", child.as_raw_nonzero());
            std::fs::read_to_string(path).is_ok_and(|stat| stat.contains(") Z "))
        });
        stage.path("log").exists()
            && stage.text() == "ready\n"
            && zombies.count() == 0
            && children_of(pair.pid()).len() == 1
    })
    .await;
    pair.signal(rustix::process::Signal::TERM);
    let mut pair = pair;
    assert_eq!(pair.end().await.how, End::Signal(15));
}

#[tokio::test]
async fn a_daemon_that_keeps_the_output_open_delays_nothing_and_is_killed() {
    for daemon in ["sleep 61", "sh -c 'trap \"\" TERM; while :; do sleep 0.02; done'"] {
        let mut stage = Stage::new();
        let since = Instant::now();
        let mut pair = stage.running(&["sh", "-c", &format!("(setsid {daemon} &); echo done; exit 5")]).await;
        let end = pair.end().await;
        assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
        assert_eq!((end.how, end.log_error), (End::Code(5), None));
        assert_eq!(stage.text(), "done\n");
        assert_eq!(children_of(pair.pid()), []);
        assert_eq!(pair.leave().await, 5);
    }
}
