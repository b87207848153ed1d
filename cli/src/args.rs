//! Every flag and where its value may come from. Nothing else reads the environment.

pub(crate) mod access;
pub(crate) mod api;
mod cache;
pub(crate) mod cluster;
pub(crate) mod database;
mod environment;
pub(crate) mod records;
pub(crate) mod retention;
mod run;
mod runs;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod sharing;
pub(crate) mod task_pods;
pub(crate) mod volumes;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use jiff::tz::TimeZone;

pub(crate) use cache::CacheCommand;
pub(crate) use environment::Environment;
pub(crate) use run::RunArgs;
pub(crate) use runs::{CpArgs, GetArgs, ListArgs, LogsArgs, RetryArgs, StopArgs, WatchArgs};

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
    Retry(Box<RetryArgs>),
    /// Copy an artifact out of a run
    Cp(CpArgs),
    /// Ask about cached results, or remove them
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Let pipelines run by themselves, by the clock or at equal distances
    Schedule(schedule::ScheduleArgs),
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

    /// Where in a server that several use.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let place = match self {
            Command::Run(args) => return args.namespace.as_deref(),
            Command::Import(args) => return args.to_namespace.as_deref(),
            Command::Get(args) => &args.place,
            Command::List(args) => &args.place,
            Command::Logs(args) => &args.place,
            Command::Watch(args) => &args.place,
            Command::Stop(args) => &args.place,
            Command::Retry(args) => &args.place,
            Command::Cp(args) => &args.place,
            Command::Cache(CacheCommand::Why { place, .. }) => place,
            Command::Schedule(args) => &args.place,
            _ => return None,
        };
        place.namespace.as_deref()
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
    /// How long runs are kept.
    #[command(flatten)]
    pub(crate) retention: retention::RetentionArgs,
    /// How tasks are executed.
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
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
