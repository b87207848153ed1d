//! Runs every sample pipeline with every expectation beside it. Each case is a test with its own name.

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use penstock_tests::expectation::{Case, artifact_value};
use penstock_tests::process;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use serde_json::{Map, Value};

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
    let sandbox = Sandbox::new();
    let command = sandbox.penstock().python(python).args(["run", "-o", "json"]).arg(case.file());
    let finished = command.args(&case.expected.args).run().expect_code(case.expected.exit_code);
    let run = finished.document();

    let artifacts: Map<String, Value> = run
        .outputs
        .artifacts
        .iter()
        .map(|(name, list)| {
            let is_list = case.expected.output_artifacts.get(name).is_some_and(Value::is_array);
            (name.clone(), artifact_value(list, is_list))
        })
        .collect();
    let mut differences = case.expected.differences(&run, &artifacts);

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
