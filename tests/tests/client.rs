//! The stock `kfp.Client` against `penstock up`. The scenarios are Python programs in `tests/client/`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::invocation::Invocation;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;

/// Longest time that the scenarios of one file may take.
const LIMIT: Duration = Duration::from_secs(400);

fn scenarios(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("client").join(file)
}

/// Runs a file of scenarios against a server of its own.
fn run(test: &str, file: &str) {
    let Some(python) = python::find_or_skip(test) else { return };
    let sandbox = Sandbox::new();
    let server = Server::start(sandbox.penstock().python(&python));
    let finished = Invocation::new(&python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", server.url())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(scenarios(file))
        .limit(LIMIT)
        .run();
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
fn runs() {
    run("runs", "runs.py");
}
