//! What one line of the tree is about.

use penstock_engine::SkipReason;
use penstock_spec::Timestamp;
use penstock_spec::report::Failure;
use penstock_spec::run::TaskStatus;

/// One node of a run as the tree shows it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Distance from the tasks of the pipeline itself.
    pub(crate) depth: usize,
    /// Name for people.
    pub(crate) name: String,
    /// State.
    pub(crate) status: TaskStatus,
    /// Whether it waits although everything it needs is there: for a free place, or for its next attempt.
    pub(crate) queued: bool,
    /// Whether the result came from the cache.
    pub(crate) cached: bool,
    /// Latest attempt, from 0.
    pub(crate) attempt: Option<u32>,
    /// When the next attempt may start.
    pub(crate) retry_at: Option<Timestamp>,
    /// When it started.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
    /// Why it failed, or why its last attempt did.
    pub(crate) failure: Option<Failure>,
    /// Why it did not run.
    pub(crate) skipped: Option<SkipReason>,
    /// What it waits for while it is at work, one line and inert.
    pub(crate) waits: Option<String>,
    /// Whether the command of an image ran on this machine.
    pub(crate) on_host: bool,
    /// Whether there are rows of what it consists of, so that its failure shows there.
    pub(crate) has_rows_below: bool,
    /// For loops.
    pub(crate) iterations: Option<Counts>,
}

/// How many are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Known in all.
    pub(crate) total: usize,
    /// Ended well, or not to be run.
    pub(crate) done: usize,
    /// Did not run by their condition.
    pub(crate) skipped: usize,
    /// Taken from the cache.
    pub(crate) cached: usize,
    /// At work.
    pub(crate) running: usize,
    /// Ended badly.
    pub(crate) failed: usize,
    /// Stopped.
    pub(crate) canceled: usize,
}

impl Counts {
    /// Counts one.
    pub(crate) fn add(&mut self, status: TaskStatus) {
        self.total += 1;
        match status {
            TaskStatus::Pending => {}
            TaskStatus::Running => self.running += 1,
            TaskStatus::Succeeded => self.done += 1,
            TaskStatus::Skipped => {
                self.done += 1;
                self.skipped += 1;
            }
            TaskStatus::Failed => self.failed += 1,
            TaskStatus::Canceled => self.canceled += 1,
        }
    }

    /// Neither at work nor at an end.
    pub(crate) fn waiting(&self) -> usize {
        self.total.saturating_sub(self.done + self.running + self.failed + self.canceled)
    }
}
