//! What an attempt needs to know of the machine that it runs on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use penstock_objectstore::Transfer;

use crate::python::PythonHost;

/// The machine, as one attempt sees it.
#[derive(Debug, Clone)]
pub struct HostContext {
    /// Directory of this attempt alone: `<data-dir>/work/<run>/<task id>/<attempt>`. An absolute path.
    pub work_dir: PathBuf,
    /// File that receives the process's output while it runs; stored as `executor-logs-<attempt>` at the end.
    pub log_file: PathBuf,
    /// Moves inputs and outputs.
    pub transfer: Arc<Transfer>,
    /// Interpreters and environments for Python components.
    pub python: Arc<PythonHost>,
    /// Directory of the pipeline file: containerised Python components find their `kfp_config.ini` and sources there.
    pub component_dir: Option<PathBuf>,
    /// Whether a component that is only an image and a command may run its command on this machine.
    pub host_commands: bool,
    /// Time between the request to end (SIGTERM) and the end (SIGKILL) of a process that is stopped.
    pub grace: Duration,
}
