//! `penstock up` with somebody at the door.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use serde_json::{Value, json};

const RULES: &str = "
rules:
  - {users: [ann], namespaces: ['*'], may: edit}
  - {users: [bob], namespaces: ['*'], may: view}
";

/// The status and the body of an answer to a user, as a proxy names them.
fn ask(server: &Server, method: &str, path: &str, user: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    let url = server.url();
    let address = url.strip_prefix("http://").expect("a URL");
    let body = body.map(Value::to_string).unwrap_or_default();
    let user = user.map_or_else(String::new, |user| format!("kubeflow-userid: {user}\r\n"));
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let head = format!("{method} /apis/v2beta1{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{user}");
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
    let up = |flags: &[&str]| sandbox.penstock().arg("up").args(flags).run().expect_code(2);
    up(&["--multi-user"]).expect_complaint("--auth");
    up(&["--multi-user", "--auth", "header", "--access-rules", &rules]).expect_complaint("penstock serve");
    up(&["--auth", "header", "--access-rules", "nothing.yaml"]).expect_complaint("nothing.yaml");
    up(&["--listen", "0.0.0.0:0", "--auth", "header", "--access-rules", &rules]).expect_complaint("--trusted-proxy");
}
