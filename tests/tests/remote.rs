//! The command line against a server: the same runs, the same words, the same exit codes as against the data directory.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Invocation;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use rustix::process::Signal;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
/// Prints, says that it has started, and waits for the file `go`.
const WAIT_FOR_GO: &str = r#"echo before; touch "$1/started"; while [ ! -e "$1/go" ]; do sleep 0.05; done; echo after"#;

fn up(sandbox: &Sandbox) -> Server {
    Server::start_with(sandbox.penstock(), &["--host-commands"])
}

/// The binary against a server: with a data directory in which there is nothing.
fn against(sandbox: &Sandbox, url: &str) -> Invocation {
    sandbox.penstock().env("PENSTOCK_DATA_DIR", sandbox.path("nothing")).env("PENSTOCK_SERVER", url)
}

fn failing() -> Value {
    let make = Task::new("make", r#"echo made; mkdir -p "$(dirname "$1")"; printf model > "$1""#);
    let make = make.artifact("model").arg("{{$.outputs.artifacts['model'].path}}");
    Pipeline::new("mixed", [make, Task::new("fail", "echo about to fail; exit 3").after("make")]).build()
}

fn waiting(sandbox: &Sandbox) -> Value {
    let folder = sandbox.folder().to_string_lossy().into_owned();
    Pipeline::new(
        "waiting",
        [Task::new("wait", WAIT_FOR_GO).arg(&folder), Task::new("last", "echo last").after("wait")],
    )
    .build()
}

#[test]
fn each_command_says_the_same_of_a_run_here_and_there() {
    let sandbox = Sandbox::new();
    let server = up(&sandbox);
    let file = sandbox.write_pipeline("mixed.json", &failing());
    let run = against(&sandbox, &server.url()).arg("run").arg(&file).run().expect_code(1);
    for part in ["make succeeded", "fail failed", "about to fail", "penstock retry mixed-"] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    for arguments in [
        &["get"][..],
        &["get", "-o", "json"],
        &["get", "--expand", "latest"],
        &["list", "-o", "json"],
        &["list"],
        &["logs"],
        &["logs", "fail"],
        &["logs", "latest", "make", "--attempt", "1"],
        &["logs", "latest", "make", "--attempt", "2"],
        &["logs", "latest", "-f"],
        &["logs", "--timestamps"],
        &["logs", "latest", "fail", "--timestamps"],
        &["watch"],
        &["watch", "-q"],
        &["watch", "-o", "json"],
        &["stop", "latest"],
        &["cp", "latest/make/model", "-"],
        &["cp", "latest/make/other", "-"],
        &["cp", "latest/nobody/model", "-"],
        &["get", "no-such-run"],
        &["logs", "no-such-run", "a"],
        &["logs", "no-such-run"],
        &["watch", "no-such-run"],
        &["stop", "no-such-run"],
        &["retry", "no-such-run"],
        &["list", "--page-token", "forged"],
    ] {
        let here = sandbox.penstock().args(arguments).run();
        let there = against(&sandbox, &server.url()).args(arguments).run();
        let said = |text: &str| text.replace("just now", "moments ago").replace("s ago", "moments ago");
        assert_eq!(there.code(), here.code(), "{arguments:?}: {there}\n{here}");
        if arguments != ["list"] {
            assert_eq!(said(&there.stdout), said(&here.stdout), "{arguments:?}");
        }
        assert_eq!(there.stderr, here.stderr, "{arguments:?}");
    }
    assert!(!sandbox.has("nothing"), "a data directory was made");
    server.stop().expect_code(0);
    assert!(!sandbox.data_dir().join("server.json").exists());
}

#[test]
fn parameters_and_names_go_along_and_what_does_not_fit_is_refused() {
    let sandbox = Sandbox::new();
    let server = up(&sandbox);
    let file = sandbox.write_pipeline("p.json", &Pipeline::new("p", [Task::new("a", "true")]).build());
    let run = |arguments: &[&str]| {
        against(&sandbox, &server.url()).args(["run", "-o", "json"]).arg(&file).args(arguments).run()
    };
    let document = run(&["--name", "mine", "--no-cache"]).expect_code(0).document();
    assert_eq!(document.state, "SUCCEEDED");
    let shown = against(&sandbox, &server.url()).args(["get", "mine", "-o", "json"]).run().expect_code(0);
    assert!(shown.stdout.contains("\"display_name\": \"mine\""), "{shown}");
    run(&["-p", "unknown=1"]).expect_code(2).expect_complaint("unknown");
    for (flags, word) in [
        (&["--host-commands"][..], "--host-commands"),
        (&["--on", "kubernetes"], "--on"),
        (&["--root", "here"], "--root"),
        (&["--component-dir", "."], "--component-dir"),
    ] {
        run(flags).expect_code(2).expect_complaint(word);
    }
    let cache = against(&sandbox, &server.url()).args(["cache", "why", "latest", "a"]).run();
    // The SDK's way to submit without the cache is that no task asks it.
    assert!(cache.expect_code(0).stdout.contains("does not use the cache: the pipeline turns it off for this task"));
    let id = run(&["--detach"]).expect_code(0).stdout;
    against(&sandbox, &server.url()).args(["watch", id.trim()]).run().expect_code(0);
    server.stop().expect_code(0);
}

#[test]
fn run_that_is_stopped_and_retried_there_is_seen_here() {
    let sandbox = Sandbox::new();
    let server = up(&sandbox);
    let file = sandbox.write_pipeline("w.json", &waiting(&sandbox));
    let run = against(&sandbox, &server.url()).arg("run").arg(&file).spawn();
    wait_until("the task", SOON, || sandbox.has("started"));
    let logs = against(&sandbox, &server.url()).args(["logs", "latest", "-f"]).spawn();
    against(&sandbox, &server.url()).args(["stop", "latest"]).run().expect_code(0);
    run.wait().expect_code(3);
    assert!(logs.wait().expect_code(0).stdout.contains("wait | before"));
    sandbox.write("go", "");
    let retried = against(&sandbox, &server.url()).args(["retry", "latest"]).run().expect_code(0);
    assert!(retried.stdout.contains("the run goes on"), "{retried}");
    let again = against(&sandbox, &server.url()).args(["retry", "latest"]).run().expect_code(2);
    again.expect_complaint("there is nothing to retry");
    let anew = against(&sandbox, &server.url()).args(["retry", "latest", "--from", "wait"]).run().expect_code(0);
    assert!(anew.stdout.contains("what succeeded stays, but wait starts anew"), "{anew}");
    server.stop().expect_code(0);
}

#[test]
fn interrupt_cancels_the_run_there() {
    let sandbox = Sandbox::new();
    let server = up(&sandbox);
    let file = sandbox.write_pipeline("w.json", &waiting(&sandbox));
    let run = against(&sandbox, &server.url()).args(["run", "-o", "json"]).arg(&file).spawn();
    wait_until("the task", SOON, || sandbox.has("started"));
    run.signal(Signal::INT);
    let ended = run.wait().expect_code(3).expect_complaint("cancelling");
    assert_eq!(ended.document().state, "CANCELED");
    server.stop().expect_code(0);
}

#[test]
fn what_is_no_server_is_said_to_be_none() {
    let sandbox = Sandbox::new();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let away = against(&sandbox, &format!("http://{closed}")).arg("list").run().expect_code(1);
    away.expect_complaint("cannot reach the server").expect_complaint("hint: ");
    for (status, kind, body, code, part) in [
        (404, "text/html", "<html>no such page", 1, "is not KFP's API"),
        (200, "text/html", "<html>a dashboard", 1, "is not KFP's API"),
        (302, "text/html", "", 1, "go to https://login.example"),
        (404, "application/json", r#"{"code":5,"message":"Not Found"}"#, 1, "penstock import --from"),
        (
            401,
            "application/json",
            r#"{"code":16,"message":"Unauthenticated: x: who are you","details":[{"message":"who are you"}]}"#,
            1,
            "who are you",
        ),
        (
            403,
            "application/json",
            r#"{"code":7,"message":"no","details":[{"message":"you may not"}]}"#,
            1,
            "PENSTOCK_TOKEN",
        ),
        (500, "application/json", r#"{"code":13,"message":"Failed: the disk is full"}"#, 1, "the disk is full"),
    ] {
        let url = answering(status, kind, body);
        let told = against(&sandbox, &format!("{url}/prefix")).env("PENSTOCK_TOKEN", "s3cret").arg("list").run();
        let told = told.expect_code(code).expect_complaint(part);
        assert!(!told.stderr.contains("s3cret"), "{told}");
    }
    for url in ["localhost:8888", "ftp://x", "http://me:s3cret@x"] {
        let refused = against(&sandbox, url).arg("list").run().expect_code(2).expect_complaint("--server");
        assert!(!refused.stderr.contains("s3cret"), "{refused}");
    }
    let token = against(&sandbox, "http://127.0.0.1:1").args(["list", "--token-file", "/no/such/file"]).run();
    token.expect_code(2).expect_complaint("/no/such/file");
}

/// Answers everything in one way.
fn answering(status: u16, kind: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                request.push(byte[0]);
            }
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nLocation: https://login.example\r\nConnection: close\r\n"
            );
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}")
}

/// Passes connections on, and cuts them.
struct Proxy {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    accepted: Arc<AtomicU32>,
}

impl Proxy {
    fn before(server: &str) -> Proxy {
        let target: SocketAddr = server.strip_prefix("http://").and_then(|it| it.parse().ok()).expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let proxy = Proxy {
            address: listener.local_addr().expect("an address"),
            open: Arc::default(),
            accepted: Arc::default(),
        };
        let (open, accepted) = (Arc::clone(&proxy.open), Arc::clone(&proxy.accepted));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(target) else { continue };
                let both = [near.try_clone().expect("a stream"), far.try_clone().expect("a stream")];
                open.lock().unwrap_or_else(PoisonError::into_inner).extend(both);
                // Counted once it can be cut: whoever waits for it cuts it next.
                accepted.fetch_add(1, Ordering::Release);
                pass(near.try_clone().expect("a stream"), far.try_clone().expect("a stream"));
                pass(far, near);
            }
        });
        proxy
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[test]
fn f12_events_go_on_where_they_were_when_the_connection_is_cut() {
    let sandbox = Sandbox::new();
    let server = up(&sandbox);
    let proxy = Proxy::before(&server.url());
    let file = sandbox.write_pipeline("w.json", &waiting(&sandbox));
    let run = against(&sandbox, &format!("http://{}", proxy.address)).arg("run").arg(&file).spawn();
    wait_until("the task", SOON, || sandbox.has("started"));
    for _ in 0..5 {
        let before = proxy.accepted.load(Ordering::Acquire);
        proxy.cut();
        wait_until("the next connection", SOON, || proxy.accepted.load(Ordering::Acquire) > before);
    }
    sandbox.write("go", "");
    let ended = run.wait().expect_code(0);
    for line in ["wait started", "wait succeeded", "last started", "last succeeded", "run succeeded"] {
        assert_eq!(ended.stdout.matches(line).count(), 1, "{line}: {ended}");
    }
    server.stop().expect_code(0);
}

#[test]
fn schedule_lives_its_life() {
    let sandbox = Sandbox::new();
    let none = sandbox.penstock().args(["schedule", "list"]).run().expect_code(2);
    none.expect_complaint("penstock up");
    let server = up(&sandbox);
    let file = sandbox.write_pipeline("p.json", &Pipeline::new("nightly", [Task::new("a", "true")]).build());
    // The server is found by itself, once it has said where it is.
    wait_until("its address", SOON, || sandbox.data_dir().join("server.json").exists());
    let call = |arguments: &[&str]| sandbox.penstock().arg("schedule").args(arguments).run();
    let said = |arguments: &[&str]| call(arguments).expect_code(0).stdout;
    let file = file.to_str().expect("text");
    assert!(call(&["apply", file]).expect_code(2).stderr.contains("--cron"));
    let dry = said(&["apply", file, "--cron", "0 0 3 * * *", "--dry-run"]);
    assert_eq!(dry.matches("T03:00:00Z").count(), 5, "{dry}");
    assert!(said(&["list"]).starts_with("no schedules at "));
    assert!(said(&["apply", file, "--cron", "0 0 3 * * *"]).contains("is created"));
    assert!(said(&["apply", file, "--cron", "0 0 3 * * *"]).contains("is as it should be"));
    let changed = said(&["apply", file, "--cron", "0 0 4 * * *", "--description", "d", "--no-catchup"]);
    assert!(changed.contains("trigger: cron 0 0 3 * * * -> cron 0 0 4 * * *"), "{changed}");
    let changed = said(&["apply", "--name", "nightly", "--no-catchup=false", "-o", "json"]);
    let changed: Value = serde_json::from_str(&changed).expect("a document");
    assert_eq!((&changed["action"], &changed["changes"][0]["member"]), (&json!("changed"), &json!("no_catchup")));
    let off = r#"plugins_input: nothing -> {"penstock":{"enable_caching":false}}"#;
    let changed = said(&["apply", "--name", "nightly", "--no-cache", "--service-account", "robot"]);
    for line in [off, "service_account: pipeline-runner -> robot"] {
        assert!(changed.contains(line), "{changed}");
    }
    assert!(said(&["apply", file, "--no-cache"]).contains("is as it should be"));
    assert!(said(&["apply", file, "--no-cache=false"]).contains("-> {}"));
    assert!(said(&["apply", file, "--no-cache=false"]).contains("is as it should be"));
    assert!(said(&["get", "nightly"]).contains("cron 0 0 4 * * *"));
    assert!(said(&["pause", "nightly"]).contains("is paused"));
    assert!(said(&["list"]).contains("paused"));
    assert!(said(&["resume", "nightly"]).contains("goes on"));
    let run = said(&["run-now", "nightly"]);
    sandbox.penstock().args(["watch", run.trim()]).run().expect_code(0);
    let range = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-03T12:00:00Z"];
    let filled = said(&["backfill", "nightly", range[0], range[1], range[2], range[3]]);
    assert_eq!(filled.lines().count(), 3, "{filled}");
    // One at a time: the others wait for the ones before.
    assert!(filled.contains("waits: 1 at a time"), "{filled}");
    wait_until("all three runs", SOON, || {
        said(&["backfill", "nightly", range[0], range[1], range[2], range[3]]).contains("no slot was without a run")
    });
    assert!(said(&["backfill", "nightly", "--cancel"]).contains("waits for room any more"));
    call(&["get", "nobody"]).expect_code(2).expect_complaint("penstock schedule list");
    assert!(said(&["delete", "nightly"]).contains("is deleted"));
    server.kill();
    // What a killed server leaves behind is not taken for one.
    call(&["list"]).expect_code(2).expect_complaint("none is at work");
}
