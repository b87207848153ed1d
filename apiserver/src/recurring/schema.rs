//! The shape of recurring runs: what [`super::view`] writes, and what requests say of them.

use crate::openapi::schema::{Kind, Message, STATUS, always, both, given, shown};
use crate::runs::schema::{REFERENCE, RUN, RUNTIME_CONFIG};

/// `RecurringRun`
pub(crate) const RECURRING_RUN: Message = Message {
    name: "RecurringRun",
    fields: &[
        always("recurring_run_id", Kind::Id),
        both("display_name", Kind::Text),
        both("description", Kind::Text),
        both("service_account", Kind::Text),
        both("max_concurrency", Kind::Int64),
        both("trigger", Kind::Message(&TRIGGER)),
        both("mode", Kind::Words(&["ENABLE", "DISABLE"])),
        always("created_at", Kind::Time),
        always("updated_at", Kind::Time),
        always("status", Kind::Words(&["ENABLED", "DISABLED"])),
        both("no_catchup", Kind::Boolean),
        both("namespace", Kind::Text),
        both("experiment_id", Kind::Id),
        both("plugins_input", Kind::Struct),
        both("pipeline_version_reference", Kind::Message(&REFERENCE)),
        both("pipeline_spec", Kind::Struct),
        both("runtime_config", Kind::Message(&RUNTIME_CONFIG)),
        shown("error", Kind::Message(&STATUS)),
    ],
};

/// One of the two, or neither: it fires once, at its creation.
pub(crate) const TRIGGER: Message = Message {
    name: "Trigger",
    fields: &[both("cron_schedule", Kind::Message(&CRON)), both("periodic_schedule", Kind::Message(&PERIODIC))],
};

const CRON: Message = Message {
    name: "CronSchedule",
    fields: &[both("start_time", Kind::Time), both("end_time", Kind::Time), both("cron", Kind::Text)],
};

const PERIODIC: Message = Message {
    name: "PeriodicSchedule",
    fields: &[both("start_time", Kind::Time), both("end_time", Kind::Time), both("interval_second", Kind::Int64)],
};

/// A list of recurring runs.
pub(crate) const RECURRING_RUNS: Message = Message {
    name: "RecurringRuns",
    fields: &[
        shown("recurringRuns", Kind::Resources(&RECURRING_RUN)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

/// What changes of a recurring run.
pub(crate) const CHANGE: Message = Message {
    name: "RecurringRunChange",
    fields: &[
        given("display_name", Kind::Text),
        given("description", Kind::Text),
        given("max_concurrency", Kind::Int64),
        given("trigger", Kind::Message(&TRIGGER)),
        given("no_catchup", Kind::Boolean),
        given("pipeline_version_reference", Kind::Message(&REFERENCE)),
        given("pipeline_spec", Kind::Struct),
        given("runtime_config", Kind::Message(&PARAMETERS)),
        given("service_account", Kind::Text),
        given("plugins_input", Kind::Struct),
    ],
};

const PARAMETERS: Message = Message { name: "Parameters", fields: &[given("parameters", Kind::Struct)] };

/// A trigger that somebody thinks of.
pub(crate) const PREVIEW: Message = Message {
    name: "TriggerPreview",
    fields: &[
        given("trigger", Kind::Message(&TRIGGER)),
        given("no_catchup", Kind::Boolean),
        given("count", Kind::Int32),
    ],
};

/// Times at which something is due, and those of slots that passed and wait for room.
pub(crate) const TIMES: Message = Message {
    name: "NextTimes",
    fields: &[shown("next_times", Kind::List(&Kind::Time)), shown("waiting_times", Kind::List(&Kind::Time))],
};

/// A range of time.
pub(crate) const RANGE: Message =
    Message { name: "TimeRange", fields: &[given("start_time", Kind::Time), given("end_time", Kind::Time)] };

/// Runs that were made, and slots that wait for room.
pub(crate) const BACKFILLED: Message = Message {
    name: "BackfilledRuns",
    fields: &[shown("runs", Kind::Resources(&RUN)), shown("waiting_times", Kind::List(&Kind::Time))],
};
