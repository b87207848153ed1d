//! Runs every sample pipeline with every expectation beside it. Each case is a test with its own name.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use penstock_tests::expectation::{Case, Expectation, local_content};
use penstock_tests::invocation::Finished;
use penstock_tests::process;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use serde_json::Value;

fn main() {
    let arguments = Arguments::from_args();
    let interpreter = python::find();
    if interpreter.is_none() {
        python::skip("run_samples", &format!("{} is not set; `make test` sets it", python::VARIABLE));
    }
    let trials = Case::all().into_iter().map(|case| trial(case, interpreter.clone())).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(case: Case, interpreter: Option<PathBuf>) -> Trial {
    let is_ignored = interpreter.is_none();
    let name = case.name.clone();
    let run = move || match interpreter {
        Some(python) => check(&case, &python),
        None => Err("this sample needs a Python that has kfp".into()),
    };
    Trial::test(name, run).with_ignored_flag(is_ignored)
}

fn check(case: &Case, python: &Path) -> Result<(), Failed> {
    if !has_packages(python, &case.expected.needs_packages) {
        python::skip(&case.name, &format!("needs the packages {:?}", case.expected.needs_packages));
        return Ok(());
    }
    let sandbox = Sandbox::new();
    if case.expected.state == "REFUSED" {
        return refused(case, &sandbox, python);
    }
    run_and_compare(case, &case.expected, &sandbox, python)?;
    match case.expected.of_second_run() {
        Some(expected) => run_and_compare(case, &expected, &sandbox, python),
        None => Ok(()),
    }
}

fn has_packages(python: &Path, packages: &[String]) -> bool {
    let imports = packages.iter().map(|package| format!("import {package}\n")).collect::<String>();
    let output = Command::new(python).args(["-c", &imports]).output();
    packages.is_empty() || output.is_ok_and(|output| output.status.success())
}

fn start(case: &Case, expected: &Expectation, sandbox: &Sandbox, python: &Path) -> Finished {
    let records = tempfile::tempdir_in(sandbox.folder()).expect("a folder in the sandbox");
    let command = sandbox.penstock().python(python).args(["run", "-o", "json"]).arg(case.file());
    command.args(expected.args(records.path())).run()
}

fn refused(case: &Case, sandbox: &Sandbox, python: &Path) -> Result<(), Failed> {
    let finished = start(case, &case.expected, sandbox, python).expect_code(case.expected.exit_code);
    let reason = case.expected.error_contains.as_deref().unwrap_or_default();
    finished.expect_complaint(reason);
    let list = sandbox.penstock().args(["list", "-o", "json"]).run().expect_code(0);
    let list: Value = serde_json::from_str(&list.stdout)?;
    match list["runs"].as_array() {
        Some(runs) if runs.is_empty() => Ok(()),
        _ => Err("a refused pipeline left a run".into()),
    }
}

fn run_and_compare(case: &Case, expected: &Expectation, sandbox: &Sandbox, python: &Path) -> Result<(), Failed> {
    let finished = start(case, expected, sandbox, python).expect_code(expected.exit_code);
    let run = finished.document();

    let mut differences = expected.all_differences(&run, local_content);
    if sandbox.get_latest() != run {
        differences.push("`penstock get` shows another document than `penstock run`".to_owned());
    }
    let left = process::alive(&run.run_id);
    if !left.is_empty() {
        differences.push(format!("processes of the run are still alive: {left:?}"));
    }
    if finished.stdout.contains('\u{1b}') || finished.stderr.contains('\u{1b}') {
        differences.push("escape codes were written although this is no terminal".to_owned());
    }
    if differences.is_empty() { Ok(()) } else { Err(format!("{}\n{finished}", differences.join("\n")).into()) }
}
