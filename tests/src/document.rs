//! The document of `-o json`, read as a script would read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RunDocument {
    /// Identity.
    pub run_id: String,
    /// `SUCCEEDED`, `FAILED`, ...
    pub state: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Outputs of the pipeline.
    pub outputs: Values,
    /// Tasks, groups, loops and iterations.
    pub tasks: Vec<TaskDocument>,
}

/// Parameters and artifacts by name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Values {
    /// Parameters.
    pub parameters: Map<String, Value>,
    /// Artifacts.
    pub artifacts: BTreeMap<String, Vec<ArtifactDocument>>,
}

/// An artifact.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ArtifactDocument {
    /// Where it is.
    pub uri: String,
    /// What is known about it.
    pub metadata: Map<String, Value>,
    /// What is stored; nothing for an artifact of metadata only.
    pub content: Option<Value>,
}

impl ArtifactDocument {
    /// The file of an artifact that is kept on this machine.
    pub fn local_path(&self) -> Option<PathBuf> {
        self.uri.strip_prefix("file://").map(PathBuf::from)
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TaskDocument {
    /// Name within its DAG.
    pub name: String,
    /// Place in the run, such as `for-loop-1[3]/train`.
    pub path: String,
    /// `CONTAINER`, `LOOP`, ...
    pub kind: String,
    /// `SUCCEEDED`, `FAILED`, ...
    pub state: String,
    /// Whether an earlier result was taken.
    pub cached: bool,
    /// Index of the innermost iteration that it is in.
    pub iteration: Option<u64>,
    /// Number of the last attempt, from 1.
    pub attempt: Option<u64>,
    /// When it started.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Inputs and outputs.
    pub parameters: Sides<Map<String, Value>>,
    /// Inputs and outputs.
    pub artifacts: Sides<BTreeMap<String, Vec<ArtifactDocument>>>,
    /// Why it failed.
    pub error: Option<String>,
    /// Kind of the failure.
    pub cause: Option<String>,
    /// Whether a command ran on this machine instead of in its image.
    #[serde(default)]
    pub ran_on_host: bool,
}

/// What goes in and what comes out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sides<T> {
    /// In.
    pub inputs: T,
    /// Out.
    pub outputs: T,
}

impl RunDocument {
    /// The task at a path.
    pub fn find(&self, path: &str) -> Option<&TaskDocument> {
        self.tasks.iter().find(|task| task.path == path)
    }

    /// The task at a path.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn task(&self, path: &str) -> &TaskDocument {
        match self.find(path) {
            Some(task) => task,
            None => panic!("no task {path:?} among {:?}", self.tasks.iter().map(|task| &task.path).collect::<Vec<_>>()),
        }
    }

    /// Paths of the tasks that run user code and have ended well.
    pub fn finished(&self) -> Vec<&str> {
        let done = self.tasks.iter().filter(|task| task.kind == "CONTAINER" && task.state == "SUCCEEDED");
        done.map(|task| task.path.as_str()).collect()
    }

    /// The error of a task that failed.
    ///
    /// # Panics
    /// When it did not fail, or gives no reason.
    #[track_caller]
    pub fn failure_of(&self, path: &str) -> &str {
        let task = self.task(path);
        assert_eq!(task.state, "FAILED", "{task:?}");
        match task.error.as_deref() {
            Some(error) if !error.is_empty() => error,
            _ => panic!("{path} failed and does not say why"),
        }
    }
}
