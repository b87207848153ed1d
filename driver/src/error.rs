//! What can go wrong while driving runs.

use std::path::PathBuf;

use penstock_metastore::{MetastoreError, StoreLocation};
pub(crate) use penstock_runtime::logs::chain;
use thiserror::Error;
use uuid::Uuid;

/// The driver cannot start.
#[derive(Debug, Error)]
pub enum DriverError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path} (--data-dir)")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The metastore cannot be used.
    #[error("cannot open the metastore {store}")]
    Metastore {
        /// Where it is.
        store: StoreLocation,
        /// Why.
        source: MetastoreError,
    },
    /// The metrics of the Kubernetes backend cannot be set up.
    #[error("cannot set up the metrics of the Kubernetes backend")]
    Metrics(#[source] prometheus::Error),
    /// The object stores cannot be set up.
    #[error("cannot set up the object store")]
    Stores(#[source] penstock_objectstore::StoreError),
}

/// A run cannot be driven on.
#[derive(Debug, Error)]
pub enum DriveError {
    /// Another process has the run.
    #[error("run {run} is being driven by process {process}; watch it with `penstock watch {run}`")]
    Owned {
        /// The run.
        run: Uuid,
        /// Number of the process.
        process: String,
    },
    /// Files of the run are in another data directory.
    #[error(
        "run {run} belongs to another data directory, where its artifacts are: go on with it there (--data-dir), or start \
         new runs with a root that all machines reach, such as s3://bucket/prefix"
    )]
    Elsewhere {
        /// The run.
        run: Uuid,
    },
    /// The run is to be carried out on a cluster, and this driver has none.
    #[error(
        "run {run} is carried out as Pods of namespace {namespace}, and this driver has no cluster (--on kubernetes)"
    )]
    NoCluster {
        /// The run.
        run: Uuid,
        /// Its namespace.
        namespace: String,
    },
    /// The run's lock file cannot be used.
    #[error("cannot lock the run with {path}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The metastore refused or failed. What was not committed did not happen: the run can be resumed.
    #[error(
        "cannot read or write the run in the metastore; nothing that was committed is lost, and `penstock run --resume {run}` goes on"
    )]
    Metastore {
        /// The run.
        run: Uuid,
        /// Why.
        #[source]
        source: MetastoreError,
    },
    /// The stored pipeline is not valid for this build.
    #[error("the stored pipeline of run {run} is not valid here")]
    Pipeline {
        /// The run.
        run: Uuid,
        /// Why.
        source: penstock_spec::check::LoadError,
    },
    /// The stored facts do not fit the stored pipeline.
    #[error("the stored facts of run {run} do not fit its pipeline")]
    Facts {
        /// The run.
        run: Uuid,
        /// Why.
        source: penstock_engine::FoldError,
    },
    /// Everything was killed on request; the run can be resumed.
    #[error("stopped at once; `penstock run --resume {0}` goes on where it stopped")]
    Aborted(Uuid),
}
