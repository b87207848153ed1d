//! The committed pipelines are what the SDK makes of their sources.

use std::time::Duration;

use penstock_tests::binary;
use penstock_tests::invocation::Invocation;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;

#[test]
fn committed_pipelines_are_what_the_sdk_compiles() {
    let Some(python) = python::find_or_skip("committed_pipelines_are_what_the_sdk_compiles") else { return };
    let sandbox = Sandbox::new();
    let finished = Invocation::new(&python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(binary::samples().join("recompile.py"))
        .limit(Duration::from_secs(300))
        .run()
        .expect_code(0);
    assert!(finished.stdout.contains(" recompiled, 0 different"), "{finished}");
}
