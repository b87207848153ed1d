//! From text to typed documents: which document is what, and where in it a fault lies. What the documents mean is
//! judged by [`crate::check`].
//!
//! A text is JSON when it is a JSON object, otherwise YAML. YAML scalars are read as KFP's backend reads them, see
//! `parse/scalar.rs`.

mod classify;
mod job;
mod json;
mod merge;
mod scalar;
mod yaml;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ir::PipelineSpec;
use crate::limits::Limits;
use crate::platform::{PlatformDocument, PlatformSpec};

/// What a file holds.
#[derive(Debug, Clone)]
pub struct Documents {
    /// The pipeline.
    pub pipeline: PipelineSpec,
    /// Its settings for Kubernetes, if there are any.
    pub platform: Option<PlatformSpec>,
    /// The pipeline's document as JSON, as it was written.
    pub pipeline_json: Value,
    /// What was ignored, for people.
    pub warnings: Vec<String>,
}

/// Why a text holds no pipeline.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ParseError {
    #[error("the pipeline has {bytes} bytes, more than the {limit} that are allowed")]
    TooLarge { bytes: usize, limit: usize },
    #[error("unable to decode yaml document: {message} at line {line} column {column}")]
    Yaml { message: String, line: usize, column: usize },
    #[error("unable to decode json document: {message} at line {line} column {column}")]
    Json { message: String, line: usize, column: usize },
    #[error("unable to decode document {document}: it is a {kind}, not a mapping of fields")]
    NotAMapping { document: usize, kind: &'static str },
    #[error("no pipeline spec is provided")]
    NoPipeline,
    #[error("multiple pipeline specs provided")]
    SeveralPipelines,
    #[error("multiple platform specs provided")]
    SeveralPlatforms,
    #[error(
        "this is an Argo Workflow, as version 1 of the KFP SDK compiled pipelines: compile it again with kfp 2.x, \
         which writes schema version 2.1.0"
    )]
    ArgoWorkflow,
    #[error("the {document} is invalid at {path}: {message}")]
    Field { document: &'static str, path: String, message: String },
}

/// Reads the text of a pipeline in any of its forms: one or two YAML documents, JSON, an API object that holds both
/// documents, or Kubernetes manifests.
pub fn parse(text: &str, limits: &Limits) -> Result<Documents, ParseError> {
    if text.len() > limits.document_bytes {
        return Err(ParseError::TooLarge { bytes: text.len(), limit: limits.document_bytes });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let values = match json::read_object(text, limits)? {
        Some(value) => vec![value],
        None => yaml::read_documents(text, limits)?,
    };
    let mut found = classify::Found::default();
    for (index, value) in values.into_iter().enumerate() {
        found.add(index + 1, value)?;
    }
    found.into_documents()
}

/// Reads the documents of a YAML text of any meaning, with the same budgets and the same reading of scalars as pipelines.
/// How long the text may be is the caller's to say.
pub fn read_yaml(text: &str, limits: &Limits) -> Result<Vec<Value>, ParseError> {
    yaml::read_documents(text, limits)
}

/// Reads a typed document; the error names the field. Fields that the type does not know and does not refuse are
/// passed to `ignored`.
fn read_typed<T: DeserializeOwned>(
    document: &'static str,
    value: &Value,
    mut ignored: impl FnMut(String),
) -> Result<T, ParseError> {
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| {
        // An optional value on the way is shown as `?`.
        ignored(path.to_string().replace(".?", ""));
    });
    read.map_err(|error| {
        let path = match track.path().to_string() {
            path if path == "." => "its top level".to_owned(),
            path => path,
        };
        ParseError::Field { document, path, message: error.to_string() }
    })
}

/// Reads the settings for Kubernetes; unknown fields become warnings.
fn read_platform(raw: Value, warnings: &mut Vec<String>) -> Result<Option<PlatformSpec>, ParseError> {
    let document: PlatformDocument = read_typed("platform spec", &raw, |path| {
        warnings.push(format!("platform spec: unknown field {path} is ignored"));
    })?;
    match document.platforms.kubernetes {
        Some(kubernetes) => Ok(Some(PlatformSpec { kubernetes, raw })),
        None => {
            warnings.push("the platform spec is ignored: it has no platform kubernetes".to_owned());
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
