//! Logs of attempts that run as Pods. Each is mirrored into a file, from which it is printed as the log of a process of
//! this machine is.

mod mirror;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use penstock_driver::{Driver, KubernetesSettings, PodLogError, PodStanding};
use penstock_engine::{NodeId, RunState};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::RunInfo;
use tempfile::TempDir;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::OnceCell;

use crate::args::ExecutionArgs;
use crate::cluster;
use crate::context::Context;

pub(crate) use mirror::Mirror;

/// Longest wait for what the API server has already.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

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

    /// Begins to mirror the log of a Pod, from its beginning.
    pub(crate) async fn mirror(&self, pod: &PodAttempt) -> anyhow::Result<Mirror> {
        let source = mirror::Source { driver: self.driver().await?.clone(), run: self.run.clone(), pod: pod.clone() };
        Mirror::start(source, self.path(pod)).context("cannot write a log of a Pod to a temporary file")
    }

    /// Writes what a Pod has said so far, if it has started.
    pub(crate) async fn print(
        &self,
        pod: &PodAttempt,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> anyhow::Result<PodStanding> {
        let driver = self.driver().await?;
        let open = driver.pod_log(&self.run, &pod.key, &pod.attempt, false);
        let refused = match tokio::time::timeout(ANSWER_LIMIT, open).await.context("the API server does not answer")? {
            Ok(mut log) => {
                let mut is_empty = true;
                loop {
                    let piece = tokio::time::timeout(ANSWER_LIMIT, log.next()).await;
                    let Some(piece) = piece.context("the node does not send the log of the Pod")?? else { break };
                    is_empty = false;
                    sink.write_all(&piece).await?;
                }
                // Of a Pod without a node, the API server says that the log is empty.
                return match is_empty {
                    true => Ok(driver.pod_standing(&self.run, &pod.key, &pod.attempt).await?),
                    false => Ok(PodStanding::Started),
                };
            }
            Err(error) => error,
        };
        match driver.pod_standing(&self.run, &pod.key, &pod.attempt).await? {
            PodStanding::Started => Err(refused.into()),
            standing => Ok(standing),
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

/// What a failure to read a log means for people.
fn trouble(standing: Result<PodStanding, PodLogError>, error: &PodLogError) -> String {
    match standing {
        Ok(PodStanding::Waits(reason)) => reason,
        Ok(PodStanding::Absent) => "its Pod is not there yet".to_owned(),
        Ok(PodStanding::Started) | Err(_) => format!("its log cannot be read now: {}", error.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pod_says_better_what_it_waits_for_than_the_refused_log() {
        let error = PodLogError { pod: "n/p".to_owned(), reason: "pod p does not have a host assigned".to_owned() };
        let text = |standing| trouble(standing, &error);
        assert_eq!(text(Ok(PodStanding::Waits("0/1 nodes are available".to_owned()))), "0/1 nodes are available");
        assert_eq!(text(Ok(PodStanding::Absent)), "its Pod is not there yet");
        assert!(text(Ok(PodStanding::Started)).ends_with(&error.reason));
    }
}
