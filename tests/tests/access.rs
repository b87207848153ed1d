//! A server with somebody at the door: `penstock up`, and `penstock apiserver` of several teams by the stock client, which
//! plays `tests/client/multi_user.py`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use penstock_objectstore::testing::seaweed::S3Server;
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Invocation;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::{Server, free_address};
use penstock_tests::teams;
use serde_json::{Value, json};

#[path = "../../metastore/tests/postgres/server.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod database;

const RULES: &str = "
rules:
  - {users: [ann], namespaces: ['*'], may: edit}
  - {users: [bob], namespaces: ['*'], may: view}
";

/// Longest time until a server answers.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest time for the scenarios of the stock client.
const PLAY_LIMIT: Duration = Duration::from_secs(300);
/// Two teams, and where Penstock is.
const NAMESPACES: &str = "team-a,team-b,penstock-system";

/// The status and the body of an answer to a user, as a proxy names them.
fn ask(server: &Server, method: &str, path: &str, user: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    let url = server.url();
    let address = url.strip_prefix("http://").expect("a URL");
    let body = body.map(Value::to_string).unwrap_or_default();
    let user = user.map_or_else(String::new, |user| format!("kubeflow-userid: {user}\r\n"));
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let head = format!(
        "{method} /apis/v2beta1{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n{user}"
    );
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).expect("JSON"))
}

#[test]
fn a_server_that_asks_who_calls_lets_in_who_may() {
    let sandbox = Sandbox::new();
    let rules = sandbox.folder().join("rules.yaml");
    std::fs::write(&rules, RULES).expect("it is written");
    let rules = rules.display().to_string();
    let flags = ["--host-commands", "--auth", "header", "--access-rules", &rules];
    let server = Server::start_with(sandbox.penstock(), &flags);
    let run = json!({"display_name": "x", "pipeline_spec": Pipeline::new("api", [Task::new("task", "true")]).build()});
    for (user, expected) in [(None, 401), (Some("eve"), 403), (Some("bob"), 403), (Some("ann"), 200)] {
        let (status, answer) = ask(&server, "POST", "/runs", user, Some(&run));
        assert_eq!(status, expected, "{user:?}: {answer}");
    }
    for (user, expected) in [(None, 401), (Some("eve"), 403), (Some("bob"), 200), (Some("ann"), 200)] {
        let (status, answer) = ask(&server, "GET", "/runs", user, None);
        assert_eq!(status, expected, "{user:?}: {answer}");
        assert_eq!(answer["total_size"], if expected == 200 { json!(1) } else { Value::Null });
    }
    assert_eq!(ask(&server, "GET", "/healthz", None, None).1["multi_user"], false);
    server.stop().expect_code(0);
}

#[test]
fn i31_flags_that_would_not_protect_anything_are_refused() {
    let sandbox = Sandbox::new();
    let rules = sandbox.folder().join("rules.yaml");
    std::fs::write(&rules, RULES).expect("it is written");
    let rules = rules.display().to_string();
    // Not at the usual address, which somebody else may have.
    let up = |flags: &[&str]| {
        sandbox.penstock().env("PENSTOCK_LISTEN", "127.0.0.1:0").arg("up").args(flags).run().expect_code(2)
    };
    up(&["--multi-user"]).expect_complaint("--auth");
    up(&["--multi-user", "--auth", "header", "--access-rules", &rules]).expect_complaint("penstock serve");
    up(&["--auth", "header", "--access-rules", "nothing.yaml"]).expect_complaint("nothing.yaml");
    up(&["--listen", "0.0.0.0:0", "--auth", "header", "--access-rules", &rules]).expect_complaint("--trusted-proxy");
}

/// Rules are read again when they change; what cannot be used changes nothing.
#[test]
fn rules_that_change_count_without_a_restart() {
    let sandbox = Sandbox::new();
    let rules = sandbox.write("rules.yaml", RULES);
    let server = Server::start_with(
        sandbox.penstock(),
        &["--host-commands", "--auth", "header", "--access-rules", &rules.display().to_string()],
    );
    let status = |user| ask(&server, "GET", "/runs", Some(user), None).0;
    let wait = |user, expected| wait_until("the rules to count", START_LIMIT, || status(user) == expected);
    assert_eq!((status("ann"), status("eve")), (200, 403));
    sandbox.write("rules.yaml", RULES.replace("ann", "eve"));
    wait("eve", 200);
    assert_eq!(status("ann"), 403);
    sandbox.write("rules.yaml", "rules: nonsense");
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!((status("ann"), status("eve"), status("bob")), (403, 200, 200));
    sandbox.write("rules.yaml", RULES);
    wait("ann", 200);
    server.stop().expect_code(0).expect_complaint("cannot be used: the rules before it stay");
}

/// T-30: what others reach asks who they are, unless somebody says that it need not.
#[test]
fn t30_an_api_that_others_reach_is_refused_without_a_word_for_it() {
    let sandbox = Sandbox::new();
    for command in ["apiserver", "serve"] {
        let image = if command == "serve" { &["--launcher-image", "x"][..] } else { &[] };
        sandbox.penstock().arg(command).args(image).run().expect_code(2).expect_complaint("--allow-unauthenticated");
    }
    // Not at the usual address, which somebody else may have.
    let up = |flags: &[&str]| {
        sandbox.penstock().env("PENSTOCK_LISTEN", "127.0.0.1:0").arg("up").args(flags).run().expect_code(2)
    };
    up(&["--auth", "header", "--access-rules", "x", "--shared-read"]).expect_complaint("--multi-user");
    up(&["--allowed-host", "https://kfp.example"]).expect_complaint("is not the name of a host");
}

#[test]
fn t10_teams_use_what_is_theirs_by_the_stock_client() {
    play_teams("t10_teams_use_what_is_theirs_by_the_stock_client", None);
}

#[test]
fn t10_teams_use_what_is_theirs_on_postgresql() {
    let Some(server) = database::Server::start() else { return };
    server.sql("postgres", "CREATE DATABASE penstock");
    play_teams("t10_teams_use_what_is_theirs_on_postgresql", Some(&server.url("penstock")));
}

fn play_teams(test: &str, database: Option<&str>) {
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(store) = S3Server::start_or_skip() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(store.create_bucket("users"));
    let sandbox = Sandbox::new();
    let (cluster, api) = (free_address(), free_address());
    let server = teams::apiserver(&sandbox, &store, [cluster, api], database, PLAY_LIMIT + START_LIMIT);
    let played = Invocation::new(&python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", format!("http://{api}"))
        .env("PENSTOCK_TEST_CLUSTER_PORT", cluster.port().to_string())
        .env("PENSTOCK_TEST_NAMESPACES", NAMESPACES)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("client/multi_user.py"))
        .limit(PLAY_LIMIT)
        .run();
    server.signal(rustix::process::Signal::TERM);
    let served = server.wait();
    assert!(played.code() == Some(0), "{played}\n--- the API: {served}");
    served.expect_code(0);
}
