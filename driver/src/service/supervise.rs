//! Finds runs that nobody drives, and drives each in a task of its own.
//!
//! What there is to do stands in the metastore; everything here can be lost at any moment (F-01). A run that fails to be
//! driven holds up no other (R11). When the service stops, runs are left as they are: the next process goes on with them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use penstock_metastore::{Change, Listed, Metastore, MetastoreError, RunToDrive, Unreadable};
use penstock_spec::run::RunStatus;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::backoff::Backoff;
use super::drive_run::DriveRun;
use super::metrics::ServiceMetrics;
use super::notes::QuarantineNotes;
use super::work::{Blame, HeldRun, HeldState, Work};
use crate::drive::{RunControl, RunEnd};
use crate::error::{DriveError, chain};

/// Runs that one request to the store lists.
const PAGE: u32 = 500;
/// Most runs that one poll lists: what waits beyond them is seen when these have ended.
const MAX_LISTED: usize = 20_000;

/// Settings of a [`Service`].
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// Runs whose options name this backend are ours; a run that names none has `process`.
    pub backend: String,
    /// Runs that are driven at the same time.
    pub concurrency: usize,
    /// Longest time until a run or command of another process is seen.
    pub poll: Duration,
    /// First and longest wait before a run that failed to be driven is tried again.
    pub retry: (Duration, Duration),
    /// A run that fails this often, one after the other, for reasons of its own is left alone.
    pub quarantine_after: u32,
    /// Longest time that stopping may take.
    pub drain: Duration,
}

impl ServiceSettings {
    /// The usual settings for a backend.
    pub fn new(backend: impl Into<String>) -> ServiceSettings {
        ServiceSettings {
            backend: backend.into(),
            concurrency: 500,
            poll: Duration::from_secs(1),
            retry: (Duration::from_secs(1), Duration::from_secs(300)),
            quarantine_after: 5,
            drain: Duration::from_secs(10),
        }
    }
}

/// What the service does at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Runs that are driven.
    pub driven: BTreeSet<Uuid>,
    /// Number of runs for which there is no room.
    pub waiting: usize,
    /// Runs that failed to be driven.
    pub held: BTreeMap<Uuid, HeldRun>,
    /// Rows that cannot be read, with the reason.
    pub unreadable: BTreeMap<String, String>,
}

/// Drives whatever there is to drive. Clones share everything.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    metastore: Metastore,
    driver: Arc<dyn DriveRun>,
    settings: ServiceSettings,
    metrics: ServiceMetrics,
    status: Mutex<ServiceStatus>,
}

impl Service {
    /// A service that does nothing until it is [run](Service::run).
    pub fn new(
        metastore: Metastore,
        driver: Arc<dyn DriveRun>,
        settings: ServiceSettings,
        metrics: ServiceMetrics,
    ) -> Service {
        let status = Mutex::default();
        Service { shared: Arc::new(Shared { metastore, driver, settings, metrics, status }) }
    }

    /// What it does at the moment; nothing while it does not run.
    pub fn status(&self) -> ServiceStatus {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drives runs until `shutdown`. Runs do not end by that: whoever comes next goes on with them. May be called again
    /// afterwards.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut turn = Turn::new(&self.shared);
        tokio::select! {
            () = turn.work() => {}
            () = shutdown => {}
        }
        turn.stop().await;
    }
}

/// One time that the service works.
struct Turn<'a> {
    shared: &'a Shared,
    work: Work,
    tasks: JoinSet<Result<RunEnd, Failure>>,
    /// What each task drives.
    at_work: HashMap<Id, (Uuid, Option<i64>, RunControl)>,
    changes: broadcast::Receiver<Change>,
    poll_failures: u32,
    /// What the store is to say of runs in quarantine.
    notes: QuarantineNotes,
    /// Whether a run has ended that may have been deleted meanwhile.
    purge_due: bool,
}

/// Why a drive ended badly.
enum Failure {
    Drive(DriveError),
    /// A fault of ours that the run brought to light.
    Panic,
}

impl<'a> Turn<'a> {
    fn new(shared: &'a Shared) -> Turn<'a> {
        shared.metrics.set_leading(true);
        Turn {
            shared,
            work: shared.no_work(),
            tasks: JoinSet::new(),
            at_work: HashMap::new(),
            changes: shared.metastore.subscribe(),
            poll_failures: 0,
            notes: QuarantineNotes::default(),
            purge_due: true,
        }
    }

    async fn work(&mut self) {
        self.shared.driver.prepare().await;
        loop {
            let pause = self.poll().await;
            self.show();
            self.wait(pause).await;
        }
    }

    /// Looks what there is to do, and begins. Returns how long to wait if nothing happens.
    async fn poll(&mut self) -> Duration {
        let Shared { settings, metrics, .. } = self.shared;
        let (listed, unreadable) = match self.list().await {
            Ok(listed) => listed,
            Err(error) => {
                self.poll_failures += 1;
                metrics.poll_failed();
                warn!(failures = self.poll_failures, error = chain(&error), "cannot look for runs to drive");
                let backoff = Backoff { first: settings.poll, longest: settings.poll.saturating_mul(30) };
                return backoff.next(self.poll_failures);
            }
        };
        self.poll_failures = 0;
        let now = Instant::now();
        for (run, command) in self.work.take(listed, unreadable, now) {
            self.notes.begun(run);
            self.begin(run, command);
        }
        self.notes.write(&self.shared.metastore).await;
        self.purge().await;
        let due = self.work.next_due().map(|due| due.saturating_duration_since(now));
        due.map_or(settings.poll, |due| due.clamp(Duration::from_millis(10), settings.poll))
    }

    /// Removes runs that users deleted while they were under way, now that they have ended.
    async fn purge(&mut self) {
        if !std::mem::take(&mut self.purge_due) {
            return;
        }
        match self.shared.metastore.purge_deleted().await {
            Ok(runs) => runs.iter().for_each(|run| info!(run.id = %run, "a deleted run is removed")),
            Err(error) => {
                self.purge_due = true;
                warn!(error = chain(&error), "cannot remove runs that were deleted; it is tried again");
            }
        }
    }

    /// What the store lists and is ours.
    async fn list(&self) -> Result<(Vec<RunToDrive>, Vec<Unreadable>), MetastoreError> {
        let (mut runs, mut unreadable, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = self.shared.metastore.runs_to_drive(after, PAGE).await?;
            for row in page.runs {
                match row {
                    Listed::Readable(run) if self.is_ours(&run) => runs.push(run),
                    Listed::Readable(_) => {}
                    Listed::Unreadable(row) => unreadable.push(row),
                }
            }
            after = page.next;
            if after.is_none() || runs.len() >= MAX_LISTED {
                return Ok((runs, unreadable));
            }
        }
    }

    fn is_ours(&self, run: &RunToDrive) -> bool {
        let Shared { settings, driver, .. } = self.shared;
        backend_of(&run.options) == settings.backend && driver.may_drive(run)
    }

    fn begin(&mut self, run: Uuid, command: Option<i64>) {
        let control = RunControl::new();
        let (driver, asked) = (Arc::clone(&self.shared.driver), control.clone());
        let task = self.tasks.spawn(async move {
            match AssertUnwindSafe(driver.drive(run, asked)).catch_unwind().await {
                Ok(end) => end.map_err(Failure::Drive),
                Err(_) => Err(Failure::Panic),
            }
        });
        self.at_work.insert(task.id(), (run, command, control));
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, pause: Duration) {
        let deadline = Instant::now() + pause;
        loop {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.take_end(ended);
                    // More may have ended: one poll is for all of them.
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.take_end(ended);
                    }
                    return;
                }
                change = self.changes.recv() => {
                    if !is_new_work(&change) {
                        continue;
                    }
                    while self.changes.try_recv().is_ok() {}
                    return;
                }
                () = tokio::time::sleep_until(deadline) => return,
            }
        }
    }

    fn take_end(&mut self, ended: Result<(Id, Result<RunEnd, Failure>), tokio::task::JoinError>) {
        let (id, end) = match ended {
            Ok((id, end)) => (id, end),
            Err(error) => (error.id(), Err(Failure::Panic)),
        };
        let Some((run, command, _)) = self.at_work.remove(&id) else { return };
        let now = Instant::now();
        let metrics = &self.shared.metrics;
        let failure = match end {
            Ok(end) => {
                info!(run.id = %run, status = ?end.status, "a run has ended");
                metrics.drive_ended(word_of(end.status));
                self.work.ended(run, command, now);
                self.purge_due = true;
                return;
            }
            // Somebody deleted it when it had ended, which may be before all was cleaned up behind it.
            Err(Failure::Drive(DriveError::Metastore { source: MetastoreError::NoSuchRun { .. }, .. })) => {
                info!(run.id = %run, "a run was deleted");
                metrics.drive_ended("deleted");
                self.work.ended(run, command, now);
                return;
            }
            Err(failure) => failure,
        };
        let (blame, result, reason) = match &failure {
            Failure::Panic => (Blame::Run, "panic", "an internal error, which the driver's log shows".to_owned()),
            Failure::Drive(error) => {
                let (blame, result) = blame_of(error);
                (blame, result, chain(error))
            }
        };
        metrics.drive_ended(result);
        let held = self.work.failed(run, blame, reason, command, now);
        if held.state == HeldState::Quarantined {
            self.notes.quarantined(run, format!("it failed to be driven {} times: {}", held.failures, held.reason));
            error!(run.id = %run, failures = held.failures, reason = held.reason, "a run cannot be driven and is left alone until somebody retries it");
        } else if result == DRIVEN_ELSEWHERE {
            debug!(run.id = %run, reason = held.reason, "a run is left to whoever drives it, and tried again later");
        } else {
            warn!(run.id = %run, reason = held.reason, "a run could not be driven and is tried again");
        }
    }

    /// Stops everything at once; runs are left as they are.
    async fn stop(mut self) {
        for (_, _, control) in self.at_work.values() {
            control.abort();
        }
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.shared.settings.drain, drained).await.is_err() {
            warn!(runs = self.tasks.len(), "runs did not stop in time and are dropped");
            self.tasks.shutdown().await;
        }
    }

    fn show(&self) {
        self.shared.metrics.show(&self.work);
        let status = ServiceStatus {
            driven: self.work.driven().clone(),
            waiting: self.work.waiting(),
            held: self.work.held(),
            unreadable: self.work.unreadable().clone(),
        };
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// Also when it is dropped, because the time for stopping is over: then its tasks are dropped with it.
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.work = self.shared.no_work();
        self.show();
        self.shared.metrics.set_leading(false);
    }
}

impl Shared {
    fn no_work(&self) -> Work {
        let ServiceSettings { concurrency, quarantine_after, retry: (first, longest), .. } = self.settings;
        Work::new(concurrency, quarantine_after, Backoff { first, longest })
    }
}

/// The backend that a run's options name.
fn backend_of(options: &Value) -> &str {
    options.get("backend").and_then(Value::as_str).unwrap_or("process")
}

/// Whether a change means that there may be something to do. One that was lost may.
fn is_new_work(change: &Result<Change, broadcast::error::RecvError>) -> bool {
    !matches!(change, Ok(Change::FactsAppended { .. } | Change::RecurringRunsChanged | Change::RunChanged { .. }))
}

/// The word in metrics for a run that somebody else was faster to take.
const DRIVEN_ELSEWHERE: &str = "driven_elsewhere";

/// Whose fault a failure is, and its word in metrics.
fn blame_of(error: &DriveError) -> (Blame, &'static str) {
    match error {
        DriveError::Owned { .. } | DriveError::Elsewhere { .. } => (Blame::Surroundings, DRIVEN_ELSEWHERE),
        DriveError::Aborted(_) => (Blame::Surroundings, "stopped"),
        DriveError::Metastore { source, .. } if source.is_conflict() => (Blame::Surroundings, DRIVEN_ELSEWHERE),
        DriveError::Metastore {
            source: MetastoreError::Unreadable { .. } | MetastoreError::Refused { .. }, ..
        } => (Blame::Run, "unreadable"),
        DriveError::Metastore { .. } | DriveError::Lock { .. } => (Blame::Surroundings, "store"),
        // This driver was started without what the run needs; the next may have it.
        DriveError::NoCluster { .. } => (Blame::Surroundings, "no_cluster"),
        DriveError::Pipeline { .. } | DriveError::Facts { .. } => (Blame::Run, "unreadable"),
    }
}

fn word_of(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Canceled => "canceled",
        _ => "other",
    }
}
