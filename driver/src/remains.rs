//! What runs leave in a cluster, and when it goes: Pods that are kept to be looked at, and workspaces.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_metastore::RunRow;
use penstock_spec::Timestamp;
use penstock_spec::run::RunInfo;
use tracing::warn;

use crate::create::RunOptions;
use crate::driver::Driver;
use crate::kubernetes::{
    RequestError, RunStanding, SweepError, Swept, namespaces_of_pods, remove_kept, remove_workspace, sweep,
    sweep_workspaces,
};

impl Driver {
    /// Cleans up after earlier runs, too, and takes away what a run that was deleted has left to be looked at; whoever waits
    /// for the end of this one does not wait for that for long.
    pub(crate) async fn clean_up_after(&self, run: &RunInfo) {
        let limit = self.kubernetes().map_or(Duration::ZERO, |host| host.sweep_limit());
        let work = async {
            self.sweep_pods(&run.namespace).await?;
            // If that cannot be told, its Pods go when they are a day old.
            match self.metastore().is_deleted(run.id).await.unwrap_or(false) {
                true => self.remove_kept(run).await,
                false => Ok(()),
            }
        };
        let reason = match tokio::time::timeout(limit, Box::pin(work)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.reason,
            Err(_) => format!("it takes longer than {} s", limit.as_secs_f32()),
        };
        let namespace = &run.namespace;
        warn!(namespace, reason, "Pods of earlier runs could not be cleaned up; a later sweep tries again");
    }

    /// Cleans up after runs of this driver in a namespace: Pods of those that ended while no driver looked, Pods of failed
    /// attempts that were kept long enough, and workspaces that nobody needs any more.
    pub async fn sweep_pods(&self, namespace: &str) -> Result<Swept, SweepError> {
        let Some(host) = self.kubernetes() else { return Ok(Swept::default()) };
        let standing_of = |run| async move { self.metastore().run(run).await.ok().map(|row| standing_of(&row)) };
        let now = Timestamp::now();
        let (swept, workspaces) =
            tokio::join!(sweep(host, namespace, now, standing_of), sweep_workspaces(host, namespace, now, standing_of));
        let failed = |error: RequestError| SweepError {
            namespace: namespace.to_owned(),
            reason: format!("workspaces: {}", error.reason()),
        };
        let (swept, workspaces) = (swept?, workspaces.map_err(failed)?);
        Ok(Swept { workspaces, ..swept })
    }

    /// The namespaces of the cluster that hold Pods of tasks, also of runs that this driver does not know.
    pub(crate) async fn namespaces_of_pods(&self) -> Result<BTreeSet<String>, RequestError> {
        match self.kubernetes() {
            Some(host) => namespaces_of_pods(host).await,
            None => Ok(BTreeSet::new()),
        }
    }

    /// Deletes what a run left when the run itself is deleted: its workspace, and the Pods of failed attempts that are kept to
    /// be looked at.
    async fn remove_kept(&self, run: &RunInfo) -> Result<(), SweepError> {
        let Some(host) = self.kubernetes() else { return Ok(()) };
        let failed = |what: &'static str| {
            move |error: RequestError| SweepError {
                namespace: run.namespace.clone(),
                reason: format!("{what} of run {}: {}", run.id, error.reason()),
            }
        };
        let pods = remove_kept(host, &run.namespace, run.id).await.map_err(failed("Pods"));
        let workspace = remove_workspace(host, run).await.map_err(failed("workspace"));
        pods.and(workspace)
    }
}

/// How a run stands, for what it has left in a cluster.
fn standing_of(row: &RunRow) -> RunStanding {
    let options: RunOptions = serde_json::from_value(row.options.clone()).unwrap_or_default();
    let kept_until = row.finished_at.and_then(|ended_at| options.retention.until(row.status, ended_at));
    RunStanding { status: row.status, kept_until }
}
