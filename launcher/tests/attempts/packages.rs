//! Packages that components ask for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_launcher::{PythonHost, PythonSettings, run_attempt};
use penstock_spec::plan::Plan;
use penstock_spec::report::FailureCause;

use crate::world::{World, failed, never, outputs};

/// Writes a package that consists of one function.
fn write_wheel(directory: &Path) {
    const PROGRAM: &str = "import sys, zipfile\nw = zipfile.ZipFile(sys.argv[1] + '/tiny_thing-1.0-py3-none-any.whl', 'w')\n\
        i = 'tiny_thing-1.0.dist-info/'\n\
        w.writestr('tiny_thing.py', 'def answer(): return 42')\n\
        w.writestr(i + 'METADATA', 'Metadata-Version: 2.1\\nName: tiny-thing\\nVersion: 1.0\\n')\n\
        w.writestr(i + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        w.writestr(i + 'RECORD', '')\nw.close()\n";
    let status = std::process::Command::new("python3").args(["-c", PROGRAM]).arg(directory).status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// A component that installs that package and prints what it gives.
fn installing(world: &World, requirement: &str) -> Plan {
    let wheels = world.directory.path().display();
    let install = format!(
        "PIP_X=1 python3 -m pip install --quiet --no-index --find-links '{wheels}' '{requirement}' && \"$0\" \"$@\""
    );
    let mut plan =
        world.plan(&["sh", "-c", &install, "python3", "-u", "-c", "import tiny_thing; print(tiny_thing.answer())"]);
    plan.image = "python:3.11".to_owned();
    plan
}

/// Two hosts with one directory stand for two processes.
async fn packages_are_installed_once(uv: Option<PathBuf>, installed: &str) {
    let python = std::env::var_os("PENSTOCK_TEST_PYTHON").map(PathBuf::from);
    let directory = tempfile::tempdir().expect("a directory");
    let envs = directory.path().join("envs");
    let settings = PythonSettings { uv, ..PythonSettings::new(python, envs.clone()) };
    let first = World::with(directory, settings.clone());
    write_wheel(first.directory.path());
    let plan = installing(&first, "tiny-thing==1.0");
    let mut second = first.host.clone();
    second.python = Arc::new(PythonHost::new(settings));
    second.work_dir = first.directory.path().join("work-2");
    second.log_file = first.directory.path().join("log-2");
    // Another task: the end of an attempt kills whatever carries its marker.
    let other = installing(&first, "tiny-thing==1.0");
    let (one, two) = tokio::join!(first.run(&plan), run_attempt(&other, &second, never()));
    outputs(&one);
    outputs(&two);
    assert_eq!(first.log(), "42\n");
    // What is there is used, also where it could not be had any more.
    std::fs::remove_file(first.directory.path().join("tiny_thing-1.0-py3-none-any.whl")).expect("a wheel");
    outputs(&first.run(&plan).await);
    let logs = std::fs::read_dir(&envs).expect("a directory").flatten().map(|entry| entry.path());
    let logs: Vec<PathBuf> = logs.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    let [log] = logs.as_slice() else { panic!("one environment: {logs:?}") };
    let text = std::fs::read_to_string(log).expect("a log");
    assert_eq!(text.matches(installed).count(), 1, "{text}");
}

#[tokio::test]
async fn packages_are_installed_once_by_pip_and_then_only_used() {
    packages_are_installed_once(None, "Successfully installed tiny").await;
}

#[tokio::test]
async fn packages_are_installed_once_by_uv_and_then_only_used() {
    // The interpreter that `make test` names has uv beside it.
    let Some(python) = std::env::var_os("PENSTOCK_TEST_PYTHON").map(PathBuf::from) else { return };
    packages_are_installed_once(Some(python.with_file_name("uv")), "+ tiny-thing==1.0").await;
}

#[tokio::test]
async fn packages_that_cannot_be_installed_fail_the_task_with_the_log() {
    let world = World::new();
    let report = world.run(&installing(&world, "no-such-thing==9")).await;
    let failure = failed(&report);
    assert_eq!(failure.cause, FailureCause::User);
    assert!(failure.message.contains("installing no-such-thing==9 failed"), "{}", failure.message);
    assert!(failure.message.contains("the full output is in"), "{}", failure.message);
}
