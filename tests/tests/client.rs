//! The stock `kfp.Client` against `penstock up`. The scenarios are Python programs in `tests/client/`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::invocation::{Finished, Invocation};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Longest time that the scenarios of one file may take.
const LIMIT: Duration = Duration::from_secs(400);
/// Kills of a server whose recurring runs fire.
const KILLS: u32 = 4;
/// A kill comes within this time of the start.
const LATEST_KILL: Duration = Duration::from_millis(2_500);

fn scenarios(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("client").join(file)
}

/// Runs a file of scenarios against a server.
fn play(python: &Path, sandbox: &Sandbox, server: &Server, file: &str, arguments: &[&str]) -> Finished {
    Invocation::new(python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", server.url())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(scenarios(file))
        .args(arguments)
        .limit(LIMIT)
        .run()
}

/// Runs a file of scenarios against a server of its own.
fn run(test: &str, file: &str) {
    let Some(python) = python::find_or_skip(test) else { return };
    let sandbox = Sandbox::new();
    let server = Server::start(sandbox.penstock().python(&python));
    let finished = play(&python, &sandbox, &server, file, &[]);
    let served = server.stop();
    assert!(finished.code() == Some(0), "{finished}\n--- the server: {served}");
    served.expect_code(0);
}

#[test]
fn experiments() {
    run("experiments", "experiments.py");
}

#[test]
fn pipelines_and_versions() {
    run("pipelines_and_versions", "uploads.py");
}

#[test]
fn recurring_runs() {
    run("recurring_runs", "recurring.py");
}

#[test]
fn runs() {
    run("runs", "runs.py");
}

/// The stock `kfp` command line, each command that speaks to a server.
#[test]
fn commands() {
    run("commands", "commands.py");
}

/// The server is killed while slots fire, again and again: each slot of each second has one run.
#[test]
fn f01_slots_fire_once_whatever_is_killed() {
    let name = "f01_slots_fire_once_whatever_is_killed";
    let Some(python) = python::find_or_skip(name) else { return };
    let seed = std::env::var("PENSTOCK_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    python::note(name, &format!("seed {seed}: PENSTOCK_SEED={seed} repeats it"));
    let mut moments = StdRng::seed_from_u64(seed);
    let sandbox = Sandbox::new();
    let start = || Server::start(sandbox.penstock().python(&python));
    let mut server = start();
    play(&python, &sandbox, &server, "recurring_kills.py", &["create"]).expect_code(0);
    for _ in 0..KILLS {
        std::thread::sleep(moments.random_range(Duration::ZERO..LATEST_KILL));
        server.kill();
        server = start();
    }
    // Time for what was missed meanwhile.
    std::thread::sleep(LATEST_KILL);
    let checked = play(&python, &sandbox, &server, "recurring_kills.py", &["check"]);
    let served = server.kill();
    assert!(checked.code() == Some(0), "seed {seed}: {checked}\n--- the server: {served}");
}

#[test]
fn logs_artifacts_and_events() {
    run("logs_artifacts_and_events", "logs.py");
}
