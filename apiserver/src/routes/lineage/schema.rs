//! The shape of what is said of an artifact's way.

use crate::openapi::schema::{Kind, Message, always, shown};
use crate::routes::artifacts::schema::{ARTIFACT, TASK};

/// Tasks that have an artifact.
pub(super) const HOLDERS: Message = Message {
    name: "ArtifactRuns",
    fields: &[shown("runs", Kind::List(&Kind::Message(&TASK))), shown("next_page_token", Kind::Text)],
};

/// Tasks that took an artifact.
pub(super) const CONSUMERS: Message = Message {
    name: "ArtifactConsumers",
    fields: &[
        shown("consumers", Kind::List(&Kind::Message(&TASK))),
        shown("next_page_token", Kind::Text),
        shown("consumers_incomplete", Kind::Boolean),
    ],
};

/// A graph of artifacts and tasks.
pub(super) const LINEAGE: Message = Message {
    name: "Lineage",
    fields: &[
        always("artifact_id", Kind::Id),
        shown("artifacts", Kind::List(&Kind::Message(&ARTIFACT))),
        shown("executions", Kind::List(&Kind::Message(&TASK))),
        shown("edges", Kind::List(&Kind::Message(&EDGE))),
        shown("cut", Kind::Boolean),
        shown("consumers_incomplete", Kind::Boolean),
    ],
};

const EDGE: Message = Message {
    name: "LineageEdge",
    fields: &[
        always("artifact_id", Kind::Id),
        always("execution_id", Kind::Text),
        always("kind", Kind::Words(&["input", "output"])),
        shown("name", Kind::Text),
        shown("position", Kind::Int32),
    ],
};
