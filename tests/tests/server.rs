//! `penstock up` beside the command line, and what is left of it after a kill.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{self, Server};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

fn call(server: &str, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    server::call(server, method, &format!("/apis/v2beta1{path}"), body, SOON)
}

fn submission(name: &str, script: &str) -> Value {
    let pipeline = Pipeline::new("api", [Task::new("task", script)]).build();
    json!({"display_name": name, "pipeline_spec": pipeline})
}

#[test]
fn run_of_the_api_is_seen_by_the_command_line_and_the_other_way_round() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let (status, made) = call(&server.url(), "POST", "/runs", Some(&submission("by the API", "true"))).expect("answer");
    assert_eq!(status, 200, "{made}");
    let id = made["run_id"].as_str().expect("an id");
    let state = || call(&server.url(), "GET", &format!("/runs/{id}"), None).map(|(_, run)| run["state"].clone());
    wait_until("the run's end", SOON, || state() == Some(json!("SUCCEEDED")));
    let seen = sandbox.penstock().args(["get", id, "-o", "json"]).run().expect_code(0).document();
    assert_eq!((seen.state.as_str(), seen.task("task").state.as_str()), ("SUCCEEDED", "SUCCEEDED"));

    // Whichever process is faster drives it; the command shows it either way.
    let own = sandbox.run_commands(&Pipeline::new("cli", [Task::new("task", "true")]).build()).run().expect_code(0);
    let listed = call(&server.url(), "GET", &format!("/runs/{}", own.document().run_id), None).expect("answer");
    assert_eq!((listed.0, &listed.1["state"]), (200, &json!("SUCCEEDED")));
    server.stop().expect_code(0);
}

#[test]
fn a_server_on_one_machine_says_how_it_stands() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &[]);
    let (status, system) =
        server::call(&server.url(), "GET", "/apis/penstock/v1/system", None, SOON).expect("an answer");
    assert_eq!((status, &system["mode"], &system["store"]["kind"]), (200, &json!("local"), &json!("sqlite")));
    let checks = system["checks"].as_array().expect("checks");
    let seen: Vec<(&Value, &Value)> = checks.iter().map(|check| (&check["name"], &check["status"])).collect();
    let ok = json!("OK");
    assert_eq!(seen, [(&json!("metastore"), &ok), (&json!("object store"), &ok)], "{system}");
    let detail = checks[1]["detail"].as_str().expect("a detail");
    assert!(detail.starts_with("file:///") && detail.ends_with("/artifacts can be read"), "{detail}");
    server.stop().expect_code(0);
}

#[test]
fn run_that_waits_for_its_turn_is_not_taken_for_abandoned() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands", "--runs", "1"]);
    let folder = sandbox.folder().display();
    let script = format!("touch {folder}/started; while [ ! -e {folder}/go ]; do sleep 0.05; done");
    let submit = |name: &str, script: &str| {
        let (_, run) = call(&server.url(), "POST", "/runs", Some(&submission(name, script))).expect("answer");
        run["run_id"].as_str().expect("an id").to_owned()
    };
    submit("first", &script);
    wait_until("the first run's task", SOON, || sandbox.has("started"));
    let second = submit("second", "true");
    let seen = sandbox.penstock().args(["get", &second]).run().expect_code(0);
    assert!(!seen.stdout.contains("no process drives"), "{seen}");
    sandbox.write("go", "");
    let state = || call(&server.url(), "GET", &format!("/runs/{second}"), None).map(|(_, run)| run["state"].clone());
    wait_until("its turn", SOON, || state() == Some(json!("SUCCEEDED")));
    server.stop().expect_code(0);
}

#[test]
fn f01_whatever_was_acknowledged_is_there_after_a_kill_and_goes_on() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let url = server.url();
    let submitters: Vec<_> = (0..4)
        .map(|submitter| {
            let url = url.clone();
            std::thread::spawn(move || {
                let mut acknowledged = BTreeSet::new();
                for number in 0..25 {
                    let body = submission(&format!("run {submitter}-{number}"), "true");
                    let Some((200, run)) = call(&url, "POST", "/runs", Some(&body)) else { break };
                    acknowledged.insert(run["run_id"].as_str().expect("an id").to_owned());
                }
                acknowledged
            })
        })
        .collect();
    let total =
        |url: &str| call(url, "GET", "/runs?page_size=1", None).and_then(|(_, list)| list["total_size"].as_u64());
    wait_until("some runs", SOON, || total(&url).is_some_and(|total| total >= 20));
    server.kill();
    let acknowledged: BTreeSet<String> =
        submitters.into_iter().flat_map(|submitter| submitter.join().expect("a submitter")).collect();
    assert!(acknowledged.len() >= 16, "{}", acknowledged.len());

    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let mut listed = BTreeSet::new();
    let (_, page) = call(&server.url(), "GET", "/runs?page_size=200", None).expect("answer");
    for run in page["runs"].as_array().expect("runs") {
        listed.insert(run["run_id"].as_str().expect("an id").to_owned());
    }
    let lost: Vec<_> = acknowledged.difference(&listed).collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    wait_until("all runs to end", SOON, || {
        listed.iter().all(|id| {
            let run = call(&server.url(), "GET", &format!("/runs/{id}"), None);
            run.is_some_and(|(_, run)| run["state"] == "SUCCEEDED")
        })
    });
    server.stop().expect_code(0);
}

/// What people do first: `make run`, where nobody is at the terminal.
#[test]
fn first_run_says_where_the_dashboard_is_and_ends_as_the_run_does() {
    let Some(python) = python::find_or_skip("first_run_says_where_the_dashboard_is_and_ends_as_the_run_does") else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = [root.join(".ci/first-run").display().to_string()];
    let sandbox = Sandbox::new();
    let no_pipeline = sandbox.write("no-pipeline.yaml", "root: []\n");
    for (pipeline, code) in [(root.join("tests/pipelines/hello.yaml"), 0), (no_pipeline, 2)] {
        let first = sandbox.penstock().arg(pipeline).python(&python).env("PENSTOCK_LISTEN", "127.0.0.1:0");
        let ended = first.through("bash", &script).run().expect_code(code);
        let address = ended.stdout.lines().find_map(|line| line.split_once(" is up at ")).expect("an address").1;
        assert!(ended.stdout.contains(&format!("The dashboard was at {address}.")), "{ended}");
        assert_eq!(
            server::get(address.trim_start_matches("http://").parse().expect("a port"), "/"),
            None,
            "it is gone"
        );
    }
}

#[test]
fn t29_what_users_call_things_makes_no_lines_in_the_log() {
    const FORGED: &str = "\nERROR forged\u{1b}[31m\r";
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands", "--log-level", "trace"]);
    let pipeline = Pipeline::new("api", [Task::new("task", "echo \"$1\"; exit 1").arg(FORGED)]).build();
    let run = json!({"display_name": FORGED, "description": FORGED, "pipeline_spec": pipeline});
    let schedule = json!({
        "display_name": FORGED, "pipeline_spec": pipeline, "max_concurrency": "1", "mode": "ENABLE",
        "trigger": {"periodic_schedule": {"interval_second": "1"}},
    });
    let mut made = Vec::new();
    for (path, body) in
        [("/experiments", json!({"display_name": FORGED})), ("/recurringruns", schedule), ("/runs", run)]
    {
        let (status, document) = call(&server.url(), "POST", path, Some(&body)).expect("answer");
        assert_eq!(status, 200, "{document}");
        made.push(document);
    }
    let (status, _) = call(&server.url(), "GET", "/runs/%0AERROR%20forged%1B", None).expect("answer");
    assert_eq!(status, 404);
    let id = made[2]["run_id"].as_str().expect("an id");
    let state = || call(&server.url(), "GET", &format!("/runs/{id}"), None).map(|(_, run)| run["state"].clone());
    wait_until("the run's end", SOON, || state() == Some(json!("FAILED")));
    let log = server.stop().expect_code(0).stderr;
    assert!(log.contains("TRACE"), "it says all it can: {log}");
    let forged: Vec<_> =
        log.lines().filter(|line| line.starts_with("ERROR forged") || line.contains('\u{1b}')).collect();
    assert!(forged.is_empty(), "{forged:?}");
}

#[test]
fn t30_address_that_others_reach_is_refused_without_a_word_for_it() {
    let sandbox = Sandbox::new();
    let up = sandbox.penstock().args(["up", "--listen", "0.0.0.0:0"]);
    up.run().expect_code(2).expect_complaint("--allow-unauthenticated");
}
