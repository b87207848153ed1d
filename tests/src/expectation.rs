//! The `*.expected.json` files beside the sample pipelines, and how a run is compared with one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::binary;
use crate::document::{ArtifactDocument, RunDocument, TaskDocument};

const SUFFIX: &str = ".expected.json";
/// Files up to this size are compared by content.
const SMALL: u64 = 64 * 1024;

/// What one case of a sample must give.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What the case shows.
    pub about: Option<String>,
    /// State of the run.
    pub state: String,
    /// Exit code of the command.
    pub exit_code: i32,
    /// Further arguments of the command.
    #[serde(default)]
    pub args: Vec<String>,
    /// Output parameters of the pipeline.
    pub outputs: Map<String, Value>,
    /// Output artifacts of the pipeline.
    #[serde(default)]
    pub output_artifacts: Map<String, Value>,
    /// Some of the tasks.
    pub tasks: BTreeMap<String, ExpectedTask>,
    /// Part of the refusal, when the state is `REFUSED`: then no run is created.
    pub error_contains: Option<String>,
    /// The same for a second run with the same data directory.
    pub repeat: Option<Repeat>,
    /// What the URIs of all artifacts start with.
    pub artifact_uri_prefix: Option<String>,
    /// Packages that the tasks need.
    #[serde(default)]
    pub needs_packages: Vec<String>,
    /// Whether the SDK's own runner can run it.
    pub kfp_local: bool,
    /// Why not.
    pub kfp_local_reason: Option<String>,
}

/// What a second run must give.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// State of the run.
    pub state: String,
    /// Exit code of the command.
    pub exit_code: i32,
    /// Output parameters of the pipeline.
    pub outputs: Map<String, Value>,
    /// Some of the tasks.
    pub tasks: BTreeMap<String, ExpectedTask>,
}

/// What is known of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedTask {
    /// State of the task.
    pub state: String,
    /// Some of its output parameters.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Number of attempts.
    pub attempts: Option<u64>,
    /// Whether its result comes from the cache.
    pub cached: Option<bool>,
    /// Kind of its failure.
    pub cause: Option<String>,
    /// Part of its error.
    pub error_contains: Option<String>,
}

/// A case of a sample: `NAME` or `NAME.CASE`.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it must give.
    pub expected: Expectation,
}

impl Case {
    /// All cases.
    ///
    /// # Panics
    /// When a file cannot be read.
    pub fn all() -> Vec<Case> {
        let folder = binary::samples();
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
        let mut cases: Vec<Case> = entries.flatten().filter_map(|entry| Case::read(&entry.path())).collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!cases.is_empty(), "no expectations in {}", folder.display());
        cases
    }

    fn read(path: &Path) -> Option<Case> {
        let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned();
        let text = fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        match serde_json::from_slice(&text) {
            Ok(expected) => Some(Case { name, expected }),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }

    /// Name of the pipeline, without the case.
    pub fn sample(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// The compiled pipeline.
    pub fn file(&self) -> PathBuf {
        binary::samples().join(format!("{}.yaml", self.sample()))
    }
}

impl Expectation {
    /// Arguments of the command; `record_dir` is an empty directory.
    pub fn args(&self, record_dir: &Path) -> Vec<String> {
        self.args.iter().map(|arg| arg.replace("${record_dir}", &record_dir.to_string_lossy())).collect()
    }

    /// What must be true of the second run, if there is one.
    pub fn of_second_run(&self) -> Option<Expectation> {
        let Repeat { state, exit_code, outputs, tasks } = self.repeat.clone()?;
        Some(Expectation { state, exit_code, outputs, tasks, repeat: None, ..self.clone() })
    }

    /// All differences between what was expected of a run and what it is, its artifacts' content included.
    pub fn all_differences(
        &self,
        run: &RunDocument,
        content: impl Fn(&ArtifactDocument) -> Option<Vec<u8>>,
    ) -> Vec<String> {
        let values = run.outputs.artifacts.iter().map(|(name, list)| {
            let is_list = self.output_artifacts.get(name).is_some_and(Value::is_array);
            (name.clone(), artifact_value(list, is_list, &content))
        });
        self.differences(run, &values.collect())
    }

    /// All differences between what was expected of a run and what it is. Artifacts of the pipeline come as
    /// `contents`, in the form of [`artifact_value`].
    pub fn differences(&self, run: &RunDocument, contents: &Map<String, Value>) -> Vec<String> {
        let mut found = Vec::new();
        if run.state != self.state {
            found.push(format!("the run is {}, not {}: {:?}", run.state, self.state, run.error));
        }
        if (run.state == "FAILED") != run.error.as_deref().is_some_and(|error| !error.is_empty()) {
            found.push(format!("the run is {} and its error is {:?}", run.state, run.error));
        }
        if !same(&Value::Object(self.outputs.clone()), &Value::Object(run.outputs.parameters.clone())) {
            found.push(format!("outputs are {:?}, not {:?}", run.outputs.parameters, self.outputs));
        }
        for (name, wanted) in &self.output_artifacts {
            let seen = contents.get(name).unwrap_or(&Value::Null);
            if !covers(wanted, seen) {
                found.push(format!("output artifact {name} is {seen}, not {wanted}"));
            }
        }
        found.extend(self.misplaced(run));
        for (path, wanted) in &self.tasks {
            match run.find(path) {
                Some(task) => found.extend(wanted.differences(task)),
                None => found.push(format!("there is no task {path}")),
            }
        }
        found
    }

    fn misplaced(&self, run: &RunDocument) -> Vec<String> {
        let Some(prefix) = &self.artifact_uri_prefix else { return Vec::new() };
        let artifacts = run.tasks.iter().flat_map(|task| task.artifacts.outputs.values().flatten());
        let elsewhere = artifacts.filter(|artifact| !artifact.uri.starts_with(prefix.as_str()));
        elsewhere.map(|artifact| format!("{} does not start with {prefix}", artifact.uri)).collect()
    }
}

impl ExpectedTask {
    /// All differences between what was expected of a task and what it is.
    pub fn differences(&self, task: &TaskDocument) -> Vec<String> {
        let mut found = Vec::new();
        let path = &task.path;
        if task.state != self.state {
            found.push(format!("{path} is {}, not {}: {:?}", task.state, self.state, task.error));
        }
        for (name, wanted) in &self.parameters {
            let seen = task.parameters.outputs.get(name).unwrap_or(&Value::Null);
            if !same(wanted, seen) {
                found.push(format!("{path}: {name} is {seen}, not {wanted}"));
            }
        }
        if self.attempts.is_some() && task.attempt != self.attempts {
            found.push(format!("{path} had {:?} attempts, not {:?}", task.attempt, self.attempts));
        }
        if self.cached.is_some_and(|cached| cached != task.cached) {
            found.push(format!("{path}: cached is {}", task.cached));
        }
        if self.cause.is_some() && self.cause != task.cause {
            found.push(format!("{path} failed because of {:?}, not {:?}", task.cause, self.cause));
        }
        let error = task.error.as_deref().unwrap_or_default();
        if let Some(part) = self.error_contains.as_deref().filter(|part| !error.contains(part)) {
            found.push(format!("the error of {path} is {error:?} and does not contain {part:?}"));
        }
        found
    }
}

/// The bytes of an artifact that is a small file of this machine.
pub fn local_content(artifact: &ArtifactDocument) -> Option<Vec<u8>> {
    let is_small = |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.len() <= SMALL);
    artifact.local_path().filter(is_small).and_then(|path| fs::read(path).ok())
}

/// Artifacts by value: `{"metadata": ..., "content": text of a small file}`, or a list of them when the pipeline
/// declares a list.
pub fn artifact_value(
    artifacts: &[ArtifactDocument],
    is_list: bool,
    content: impl Fn(&ArtifactDocument) -> Option<Vec<u8>>,
) -> Value {
    let mut values = artifacts.iter().map(|artifact| {
        json!({
            "metadata": artifact.metadata,
            "content": content(artifact).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        })
    });
    if is_list { values.collect() } else { values.next().unwrap_or(Value::Null) }
}

/// Equality of values: `2.0` and `2` are the same number.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.as_f64() == y.as_f64() && !(is_whole(a) && is_whole(b))),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

/// Whether an artifact is what was expected; an expectation may leave out what does not matter.
pub fn covers(wanted: &Value, seen: &Value) -> bool {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => {
            wanted.iter().all(|(key, wanted)| seen.get(key).is_some_and(|seen| same(wanted, seen)))
        }
        (Value::Array(wanted), Value::Array(seen)) => {
            wanted.len() == seen.len() && wanted.iter().zip(seen).all(|(wanted, seen)| covers(wanted, seen))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_equal_their_floats_and_large_ones_are_not_blurred() {
        assert!(same(&json!([2, {"a": 1.0}]), &json!([2.0, {"a": 1}])));
        assert!(!same(&json!(9007199254740993_i64), &json!(9007199254740992_i64)));
        assert!(!same(&json!("1"), &json!(1)));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
    }

    #[test]
    fn expected_artifact_may_leave_things_out_but_not_be_wrong() {
        let seen = json!({"metadata": {"a": 1}, "content": "x"});
        assert!(covers(&json!({"content": "x"}), &seen));
        assert!(covers(&json!({"metadata": {"a": 1.0}}), &seen));
        assert!(!covers(&json!({"metadata": {}}), &seen));
        assert!(!covers(&json!({"content": "y"}), &seen));
        assert!(!covers(&json!({"content": "x"}), &Value::Null));
    }
}
