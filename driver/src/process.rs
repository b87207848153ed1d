//! The process backend: attempts are processes of this machine, carried out by the launcher library.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use penstock_engine::Event;
use penstock_launcher::{
    CancelHandle, CancelToken, HostContext, PythonHost, adopt, cancel_pair, kill_recorded, run_attempt,
};
use penstock_objectstore::Transfer;
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, FailureCause};
use tokio::task::JoinSet;
use tracing::warn;
use uuid::Uuid;

use crate::backend::{AttemptEnd, AttemptKey, Backend, EndedAttempt, Observation, Recovery};
use crate::cleaner::Cleaner;

/// Where the directories of runs at work are.
pub(crate) fn run_work_dirs(data_dir: &Path) -> PathBuf {
    data_dir.join("work")
}

/// Directory of everything that a run needs on this machine while it is at work.
fn run_work_dir(data_dir: &Path, run: Uuid) -> PathBuf {
    run_work_dirs(data_dir).join(run.to_string())
}

/// Directory of an attempt: its inputs, outputs, scratch space, log and process record. It stays when the attempt fails;
/// after a success it goes.
pub fn attempt_work_dir(data_dir: &Path, run: Uuid, task: Uuid, attempt: u32) -> PathBuf {
    run_work_dir(data_dir, run).join(task.to_string()).join(attempt.to_string())
}

/// Directory that the tasks of a run share, when its pipeline asks for a workspace.
pub(crate) fn workspace_dir(data_dir: &Path, run: Uuid) -> PathBuf {
    run_work_dir(data_dir, run).join("workspace")
}

/// Log of an attempt while it runs; afterwards it is in the object store.
pub fn attempt_log(data_dir: &Path, run: Uuid, task: Uuid, attempt: u32) -> PathBuf {
    attempt_work_dir(data_dir, run, task, attempt).join("log")
}

/// What the attempts of one run share.
#[derive(Debug, Clone)]
pub(crate) struct ProcessSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) transfer: Arc<Transfer>,
    pub(crate) python: Arc<PythonHost>,
    pub(crate) component_dir: Option<PathBuf>,
    pub(crate) host_commands: bool,
    pub(crate) grace: Duration,
}

/// Runs the attempts of one run.
#[derive(Debug)]
pub(crate) struct ProcessBackend {
    run: Uuid,
    settings: ProcessSettings,
    observations: Observation,
    running: Arc<Mutex<HashMap<AttemptKey, Running>>>,
    tasks: Mutex<JoinSet<()>>,
    cleaner: Cleaner,
}

/// An attempt under way.
#[derive(Debug)]
struct Running {
    cancel: CancelHandle,
    work_dir: PathBuf,
}

impl ProcessBackend {
    pub(crate) fn new(run: Uuid, settings: ProcessSettings, observations: Observation) -> ProcessBackend {
        let cleaner = Cleaner::start(run_work_dir(&settings.data_dir, run));
        ProcessBackend { run, settings, observations, running: Arc::default(), tasks: Mutex::default(), cleaner }
    }

    fn host(&self, plan: &Plan) -> HostContext {
        let (task, attempt) = (plan.task.id, plan.task.attempt);
        HostContext {
            work_dir: attempt_work_dir(&self.settings.data_dir, self.run, task, attempt),
            log_file: attempt_log(&self.settings.data_dir, self.run, task, attempt),
            transfer: Arc::clone(&self.settings.transfer),
            python: Arc::clone(&self.settings.python),
            component_dir: self.settings.component_dir.clone(),
            host_commands: self.settings.host_commands,
            grace: self.settings.grace,
        }
    }

    fn spawn(&self, attempt: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(attempt);
    }

    fn register(&self, key: AttemptKey, host: &HostContext) -> CancelToken {
        let (cancel, token) = cancel_pair();
        let running = Running { cancel, work_dir: host.work_dir.clone() };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(key, running);
        token
    }
}

#[async_trait]
impl Backend for ProcessBackend {
    async fn start(&self, key: AttemptKey, plan: Plan) {
        let host = self.host(&plan);
        let token = self.register(key, &host);
        let (observations, running) = (self.observations.clone(), Arc::clone(&self.running));
        self.spawn(async move {
            let report = run_attempt(&plan, &host, token).await;
            running.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            // Nobody listens any more only when the run has ended.
            let _ = observations.send(Event::TaskReported { node: key.node, report }).await;
        });
    }

    async fn recover(&self, key: AttemptKey, plan: Plan, _recovery: Recovery) {
        let host = self.host(&plan);
        let observations = self.observations.clone();
        self.spawn(async move {
            let event = match adopt(&plan, &host).await {
                Some(report) => Event::TaskReported { node: key.node, report },
                None => {
                    let failure = interrupt(&host).await;
                    Event::TaskLost { node: key.node, attempt: key.attempt, failure, timings: None }
                }
            };
            let _ = observations.send(event).await;
        });
    }

    async fn stop(&self, key: AttemptKey) {
        if let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            running.cancel.cancel();
        }
    }

    async fn forget(&self, attempt: EndedAttempt) {
        // A log that could not be stored is kept where it is, and so is all of a failed attempt.
        if attempt.end == (AttemptEnd::Succeeded { log_stored: true }) {
            let EndedAttempt { task, attempt, .. } = attempt;
            self.cleaner.remove(attempt_work_dir(&self.settings.data_dir, self.run, task, attempt)).await;
        }
    }

    async fn finish(&self, succeeded: bool) {
        if succeeded {
            // As on a cluster: after a failure it stays, for a retry and for a look.
            self.cleaner.remove_whole(workspace_dir(&self.settings.data_dir, self.run)).await;
        }
        self.cleaner.finish(succeeded).await;
    }

    async fn abort(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        // All at once: one that does not go away within its limit must not keep the others alive.
        let mut kills: JoinSet<usize> = running.into_values().map(|attempt| kill(attempt.work_dir)).collect();
        while kills.join_next().await.is_some() {}
    }
}

/// Makes sure that nothing of an attempt runs any more.
async fn interrupt(host: &HostContext) -> Failure {
    let message = match kill(host.work_dir.clone()).await {
        0 => "penstock was stopped while the attempt was under way".to_owned(),
        count => format!("penstock was stopped while the attempt was under way; {count} of its processes were killed"),
    };
    Failure { cause: FailureCause::Interrupted, message }
}

/// Kills what the record in an attempt's directory names; returns how many processes that were.
async fn kill(work_dir: PathBuf) -> usize {
    let killed = tokio::task::spawn_blocking({
        let work_dir = work_dir.clone();
        move || kill_recorded(&work_dir)
    });
    match killed.await {
        Ok(Ok(count)) => count,
        Ok(Err(error)) => {
            warn!(directory = %work_dir.display(), error = %error, "cannot read which processes an attempt had");
            0
        }
        Err(_) => 0,
    }
}
