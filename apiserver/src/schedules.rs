//! Makes the runs of recurring runs as they become due.
//!
//! A slot fires in two steps: its run is handed to whoever makes runs, under an id that follows from the recurring run and
//! the number of the slot, and then the recurring run is moved on to the next number, if it still stands at this one. Who
//! dies between the two, or finds that another process was faster, does it again and makes the same run, which is there
//! already. Making a run needs checks that the store cannot make, so the two are not one transaction.

mod refused;
mod retries;

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt as _;
use penstock_metastore::{
    Change, Listed, MetastoreError, RecurringRun, RecurringSource, RunRegistration, ScheduleState,
};
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::Timestamp;
use penstock_spec::run::{CacheOff, CacheRules};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::api::Api;
use crate::caching::{self, CachingError};
use crate::recurring::naming;
use crate::runs::{NewSubmission, SubmissionError};
use crate::schedule::{Progress, Schedule, TriggerError};
use retries::Retries;

/// Longest sleep: other processes change recurring runs too, and clocks are set.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// Sleep while due slots wait for earlier runs to end.
const HELD_SLEEP: Duration = Duration::from_secs(1);
/// Longest time to make one run.
const FIRING: Duration = Duration::from_secs(60);
/// Runs that are made at a time.
const AT_A_TIME: usize = 8;

/// Fires what is due until the end is asked for.
pub async fn run(api: Api, shutdown: Shutdown) {
    let mut clockwork = Clockwork::new(api.clone());
    let mut changes = api.metastore().subscribe();
    loop {
        // Dropped in the middle, it is taken up by the next start.
        let sleep = tokio::select! {
            sleep = clockwork.turn(Timestamp::now()) => sleep,
            () = shutdown.requested() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = api.schedule_changes().notified() => {}
            () = recurring_runs_changed(&mut changes) => {}
            () = shutdown.requested() => return,
        }
    }
}

/// Waits until a recurring run was changed, by other processes too where the store tells.
async fn recurring_runs_changed(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::RecurringRunsChanged) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            // The store is closed, and tells nothing any more.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// What is remembered from one turn to the next.
#[derive(Debug)]
struct Clockwork {
    api: Api,
    retries: Retries,
    /// Rows that could not be read and were reported.
    reported: HashSet<String>,
}

/// A slot whose time has come.
#[derive(Debug)]
struct Due {
    state: ScheduleState,
    slot: Timestamp,
}

/// What has become of a slot.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Fired,
    /// As many runs as may be are under way.
    Held,
    /// It is no longer to fire here.
    Gone,
}

/// A slot could not fire.
#[derive(Debug, thiserror::Error)]
enum FiringError {
    #[error(transparent)]
    Store(#[from] MetastoreError),
    #[error("its run was refused")]
    Submission(#[source] SubmissionError),
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    #[error("its run was not made within {} s", FIRING.as_secs())]
    Late,
}

impl Clockwork {
    fn new(api: Api) -> Self {
        Self { api, retries: Retries::default(), reported: HashSet::new() }
    }

    /// Fires at most one slot of each recurring run. Returns how long nothing more is to do.
    async fn turn(&mut self, now: Timestamp) -> Duration {
        let schedules = match self.api.metastore().enabled_schedules().await {
            Ok(schedules) => schedules,
            Err(error) => {
                tracing::error!(error = chain(&error), "cannot read the recurring runs");
                return LONGEST_SLEEP;
            }
        };
        let (due, mut sleep) = self.due(schedules, now);
        let api = &self.api;
        let firing = futures::stream::iter(due).map(|due| async {
            let outcome = tokio::time::timeout(FIRING, fire(api, &due)).await.unwrap_or(Err(FiringError::Late));
            (due, outcome)
        });
        let fired: Vec<_> = Box::pin(firing.buffer_unordered(AT_A_TIME)).collect().await;
        for (Due { state, slot }, outcome) in fired {
            let wait = match outcome {
                Ok(Outcome::Fired) => {
                    self.retries.succeeded(state.id);
                    // Another slot may be due.
                    Duration::ZERO
                }
                Ok(Outcome::Held | Outcome::Gone) => HELD_SLEEP,
                Err(error) => {
                    let wait = self.retries.failed(state.id, now);
                    tracing::warn!(
                        recurring_run.id = %state.id, slot = %slot, error = chain(&error), retry_s = wait.as_secs(),
                        "a slot of a recurring run could not fire; it is tried again"
                    );
                    wait
                }
            };
            sleep = sleep.min(wait);
        }
        sleep
    }

    /// What is due, and how long the rest is not.
    fn due(&mut self, schedules: Vec<Listed<ScheduleState>>, now: Timestamp) -> (Vec<Due>, Duration) {
        let (mut due, mut sleep, mut seen) = (Vec::new(), LONGEST_SLEEP, HashSet::new());
        for row in schedules {
            let state = match row {
                Listed::Readable(state) => state,
                Listed::Unreadable(row) => {
                    if self.reported.insert(row.row.clone()) {
                        tracing::error!(
                            recurring_run.id = row.row,
                            reason = row.reason,
                            "a recurring run cannot be read and does not fire; delete it and create it anew"
                        );
                    }
                    continue;
                }
            };
            seen.insert(state.id);
            let retry = self.retries.wait(state.id, now);
            match self.slot(&state, now) {
                Some(slot) if slot <= now && retry.is_zero() => due.push(Due { state, slot }),
                Some(slot) => sleep = sleep.min(until(slot, now).max(retry)),
                None => {}
            }
        }
        self.retries.retain(&seen);
        (due, sleep)
    }

    /// The slot that fires next. What was stored was understood then; a build that does not is told of once.
    fn slot(&mut self, state: &ScheduleState, now: Timestamp) -> Option<Timestamp> {
        match Schedule::new(&state.trigger, state.no_catchup, &self.api.schedule_zone()) {
            Ok(schedule) => schedule.next(&Progress { created_at: state.created_at, last: state.last_fired }, now),
            Err(error) => {
                if self.reported.insert(state.id.to_string()) {
                    tracing::error!(recurring_run.id = %state.id, error = %error, "a recurring run does not fire");
                }
                None
            }
        }
    }
}

/// How long until a time.
fn until(time: Timestamp, now: Timestamp) -> Duration {
    time.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}

/// Makes the run of a slot and moves on.
async fn fire(api: &Api, Due { state, slot }: &Due) -> Result<Outcome, FiringError> {
    let store = api.metastore();
    let index = state.fired.saturating_add(1);
    let recurring = match store.recurring_run(state.id).await {
        // It may have been changed since, and then it is due at other times.
        Ok(recurring)
            if recurring.enabled && recurring.fired == state.fired && recurring.last_fired == state.last_fired =>
        {
            recurring
        }
        Ok(_) | Err(MetastoreError::NotFound { .. }) => return Ok(Outcome::Gone),
        Err(error) => return Err(error.into()),
    };
    let name = naming::display_name(&recurring.run_name, index);
    let run = naming::run_id(state.id, &name);
    let mut made_for = slot_of(api, run).await?;
    if made_for.is_none() {
        if store.active_runs_of(state.id).await? >= u64::from(state.max_concurrency) {
            return Ok(Outcome::Held);
        }
        let submission = submission(api, recurring, run, name, Slot::Due { index, at: *slot }).await?;
        match api.submission().submit(submission.clone()).await {
            Ok(()) => {}
            // Tried again, it would hold up all slots behind it for ever.
            Err(error) if refused::is_for_good(&error) => {
                let reason = chain(&error);
                tracing::error!(
                    recurring_run.id = %state.id, run.id = %run, slot = %slot, error = reason,
                    "the run of a recurring run was refused; it is stored as failed, and the next slots go on"
                );
                refused::store(api, submission, reason).await?;
            }
            // Another process was faster.
            Err(SubmissionError::Metastore(MetastoreError::RunExists { .. })) => made_for = slot_of(api, run).await?,
            Err(error) => return Err(FiringError::Submission(error)),
        }
    }
    // Without catching up, what is due by now may be a later slot than the one that the run was made for.
    let is_between = |made: &Timestamp| made < slot && state.last_fired.is_none_or(|last| last < *made);
    let fired = made_for.filter(is_between).unwrap_or(*slot);
    if store.advance_recurring_run(state.id, state.fired, fired).await? {
        tracing::info!(recurring_run.id = %state.id, run.id = %run, slot = %fired, "a recurring run has fired");
    }
    Ok(Outcome::Fired)
}

/// The slot of a run that is there already: an earlier process died before it moved on.
async fn slot_of(api: &Api, run: Uuid) -> Result<Option<Timestamp>, MetastoreError> {
    match api.metastore().run(run).await {
        Ok(row) => Ok(Some(row.info.scheduled_at)),
        Err(MetastoreError::NoSuchRun { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a run of a recurring run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A slot that is due.
    Due {
        /// Its number.
        index: u64,
        /// Its time.
        at: Timestamp,
    },
    /// A slot that passed without a run. Nobody has counted it.
    Past(Timestamp),
    /// None: somebody wants it now.
    Now,
}

/// A run of a recurring run.
pub(crate) async fn submission(
    api: &Api,
    recurring: RecurringRun,
    id: Uuid,
    display_name: String,
    slot: Slot,
) -> Result<NewSubmission, MetastoreError> {
    let (parameters, scheduled_at) = match slot {
        Slot::Due { index, at } => (naming::with_index(recurring.parameters, index), Some(at)),
        Slot::Past(at) => (recurring.parameters, Some(at)),
        Slot::Now => (recurring.parameters, None),
    };
    let (pipeline_text, pipeline, version) = match recurring.source {
        RecurringSource::Version { pipeline, version, text } => (text, Some(pipeline), Some(version)),
        RecurringSource::Inline(text) => (text, None, None),
        RecurringSource::Latest(pipeline) => {
            let latest = api.metastore().latest_version(pipeline).await?;
            (latest.pipeline_text, Some(pipeline), Some(latest.id))
        }
    };
    let registration = RunRegistration {
        experiment: Some(recurring.experiment),
        description: String::new(),
        pipeline,
        version,
        recurring_run: Some(recurring.id),
        pipeline_root: recurring.pipeline_root.clone(),
        plugins_input: recurring.plugins_input,
    };
    let cache = match caching::rules(api, &registration).await {
        Ok(rules) => rules,
        Err(CachingError::Store(error)) => return Err(error),
        // Checked when it was created, unless an earlier build did that: nothing old is taken then.
        Err(CachingError::Wish(_)) => CacheRules { off: Some(CacheOff::Run), ..CacheRules::default() },
    };
    Ok(NewSubmission {
        id,
        pipeline_text,
        parameters,
        display_name,
        namespace: recurring.namespace,
        pipeline_root: Some(recurring.pipeline_root).filter(|root| !root.is_empty()),
        service_account: recurring.service_account,
        scheduled_at,
        cache,
        registration,
    })
}

#[cfg(test)]
mod tests;
