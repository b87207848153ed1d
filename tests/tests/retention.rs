//! `penstock up` that archives and deletes runs by itself.

use std::time::{Duration, Instant};

use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{self, Server};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
/// For how long runs are kept here. Between the end of a young run and the look that is to leave it alone a server starts.
const KEPT: Duration = Duration::from_secs(20);

fn call(server: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    server::call(server, method, &format!("/apis/v2beta1/runs{path}"), body, SOON).expect("an answer")
}

fn submit(server: &Server, name: &str, script: &str) -> String {
    let pipeline = Pipeline::new("kept", [Task::new("task", script)]).build();
    let body = json!({"display_name": name, "pipeline_spec": pipeline});
    let (status, run) = call(&server.url(), "POST", "", Some(&body));
    assert_eq!(status, 200, "{run}");
    run["run_id"].as_str().expect("an id").to_owned()
}

/// A field of a run; nothing, if there is no such run.
fn field(server: &Server, run: &str, name: &str) -> Option<String> {
    let (status, found) = call(&server.url(), "GET", &format!("/{run}"), None);
    assert!([200, 404].contains(&status), "{found}");
    (status == 200).then(|| found[name].as_str().unwrap_or_default().to_owned())
}

fn finish(server: &Server, run: &str) {
    wait_until("the run's end", SOON, || field(server, run, "state").as_deref() == Some("SUCCEEDED"));
}

fn counted(server: &Server, line: &str) -> bool {
    let address = server.url().trim_start_matches("http://").parse().expect("an address");
    server::get(address, "/metrics").is_some_and(|(_, text)| text.lines().any(|found| found == line))
}

#[test]
fn runs_are_archived_when_they_ended_long_ago_and_deleted_when_they_were_archived_long_ago() {
    let sandbox = Sandbox::new();
    let start = |arguments: &[&str]| {
        let all = [&["--host-commands", "--log-level", "info"], arguments].concat();
        Server::start_with(sandbox.penstock(), &all)
    };
    let server = start(&[]);
    let old = submit(&server, "old", "true");
    finish(&server, &old);
    let ended = Instant::now();
    let folder = sandbox.folder().display();
    let script = format!("touch {folder}/started; while [ ! -e {folder}/go ]; do sleep 0.05; done");
    let under_way = submit(&server, "under way", &script);
    wait_until("the task", SOON, || sandbox.has("started"));
    wait_until("the first run to grow old", SOON, || ended.elapsed() > KEPT);
    let young = submit(&server, "young", "true");
    finish(&server, &young);
    let kept = |server: &Server, run: &str| field(server, run, "storage_state");
    let [available, archived] = ["AVAILABLE", "ARCHIVED"].map(|state| Some(state.to_owned()));
    assert_eq!(kept(&server, &old), available, "off by default");
    server.stop().expect_code(0);

    let server = start(&["--runs-retention-time", "20s"]);
    wait_until("the old run to be archived", SOON, || kept(&server, &old) == archived);
    assert_eq!([kept(&server, &young), kept(&server, &under_way)], [available.clone(), available.clone()]);
    wait_until("the pass to be counted", SOON, || {
        counted(&server, r#"penstock_runs_gc_passes_total{result="done"} 1"#)
    });
    assert!(counted(&server, "penstock_runs_gc_archived_total 1"));
    let finished = server.stop().expect_code(0);
    assert!(finished.stderr.contains("archived=1 deleted=0"), "{finished}");

    std::thread::sleep(Duration::from_secs(1));
    let server = start(&["--archived-runs-retention-time", "1s"]);
    wait_until("the old run to be deleted", SOON, || kept(&server, &old).is_none());
    assert_eq!([kept(&server, &young), kept(&server, &under_way)], [available.clone(), available]);
    sandbox.write("go", "");
    finish(&server, &under_way);
    let finished = server.stop().expect_code(0);
    assert!(finished.stderr.contains("archived=0 deleted=1"), "{finished}");
}

#[test]
fn i31_odd_retentions_are_refused_at_the_start() {
    let sandbox = Sandbox::new();
    for (flag, value) in [
        ("--runs-retention-time", "0s"),
        ("--archived-runs-retention-time", "0h"),
        ("--runs-gc-interval", "10s"),
        ("--runs-gc-batch-size", "0"),
    ] {
        let refused = sandbox.penstock().args(["up", "--listen", "127.0.0.1:0", flag, value]).run();
        refused.expect_code(2).expect_complaint(flag);
    }
    let refused = sandbox.penstock().env("PENSTOCK_RUNS_RETENTION_TIME", "0s").args(["up"]).run();
    refused.expect_code(2).expect_complaint("--runs-retention-time");
}
