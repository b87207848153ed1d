//! Where the API finds the Pods of attempts.

use std::io;

use async_trait::async_trait;
use penstock_apiserver::{FoundPod, LivePods, WantedPod};
use penstock_driver::{BackendKind, Driver};

use crate::context;

/// Pods of a driver's runs.
#[derive(Debug)]
pub(crate) struct AttemptPods {
    driver: Driver,
}

impl AttemptPods {
    /// Of the runs of this driver.
    pub(crate) fn new(driver: Driver) -> AttemptPods {
        AttemptPods { driver }
    }
}

#[async_trait]
impl LivePods for AttemptPods {
    async fn look(&self, wanted: &WantedPod) -> io::Result<FoundPod> {
        let WantedPod { run, task_key, attempt } = wanted;
        match context::options(run).backend {
            BackendKind::Process => return Ok(FoundPod::Absent("it is a process, which has no Pod")),
            BackendKind::Kubernetes if !self.driver.has_cluster() => {
                return Ok(FoundPod::Absent("it is on a cluster, and this server has none to ask"));
            }
            BackendKind::Kubernetes => {}
        }
        let state = self.driver.pod_state(&run.info, task_key, attempt).await.map_err(io::Error::other)?;
        let absent = FoundPod::Absent("it does not exist yet, or no longer");
        Ok(state.map_or(absent, |state| FoundPod::Here(Box::new(state))))
    }
}
