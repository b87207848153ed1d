//! The command line at a server that several teams use.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use penstock_objectstore::testing::seaweed::S3Server;
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::{Finished, Invocation};
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use penstock_tests::teams::Teams;
use serde_json::{Value, json};

/// Longest time for a test.
const LIMIT: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(60);

/// A server of several teams, and a place for those who use it.
struct World {
    sandbox: Sandbox,
    teams: Teams,
    file: PathBuf,
    _store: S3Server,
}

impl World {
    fn start_or_skip(test: &str) -> Option<World> {
        let python = python::find_or_skip(test)?;
        let store = S3Server::start_or_skip()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(store.create_bucket("users"));
        let sandbox = Sandbox::new();
        let teams = Teams::start(&python, &sandbox, &store, LIMIT);
        let file = sandbox.write_pipeline("p.json", &pipeline());
        Some(World { sandbox, teams, file, _store: store })
    }

    fn by(&self, user: &str, arguments: &[&str]) -> Finished {
        self.teams.by(&self.sandbox, user).args(arguments).run()
    }

    /// Of ann, in her namespace.
    fn ann(&self, arguments: &[&str]) -> Finished {
        self.teams.by(&self.sandbox, "ann").env("PENSTOCK_NAMESPACE", "team-a").args(arguments).run()
    }

    fn said(&self, arguments: &[&str]) -> String {
        self.ann(arguments).expect_code(0).stdout
    }

    /// A pipeline that all share.
    fn share(&self, name: &str) {
        let address = self.teams.url();
        let address = address.strip_prefix("http://").expect("a URL");
        let mut stream = TcpStream::connect(address).expect("a connection");
        let file = "Content-Disposition: form-data; name=\"uploadfile\"; filename=\"p.json\"";
        let body = format!("--edge\r\n{file}\r\n\r\n{}\r\n--edge--\r\n", pipeline());
        let head = format!(
            "POST /apis/v2beta1/pipelines/upload?name={name} HTTP/1.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: multipart/form-data; boundary=edge\r\n",
            Teams::token("olga")
        );
        let length = body.len();
        write!(stream, "{head}Host: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

fn pipeline() -> Value {
    Pipeline::new("nightly", [Task::new("a", "true")]).build()
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn who_does_not_say_where_is_told_how() {
    let Some(world) = World::start_or_skip("who_does_not_say_where_is_told_how") else { return };
    let file = world.file.to_str().expect("text");
    for arguments in [
        &["list"][..],
        &["get"],
        &["get", "nightly"],
        &["logs"],
        &["watch", "latest"],
        &["run", file, "--detach"],
        &["schedule", "list"],
        &["schedule", "get", "x"],
        &["schedule", "apply", file, "--cron", "@daily"],
    ] {
        world.by("ann", arguments).expect_code(2).expect_complaint("--namespace (PENSTOCK_NAMESPACE)");
    }
    // Of somebody else's it is said that it is not theirs.
    world.by("bob", &["list", "--namespace", "team-a"]).expect_code(1).expect_complaint("PENSTOCK_TOKEN");
    world.by("bob", &["get", "--namespace", "team-b"]).expect_code(2).expect_complaint("penstock list");
    world.teams.stop();
}

#[test]
fn a_team_works_in_its_namespace() {
    let Some(world) = World::start_or_skip("a_team_works_in_its_namespace") else { return };
    let file = world.file.to_str().expect("text");
    assert!(world.said(&["list"]).starts_with("no runs at "));
    let flagged = world.by("ann", &["run", file, "--detach", "-n", "team-a", "--name", "first"]).expect_code(0).stdout;
    let second = world.said(&["run", file, "--detach", "--experiment", "mine"]);
    let (first, second) = (flagged.trim(), second.trim());
    let list = document(&world.said(&["list", "-o", "json"]));
    let ids: Vec<&str> =
        list["runs"].as_array().expect("runs").iter().filter_map(|run| run["run_id"].as_str()).collect();
    assert_eq!(ids, [second, first]);
    let flagged = world.by("ann", &["list", "--namespace", "team-a", "-n", "1"]).expect_code(0).stdout;
    assert!(flagged.contains("more: penstock list --namespace team-a --page-token "), "{flagged}");
    for (word, expected) in [("latest", second), ("first", first), (&first[..13], first), (first, first)] {
        assert_eq!(document(&world.said(&["get", word, "-o", "json"]))["run_id"], expected, "{word}");
    }
    // Those of others are not found by words.
    let theirs = world.by("bob", &["get", "first", "--namespace", "team-b"]);
    theirs.expect_code(2).expect_complaint("first");
    // Experiments are made once, each in its namespace.
    world.said(&["run", file, "--detach", "--experiment", "mine"]);
    let called = |arguments: &[&str]| document(&world.said(arguments));
    world.share("shared");
    world.said(&["schedule", "apply", file, "--cron", "@daily"]);
    assert!(world.said(&["schedule", "apply", file, "--cron", "@daily"]).contains("is as it should be"));
    world.said(&["schedule", "apply", "shared", "--name", "of all", "--cron", "@daily", "--experiment", "mine"]);
    let moved = world.ann(&["schedule", "apply", "--name", "of all", "--experiment", "another"]).expect_code(2);
    moved.expect_complaint("stays there");
    world.said(&["schedule", "apply", "--name", "of all", "--experiment", "mine"]);
    let schedules = called(&["schedule", "list", "-o", "json"]);
    let experiments: Vec<&Value> =
        schedules["schedules"].as_array().expect("a list").iter().map(|one| &one["experiment_id"]).collect();
    assert_eq!(experiments.len(), 2);
    assert_ne!(experiments[0], experiments[1]);
    assert_eq!(called(&["schedule", "get", "of all", "-o", "json"])["namespace"], "team-a");
    world.said(&["schedule", "pause", "of all"]);
    let there = world.by("ann", &["schedule", "resume", "of all", "--namespace", "team-a"]).expect_code(0);
    assert!(there.stdout.contains("goes on"), "{there}");
    world.by("bob", &["schedule", "--namespace", "team-b", "get", "of all"]).expect_code(2);
    world.said(&["schedule", "delete", "of all"]);
    world.teams.stop();
}

#[test]
fn schedules_come_from_teams_and_go_to_teams() {
    let Some(world) = World::start_or_skip("schedules_come_from_teams_and_go_to_teams") else { return };
    let file = world.file.to_str().expect("text");
    world.share("shared");
    world.said(&["schedule", "apply", "shared", "--name", "of all", "--cron", "@daily"]);
    world.said(&["schedule", "apply", file, "--name", "inline", "--cron", "@daily"]);
    let here = Sandbox::new();
    let server = Server::start_with(here.penstock(), &["--host-commands"]);
    wait_until("its address", SOON, || here.data_dir().join("server.json").exists());
    let counts =
        |created: u32, skipped: u32| json!({"created": created, "skipped": skipped, "conflict": 0, "failed": 0});
    let imported = |invocation: Invocation| document(&invocation.run().expect_code(0).stdout)["counts"].clone();
    let from = || {
        let import = here.penstock().args(["import", "-o", "json", "--from", &world.teams.url()]);
        import.env("PENSTOCK_FROM_TOKEN", Teams::token("ann"))
    };
    let untold = from().run().expect_code(2).expect_complaint("--from-namespace");
    assert_eq!(untold.stdout, "");
    let from = || from().args(["--from-namespace", "team-a"]);
    // A pipeline and its version, and two schedules; the experiment has the name of the one that is there.
    assert_eq!(imported(from()), counts(4, 1));
    assert_eq!(imported(from()), counts(0, 5));
    let to = || world.teams.by(&here, "bob").args(["import", "-o", "json", "--from", &server.url()]);
    let untold = to().run().expect_code(2).expect_complaint("--to-namespace");
    assert_eq!(untold.stdout, "");
    let to = || to().args(["--to-namespace", "team-b"]);
    assert_eq!(imported(to()), counts(5, 0));
    assert_eq!(imported(to()), counts(0, 5));
    let list = world.by("bob", &["schedule", "list", "--namespace", "team-b"]).expect_code(0).stdout;
    assert_eq!(list.matches("paused").count(), 2, "{list}");
    // From one team to the other, what both share is not brought over.
    let both = || {
        let import = world.teams.by(&here, "ann").args(["import", "-o", "json", "--from", &world.teams.url()]);
        import.env("PENSTOCK_FROM_TOKEN", Teams::token("ann")).args([
            "--from-namespace",
            "team-a",
            "--to-namespace",
            "team-a",
        ])
    };
    assert_eq!(imported(both()), counts(0, 5));
    server.stop().expect_code(0);
    world.teams.stop();
}
