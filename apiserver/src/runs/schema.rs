//! The shape of runs: what [`super::view`] writes, and what requests say of them.

use crate::openapi::schema::{Kind, Message, STATUS, always, both, shown};
use crate::routes::STORAGE_STATES;

/// States of runs and tasks.
const STATES: [&str; 8] = ["PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"];

/// `PipelineVersionReference`
pub(crate) const REFERENCE: Message = Message {
    name: "PipelineVersionReference",
    fields: &[both("pipeline_id", Kind::Id), both("pipeline_version_id", Kind::Id)],
};

/// `RuntimeConfig`
pub(crate) const RUNTIME_CONFIG: Message =
    Message { name: "RuntimeConfig", fields: &[both("parameters", Kind::Struct), both("pipeline_root", Kind::Text)] };

/// `Run`
pub(crate) const RUN: Message = Message {
    name: "Run",
    fields: &[
        both("experiment_id", Kind::Id),
        always("run_id", Kind::Id),
        both("display_name", Kind::Text),
        always("storage_state", Kind::Words(&STORAGE_STATES)),
        both("description", Kind::Text),
        both("service_account", Kind::Text),
        always("created_at", Kind::Time),
        both("scheduled_at", Kind::Time),
        always("finished_at", Kind::Time),
        always("state", Kind::Words(&STATES)),
        both("recurring_run_id", Kind::Id),
        shown("state_history", Kind::List(&Kind::Message(&STATE))),
        both("plugins_input", Kind::Struct),
        both("pipeline_version_reference", Kind::Message(&REFERENCE)),
        both("pipeline_spec", Kind::Struct),
        both("runtime_config", Kind::Message(&RUNTIME_CONFIG)),
        shown("error", Kind::Message(&STATUS)),
        shown("run_details", Kind::Message(&DETAILS)),
    ],
};

const STATE: Message = Message {
    name: "RuntimeStatus",
    fields: &[
        always("update_time", Kind::Time),
        always("state", Kind::Words(&STATES)),
        shown("error", Kind::Message(&STATUS)),
    ],
};

const DETAILS: Message =
    Message { name: "RunDetails", fields: &[always("task_details", Kind::List(&Kind::Message(&TASK)))] };

const TASK: Message = Message {
    name: "PipelineTaskDetail",
    fields: &[
        always("run_id", Kind::Id),
        always("task_id", Kind::Id),
        shown("display_name", Kind::Text),
        always("create_time", Kind::Time),
        always("start_time", Kind::Time),
        always("end_time", Kind::Time),
        always("state", Kind::Words(&STATES)),
        shown("parent_task_id", Kind::Id),
        shown("child_tasks", Kind::List(&Kind::Message(&CHILD))),
        shown("state_history", Kind::List(&Kind::Message(&STATE))),
        shown("error", Kind::Message(&STATUS)),
    ],
};

const CHILD: Message = Message { name: "ChildTask", fields: &[always("task_id", Kind::Id)] };

/// A list of runs.
pub(crate) const RUNS: Message = Message {
    name: "Runs",
    fields: &[
        shown("runs", Kind::Resources(&RUN)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

/// Runs that were found.
pub(crate) const FOUND_RUNS: Message = Message {
    name: "FoundRuns",
    fields: &[
        shown("runs", Kind::Resources(&RUN)),
        // By the run's id: parameters and metrics.
        shown("values", Kind::Struct),
        shown("total_size", Kind::Int32),
        shown("total_is_least", Kind::Boolean),
        shown("next_page_token", Kind::Text),
        shown("values_incomplete", Kind::Boolean),
    ],
};
