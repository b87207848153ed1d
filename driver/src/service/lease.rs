//! One process of several works: the others wait until its Lease has not changed for its whole duration.
//!
//! A Lease saves work; it does not make two drivers impossible. What keeps them apart is the epoch in the metastore
//! (R4). What others write as times is never compared with our clock: only how long *we* have seen a Lease unchanged
//! counts. The holder gives up before that time is over for anybody else, measured from when it *sent* its last renewal.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use penstock_spec::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::lease_store::{LeaseStore, LeaseStoreError};

/// The longest duration of another holder that we respect: a Lease with an absurd one must not stop everybody.
const LONGEST_DURATION: Duration = Duration::from_secs(300);

/// What a Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Who holds it; nobody when empty.
    pub holder: String,
    /// How long others wait before they take it over.
    pub duration: Duration,
    /// When the holder took it, by its clock.
    pub acquired: Timestamp,
    /// When the holder renewed it, by its clock.
    pub renewed: Timestamp,
    /// How often it has changed hands.
    pub transitions: u32,
    /// Version of the object: a write names the one that it is based on.
    pub version: String,
}

impl LeaseRecord {
    /// Whether two readings show the same renewal. The version is no part of it: it changes when anybody touches the
    /// object's labels.
    fn same_renewal(&self, other: &LeaseRecord) -> bool {
        (&self.holder, self.renewed, self.transitions) == (&other.holder, other.renewed, other.transitions)
    }
}

/// Settings of a [`LeaseHolder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// Who we are. Two processes that live at the same time never have the same name.
    pub identity: String,
    /// How long others wait before they take over.
    pub duration: Duration,
    /// Time between two renewals, and between two looks at another's Lease.
    pub interval: Duration,
    /// Longest wait for an answer.
    pub request_timeout: Duration,
}

impl LeaseSettings {
    /// Durations that survive a short absence of the API server.
    pub fn new(identity: impl Into<String>) -> LeaseSettings {
        LeaseSettings {
            identity: identity.into(),
            duration: Duration::from_secs(15),
            interval: Duration::from_secs(3),
            request_timeout: Duration::from_secs(4),
        }
    }

    /// How long we work after a renewal was sent. The rest of the duration is for stopping.
    fn working_time(&self) -> Duration {
        self.duration.mul_f64(2.0 / 3.0)
    }
}

/// Where we stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseStanding {
    /// We do not have it.
    Waiting,
    /// We have it.
    Holding,
}

/// Asks work to stop: resolves when it should.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Returns when the work is to stop.
    pub async fn requested(mut self) {
        // An error means that whoever could ask has gone, which is the same.
        let _ = self.asked.wait_for(|asked| *asked).await;
    }
}

/// What is to be done about a Lease that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// It does not exist: create it.
    Create,
    /// It is free, or unchanged for too long: take it.
    Take,
    /// It is ours already, from an earlier life of this process.
    Renew,
    /// It is another's.
    Wait,
}

/// What we have seen of another's Lease.
#[derive(Debug, Default)]
struct Candidate {
    seen: Option<(LeaseRecord, Instant)>,
}

impl Candidate {
    /// What to do about a Lease as it is now.
    fn decide(&mut self, settings: &LeaseSettings, read: Option<&LeaseRecord>, now: Instant) -> Decision {
        let Some(read) = read else { return Decision::Create };
        if read.holder.is_empty() {
            return Decision::Take;
        }
        if read.holder == settings.identity {
            return Decision::Renew;
        }
        match &self.seen {
            Some((seen, since)) if seen.same_renewal(read) => {
                let patience = read.duration.min(LONGEST_DURATION).max(settings.duration);
                if now.saturating_duration_since(*since) >= patience { Decision::Take } else { Decision::Wait }
            }
            _ => {
                self.seen = Some((read.clone(), now));
                Decision::Wait
            }
        }
    }
}

/// Takes the Lease when it can, keeps it, and says whether we have it.
pub struct LeaseHolder {
    store: Arc<dyn LeaseStore>,
    settings: LeaseSettings,
    standing: watch::Sender<LeaseStanding>,
}

/// A Lease that is ours.
struct Held {
    record: LeaseRecord,
    /// Until when we work, unless it is renewed.
    until: Instant,
}

impl LeaseHolder {
    /// A holder that does nothing until there is work for it.
    pub fn new(store: Arc<dyn LeaseStore>, settings: LeaseSettings) -> LeaseHolder {
        LeaseHolder { store, settings, standing: watch::Sender::new(LeaseStanding::Waiting) }
    }

    /// Where we stand, as it changes.
    pub fn standing(&self) -> watch::Receiver<LeaseStanding> {
        self.standing.subscribe()
    }

    /// Runs `work` whenever we have the Lease, until `shutdown`. The work is asked to stop when the Lease is lost, and
    /// dropped if it has not stopped when others may take over. At the end the Lease is given back.
    pub async fn run<W>(&self, shutdown: impl Future<Output = ()>, work: impl Fn(Stop) -> W)
    where
        W: Future<Output = ()>,
    {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let held = tokio::select! {
                held = self.acquire() => held,
                () = &mut shutdown => return,
            };
            info!(identity = self.settings.identity, transitions = held.record.transitions, "holds the lease");
            self.standing.send_replace(LeaseStanding::Holding);
            let over = self.work(held, &mut shutdown, &work).await;
            self.standing.send_replace(LeaseStanding::Waiting);
            if over {
                return;
            }
            // Others get their chance, and work that ends at once does not keep the API server busy.
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval) => {}
                () = &mut shutdown => return,
            }
        }
    }

    /// Works while the Lease is ours; true when `shutdown` ended it.
    async fn work<W>(
        &self,
        mut held: Held,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
        work: impl Fn(Stop) -> W,
    ) -> bool
    where
        W: Future<Output = ()>,
    {
        let (ask, asked) = watch::channel(false);
        let mut work = std::pin::pin!(work(Stop { asked }));
        let mut shutting_down = false;
        loop {
            tokio::select! {
                // A process that was frozen sees that its time is over before it sees anything else (F-36).
                biased;
                lost = self.keep(&mut held) => {
                    warn!(identity = self.settings.identity, reason = lost, "lost the lease; stops at once");
                    ask.send_replace(true);
                    self.stop_by(held.until, work).await;
                    return shutting_down;
                }
                () = &mut work => {
                    if !shutting_down {
                        warn!("the work under the lease ended by itself; the lease is given back");
                    }
                    self.give_back(held).await;
                    return shutting_down;
                }
                () = &mut *shutdown, if !shutting_down => {
                    shutting_down = true;
                    ask.send_replace(true);
                }
            }
        }
    }

    /// Waits for work that was asked to stop until others may take over.
    async fn stop_by(&self, until: Instant, work: impl Future<Output = ()>) {
        let rest = self.settings.duration.saturating_sub(self.settings.working_time());
        if tokio::time::timeout_at(until.min(Instant::now()) + rest, work).await.is_err() {
            warn!("the work did not stop in time and is dropped");
        }
    }

    /// Waits until the Lease is ours.
    async fn acquire(&self) -> Held {
        let mut candidate = Candidate::default();
        let mut failures = 0;
        loop {
            match self.try_acquire(&mut candidate).await {
                Ok(Some(held)) => return held,
                Ok(None) => failures = 0,
                Err(error) => {
                    failures += 1;
                    warn!(identity = self.settings.identity, failures, error = %error, "cannot look after the lease");
                }
            }
            let backoff = Backoff { first: self.settings.interval, longest: self.settings.duration };
            tokio::time::sleep(backoff.next(failures.max(1))).await;
        }
    }

    async fn try_acquire(&self, candidate: &mut Candidate) -> Result<Option<Held>, LeaseStoreError> {
        let read = self.within(self.store.read()).await?;
        let decision = candidate.decide(&self.settings, read.as_ref(), Instant::now());
        let (base, transitions) = match (decision, read) {
            (Decision::Wait, _) => return Ok(None),
            (Decision::Renew, Some(read)) => (Some(read.version), read.transitions),
            (Decision::Take, Some(read)) => (Some(read.version), read.transitions.saturating_add(1)),
            (_, _) => (None, 0),
        };
        let now = Timestamp::now();
        let record = LeaseRecord {
            holder: self.settings.identity.clone(),
            duration: self.settings.duration,
            acquired: now,
            renewed: now,
            transitions,
            version: base.unwrap_or_default(),
        };
        let sent = Instant::now();
        match self.within(self.store.write(&record)).await {
            Ok(record) => Ok(Some(Held { record, until: sent + self.settings.working_time() })),
            // Somebody else was faster.
            Err(LeaseStoreError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renews the Lease again and again; returns why it is lost.
    async fn keep(&self, held: &mut Held) -> &'static str {
        let mut next = Instant::now() + self.settings.interval;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(held.until) => return "it could not be renewed in time",
                () = sleep_until(next) => {}
            }
            next = Instant::now() + self.settings.interval;
            let until = held.until;
            tokio::select! {
                biased;
                () = sleep_until(until) => return "it could not be renewed in time",
                renewed = self.renew(held) => match renewed {
                    Ok(true) => {}
                    Ok(false) => return "another process has taken it",
                    Err(error) => warn!(identity = self.settings.identity, error = %error, "cannot renew the lease"),
                }
            }
        }
    }

    /// Renews once; false when it is another's.
    async fn renew(&self, held: &mut Held) -> Result<bool, LeaseStoreError> {
        let sent = Instant::now();
        let wanted = LeaseRecord { renewed: Timestamp::now(), ..held.record.clone() };
        match self.within(self.store.write(&wanted)).await {
            Ok(record) => {
                *held = Held { record, until: sent + self.settings.working_time() };
                return Ok(true);
            }
            Err(LeaseStoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        // Somebody wrote: an answer of ours that was lost, a label, or another holder.
        let Some(read) = self.within(self.store.read()).await? else { return Ok(false) };
        if read.holder != self.settings.identity {
            return Ok(false);
        }
        let wanted = LeaseRecord { version: read.version, ..wanted };
        let record = self.within(self.store.write(&wanted)).await?;
        *held = Held { record, until: sent + self.settings.working_time() };
        Ok(true)
    }

    /// Gives the Lease back, so that the next process need not wait.
    async fn give_back(&self, held: Held) {
        let free = LeaseRecord { holder: String::new(), renewed: Timestamp::now(), ..held.record };
        if let Err(error) = self.within(self.store.write(&free)).await {
            warn!(identity = self.settings.identity, error = %error, "cannot give the lease back; it runs out by itself");
        }
    }

    async fn within<T>(&self, answer: impl Future<Output = Result<T, LeaseStoreError>>) -> Result<T, LeaseStoreError> {
        let limit = self.settings.request_timeout;
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(LeaseStoreError::NoAnswer { limit }))
    }
}

#[cfg(test)]
mod tests;
