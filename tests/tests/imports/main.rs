//! What is brought over from another server: once, under whatever name, and with no claim to what has been due before.

mod conflicts;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use penstock_spec::Timestamp;
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

fn up(sandbox: &Sandbox) -> Server {
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    wait_until("its address", SOON, || sandbox.data_dir().join("server.json").exists());
    server
}

/// Imports into the server of a sandbox; the exit code and the report.
fn import(target: &Sandbox, from: &str, more: &[&str]) -> (Option<i32>, Value) {
    let import = target.penstock().args(["import", "-o", "json", "--from", from]).args(more).run();
    let document = serde_json::from_str(&import.stdout).unwrap_or_else(|_| panic!("{import}"));
    (import.code(), document)
}

/// A recurring run at a server.
fn recurring(server: &Server, name: &str, trigger: &Value, more: &Value) {
    let mut body = json!({
        "display_name": name, "mode": "ENABLE", "max_concurrency": "10", "trigger": trigger,
        "pipeline_spec": Pipeline::new("train", [Task::new("a", "true")]).build(),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    post(&server.url(), "/apis/v2beta1/recurringruns", &body);
}

/// The slots of all runs there are at a server, in order.
fn slots(server: &Server) -> Vec<Timestamp> {
    let list = get(&server.url(), "/apis/v2beta1/runs?sort_by=scheduled_at&page_size=200");
    let runs = list["runs"].as_array().cloned().unwrap_or_default();
    let slot = |run: &Value| run["scheduled_at"].as_str().expect("a time").parse().expect("a time");
    runs.iter().map(slot).collect()
}

fn ago(seconds: i64) -> Timestamp {
    let second = Timestamp::now().as_second() - seconds;
    Timestamp::from_second(second).expect("a time")
}

#[test]
fn import_brings_everything_over_once() {
    let (source, target) = (Sandbox::new(), Sandbox::new());
    let (from, to) = (up(&source), up(&target));
    let pipeline = Pipeline::new("train", [Task::new("a", "true")]).build();
    let file = source.write_pipeline("p.json", &pipeline);
    let file = file.to_str().expect("text");
    for name in ["one", "two"] {
        let body = json!({"name": name, "description": "d", "tags": {"team": "x"}});
        let made = post(&from.url(), "/apis/v2beta1/pipelines", &body);
        upload(&from.url(), made["pipeline_id"].as_str().expect("an id"), "v1", &pipeline);
    }
    post(&from.url(), "/apis/v2beta1/experiments", &json!({"display_name": "e", "description": "d"}));
    for (what, name, trigger) in [(file, "inline", "@daily"), ("one", "followed", "@hourly")] {
        let apply = source.penstock().args(["schedule", "apply", what, "--name", name, "--cron", trigger]);
        apply.run().expect_code(0);
    }
    // One with all that there is to say of it.
    let experiments = get(&from.url(), "/apis/v2beta1/experiments?sort_by=name%20desc");
    let all = json!({
        "description": "d", "max_concurrency": "3", "no_catchup": true, "service_account": "robot", "mode": "DISABLE",
        "runtime_config": {"parameters": {"n": 1.5, "texts": ["a"]}, "pipeline_root": "s3://bucket/root"},
        "plugins_input": {"penstock": {"enable_caching": false, "cache_max_age": "2h"}, "mlflow": {"n": 1.0}},
        "pipeline_spec": Pipeline::new("train", [Task::new("a", "true")])
            .input("n", "NUMBER_DOUBLE")
            .input("texts", "LIST")
            .build(),
        "experiment_id": experiments["experiments"][0]["experiment_id"],
    });
    let span = json!({"cron": "0 0 3 * * *", "start_time": "2040-01-01T00:00:00Z", "end_time": "2040-12-31T00:00:00Z"});
    recurring(&from, "all", &json!({ "cron_schedule": span }), &all);
    let import = |more: &[&str]| import(&target, &from.url(), more);
    let counts = |created: u32, skipped: u32, conflict: u32| json!({"created": created, "skipped": skipped, "conflict": conflict, "failed": 0});
    let (code, dry) = import(&["--dry-run"]);
    assert_eq!((code, &dry["counts"]), (Some(0), &counts(8, 1, 0)), "{dry}");
    let (code, first) = import(&[]);
    assert_eq!((code, &first["counts"]), (Some(0), &counts(8, 1, 0)), "{first}");
    let shown = |server: &Server| {
        let list = get(&server.url(), "/apis/v2beta1/recurringruns?page_size=50");
        let mut all =
            list["recurringRuns"].as_array().expect("a list").iter().filter(|one| one["display_name"] == "all");
        let mut one = all.next().expect("it is there").as_object().expect("an object").clone();
        for own in ["recurring_run_id", "experiment_id", "created_at", "updated_at"] {
            assert!(one.remove(own).is_some(), "{own}");
        }
        Value::Object(one)
    };
    assert_eq!(shown(&to), shown(&from));
    assert_eq!(
        shown(&to)["plugins_input"],
        json!({"penstock": {"enable_caching": false, "cache_max_age": "2h"}, "mlflow": {"n": 1}})
    );
    let (code, second) = import(&["--enable"]);
    assert_eq!((code, &second["counts"]), (Some(0), &counts(0, 9, 0)), "{second}");
    let list = target.penstock().args(["schedule", "list"]).run().expect_code(0).stdout;
    assert_eq!(list.matches("paused").count(), 3, "{list}");
    // Something else under the same name is left alone, and said.
    target.penstock().args(["schedule", "apply", "--name", "inline", "--cron", "@weekly"]).run().expect_code(0);
    let (code, third) = import(&[]);
    assert_eq!((code, &third["counts"]), (Some(1), &counts(0, 8, 1)), "{third}");
    let away = target.penstock().args(["import", "--from", "http://127.0.0.1:1"]).run().expect_code(1);
    // The one that cannot be reached is named by its own flag.
    let away = away.expect_complaint("cannot reach the server").expect_complaint("check --from (PENSTOCK_FROM)");
    assert!(!away.stderr.contains("--server"), "{away}");
    from.stop().expect_code(0);
    to.stop().expect_code(0);
}

#[test]
fn what_the_source_has_run_is_not_run_again() {
    let (source, target) = (Sandbox::new(), Sandbox::new());
    let (from, to) = (up(&source), up(&target));
    let start = ago(7200 - 300);
    recurring(
        &from,
        "periodic",
        &json!({"periodic_schedule": {"interval_second": "600", "start_time": start}}),
        &json!({}),
    );
    let daily = json!({"cron_schedule": {"cron": "0 0 3 * * *", "start_time": ago(2 * 365 * 86400)}});
    recurring(&from, "daily", &daily, &json!({"no_catchup": true}));
    recurring(&from, "once", &json!({}), &json!({}));
    wait_until("its runs at the source", SOON, || slots(&from).len() >= 11);
    let (code, report) = import(&target, &from.url(), &["--enable"]);
    assert_eq!((code, &report["counts"]["failed"]), (Some(0), &json!(0)), "{report}");
    let schedule = |arguments: &[&str]| {
        target.penstock().arg("schedule").args(arguments).args(["-o", "json"]).run().expect_code(0).stdout
    };
    let periodic: Value = serde_json::from_str(&schedule(&["get", "periodic"])).expect("a document");
    assert_eq!(periodic["mode"], "ENABLE");
    let next: Timestamp = periodic["next_times"][0].as_str().expect("a time").parse().expect("a time");
    assert_eq!((next.as_second() - start.as_second()) % 600, 0, "{periodic}");
    // What was due would be made at once: one that is asked for is made behind it.
    target.penstock().args(["schedule", "run-now", "daily"]).run().expect_code(0);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(slots(&to).len(), 1);
    from.stop().expect_code(0);
    to.stop().expect_code(0);
}

#[test]
fn one_that_arrives_paused_counts_from_when_it_is_resumed_first() {
    let (source, target) = (Sandbox::new(), Sandbox::new());
    let (from, to) = (up(&source), up(&target));
    recurring(&from, "ticks", &json!({"periodic_schedule": {"interval_second": "1"}}), &json!({}));
    wait_until("runs at the source", SOON, || slots(&from).len() > 1);
    assert_eq!(import(&target, &from.url(), &[]).0, Some(0));
    std::thread::sleep(Duration::from_secs(5));
    let schedule = |verb: &str| drop(target.penstock().args(["schedule", verb, "ticks"]).run().expect_code(0));
    let resumed = ago(0);
    schedule("resume");
    wait_until("runs here", SOON, || slots(&to).len() > 1);
    schedule("pause");
    let made = slots(&to);
    assert!(made[0] > resumed, "{resumed}: {made:?}");
    // From then on it is one like any other: what it misses while it is paused it catches up with.
    let paused = ago(0);
    std::thread::sleep(Duration::from_secs(3));
    let again = ago(0);
    schedule("resume");
    let caught_up = wait_for("what it has missed", SOON, || {
        let slots = slots(&to);
        slots.last().is_some_and(|last| *last > again).then_some(slots)
    });
    schedule("pause");
    let missed = caught_up.iter().filter(|slot| **slot > paused && **slot <= again).count();
    assert!(missed >= 2, "{paused} to {again}: {caught_up:?}");
    from.stop().expect_code(0);
    to.stop().expect_code(0);
}

#[test]
fn schedules_of_one_name_are_told_by_what_they_are() {
    let (source, target) = (Sandbox::new(), Sandbox::new());
    let (from, to) = (up(&source), up(&target));
    for index in 0..9 {
        let trigger = json!({"cron_schedule": {"cron": format!("0 0 {index} 1 1 *")}});
        recurring(&from, "same", &trigger, &json!({"description": format!("the {index}th")}));
    }
    // Two that differ in nothing are two there, and two here.
    for _ in 0..2 {
        recurring(&from, "twins", &json!({"cron_schedule": {"cron": "0 0 0 1 1 *"}}), &json!({}));
    }
    let counts = |created: u32, skipped: u32, conflict: u32| json!({"created": created, "skipped": skipped, "conflict": conflict, "failed": 0});
    for (more, expected) in [(&["--dry-run"][..], counts(11, 1, 0)), (&[], counts(11, 1, 0)), (&[], counts(0, 12, 0))] {
        let (code, report) = import(&target, &from.url(), more);
        assert_eq!((code, &report["counts"]), (Some(0), &expected), "{report}");
    }
    let list = get(&to.url(), "/apis/v2beta1/recurringruns?page_size=50");
    let ids: Vec<&str> = list["recurringRuns"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["recurring_run_id"].as_str())
        .collect();
    assert_eq!(ids.len(), 11);
    // One that is gone comes again; one that somebody has changed is no other's.
    target.penstock().args(["schedule", "delete", ids[0]]).run().expect_code(0);
    let (code, report) = import(&target, &from.url(), &[]);
    assert_eq!((code, &report["counts"]), (Some(0), &counts(1, 11, 0)), "{report}");
    let change = json!({"description": "changed"});
    let changed = call(&to.url(), "PATCH", &format!("/apis/penstock/v1/recurringruns/{}", ids[1]), Some(&change));
    assert_eq!(changed["description"], "changed");
    let (code, report) = import(&target, &from.url(), &[]);
    assert_eq!((code, &report["counts"]), (Some(1), &counts(0, 11, 1)), "{report}");
    from.stop().expect_code(0);
    to.stop().expect_code(0);
}

#[test]
fn a_second_server_of_a_directory_leaves_the_first_one_known() {
    let sandbox = Sandbox::new();
    let first = up(&sandbox);
    let list = || sandbox.penstock().args(["schedule", "list"]).run().expect_code(0).stdout;
    let second = Server::start(sandbox.penstock());
    wait_until("the second one to be known", SOON, || list().contains(&second.url()));
    second.stop().expect_code(0);
    assert!(list().contains(&first.url()));
    // The same of one that ends at once, and of one that has no time to say so.
    let refused = sandbox.penstock().args(["up", "--listen", first.url().trim_start_matches("http://")]).run();
    refused.expect_code(2).expect_complaint("cannot listen on");
    assert!(list().contains(&first.url()));
    let third = Server::start(sandbox.penstock());
    wait_until("the third one to be known", SOON, || list().contains(&third.url()));
    third.kill();
    assert!(list().contains(&first.url()));
    first.stop().expect_code(0);
    assert!(!sandbox.data_dir().join("server.json").exists());
}

fn get(server: &str, path: &str) -> Value {
    call(server, "GET", path, None)
}

fn post(server: &str, path: &str, body: &Value) -> Value {
    call(server, "POST", path, Some(body))
}

fn call(server: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
    let (status, answer) = penstock_tests::server::call(server, method, path, body, SOON).expect("an answer");
    assert_eq!(status, 200, "{answer}");
    answer
}

fn upload(server: &str, pipeline: &str, name: &str, spec: &Value) {
    let address = server.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let path = format!("/apis/v2beta1/pipelines/upload_version?pipelineid={pipeline}&name={name}");
    let file = "Content-Disposition: form-data; name=\"uploadfile\"; filename=\"p.json\"";
    let body = format!("--edge\r\n{file}\r\n\r\n{spec}\r\n--edge--\r\n");
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=edge\r\n");
    write!(stream, "{head}Host: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
