//! The runs that this process has for itself, where several machines share a store.
//!
//! While it has runs, it says every few seconds that it is alive. Others take its runs over when they have not heard it for
//! long; it stops everything a good while before, measured from when it *sent* its last word, so that no task is at work
//! twice (F-36). What others store is never mixed with what it stores: that is what the epoch is for (R4).

mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_metastore::{Claimant, Metastore, MetastoreError, RunClaim, SilentDriver};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};
use uuid::Uuid;

use crate::drive::RunControl;
use crate::error::{DriveError, chain};
pub use watch::HolderWatch;
use watch::Watch;

/// Usual time without a word of a process until others take its runs over.
pub const TAKEOVER_AFTER: Duration = Duration::from_secs(45);
/// Time between two looks at somebody who may be silent.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Longest time for giving a run back; otherwise the next word of this process does it, or its silence.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// The runs that this process has.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    metastore: Metastore,
    claimant: Claimant,
    held: Mutex<Held>,
    watch: Mutex<Watch>,
}

#[derive(Debug)]
struct Held {
    runs: HashMap<Uuid, HeldRun>,
    /// Until when this process works unless it is heard again.
    until: Instant,
    /// Whether a task sees to it that it is.
    kept: bool,
}

#[derive(Debug)]
struct HeldRun {
    control: RunControl,
    /// None while it is being taken.
    epoch: Option<u64>,
}

/// A run that this process has as long as the value lives.
#[derive(Debug)]
pub(crate) struct Claim {
    shared: Arc<Shared>,
    run: Uuid,
    epoch: u64,
}

impl Claims {
    /// For a process that works in a data directory. Others take its runs over when it is silent for so long.
    pub(crate) fn new(metastore: Metastore, data_dir: Uuid, takeover_after: Duration) -> Claims {
        let name = format!("{} on {}", std::process::id(), host_name());
        let claimant = Claimant { driver: Uuid::new_v4(), data_dir, name, silence: takeover_after };
        let held = Held { runs: HashMap::new(), until: Instant::now(), kept: false };
        let shared = Shared { metastore, claimant, held: Mutex::new(held), watch: Mutex::default() };
        Claims { shared: Arc::new(shared) }
    }

    /// The data directory of this process.
    pub(crate) fn data_dir(&self) -> Uuid {
        self.shared.claimant.data_dir
    }

    /// Takes a run that is driven with `control`, unless somebody else has it. That nobody else of this data directory is
    /// at work on it is for the caller to know. Who is `patient` waits for a sign of life of whoever has it elsewhere, and
    /// takes it if there is none for too long.
    pub(crate) async fn take(&self, run: Uuid, control: &RunControl, patient: bool) -> Result<Claim, DriveError> {
        let failed = |source| match source {
            MetastoreError::Claimed { run, driver } => DriveError::Owned { run, process: driver },
            source => DriveError::Metastore { run, source },
        };
        let shared = &self.shared;
        let silent = match patient {
            true => tokio::select! {
                silent = self.watch_holder(run) => silent.map_err(failed)?,
                // It is as if nobody had waited.
                () = control.asked() => None,
            },
            false => self.holder(run).await.map_err(failed)?.and_then(|claim| self.look(&claim)),
        };
        if silent.is_some() {
            warn!(run.id = %run, "a run is taken over from a process that has been silent for too long");
        }
        // From here on it is let go of whatever happens.
        let mut claim = Claim { shared: Arc::clone(shared), run, epoch: 0 };
        shared.held().runs.insert(run, HeldRun { control: control.clone(), epoch: None });
        let sent = Instant::now();
        claim.epoch = shared.metastore.claim_run(run, &shared.claimant, silent).await.map_err(failed)?;
        shared.keep(run, claim.epoch, sent);
        Ok(claim)
    }

    /// Who has a run elsewhere.
    async fn holder(&self, run: Uuid) -> Result<Option<RunClaim>, MetastoreError> {
        Ok(self.shared.metastore.run_claim(run).await?.filter(|claim| self.is_elsewhere(claim)))
    }

    /// Watches whoever has a run elsewhere, until it is heard or has been silent for too long.
    async fn watch_holder(&self, run: Uuid) -> Result<Option<SilentDriver>, MetastoreError> {
        let Some(first) = self.holder(run).await? else { return Ok(None) };
        loop {
            let Some(claim) = self.holder(run).await? else { return Ok(None) };
            let silent = self.look(&claim);
            if silent.is_some() || (claim.claimant.driver, claim.beat) != (first.claimant.driver, first.beat) {
                return Ok(silent);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Whether a process that is alive, as far as this one has seen, has a run elsewhere.
    pub(crate) fn is_taken(&self, claim: &RunClaim) -> bool {
        self.is_elsewhere(claim) && self.look(claim).is_none()
    }

    /// Whether something of another process has been seen as it is for so long that nobody is likely to look after it.
    pub(crate) fn is_abandoned(&self, subject: Uuid, state: u64) -> bool {
        let patience = self.shared.claimant.silence;
        self.watch().is_unchanged(subject, state, patience, Instant::now())
    }

    /// Who is at work in this very directory is told by locks on files.
    fn is_elsewhere(&self, claim: &RunClaim) -> bool {
        claim.claimant.data_dir != self.data_dir()
    }

    fn look(&self, claim: &RunClaim) -> Option<SilentDriver> {
        self.watch().look(claim, self.shared.claimant.silence, Instant::now())
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that this process ends.
    pub(crate) async fn leave(&self) {
        let Shared { metastore, claimant, .. } = &*self.shared;
        let left = tokio::time::timeout(RELEASE_LIMIT, metastore.leave(claimant.driver)).await;
        if !matches!(left, Ok(Ok(()))) {
            warn!("the store could not be told that this process ends");
        }
    }
}

impl Claim {
    /// The run's epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Gives the run back, so that others need not wait.
    pub(crate) async fn release(self) {
        let Shared { metastore, claimant, .. } = &*self.shared;
        let release = metastore.release_run(self.run, claimant.driver, self.epoch);
        let error = match tokio::time::timeout(RELEASE_LIMIT, release).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer for {} s", RELEASE_LIMIT.as_secs()),
        };
        warn!(run.id = %self.run, error, "a run could not be given back; another process of this directory can have it");
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.held().runs.remove(&self.run);
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this process works after a word was sent. The rest of its silence is for stopping.
    fn working_time(&self) -> Duration {
        self.claimant.silence.mul_f64(2.0 / 3.0)
    }

    /// A run was taken, which is a sign of life as well.
    fn keep(self: &Arc<Self>, run: Uuid, epoch: u64, sent: Instant) {
        let mut held = self.held();
        if let Some(held) = held.runs.get_mut(&run) {
            held.epoch = Some(epoch);
        }
        held.until = held.until.max(sent + self.working_time());
        if !std::mem::replace(&mut held.kept, true) {
            tokio::spawn(Arc::clone(self).stay_alive());
        }
    }

    /// Says again and again that this process is alive, as long as it has runs.
    async fn stay_alive(self: Arc<Self>) {
        let interval = (self.claimant.silence / 9).max(Duration::from_millis(10));
        let mut next = Instant::now() + interval;
        loop {
            // A process that was frozen sees that its time is over before it sees anything else.
            let until = self.held().until;
            tokio::select! {
                biased;
                () = sleep_until(until) => self.check_time(),
                () = sleep_until(next) => {
                    next = Instant::now() + interval;
                    tokio::select! {
                        biased;
                        () = sleep_until(until) => self.check_time(),
                        () = self.beat() => {}
                    }
                }
            }
            let mut held = self.held();
            if held.runs.is_empty() {
                held.kept = false;
                return;
            }
        }
    }

    /// Stops everything if this process was not heard in time.
    fn check_time(&self) {
        let (now, mut held) = (Instant::now(), self.held());
        if held.until > now {
            return;
        }
        warn!(
            runs = held.runs.len(),
            "the store did not hear this process for {} s, and others may take its runs over: it stops them",
            self.working_time().as_secs_f32()
        );
        held.runs.values().for_each(|run| run.control.abort());
        held.until = now + self.working_time();
    }

    /// Says once that this process is alive, and looks whether it still has what it believes to have.
    async fn beat(&self) {
        let believed: BTreeMap<Uuid, u64> =
            self.held().runs.iter().filter_map(|(run, held)| Some((*run, held.epoch?))).collect();
        let sent = Instant::now();
        if let Err(error) = self.metastore.beat(&self.claimant).await {
            warn!(error = chain(&error), "the store could not be told that this process is alive");
            return;
        }
        {
            let mut held = self.held();
            held.until = held.until.max(sent + self.working_time());
        }
        match self.metastore.runs_of_driver(self.claimant.driver).await {
            Ok(stored) => self.compare(&believed, &stored.into_iter().collect()).await,
            Err(error) => warn!(error = chain(&error), "it could not be looked which runs this process has"),
        }
    }

    async fn compare(&self, believed: &BTreeMap<Uuid, u64>, stored: &BTreeMap<Uuid, u64>) {
        for (run, epoch) in believed.iter().filter(|(run, epoch)| stored.get(run) != Some(epoch)) {
            if let Some(held) = self.held().runs.get(run).filter(|held| held.epoch == Some(*epoch)) {
                info!(run.id = %run, "a run is somebody else's now, or gone: it is stopped here");
                held.control.abort();
            }
        }
        // A drive that was dropped could not give its run back.
        for (run, epoch) in stored {
            let held = self.held().runs.contains_key(run);
            if !held && let Err(error) = self.metastore.release_run(*run, self.claimant.driver, *epoch).await {
                warn!(run.id = %run, error = chain(&error), "a run that is not driven any more could not be given back");
            }
        }
    }
}

/// What this machine is called.
fn host_name() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".to_owned())
}
