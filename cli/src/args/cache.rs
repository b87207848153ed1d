//! Flags of `penstock cache`.

use clap::Subcommand;

use super::OutputFormat;
use super::server::NamespaceArgs;

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
        /// Where the run is.
        #[command(flatten)]
        place: NamespaceArgs,
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
        /// Namespace of the results, at a server that several use
        #[arg(short, long, value_name = "NAMESPACE")]
        namespace: Option<String>,
    },
}
