//! Flags of the commands that are about a server's schedules, and of the import.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueHint};
use penstock_spec::Timestamp;

use super::server::NamespaceArgs;
use super::{OutputFormat, parse_duration};

/// `penstock schedule`
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// Where the schedules are.
    #[command(flatten)]
    pub(crate) place: NamespaceArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ScheduleCommand,
}

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Create a schedule, or change the one of this name: what is not given stays as it is
    Apply(Box<ApplyArgs>),
    /// List schedules
    List {
        /// How to print them
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        output: OutputFormat,
    },
    /// Show one schedule and when it is due
    Get {
        /// Schedule: name or id
        schedule: String,
        /// How to print it
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        output: OutputFormat,
    },
    /// Keep a schedule from making runs
    Pause {
        /// Schedule: name or id
        schedule: String,
    },
    /// Let a schedule make runs again. Slots that it missed run too, unless it was made with --no-catchup
    Resume {
        /// Schedule: name or id
        schedule: String,
    },
    /// Make one of its runs now, out of turn
    RunNow {
        /// Schedule: name or id
        schedule: String,
    },
    /// Make the runs of slots that have passed without one: those before the schedule was made, or that it skipped. Those for
    /// which there is no room wait until there is
    Backfill(BackfillArgs),
    /// Delete a schedule. Its runs stay
    Delete {
        /// Schedule: name or id
        schedule: String,
    },
}

/// `penstock schedule apply`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("trigger").args(["cron", "every", "at"])))]
pub(crate) struct ApplyArgs {
    /// A pipeline file (as for run), or the name or id of a pipeline at the server, whose latest version is followed. May be
    /// left out for a schedule that exists
    #[arg(value_name = "FILE|PIPELINE", value_hint = ValueHint::FilePath)]
    pub(crate) pipeline: Option<String>,
    /// Name of the schedule [default: name of the pipeline]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// When: second, minute, hour, day of month, month and, if given, day of week, such as '0 30 9 * * 1-5'; or @daily
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) cron: Option<String>,
    /// When: at equal distances, such as 90m
    #[arg(long, value_name = "DURATION", value_parser = parse_interval)]
    pub(crate) every: Option<Duration>,
    /// When: once, at this time, such as 2026-12-31T23:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// Only after this time
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<Timestamp>,
    /// No later than this time
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<Timestamp>,
    /// Value of a pipeline parameter. A STRING is taken as it is, other types are written as JSON
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// JSON file with an object of parameters; --param wins over it
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) params_file: Option<PathBuf>,
    /// What somebody says of it
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Experiment of its runs: name or id; one of a new name is made. A schedule stays in the one that it was made in
    /// [default: Default, that of the namespace]
    #[arg(long, value_name = "EXPERIMENT")]
    pub(crate) experiment: Option<String>,
    /// Runs that may be under way at a time, at most 10 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) max_concurrency: Option<u32>,
    /// Of several slots that were missed, run only the latest [default: all of them]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) no_catchup: Option<bool>,
    /// Let its runs take no results of earlier ones, whatever the pipeline says [default: as the pipeline says]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) no_cache: Option<bool>,
    /// KFP's service account of its runs. It is stored and shown, and nothing runs under it [default: pipeline-runner]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) service_account: Option<String>,
    /// Create it without letting it make runs
    #[arg(long)]
    pub(crate) paused: bool,
    /// Change nothing; say what would change, and when it would be due
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Function to compile, when a Python file defines several pipelines
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// Python interpreter for compiling [default: that of the active virtual environment, or python3]
    #[arg(long, env = "PENSTOCK_PYTHON", value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub(crate) python: Option<PathBuf>,
    /// Most time that compiling a Python file may take
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub(crate) compile_timeout: Duration,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
}

/// `penstock schedule backfill`
#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    /// Schedule: name or id
    pub(crate) schedule: String,
    /// First time, such as 2026-08-01T00:00:00Z
    #[arg(long, value_name = "TIME", required_unless_present = "cancel")]
    pub(crate) from: Option<Timestamp>,
    /// Last time [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
    /// Make no runs of slots that still wait for room
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) cancel: bool,
    /// How to print the runs
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
}

/// `penstock import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// URL of the server to bring things over from: any that speaks KFP's API (v2beta1)
    #[arg(long, env = "PENSTOCK_FROM", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) from: String,
    /// File with the token that it is shown. It may stand in PENSTOCK_FROM_TOKEN too
    #[arg(long, env = "PENSTOCK_FROM_TOKEN_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) from_token_file: Option<PathBuf>,
    /// File with the certificates (PEM) of the authorities to trust for it [default: those of the system]
    #[arg(long, env = "PENSTOCK_FROM_CA_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) from_ca_file: Option<PathBuf>,
    /// Namespace to bring things over from, at a server that several teams use. Pipelines that all of them share come along
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) from_namespace: Option<String>,
    /// Namespace to bring things over to, if --server is one that several teams use
    #[arg(long, env = "PENSTOCK_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) to_namespace: Option<String>,
    /// Let recurring runs make runs here that do so there, from now on. Otherwise they arrive paused, so that nothing runs
    /// twice, and count from when they are resumed first
    #[arg(long)]
    pub(crate) enable: bool,
    /// Change nothing; say what would be brought over
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print the report
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
}

/// An interval in whole seconds; it may be longer than any wait.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error} (write 90s, 15m, 1day)"))?;
    if duration.as_secs() < 1 || duration.subsec_nanos() != 0 {
        return Err("it has to be a number of whole seconds, and at least one".to_owned());
    }
    Ok(duration)
}
