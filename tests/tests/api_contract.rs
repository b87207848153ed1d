//! `penstock up` against its own OpenAPI document: whatever requests the document allows, and many that it does not, no
//! answer is a fault of the server, and every answer is as the document says.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::invocation::{Finished, Invocation};
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use serde_json::{Value, json};

#[allow(dead_code, reason = "shared with the tests on Kubernetes, which use more of it")]
#[path = "kubernetes/admin.rs"]
mod admin;

/// Names the interpreter that has schemathesis.
const VARIABLE: &str = "PENSTOCK_TEST_SCHEMATHESIS";
/// How long requests are made up; `make soak` has more time.
const SECONDS: &str = "60";
/// Makes the requests repeatable; PENSTOCK_SEED is another.
const SEED: &str = "1";
/// What preparing and reporting may take besides.
const SLACK: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(30);

/// The interpreter; `None` after saying that the test is skipped.
fn schemathesis(test: &str) -> Option<PathBuf> {
    let found = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{VARIABLE} is not set, and in CI nothing is skipped");
        python::skip(test, &format!("{VARIABLE} is not set; `make test` sets it"));
    }
    found
}

fn request(address: &str, method: &str, path: &str, kind: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\n");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Makes one of each thing; their ids under the names that paths and queries have for them.
fn make_things(url: &str) -> Value {
    let address = url.strip_prefix("http://").expect("a URL");
    let post = |path: &str, kind: &str, body: String| -> Value {
        let (status, text) = request(address, "POST", path, kind, &body).expect("an answer");
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    };
    let json_post =
        |path: &str, body: Value| post(&format!("/apis/v2beta1{path}"), "application/json", body.to_string());
    let spec = Pipeline::new("thing", [Task::new("task", "echo hello")]).build();
    let form = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"uploadfile\"; filename=\"p.json\"\r\n\r\n{spec}\r\n--edge--\r\n"
    );
    let form_kind = "multipart/form-data; boundary=edge";
    let experiment = json_post("/experiments", json!({"display_name": "thing"}))["experiment_id"].clone();
    let pipeline = post("/apis/v2beta1/pipelines/upload?name=thing", form_kind, form)["pipeline_id"].clone();
    let id = pipeline.as_str().expect("an id");
    let (_, versions) = request(address, "GET", &format!("/apis/v2beta1/pipelines/{id}/versions"), "text/plain", "")
        .expect("an answer");
    let versions: Value = serde_json::from_str(&versions).expect("JSON");
    let reference = json!({"pipeline_id": pipeline});
    let run = json_post(
        "/runs",
        json!({"display_name": "thing", "experiment_id": experiment, "pipeline_version_reference": reference}),
    );
    let recurring = json_post(
        "/recurringruns",
        json!({"display_name": "thing", "pipeline_version_reference": reference, "max_concurrency": "1",
               "trigger": {"cron_schedule": {"cron": "0 0 0 1 1"}}}),
    );
    json!({
        "experiment_id": experiment, "resource_reference_key.id": experiment,
        "pipeline_id": pipeline, "pipelineid": pipeline, "resource_key.id": pipeline, "name": "thing",
        "pipeline_version_id": versions["pipeline_versions"][0]["pipeline_version_id"],
        "run_id": run["run_id"], "node_id": "task", "task_id": "task", "attempt": "0",
        "recurring_run_id": recurring["recurring_run_id"],
    })
}

/// Tests a server with schemathesis.
fn play(python: &Path, sandbox: &Sandbox, url: &str, made: &Value, more: &[&str]) -> Finished {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis");
    let seed = std::env::var("PENSTOCK_SEED").unwrap_or_else(|_| SEED.to_owned());
    Invocation::new(python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_MADE", made.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", &folder)
        .args(["-m", "schemathesis.cli"])
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .args(["run", &format!("{url}/apis/penstock/v1/openapi.json"), "--url", url, "--seed", &seed])
        // The stream of a namespace never ends.
        .args(["--exclude-operation-id", "follow_namespace"])
        .args(["--no-color", "--request-timeout", "20", "--generation-database", "none", "--warnings", "off"])
        .args(more)
        .limit(Duration::from_secs(seconds()) + SLACK)
        .run()
}

/// How long requests are made up.
fn seconds() -> u64 {
    let text = std::env::var("PENSTOCK_SCHEMATHESIS_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    text.parse().expect("PENSTOCK_SCHEMATHESIS_SECONDS is a number of seconds")
}

#[test]
fn no_request_makes_a_fault_of_the_server_and_every_answer_is_as_described() {
    let Some(python) = schemathesis("no_request_makes_a_fault_of_the_server") else { return };
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let made = make_things(&server.url());
    let finished = play(&python, &sandbox, &server.url(), &made, &["--max-time", &seconds().to_string()]);
    let served = server.stop();
    assert!(finished.code() == Some(0), "{finished}\n--- the server: {served}");
    served.expect_code(0);
}

/// Answers whatever is asked for with one answer, but the document.
fn stub(document: String, answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut head, mut buffer) = (String::new(), [0; 4096]);
            while !head.contains("\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => head.push_str(&String::from_utf8_lossy(&buffer[..read])),
                    _ => break,
                }
            }
            let (status, body) = match head.contains("openapi.json") {
                true => ("200 OK", document.as_str()),
                false => answer.split_once('\n').expect("a status and a body"),
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    address
}

/// A fault is found when there is one.
#[test]
fn faults_are_found() {
    let Some(python) = schemathesis("faults_are_found") else { return };
    let sandbox = Sandbox::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let document = std::fs::read_to_string(path).expect("the document");
    for (answer, expected) in [
        ("500 Internal Server Error\n{\"code\": 13, \"message\": \"it broke\"}", "ST101 Server error"),
        (
            "200 OK\n{\"commit_sha\": \"x\", \"tag_name\": \"y\", \"multi_user\": \"no\"}",
            "ST108 Response violates schema",
        ),
        ("302 Found\n{}", "ST103 Undocumented status code"),
    ] {
        let address = stub(document.clone(), answer);
        let more = ["--include-operation-id", "get_health", "--max-examples", "2", "--phases", "fuzzing"];
        let finished = play(&python, &sandbox, &format!("http://{address}"), &json!({}), &more);
        assert!(finished.code() == Some(1) && finished.stdout.contains(expected), "{expected}: {finished}");
    }
}

/// The metrics of the API follow the rules of all others (T-29).
#[test]
fn metrics_are_well_formed() {
    let sandbox = Sandbox::new();
    let server = Server::start_with(sandbox.penstock(), &["--host-commands"]);
    let url = server.url();
    make_things(&url);
    let address: SocketAddr = url.strip_prefix("http://").and_then(|text| text.parse().ok()).expect("an address");
    let (status, text) = admin::get(address, "/metrics").expect("an answer");
    assert_eq!(status, 200);
    let complaints = admin::lint(&text);
    assert!(complaints.is_empty(), "{}\n{text}", complaints.join("\n"));
    let created = "penstock_api_requests_total{method=\"POST\",operation=\"create_run\",result=\"ok\"}";
    assert!((admin::value(&text, created) - 1.0).abs() < f64::EPSILON, "{text}");
    assert!(text.contains("penstock_driver_runs"), "{text}");
    server.stop().expect_code(0);
}
