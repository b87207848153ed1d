//! Flags of the API.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use jiff::tz::TimeZone;
use penstock_apiserver::import::ImportRule;
use penstock_objectstore::LinkEndpoint;

use super::access::AccessArgs;
use super::cluster::ServiceArgs;
use super::parse_time_zone;
use super::records::RecordsArgs;
use super::retention::RetentionArgs;

const API: &str = "API options";

/// How the API is served, and where its runs go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = API)]
pub(crate) struct ApiArgs {
    /// Address of the API
    #[arg(long, env = "PENSTOCK_API_LISTEN", default_value = "0.0.0.0:8888", value_name = "ADDRESS")]
    pub(crate) api_listen: SocketAddr,
    /// Serve the API although nobody is asked who they are: whoever can connect can run code in the namespace of runs, and
    /// read what runs have stored
    #[arg(long, env = "PENSTOCK_ALLOW_UNAUTHENTICATED")]
    pub(crate) allow_unauthenticated: bool,
    /// Who may ask the API for what.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// How the API is served to those who are elsewhere.
    #[command(flatten)]
    pub(crate) serving: ServingArgs,
    /// Namespace in which the tasks of submitted runs are Pods; it must be labelled for tasks, and cannot be the one that
    /// Penstock itself runs in [default: that of the context, in a Pod the Pod's own]
    #[arg(long, env = "PENSTOCK_API_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) api_namespace: Option<String>,
    /// Time zone in which cron expressions of recurring runs are read, such as Europe/Berlin
    #[arg(long, env = "PENSTOCK_TIME_ZONE", default_value = "UTC", value_name = "ZONE", value_parser = parse_time_zone)]
    pub(crate) time_zone: TimeZone,
    /// What runs take from the cache, and whom to tell what happens.
    #[command(flatten)]
    pub(crate) records: RecordsArgs,
    /// How long runs are kept.
    #[command(flatten)]
    pub(crate) retention: RetentionArgs,
    /// From where pipelines may be imported by URL.
    #[command(flatten)]
    pub(crate) import: ImportArgs,
    /// File with the key that page tokens are signed with; a new one is written if there is none [default: a key that is
    /// kept in the store, so that all processes over it take each other's]
    #[arg(long, env = "PENSTOCK_PAGE_TOKEN_KEY_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) page_token_key_file: Option<PathBuf>,
}

/// From where pipelines may be imported by URL.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImportArgs {
    /// From where pipelines may be imported by URL: a host (example.com, *.example.com, example.com:8443), or * for every
    /// public one; and networks (10.1.0.0/16) whose addresses count although they are not public. Repeat it, or separate by
    /// commas [default: from nowhere]
    #[arg(long, env = "PENSTOCK_IMPORT_FROM", value_name = "HOST|NETWORK", value_delimiter = ',')]
    pub(crate) import_from: Vec<ImportRule>,
    /// File with the certificates (PEM) of authorities to trust for the hosts of --import-from, beside those of this machine
    #[arg(long, env = "PENSTOCK_IMPORT_CA_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) import_ca_file: Option<PathBuf>,
}

/// How the API is served to those who are elsewhere.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = API)]
pub(crate) struct ServingArgs {
    /// File with the certificate chain (PEM) of the API, which then speaks TLS alone. It is read again when it changes
    /// [default: no TLS]
    #[arg(long, env = "PENSTOCK_TLS_CERT", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// File with the private key (PEM) of that certificate
    #[arg(long, env = "PENSTOCK_TLS_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,
    /// URL at which browsers reach the S3 server, for links to artifacts; whatever stands there passes on host and path as they
    /// are [default: that of --s3-endpoint]
    #[arg(long, env = "PENSTOCK_STORE_PUBLIC_ENDPOINT", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) store_public_endpoint: Option<LinkEndpoint>,
}

/// `penstock apiserver`
#[derive(Debug, Clone, Args)]
pub(crate) struct ApiServiceArgs {
    /// What every service needs.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// The API.
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}
