//! The only place that spells a label, annotation, object name, path or variable name that two parts must agree on.

/// Object below an attempt's root that lists its outputs.
pub const MANIFEST_OBJECT: &str = "manifest.json";
/// Name of the log artifact; `-<attempt>` follows.
pub const EXECUTOR_LOGS: &str = "executor-logs";
/// File name of `ExecutorOutput` below the local form of the attempt's root.
pub const OUTPUT_METADATA_FILE: &str = "output_metadata.json";
/// Directory of output parameter files in a user's container.
pub const OUTPUT_PARAMETER_DIR: &str = "/tmp/kfp/outputs";
/// Where a run's workspace is mounted on a cluster.
pub const WORKSPACE_PATH: &str = "/kfp-workspace";
/// Beginning of the names of images that are never run: the backend does what they stand for.
pub const PSEUDO_IMAGES: &str = "argostub/";
/// Index of the attempt, in the environment of tasks with a retry policy.
pub const ENV_RETRY_INDEX: &str = "KFP_RETRY_INDEX";
/// Name of the task's Pod, in the environment of user code.
pub const ENV_POD_NAME: &str = "KFP_POD_NAME";
/// UID of the task's Pod, in the environment of user code.
pub const ENV_POD_UID: &str = "KFP_POD_UID";
/// Marks every process of an attempt that runs on this machine; its value is `<run id>/<task id>/<attempt>`.
pub const ENV_ATTEMPT: &str = "PENSTOCK_ATTEMPT";
