//! The shape of what is said of a Pod.

use crate::openapi::schema::{Kind, Message, always, shown};

/// A Pod.
pub(super) const POD: Message = Message {
    name: "AttemptPod",
    fields: &[
        always("name", Kind::Text),
        always("namespace", Kind::Text),
        shown("node", Kind::Text),
        always("phase", Kind::Text),
        shown("reason", Kind::Text),
        shown("message", Kind::Text),
        always("containers", Kind::List(&Kind::Message(&CONTAINER))),
        always("conditions", Kind::List(&Kind::Message(&CONDITION))),
        always("events", Kind::List(&Kind::Message(&EVENT))),
        shown("events_error", Kind::Text),
    ],
};

const CONTAINER: Message = Message {
    name: "PodContainer",
    fields: &[
        always("name", Kind::Text),
        always("image", Kind::Text),
        always("state", Kind::Words(&["waiting", "running", "terminated"])),
        shown("reason", Kind::Text),
        shown("message", Kind::Text),
        shown("exit_code", Kind::Int32),
        always("restarts", Kind::Int32),
        shown("started_at", Kind::Time),
        shown("finished_at", Kind::Time),
    ],
};

const CONDITION: Message = Message {
    name: "PodCondition",
    fields: &[
        always("type", Kind::Text),
        always("status", Kind::Text),
        shown("reason", Kind::Text),
        shown("message", Kind::Text),
        shown("at", Kind::Time),
    ],
};

const EVENT: Message = Message {
    name: "PodEvent",
    fields: &[
        shown("at", Kind::Time),
        always("type", Kind::Text),
        always("reason", Kind::Text),
        always("message", Kind::Text),
        always("count", Kind::Int32),
    ],
};
