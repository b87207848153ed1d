//! When a recurring run is due, and runs that are made out of turn: now, or for slots that have passed without one.

use std::collections::BTreeSet;

use axum::extract::Path;
use penstock_metastore::{
    Comparison, Listed, Listing, MetastoreError, Operand, Predicate, RecurringRun, RunField, Trigger,
};
use penstock_runtime::logs::chain;
use penstock_spec::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{trigger, wanted};
use crate::api::Api;
use crate::error::ApiError;
use crate::recurring::naming;
use crate::router::{Access, Public};
use crate::routes::runs::{refused, shown};
use crate::schedule::{Progress, Schedule};
use crate::schedules::{Filled, Slot, fill, submission};
use crate::wire::{Query, Reply, RequestBody, time};

/// Times that are told when the request does not say how many, and at most.
const TIMES: i64 = 5;
const MOST_TIMES: i64 = 100;
/// Runs that one request makes, at most.
const MOST_RUNS: usize = 100;
/// Slots of a recurring run that wait for room, at most.
const MOST_WAITING: usize = 1000;
/// Runs that are looked at in one step.
const PAGE: u32 = 200;

/// `GET /recurringruns/{id}/next?count=`
pub(super) async fn next(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let next = async {
        let count = count(i64::from(query.integer("count")?))?;
        let (api, recurring) = access.recurring_run(&id).await?;
        let progress = progress(&recurring);
        let next = times(&schedule(&api, &recurring.trigger, recurring.no_catchup)?, progress, count);
        let waiting = api.metastore().waiting_slots_of(recurring.id).await?;
        Ok(next.list("waiting_times", waiting.into_iter().map(shown_time)))
    };
    next.await.map_err(|error: ApiError| error.within("Failed to tell when a recurring run is due"))
}

/// `POST /recurringruns:preview`
pub(super) async fn preview(Public(api): Public, body: RequestBody) -> Result<Reply, ApiError> {
    let preview = || {
        let (trigger, no_catchup, asked) = body.read(|fields| {
            let trigger = fields.message("trigger", trigger)?.unwrap_or(Trigger::Once);
            Ok((trigger, fields.boolean("no_catchup")?, fields.integer("count")?))
        })?;
        let now = Timestamp::now();
        let schedule = wanted(&api, &trigger, no_catchup, now)?;
        Ok(times(&schedule, Progress { created_at: now, last: None, counts_from: None }, count(asked)?))
    };
    preview().map_err(|error: ApiError| error.within("Failed to tell when a trigger is due"))
}

fn count(asked: i64) -> Result<usize, ApiError> {
    let count = if asked == 0 { TIMES } else { asked };
    match usize::try_from(count) {
        Ok(number) if count <= MOST_TIMES => Ok(number),
        _ => Err(ApiError::invalid(format!("count must be at least 1 and at most {MOST_TIMES}. Received {asked}"))),
    }
}

fn progress(recurring: &RecurringRun) -> Progress {
    Progress::new(recurring.created_at, recurring.last_fired, recurring.counts_from, Timestamp::now())
}

fn schedule(api: &Api, trigger: &Trigger, no_catchup: bool) -> Result<Schedule, ApiError> {
    Schedule::new(trigger, no_catchup, &api.schedule_zone()).map_err(|error| ApiError::invalid(error.to_string()))
}

fn times(schedule: &Schedule, progress: Progress, count: usize) -> Reply {
    let times = schedule.upcoming(progress, Timestamp::now()).take(count);
    Reply::new().list("next_times", times.map(shown_time))
}

/// `POST /recurringruns/{id}:run`
pub(super) async fn run_now(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let run = async {
        let (api, recurring) = access.recurring_run(&id).await?;
        let run = Uuid::new_v4();
        let name = format!("{}{}", now_prefix(&recurring), run.simple());
        let wanted = submission(&api, recurring, run, name, Slot::Now).await?;
        api.submission().submit(wanted).await.map_err(refused)?;
        shown(&api, &api.metastore().run_record(run).await?)
    };
    run.await.map_err(|error: ApiError| error.within("Failed to run a recurring run now"))
}

/// What the names of such runs begin with.
fn now_prefix(recurring: &RecurringRun) -> String {
    format!("{}-now-", recurring.run_name)
}

/// `POST /recurringruns/{id}:backfill`
pub(super) async fn backfill(access: Access, Path(id): Path<String>, body: RequestBody) -> Result<Reply, ApiError> {
    let backfill = async {
        let (start, end) = body.read(|fields| Ok((fields.time("start_time")?, fields.time("end_time")?)))?;
        let (Some(start), Some(end)) = (start, end) else {
            return Err(ApiError::invalid("say from when to when: start_time and end_time are needed"));
        };
        if end < start {
            return Err(ApiError::invalid(format!("end_time {end} is before start_time {start}")));
        }
        let (api, recurring) = access.recurring_run(&id).await?;
        let mut slots = missed(&api, &recurring, start, end).await?;
        let waiting = api.metastore().waiting_slots_of(recurring.id).await?;
        if slots.len() + waiting.len() > MOST_WAITING {
            return Err(ApiError::invalid(format!(
                "{} slots wait for room already, and at most {MOST_WAITING} can: ask again when fewer do",
                waiting.len()
            )));
        }
        api.metastore().queue_slots(recurring.id, &slots).await?;
        slots.extend(waiting.into_iter().filter(|slot| (start..=end).contains(slot)));
        slots.sort_unstable();
        let made = make(&api, &recurring, &slots).await?;
        let waiting = api.metastore().waiting_slots_of(recurring.id).await?;
        let waiting = waiting.into_iter().filter(|slot| (start..=end).contains(slot));
        Ok(Reply::new().list("runs", made).list("waiting_times", waiting.map(shown_time)))
    };
    backfill.await.map_err(|error: ApiError| error.within("Failed to backfill a recurring run"))
}

/// `DELETE /recurringruns/{id}/backfill`: lets no slot wait any more.
pub(super) async fn cancel(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let cancel = async {
        let (api, recurring) = access.recurring_run(&id).await?;
        api.metastore().cancel_slots(recurring.id).await?;
        Ok(Reply::new())
    };
    cancel.await.map_err(|error: ApiError| error.within("Failed to end the backfill of a recurring run"))
}

fn shown_time(at: Timestamp) -> Value {
    Value::String(time::format(at))
}

/// Makes the runs of slots that wait, as far as there is room for them now; returns those that there are then. Whoever fires
/// what is due makes them too, and may be faster.
async fn make(api: &Api, recurring: &RecurringRun, slots: &[Timestamp]) -> Result<Vec<Reply>, ApiError> {
    for slot in slots {
        match fill(api, recurring.id, *slot).await {
            Ok(Filled::Run(_) | Filled::Gone) => {}
            Ok(Filled::Held) => break,
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(recurring_run.id = %recurring.id, slot = %slot, error, "a slot goes on waiting for its run");
                break;
            }
        }
    }
    let mut made = Vec::new();
    for slot in slots {
        let name = naming::backfill_name(&recurring.run_name, *slot);
        match api.metastore().run_record(naming::run_id(recurring.id, &name)).await {
            Ok(record) => made.push(shown(api, &record)?),
            Err(MetastoreError::NoSuchRun { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(made)
}

/// The slots of a range that the schedule has left behind and that have no run. Those which it has not come to are its
/// own: it will fire them, or has been told not to.
async fn missed(
    api: &Api,
    recurring: &RecurringRun,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Timestamp>, ApiError> {
    if recurring.trigger == Trigger::Once {
        return Err(ApiError::invalid("it has no trigger and so no slots: run it with :run"));
    }
    let schedule = schedule(api, &recurring.trigger, recurring.no_catchup)?;
    let progress = progress(recurring);
    let mut slots: Vec<Timestamp> = schedule.passed(&progress, start, end).take(MOST_RUNS + 1).collect();
    if slots.len() > MOST_RUNS {
        return Err(ApiError::invalid(format!(
            "there are more than {MOST_RUNS} slots from {start} to {end}: ask for a part of them at a time"
        )));
    }
    if let (Some(first), Some(last)) = (slots.first().copied(), slots.last().copied()) {
        let taken = taken(api, recurring, first, schedule.until_next(last)).await?;
        slots.retain(|slot| taken.range(*slot..schedule.until_next(*slot)).next().is_none());
        let waiting = api.metastore().waiting_slots_of(recurring.id).await?;
        slots.retain(|slot| waiting.binary_search(slot).is_err());
    }
    Ok(slots)
}

/// The slots of the runs there are in a range, the end not included.
async fn taken(
    api: &Api,
    recurring: &RecurringRun,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeSet<Timestamp>, ApiError> {
    // Those that somebody wanted at once are for no slot.
    let prefix = now_prefix(recurring);
    let nanoseconds = |at: Timestamp| Operand::Integer(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX));
    let compare = |field, comparison, operand| Predicate::Compare { field, comparison, operand };
    let at = RunField::ScheduledAt;
    let mut listing = Listing {
        predicates: vec![
            compare(RunField::RecurringRun, Comparison::Equal, Operand::Id(recurring.id)),
            compare(at, Comparison::GreaterOrEqual, nanoseconds(from)),
            compare(at, Comparison::Less, nanoseconds(to)),
        ],
        ..Listing::by(at, PAGE)
    };
    let mut taken = BTreeSet::new();
    loop {
        let page = api.metastore().list_run_records(&listing).await?;
        let runs = page.rows.into_iter().filter_map(Listed::readable).map(|run| run.row.info);
        taken.extend(runs.filter(|run| !run.display_name.starts_with(&prefix)).map(|run| run.scheduled_at));
        listing.from = page.next;
        if listing.from.is_none() {
            return Ok(taken);
        }
    }
}
