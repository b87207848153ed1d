//! The command line of `penstock-launcher`. Each flag has a variable, which is what the webhook sets.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use penstock_spec::{keys, log_times};

/// Moves the data of a Pod and tells how its process ended.
#[derive(Debug, Parser)]
#[command(name = "penstock-launcher", version)]
pub struct LauncherArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LauncherCommand,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum LauncherCommand {
    /// Run as the sidecar of a Pod
    Sidecar(Box<SidecarArgs>),
    /// Return once the entry is in place (the sidecar's postStart hook)
    Gate(GateArgs),
}

/// The hook.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// Directory that the entry is put into
    #[arg(long, hide = true, default_value = keys::BIN_DIR)]
    pub bin_dir: PathBuf,
}

/// The sidecar.
#[derive(Debug, Clone, Args)]
pub struct SidecarArgs {
    /// Name of the Pod
    #[arg(long, env = keys::ENV_LAUNCHER_POD_NAME, default_value = "")]
    pub pod_name: String,
    /// UID of the Pod
    #[arg(long, env = keys::ENV_LAUNCHER_POD_UID, default_value = "")]
    pub pod_uid: String,
    /// Namespace of the Pod
    #[arg(long, env = keys::ENV_LAUNCHER_NAMESPACE, default_value = "")]
    pub namespace: String,
    /// Host of the API server
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", default_value = "kubernetes.default.svc")]
    pub api_server_host: String,
    /// Port of the API server
    #[arg(long, env = "KUBERNETES_SERVICE_PORT", default_value_t = 443)]
    pub api_server_port: u16,
    /// How long a request to an object store is repeated before the attempt fails, in seconds
    #[arg(long, env = keys::ENV_LAUNCHER_TRANSFER_BUDGET, default_value_t = 600,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub transfer_budget_seconds: u64,
    /// How long the report is offered to the API server, in seconds
    #[arg(long, env = keys::ENV_LAUNCHER_REPORT_BUDGET, default_value_t = 120,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub report_budget_seconds: u64,
    /// The Pod's termination grace period, in seconds
    #[arg(long, env = "PENSTOCK_TERMINATION_GRACE_SECONDS", default_value_t = 60)]
    pub termination_grace_seconds: u64,
    /// The files of the Pod's own volume that the settings asked for when the Pod was made, separated by blanks
    #[arg(long, env = keys::ENV_LAUNCHER_FILES)]
    pub pod_files: Option<String>,
    /// The entry needs no copy: the user's container mounts the launcher's image
    #[arg(long = keys::LAUNCHER_ENTRY_MOUNTED.trim_start_matches('-'))]
    pub is_entry_mounted: bool,
    /// How often the log of a running process is stored at most, in seconds
    #[arg(long, hide = true, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub log_period_seconds: u64,
    /// Form of the sidecar's own log
    #[arg(long, env = keys::ENV_LAUNCHER_LOG_FORMAT, default_value = "text")]
    pub log_format: LogFormat,
    /// Which events the sidecar logs: off, error, warn, info, debug or trace
    #[arg(long, env = keys::ENV_LAUNCHER_LOG, default_value = "info")]
    pub log_level: tracing::level_filters::LevelFilter,
    /// Where things are; only tests move them.
    #[command(flatten)]
    pub places: PodPlaces,
}

/// Form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Directories and files that the webhook mounts or the image holds.
#[derive(Debug, Clone, Args)]
pub struct PodPlaces {
    /// The entry in the launcher's image
    #[arg(long, hide = true, default_value = "/penstock-entry")]
    pub entry: PathBuf,
    /// Where the entry goes
    #[arg(long, hide = true, default_value = keys::BIN_DIR)]
    pub bin_dir: PathBuf,
    /// Where the socket is
    #[arg(long, hide = true, default_value = keys::CONTROL_DIR)]
    pub control_dir: PathBuf,
    /// Where the log is
    #[arg(long, hide = true, default_value = keys::SHARED_DIR)]
    pub shared_dir: PathBuf,
    /// Where the plan, settings and credentials are
    #[arg(long, hide = true, default_value = keys::POD_DIR)]
    pub pod_dir: PathBuf,
    /// What stands before the paths of artifacts and parameters
    #[arg(long, hide = true, default_value = "/")]
    pub root: PathBuf,
}

impl PodPlaces {
    /// The socket at which the entry connects.
    pub fn socket(&self) -> PathBuf {
        self.control_dir.join(file_name(keys::ENTRY_SOCKET))
    }

    /// The log of the user's process.
    pub fn log(&self) -> PathBuf {
        self.shared_dir.join(file_name(keys::POD_LOG))
    }

    /// By when what is in that log was printed. User code can only read it.
    pub fn log_times(&self) -> PathBuf {
        log_times::index_path(&self.control_dir.join(file_name(keys::POD_LOG)))
    }
}

/// How the Pod's grace period is divided, counted from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graces {
    /// Until the user's process is killed. What is left is for what it leaves behind.
    pub process: Duration,
    /// Until the user's container ends, whatever is stored by then. What is left is the sidecar's, which the kubelet stops
    /// after it, to give up what it has begun.
    pub hold: Duration,
}

impl SidecarArgs {
    /// How the Pod's grace period is divided.
    pub fn graces(&self) -> Graces {
        let whole = Duration::from_secs(self.termination_grace_seconds);
        Graces { process: whole * 2 / 3, hold: whole * 5 / 6 }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definition_is_sound_and_defaults_are_where_the_webhook_mounts() {
        LauncherArgs::command().debug_assert();
        let args = LauncherArgs::try_parse_from(["penstock-launcher", "sidecar"]).expect("no flag is needed");
        let LauncherCommand::Sidecar(sidecar) = args.command else { panic!("another command") };
        assert_eq!(sidecar.places.socket(), PathBuf::from(keys::ENTRY_SOCKET));
        assert_eq!(sidecar.places.log(), PathBuf::from(keys::POD_LOG));
        let graces = Graces { process: Duration::from_secs(40), hold: Duration::from_secs(50) };
        assert_eq!(sidecar.graces(), graces);
        assert!(!sidecar.is_entry_mounted);
        let args = LauncherArgs::try_parse_from(["penstock-launcher", "sidecar", keys::LAUNCHER_ENTRY_MOUNTED]);
        let LauncherCommand::Sidecar(sidecar) = args.expect("a flag").command else { panic!("another command") };
        assert!(sidecar.is_entry_mounted);
    }
}
