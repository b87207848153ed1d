//! Values of settings: what they came to, and of which kind they must be.

use penstock_spec::ir::{Named, ParameterInput, ParameterSource};
use penstock_spec::object_name::{MAX_OBJECT_NAME, is_object_name};
use penstock_spec::placeholder::has_placeholder;
use penstock_spec::plan::PlanValue;
use penstock_spec::value::{canonicalize, kind};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Shaper;

/// What is known of values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    /// All of them: a task is about to start.
    Resolved(&'a Named<PlanValue>),
    /// Constants: the pipeline is about to be submitted.
    Submitted,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    Value(Value),
    /// An optional input that was left out.
    Null,
    /// The run will tell.
    Later,
}

/// What kind of object a setting names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    ConfigMap,
    Claim,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Secret => "Secret",
            Kind::ConfigMap => "ConfigMap",
            Kind::Claim => "PersistentVolumeClaim",
        }
    }

    /// Beginning of the name of a volume that cannot have the object's.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Kind::Secret => "secret",
            Kind::ConfigMap => "config-map",
            Kind::Claim => "claim",
        }
    }
}

/// What the name of an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectName {
    Known(String),
    /// The entry is passed over: an optional input was left out, or the name is wrong and that was noted.
    None,
    /// The run will tell.
    Later,
}

impl Shaper<'_> {
    /// A value; an error is the reason why there is none.
    pub(super) fn value(&self, field: &str, input: &ParameterInput) -> Result<Known, String> {
        let value = match self.values {
            Values::Resolved(values) => match values.get(field) {
                Some(PlanValue::Value(value)) => value.clone(),
                Some(PlanValue::Missing(reason)) => return Err(reason.clone()),
                None => return Err("its value was not resolved".to_owned()),
            },
            Values::Submitted => match &input.source {
                ParameterSource::Constant(value) if input.selector.is_none() && !may_change(value) => value.clone(),
                ParameterSource::RuntimeParameter(name) => {
                    return Err(format!("runtimeParameter {name:?} is not supported"));
                }
                ParameterSource::FinalStatus { task } => {
                    return Err(format!("the final status of task {task:?} is no value for a setting"));
                }
                _ => return Ok(Known::Later),
            },
        };
        Ok(if value.is_null() { Known::Null } else { Known::Value(value) })
    }

    /// Name of an object. `field` is that of the value.
    pub(super) fn object_name(&mut self, field: &str, input: Option<&ParameterInput>, kind: Kind) -> ObjectName {
        let Some(input) = input else {
            self.error(field, format!("the setting names no {}", kind.word()));
            return ObjectName::None;
        };
        match self.value(field, input).and_then(|known| name_from(known, kind)) {
            Ok(Some(name)) if kind == Kind::Secret && self.surroundings.store_secrets.contains(&name) => {
                self.error(
                    field,
                    format!(
                        "the Secret {name:?} opens the object store of the namespace; it is the launcher's, and user \
                         code may not have it: put what the task needs into a Secret of its own"
                    ),
                );
                ObjectName::None
            }
            Ok(Some(name)) => ObjectName::Known(name),
            Ok(None) if matches!(self.values, Values::Submitted) => ObjectName::Later,
            Ok(None) => ObjectName::None,
            Err(reason) => {
                self.error(field, reason);
                ObjectName::None
            }
        }
    }
}

/// Whether a constant holds placeholders, so that it depends on the run.
fn may_change(value: &Value) -> bool {
    match value {
        Value::String(text) => has_placeholder(text),
        Value::Array(items) => items.iter().any(may_change),
        Value::Object(members) => members.iter().any(|(key, member)| has_placeholder(key) || may_change(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The name of an object that a value gives; nothing where none is given, or not yet.
fn name_from(known: Known, kind: Kind) -> Result<Option<String>, String> {
    match known {
        Known::Later => Ok(None),
        Known::Null if kind == Kind::Claim => Err("the name of the PersistentVolumeClaim is null".to_owned()),
        Known::Null => Ok(None),
        Known::Value(Value::String(name)) if name.is_empty() => {
            Err(format!("the name of the {} is empty", kind.word()))
        }
        Known::Value(Value::String(name)) if !is_object_name(&name) => Err(format!(
            "{name:?} is no name of a {}: small letters, digits, `-` and `.`, at most {MAX_OBJECT_NAME} of them",
            kind.word()
        )),
        Known::Value(Value::String(name)) => Ok(Some(name)),
        Known::Value(other) => Err(format!(
            "the name of the {} is a value of type {}, and must be a string",
            kind.word(),
            self::kind(&other)
        )),
    }
}

/// Reads a message of Kubernetes as Go does: keys whatever their case, integers that are written as doubles, and unknown
/// keys passed over. `fields` are the names of all fields in it, however deep.
pub(super) fn decode<T: DeserializeOwned>(mut value: Value, fields: &[&str]) -> Result<T, String> {
    canonicalize(&mut value);
    spell(&mut value, fields);
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Gives keys the spelling of the fields that they mean. What comes from a pipeline or a task is no deeper than documents
/// and parameters may be, so recursion is bounded.
fn spell(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spell(item, fields)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| spell(member, fields));
            let others: Vec<String> = members.keys().filter(|key| !fields.contains(&key.as_str())).cloned().collect();
            for key in others {
                let Some(field) = fields.iter().find(|field| field.eq_ignore_ascii_case(&key)) else { continue };
                if let Some(member) = members.remove(&key) {
                    members.entry(*field).or_insert(member);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
