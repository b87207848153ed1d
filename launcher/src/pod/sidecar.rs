//! The host of the [`machine`](super::machine): performs its actions and brings it what happens.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use penstock_entry::protocol::{EntryState, LauncherMessage};
use penstock_objectstore::Transfer;
use penstock_spec::pod::Phases;
use penstock_spec::report::FailureCause;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::api_server::ApiServer;
use super::args::SidecarArgs;
use super::assignment::{Assignment, read_assignment};
use super::delivery::deliver;
use super::ending::Ending;
use super::entry::{EntryEvent, EntryHandle, EntryPort, converse};
use super::job::{Job, guarded, milliseconds, unstored};
use super::machine::{Acknowledgement, Action, Conclusion, Event, Machine};
use super::memory::{Memory, MemoryFile};
use super::report::build;
use super::setup::set_up;
use crate::clock::SteadyClock;
use crate::report::failure;

mod error;

pub use error::SidecarError;

/// How long an entry that went away may take to come back.
const ABSENCE_LIMIT: Duration = Duration::from_secs(5);
/// How much longer than its grace a process may take to be stopped.
const STOP_MARGIN: Duration = Duration::from_secs(15);
/// How long log and report of an attempt that has ended may take when the sidecar is asked to end.
const TERMINATION_LIMIT: Duration = Duration::from_secs(10);
/// How often the outputs of one attempt are stored from the beginning, each time because the sidecar was killed.
const MAX_STORES: u32 = 4;
/// How long the log of a process that still runs may take when the sidecar is asked to end.
const PARTIAL_LOG_LIMIT: Duration = Duration::from_secs(2);
/// How long the API server is asked why the Pod is being ended.
const WHY_BUDGET: Duration = Duration::from_secs(15);
/// How long unfinished uploads may take to be given up then.
const SETTLE_LIMIT: Duration = Duration::from_secs(1);

/// Runs until the Pod ends: SIGTERM comes after the user's container is gone.
pub async fn run<P: EntryPort>(
    args: &SidecarArgs,
    listen: impl FnOnce(&std::path::Path) -> std::io::Result<P>,
) -> Result<(), SidecarError> {
    let clock = SteadyClock::start();
    let mut terminated = signal(SignalKind::terminate()).map_err(SidecarError::Signals)?;
    let socket = args.places.socket();
    // Listening before the entry is put in place: then it never finds nobody there. A mounted one tries again.
    let port = listen(&socket).map_err(|source| SidecarError::Listen { path: socket, source })?;
    if !args.is_entry_mounted {
        deliver(&args.places.entry, &args.places.bin_dir)?;
    }

    let memory_file = MemoryFile::new(&args.places.control_dir);
    let mut memory = memory_file.load(&args.pod_uid);
    memory.timings.launcher_at.get_or_insert(clock.now());
    let assignment = read_assignment(&args.places.pod_dir);
    // A container that only needs inputs may be started again, as a new process with a new entry.
    let restarts = matches!(&assignment, Ok(Assignment::Data { outputs, .. }) if outputs.is_empty());
    let (entry, heard, conversation) = converse(port, memory.nonce.clone(), !restarts);
    let setting_up = Box::pin(set_up(args, assignment, &entry));
    let (job, transfer) = tokio::select! {
        set_up = setting_up => set_up,
        _ = terminated.recv() => return Ok(()),
    };
    let (events, queue) = mpsc::unbounded_channel();
    let host = Host {
        args,
        job,
        transfer,
        entry,
        heard,
        events,
        memory,
        memory_file,
        work: JoinSet::new(),
        timers: JoinSet::new(),
        clock,
        began: Instant::now(),
        ready_at: None,
        storing_since: None,
        nonce: None,
    };
    let result = Box::pin(host.run(queue, restarts, &mut terminated)).await;
    conversation.abort();
    result
}

struct Host<'a> {
    args: &'a SidecarArgs,
    job: Job,
    transfer: Option<Arc<Transfer>>,
    entry: EntryHandle,
    heard: mpsc::Receiver<EntryEvent>,
    events: mpsc::UnboundedSender<Event>,
    memory: Memory,
    memory_file: MemoryFile,
    work: JoinSet<()>,
    timers: JoinSet<()>,
    clock: SteadyClock,
    began: Instant,
    ready_at: Option<Instant>,
    storing_since: Option<Instant>,
    nonce: Option<String>,
}

impl Host<'_> {
    async fn run(
        mut self,
        mut queue: mpsc::UnboundedReceiver<Event>,
        restarts: bool,
        terminated: &mut Signal,
    ) -> Result<(), SidecarError> {
        let (mut machine, actions) = self.begin(restarts);
        for action in actions {
            self.perform(action).await?;
        }
        let never = Instant::now() + Duration::from_secs(100 * 365 * 24 * 3600);
        let (mut ends, mut until) = (false, never);
        while !(ends && machine.is_done()) {
            if machine.is_running() {
                self.job.ship_log();
            }
            let event = tokio::select! {
                biased;
                Some(event) = queue.recv() => event,
                Some(heard) = self.heard.recv() => match self.hear(heard)? {
                    Some(event) => event,
                    None => continue,
                },
                _ = terminated.recv(), if !ends => {
                    let Some(actions) = machine.terminate() else { break };
                    (ends, until) = (true, Instant::now() + TERMINATION_LIMIT);
                    for action in actions {
                        self.perform(action).await?;
                    }
                    continue;
                }
                () = tokio::time::sleep_until(until) => {
                    tracing::warn!("log and report could not be delivered before the Pod's end");
                    break;
                }
            };
            tracing::debug!(?event, "event");
            self.note(&event)?;
            for action in machine.step(event) {
                tracing::debug!(?action, "action");
                self.perform(action).await?;
            }
        }
        self.end(&machine).await;
        Ok(())
    }

    /// Notes when each step came and how long it took, and that storing has ended.
    fn note(&mut self, event: &Event) -> Result<(), SidecarError> {
        let now = self.clock.now();
        match event {
            Event::InputsReady => {
                self.memory.timings.ready_at = Some(now);
                self.memory.inputs_ms = milliseconds(self.began.elapsed());
                self.ready_at = Some(Instant::now());
            }
            Event::Exited(end) | Event::Connected { state: EntryState::Exited(end), .. } => {
                self.memory.process_ended(end, now);
                if let Some(reason) = &end.log_error {
                    tracing::warn!("the log of the process is not whole: {reason}");
                }
            }
            Event::Stored(_) => {
                self.memory.timings.stored_at = Some(now);
                let since = self.storing_since.take();
                self.memory.outputs_ms = since.map(|since| milliseconds(since.elapsed())).unwrap_or_default();
                // What ended was not killed; a container that is started again stores anew. What was given up stays so.
                if (1..=MAX_STORES).contains(&self.memory.stores) {
                    self.memory.stores = 0;
                    self.save()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the sidecar stands after what it remembers.
    fn begin(&mut self, restarts: bool) -> (Machine, Vec<Action>) {
        let reports = self.job.attempt().is_some();
        if let Some(conclusion) = self.memory.conclusion.clone() {
            tracing::info!("restarted: everything is stored");
            return Machine::concluded(conclusion, reports);
        }
        if self.memory.started_at_ms.is_some() {
            tracing::info!("restarted: the process was started");
            self.arm_timeout();
            return Machine::started(reports, restarts);
        }
        Machine::begin(reports, restarts)
    }

    fn fetch(&mut self) {
        self.memory.timings.inputs_at = Some(self.clock.now());
        let (job, events) = (self.job.clone(), self.events.clone());
        self.work.spawn(async move {
            let event = match guarded(async move { job.fetch().await }).await {
                Ok(Ok(())) => Event::InputsReady,
                Ok(Err(failure)) | Err(failure) => Event::Refused(failure),
            };
            let _ = events.send(event);
        });
    }

    fn hear(&mut self, heard: EntryEvent) -> Result<Option<Event>, SidecarError> {
        Ok(match heard {
            EntryEvent::Connected { nonce, argv, state } => {
                self.nonce = Some(nonce);
                self.memory.timings.container_at.get_or_insert(self.clock.now());
                Some(Event::Connected { argv, state })
            }
            EntryEvent::Started => {
                self.memory.timings.started_at.get_or_insert(self.clock.now());
                if let Some(ready) = self.ready_at.take() {
                    self.memory.waiting_ms = milliseconds(ready.elapsed());
                    self.save()?;
                }
                None
            }
            EntryEvent::Exited(end) => Some(Event::Exited(end)),
            EntryEvent::Terminating => {
                tracing::info!("the Pod is being ended");
                Some(Event::Terminating)
            }
            EntryEvent::Lost => Some(Event::Lost),
        })
    }

    async fn perform(&mut self, action: Action) -> Result<(), SidecarError> {
        match action {
            Action::Fetch => self.fetch(),
            Action::Start(argv) => self.start(argv).await?,
            Action::Stop => self.entry.send(LauncherMessage::Stop).await,
            Action::AwaitEntry(absence) => self.later(ABSENCE_LIMIT, Event::Overdue(absence)),
            Action::AwaitStop => self.later(self.args.graces().process + STOP_MARGIN, Event::StopOverdue),
            Action::Store(ending) => self.store(ending)?,
            Action::AskWhy => self.ask_why(),
            Action::Report(conclusion) => self.report(&conclusion)?,
            Action::Acknowledge(Acknowledgement { exit_code, message }) => {
                self.entry.send(LauncherMessage::Acknowledge { exit_code, message }).await;
            }
        }
        Ok(())
    }

    fn store(&mut self, ending: Ending) -> Result<(), SidecarError> {
        self.timers.abort_all();
        // Inputs that are still on their way are for nobody.
        self.work.abort_all();
        self.storing_since = Some(Instant::now());
        let exit_code = ending.exit_code();
        if ending == Ending::Well {
            self.memory.stores += 1;
            self.save()?;
            if self.memory.stores > MAX_STORES {
                let message = format!(
                    "the launcher was killed {MAX_STORES} times while it stored the outputs: if it ran out of memory, \
                     they are larger than its limit allows"
                );
                let given_up = unstored(failure(FailureCause::Infrastructure, message), exit_code);
                let _ = self.events.send(Event::Stored(given_up));
                return Ok(());
            }
        }
        let (job, events) = (self.job.clone(), self.events.clone());
        self.work.spawn(async move {
            let stored = guarded(async move { job.store(ending).await }).await;
            let conclusion = stored.unwrap_or_else(|failure| unstored(failure, exit_code));
            let _ = events.send(Event::Stored(conclusion));
        });
        Ok(())
    }

    async fn start(&mut self, argv: Vec<String>) -> Result<(), SidecarError> {
        let message = match self.job.start(argv) {
            Ok(message) => message,
            Err(failure) => {
                let _ = self.events.send(Event::Refused(failure));
                return Ok(());
            }
        };
        if self.memory.started_at_ms.is_none() {
            self.memory.nonce.clone_from(&self.nonce);
            self.memory.started_at_ms = Some(now_ms());
            self.save()?;
            self.arm_timeout();
        }
        self.entry.send(message).await;
        Ok(())
    }

    /// The timeout counts from the start of the process. What is left of it after a restart is taken from the wall clock.
    fn arm_timeout(&mut self) {
        let (Some(timeout), Some(started)) = (self.job.timeout(), self.memory.started_at_ms) else { return };
        let passed = Duration::from_millis(now_ms().saturating_sub(started));
        self.later(timeout.saturating_sub(passed), Event::TimedOut { seconds: timeout.as_secs() });
    }

    fn report(&mut self, conclusion: &Conclusion) -> Result<(), SidecarError> {
        let Some(attempt) = self.job.attempt() else { return Ok(()) };
        if self.memory.conclusion.is_none() {
            self.memory.conclusion = Some(conclusion.clone());
            self.save()?;
        }
        let Memory { inputs_ms, waiting_ms, running_ms, outputs_ms, .. } = self.memory;
        let phases = Phases { inputs_ms, waiting_ms, running_ms, outputs_ms };
        let report = build(&self.args.pod_uid, attempt, conclusion, phases, self.memory.timings.clone());
        let server = self.api_server();
        let (budget, events) = (Duration::from_secs(self.args.report_budget_seconds), self.events.clone());
        self.work.spawn(async move {
            match Box::pin(server.deliver(&report, budget)).await {
                Ok(()) => tracing::info!(outcome = ?report.outcome, "reported"),
                // Whoever looks for the outcome later finds the manifest.
                Err(error) => tracing::error!("{error}"),
            }
            let _ = events.send(Event::Reported);
        });
        Ok(())
    }

    fn api_server(&self) -> ApiServer {
        ApiServer {
            host: self.args.api_server_host.clone(),
            port: self.args.api_server_port,
            namespace: self.args.namespace.clone(),
            pod_name: self.args.pod_name.clone(),
            pod_dir: self.args.places.pod_dir.clone(),
        }
    }

    /// Without an answer, and where there is no token to ask with, what is being stored goes on while there is time.
    fn ask_why(&mut self) {
        if self.job.attempt().is_none() {
            return;
        }
        let (server, uid, events) = (self.api_server(), self.args.pod_uid.clone(), self.events.clone());
        self.work.spawn(async move {
            match Box::pin(server.find_out_whether_deleted(&uid, WHY_BUDGET)).await {
                Ok(true) => {
                    let _ = events.send(Event::Deleted);
                }
                Ok(false) => tracing::info!("the cluster ends the Pod: outputs are stored while there is time"),
                Err(error) => tracing::warn!("{error}"),
            }
        });
    }

    fn later(&mut self, wait: Duration, event: Event) {
        let events = self.events.clone();
        while self.timers.try_join_next().is_some() {}
        self.timers.spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = events.send(event);
        });
    }

    fn save(&self) -> Result<(), SidecarError> {
        let path = self.args.places.control_dir.clone();
        self.memory_file.save(&self.memory).map_err(|source| SidecarError::Memory { path, source })
    }

    /// Asked to end: after main has gone, or because the sidecar alone is stopped.
    async fn end(mut self, machine: &Machine) {
        self.timers.abort_all();
        self.work.abort_all();
        if machine.is_running() {
            tracing::warn!("asked to end while the process runs");
            if tokio::time::timeout(PARTIAL_LOG_LIMIT, self.job.store_partial_log()).await.is_err() {
                tracing::warn!("the log so far could not be stored in time");
            }
        }
        while self.work.join_next().await.is_some() {}
        if let Some(transfer) = &self.transfer {
            transfer.settle(SETTLE_LIMIT).await;
        }
    }
}

fn now_ms() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
