//! Where pipelines are run: this machine, or a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary;
use crate::cluster::{Cluster, Namespace};
use crate::document::{ArtifactDocument, RunDocument};
use crate::expectation::local_content;
use crate::invocation::Invocation;

/// What every run shares.
#[derive(Debug, Clone)]
pub struct Common {
    /// Data directory of all runs.
    pub data_dir: PathBuf,
    /// Home directory of all runs: pip keeps what it downloads there.
    pub home: PathBuf,
    /// Interpreter that has kfp.
    pub python: PathBuf,
    /// Version of that kfp.
    pub sdk: String,
    /// Most time for one pipeline.
    pub limit: Duration,
}

/// Where pipelines are run.
#[derive(Debug)]
pub enum Place {
    /// As processes of this machine.
    Machine(Common),
    /// As Pods.
    Kubernetes(Common, OnCluster),
}

/// A namespace of a cluster.
#[derive(Debug)]
pub struct OnCluster {
    /// The cluster.
    pub cluster: &'static Cluster,
    /// The namespace of all runs.
    pub namespace: Namespace,
    /// Whether images and packages are those that the samples name, which the nodes must be able to fetch.
    pub as_written: bool,
}

impl Place {
    /// What every run shares.
    pub fn common(&self) -> &Common {
        match self {
            Place::Machine(common) | Place::Kubernetes(common, _) => common,
        }
    }

    /// `penstock` with what a user has here.
    pub fn penstock(&self) -> Invocation {
        let Common { home, data_dir, python, .. } = self.common();
        let penstock = Invocation::new(&binary::penstock()).environment(home, data_dir).python(python);
        match self {
            Place::Machine(_) => penstock,
            Place::Kubernetes(_, on) => on.namespace.for_user(penstock),
        }
    }

    /// `penstock run` of a pipeline, without its cache.
    pub fn start(&self, pipeline: &Path, parameters: &Path) -> Invocation {
        let on = match self {
            Place::Machine(_) => "--host-commands",
            Place::Kubernetes(..) => "--on=kubernetes",
        };
        let run = self.penstock().args(["run", "-o", "json", "--no-cache", on, "--params-file"]);
        run.arg(parameters).arg(pipeline).limit(self.common().limit)
    }

    /// The log of a task.
    pub fn log(&self, run: &RunDocument, task: &str) -> String {
        self.penstock().args(["logs", &run.run_id, task]).run().stdout
    }

    /// The content of an artifact that is a small file; none of what was imported from elsewhere.
    pub fn content(&self, artifact: &ArtifactDocument) -> Option<Vec<u8>> {
        match self {
            Place::Machine(_) => local_content(artifact),
            Place::Kubernetes(_, on) if artifact.uri.starts_with("minio://") => on.cluster.object(&artifact.uri),
            Place::Kubernetes(..) => None,
        }
    }

    /// A pipeline root that is not the default.
    pub fn other_root(&self, folder: &Path) -> String {
        match self {
            Place::Machine(_) => folder.join("root").to_string_lossy().into_owned(),
            Place::Kubernetes(_, on) => format!("minio://mlpipeline/conformance/{}", on.namespace.name()),
        }
    }
}
