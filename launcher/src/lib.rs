//! Carries out one attempt of a task: fetches inputs, runs the user's process, stores outputs and the manifest, and
//! tells how it ended.
//!
//! [`arguments`], [`inputs`], [`outputs`] and [`report`] follow a [`Plan`](penstock_spec::plan::Plan) and know nothing
//! of where the process runs. [`attempt`], [`local`], [`process`] and [`python`] are the process backend: the same
//! steps with the user's code as a process of this machine. [`pod`] is the sidecar of a Pod, where the process runs in a
//! container beside it, and [`link`] is the way to that process.

pub mod arguments;
pub mod attempt;
pub mod cancel;
mod clock;
pub mod host;
pub mod inputs;
pub mod link;
pub mod local;
mod log_clock;
mod log_line;
pub mod outputs;
pub mod places;
pub mod pod;
pub mod process;
pub mod python;
pub mod report;

pub use attempt::run_attempt;
pub use cancel::{CancelHandle, CancelToken, cancel_pair};
pub use host::HostContext;
pub use local::USER_DIRECTORIES;
pub use process::record::{is_recorded_at_work, kill_recorded};
pub use python::{PythonHost, PythonSettings};
pub use report::adopt;
