//! Recurring runs as the API knows them: what they are called, what they are shown as, and whether they can run at all.

pub(crate) mod naming;
pub(crate) mod schema;
pub(crate) mod view;

use penstock_engine::{Pipeline, parameters};
use penstock_metastore::{RecurringRun, Trigger};
use penstock_runtime::logs::chain;
use penstock_spec::Timestamp;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::run::RunInfo;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::ApiError;

/// A recurring run that fires by another trigger from now on. What that would have fired before is not caught up with. One
/// that starts later has nothing to catch up with, and counts from its start as if it were new.
pub(crate) fn with_trigger(before: RecurringRun, trigger: Trigger, now: Timestamp) -> RecurringRun {
    let start = match &trigger {
        Trigger::Once => None,
        Trigger::Cron { start, .. } | Trigger::Periodic { start, .. } => *start,
    };
    let last_fired = match start {
        Some(start) if start > now => None,
        _ => Some(before.last_fired.map_or(now, |last| last.max(now))),
    };
    RecurringRun { trigger, last_fired, ..before }
}

/// Whether a pipeline could be run with these parameters now.
pub(crate) fn check_inputs(text: &str, given: &Map<String, Value>, limits: &Limits) -> Result<(), ApiError> {
    let checked =
        check::load("pipeline.yaml", text.as_bytes(), limits).map_err(|error| ApiError::invalid(chain(&error)))?;
    let pipeline = Pipeline::compile(&checked);
    let now = Timestamp::now();
    // No run: it only lends its times and its id to what parameters refer to.
    let info = RunInfo {
        id: Uuid::new_v4(),
        name: pipeline.name().to_owned(),
        display_name: pipeline.name().to_owned(),
        pipeline_name: pipeline.name().to_owned(),
        namespace: String::new(),
        pipeline_root: String::new(),
        created_at: now,
        scheduled_at: now,
        caching: true,
        workspace: None,
    };
    match parameters::resolve(&pipeline, given, &info) {
        Ok(_) => Ok(()),
        Err(error) => Err(ApiError::invalid(error.full_message())),
    }
}
