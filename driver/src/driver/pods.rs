//! What is asked of Pods of attempts for people, also of runs that another process drives.

use std::sync::Arc;

use penstock_spec::pod::pod_name;
use penstock_spec::pod_state::PodState;
use penstock_spec::report::AttemptRef;
use penstock_spec::run::RunInfo;

use super::Driver;
use crate::kubernetes::{FollowedLog, KubernetesHost, LogSoFar, PodLog, PodLogError, PodStateError, read_pod_state};

impl Driver {
    /// What there is by now of the log of an attempt that is a Pod, also of a run that another process drives, perhaps with
    /// its times.
    pub async fn log_so_far(
        &self,
        run: &RunInfo,
        task_key: &str,
        attempt: &AttemptRef,
        with_times: bool,
    ) -> Result<LogSoFar, PodLogError> {
        let (host, name) = self.pod_of(run, task_key, attempt)?;
        PodLog::so_far(&host.pods(&run.namespace), &run.namespace, &name, attempt, with_times).await
    }

    /// The log of an attempt that is a Pod, or is to become one, to its end, perhaps with its times.
    pub fn follow_log(
        &self,
        run: &RunInfo,
        task_key: &str,
        attempt: &AttemptRef,
        with_times: bool,
    ) -> Result<FollowedLog, PodLogError> {
        let (host, name) = self.pod_of(run, task_key, attempt)?;
        let pod = (run.namespace.clone(), name);
        Ok(FollowedLog::start(host.pods(&run.namespace), pod, attempt.clone(), with_times))
    }

    /// How the Pod of an attempt is; nothing when there is none: none yet, or none any more.
    pub async fn pod_state(
        &self,
        run: &RunInfo,
        task_key: &str,
        attempt: &AttemptRef,
    ) -> Result<Option<PodState>, PodStateError> {
        let name = pod_name(&run.name, task_key, attempt.task_id, attempt.attempt);
        match self.kubernetes() {
            Some(host) => read_pod_state(&host.pods(&run.namespace), &run.namespace, &name, attempt).await,
            None => Err(PodStateError { pod: name, reason: "this driver has no cluster".to_owned() }),
        }
    }

    fn pod_of(
        &self,
        run: &RunInfo,
        task_key: &str,
        attempt: &AttemptRef,
    ) -> Result<(&Arc<KubernetesHost>, String), PodLogError> {
        let name = pod_name(&run.name, task_key, attempt.task_id, attempt.attempt);
        match self.kubernetes() {
            Some(host) => Ok((host, name)),
            None => Err(PodLogError { pod: name, reason: "this driver has no cluster".to_owned() }),
        }
    }
}
