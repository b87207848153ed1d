//! What is recorded across runs, and who is told of it: `penstock up` with real runs, and receivers that behave badly.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{self, Server};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

fn call(server: &str, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    server::call(server, method, &format!("/apis/{path}"), body, SOON)
}

fn get(server: &str, path: &str) -> Value {
    let (status, answer) = call(server, "GET", path, None).expect("an answer");
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Submits a run; its id.
fn submit(server: &str, name: &str, pipeline: &Value, more: &Value) -> String {
    let mut body = json!({"display_name": name, "pipeline_spec": pipeline});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let (status, run) = call(server, "POST", "v2beta1/runs", Some(&body)).expect("an answer");
    assert_eq!(status, 200, "{run}");
    run["run_id"].as_str().expect("an id").to_owned()
}

fn finish(server: &str, run: &str) {
    wait_until("the run's end", SOON, || {
        let state = get(server, &format!("v2beta1/runs/{run}"))["state"].clone();
        assert_ne!(state, "FAILED");
        state == "SUCCEEDED"
    });
}

/// `make` puts out an artifact that `use` takes, and puts out another.
fn chain() -> Value {
    let make = Task::new("make", r#"echo content > "$1""#).artifact("data").cached();
    let script = r#"cat "$1" > "$2""#;
    let consume = Task::new("use", script).artifact_from("data", "make", "data").artifact("copy").cached();
    Pipeline::new("chain", [make, consume]).build()
}

#[test]
fn lineage_of_real_runs_goes_through_the_cache() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let url = server.url();
    let first = submit(&url, "first", &chain(), &json!({}));
    finish(&url, &first);
    let second = submit(&url, "second", &chain(), &json!({}));
    finish(&url, &second);

    let made = get(&url, "penstock/v1/artifacts?task=make");
    let [data] = made["artifacts"].as_array().expect("a list").as_slice() else { panic!("{made}") };
    assert_eq!(data["producer"]["run_id"], json!(first));
    let id = data["artifact_id"].as_str().expect("an id");
    let shown = get(&url, &format!("penstock/v1/artifacts/{id}"));
    let of = |list: &str| -> BTreeMap<String, Value> {
        let items = shown[list].as_array().expect("a list").iter();
        items.map(|item| (item["run_id"].as_str().expect("an id").to_owned(), item["cached"].clone())).collect()
    };
    let both = BTreeMap::from([(first.clone(), Value::Null), (second.clone(), json!(true))]);
    assert_eq!(of("runs"), both);
    assert_eq!(of("consumers"), both, "a task whose result came from the cache took it as well");
    let graph = get(&url, &format!("penstock/v1/artifacts/{id}/lineage?direction=downstream"));
    assert_eq!(graph["artifacts"].as_array().map(Vec::len), Some(2), "{graph}");
    assert_eq!(graph["executions"].as_array().map(Vec::len), Some(2), "{graph}");

    let why = get(&url, &format!("penstock/v1/runs/{second}/tasks/use/cache"));
    assert_eq!((&why["outcome"], &why["source"]["run_id"]), (&json!("HIT"), &json!(first)));
    server.stop().expect_code(0);
}

/// `make` puts out a directory.
fn with_directory() -> Value {
    let script = r#"mkdir -p "$1/part"; printf one > "$1/part/1.csv"; printf '' > "$1/empty"; printf "$2" > "$1/x""#;
    let make = Task::new("make", script).artifact("data").cached();
    let make = make.arg("{{$.inputs.parameters['text']}}").from_pipeline("text", "STRING");
    Pipeline::new("tree", [make]).input("text", "STRING").build()
}

/// What is said of a task's question, without the time that a server tells to the second.
fn in_seconds(text: &str) -> Value {
    let mut said = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    if let Some(Value::Object(nearest)) = said.get_mut("nearest") {
        nearest.remove("created_at");
    }
    said
}

#[test]
fn command_line_copies_directories_and_asks_for_the_cache_there_as_here() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let url = server.url();
    let there = |arguments: &[&str]| {
        let nothing = sandbox.path("nothing");
        sandbox.penstock().env("PENSTOCK_DATA_DIR", nothing).env("PENSTOCK_SERVER", &url).args(arguments).run()
    };
    for (name, text) in [("first", "a"), ("second", "a"), ("third", "b")] {
        let more = json!({"runtime_config": {"parameters": {"text": text}}});
        let run = submit(&url, name, &with_directory(), &more);
        finish(&url, &run);
        for output in ["text", "json"] {
            let why = ["cache", "why", &run, "make", "-o", output];
            let here = sandbox.penstock().args(why).run().expect_code(0);
            assert_eq!(in_seconds(&there(&why).expect_code(0).stdout), in_seconds(&here.stdout));
        }
        let target = sandbox.path(name);
        let target = target.to_str().expect("text");
        let copied = there(&["cp", &format!("{run}/make/data"), target]).expect_code(0);
        assert!(copied.stderr.contains("3 files"), "{copied}");
        let read = |file: &str| sandbox.read(&format!("{name}/{file}"));
        assert_eq!((read("part/1.csv"), read("empty"), read("x")), ("one".to_owned(), String::new(), text.to_owned()));
        // A directory that is there takes it under its own name, once.
        there(&["cp", &format!("{run}/make/data"), target]).expect_code(0);
        assert_eq!(read("data/x"), text);
        there(&["cp", &format!("{run}/make/data"), target]).expect_code(2).expect_complaint("exists already");
    }
    assert!(there(&["cache", "why", "latest", "make"]).expect_code(0).stdout.contains("input parameter text"));
    assert!(there(&["cache", "evict", "--pipeline", "other"]).expect_code(0).stdout.contains("0 cached results"));
    assert!(there(&["cache", "evict", "--task", "make"]).expect_code(0).stdout.contains("2 cached results removed"));
    assert!(there(&["cache", "evict", "--all"]).expect_code(0).stdout.contains("0 cached results"));
    assert!(!sandbox.has("nothing"), "a data directory was made");
    server.stop().expect_code(0);
}

#[test]
fn cache_is_switched_by_run_and_deployment_and_results_grow_too_old() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let url = server.url();
    let run = |url: &str, settings: Value| {
        let run = submit(url, "run", &chain(), &json!({"plugins_input": {"penstock": settings}}));
        finish(url, &run);
        get(url, &format!("penstock/v1/runs/{run}/tasks/make/cache"))
    };
    assert_eq!(run(&url, json!({}))["outcome"], "MISS");
    let off = run(&url, json!({"enable_caching": false}));
    assert_eq!((&off["outcome"], &off["off_by"]), (&json!("OFF"), &json!("RUN")));
    let old = run(&url, json!({"cache_max_age": "0s"}));
    assert_eq!((&old["outcome"], &old["too_old"]), (&json!("MISS"), &json!(true)));
    assert_eq!(run(&url, json!({"cache_max_age": "1h"}))["outcome"], "HIT");
    let (status, refused) = call(
        &url,
        "POST",
        "v2beta1/runs",
        Some(&json!({
            "display_name": "x", "pipeline_spec": chain(), "plugins_input": {"penstock": {"cache": 1}},
        })),
    )
    .expect("an answer");
    assert_eq!(status, 400, "{refused}");
    server.stop().expect_code(0);

    let server = Server::start_with(sandbox.penstock(), &["--host-commands", "--no-cache"]);
    let off = run(&server.url(), json!({"enable_caching": true}));
    assert_eq!((&off["outcome"], &off["off_by"]), (&json!("OFF"), &json!("DEPLOYMENT")));
    server.stop().expect_code(0);
}

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Takes,
    Garbage,
    Redirects,
    Fails,
    /// Wants to be asked again later.
    Busy,
    /// Takes the request and says nothing.
    Silent,
}

/// A message that a receiver was sent: headers and body.
type Seen = (BTreeMap<String, String>, Value);

/// Somebody who is told what happens.
#[derive(Clone)]
struct Receiver {
    address: String,
    manner: Arc<Mutex<Manner>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    fn start(manner: Manner) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let receiver =
            Receiver { address, manner: Arc::new(Mutex::new(manner)), seen: Arc::new(Mutex::new(Vec::new())) };
        let at_work = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let receiver = at_work.clone();
                std::thread::spawn(move || receiver.answer(stream));
            }
        });
        receiver
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().expect("a manner") = manner;
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("what was seen").clone()
    }

    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => {
                    headers.insert(name.to_ascii_lowercase(), value.to_owned());
                }
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let manner = *self.manner.lock().ok()?;
        self.seen.lock().ok()?.push((headers, serde_json::from_slice(&body).ok()?));
        let mut stream = stream;
        let answer = match manner {
            Manner::Takes => "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned(),
            Manner::Garbage => "\u{0}\u{1}nonsense\r\n".to_owned(),
            Manner::Redirects => {
                let target = format!("http://{}/elsewhere", self.address);
                format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            }
            Manner::Fails => "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            Manner::Busy => {
                "HTTP/1.1 503 Busy\r\nRetry-After: 4\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            }
            Manner::Silent => {
                std::thread::sleep(SOON);
                return None;
            }
        };
        stream.write_all(answer.as_bytes()).ok()
    }
}

fn rules(sandbox: &Sandbox, rules: &[Value]) -> String {
    sandbox.write("secret", "0123456789abcdef0123456789abcdef\n");
    let file = sandbox.write("rules.json", json!({ "rules": rules }).to_string());
    file.display().to_string()
}

fn subjects(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|(_, body)| body["subject"].as_str().expect("a subject").to_owned()).collect()
}

#[test]
fn f01_notifications_survive_a_kill_and_a_receiver_that_is_down() {
    let sandbox = Sandbox::new();
    let receiver = Receiver::start(Manner::Fails);
    let rule = json!({
        "name": "ends", "url": format!("http://{}/hook", receiver.address), "secret_file": "secret",
        "events": ["run.ended", "task.ended"], "states": ["SUCCEEDED"],
    });
    let file = rules(&sandbox, &[rule]);
    let flags = ["--host-commands", "--notifications", &file];
    let server = Server::start_with(sandbox.penstock(), &flags);
    let url = server.url();
    let run = submit(&url, "told", &Pipeline::new("told", [Task::new("task", "true")]).build(), &json!({}));
    finish(&url, &run);
    wait_until("an attempt", SOON, || !receiver.seen().is_empty());
    wait_until("the trouble to be shown", SOON, || {
        let rule = &get(&url, "penstock/v1/notifications")["rules"][0];
        rule["trouble"]["error"].as_str().is_some_and(|error| error.contains("500"))
    });
    server.kill();
    receiver.set(Manner::Takes);
    let before = receiver.seen();

    let server = Server::start_with(sandbox.penstock(), &flags);
    let url = server.url();
    wait_until("what the killed process owed", SOON, || {
        let after = receiver.seen().split_off(before.len());
        [format!("runs/{run}"), format!("runs/{run}/tasks/task")]
            .iter()
            .all(|subject| subjects(&after).contains(subject))
    });
    wait_until("its place to be stored", SOON, || {
        get(&url, "penstock/v1/notifications")["rules"][0]["delivered"].as_u64() >= Some(2)
    });
    let seen = receiver.seen();
    let (headers, body) = seen.last().expect("a message");
    assert_eq!(headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert_eq!(
        (&headers["webhook-id"], &body["specversion"]),
        (&body["id"].as_str().expect("an id").to_owned(), &json!("1.0"))
    );
    assert!(headers["webhook-signature"].starts_with("v1,") && headers["webhook-timestamp"].parse::<i64>().is_ok());
    // The same thing has the same id whichever process tells of it.
    let ids = |seen: &[Seen], subject: &str| -> Vec<Value> {
        seen.iter().filter(|(_, body)| body["subject"] == *subject).map(|(_, body)| body["id"].clone()).collect()
    };
    let mut of_run = ids(&seen, &format!("runs/{run}"));
    of_run.dedup();
    assert_eq!(of_run.len(), 1, "{of_run:?}");
    server.stop().expect_code(0);
}

/// `Retry-After` of a receiver is longer than the pause would have been.
#[test]
fn receiver_that_is_busy_is_asked_again_when_it_says() {
    let sandbox = Sandbox::new();
    let receiver = Receiver::start(Manner::Busy);
    let rule = json!({"name": "ends", "url": format!("http://{}/", receiver.address), "secret_file": "secret"});
    let file = rules(&sandbox, &[rule]);
    let server = Server::start_with(sandbox.penstock(), &["--host-commands", "--notifications", &file]);
    let url = server.url();
    let run = submit(&url, "told", &Pipeline::new("told", [Task::new("task", "true")]).build(), &json!({}));
    finish(&url, &run);
    wait_until("an attempt", SOON, || !receiver.seen().is_empty());
    receiver.set(Manner::Takes);
    wait_until("the next attempt", SOON, || receiver.seen().len() == 2);
    let seconds: Vec<i64> =
        receiver.seen().iter().map(|(headers, _)| headers["webhook-timestamp"].parse().expect("a number")).collect();
    // Whole seconds: what is four apart may be told as three.
    assert!(seconds[1] - seconds[0] >= 3, "{seconds:?}");
    server.stop().expect_code(0);
}

#[test]
fn receivers_that_behave_badly_are_given_up_visibly_and_hold_nobody_up() {
    let sandbox = Sandbox::new();
    let manners = [
        ("garbage", Manner::Garbage),
        ("redirects", Manner::Redirects),
        ("silent", Manner::Silent),
        ("good", Manner::Takes),
    ];
    let receivers: Vec<(&str, Receiver)> = manners.map(|(name, manner)| (name, Receiver::start(manner))).into();
    let rule = |(name, receiver): &(&str, Receiver)| json!({"name": name, "url": format!("http://{}/", receiver.address), "secret_file": "secret", "give_up_after": "2s"});
    let file = rules(&sandbox, &receivers.iter().map(rule).collect::<Vec<_>>());
    let server = Server::start_with(sandbox.penstock(), &["--host-commands", "--notifications", &file]);
    let url = server.url();
    let run = submit(&url, "told", &Pipeline::new("told", [Task::new("task", "true")]).build(), &json!({}));
    finish(&url, &run);
    let (_, good) = receivers.last().expect("a receiver");
    wait_until("the good one to be told", SOON, || good.seen().len() == 1);
    wait_until("the others to be given up", SOON, || {
        let status = get(&url, "penstock/v1/notifications");
        status["failures"].as_array().map_or(0, Vec::len) == 3
    });
    let status = get(&url, "penstock/v1/notifications");
    for failure in status["failures"].as_array().expect("failures") {
        let (rule, error) = (failure["rule"].as_str().expect("a name"), failure["error"].as_str().expect("an error"));
        assert_eq!(failure["event"]["subject"], json!(format!("runs/{run}")));
        assert!(!error.contains("127.0.0.1"), "a URL may be a secret: {error}");
        if rule == "redirects" {
            assert!(error.contains("redirect is not followed"), "{error}");
        }
    }
    for (name, receiver) in &receivers {
        assert!(receiver.seen().iter().all(|(_, body)| body["subject"] == json!(format!("runs/{run}"))), "{name}");
    }
    server.stop().expect_code(0);
}

#[test]
fn rules_that_are_not_understood_are_refused_at_the_start() {
    let sandbox = Sandbox::new();
    let file = rules(&sandbox, &[json!({"name": "a", "url": "ftp://x", "secret_file": "secret"})]);
    let up = sandbox.penstock().args(["up", "--notifications", &file]);
    up.run().expect_code(2).expect_complaint("https://");
}
