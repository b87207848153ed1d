//! Drives one run from where its facts left it to its end.
//!
//! One loop: take the events that are waiting, let the engine step through them, commit the facts, and only then
//! carry out the effects. A crash at any point leaves facts that say what ought to be in flight, and nothing in
//! flight that they do not say.
//!
//! A look-up in the cache changes nothing, so it does not wait for the facts: see [`Held`].

use std::sync::Arc;
use std::time::Duration;

use penstock_engine::{Effect, Event, Fact, NodeId, RunState, Step, outstanding};
use penstock_metastore::{Append, Command, Listed, Metastore, MetastoreError};
use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::run::{RunStatus, TaskStatus};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use crate::backend::{AttemptEnd, AttemptKey, Backend, EndedAttempt, Recovery};
use crate::cache::CacheLookups;
use crate::error::DriveError;
use crate::held::Held;
use crate::import::Imports;
use crate::load::{LoadedRun, load_state};
use crate::projection;
use crate::timers::Timers;

/// Events that may wait while facts are being committed.
const EVENT_QUEUE: usize = 1024;
/// Longest time until a command of another process is seen.
const COMMAND_POLL: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// Succeeded, failed or canceled.
    pub status: RunStatus,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Outputs of the pipeline.
    pub outputs: TaskOutputs,
}

/// Asks a run that is being driven to end.
#[derive(Debug, Clone)]
pub struct RunControl {
    request: Arc<watch::Sender<Request>>,
}

/// What was asked for so far. A cancellation is not forgotten when an abort follows before it was seen.
#[derive(Debug, Clone, Default)]
struct Request {
    cancel: Option<String>,
    abort: bool,
}

impl RunControl {
    /// A control that asks for nothing yet.
    #[allow(clippy::new_without_default, reason = "a control that nobody holds asks for nothing, so `new` is meant")]
    pub fn new() -> RunControl {
        RunControl { request: Arc::new(watch::Sender::new(Request::default())) }
    }

    /// Cancels the run: attempts are asked to stop, then made to, and the run ends as canceled.
    pub fn cancel(&self, reason: &str) {
        self.request.send_if_modified(|request| {
            let first = request.cancel.is_none();
            request.cancel.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    /// Returns when something was asked for.
    pub(crate) async fn asked(&self) {
        let mut requests = self.request.subscribe();
        // Never an error: the sender is here.
        let _ = requests.wait_for(|request| request.abort || request.cancel.is_some()).await;
    }

    /// Kills everything at once. The run does not end; it can be resumed.
    pub fn abort(&self) {
        self.request.send_modify(|request| request.abort = true);
    }
}

/// One run at work.
pub(crate) struct RunHost {
    run: Uuid,
    epoch: u64,
    metastore: Metastore,
    state: RunState,
    /// Number of facts that are durable.
    stored: u64,
    /// The first event, for a run that has no facts yet.
    start: Option<Event>,
    backend: Arc<dyn Backend>,
    cache: CacheLookups,
    imports: Imports,
    timers: Timers,
    held: Held,
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
}

/// What a run needs from its driver.
pub(crate) struct HostParts {
    /// The run's epoch, of which no other driver has the same or a newer one.
    pub(crate) epoch: u64,
    pub(crate) metastore: Metastore,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) cache: CacheLookups,
    pub(crate) imports: Imports,
    pub(crate) sender: mpsc::Sender<Event>,
    pub(crate) events: mpsc::Receiver<Event>,
    /// Attempts of the run that may be at work at a time.
    pub(crate) capacity: u32,
}

pub(crate) fn event_queue() -> (mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    mpsc::channel(EVENT_QUEUE)
}

impl RunHost {
    /// Loads a run that no earlier driver can store anything of any more.
    pub(crate) async fn load(run: Uuid, parts: HostParts) -> Result<RunHost, DriveError> {
        let store_failed = |source| DriveError::Metastore { run, source };
        let LoadedRun { mut state, stored, .. } = load_state(&parts.metastore, run).await?;
        state.set_capacity(parts.capacity);
        let start = match stored {
            0 => {
                let info = parts.metastore.run(run).await.map_err(store_failed)?.info;
                let parameters = parts.metastore.run_spec(run).await.map_err(store_failed)?.parameters;
                Some(Event::Start { run: info, parameters })
            }
            _ => None,
        };
        Ok(RunHost {
            run,
            epoch: parts.epoch,
            metastore: parts.metastore,
            state,
            stored,
            start,
            backend: parts.backend,
            cache: parts.cache,
            imports: parts.imports,
            timers: Timers::default(),
            held: Held::default(),
            events: parts.events,
            sender: parts.sender,
        })
    }

    /// Drives the run to its end. If it does not come to it, nothing of the run is at work on this machine afterwards:
    /// whoever drives it next need not know of it.
    pub(crate) async fn drive(mut self, control: RunControl) -> Result<RunEnd, DriveError> {
        if let Err(error) = self.drive_to_end(control).await {
            self.backend.abort().await;
            return Err(error);
        }
        self.backend.finish(self.state.status() == RunStatus::Succeeded).await;
        Ok(RunEnd {
            status: self.state.status(),
            failure: self.state.failure().cloned(),
            outputs: self.state.outputs().cloned().unwrap_or_default(),
        })
    }

    async fn drive_to_end(&mut self, control: RunControl) -> Result<(), DriveError> {
        self.take_up().await?;
        let mut requests = control.request.subscribe();
        requests.mark_changed();
        let mut poll = tokio::time::interval(COMMAND_POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = Vec::new();
        while !self.state.status().is_final() {
            let due = self.until_next_timer();
            let hold_until = self.held.until();
            tokio::select! {
                _ = self.events.recv_many(&mut waiting, EVENT_QUEUE) => {}
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {
                    let timers = self.timers.take_due(Timestamp::now());
                    waiting.extend(timers.into_iter().map(|timer| Event::TimerDue { timer }));
                }
                () = sleep_until(hold_until), if hold_until.is_some() => self.commit(&[]).await?,
                _ = poll.tick() => self.take_commands().await?,
                Ok(()) = requests.changed() => {
                    let Request { cancel, abort } = requests.borrow_and_update().clone();
                    waiting.extend(cancel.map(|reason| Event::Terminate { reason }));
                    if abort {
                        // That the run was cancelled is on record when it is resumed.
                        let recorded = self.advance(waiting.drain(..)).await;
                        if recorded.is_err() || !self.state.status().is_final() {
                            return recorded.and(Err(DriveError::Aborted(self.run)));
                        }
                    }
                }
            }
            self.advance(waiting.drain(..)).await?;
        }
        Ok(())
    }

    /// Brings what is in flight in line with what ought to be: everything on the first start, what is left after a
    /// restart.
    async fn take_up(&mut self) -> Result<(), DriveError> {
        if let Some(start) = self.start.take() {
            return self.advance([start]).await;
        }
        self.forget_finished().await;
        for effect in outstanding(&self.state) {
            self.carry_out(effect, Attempts::Recover).await;
        }
        self.take_commands().await?;
        let now = Timestamp::now();
        let step = self.state.resume(now);
        self.decide(step, now);
        self.commit(&[]).await
    }

    /// An earlier driver may have been killed between the end of an attempt and that of its forgetting.
    async fn forget_finished(&self) {
        for node in self.state.nodes() {
            let Some((task, latest)) = node.task_id().zip(node.attempt) else { continue };
            let failed = AttemptEnd::Failed { cause: None, again: false };
            let ended = |attempt, end| EndedAttempt { task, key: node.key.to_owned(), attempt, end };
            for attempt in 0..latest {
                self.backend.forget(ended(attempt, failed)).await;
            }
            match node.status {
                TaskStatus::Succeeded if node.cached_from().is_none() => {
                    let end = AttemptEnd::Succeeded { log_stored: node.log_uri().is_some() };
                    self.backend.forget(ended(latest, end)).await;
                }
                TaskStatus::Failed | TaskStatus::Canceled | TaskStatus::Pending => {
                    self.backend.forget(ended(latest, failed)).await;
                }
                _ => {}
            }
        }
    }

    /// Lets the engine step through events, and makes what it decided true.
    async fn advance(&mut self, events: impl IntoIterator<Item = Event>) -> Result<(), DriveError> {
        let now = Timestamp::now();
        for event in events {
            if let Event::CacheAnswered { .. } = event {
                self.held.answered();
            }
            let step = self.state.step(event, now);
            self.decide(step, now);
        }
        for (node, key) in self.held.take_look_ups() {
            self.look_up(node, key);
        }
        if self.held.may_wait() { Ok(()) } else { self.commit(&[]).await }
    }

    /// Puts down what the engine decided.
    fn decide(&mut self, step: Step, now: Timestamp) {
        self.held.add(&self.state, step, now);
    }

    /// Commands of other processes become events, and are taken in the transaction that holds their facts.
    async fn take_commands(&mut self) -> Result<(), DriveError> {
        let commands = self.metastore.pending_commands(self.run).await.map_err(|source| self.failed(source))?;
        for stored in commands {
            let now = Timestamp::now();
            let step = match stored.command {
                Listed::Readable(Command::Terminate { reason }) => self.state.step(Event::Terminate { reason }, now),
                Listed::Readable(Command::Retry) => self.state.step(Event::Retry, now),
                Listed::Readable(Command::RetryFrom { from }) => self.state.step(Event::RetryFrom { from }, now),
                // Whoever drives it sees to that when it has ended.
                Listed::Readable(Command::Remove) => Step::default(),
                Listed::Unreadable(row) => {
                    warn!(run.id = %self.run, command = row.row, reason = row.reason, "ignored a command of a newer build");
                    Step::default()
                }
            };
            self.decide(step, now);
            self.commit(&[stored.id]).await?;
        }
        Ok(())
    }

    /// Facts first, then effects.
    async fn commit(&mut self, commands: &[i64]) -> Result<(), DriveError> {
        let (facts, effects) = self.held.take();
        let ended = self.ended_attempts(&facts);
        if !facts.is_empty() || !commands.is_empty() {
            let mut append = Append::new(self.run, self.epoch, self.stored);
            append.commands_taken = commands.to_vec();
            projection::fill(&mut append, &self.state, facts);
            self.stored = self.metastore.append(append).await.map_err(|source| self.failed(source))?;
        }
        for effect in effects {
            self.carry_out(effect, Attempts::Start).await;
        }
        for attempt in ended {
            self.backend.forget(attempt).await;
        }
        Ok(())
    }

    /// Attempts that these facts end.
    fn ended_attempts(&self, facts: &[(Fact, Timestamp)]) -> Vec<EndedAttempt> {
        let ended = facts.iter().filter_map(|(fact, _)| {
            let (node, attempt, end) = match fact {
                Fact::TaskSucceeded { node, attempt: Some(attempt), cached_from: None, log_uri, .. } => {
                    (node, attempt, AttemptEnd::Succeeded { log_stored: log_uri.is_some() })
                }
                Fact::AttemptFailed { node, attempt, failure, .. } => {
                    (node, attempt, AttemptEnd::Failed { cause: Some(failure.cause), again: true })
                }
                Fact::TaskFailed { node, attempt: Some(attempt), failure, .. } => {
                    (node, attempt, AttemptEnd::Failed { cause: Some(failure.cause), again: false })
                }
                Fact::TaskCanceled { node, attempt: Some(attempt), .. } => {
                    (node, attempt, AttemptEnd::Failed { cause: None, again: false })
                }
                _ => return None,
            };
            let view = self.state.node(*node)?;
            Some(EndedAttempt { task: view.task_id()?, key: view.key.to_owned(), attempt: *attempt, end })
        });
        ended.collect()
    }

    async fn carry_out(&mut self, effect: Effect, attempts: Attempts) {
        match effect {
            Effect::LookUpCache { node, key } => {
                self.held.asked();
                self.look_up(node, key);
            }
            Effect::Import { node, request } => self.imports.import(node, *request, self.sender.clone()),
            Effect::SetTimer { timer, at } => self.timers.set(at, timer),
            Effect::StopAttempt { node, attempt } => {
                let key = AttemptKey { node, attempt };
                match (attempts, self.state.plan(node)) {
                    // It belongs to an earlier driver: nobody here would hear of its end.
                    (Attempts::Recover, Some(plan)) => self.backend.recover(key, plan, Recovery::Stop).await,
                    _ => self.backend.stop(key).await,
                }
            }
            Effect::StartAttempt { node, plan } => {
                let key = AttemptKey { node, attempt: plan.task.attempt };
                match attempts {
                    Attempts::Start => self.backend.start(key, *plan).await,
                    Attempts::Recover => self.backend.recover(key, *plan, Recovery::GoOn).await,
                }
            }
        }
    }

    fn look_up(&self, node: NodeId, key: String) {
        let container = self.state.node(node).and_then(|view| view.container());
        let is_claim = container.is_some_and(|container| container.image == keys::CREATE_CLAIM_IMAGE);
        self.cache.look_up(node, key, is_claim, self.sender.clone());
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let left = self.timers.next()?.duration_since(Timestamp::now());
        Some(Duration::try_from(left).unwrap_or_default())
    }

    fn failed(&self, source: MetastoreError) -> DriveError {
        DriveError::Metastore { run: self.run, source }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)).await;
}

/// What to do with an attempt that ought to be running.
#[derive(Clone, Copy)]
enum Attempts {
    /// It is new.
    Start,
    /// An earlier driver may have started it.
    Recover,
}
