//! The shape of artifacts in replies.

use crate::openapi::schema::{Kind, Message, always, shown};

/// An artifact within JSON: base64.
pub(super) const DATA: Message = Message { name: "ArtifactData", fields: &[always("data", Kind::Text)] };

/// A link to an artifact.
pub(super) const LINK: Message =
    Message { name: "ArtifactLink", fields: &[always("url", Kind::Text), always("expires_at", Kind::Time)] };

/// A list of artifacts.
pub(super) const ARTIFACTS: Message = Message {
    name: "Artifacts",
    fields: &[shown("artifacts", Kind::Resources(&ARTIFACT)), shown("next_page_token", Kind::Text)],
};

const ARTIFACT: Message = Message {
    name: "Artifact",
    fields: &[
        always("artifact_id", Kind::Id),
        shown("name", Kind::Text),
        shown("type", Kind::Text),
        shown("schema_version", Kind::Text),
        shown("uri", Kind::Text),
        shown("metadata", Kind::Struct),
        shown("digest", Kind::Text),
        shown("size", Kind::Int64),
        shown("directory", Kind::Boolean),
        shown("files", Kind::Int32),
        always("producer", Kind::Message(&PRODUCER)),
    ],
};

const PRODUCER: Message = Message {
    name: "Producer",
    fields: &[
        always("run_id", Kind::Id),
        shown("output", Kind::Text),
        shown("position", Kind::Int32),
        shown("task_id", Kind::Id),
        shown("task_path", Kind::Text),
        shown("task_name", Kind::Text),
        shown("cached", Kind::Boolean),
    ],
};
