//! Stores the end of the log while the process runs, so that a node that is lost does not take all of it along (F-46).
//!
//! [`Schedule`] decides when, [`Shipping`] does it: one at a time, each within a limit, beside everything else.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use penstock_objectstore::{Transfer, TransferError};
use rand::RngExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::{TAIL, Tail, open, read_tail};
use crate::log_clock::{self, LogClock};
use crate::report::describe;

/// How long the store may take each time.
const LIMIT: Duration = Duration::from_secs(30);
/// How long one that is under way may go on once the whole log is to be stored. Given up earlier it might still arrive,
/// after the whole log and in its place.
const END_LIMIT: Duration = Duration::from_secs(1);
/// By how much of itself a wait is longer or shorter than it says, so that Pods that started together do not go on so.
const SPREAD: f64 = 0.2;

/// When to store the log of a running process next: a value, which looks at no clock and no file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    period: Duration,
    look_at: Instant,
    stored: u64,
}

impl Schedule {
    /// Half a period from `now` for the first time. `jitter`, from 0 to 1, is how much of the spread is taken.
    pub fn new(period: Duration, now: Instant, jitter: f64) -> Schedule {
        Schedule { period, look_at: now + spread(period / 2, jitter), stored: 0 }
    }

    /// When to look at the log.
    pub fn look_at(&self) -> Instant {
        self.look_at
    }

    /// Whether a log of this size is to be stored: something was written since. User code may have made it shorter.
    pub fn is_due(&self, now: Instant, size: u64) -> bool {
        now >= self.look_at && size > 0 && size != self.stored
    }

    /// It was looked at, and stored up to here, if it was.
    pub fn looked(&mut self, now: Instant, stored: Option<u64>, jitter: f64) {
        self.look_at = now + spread(self.period, jitter);
        self.stored = stored.unwrap_or(self.stored);
    }
}

fn spread(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(1.0 + SPREAD * (2.0 * jitter.clamp(0.0, 1.0) - 1.0))
}

fn jitter() -> f64 {
    rand::rng().random_range(0.0..=1.0)
}

/// A log and where it is stored.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Stores it.
    pub transfer: Arc<Transfer>,
    /// Where it is written.
    pub path: PathBuf,
    /// Where it is stored.
    pub uri: String,
}

impl Destination {
    /// Stores the end of the log, and by when that was printed: what became of either.
    pub(super) async fn put_tail(
        &self,
        tail: Tail,
        clock: &LogClock,
    ) -> (Result<(), TransferError>, Result<(), String>) {
        let times = clock.times().await.behind(tail.from());
        tokio::join!(
            self.transfer.put_bytes(&self.uri, tail.bytes),
            log_clock::store(&self.transfer, &times, &self.uri)
        )
    }
}

/// Stores a log until it is ended or dropped.
#[derive(Debug)]
pub struct Shipping {
    stop: oneshot::Sender<()>,
    task: JoinSet<()>,
}

impl Shipping {
    /// Begins.
    pub(super) fn spawn(destination: Destination, clock: Arc<LogClock>, period: Duration) -> Shipping {
        let (stop, stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(ship(destination, clock, period, stopped));
        Shipping { stop, task }
    }

    /// Begins no more and waits a moment for the one that is under way.
    pub async fn end(mut self) {
        drop(self.stop);
        if timeout(END_LIMIT, self.task.join_next()).await.is_err() {
            self.task.abort_all();
        }
    }
}

async fn ship(destination: Destination, clock: Arc<LogClock>, period: Duration, mut stopped: oneshot::Receiver<()>) {
    let mut schedule = Schedule::new(period, Instant::now(), jitter());
    let mut warned = false;
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = sleep_until(schedule.look_at()) => {}
        }
        let stored = match ship_if_due(&destination, &clock, schedule).await {
            Ok(stored) => stored,
            Err(reason) => {
                let uri = &destination.uri;
                match warned {
                    false => tracing::warn!("cannot store the log so far at {uri}, and goes on trying: {reason}"),
                    true => tracing::debug!("cannot store the log so far at {uri}: {reason}"),
                }
                warned = true;
                None
            }
        };
        schedule.looked(Instant::now(), stored, jitter());
    }
}

/// Up to where the log was stored, if it was to be.
async fn ship_if_due(destination: &Destination, clock: &LogClock, schedule: Schedule) -> Result<Option<u64>, String> {
    let path = destination.path.clone();
    // Without a limit of its own: a disk that hangs would take one thread more each time.
    let read = tokio::task::spawn_blocking(move || {
        let mut log = open(&path)?;
        let size = log.metadata().ok()?.len();
        schedule.is_due(Instant::now(), size).then(|| read_tail(&mut log, TAIL))
    });
    let Some(tail) = read.await.map_err(|error| error.to_string())? else { return Ok(None) };
    let tail = tail.map_err(|error| format!("cannot read it: {error}"))?;
    let until = tail.until;
    match timeout(LIMIT, destination.put_tail(tail, clock)).await {
        Ok((Ok(()), Ok(()))) => Ok(Some(until)),
        Ok((Ok(()), Err(reason))) => Err(format!("its times: {reason}")),
        Ok((Err(error), _)) => Err(describe(&error)),
        Err(_) => Err(format!("the store did not take it within {} s", LIMIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn first_look_comes_after_half_a_period_and_the_next_after_a_whole_one() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD, start, 0.5);
        assert_eq!(schedule.look_at(), start + seconds(30));
        assert!(!schedule.is_due(start + seconds(29), 1));
        assert!(schedule.is_due(start + seconds(30), 1));
        schedule.looked(start + seconds(32), Some(1), 0.5);
        assert_eq!(schedule.look_at(), start + seconds(92));
        assert!(!schedule.is_due(start + seconds(91), 2));
        assert!(schedule.is_due(start + seconds(92), 2));
    }

    #[test]
    fn only_a_log_that_has_changed_is_stored() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD, start, 0.0);
        let late = start + 100 * PERIOD;
        assert!(!schedule.is_due(late, 0), "nothing was written");
        schedule.looked(start, Some(7), 0.0);
        assert!(!schedule.is_due(late, 7));
        assert!(schedule.is_due(late, 8) && schedule.is_due(late, 3));
    }

    #[test]
    fn what_could_not_be_stored_is_due_again_a_period_later() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD, start, 0.5);
        schedule.looked(start + seconds(60), None, 0.5);
        assert!(!schedule.is_due(start + seconds(119), 1));
        assert!(schedule.is_due(start + seconds(120), 1));
    }

    #[test]
    fn waits_are_spread_by_a_fifth() {
        let start = Instant::now();
        for (jitter, first) in [(-1.0, 24), (0.0, 24), (1.0, 36), (9.0, 36)] {
            assert_eq!(Schedule::new(PERIOD, start, jitter).look_at(), start + seconds(first), "{jitter}");
        }
    }
}
