//! Logs of attempts that run as Pods. Each is mirrored into a file, from which it is printed as the log of a process of
//! this machine is.

mod mirror;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use penstock_driver::{Driver, KubernetesSettings, LogSoFar, PodStanding};
use penstock_engine::{NodeId, RunState};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::RunInfo;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::args::ExecutionArgs;
use crate::cluster;
use crate::context::Context;
use crate::log_printer::LogPrinter;

pub(crate) use mirror::Mirror;

/// An attempt that runs as a Pod.
#[derive(Debug, Clone)]
pub(crate) struct PodAttempt {
    /// Which.
    pub(crate) attempt: AttemptRef,
    /// Key of the task.
    pub(crate) key: String,
    /// Path of the task.
    pub(crate) path: String,
}

impl PodAttempt {
    /// An attempt, from 0, of a task.
    pub(crate) fn new(state: &RunState, node: NodeId, attempt: u32) -> Option<PodAttempt> {
        let (run_id, view) = (state.info()?.id, state.node(node)?);
        let attempt = AttemptRef { run_id, task_id: view.task_id()?, attempt };
        Some(PodAttempt { attempt, key: view.key.to_owned(), path: state.path(node) })
    }
}

/// Logs of the Pods of a run. The cluster is not looked for before one is needed.
#[derive(Debug)]
pub(crate) struct PodLogs<'a> {
    context: &'a Context,
    run: RunInfo,
    folder: TempDir,
    driver: OnceCell<Driver>,
}

impl<'a> PodLogs<'a> {
    /// Of a run.
    pub(crate) fn new(context: &'a Context, run: RunInfo) -> anyhow::Result<PodLogs<'a>> {
        let folder = tempfile::tempdir().context("cannot create a temporary directory for logs of Pods")?;
        Ok(PodLogs { context, run, folder, driver: OnceCell::new() })
    }

    /// File of an attempt's mirror.
    pub(crate) fn path(&self, pod: &PodAttempt) -> PathBuf {
        self.folder.path().join(format!("{}-{}", pod.attempt.task_id.simple(), pod.attempt.attempt))
    }

    /// Begins to mirror the log of a Pod, from its beginning, perhaps with an index of its times beside it.
    pub(crate) async fn mirror(&self, pod: &PodAttempt, with_times: bool) -> anyhow::Result<Mirror> {
        let log = self.driver().await?.follow_log(&self.run, &pod.key, &pod.attempt, with_times)?;
        Mirror::start(log, self.path(pod)).context("cannot write a log of a Pod to a temporary file")
    }

    /// Prints what a Pod has said so far, if it has started.
    pub(crate) async fn print(&self, pod: &PodAttempt, printer: &mut LogPrinter) -> anyhow::Result<PodStanding> {
        let driver = self.driver().await?;
        match driver.log_so_far(&self.run, &pod.key, &pod.attempt, printer.wants_times()).await? {
            LogSoFar::Log(mut log) => {
                while let Some(piece) = log.next().await? {
                    printer.print(&piece)?;
                }
                Ok(PodStanding::Started)
            }
            LogSoFar::Waits(reason) => Ok(PodStanding::Waits(reason)),
            LogSoFar::Absent => Ok(PodStanding::Absent),
        }
    }

    /// Ends all mirrors' connection to the run.
    pub(crate) async fn close(self) {
        if let Some(driver) = self.driver.into_inner() {
            driver.close().await;
        }
    }

    async fn driver(&self) -> anyhow::Result<&Driver> {
        self.driver
            .get_or_try_init(|| async {
                let cluster = cluster::connect(&self.context.cluster, Some(&self.run.namespace)).await?;
                let kubernetes = KubernetesSettings::new(cluster.client, cluster.namespace);
                // Nothing is carried out here.
                let execution = ExecutionArgs { concurrency: None, python: None, grace: Duration::from_secs(10) };
                self.context.driver(&execution, Some(kubernetes)).await
            })
            .await
    }
}
