//! Flags of the commands that are about runs there are.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::server::NamespaceArgs;
use super::{ExecutionArgs, OutputFormat, ProgressArgs, cluster, parse_duration, task_pods};

/// `penstock get`
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Run: id, unique beginning of it, name, or `latest`
    #[arg(default_value = "latest")]
    pub(crate) run: String,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
    /// Show every iteration of loops
    #[arg(long)]
    pub(crate) expand: bool,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}

/// `penstock list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Runs to show
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Where to go on: printed below a list that has more
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}

/// `penstock logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Run: id, unique beginning of it, name, or `latest`. A word that is none of these is a TASK of the latest run
    #[arg(default_value = "latest")]
    pub(crate) run: String,
    /// Task: its path, such as `for-loop-1[3]/train`, or a name; all tasks below it are meant as well [default: all]
    pub(crate) task: Option<String>,
    /// Print what is still to come until the tasks have ended
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Attempt, from 1 [default: the last one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: Option<u32>,
    /// Begin each line with the time at which it was printed (RFC 3339, UTC); `-` where it is not known
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}

/// `penstock watch`
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Run: id, unique beginning of it, name, or `latest`
    #[arg(default_value = "latest")]
    pub(crate) run: String,
    /// How progress is shown.
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}

/// `penstock stop`
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Run: id, unique beginning of it, name, or `latest`
    pub(crate) run: String,
    /// Do not wait until the run has ended
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Most time to wait for the run's end
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    /// Time between asking a task to stop and killing it, when no process drives the run any more
    #[arg(long, env = "PENSTOCK_GRACE", value_name = "DURATION", default_value = "10s",
          value_parser = parse_duration)]
    pub(crate) grace: Duration,
    /// How Pods are waited for.
    #[command(flatten)]
    pub(crate) pods: cluster::PodArgs,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}

/// `penstock retry`: the pipeline is the one that the run was created with.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Run: id, unique beginning of it, name, or `latest`
    pub(crate) run: String,
    /// Start this task anew, too, though it may have succeeded, with all that depends on it: its path, such as
    /// `for-loop-1[3]/train`, or its name. A run that succeeded goes on by this alone
    #[arg(long, value_name = "TASK")]
    pub(crate) from: Option<String>,
    /// How tasks are executed.
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// How Pods are waited for.
    #[command(flatten)]
    pub(crate) pods: cluster::PodArgs,
    /// What Pods of tasks get.
    #[command(flatten)]
    pub(crate) task_pods: task_pods::TaskPodArgs,
    /// How progress is shown.
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}

/// `penstock cp`
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// RUN/TASK/ARTIFACT, for an output of the pipeline itself RUN/ARTIFACT
    #[arg(value_name = "RUN/TASK/ARTIFACT")]
    pub(crate) source: String,
    /// File or directory to write; `-` writes a file to standard output
    #[arg(value_name = "DEST", value_hint = ValueHint::AnyPath)]
    pub(crate) destination: PathBuf,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
}
