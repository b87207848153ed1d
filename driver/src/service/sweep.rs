//! Cleans up after Pods again and again: those of failed attempts, and workspaces, go when they were kept long enough, although
//! no run ends in their namespace any more.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::driver::Driver;
use crate::error::chain;
use crate::kubernetes::Swept;

/// Usual time between two sweeps.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Longest time that the sweep of one namespace may take: the others come after it.
const NAMESPACE_LIMIT: Duration = Duration::from_secs(60);

/// Sweeps the namespaces that a driver has runs in, and those in which there are Pods of tasks all the same.
#[derive(Debug, Clone)]
pub struct PodSweeper {
    driver: Driver,
    interval: Duration,
}

impl PodSweeper {
    /// A sweeper that does nothing until it is [run](PodSweeper::run).
    pub fn new(driver: Driver, interval: Duration) -> PodSweeper {
        PodSweeper { driver, interval: interval.max(Duration::from_millis(1)) }
    }

    /// Sweeps, at once and then at each interval, until `shutdown`. May be called again afterwards.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = self.sweep_for_ever() => {}
            () = shutdown => {}
        }
    }

    async fn sweep_for_ever(&self) {
        let mut complaint = None;
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.sweep(&mut complaint).await;
        }
    }

    /// Namespaces of which the store may know nothing. Whoever may not list them all is told so once.
    async fn others(&self, complaint: &mut Option<String>) -> BTreeSet<String> {
        match self.driver.namespaces_of_pods().await {
            Ok(namespaces) => {
                *complaint = None;
                namespaces
            }
            Err(error) => {
                let reason = error.reason();
                if complaint.as_ref() != Some(&reason) {
                    warn!(
                        reason,
                        "Pods are cleaned up only where runs are known: those of all namespaces cannot be listed"
                    );
                }
                *complaint = Some(reason);
                BTreeSet::new()
            }
        }
    }

    /// One namespace that fails does not keep the others from being swept (R11).
    async fn sweep(&self, complaint: &mut Option<String>) {
        let mut namespaces: BTreeSet<String> = match self.driver.metastore().namespaces().await {
            Ok(namespaces) => namespaces.into_iter().collect(),
            Err(error) => {
                warn!(error = chain(&error), "cannot look for Pods to clean up; the next sweep tries again");
                return;
            }
        };
        namespaces.extend(self.others(complaint).await);
        // Runs of this machine have none.
        for namespace in namespaces.iter().filter(|namespace| !namespace.is_empty()) {
            match tokio::time::timeout(NAMESPACE_LIMIT, Box::pin(self.driver.sweep_pods(namespace))).await {
                Ok(Ok(swept)) if swept != Swept::default() => {
                    let Swept { released, deleted, workspaces } = swept;
                    info!(namespace, released, deleted, workspaces, "cleaned up after Pods");
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => warn!(
                    namespace,
                    reason = error.reason,
                    "Pods of earlier runs could not be cleaned up; the next sweep tries again"
                ),
                Err(_) => warn!(namespace, "cleaning up after Pods takes too long; the next sweep goes on"),
            }
        }
    }
}
