//! F-34: PostgreSQL is killed and stopped, again and again, under two servers and clients of both that make runs, end them
//! and retry them. No request fails, nothing that was acknowledged is lost, and nothing is carried out twice.
//!
//! `PENSTOCK_RESTARTS` sets how often.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{self, Server};
use serde_json::{Value, json};

#[path = "../../metastore/tests/postgres/server.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod database;

const SOON: Duration = Duration::from_secs(120);
const CLIENTS: usize = 6;
const RESTARTS: u32 = 3;
/// Between two restarts, during which each client on average makes a run at least.
const LOAD: Duration = Duration::from_millis(1500);
/// Between two runs of a client: more than this machine can carry out says nothing.
const PAUSE: Duration = Duration::from_millis(400);

#[test]
fn f34_nothing_is_lost_or_done_twice_when_the_database_is_restarted_under_load() {
    let Some(database) = database::Server::start() else { return };
    database.sql("postgres", "CREATE DATABASE penstock");
    let url = database.url("penstock");
    let restarts = std::env::var("PENSTOCK_RESTARTS").map_or(RESTARTS, |count| count.parse().expect("a number"));
    let sandboxes = [Sandbox::new(), Sandbox::new()];
    let root = sandboxes[0].path("shared");
    let arguments = ["--host-commands", "--runs", "8", "--root", root.to_str().expect("UTF-8")];
    let servers = sandboxes
        .each_ref()
        .map(|sandbox| Server::start_with(sandbox.penstock().env("PENSTOCK_DATABASE_URL", &url), &arguments));
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let server = servers[number % 2].url();
            let client = Client { server, folder: sandboxes[0].folder().to_owned(), number };
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || client.work(&stop, &count))
        })
        .collect();
    let load = || {
        let before = count.load(Ordering::Relaxed);
        std::thread::sleep(LOAD);
        wait_until("some runs", SOON, || count.load(Ordering::Relaxed) >= before + CLIENTS);
    };
    for restart in 0..restarts {
        load();
        if restart % 2 == 0 { database.crash_and_restart() } else { database.restart() }
    }
    load();
    stop.store(true, Ordering::Relaxed);
    let made: Vec<Made> = clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
    println!("{} runs were made over {restarts} restarts", made.len());
    for made in &made {
        check(&servers[1].url(), sandboxes[0].folder(), made);
    }
    assert_eq!(sandboxes[0].read("twice"), "", "tasks were at work twice at a time");
    for server in servers {
        server.stop().expect_code(0);
    }
}

/// What a client does with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Left,
    Terminated,
    Retried,
}

#[derive(Debug)]
struct Made {
    run: String,
    name: String,
    kind: Kind,
}

struct Client {
    server: String,
    folder: PathBuf,
    number: usize,
}

impl Client {
    /// Everything that it asks for is to be answered, whatever the database does meanwhile.
    fn work(&self, stop: &AtomicBool, count: &AtomicUsize) -> Vec<Made> {
        let mut made = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let kind = [Kind::Left, Kind::Terminated, Kind::Retried][(made.len() + self.number) % 3];
            let name = format!("{}-{}", self.number, made.len());
            let run = self.create(&name, kind);
            match kind {
                Kind::Left => {}
                Kind::Terminated => self.command(&run, "terminate"),
                Kind::Retried => {
                    wait_until("its failure", SOON, || state(&self.server, &run) == "FAILED");
                    std::fs::write(self.folder.join(format!("{name}.again")), "").expect("a file");
                    self.command(&run, "retry");
                }
            }
            made.push(Made { run, name, kind });
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(PAUSE);
        }
        made
    }

    fn create(&self, name: &str, kind: Kind) -> String {
        let folder = self.folder.display();
        let end = match kind {
            Kind::Left => "sleep 0.2".to_owned(),
            Kind::Terminated => "sleep 300".to_owned(),
            Kind::Retried => format!("test -e {folder}/{name}.again"),
        };
        let script = format!(
            "exec 9>{folder}/{name}.lock; flock -n 9 || echo {name} >> {folder}/twice; echo x >> {folder}/{name}; {end}"
        );
        let pipeline = Pipeline::new("load", [Task::new("task", &script)]).build();
        let body = json!({"display_name": name, "pipeline_spec": pipeline});
        let (status, run) = call(&self.server, "POST", "/runs", Some(&body));
        assert_eq!(status, 200, "{run}");
        run["run_id"].as_str().expect("an id").to_owned()
    }

    fn command(&self, run: &str, verb: &str) {
        let (status, answer) = call(&self.server, "POST", &format!("/runs/{run}:{verb}"), Some(&json!({})));
        assert_eq!(status, 200, "{verb}: {answer}");
    }
}

fn call(server: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    server::call(server, method, &format!("/apis/v2beta1{path}"), body, SOON).expect("an answer")
}

fn state(server: &str, run: &str) -> String {
    let (status, run) = call(server, "GET", &format!("/runs/{run}"), None);
    assert_eq!(status, 200, "{run}");
    run["state"].as_str().unwrap_or_default().to_owned()
}

fn check(server: &str, folder: &Path, Made { run, name, kind }: &Made) {
    let (expected, starts) = match kind {
        Kind::Left => ("SUCCEEDED", 1..=1),
        // Nothing else ends it, and it may have been told to before it began. KFP says that it failed.
        Kind::Terminated => ("FAILED", 0..=1),
        Kind::Retried => ("SUCCEEDED", 2..=2),
    };
    wait_until(&format!("run {name} to be {expected}"), SOON, || state(server, run) == expected);
    let started = std::fs::read_to_string(folder.join(name)).unwrap_or_default().lines().count();
    assert!(starts.contains(&started), "run {name} ({kind:?}) was carried out {started} times");
}
