//! Logs of running attempts as files of this machine: what is new in them is read from time to time. Of an attempt that is a
//! Pod, the file is a mirror of the Pod's log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, SeekFrom};
use std::time::{Duration, Instant};

use penstock_engine::{Fact, NodeId, NodeView, RunState};
use penstock_spec::run::TaskStatus;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::follow::Logs;
use crate::abandoned::DriverWatch;
use crate::attempt_log::AttemptLog;
use crate::context::Context;
use crate::feed::Feed;
use crate::log_printer::LogPrinter;
use crate::pod_logs::{Mirror, PodAttempt, PodLogs};
use crate::progress::Stream;
use crate::text::inert;
use crate::waiting::{self, Waits};

/// Bytes read from one file before the next has its turn.
const TURN: u64 = 256 * 1024;
/// Longest wait for the end of a Pod's log once its attempt has ended.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// An attempt, from 0, of a task.
type Key = (NodeId, u32);

/// How far the log of an attempt was printed.
struct Cursor {
    log: AttemptLog,
    offset: u64,
    printer: LogPrinter,
    path: String,
    /// If it is a Pod's.
    mirror: Option<Mirror>,
    /// When its attempt was seen to have ended.
    over_since: Option<Instant>,
}

impl Cursor {
    /// Whether everything is there that will be: the attempt has ended, and with it the Pod's log.
    fn is_complete(&self, now: Instant) -> bool {
        let Some(since) = self.over_since else { return false };
        let late = || now.saturating_duration_since(since) >= SETTLE_LIMIT;
        self.mirror.as_ref().is_none_or(|mirror| mirror.is_finished() || late())
    }
}

/// Reads the files of attempts.
pub(super) struct Files<'a> {
    context: &'a Context,
    pods: Option<&'a PodLogs<'a>>,
    with_times: bool,
    driver: DriverWatch,
    cursors: BTreeMap<Key, Cursor>,
    finished: BTreeSet<Key>,
    /// Attempts after which there is another, and where their logs are.
    failed: BTreeMap<Key, Option<String>>,
    waits: Waits<Key>,
}

impl<'a> Files<'a> {
    /// For a run of this data directory.
    pub(super) fn new(context: &'a Context, pods: Option<&'a PodLogs<'a>>, with_times: bool) -> Self {
        Self {
            context,
            pods,
            with_times,
            driver: DriverWatch::new(context),
            cursors: BTreeMap::new(),
            finished: BTreeSet::new(),
            failed: BTreeMap::new(),
            waits: Waits::default(),
        }
    }
}

impl Logs for Files<'_> {
    fn note(&mut self, fact: &Fact) {
        if let Fact::AttemptFailed { node, attempt, log_uri, .. } = fact {
            self.failed.insert((*node, *attempt), log_uri.clone());
        }
    }

    async fn begin(&mut self, state: &RunState, view: &NodeView<'_>, several: bool) -> anyhow::Result<()> {
        let id = view.id;
        let mut attempts: Vec<u32> =
            self.failed.range((id, 0)..=(id, u32::MAX)).map(|((_, attempt), _)| *attempt).collect();
        attempts.extend(view.attempt.filter(|latest| !attempts.contains(latest)));
        for attempt in attempts {
            let key = (id, attempt);
            if self.finished.contains(&key) || self.cursors.contains_key(&key) {
                continue;
            }
            let path = state.path(id);
            let Some(mut log) = AttemptLog::new(self.context, state, id, attempt, None) else { continue };
            let mut mirror = None;
            let (over, stored) = self.end_of(view, attempt);
            if let Some(pods) = self.pods
                && let Some(pod) = PodAttempt::new(state, id, attempt)
            {
                log.local = pods.path(&pod);
                if !over || stored.is_none() {
                    mirror = Some(pods.mirror(&pod, self.with_times).await?);
                }
            }
            let printer = LogPrinter::new(several.then(|| inert(&path)), self.with_times);
            self.cursors.insert(key, Cursor { log, offset: 0, printer, path, mirror, over_since: None });
        }
        Ok(())
    }

    async fn read(&mut self, state: &RunState) -> anyhow::Result<()> {
        let now = Instant::now();
        let keys: Vec<Key> = self.cursors.keys().copied().collect();
        for key in keys {
            let (over, stored) = state.node(key.0).map_or((true, None), |view| self.end_of(&view, key.1));
            let Some(cursor) = self.cursors.get_mut(&key) else { continue };
            if over {
                cursor.log.stored = stored;
                cursor.over_since.get_or_insert(now);
            }
            let complete = cursor.is_complete(now);
            read_on(self.context, cursor, complete).await?;
            if complete {
                self.cursors.remove(&key);
                self.finished.insert(key);
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.cursors.is_empty()
    }

    fn has_begun(&self) -> bool {
        !self.cursors.is_empty() || !self.finished.is_empty()
    }

    async fn wait(&mut self, feed: &mut Feed) -> anyhow::Result<()> {
        if !feed.state().status().is_final() {
            self.driver.check(feed).await?;
        }
        self.say_what_is_waited_for();
        feed.tick().await;
        Ok(())
    }
}

impl Files<'_> {
    /// Whether an attempt has ended, and where its log is then.
    fn end_of(&self, view: &NodeView<'_>, attempt: u32) -> (bool, Option<String>) {
        if let Some(stored) = self.failed.get(&(view.id, attempt)) {
            return (true, stored.clone());
        }
        // While an attempt runs, the state still knows the log of the one before.
        match view.attempt == Some(attempt) {
            true if view.status == TaskStatus::Running => (false, None),
            true => (true, view.log_uri().map(str::to_owned)),
            false => (true, None),
        }
    }

    /// Says which Pods have not started, and why.
    fn say_what_is_waited_for(&mut self) {
        let waiting = self.cursors.iter().filter(|(_, cursor)| cursor.over_since.is_none());
        let waiting = waiting.filter_map(|(key, cursor)| Some((*key, cursor.mirror.as_ref()?.waits()?))).collect();
        for (reason, keys) in self.waits.due(Instant::now(), &waiting) {
            let paths = keys.iter().filter_map(|key| Some(self.cursors.get(key)?.path.clone()));
            Stream::Err.print(&format!("{}\n", waiting::sentence(&paths.collect::<Vec<_>>(), &reason)));
        }
    }
}

/// Prints what is new from the store: the file goes once the attempt has succeeded, and that of a Pod's log may have been
/// cut short.
async fn read_rest(context: &Context, cursor: &mut Cursor) -> anyhow::Result<()> {
    let goes_on = match &cursor.mirror {
        Some(mirror) if cursor.offset > 0 => {
            let goes_on = cursor.log.goes_on_from(context, cursor.offset).await?;
            if !goes_on && !mirror.is_whole() {
                let path = inert(&cursor.path);
                Stream::Err.print(&format!("a part of the log of {path} is missing here; it is whole without -f\n"));
            }
            goes_on
        }
        _ => true,
    };
    if goes_on {
        cursor.log.copy_stored(context, cursor.offset, &mut cursor.printer).await?;
    }
    Ok(cursor.printer.sink().shutdown().await?)
}

/// Prints what is new; all of it when the attempt is over.
async fn read_on(context: &Context, cursor: &mut Cursor, over: bool) -> anyhow::Result<()> {
    let mut file = match tokio::fs::File::open(&cursor.log.local).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if over {
                read_rest(context, cursor).await?;
            }
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    // What it does not have yet of what is printed now is from now.
    if cursor.printer.wants_times() && file.metadata().await?.len() > cursor.offset {
        cursor.log.tell_local_times(&mut cursor.printer, true).await?;
    }
    file.seek(SeekFrom::Start(cursor.offset)).await?;
    let mut turn = file.take(if over { u64::MAX } else { TURN });
    let mut buffer = vec![0; 64 * 1024];
    let mut sink = cursor.printer.sink();
    loop {
        let count = turn.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        cursor.offset += count as u64;
        sink.write_all(buffer.get(..count).unwrap_or_default()).await?;
    }
    if !over {
        return Ok(sink.flush().await?);
    }
    if cursor.mirror.is_some() {
        return read_rest(context, cursor).await;
    }
    Ok(sink.shutdown().await?)
}
