//! Parameters of a run: macros expanded, checked against the root's declaration, defaults filled in. Messages are
//! KFP's own where it has one.

mod layout;
mod macros;

use penstock_spec::ir::ParameterType;
use penstock_spec::run::RunInfo;
use penstock_spec::types::{TypeError, check_literals};
use penstock_spec::value::canonicalize;
use serde_json::{Map, Value};

use crate::pipeline::Pipeline;

/// Parameters that a pipeline does not take.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ParameterError {
    #[error(
        "invalid pipeline job inputs: pipeline requiring input has no parameter(s) provided. Need parameter(s): {0}"
    )]
    NoneGiven(String),
    #[error(
        "invalid pipeline job inputs: parameter {0} is not optional, yet has neither default value nor user provided value"
    )]
    Missing(String),
    #[error("invalid pipeline job inputs: parameter(s) provided are not required by pipeline: {0}")]
    Unknown(String),
    #[error(
        "invalid pipeline job inputs: input parameter {name} requires type double or integer, but the parameter value is not of number value type"
    )]
    NotANumber { name: String },
    #[error(
        "invalid pipeline job inputs: input parameter {name} requires type {expected}, but the input parameter is not of {expected} value type"
    )]
    WrongType { name: String, expected: &'static str },
    #[error("invalid pipeline job inputs: input parameter {0} has unspecified type")]
    Unspecified(String),
    #[error(
        "invalid pipeline job inputs: input parameter {name} requires type {declared}, which is invalid for root component"
    )]
    NotAtRoot { name: String, declared: &'static str },
    #[error("invalid pipeline job inputs")]
    Literal(#[source] TypeError),
}

impl ParameterError {
    /// The message with that of what is behind it, for places that keep one text.
    pub fn full_message(&self) -> String {
        match self {
            Self::Literal(source) => format!("{self}: {source}"),
            other => other.to_string(),
        }
    }
}

/// The parameters that a run starts with, from those that were given. Macros come first, then the check, then
/// defaults; an optional parameter without a default becomes null.
pub fn resolve(
    pipeline: &Pipeline,
    given: &Map<String, Value>,
    info: &RunInfo,
) -> Result<Map<String, Value>, ParameterError> {
    let declared = &pipeline.root().inputs.parameters;
    let mut values = Map::new();
    for (name, value) in given {
        let mut value = match value {
            Value::String(text) => Value::String(macros::expand(text, info)),
            other => other.clone(),
        };
        canonicalize(&mut value);
        values.insert(name.clone(), value);
    }
    let needed = declared.iter().filter(|(_, input)| !input.is_optional && input.default_value.is_none());
    let needed: Vec<&str> = needed.map(|(name, _)| name.as_str()).collect();
    if values.is_empty() && !needed.is_empty() {
        return Err(ParameterError::NoneGiven(needed.join(", ")));
    }
    if let Some(missing) = needed.into_iter().find(|name| !values.contains_key(*name)) {
        return Err(ParameterError::Missing(missing.to_owned()));
    }
    let unknown: Vec<&str> = values.keys().map(String::as_str).filter(|name| !declared.contains_key(*name)).collect();
    if !unknown.is_empty() {
        return Err(ParameterError::Unknown(unknown.join(", ")));
    }
    for (name, input) in declared {
        if let Some(value) = values.get(name) {
            check(name, input.parameter_type, value)?;
            check_literals(name, &input.literals, value).map_err(ParameterError::Literal)?;
            continue;
        }
        let mut default = input.default_value.clone().unwrap_or_default();
        canonicalize(&mut default);
        values.insert(name.clone(), default);
    }
    Ok(values)
}

/// Why the parameters that a run started with were refused, found again from the run alone. What a default gave was
/// never checked, and is not here.
pub(crate) fn refused(
    pipeline: &Pipeline,
    started_with: &Map<String, Value>,
    info: &RunInfo,
) -> Option<ParameterError> {
    let declared = &pipeline.root().inputs.parameters;
    let given_by_default = |name: &String, value: &Value| {
        declared.get(name).is_some_and(|input| {
            let mut default = input.default_value.clone().unwrap_or_default();
            canonicalize(&mut default);
            default == *value
        })
    };
    let given = started_with.iter().filter(|(name, value)| !given_by_default(name, value));
    resolve(pipeline, &given.map(|(name, value)| (name.clone(), value.clone())).collect(), info).err()
}

fn check(name: &str, declared: ParameterType, value: &Value) -> Result<(), ParameterError> {
    let (fits, expected) = match declared {
        ParameterType::NumberDouble | ParameterType::NumberInteger => {
            return if value.is_number() { Ok(()) } else { Err(ParameterError::NotANumber { name: name.to_owned() }) };
        }
        ParameterType::String => (value.is_string(), "string"),
        ParameterType::Boolean => (value.is_boolean(), "bool"),
        ParameterType::List => (value.is_array(), "list"),
        ParameterType::Struct => (value.is_object(), "struct"),
        ParameterType::Unspecified => return Err(ParameterError::Unspecified(name.to_owned())),
        ParameterType::TaskFinalStatus | ParameterType::TaskConfig => {
            return Err(ParameterError::NotAtRoot { name: name.to_owned(), declared: declared.name() });
        }
    };
    if fits { Ok(()) } else { Err(ParameterError::WrongType { name: name.to_owned(), expected }) }
}
