//! Carries out the attempts of one run as Pods.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use penstock_engine::Event;
use penstock_spec::plan::Plan;
use penstock_spec::pod::pod_name;
use penstock_spec::report::{AttemptRef, Report};
use penstock_spec::run::RunInfo;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use super::attempt::{AttemptPod, End, Ended, TakeUp};
use super::cleanup;
use super::run::RunPods;
use super::volumes::{AttemptClaim, Work, remove_workspace};
use crate::backend::{AttemptEnd, AttemptKey, Backend, EndedAttempt, Observation, Recovery};

/// Longest time that the end of a run waits for the cleaning up after its attempts.
const FINISH_LIMIT: Duration = Duration::from_secs(30);

/// The same for a run that is given up.
const ABORT_LIMIT: Duration = Duration::from_secs(2);

/// Runs the attempts of one run as Pods.
pub(crate) struct KubernetesBackend {
    run: RunInfo,
    shared: Arc<RunPods>,
    observations: Observation,
    stops: Arc<Mutex<HashMap<AttemptKey, watch::Sender<bool>>>>,
    attempts: Mutex<JoinSet<()>>,
    cleanups: Mutex<JoinSet<()>>,
    /// Whether nothing more will start.
    finishing: watch::Sender<bool>,
}

impl KubernetesBackend {
    pub(crate) fn new(run: RunInfo, shared: RunPods, observations: Observation) -> KubernetesBackend {
        KubernetesBackend {
            run,
            shared: Arc::new(shared),
            observations,
            stops: Arc::default(),
            attempts: Mutex::default(),
            cleanups: Mutex::default(),
            finishing: watch::Sender::new(false),
        }
    }

    /// Cleans up now whatever is waiting for that. Whether all is done within the limit; the rest is given up.
    async fn end_cleanups(&self, limit: Duration) -> bool {
        self.finishing.send_replace(true);
        let mut cleanups = std::mem::take(&mut *self.cleanups.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while cleanups.join_next().await.is_some() {} };
        tokio::time::timeout(limit, all).await.is_ok()
    }

    async fn remove_workspace(&self) {
        let removal = remove_workspace(&self.shared.host, &self.run);
        let reason = match tokio::time::timeout(FINISH_LIMIT, removal).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.reason(),
            Err(_) => format!("it takes longer than {} s", FINISH_LIMIT.as_secs()),
        };
        warn!(run.id = %self.run.id, reason, "the workspace of the run could not be deleted; a later sweep tries again");
    }

    fn take_up(&self, key: AttemptKey, plan: Plan, take_up: TakeUp, stop: bool) {
        let (sender, receiver) = watch::channel(stop);
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sender);
        let shared = Arc::clone(&self.shared);
        let (observations, stops) = (self.observations.clone(), Arc::clone(&self.stops));
        let host = Arc::clone(&self.shared.host);
        let metrics = Arc::clone(&host.metrics);
        spawn(&self.attempts, async move {
            let Ended { end, timings, witness } = match Work::of(&plan.image) {
                Some(work) => Box::pin(AttemptClaim::new(shared, plan, receiver).run(work, take_up)).await,
                None => Box::pin(AttemptPod::new(shared, plan, receiver).run(take_up)).await,
            };
            if let Some(witness) = witness {
                // It outlives the run: the last attempt's container ends after it.
                spawn(&host.witnesses, witness.look());
            }
            metrics.ended(end.result());
            stops.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            let event = match end {
                End::Reported(report) => Event::TaskReported { node: key.node, report: Report { timings, ..*report } },
                End::Lost(failure) => Event::TaskLost { node: key.node, attempt: key.attempt, failure, timings },
            };
            // Nobody listens any more only when the run has ended.
            let _ = observations.send(event).await;
        });
    }
}

fn spawn(tasks: &Mutex<JoinSet<()>>, task: impl Future<Output = ()> + Send + 'static) {
    let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
    while tasks.try_join_next().is_some() {}
    tasks.spawn(task);
}

#[async_trait]
impl Backend for KubernetesBackend {
    async fn start(&self, key: AttemptKey, plan: Plan) {
        self.take_up(key, plan, TakeUp::Start, false);
    }

    async fn recover(&self, key: AttemptKey, plan: Plan, recovery: Recovery) {
        self.take_up(key, plan, TakeUp::Recover, recovery == Recovery::Stop);
    }

    async fn stop(&self, key: AttemptKey) {
        if let Some(stop) = self.stops.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            stop.send_replace(true);
        }
    }

    async fn forget(&self, attempt: EndedAttempt) {
        let EndedAttempt { task, key, attempt, end } = attempt;
        if let AttemptEnd::Failed { cause: Some(cause), again: true } = end {
            self.shared.host.metrics.retried(cause);
        }
        let name = pod_name(&self.run.name, &key, task, attempt);
        let attempt = AttemptRef { run_id: self.run.id, task_id: task, attempt };
        let (shared, finishing) = (Arc::clone(&self.shared), self.finishing.subscribe());
        spawn(&self.cleanups, async move { cleanup::after(&shared, &name, &attempt, end, finishing).await });
    }

    async fn finish(&self, succeeded: bool) {
        if !self.end_cleanups(FINISH_LIMIT).await {
            warn!(run.id = %self.run.id, "cleaning up after the run takes too long; some of its Pods are left to a later sweep");
        }
        // After a failure it stays: a retry needs it.
        if succeeded {
            self.remove_workspace().await;
        }
    }

    /// Pods run on: a later `recover` takes them up. Those that are done are let go, if that is a matter of a moment.
    async fn abort(&self) {
        self.end_cleanups(ABORT_LIMIT).await;
        let mut attempts = std::mem::take(&mut *self.attempts.lock().unwrap_or_else(PoisonError::into_inner));
        attempts.shutdown().await;
    }
}
