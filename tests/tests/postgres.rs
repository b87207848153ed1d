//! `penstock up` on a PostgreSQL database, alone and beside another one. The stock client and the command line use it as
//! they use a store in a file.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::{Background, Invocation};
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::process;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{self, Server};
use rustix::process::Signal;
use serde_json::{Value, json};

#[path = "../../metastore/tests/postgres/server.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod database;

const SOON: Duration = Duration::from_secs(90);
const LIMIT: Duration = Duration::from_secs(400);

/// A database of its own; `None` after saying that the test is skipped.
fn database() -> Option<(database::Server, String)> {
    let server = database::Server::start()?;
    server.sql("postgres", "CREATE DATABASE penstock");
    let url = server.url("penstock");
    Some((server, url))
}

fn call(server: &str, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    server::call(server, method, &format!("/apis/v2beta1{path}"), body, SOON)
}

fn submit(server: &Server, name: &str, script: &str) -> String {
    let pipeline = Pipeline::new("api", [Task::new("task", script)]).build();
    let body = json!({"display_name": name, "pipeline_spec": pipeline});
    let (status, made) = call(&server.url(), "POST", "/runs", Some(&body)).expect("an answer");
    assert_eq!(status, 200, "{made}");
    made["run_id"].as_str().expect("an id").to_owned()
}

fn state(server: &Server, run: &str) -> Option<String> {
    let (_, run) = call(&server.url(), "GET", &format!("/runs/{run}"), None)?;
    Some(run["state"].as_str()?.to_owned())
}

fn await_success(server: &Server, run: &str) {
    wait_until("the run's end", SOON, || state(server, run).as_deref() == Some("SUCCEEDED"));
}

#[test]
fn f01_run_goes_on_after_a_kill_of_the_server_and_a_crash_of_its_database() {
    let Some((database, url)) = database() else { return };
    let sandbox = Sandbox::new();
    let start = || Server::start_with(sandbox.penstock(), &["--host-commands", "--database-url", &url]);
    let server = start();
    let folder = sandbox.folder().display();
    let run =
        submit(&server, "killed", &format!("touch {folder}/started; while [ ! -e {folder}/go ]; do sleep 0.05; done"));
    wait_until("its task", SOON, || sandbox.has("started"));
    server.kill();
    database.crash_and_restart();
    let server = start();
    assert_ne!(state(&server, &run).as_deref(), Some("FAILED"));
    sandbox.write("go", "");
    await_success(&server, &run);
    // What is at work survives that its database goes away.
    let during = submit(&server, "during", "sleep 3");
    database.crash_and_restart();
    await_success(&server, &during);
    // The command line looks at the same runs.
    let seen = sandbox.penstock().args(["get", &run, "-o", "json", "--database-url", &url]).run().expect_code(0);
    assert_eq!(seen.document().state, "SUCCEEDED");
    assert!(!sandbox.data_dir().join("penstock.db").exists());
    server.stop().expect_code(0);
}

#[test]
fn two_servers_on_one_database_see_and_drive_the_same_runs() {
    let Some((_database, url)) = database() else { return };
    let sandbox = Sandbox::new();
    let start = || Server::start_with(sandbox.penstock().env("PENSTOCK_DATABASE_URL", &url), &["--host-commands"]);
    let (first, second) = (start(), start());
    let runs: Vec<String> = (0..6)
        .map(|number| submit(if number % 2 == 0 { &first } else { &second }, &number.to_string(), "true"))
        .collect();
    for run in &runs {
        await_success(&first, run);
        await_success(&second, run);
    }
    // The other one goes on when one is gone.
    first.kill();
    let run = submit(&second, "alone", "true");
    await_success(&second, &run);
    let (_, listed) = call(&second.url(), "GET", "/runs", None).expect("an answer");
    assert_eq!(listed["total_size"], 7, "{listed}");
    second.stop().expect_code(0);
}

/// F-13: each server has a data directory of its own, as on machines of their own, and one of them is killed.
#[test]
fn f13_servers_that_share_a_database_alone_go_on_with_each_others_runs() {
    let Some((_database, url)) = database() else { return };
    let (here, there) = (Sandbox::new(), Sandbox::new());
    let root = here.path("shared");
    let arguments = ["--host-commands", "--root", root.to_str().expect("UTF-8"), "--takeover-after", "5s"];
    let start =
        |sandbox: &Sandbox| Server::start_with(sandbox.penstock().env("PENSTOCK_DATABASE_URL", &url), &arguments);
    let first = start(&here);
    let folder = here.folder().display();
    let note = format!("echo $$ >> {folder}/started; while [ ! -e {folder}/go ]; do sleep 0.05; done");
    let long = submit(&first, "long", &note);
    let started = || here.read("started").lines().map(str::to_owned).collect::<Vec<_>>();
    wait_until("its task", SOON, || started().len() == 1);
    let second = start(&there);
    let runs: Vec<_> = (0..8)
        .map(|number| {
            let server = if number % 2 == 0 { &first } else { &second };
            (submit(server, &number.to_string(), &format!("echo x >> {folder}/{number}")), number)
        })
        .collect();
    for (run, number) in &runs {
        await_success(&second, run);
        assert_eq!(here.read(&number.to_string()), "x\n", "it is carried out once");
    }
    let seen = there.penstock().args(["get", &long, "--database-url", &url]).run().expect_code(0);
    assert!(!seen.stdout.contains("no process drives"), "{seen}");
    let resumed = there.penstock().args(["run", "--resume", &long, "--database-url", &url]).run();
    resumed.expect_complaint("is being driven by process");
    assert_eq!(started().len(), 1, "it is at work elsewhere");

    first.kill();
    wait_until("the other one to go on with it", SOON, || started().len() == 2);
    let pids: Vec<u32> = started().iter().map(|pid| pid.parse().expect("a number")).collect();
    assert!(process::is_alive(pids[0]), "what a killed server has at work is beyond the other's reach");
    let first = start(&here);
    wait_until("the end of what it left", SOON, || !process::is_alive(pids[0]));
    assert!(process::is_alive(pids[1]), "the other's is not touched");
    here.write("go", "");
    await_success(&first, &long);
    assert_eq!(started().len(), 2);
    for server in [first, second] {
        server.stop().expect_code(0);
    }
}

/// The scenarios of runs by the stock client, in `tests/client/`.
#[test]
fn stock_client_runs_pipelines() {
    let name = "stock_client_runs_pipelines";
    let Some(python) = python::find_or_skip(name) else { return };
    let Some((_database, url)) = database() else { return };
    let sandbox = Sandbox::new();
    let server = Server::start(sandbox.penstock().python(&python).env("PENSTOCK_DATABASE_URL", &url));
    for file in ["experiments.py", "uploads.py", "runs.py", "recurring.py", "commands.py", "logs.py"] {
        let finished = Invocation::new(&python)
            .environment(&sandbox.path("home"), &sandbox.data_dir())
            .env("PENSTOCK_TEST_API", server.url())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("client").join(file))
            .limit(LIMIT)
            .run();
        assert!(finished.code() == Some(0), "{finished}");
    }
    server.stop().expect_code(0);
}

#[test]
fn t30_password_on_the_command_line_is_refused_and_not_shown() {
    let sandbox = Sandbox::new();
    let list = sandbox.penstock().args(["list", "--database-url", "postgres://me:s3cret@127.0.0.1:1/x"]).run();
    let list = list.expect_code(2).expect_complaint("PENSTOCK_DATABASE_URL");
    assert!(!format!("{}{}", list.stdout, list.stderr).contains("s3cret"), "{list}");
    let url = "postgres://me:s3cret@127.0.0.1:1/x";
    let list = sandbox.penstock().args(["list"]).env("PENSTOCK_DATABASE_URL", url).run();
    let list = list.expect_code(1).expect_complaint("postgres://me@127.0.0.1:1/x");
    assert!(!format!("{}{}", list.stdout, list.stderr).contains("s3cret"), "{list}");
}

/// The API of a cluster that nobody asks for anything.
fn apiserver(sandbox: &Sandbox, url: &str, api: SocketAddr, admin: SocketAddr) -> Background {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "none", "users": [{"name": "none", "user": {}}],
        "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none", "namespace": "team"}}],
    });
    let config = sandbox.write("kubeconfig", config.to_string());
    let listen = ["--api-listen".to_owned(), api.to_string(), "--admin-listen".to_owned(), admin.to_string()];
    sandbox
        .penstock()
        .arg("apiserver")
        .args(listen.iter().map(String::as_str))
        .args(["--database-url", url])
        .env("KUBECONFIG", config)
        .limit(LIMIT)
        .spawn()
}

#[test]
fn f34_a_service_waits_for_its_database_and_says_so() {
    let Some((database, url)) = database() else { return };
    let sandbox = Sandbox::new();
    let (api, admin) = (server::free_address(), server::free_address());
    database.stop();
    let waits = || server::get(admin, "/ready").filter(|(status, _)| *status == 503);
    let says_why = |text: &str| text.contains("not ready: store: cannot open the metastore");

    // Longer than it takes to give up on a command.
    let mut waiting = apiserver(&sandbox, &url, api, admin);
    wait_until("the reason", SOON, || waits().is_some_and(|(_, text)| says_why(&text)));
    std::thread::sleep(Duration::from_secs(2));
    assert!(waiting.is_running() && waits().is_some_and(|(_, text)| says_why(&text)));
    assert_eq!(server::get(admin, "/live").map(|(status, _)| status), Some(200));
    database.start_again();
    wait_until("it to be ready", SOON, || server::get(admin, "/ready").is_some_and(|(status, _)| status == 200));
    let runs = server::get(api, "/apis/v2beta1/runs?namespace=team").expect("an answer");
    assert_eq!(runs.0, 200, "{}", runs.1);
    waiting.signal(Signal::TERM);
    let ended = waiting.wait().expect_code(0);
    assert!(ended.stderr.contains("the store of runs cannot be reached; it is tried again"), "{ended}");

    // One that waits ends at once.
    database.stop();
    let waiting = apiserver(&sandbox, &url, api, admin);
    wait_until("it to wait", SOON, || waits().is_some());
    waiting.signal(Signal::TERM);
    waiting.wait().expect_code(0);
}

#[test]
fn f34_a_service_does_not_wait_for_a_database_that_will_never_be_its_own() {
    let Some((database, url)) = database() else { return };
    database.sql("penstock", "CREATE TABLE of_another_program (id integer)");
    let sandbox = Sandbox::new();
    let refused = apiserver(&sandbox, &url, server::free_address(), server::free_address()).wait();
    assert_ne!(refused.code(), Some(0));
    refused.expect_complaint("it has tables of another program");
}
