//! Flags of `penstock run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::{ExecutionArgs, ProgressArgs, cluster, parse_duration, task_pods};

/// `penstock run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The pipeline: compiled (.yaml, .json, .zip, .tar.gz, or a pipe such as /dev/stdin), or a Python file, which is
    /// compiled first
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "resume")]
    pub(crate) file: Option<PathBuf>,
    /// Value of a pipeline parameter. A STRING is taken as it is, other types are written as JSON
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// JSON file with an object of parameters; --param wins over it
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) params_file: Option<PathBuf>,
    /// Name of the run, for people [default: name of the pipeline and the time]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Take no results of earlier runs, whatever the pipeline says
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Root of the run's artifacts: a directory, or s3://bucket/prefix
    /// [default: the root that the pipeline names, or artifacts/ in the data directory]
    #[arg(long, env = "PENSTOCK_ROOT", value_name = "DIR|URI", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<String>,
    /// Function to compile, when a Python file defines several pipelines
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// Most time that compiling a Python file may take
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub(crate) compile_timeout: Duration,
    /// Run the commands of components that are only an image and a command on this machine, without the image
    #[arg(long)]
    pub(crate) host_commands: bool,
    /// Directory with the source of containerized Python components [default: that of a Python FILE]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) component_dir: Option<PathBuf>,
    /// Where tasks run
    #[arg(long, value_enum, default_value_t, value_name = "PLACE")]
    pub(crate) on: cluster::Place,
    /// Namespace of the tasks' Pods, with --on kubernetes [default: that of the context]; or where the run goes, at a server
    /// that keeps the namespaces of several teams apart
    #[arg(short, long, env = "PENSTOCK_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Experiment of the run, at a server: its name or id; one of a new name is made [default: Default, that of the namespace]
    #[arg(long, value_name = "EXPERIMENT")]
    pub(crate) experiment: Option<String>,
    /// KFP's service account of the run. It is stored and shown, and nothing runs under it: a task that needs a token asks
    /// for an account of its own, see --allow-task-account
    #[arg(long, value_name = "NAME", default_value = penstock_spec::keys::KFP_SERVICE_ACCOUNT)]
    pub(crate) service_account: String,
    /// Create the run and leave it to the driver that serves this data directory, with --on kubernetes
    #[arg(long)]
    pub(crate) detach: bool,
    /// Go on with a run whose process was killed: id, unique beginning of it, name, or `latest`
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "file", "param", "params_file", "name", "no_cache", "root", "function", "host_commands", "component_dir", "on",
        "service_account", "detach", "experiment",
    ])]
    pub(crate) resume: Option<String>,
    /// How Pods are waited for.
    #[command(flatten)]
    pub(crate) pods: cluster::PodArgs,
    /// What Pods of tasks get.
    #[command(flatten)]
    pub(crate) task_pods: task_pods::TaskPodArgs,
    /// How tasks are executed.
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// How progress is shown.
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}
