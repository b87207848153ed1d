//! What an attempt's user code left: its output parameters and artifacts. Reading and judging is here, in
//! [`executor_output`] and [`files`]; [`store`] uploads.

pub mod executor_output;
pub mod files;
pub mod store;

use std::io;
use std::path::PathBuf;

use penstock_spec::artifact::Artifact;
use penstock_spec::ir::{Named, OutputArtifact, ParameterType};
use penstock_spec::plan::Plan;
use penstock_spec::types;
use penstock_spec::value::{canonicalize, kind, to_text};
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

use self::executor_output::{ExecutorOutput, ReportedArtifact};
use self::files::read_output_file;
use crate::places::{Locate, Located, Places};

/// The most bytes that an executor output file may have.
pub const MAX_EXECUTOR_OUTPUT: u64 = 32 << 20;
/// The most bytes that the file of one output parameter may have.
pub const MAX_PARAMETER: u64 = 16 << 20;
/// The most artifacts that one output may report.
const MAX_ARTIFACTS: usize = 10_000;

/// An output that cannot be accepted.
#[derive(Debug, Error)]
pub enum OutputError {
    /// A file of the attempt cannot be read.
    #[error("failed to read output parameter name={name:?} type={kind:?} path={path:?}: {reason}")]
    ParameterFile {
        /// Output.
        name: String,
        /// Declared type.
        kind: String,
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// The executor output file cannot be read or is not one.
    #[error("the executor output file {path} is not acceptable: {reason}")]
    ExecutorOutput {
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// A reported value is not of its type.
    #[error("output parameter {name:?} type mismatch: expect {expected}, got {actual}")]
    Type {
        /// Output.
        name: String,
        /// Declared type.
        expected: String,
        /// What was reported.
        actual: &'static str,
    },
    /// A file's text is not of its type.
    #[error("output parameter {name:?} cannot be read from its file {path:?}: {reason}")]
    Text {
        /// Output.
        name: String,
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// An artifact points at a place that is not allowed.
    #[error("output artifact {name:?} is refused: {reason}")]
    Artifact {
        /// Output.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Why a file of user code cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error("{}", io_reason(.0))]
    Io(#[source] io::Error),
    /// Not a regular file.
    #[error("it is not a regular file but {0}")]
    Kind(&'static str),
    /// Too large.
    #[error("it has more than {0} bytes")]
    Size(u64),
}

fn io_reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory",
        io::ErrorKind::PermissionDenied => "permission denied",
        _ => "the file system failed",
    }
}

/// Outputs as collected: parameters are final, artifacts may still have to be stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Parameters.
    pub parameters: Map<String, Value>,
    /// Artifacts by output.
    pub artifacts: Named<Vec<CollectedArtifact>>,
}

/// An artifact of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectedArtifact {
    /// The record; `content` is missing until the file is stored.
    pub artifact: Artifact,
    /// What to store under the artifact's URI.
    pub file: Option<PathBuf>,
}

/// How outputs are collected.
#[derive(Debug, Clone, Copy, Default)]
pub struct CollectOptions {
    /// The code is a Python function whose return value may be `None`: then a missing single return value (the output
    /// named `Output`) is null. The SDK's executor writes nothing for `None`.
    pub optional_return: bool,
}

/// Name of the output that a Python function's single return value has.
pub const SINGLE_RETURN: &str = "Output";

/// Reads all outputs of an attempt. Blocks.
pub fn collect(
    plan: &Plan,
    places: &Places,
    locate: &dyn Locate,
    options: CollectOptions,
) -> Result<Collected, OutputError> {
    let reported = executor_output::read(locate, &places.output_file)?;
    let parameters = parameters(plan, places, locate, &reported, options)?;
    let mut artifacts = Named::new();
    for (name, declared) in &plan.output_artifacts {
        let entries = reported.artifacts.get(name).map(|list| list.artifacts.as_slice()).unwrap_or_default();
        let collected = output_artifacts(plan, places, locate, name, declared, entries)
            .map_err(|reason| OutputError::Artifact { name: name.clone(), reason })?;
        artifacts.insert(name.clone(), collected);
    }
    Ok(Collected { parameters, artifacts })
}

fn parameters(
    plan: &Plan,
    places: &Places,
    locate: &dyn Locate,
    reported: &ExecutorOutput,
    options: CollectOptions,
) -> Result<Map<String, Value>, OutputError> {
    let mut parameters = Map::new();
    for (name, declared) in &plan.output_parameters {
        let mut value = match reported.parameter(name) {
            Some(value) => checked(name, *declared, value)?,
            None => match read_parameter(name, *declared, places, locate) {
                Err(OutputError::ParameterFile { .. }) if options.optional_return && name == SINGLE_RETURN => {
                    Value::Null
                }
                read => read?,
            },
        };
        name_objects(&mut value, locate);
        parameters.insert(name.clone(), value);
    }
    Ok(parameters)
}

/// Puts the URI of the object in the place of each text that is a place of this attempt. The depth is bounded by what a
/// document may have.
fn name_objects(value: &mut Value, locate: &dyn Locate) {
    match value {
        Value::String(text) => {
            if let Some(uri) = locate.uri_of(text) {
                *text = uri;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_objects(item, locate)),
        Value::Object(members) => members.values_mut().for_each(|member| name_objects(member, locate)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A reported value of the declared type; an integer may be written as an integral number. Whatever is reported of a
/// `STRING` is its text, as wherever it goes next. Null stands for "none" of any type. Numbers in lists and structs stay
/// as the author's code wrote them.
fn checked(name: &str, declared: ParameterType, mut value: Value) -> Result<Value, OutputError> {
    if value.is_null() {
        return Ok(value);
    }
    if matches!(declared, ParameterType::NumberInteger | ParameterType::String) {
        canonicalize(&mut value);
    }
    let fits = match declared {
        ParameterType::NumberInteger => value.is_i64() || value.is_u64(),
        ParameterType::NumberDouble => value.is_number(),
        ParameterType::String => return Ok(Value::String(to_text(&value))),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::List => value.is_array(),
        ParameterType::Struct | ParameterType::TaskFinalStatus | ParameterType::TaskConfig => value.is_object(),
        ParameterType::Unspecified => true,
    };
    if fits {
        return Ok(value);
    }
    let actual = match (&value, declared) {
        (Value::Number(_), ParameterType::NumberInteger) => "number with a fraction",
        _ => kind(&value),
    };
    Err(OutputError::Type { name: name.to_owned(), expected: type_name(declared), actual })
}

fn read_parameter(
    name: &str,
    declared: ParameterType,
    places: &Places,
    locate: &dyn Locate,
) -> Result<Value, OutputError> {
    let path = places.parameter_files.get(name).cloned().unwrap_or_default();
    let bytes = read_output_file(locate, path.as_ref(), MAX_PARAMETER).map_err(|error| OutputError::ParameterFile {
        name: name.to_owned(),
        kind: type_name(declared),
        path: path.clone(),
        reason: error.to_string(),
    })?;
    types::parse_output_file(name, declared, &bytes).map_err(|error| OutputError::Text {
        name: name.to_owned(),
        path,
        reason: error.to_string(),
    })
}

fn type_name(declared: ParameterType) -> String {
    match serde_json::to_value(declared) {
        Ok(Value::String(name)) => name,
        _ => format!("{declared:?}"),
    }
}

/// The records of one output. Without a report there is one, at the assigned place. Only the list output of a
/// component has several.
fn output_artifacts(
    plan: &Plan,
    places: &Places,
    locate: &dyn Locate,
    name: &str,
    declared: &OutputArtifact,
    entries: &[ReportedArtifact],
) -> Result<Vec<CollectedArtifact>, String> {
    if entries.len() > MAX_ARTIFACTS {
        return Err(format!("it reports {} artifacts, and {MAX_ARTIFACTS} are the limit", entries.len()));
    }
    let nothing = ReportedArtifact::default();
    let entries = match entries {
        [] => std::slice::from_ref(&nothing),
        entries if declared.is_artifact_list => entries,
        [first, ..] => std::slice::from_ref(first),
    };
    entries.iter().map(|entry| output_artifact(plan, places, locate, name, declared, entry)).collect()
}

fn output_artifact(
    plan: &Plan,
    places: &Places,
    locate: &dyn Locate,
    name: &str,
    declared: &OutputArtifact,
    entry: &ReportedArtifact,
) -> Result<CollectedArtifact, String> {
    let assigned = places.outputs.get(name).ok_or("it has no place")?;
    let uri = match entry.uri.as_str() {
        "" => assigned.shown_uri.as_str(),
        uri => uri,
    };
    let (store_uri, mut file) = match locate.locate(uri)? {
        Located::Own { store_uri, path } => (store_uri, Some(path)),
        Located::Foreign { store_uri } => (store_uri, None),
    };
    if let Some(path) = entry.custom_path.as_deref().filter(|path| !path.is_empty()) {
        file = Some(locate.locate_custom_path(path)?);
    }
    let mut metadata = declared.metadata.clone();
    metadata.extend(entry.metadata.clone());
    let known = plan.inputs.artifacts.values().flatten().find(|input| file.is_none() && input.uri == store_uri);
    let reported_name = Some(&entry.name).filter(|reported| declared.is_artifact_list && !reported.is_empty());
    let artifact = Artifact {
        id: Uuid::new_v4(),
        name: reported_name.map_or_else(|| name.to_owned(), Clone::clone),
        artifact_type: declared.artifact_type.clone(),
        uri: store_uri,
        metadata,
        // An input handed on is what it was.
        content: known.and_then(|input| input.content.clone()),
    };
    Ok(CollectedArtifact { artifact, file })
}

#[cfg(test)]
mod tests;
