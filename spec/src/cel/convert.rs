//! Values between JSON and CEL. JSON numbers are doubles, as KFP has them.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::Key;
use cel::{ExecutionError, Value as CelValue};
use serde_json::{Map, Number, Value};

use crate::executor::{ExecutorInputs, RuntimeArtifact};
use crate::value::canonicalize;

/// The variable `inputs`, in the spelling of the specification's own fields.
pub(super) fn inputs(inputs: &ExecutorInputs) -> CelValue {
    let artifacts = inputs.artifacts.iter().map(|(name, list)| {
        let list: Vec<CelValue> = list.artifacts.iter().map(artifact).collect();
        (name.as_str(), map([("artifacts", CelValue::List(Arc::new(list)))]))
    });
    map([("parameter_values", object(&inputs.parameter_values)), ("artifacts", map(artifacts))])
}

fn artifact(artifact: &RuntimeArtifact) -> CelValue {
    let kind = &artifact.artifact_type;
    let artifact_type = map([
        ("schema_title", text(&kind.schema_title)),
        ("schema_uri", text(&kind.schema_uri)),
        ("instance_schema", text(&kind.instance_schema)),
        ("schema_version", text(&kind.schema_version)),
    ]);
    map([
        ("name", text(&artifact.name)),
        ("type", artifact_type),
        ("uri", text(&artifact.uri)),
        ("metadata", object(&artifact.metadata)),
    ])
}

fn text(text: &str) -> CelValue {
    CelValue::String(Arc::new(text.to_owned()))
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, CelValue)>) -> CelValue {
    let entries: HashMap<Key, CelValue> =
        entries.into_iter().map(|(key, value)| (Key::String(Arc::new(key.to_owned())), value)).collect();
    CelValue::Map(entries.into())
}

fn object(members: &Map<String, Value>) -> CelValue {
    map(members.iter().map(|(key, value)| (key.as_str(), to_cel(value))))
}

/// JSON to CEL. The depth of JSON values is capped where they enter, so the recursion is bounded.
pub(super) fn to_cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(value) => text(value),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(members) => object(members),
    }
}

/// CEL to JSON; the error is the kind of the value that JSON does not have.
pub(super) fn from_cel(value: &CelValue) -> Result<Value, &'static str> {
    Ok(match value {
        CelValue::Null => Value::Null,
        CelValue::Bool(value) => Value::Bool(*value),
        CelValue::Int(value) => canonical(Value::from(*value)),
        CelValue::UInt(value) => canonical(Value::from(*value)),
        CelValue::Float(value) => canonical(Number::from_f64(*value).map(Value::Number).ok_or("number without value")?),
        CelValue::String(value) => Value::String(value.as_ref().clone()),
        CelValue::List(items) => Value::Array(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        CelValue::Map(entries) => {
            let mut members = Map::new();
            for (key, value) in entries.map.iter() {
                let Key::String(key) = key else { return Err("map with keys that are not strings") };
                members.insert(key.as_ref().clone(), from_cel(value)?);
            }
            Value::Object(members)
        }
        other => return Err(kind(other)),
    })
}

fn canonical(mut value: Value) -> Value {
    canonicalize(&mut value);
    value
}

/// Name of a value's kind.
pub(super) fn kind(value: &CelValue) -> &'static str {
    match value {
        CelValue::List(_) => "list",
        CelValue::Map(_) => "map",
        CelValue::Function(..) => "function",
        CelValue::Int(_) => "int",
        CelValue::UInt(_) => "uint",
        CelValue::Float(_) => "double",
        CelValue::String(_) => "string",
        CelValue::Bytes(_) => "bytes",
        CelValue::Bool(_) => "bool",
        CelValue::Null => "null",
        _ => "type",
    }
}

/// The text of an evaluation error. The library's own texts print whole values, which can be large.
pub(super) fn error_text(error: &ExecutionError) -> String {
    const LENGTH: usize = 300;
    let text = match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::UndeclaredReference(name) => format!("undeclared reference to {name:?}"),
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("a {} cannot be compared to a {}", kind(left), kind(right))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("no operator {operator} for {} and {}", kind(left), kind(right))
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
