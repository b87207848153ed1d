//! What is known of a pipeline's run from its source: outputs, tasks, lines of logs, and the failures that its author
//! meant.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::document::{ArtifactDocument, RunDocument};
use crate::expectation::{ExpectedTask, artifact_value, covers, same};

/// An entry of `tests/conformance/expected.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Why the run fails, when its author means it to.
    pub fails: Option<String>,
    /// What is otherwise than the author means it to be, on purpose, and why.
    pub deviates: Option<String>,
    /// All output parameters of the pipeline.
    pub outputs: Option<Map<String, Value>>,
    /// Output artifacts of the pipeline: `metadata` and `content`, as far as they are known.
    #[serde(default)]
    pub output_artifacts: BTreeMap<String, Value>,
    /// Some of the tasks, and all that fail.
    #[serde(default)]
    pub tasks: BTreeMap<String, ExpectedTask>,
    /// Output artifacts of tasks, in the same form.
    #[serde(default)]
    pub task_artifacts: BTreeMap<String, BTreeMap<String, Value>>,
    /// What logs of tasks must contain.
    #[serde(default)]
    pub logs: BTreeMap<String, Vec<String>>,
}

impl Expected {
    /// Whether some task, and so the run, must fail.
    pub fn has_failures(&self) -> bool {
        self.tasks.values().any(|task| task.state == "FAILED")
    }

    /// Number of things that a run is compared with.
    pub fn count(&self) -> usize {
        let outputs = self.outputs.as_ref().map_or(0, |outputs| outputs.len().max(1));
        let tasks = self.tasks.values().map(|task| task.parameters.len().max(1)).sum::<usize>();
        let artifacts = self.output_artifacts.len() + self.task_artifacts.values().map(BTreeMap::len).sum::<usize>();
        outputs + artifacts + tasks + self.logs.values().map(Vec::len).sum::<usize>()
    }

    /// All differences between a run and what is known of it; `log` gives the log of a task, `content` that of an
    /// artifact.
    pub fn differences(
        &self,
        run: &RunDocument,
        log: impl Fn(&str) -> String,
        content: impl Fn(&ArtifactDocument) -> Option<Vec<u8>>,
    ) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(outputs) = &self.outputs
            && !same(&Value::Object(outputs.clone()), &Value::Object(run.outputs.parameters.clone()))
        {
            found.push(format!("outputs are {:?}, not {outputs:?}", run.outputs.parameters));
        }
        found.extend(differing("the pipeline", &self.output_artifacts, &run.outputs.artifacts, &content));
        for (path, wanted) in &self.task_artifacts {
            match run.find(path) {
                Some(task) => found.extend(differing(path, wanted, &task.artifacts.outputs, &content)),
                None => found.push(format!("there is no task {path}")),
            }
        }
        for (path, wanted) in &self.tasks {
            match run.find(path) {
                Some(task) => found.extend(wanted.differences(task)),
                None => found.push(format!("there is no task {path}")),
            }
        }
        found.extend(self.other_failures(run));
        for (path, parts) in &self.logs {
            // So that the first line is a line like any other.
            let text = format!("\n{}", log(path));
            let missing = parts.iter().filter(|part| !text.contains(part.as_str()));
            found.extend(missing.map(|part| format!("the log of {path} does not contain {part:?}")));
        }
        found
    }

    /// Tasks that failed although nothing is said about them: their failure may hide the one that was meant.
    fn other_failures(&self, run: &RunDocument) -> Vec<String> {
        let meant = self.tasks.iter().filter(|(_, task)| task.state == "FAILED").map(|(path, _)| path.as_str());
        let meant: BTreeSet<&str> = meant.collect();
        let failed = run.tasks.iter().filter(|task| task.kind == "CONTAINER" && task.state == "FAILED");
        let others = failed.filter(|task| !meant.contains(task.path.as_str()));
        others.map(|task| format!("{} failed: {}", task.path, task.error.as_deref().unwrap_or("no reason"))).collect()
    }
}

fn differing(
    of: &str,
    wanted: &BTreeMap<String, Value>,
    seen: &BTreeMap<String, Vec<ArtifactDocument>>,
    content: impl Fn(&ArtifactDocument) -> Option<Vec<u8>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in wanted {
        let seen = artifact_value(seen.get(name).map_or(&[][..], Vec::as_slice), wanted.is_array(), &content);
        if !covers(wanted, &seen) {
            found.push(format!("the artifact {name} of {of} is {seen}, not {wanted}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(failed: &[&str]) -> RunDocument {
        let sides = json!({"inputs": {}, "outputs": {}});
        let task = |path: &&str| {
            json!({
                "name": path, "path": path, "kind": "CONTAINER", "state": "FAILED", "cached": false,
                "iteration": null, "attempt": 1, "started_at": null, "finished_at": null,
                "parameters": sides, "artifacts": sides, "error": "boom", "cause": "USER",
            })
        };
        let tasks: Vec<Value> = failed.iter().map(task).collect();
        let outputs = json!({"parameters": {"Output": 2.0}, "artifacts": {}});
        let run = json!({"run_id": "r", "state": "FAILED", "error": "boom", "outputs": outputs, "tasks": tasks});
        serde_json::from_value(run).expect("a run")
    }

    fn expected(value: Value) -> Expected {
        serde_json::from_value(value).expect("an expectation")
    }

    fn differences(expected: &Expected, run: &RunDocument, log: &str) -> Vec<String> {
        expected.differences(run, |_| log.to_owned(), |_| None)
    }

    #[test]
    fn failure_that_was_not_meant_is_a_difference() {
        let expected = expected(json!({"fails": "on purpose", "tasks": {"a": {"state": "FAILED"}}}));
        assert_eq!(differences(&expected, &run(&["a"]), ""), [] as [String; 0]);
        let found = differences(&expected, &run(&["a", "b"]), "");
        assert_eq!(found, ["b failed: boom"]);
    }

    #[test]
    fn outputs_and_logs_are_compared() {
        let expected =
            expected(json!({"outputs": {"Output": 2}, "logs": {"a": ["x"]}, "tasks": {"a": {"state": "FAILED"}}}));
        assert_eq!(differences(&expected, &run(&["a"]), "xyz"), [] as [String; 0]);
        assert_eq!(differences(&expected, &run(&["a"]), "yz").len(), 1);
        assert_eq!(expected.count(), 3);
    }
}
