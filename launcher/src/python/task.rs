//! A call of the SDK's executor, written down for an interpreter to carry out.
//!
//! Everything goes by file: the executor input may be larger than the kernel's limit for one argument.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use penstock_spec::plan::Plan;
use serde::Serialize;

use super::component::ExecutorCall;
use crate::arguments::Argv;
use crate::process::{ProcessError, ProcessSpec};

const TASK_FILE: &str = "task.json";
const SOURCE_FILE: &str = "component/ephemeral_component.py";

/// Beginnings of variables that an interpreter, the loader or the C library read when they start: a fork of a running
/// interpreter would not heed them.
const READ_AT_START: [&str; 6] = ["PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "LANG"];

/// A call of the executor.
#[derive(Debug, Clone)]
pub struct PythonTask {
    file: PathBuf,
    module: String,
    argv: Vec<String>,
    source: Option<(PathBuf, String)>,
}

#[derive(Serialize)]
struct TaskDocument<'a> {
    module: &'a str,
    argv: &'a [String],
    cwd: &'a Path,
    log: &'a Path,
    marker: &'a str,
    env: Vec<(&'a str, &'a str)>,
}

/// Whether a task's environment can be set in a fork.
pub fn fits_warm(plan: &Plan) -> bool {
    !plan.env.iter().any(|variable| READ_AT_START.iter().any(|prefix| variable.name.starts_with(prefix)))
}

impl PythonTask {
    /// The call that resolved argv stands for. An error is the reason why it is refused.
    pub fn new(executor: &ExecutorCall, argv: &Argv, work_dir: &Path) -> Result<PythonTask, String> {
        let mut arguments = Vec::new();
        let mut source = None;
        if let Some(index) = executor.source {
            let text = argv.command.get(index).ok_or("the component has no source")?;
            let path = work_dir.join(SOURCE_FILE);
            let shown = path.to_str().ok_or("the work directory is not UTF-8; choose another --data-dir")?;
            arguments.extend(["--component_module_path".to_owned(), shown.to_owned()]);
            source = Some((path, text.clone()));
        }
        arguments.extend(argv.command.iter().skip(executor.skip).chain(&argv.args).cloned());
        Ok(PythonTask { file: work_dir.join(TASK_FILE), module: executor.module.clone(), argv: arguments, source })
    }

    /// The file that an interpreter reads.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Writes the call and the component's source.
    pub fn write(&self, spec: &ProcessSpec) -> Result<(), ProcessError> {
        if let Some((path, text)) = &self.source {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|source| ProcessError::File {
                    operation: "create",
                    path: parent.to_owned(),
                    source,
                })?;
            }
            write_private(path, text.as_bytes())?;
        }
        let document = TaskDocument {
            module: &self.module,
            argv: &self.argv,
            cwd: &spec.cwd,
            log: &spec.log_file,
            marker: &spec.marker,
            // What is not UTF-8 cannot be written down; nothing that a task relies on is.
            env: spec.env.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?))).collect(),
        };
        let bytes = serde_json::to_vec(&document).map_err(|error| ProcessError::File {
            operation: "write",
            path: self.file.clone(),
            source: error.into(),
        })?;
        write_private(&self.file, &bytes)
    }
}

/// Values of a task are for its owner alone.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ProcessError> {
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|source| ProcessError::File {
        operation: "write",
        path: path.to_owned(),
        source,
    })
}
