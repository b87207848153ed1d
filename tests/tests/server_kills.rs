//! F-01: the server is killed amid two hundred requests that make runs and upload pipelines. Whatever was acknowledged is
//! there afterwards, and nothing is there by half.
//!
//! `PENSTOCK_KILLS` sets the number of kills on each database, `PENSTOCK_SEED` repeats their moments.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Invocation;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{self, Server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

#[path = "../../metastore/tests/postgres/server.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod database;

const SOON: Duration = Duration::from_secs(120);
/// Clients that make runs, and such that upload pipelines, all at the same time.
const CREATORS: usize = 140;
const UPLOADERS: usize = 60;
const KILLS: u64 = 1;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number")))
}

#[test]
fn f01_everything_acknowledged_is_there_after_a_kill_on_sqlite() {
    kill_again_and_again("f01_everything_acknowledged_is_there_after_a_kill_on_sqlite", &|penstock| penstock);
}

#[test]
fn f01_everything_acknowledged_is_there_after_a_kill_on_postgresql() {
    let Some(database) = database::Server::start() else { return };
    database.sql("postgres", "CREATE DATABASE penstock");
    let url = database.url("penstock");
    let name = "f01_everything_acknowledged_is_there_after_a_kill_on_postgresql";
    kill_again_and_again(name, &|penstock: Invocation| penstock.env("PENSTOCK_DATABASE_URL", &url));
}

fn kill_again_and_again(name: &str, place: &dyn Fn(Invocation) -> Invocation) {
    let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| rand::rng().random());
    let kills = setting("PENSTOCK_KILLS").unwrap_or(KILLS);
    python::note(name, &format!("seed {seed}: PENSTOCK_SEED={seed} repeats it; {kills} kills"));
    let mut moments = StdRng::seed_from_u64(seed);
    let sandbox = Sandbox::new();
    let start = || Server::start_with(place(sandbox.penstock()), &["--host-commands"]);
    let mut acknowledged = Acknowledged::default();
    let mut server = start();
    for kill in 0..kills {
        let answered = Arc::new(Answered::default());
        let clients: Vec<_> = (0..CREATORS + UPLOADERS)
            .map(|client| {
                let (url, answered) = (server.url(), Arc::clone(&answered));
                std::thread::spawn(move || ask(&url, &format!("{kill}-{client}"), client, &answered))
            })
            .collect();
        let (runs, pipelines) = (moments.random_range(5..40), moments.random_range(5..40));
        wait_until("some answers", SOON, || {
            answered.runs.load(Ordering::Relaxed) >= runs && answered.pipelines.load(Ordering::Relaxed) >= pipelines
        });
        server.kill();
        let before = (acknowledged.runs.len(), acknowledged.pipelines.len());
        clients.into_iter().for_each(|client| acknowledged.add(client.join().expect("a client")));
        assert!(acknowledged.runs.len() >= before.0 + runs && acknowledged.pipelines.len() >= before.1 + pipelines);
        server = start();
        check(&server, &acknowledged);
    }
    let (runs, pipelines) = (acknowledged.runs.len(), acknowledged.pipelines.len());
    python::note(name, &format!("{runs} runs and {pipelines} pipelines were acknowledged, and are there"));
    server.stop().expect_code(0);
}

/// How many requests were answered.
#[derive(Debug, Default)]
struct Answered {
    runs: AtomicUsize,
    pipelines: AtomicUsize,
}

/// What the server said that there is.
#[derive(Debug, Default)]
struct Acknowledged {
    runs: Vec<String>,
    pipelines: Vec<String>,
}

impl Acknowledged {
    fn add(&mut self, other: Acknowledged) {
        self.runs.extend(other.runs);
        self.pipelines.extend(other.pipelines);
    }
}

fn pipeline() -> Value {
    Pipeline::new("api", [Task::new("task", "true")]).build()
}

/// Makes a run, or uploads a pipeline, unless the server goes away meanwhile.
fn ask(url: &str, name: &str, client: usize, answered: &Answered) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let (ids, count, answer, key) = if client < CREATORS {
        let body = json!({"display_name": name, "pipeline_spec": pipeline()});
        let answer = server::call(url, "POST", "/apis/v2beta1/runs", Some(&body), SOON);
        (&mut acknowledged.runs, &answered.runs, answer, "run_id")
    } else {
        (&mut acknowledged.pipelines, &answered.pipelines, upload(url, name), "pipeline_id")
    };
    if let Some((status, made)) = answer {
        assert_eq!(status, 200, "{made}");
        ids.push(made[key].as_str().expect("an id").to_owned());
        count.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

/// `None` when the server went away before it had answered.
fn upload(url: &str, name: &str) -> Option<(u16, Value)> {
    let address = url.strip_prefix("http://").expect("a URL");
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"uploadfile\"; filename=\"pipeline.json\"\r\n\
         Content-Type: application/json\r\n\r\n{}\r\n--edge--\r\n",
        pipeline()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    let path = format!("/apis/v2beta1/pipelines/upload?name={name}");
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    write!(stream, "{head}Content-Type: multipart/form-data; boundary=edge\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

/// Everything that a list has, page by page.
fn all(server: &Server, path: &str, key: &str) -> Vec<Value> {
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let page = format!("/apis/v2beta1{path}?page_size=200&page_token={token}");
        let (status, mut page) = server::call(&server.url(), "GET", &page, None, SOON).expect("an answer");
        assert_eq!(status, 200, "{page}");
        if let Value::Array(page) = page[key].take() {
            rows.extend(page);
        }
        match page["next_page_token"].as_str() {
            Some(next) if !next.is_empty() => next.clone_into(&mut token),
            _ => return rows,
        }
    }
}

fn ids(rows: &[Value], key: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[key].as_str().expect("an id").to_owned()).collect()
}

fn check(server: &Server, acknowledged: &Acknowledged) {
    let runs = || all(server, "/runs", "runs");
    let (listed, pipelines) = (ids(&runs(), "run_id"), all(server, "/pipelines", "pipelines"));
    let stored = ids(&pipelines, "pipeline_id");
    let lost: Vec<_> = acknowledged.runs.iter().filter(|run| !listed.contains(*run)).collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    let lost: Vec<_> = acknowledged.pipelines.iter().filter(|pipeline| !stored.contains(*pipeline)).collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");

    // Also what nobody was told of is whole: a pipeline has its version, and a run can be carried out.
    for pipeline in &stored {
        let versions = all(server, &format!("/pipelines/{pipeline}/versions"), "pipeline_versions");
        assert_eq!(versions.len(), 1, "pipeline {pipeline}");
        assert_eq!(versions[0]["pipeline_spec"]["pipelineInfo"]["name"], "api", "{}", versions[0]);
    }
    let at_work = |run: &Value| run["state"] == "PENDING" || run["state"] == "RUNNING";
    let left = || runs().into_iter().filter(at_work).count();
    // However many there are and however busy the machine is, one more ends soon.
    let mut before = left();
    while before > 0 {
        wait_until(&format!("another one of {before} runs to end"), SOON, || left() < before);
        before = left();
    }
    for run in runs() {
        assert_eq!(run["state"], "SUCCEEDED", "{run}");
    }
}
