//! Which server a command works against.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Where in a server that several teams use.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Server options")]
pub(crate) struct NamespaceArgs {
    /// Namespace, at a server that keeps those of several teams apart (multi-user); others ignore it
    #[arg(long, env = "PENSTOCK_NAMESPACE", global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

/// Which server, instead of the data directory.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server options")]
pub(crate) struct ServerArgs {
    /// Work against the server at this URL (http or https, a path in front of /apis is fine) instead of the data directory.
    /// For run, get, list, logs, watch, stop, retry, cp, cache, schedule and import; services, doctor and completion ignore it
    #[arg(long, env = "PENSTOCK_SERVER", global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) server: Option<String>,
    /// File with the token that the server is shown. It may stand in PENSTOCK_TOKEN too; never in an argument, which others
    /// can read
    #[arg(long, env = "PENSTOCK_TOKEN_FILE", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// File with the certificates (PEM) of the authorities to trust for the server [default: those of the system]
    #[arg(long, env = "PENSTOCK_CA_FILE", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca_file: Option<PathBuf>,
}
