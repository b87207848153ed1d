//! Names that follow from a run and a place in it: paths, and identifiers made of them. The same place and attempt
//! have the same identity on every host and after every restart.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::fact::NodeId;
use crate::state::RunState;

impl RunState {
    /// Path of a node, such as `for-loop-1[3]/train`. The root's is empty.
    pub fn path(&self, id: NodeId) -> String {
        let mut chain = Vec::new();
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            chain.push(at);
            at = parent;
        }
        let mut path = String::new();
        for id in chain.into_iter().rev() {
            let Some(node) = self.get(id) else { continue };
            if node.iteration {
                // Writing to a String cannot fail.
                let _ = write!(path, "[{}]", node.slot);
                continue;
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(self.task(id).map_or("", |task| &task.key));
        }
        path
    }

    /// Identity of a task.
    pub fn task_id(&self, id: NodeId) -> Option<Uuid> {
        self.get(id)?;
        Some(task_id(self.info()?.id, &self.path(id)))
    }
}

/// Identity of the task at a path of a run: UUID v5 of both.
pub fn task_id(run: Uuid, path: &str) -> Uuid {
    Uuid::new_v5(&run, path.as_bytes())
}

/// Names the place of an attempt's outputs.
pub(crate) fn attempt_id(task: Uuid, attempt: u32) -> Uuid {
    Uuid::new_v5(&task, format!("attempt {attempt}").as_bytes())
}

/// Identity of the artifact that an importer records, unless an equal one existed before.
pub(crate) fn imported_artifact_id(task: Uuid, output: &str) -> Uuid {
    Uuid::new_v5(&task, format!("artifact {output}").as_bytes())
}
