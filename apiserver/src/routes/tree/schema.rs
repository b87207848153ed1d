//! The shapes of what is said of a run's parts.

use crate::openapi::schema::{Field, Kind, Message, always, shown};
use crate::routes::artifacts;

/// States of a task.
pub(super) const STATES: [&str; 6] = ["PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"];

/// Some nodes of a run.
pub(super) const TREE: Message = Message {
    name: "RunTree",
    fields: &[
        always("seq", Kind::Int32),
        shown("at", Kind::Time),
        always(
            "status",
            Kind::Words(&["PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"]),
        ),
        always("nodes", Kind::List(&Kind::Message(&NODE))),
        shown("next_from", Kind::Int32),
    ],
};

/// A pipeline and the values of its parameters.
pub(super) const SPEC: Message = Message {
    name: "RunSpec",
    fields: &[
        always("pipeline_spec", Kind::Struct),
        shown("platform_spec", Kind::Struct),
        always("parameters", Kind::Struct),
        always("text", Kind::Text),
    ],
};

/// The fields of a node, and more.
macro_rules! node_and {
    ($($more:expr),*) => {
        &[
            always("node", Kind::Int32),
            shown("parent", Kind::Int32),
            always("key", Kind::Text),
            always("name", Kind::Text),
            always("path", Kind::Text),
            always("task_id", Kind::Id),
            always("kind", Kind::Words(&["ROOT", "DAG", "LOOP", "ITERATION", "CONTAINER", "IMPORTER"])),
            always("component", Kind::Text),
            always("status", Kind::Words(&STATES)),
            always("phase", Kind::Words(&["WAITING", "CACHE", "QUEUED", "RUNNING", "BACKOFF", "ENDED"])),
            always("depends_on", Kind::List(&Kind::Int32)),
            always("waiting_for", Kind::List(&Kind::Int32)),
            shown("iteration", Kind::Int32),
            shown("items", Kind::Int32),
            shown("counts", Kind::Message(&COUNTS)),
            shown("ready_at", Kind::Time),
            shown("started_at", Kind::Time),
            shown("ended_at", Kind::Time),
            shown("retry_at", Kind::Time),
            shown("failure", Kind::Message(&FAILURE)),
            shown("skipped", Kind::Message(&SKIPPED)),
            shown("cached_from", Kind::Message(&SOURCE)),
            shown("ran_on_host", Kind::Boolean),
            always("attempts", Kind::List(&Kind::Message(&ATTEMPT))),
            shown("log_attempt", Kind::Int32),
            $($more),*
        ]
    };
}

const NODE: Message = Message { name: "RunNode", fields: node_and!() };

/// A task in full.
pub(super) const TASK: Message = Message {
    name: "RunTask",
    fields: node_and!(
        always("inputs", Kind::Message(&VALUES)),
        always("outputs", Kind::Message(&VALUES)),
        shown("image", Kind::Text),
        always("command", Kind::List(&Kind::Text)),
        always("env", Kind::List(&Kind::Message(&VARIABLE))),
        always("pod_names", Kind::List(&Kind::Text))
    ),
};

const COUNTS: Message = Message { name: "StateCounts", fields: &COUNT_FIELDS };

const COUNT_FIELDS: [Field; STATES.len()] = [
    shown(STATES[0], Kind::Int32),
    shown(STATES[1], Kind::Int32),
    shown(STATES[2], Kind::Int32),
    shown(STATES[3], Kind::Int32),
    shown(STATES[4], Kind::Int32),
    shown(STATES[5], Kind::Int32),
];

const FAILURE: Message = Message {
    name: "TaskFailure",
    fields: &[
        always(
            "cause",
            Kind::Words(&[
                "USER",
                "TIMEOUT",
                "OUTPUT",
                "INPUT",
                "REFUSED",
                "INFRASTRUCTURE",
                "INTERRUPTED",
                "CANCELED",
                "UPSTREAM",
            ]),
        ),
        always("message", Kind::Text),
    ],
};

const SKIPPED: Message = Message {
    name: "TaskSkipped",
    fields: &[
        always("reason", Kind::Words(&["CONDITION", "UPSTREAM", "UPSTREAM_FAILED"])),
        shown("condition", Kind::Text),
        shown("task", Kind::Text),
    ],
};

const SOURCE: Message =
    Message { name: "ResultSource", fields: &[always("run_id", Kind::Id), always("task_path", Kind::Text)] };

const TIMINGS: Message = Message {
    name: "AttemptTimings",
    fields: &[
        shown("created_at", Kind::Time),
        shown("scheduled_at", Kind::Time),
        shown("launcher_at", Kind::Time),
        shown("inputs_at", Kind::Time),
        shown("ready_at", Kind::Time),
        shown("container_at", Kind::Time),
        shown("started_at", Kind::Time),
        shown("ended_at", Kind::Time),
        shown("stored_at", Kind::Time),
    ],
};

const ATTEMPT: Message = Message {
    name: "TaskAttempt",
    fields: &[
        always("attempt", Kind::Int32),
        always("started_at", Kind::Time),
        shown("ended_at", Kind::Time),
        shown("outcome", Kind::Words(&["SUCCEEDED", "FAILED", "CANCELED"])),
        shown("failure", Kind::Message(&FAILURE)),
        shown("retry_at", Kind::Time),
        always("has_log", Kind::Boolean),
        shown("timings", Kind::Message(&TIMINGS)),
        shown("pod_name", Kind::Text),
    ],
};

const VALUES: Message = Message {
    name: "TaskValues",
    fields: &[always("parameters", Kind::Struct), always("artifacts", Kind::Lists(&artifacts::schema::ARTIFACT))],
};

const VARIABLE: Message =
    Message { name: "TaskVariable", fields: &[always("name", Kind::Text), always("value", Kind::Text)] };
