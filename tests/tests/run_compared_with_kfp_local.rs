//! Runs the samples that the SDK's own local runner supports with both, and compares all outputs: parameters,
//! metadata of artifacts, and their contents as `penstock cp` gives them out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use penstock_tests::binary;
use penstock_tests::document::RunDocument;
use penstock_tests::expectation::{Case, artifact_value, local_content, same};
use penstock_tests::invocation::Invocation;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use serde_json::{Map, Value};

/// The SDK's runner starts each task with a new interpreter, one after the other.
const LIMIT: Duration = Duration::from_secs(180);

fn main() {
    let arguments = Arguments::from_args();
    let interpreter = python::find();
    if interpreter.is_none() {
        python::skip("run_compared_with_kfp_local", &format!("{} is not set", python::VARIABLE));
    }
    let supported = Case::all().into_iter().filter(|case| case.expected.kfp_local);
    let trials = supported.map(|case| trial(case, interpreter.clone())).collect();
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
    let reference = reference_outputs(case, python, &sandbox);
    let run = sandbox.penstock().python(python).args(["run", "-o", "json"]).arg(case.file());
    let run = run.args(case.expected.args(sandbox.folder())).run().expect_code(0).document();
    let ours = our_outputs(&sandbox, &run, &reference);
    if same(&Value::Object(ours.clone()), &Value::Object(reference.clone())) {
        return Ok(());
    }
    let pretty = |value: &Map<String, Value>| serde_json::to_string_pretty(value).unwrap_or_default();
    Err(format!("ours: {}\nkfp.local: {}", pretty(&ours), pretty(&reference)).into())
}

fn reference_outputs(case: &Case, python: &Path, sandbox: &Sandbox) -> Map<String, Value> {
    let script = binary::samples().join("local_compare.py");
    let invocation = Invocation::new(python).environment(&sandbox.path("home"), &sandbox.data_dir());
    let invocation = invocation.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(case.sample());
    let finished = invocation.args(case.expected.args(sandbox.folder())).limit(LIMIT).run().expect_code(0);
    let last = finished.stdout.lines().last().unwrap_or_default();
    match serde_json::from_str::<Value>(last).ok().and_then(|value| value.get("outputs")?.as_object().cloned()) {
        Some(outputs) => outputs,
        None => panic!("local_compare.py does not end with its outputs: {finished}"),
    }
}

fn our_outputs(sandbox: &Sandbox, run: &RunDocument, reference: &Map<String, Value>) -> Map<String, Value> {
    let mut outputs = run.outputs.parameters.clone();
    for (name, artifacts) in &run.outputs.artifacts {
        let is_list = reference.get(name).is_some_and(Value::is_array);
        let mut value = artifact_value(artifacts, is_list, local_content);
        if !is_list && value.get("content").is_some_and(Value::is_string) {
            value["content"] = Value::String(copied_out(sandbox, &run.run_id, name));
        }
        outputs.insert(name.clone(), value);
    }
    outputs
}

fn copied_out(sandbox: &Sandbox, run: &str, artifact: &str) -> String {
    let destination = sandbox.path(&format!("copy-{artifact}"));
    sandbox.penstock().arg("cp").arg(format!("{run}/{artifact}")).arg(&destination).run().expect_code(0);
    fs::read_to_string(&destination).expect("the copy of an artifact")
}
