//! Flags about clusters: which one, where in it, and how Penstock's own services run there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use penstock_spec::quantity;
use penstock_spec::settings::ObjectKey;

use super::api::ApiArgs;
use super::task_pods::TaskPodArgs;
use super::volumes::VolumeArgs;
use super::{OutputFormat, parse_duration};

const CLUSTER: &str = "Cluster options";
const SERVICE: &str = "Service options";
const WEBHOOK: &str = "Webhook options";
const DRIVER: &str = "Driver options";

/// Which cluster, found as kubectl finds it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = CLUSTER)]
pub(crate) struct ClusterArgs {
    /// File that says how clusters are reached [default: $KUBECONFIG, ~/.kube/config, or the Pod's own account]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context in it [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

/// Where tasks run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// As processes of this machine
    #[default]
    Process,
    /// As Pods of a Kubernetes cluster
    Kubernetes,
}

/// `penstock doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Namespace in which tasks are to run [default: that of the context]
    #[arg(short, long, env = "PENSTOCK_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Namespace that Penstock itself runs in
    #[arg(long, default_value = "penstock-system", value_name = "NAMESPACE")]
    pub(crate) system_namespace: String,
    /// Name of the webhook's Service
    #[arg(long, default_value = "penstock-webhook", value_name = "NAME")]
    pub(crate) webhook_service: String,
    /// Name of the MutatingWebhookConfiguration
    #[arg(long, default_value = "penstock", value_name = "NAME")]
    pub(crate) webhook_configuration: String,
    /// Secret with the webhook's certificate
    #[arg(long, default_value = "penstock-webhook-certificate", value_name = "NAME")]
    pub(crate) certificate_secret: String,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: OutputFormat,
}

/// What every service of Penstock's needs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = SERVICE)]
pub(crate) struct ServiceArgs {
    /// Namespace that this service runs in
    #[arg(long, env = "POD_NAMESPACE", default_value = "penstock-system", value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// Address of /metrics, /live and /ready
    #[arg(long, env = "PENSTOCK_ADMIN_LISTEN", default_value = "127.0.0.1:9090", value_name = "ADDRESS")]
    pub(crate) admin_listen: SocketAddr,
    /// How messages are written
    #[arg(long, env = "PENSTOCK_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl From<LogFormat> for penstock_runtime::logs::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// How the webhook runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = WEBHOOK)]
pub(crate) struct WebhookArgs {
    /// Address at which the cluster calls
    #[arg(long, env = "PENSTOCK_WEBHOOK_LISTEN", default_value = "0.0.0.0:9443", value_name = "ADDRESS")]
    pub(crate) webhook_listen: SocketAddr,
    /// Image with the launcher, by digest where possible
    #[arg(long, env = "PENSTOCK_LAUNCHER_IMAGE", value_name = "IMAGE")]
    pub(crate) launcher_image: String,
    /// When the launcher's image is pulled: Always, IfNotPresent, Never
    #[arg(long, env = "PENSTOCK_LAUNCHER_PULL_POLICY", default_value = "IfNotPresent", value_name = "POLICY",
          value_parser = ["Always", "IfNotPresent", "Never"], hide_possible_values = true)]
    pub(crate) launcher_pull_policy: String,
    /// How the entry gets into Pods: as a copy that the launcher makes, or as an image volume, which is faster and asks
    /// every node for Kubernetes 1.36 with containerd 2.1; `auto` watches the nodes for that
    #[arg(long, env = "PENSTOCK_ENTRY_VOLUME", value_enum, default_value_t, value_name = "WAY")]
    pub(crate) entry_volume: EntryVolume,
    /// Processor time that is set aside for each launcher
    #[arg(long, env = "PENSTOCK_LAUNCHER_CPU", value_name = "QUANTITY", value_parser = parse_quantity)]
    pub(crate) launcher_cpu: Option<String>,
    /// Memory that is set aside for each launcher
    #[arg(long, env = "PENSTOCK_LAUNCHER_MEMORY", value_name = "QUANTITY", value_parser = parse_quantity)]
    pub(crate) launcher_memory: Option<String>,
    /// The most memory of each launcher
    #[arg(long, env = "PENSTOCK_LAUNCHER_MEMORY_LIMIT", value_name = "QUANTITY", value_parser = parse_quantity)]
    pub(crate) launcher_memory_limit: Option<String>,
    /// How long each launcher repeats a request to an object store before the attempt fails [default: 10m]
    #[arg(long, env = "PENSTOCK_LAUNCHER_TRANSFER_BUDGET", value_name = "DURATION", value_parser = parse_transfer_budget)]
    pub(crate) launcher_transfer_budget: Option<Duration>,
    /// How long each launcher offers its report to the API server [default: 2m]
    #[arg(long, env = "PENSTOCK_LAUNCHER_REPORT_BUDGET", value_name = "DURATION", value_parser = parse_report_budget)]
    pub(crate) launcher_report_budget: Option<Duration>,
    /// Which events launchers log: off, error, warn, info, debug, trace [default: info]
    #[arg(long, env = "PENSTOCK_LAUNCHER_LOG", value_name = "LEVEL",
          value_parser = ["off", "error", "warn", "info", "debug", "trace"], hide_possible_values = true)]
    pub(crate) launcher_log: Option<String>,
    /// How launchers write their messages: text or json [default: text]
    #[arg(long, env = "PENSTOCK_LAUNCHER_LOG_FORMAT", value_name = "FORMAT", value_parser = ["text", "json"],
          hide_possible_values = true)]
    pub(crate) launcher_log_format: Option<String>,
    /// User that launchers run as; `image` leaves it to the cluster, for platforms that assign one
    #[arg(long, env = "PENSTOCK_LAUNCHER_USER", default_value = "65532", value_name = "UID", value_parser = parse_user)]
    pub(crate) launcher_user: LauncherUser,
    /// The most seconds that a container is held after its program's end, while its outputs are stored
    #[arg(long, env = "PENSTOCK_LAUNCHER_HOLD_SECONDS", default_value_t = penstock_webhook::inject::DEFAULT_HOLD_SECONDS,
          value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(60..))]
    pub(crate) launcher_hold_seconds: u64,
    /// Name of the webhook's Service, for its certificate
    #[arg(long, env = "PENSTOCK_WEBHOOK_SERVICE", default_value = "penstock-webhook", value_name = "NAME")]
    pub(crate) webhook_service: String,
    /// Name of the MutatingWebhookConfiguration whose caBundle is kept
    #[arg(long, env = "PENSTOCK_WEBHOOK_CONFIGURATION", default_value = "penstock", value_name = "NAME")]
    pub(crate) webhook_configuration: String,
    /// Secret in which authority and certificate are kept
    #[arg(
        long,
        env = "PENSTOCK_CERTIFICATE_SECRET",
        default_value = "penstock-webhook-certificate",
        value_name = "NAME"
    )]
    pub(crate) certificate_secret: String,
    /// Directory with tls.crt and tls.key that somebody else renews, such as cert-manager
    #[arg(long, env = "PENSTOCK_CERTIFICATE_DIR", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) certificate_dir: Option<PathBuf>,
}

/// How the entry gets into Pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EntryVolume {
    /// By an image volume while every node can mount one, otherwise as a copy
    #[default]
    Auto,
    /// By an image volume
    Image,
    /// As a copy
    Copy,
}

impl From<EntryVolume> for penstock_webhook::nodes::EntryVolume {
    fn from(volume: EntryVolume) -> Self {
        match volume {
            EntryVolume::Auto => Self::Auto,
            EntryVolume::Image => Self::Image,
            EntryVolume::Copy => Self::Copy,
        }
    }
}

/// The user that launchers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LauncherUser(pub(crate) Option<i64>);

fn parse_user(text: &str) -> Result<LauncherUser, String> {
    match text {
        "image" => Ok(LauncherUser(None)),
        _ => match text.parse::<u32>() {
            Ok(0) => Err("the launcher does not run as root".to_owned()),
            Ok(user) => Ok(LauncherUser(Some(i64::from(user)))),
            Err(_) => Err("write the number of a user, or `image`".to_owned()),
        },
    }
}

/// The API server would refuse every Pod with a quantity that it does not understand.
fn parse_quantity(text: &str) -> Result<String, String> {
    quantity::normalize(text).ok_or_else(|| "write a quantity of Kubernetes, such as 64Mi or 100m".to_owned())
}

/// What the launcher itself takes.
fn parse_transfer_budget(text: &str) -> Result<Duration, String> {
    bounded(text, Duration::from_secs(24 * 3600))
}

/// What the launcher itself takes.
fn parse_report_budget(text: &str) -> Result<Duration, String> {
    bounded(text, Duration::from_secs(3600))
}

fn bounded(text: &str, longest: Duration) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    match (Duration::from_secs(1)..=longest).contains(&duration) {
        true => Ok(duration),
        false => Err(format!("write a time from 1s to {}h", longest.as_secs() / 3600)),
    }
}

/// How the driver runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = DRIVER)]
pub(crate) struct DriverArgs {
    /// URL of the object store of namespaces that configure none
    #[arg(long, env = "PENSTOCK_STORE_ENDPOINT", default_value = "http://minio-service.kubeflow:9000", value_name = "URL",
          value_hint = ValueHint::Url)]
    pub(crate) store_endpoint: String,
    /// ConfigMap in each namespace with authorities that the certificates of object stores may be of, beside the usual
    /// ones; a namespace may say otherwise [default KEY: ca.crt]
    #[arg(long, env = "PENSTOCK_STORE_CA_CONFIG_MAP", value_name = "NAME[:KEY]", value_parser = ObjectKey::parse_ca)]
    pub(crate) store_ca_config_map: Option<ObjectKey>,
    /// Runs that are driven at a time
    #[arg(long, env = "PENSTOCK_RUNS", default_value_t = 100, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runs: u32,
    /// Lease by which one of several drivers works
    #[arg(long, env = "PENSTOCK_LEASE", default_value = "penstock-driver", value_name = "NAME")]
    pub(crate) lease: String,
    /// How Pods are waited for.
    #[command(flatten)]
    pub(crate) pods: PodArgs,
    /// What Pods of tasks get.
    #[command(flatten)]
    pub(crate) task_pods: TaskPodArgs,
}

/// How Pods are waited for and kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = CLUSTER)]
pub(crate) struct PodArgs {
    /// Longest time for a Pod to be placed on a node
    #[arg(long, env = "PENSTOCK_PENDING_TIMEOUT", default_value = "1h", value_name = "DURATION",
          value_parser = parse_duration)]
    pub(crate) pending_timeout: Duration,
    /// Longest time for an image that cannot be pulled, and for other trouble before a container starts
    #[arg(long, env = "PENSTOCK_IMAGE_TIMEOUT", default_value = "5m", value_name = "DURATION",
          value_parser = parse_duration)]
    pub(crate) image_timeout: Duration,
    /// Longest time from the choice of a node until the user's container runs, pulling of images and mounting of volumes
    /// included
    #[arg(long, env = "PENSTOCK_START_TIMEOUT", default_value = "1h", value_name = "DURATION",
          value_parser = parse_duration)]
    pub(crate) start_timeout: Duration,
    /// How long Pods of failed attempts are kept, to be looked at
    #[arg(long, env = "PENSTOCK_KEEP_FAILED", default_value = "1h", value_name = "DURATION",
          value_parser = parse_duration)]
    pub(crate) keep_failed: Duration,
    /// What volume claims get.
    #[command(flatten)]
    pub(crate) volumes: VolumeArgs,
}

/// `penstock webhook`
#[derive(Debug, Clone, Args)]
pub(crate) struct WebhookServiceArgs {
    /// What every service needs.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// The webhook.
    #[command(flatten)]
    pub(crate) webhook: WebhookArgs,
}

/// `penstock driver`
#[derive(Debug, Clone, Args)]
pub(crate) struct DriverServiceArgs {
    /// What every service needs.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// The driver.
    #[command(flatten)]
    pub(crate) driver: DriverArgs,
}

/// `penstock serve`
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// What every service needs.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// The webhook.
    #[command(flatten)]
    pub(crate) webhook: WebhookArgs,
    /// The driver.
    #[command(flatten)]
    pub(crate) driver: DriverArgs,
    /// The API.
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Serve webhook and driver alone, and no API: `penstock apiserver` does, in another process over the same store
    #[arg(long, env = "PENSTOCK_WITHOUT_API", help_heading = SERVICE)]
    pub(crate) without_api: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_the_launcher_never_runs_as_root() {
        assert_eq!(parse_user("65532"), Ok(LauncherUser(Some(65532))));
        assert_eq!(parse_user("image"), Ok(LauncherUser(None)));
        for text in ["0", "", "-1", "root", "4294967296"] {
            assert!(parse_user(text).is_err(), "{text}");
        }
    }
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: WebhookArgs,
    }

    #[test]
    fn i31_what_the_api_server_would_refuse_of_each_pod_is_refused_at_once() {
        let parse = |flags: &[&str]| {
            let line = ["test", "--launcher-image", "image"].iter().chain(flags);
            <Line as clap::Parser>::try_parse_from(line).map(|line| line.args).map_err(|error| error.to_string())
        };
        let args = parse(&["--launcher-memory", "64K", "--launcher-transfer-budget", "1h"]).expect("all is well");
        assert_eq!(args.launcher_memory.as_deref(), Some("64k"));
        assert_eq!(args.entry_volume, EntryVolume::Auto);
        assert_eq!(args.launcher_transfer_budget, Some(Duration::from_secs(3600)));
        for flags in [
            ["--launcher-memory", "64MB"],
            ["--launcher-memory-limit", "lots"],
            ["--launcher-cpu", ""],
            ["--launcher-pull-policy", "ifnotpresent"],
            ["--launcher-transfer-budget", "0s"],
            ["--launcher-transfer-budget", "25h"],
            ["--launcher-report-budget", "2h"],
            ["--entry-volume", "emptyDir"],
            ["--launcher-log", "loud"],
            ["--launcher-log-format", "xml"],
        ] {
            let error = parse(&flags).expect_err(flags[1]);
            assert!(error.contains(flags[0]), "{error}");
        }
    }
}
