//! Every flag and where its value may come from. Nothing else reads the environment.

pub(crate) mod access;
pub(crate) mod api;
pub(crate) mod cluster;
pub(crate) mod database;
mod environment;
pub(crate) mod records;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod sharing;
pub(crate) mod task_pods;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use jiff::tz::TimeZone;

pub(crate) use environment::Environment;

const STORAGE: &str = "Storage options";
const DISPLAY: &str = "Display options";
const EXECUTION: &str = "Execution options";

/// Runs Kubeflow Pipelines, on this machine or on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "penstock", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What every command understands.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API of Kubeflow Pipelines on this machine, and run what is submitted
    Up(Box<UpArgs>),
    /// Run a pipeline and show its progress until it ends
    Run(Box<RunArgs>),
    /// Show one run: its tasks, outputs and why it failed
    Get(GetArgs),
    /// List runs, newest first
    List(ListArgs),
    /// Print the log of a run's tasks
    Logs(LogsArgs),
    /// Follow a run that another process drives
    Watch(WatchArgs),
    /// Cancel a run
    Stop(StopArgs),
    /// Let a failed or cancelled run go on as it was: what succeeded stays, the rest runs again
    Retry(RetryArgs),
    /// Copy an artifact out of a run
    Cp(CpArgs),
    /// Ask about cached results, or remove them
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Let pipelines run by themselves, by the clock or at equal distances
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Bring pipelines, versions, experiments and recurring runs over from a server that speaks KFP's API
    Import(schedule::ImportArgs),
    /// Examine a cluster: can it run tasks, and what to do where it cannot
    Doctor(cluster::DoctorArgs),
    /// Serve everything that a cluster needs of Penstock, in one process
    Serve(Box<cluster::ServeArgs>),
    /// Serve admission alone: put the launcher into Pods that ask for it
    Webhook(Box<cluster::WebhookServiceArgs>),
    /// Drive runs on a cluster, and look after its namespaces, alone
    Driver(Box<cluster::DriverServiceArgs>),
    /// Serve the API of Kubeflow Pipelines alone, for runs on a cluster that a driver over the same store carries out
    Apiserver(Box<api::ApiServiceArgs>),
    /// Print a script that completes commands in a shell
    Completion {
        /// Shell
        shell: Shell,
    },
}

impl Command {
    /// How the messages of a service are written; none for a command that people read.
    pub(crate) fn log_format(&self) -> Option<penstock_runtime::logs::LogFormat> {
        match self {
            Command::Serve(args) => Some(args.service.log_format.into()),
            Command::Webhook(args) => Some(args.service.log_format.into()),
            Command::Driver(args) => Some(args.service.log_format.into()),
            Command::Apiserver(args) => Some(args.service.log_format.into()),
            _ => None,
        }
    }
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = DISPLAY)]
pub(crate) struct GlobalArgs {
    /// When to use colors
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Messages of Penstock's own to print on standard error: error, warn, info, debug, trace, or a filter
    #[arg(long, env = "PENSTOCK_LOG", default_value = "warn", global = true, value_name = "LEVEL")]
    pub(crate) log_level: String,
    /// Which server.
    #[command(flatten)]
    pub(crate) server: server::ServerArgs,
    /// Where things are stored.
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) cluster: cluster::ClusterArgs,
}

/// Where things are stored.
#[derive(Debug, Args)]
#[command(next_help_heading = STORAGE)]
pub(crate) struct StorageArgs {
    /// Directory for runs, local artifacts, logs and Python environments. The directories in which attempts of tasks
    /// failed stay in its work/, to be looked at
    /// [default: $XDG_DATA_HOME/penstock or ~/.local/share/penstock]
    #[arg(long, env = "PENSTOCK_DATA_DIR", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// PostgreSQL database for runs and all that belongs to them, such as postgres://user@host:5432/penstock. No password:
    /// put it into $PENSTOCK_DATABASE_URL, which is read when this is not given, or into $PGPASSWORD or the file that
    /// $PGPASSFILE names [default: penstock.db in the data directory]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) database_url: Option<database::DatabaseUrl>,
    /// URL of an S3 server other than AWS. Credentials come from the standard AWS places (environment, profile, ...)
    #[arg(long, env = "PENSTOCK_S3_ENDPOINT", global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) s3_endpoint: Option<String>,
    /// Region of the buckets
    #[arg(long, env = "PENSTOCK_S3_REGION", global = true, value_name = "REGION")]
    pub(crate) s3_region: Option<String>,
    /// Put the bucket into the path of URLs instead of the host name [default: with --s3-endpoint]
    #[arg(long, env = "PENSTOCK_S3_PATH_STYLE", global = true, value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", require_equals = true, action = ArgAction::Set)]
    pub(crate) s3_path_style: Option<bool>,
    /// File with the certificates (PEM) of the authorities to trust for the S3 server
    #[arg(long, env = "PENSTOCK_S3_CA_FILE", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) s3_ca_file: Option<PathBuf>,
    /// Send requests to S3 without credentials
    #[arg(long, env = "PENSTOCK_S3_ANONYMOUS", global = true)]
    pub(crate) s3_anonymous: bool,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// How tasks are executed on this machine.
#[derive(Debug, Args)]
#[command(next_help_heading = EXECUTION)]
pub(crate) struct ExecutionArgs {
    /// Tasks that may run at a time [default: number of processors]
    #[arg(long, env = "PENSTOCK_CONCURRENCY", value_name = "N")]
    pub(crate) concurrency: Option<NonZeroU32>,
    /// Python interpreter, for compiling and for tasks [default: that of the active virtual environment, or python3]
    #[arg(long, env = "PENSTOCK_PYTHON", value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub(crate) python: Option<PathBuf>,
    /// Time between asking a task to stop and killing it
    #[arg(long, env = "PENSTOCK_GRACE", value_name = "DURATION", default_value = "10s",
          value_parser = parse_duration)]
    pub(crate) grace: Duration,
}

/// How progress is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = DISPLAY)]
pub(crate) struct ProgressArgs {
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
    /// Show every iteration of loops
    #[arg(long)]
    pub(crate) expand: bool,
    /// Show the result only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `penstock up`
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Address of the API
    #[arg(long, env = "PENSTOCK_LISTEN", default_value = "127.0.0.1:8888", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Listen on an address that others reach, although nobody is asked who they are: whoever can connect can run code on
    /// this machine
    #[arg(long)]
    pub(crate) allow_unauthenticated: bool,
    /// Who may ask the API for what.
    #[command(flatten)]
    pub(crate) access: access::AccessArgs,
    /// How the API is served to those who are elsewhere.
    #[command(flatten)]
    pub(crate) serving: api::ServingArgs,
    /// Runs that are under way at a time; the others wait for their turn [default: number of processors]
    #[arg(long, env = "PENSTOCK_RUNS", value_name = "N")]
    pub(crate) runs: Option<NonZeroUsize>,
    /// What concerns other machines.
    #[command(flatten)]
    pub(crate) sharing: sharing::SharingArgs,
    /// Time zone in which cron expressions of recurring runs are read, such as Europe/Berlin
    #[arg(long, env = "PENSTOCK_TIME_ZONE", default_value = "UTC", value_name = "ZONE", value_parser = parse_time_zone)]
    pub(crate) time_zone: TimeZone,
    /// From where pipelines may be imported by URL.
    #[command(flatten)]
    pub(crate) import: api::ImportArgs,
    /// Run the commands of components that are only an image and a command on this machine, without the image
    #[arg(long)]
    pub(crate) host_commands: bool,
    /// What runs take from the cache, and whom to tell what happens.
    #[command(flatten)]
    pub(crate) records: records::RecordsArgs,
    /// How tasks are executed.
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

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
    /// Namespace of the tasks' Pods, with --on kubernetes [default: that of the context]
    #[arg(short, long, env = "PENSTOCK_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
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
        "service_account", "detach",
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
}

/// `penstock retry`: the pipeline is the one that the run was created with.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Run: id, unique beginning of it, name, or `latest`
    pub(crate) run: String,
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
}

/// `penstock cache`
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Explain where a task's result came from, or why none could be reused
    Why {
        /// Run: id, unique beginning of it, name, or `latest`
        run: String,
        /// Task: its path or name
        task: String,
        /// How to print it
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        output: OutputFormat,
    },
    /// Remove cached results, so that the tasks run again. Artifacts stay
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["pipeline", "task", "all"])))]
    Evict {
        /// Only results of this pipeline
        #[arg(long, value_name = "NAME", conflicts_with = "all")]
        pipeline: Option<String>,
        /// Only results of the task with this path
        #[arg(long, value_name = "PATH", conflicts_with = "all")]
        task: Option<String>,
        /// Everything
        #[arg(long)]
        all: bool,
    },
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error} (write 30s, 5m, 1h 30m)"))?;
    if duration > Duration::from_secs(7 * 24 * 3600) {
        return Err("at most 7 days are possible".to_owned());
    }
    Ok(duration)
}

fn parse_time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|error| format!("{error} (write a name such as Europe/Berlin)"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn i31_odd_durations_are_refused() {
        for text in ["", "-3s", "3", "ten", "99999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
