//! Makes the runs of recurring runs as they become due.
//!
//! The run of a slot is handed to whoever makes runs, with a claim on the slot. The store takes both or neither: the recurring
//! run must stand where the claim says, and be as it was when the slot followed from it. Whoever dies before that has done
//! nothing; whoever finds that another process was faster, or that somebody has changed the recurring run, looks again.

mod backfill;
mod making;
mod refused;
mod retries;

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt as _;
use penstock_metastore::{Change, Listed, MetastoreError, ScheduleState, WaitingSlot};
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::Timestamp;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::api::Api;
use crate::recurring::naming;
use crate::schedule::{Progress, Schedule, TriggerError};
pub(crate) use backfill::{Filled, fill};
use making::{FiringError, Outcome, make};
pub(crate) use making::{Slot, submission};
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
    /// The same for slots that passed without a run.
    retries_of_past: Retries,
    /// Rows that could not be read and were reported.
    reported: HashSet<String>,
}

/// A slot whose time has come.
#[derive(Debug)]
struct Due {
    state: ScheduleState,
    slot: Timestamp,
}

/// What a look at the recurring runs has shown.
#[derive(Debug)]
struct Looked {
    due: Vec<Due>,
    /// How long nothing else is due.
    sleep: Duration,
    /// Those of which it cannot be told when they are due.
    broken: Vec<(ScheduleState, TriggerError)>,
}

impl Clockwork {
    fn new(api: Api) -> Self {
        let (retries, retries_of_past) = (Retries::default(), Retries::default());
        Self { api, retries, retries_of_past, reported: HashSet::new() }
    }

    /// Fires at most one slot of each recurring run, and then at most one of each that passed and for which somebody wants a
    /// run. Returns how long nothing more is to do.
    async fn turn(&mut self, now: Timestamp) -> Duration {
        let sleep = self.fire_due(now).await;
        sleep.min(self.fill_past(now).await)
    }

    async fn fire_due(&mut self, now: Timestamp) -> Duration {
        let schedules = match self.api.metastore().enabled_schedules().await {
            Ok(schedules) => schedules,
            Err(error) => {
                tracing::error!(error = chain(&error), "cannot read the recurring runs");
                return LONGEST_SLEEP;
            }
        };
        let Looked { due, mut sleep, broken } = self.due(schedules, now);
        let api = &self.api;
        for (state, error) in broken {
            note(api, &state, error.to_string()).await;
        }
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
                Ok(Outcome::Held) => HELD_SLEEP,
                // It may be due at another time now.
                Ok(Outcome::Gone) => Duration::ZERO,
                Err(error) => {
                    note(api, &state, chain(&error)).await;
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
    fn due(&mut self, schedules: Vec<Listed<ScheduleState>>, now: Timestamp) -> Looked {
        let (mut due, mut sleep, mut broken) = (Vec::new(), LONGEST_SLEEP, Vec::new());
        let mut seen = HashSet::new();
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
                Ok(Some(slot)) if slot <= now && retry.is_zero() => due.push(Due { state, slot }),
                Ok(Some(slot)) => sleep = sleep.min(until(slot, now).max(retry)),
                Ok(None) => {}
                Err(error) => broken.push((state, error)),
            }
        }
        self.retries.retain(&seen);
        Looked { due, sleep, broken }
    }

    /// Makes runs of slots that passed without one, as far as there is room.
    async fn fill_past(&mut self, now: Timestamp) -> Duration {
        let waiting = match self.api.metastore().waiting_slots().await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(error = chain(&error), "cannot read which slots wait for room");
                return LONGEST_SLEEP;
            }
        };
        let waiting: Vec<_> = waiting.into_iter().filter_map(Listed::readable).collect();
        let seen = waiting.iter().map(|waiting| waiting.recurring).collect();
        self.retries_of_past.retain(&seen);
        let (mut sleep, mut ready) = (LONGEST_SLEEP, Vec::new());
        for waiting in waiting {
            match self.retries_of_past.wait(waiting.recurring, now) {
                Duration::ZERO => ready.push(waiting),
                wait => sleep = sleep.min(wait),
            }
        }
        let api = &self.api;
        let filling = futures::stream::iter(ready).map(|WaitingSlot { recurring, slot }| async move {
            let filled = tokio::time::timeout(FIRING, fill(api, recurring, slot)).await;
            (recurring, slot, filled.unwrap_or(Err(FiringError::Late)))
        });
        let filled: Vec<_> = Box::pin(filling.buffer_unordered(AT_A_TIME)).collect().await;
        for (recurring, slot, filled) in filled {
            let wait = match filled {
                Ok(Filled::Run(_) | Filled::Gone) => {
                    self.retries_of_past.succeeded(recurring);
                    Duration::ZERO
                }
                Ok(Filled::Held) => HELD_SLEEP,
                Err(error) => {
                    let wait = self.retries_of_past.failed(recurring, now);
                    tracing::warn!(
                        recurring_run.id = %recurring, slot = %slot, error = chain(&error), retry_s = wait.as_secs(),
                        "the run of a slot that passed could not be made; it is tried again"
                    );
                    wait
                }
            };
            sleep = sleep.min(wait);
        }
        sleep
    }

    /// The slot that fires next. What was stored was understood then; this build may not.
    fn slot(&self, state: &ScheduleState, now: Timestamp) -> Result<Option<Timestamp>, TriggerError> {
        let schedule = Schedule::new(&state.trigger, state.no_catchup, &self.api.schedule_zone())?;
        Ok(schedule.next(&Progress::new(state.created_at, state.last_fired, state.counts_from, now), now))
    }
}

/// How long until a time.
fn until(time: Timestamp, now: Timestamp) -> Duration {
    time.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}

/// Notes why a slot does not fire, where people look.
async fn note(api: &Api, state: &ScheduleState, error: String) {
    if state.error.as_deref() == Some(&error) {
        return;
    }
    if let Err(failure) = api.metastore().note_recurring_run_error(state, Some(error)).await {
        tracing::warn!(recurring_run.id = %state.id, error = chain(&failure), "cannot note why a slot did not fire");
    }
}

/// Makes the run of a slot.
async fn fire(api: &Api, Due { state, slot }: &Due) -> Result<Outcome, FiringError> {
    let store = api.metastore();
    let recurring = match store.recurring_run(state.id).await {
        // It may have been changed since, and then it is due at other times.
        Ok(recurring)
            if recurring.enabled && recurring.fired == state.fired && recurring.revision == state.revision =>
        {
            recurring
        }
        Ok(_) | Err(MetastoreError::NotFound { .. }) => return Ok(Outcome::Gone),
        Err(error) => return Err(error.into()),
    };
    let index = state.fired.saturating_add(1);
    let name = naming::display_name(&recurring.run_name, index);
    let run = naming::run_id(state.id, &name);
    if let Some(made_for) = slot_of(api, run).await? {
        return pass_over(api, state, made_for).await;
    }
    let outcome = make(api, recurring, (run, name), Slot::Due { index, at: *slot }).await?;
    if outcome == Outcome::Fired {
        tracing::info!(recurring_run.id = %state.id, run.id = %run, slot = %slot, "a recurring run has fired");
    }
    Ok(outcome)
}

/// Counts a slot whose run is there already, of an earlier build, which stored the two apart. Where the run was made for a
/// slot that the schedule has left behind, since it was changed, only the number is taken.
async fn pass_over(api: &Api, state: &ScheduleState, made_for: Timestamp) -> Result<Outcome, FiringError> {
    let fired = state.last_fired.map_or(made_for, |last| last.max(made_for));
    let moved = api.metastore().advance_recurring_run(state.id, state.fired, fired).await?;
    Ok(if moved { Outcome::Fired } else { Outcome::Gone })
}

/// The slot of a run that is there already.
async fn slot_of(api: &Api, run: Uuid) -> Result<Option<Timestamp>, MetastoreError> {
    match api.metastore().run(run).await {
        Ok(row) => Ok(Some(row.info.scheduled_at)),
        Err(MetastoreError::NoSuchRun { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
