//! Ctrl-C, timeouts, and what tasks leave behind.

use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::process;
use penstock_tests::sandbox::Sandbox;
use rustix::process::Signal;
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

/// Runs one script with the sandbox's folder as `$1`, and returns once it has made the file `started`.
fn start(sandbox: &Sandbox, script: &str, grace: &str) -> Background {
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let tasks = [Task::new("task", script).arg(&folder), Task::new("next", "true").after("task")];
    let run = sandbox.run_commands(&Pipeline::new("signals", tasks).build()).args(["--grace", grace]).spawn();
    wait_until("the task's start", SOON, || sandbox.has("started"));
    run
}

#[test]
fn f37_one_interrupt_lets_the_task_end_and_cancels_the_run() {
    for signal in [Signal::INT, Signal::TERM] {
        let sandbox = Sandbox::new();
        let script = r#"trap 'touch "$1/asked"; exit 0' TERM; touch "$1/started"; while true; do sleep 0.05; done"#;
        let run = start(&sandbox, script, "30s");
        run.signal(signal);
        let finished = run.wait().expect_code(3);
        let end = finished.document();
        assert_eq!((end.state.as_str(), end.task("task").state.as_str()), ("CANCELED", "CANCELED"));
        assert_eq!(end.task("next").attempt, None);
        assert!(sandbox.has("asked"), "the task was not asked to end: {finished}");
        assert_eq!(process::alive(&end.run_id), Vec::<u32>::new());
        assert_eq!(sandbox.get_latest(), end);
    }
}

#[test]
fn f37_task_that_does_not_listen_is_killed_after_the_grace() {
    let sandbox = Sandbox::new();
    let script = r#"trap '' TERM; touch "$1/started"; while true; do sleep 0.05; done"#;
    let run = start(&sandbox, script, "300ms");
    run.signal(Signal::INT);
    let end = run.wait().expect_code(3).document();
    assert_eq!(process::alive(&end.run_id), Vec::<u32>::new());
}

#[test]
fn second_interrupt_stops_at_once_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let script = r#"trap '' TERM; touch "$1/started"; while true; do sleep 0.05; done"#;
    let run = start(&sandbox, script, "10m");
    run.signal(Signal::INT);
    wait_until("the run to be cancelling", SOON, || sandbox.get_latest().state != "RUNNING");
    run.signal(Signal::INT);
    let finished = run.wait().expect_code(3);
    assert!(finished.took < Duration::from_secs(60), "{finished}");
    let left = sandbox.get_latest();
    assert_eq!(process::alive(&left.run_id), Vec::<u32>::new());

    // The first interrupt is on record: the run that goes on ends as cancelled.
    let end = sandbox.penstock().args(["run", "-o", "json", "--resume", "latest"]).run().expect_code(3).document();
    assert_eq!((end.run_id, end.state.as_str()), (left.run_id, "CANCELED"));
}

#[test]
fn two_interrupts_in_a_row_stop_at_once_and_cancel_the_run() {
    let sandbox = Sandbox::new();
    let script = r#"trap '' TERM; touch "$1/started"; while true; do sleep 0.05; done"#;
    let run = start(&sandbox, script, "10m");
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    let finished = run.wait().expect_code(3);
    assert!(finished.took < Duration::from_secs(60), "{finished}");
    let left = sandbox.get_latest();
    assert_eq!(left.state, "CANCELING", "{finished}");
    assert_eq!(process::alive(&left.run_id), Vec::<u32>::new());
    sandbox.penstock().args(["run", "--resume", "latest"]).run().expect_code(3);
}

/// `timeout` ends a process, and then the group that it is in.
#[test]
fn request_of_the_system_that_comes_twice_is_one() {
    let sandbox = Sandbox::new();
    let script =
        r#"trap 'sleep 1; touch "$1/asked"; exit 0' TERM; touch "$1/started"; while true; do sleep 0.05; done"#;
    let run = start(&sandbox, script, "30s");
    run.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(100));
    run.signal(Signal::TERM);
    let end = run.wait().expect_code(3).document();
    assert_eq!(end.state, "CANCELED");
    assert!(sandbox.has("asked"), "the task was not given its grace");
}

#[test]
fn hang_up_stops_at_once_and_the_run_goes_on_later() {
    let sandbox = Sandbox::new();
    let script = r#"[ -e "$1/started" ] && exit 0; touch "$1/started"; while true; do sleep 0.05; done"#;
    let run = start(&sandbox, script, "10m");
    run.signal(Signal::HUP);
    let finished = run.wait().expect_code(3);
    assert!(finished.took < Duration::from_secs(60), "{finished}");
    let left = sandbox.get_latest();
    assert_eq!(process::alive(&left.run_id), Vec::<u32>::new());
    assert_eq!(left.state, "RUNNING");
    let end = sandbox.penstock().args(["run", "-o", "json", "--resume", "latest"]).run().expect_code(0).document();
    assert_eq!(end.task("task").attempt, Some(2));
}

#[test]
fn task_that_takes_too_long_is_stopped_and_says_so() {
    let sandbox = Sandbox::new();
    let script = r#"echo x >> "$1/attempts"; while true; do sleep 0.05; done"#;
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let task = Task::new("slow", script).arg(&folder).deadline(1).retries(1);
    let finished = sandbox.run_commands(&Pipeline::new("slow", [task]).build()).args(["--grace", "1s"]).run();
    let end = finished.expect_code(1).document();
    let error = end.failure_of("slow");
    assert!(error.contains("1 s") || error.contains("1s") || error.contains("1 second"), "{error:?}");
    assert_eq!((end.task("slow").attempt, sandbox.read("attempts").as_str()), (Some(2), "x\nx\n"));
    assert_eq!(process::alive(&end.run_id), Vec::<u32>::new());
}

#[test]
fn task_that_leaves_processes_behind_is_cleaned_up_without_waiting_for_them() {
    let sandbox = Sandbox::new();
    // One holds the output open, one has a session of its own, one has both and an environment of its own.
    let script =
        r#"sleep 600 & setsid sleep 600 & (setsid sh -c 'sleep 600 & sleep 600' &) ; echo done; printf 5 > "$1""#;
    let task = Task::new("leave", script).output("value", "NUMBER_INTEGER");
    let finished = sandbox.run_commands(&Pipeline::new("leave", [task]).build()).run().expect_code(0);
    let end = finished.document();
    assert_eq!(end.task("leave").parameters.outputs["value"], json!(5));
    assert_eq!(process::alive(&end.run_id), Vec::<u32>::new());
    assert!(finished.took < Duration::from_secs(60), "{finished}");
}

#[test]
fn task_killed_by_a_signal_fails_with_its_name_and_is_retried() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let task = Task::new("killed", r#"echo x >> "$1/attempts"; kill -KILL $$"#).arg(&folder).retries(2);
    let end = sandbox.run_commands(&Pipeline::new("killed", [task]).build()).run().expect_code(1).document();
    let error = end.failure_of("killed");
    assert!(error.contains("signal 9") || error.contains("SIGKILL"), "{error:?}");
    assert_eq!(sandbox.read("attempts"), "x\nx\nx\n");
}

#[test]
fn t07_credentials_of_the_machine_are_not_in_a_tasks_environment() {
    let sandbox = Sandbox::new();
    let pipeline = Pipeline::new("environment", [Task::new("show", "env")]).build();
    let secret = "very-secret-value";
    let finished = sandbox
        .run_commands(&pipeline)
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_ACCESS_KEY_ID", secret)
        .env("DATABASE_PASSWORD", secret)
        .env("PENSTOCK_LOG", "trace")
        .run()
        .expect_code(0);
    assert!(!finished.stderr.contains(secret) && !finished.stdout.contains(secret), "a secret was logged");
    let logs = sandbox.penstock().args(["logs", "latest"]).run().expect_code(0);
    assert!(logs.stdout.contains("PATH="), "{logs}");
    assert!(!logs.stdout.contains(secret), "a secret reached user code");
}
