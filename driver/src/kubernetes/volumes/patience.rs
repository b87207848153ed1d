//! How an attempt waits for the API server: with a reason that is shown, within a bound, and not when it is to stop.

use std::time::Duration;

use penstock_spec::report::FailureCause;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use crate::kubernetes::attempt::{End, requested};
use crate::kubernetes::backoff::Backoff;
use crate::kubernetes::run::Waiting;

/// The waits of one attempt for one thing.
pub(in crate::kubernetes) struct Patience<'a> {
    stop: &'a mut watch::Receiver<bool>,
    waiting: &'a mut Waiting,
    task_path: &'a str,
    since: Instant,
    limit: Duration,
    backoff: Backoff,
}

impl<'a> Patience<'a> {
    pub(in crate::kubernetes) fn new(
        stop: &'a mut watch::Receiver<bool>,
        waiting: &'a mut Waiting,
        task_path: &'a str,
        limit: Duration,
    ) -> Patience<'a> {
        Patience { stop, waiting, task_path, since: Instant::now(), limit, backoff: Backoff::default() }
    }

    /// An attempt that is to stop ends here.
    pub(in crate::kubernetes) fn check_stop(&self) -> Result<(), End> {
        if *self.stop.borrow() { Err(End::canceled()) } else { Ok(()) }
    }

    /// Waits before the next try; at least what the server asked for.
    pub(in crate::kubernetes) async fn pause(&mut self, reason: String, asked: Option<Duration>) -> Result<(), End> {
        if self.since.elapsed() >= self.limit {
            let text = format!("{reason} (given up after {} s)", self.limit.as_secs());
            return Err(End::lost(FailureCause::Infrastructure, text));
        }
        if self.waiting.say(Some(reason.clone())) {
            info!(task.path = self.task_path, reason, "the task waits");
        }
        let stopped = tokio::time::timeout(self.backoff.next(asked), requested(self.stop)).await.is_ok();
        if stopped { Err(End::canceled()) } else { Ok(()) }
    }

    /// What was waited for is there.
    pub(in crate::kubernetes) fn over(&mut self) {
        self.waiting.say(None);
    }
}
