//! The shape of artifacts in replies.

use crate::openapi::schema::{Field, Kind, Message, always, shown};

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

/// An artifact.
pub(in crate::routes) const ARTIFACT: Message = Message { name: "Artifact", fields: FIELDS };

/// What is said of an artifact.
const FIELDS: &[Field] = &[
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
    shown("namespace", Kind::Text),
    shown("created_at", Kind::Time),
    shown("producer", Kind::Message(&TASK)),
    // Of one artifact alone.
    shown("runs", Kind::List(&Kind::Message(&TASK))),
    shown("runs_next_page_token", Kind::Text),
    shown("consumers", Kind::List(&Kind::Message(&TASK))),
    shown("consumers_next_page_token", Kind::Text),
    shown("consumers_incomplete", Kind::Boolean),
];

/// A task of a run, and what it has to do with an artifact.
pub(in crate::routes) const TASK: Message = Message {
    name: "TaskOfArtifact",
    fields: &[
        always("run_id", Kind::Id),
        shown("node", Kind::Int32),
        shown("deleted", Kind::Boolean),
        shown("run_name", Kind::Text),
        shown("pipeline_name", Kind::Text),
        shown("task_id", Kind::Id),
        shown("task_path", Kind::Text),
        shown("task_name", Kind::Text),
        shown("kind", Kind::Text),
        shown("state", Kind::Text),
        shown("cached", Kind::Boolean),
        shown("finished_at", Kind::Time),
        shown("output", Kind::Text),
        shown("input", Kind::Text),
        shown("position", Kind::Int32),
        shown("taken_at", Kind::Time),
        shown("execution_id", Kind::Text),
    ],
};

/// Files of an artifact.
pub(super) const FILES: Message = Message {
    name: "ArtifactFiles",
    fields: &[shown("files", Kind::List(&Kind::Message(&FILE))), shown("next_page_token", Kind::Text)],
};

const FILE: Message =
    Message { name: "ArtifactFile", fields: &[shown("path", Kind::Text), shown("size", Kind::Int64)] };
