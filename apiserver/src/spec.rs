//! From an uploaded file to what is stored and shown of a pipeline.
//!
//! Shown is the document as protobuf would write it again after reading it: `camelCase` names, enums by name, nothing
//! that has its default value, and everything else, present but empty messages included.

mod canonical;
mod messages;

use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::package::{self, PackageError};
use penstock_spec::parse::{Documents, ParseError, parse};
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// Longest name of a pipeline within its specification.
const LONGEST_NAME: usize = 128;

/// A pipeline that can be stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadedPipeline {
    /// The text of its documents.
    pub(crate) text: String,
    /// What clients see of it.
    pub(crate) shown: Value,
}

/// Why a file holds no pipeline.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file cannot be read at all.
    #[error(transparent)]
    File(PackageError),
    /// The documents are not those of a pipeline; the text says why.
    #[error("{0}")]
    Spec(String),
}

/// Unpacks, reads and judges a file.
pub(crate) fn load(file_name: &str, bytes: &[u8], limits: &Limits) -> Result<LoadedPipeline, LoadError> {
    let text = package::unpack(file_name, bytes, limits).map_err(LoadError::File)?.pipeline_text;
    let documents = parse(&text, limits).map_err(|error| LoadError::Spec(parse_fault(&error)))?;
    if let Some(fault) = name_fault(&documents.pipeline.pipeline_info.name) {
        return Err(LoadError::Spec(format!("pipeline's name {fault}")));
    }
    let shown = show(&documents);
    check::check(documents, limits).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        LoadError::Spec(problems.join("\n"))
    })?;
    Ok(LoadedPipeline { text, shown })
}

/// What clients see of a text that was stored.
pub(crate) fn shown_text(text: &str, limits: &Limits) -> Result<Value, ApiError> {
    match parse(text, limits) {
        Ok(documents) => Ok(show(&documents)),
        Err(error) => Err(ApiError::internal(format!("cannot read the stored pipeline: {error}"))),
    }
}

/// The documents of a text that was stored, each for itself.
pub(crate) fn shown_apart(text: &str, limits: &Limits) -> Result<Map<String, Value>, ApiError> {
    let mut apart = Map::new();
    match shown_text(text, limits)? {
        Value::Object(both) if both.contains_key("pipeline_spec") => apart = both,
        pipeline => drop(apart.insert("pipeline_spec".to_owned(), pipeline)),
    }
    Ok(apart)
}

/// What clients see of a pipeline that came with a request: as it was sent. What the command line stored may be YAML.
pub(crate) fn shown_inline(text: &str, limits: &Limits) -> Result<Value, ApiError> {
    match serde_json::from_str(text) {
        Ok(spec @ Value::Object(_)) => Ok(spec),
        _ => shown_text(text, limits),
    }
}

/// Documents as clients see them.
fn show(documents: &Documents) -> Value {
    let pipeline = canonical::write(&messages::PIPELINE_SPEC, &documents.pipeline_json);
    match &documents.platform {
        None => pipeline,
        Some(platform) => {
            let platform = canonical::write(&messages::PLATFORM_SPEC, &platform.raw);
            json!({"pipeline_spec": pipeline, "platform_spec": platform})
        }
    }
}

/// In the words that clients know, where there are any.
fn parse_fault(error: &ParseError) -> String {
    match error {
        ParseError::ArgoWorkflow => {
            "V1 pipeline specs are not allowed. Please migrate to using KFP V2 pipelines.".to_owned()
        }
        ParseError::NoPipeline => format!("unknown template format: {error}"),
        ParseError::Yaml { .. } | ParseError::Json { .. } => format!("failed to parse pipeline spec YAML: {error}"),
        other => other.to_string(),
    }
}

fn name_fault(name: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.is_empty() {
        Some("cannot be empty")
    } else if name.len() > LONGEST_NAME {
        Some("must contain no more than 128 characters")
    } else if !name.bytes().all(|byte| is_plain(byte) || byte == b'-') || name.starts_with('-') {
        Some("must contain only lowercase alphanumeric characters or '-' and must start with alphanumeric characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
