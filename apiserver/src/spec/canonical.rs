//! Writes a document again, field by field, as its protobuf message would be written.

use penstock_spec::value::canonicalize;
use serde_json::{Map, Number, Value};

use crate::wire::read::camel_case;

/// A message: its fields.
pub(super) struct Message(pub(super) &'static [Field]);

/// A field by its name in the proto file.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) label: Label,
}

/// What a field holds.
pub(super) enum Kind {
    /// `string`, and what is written as one.
    Text,
    Bool,
    /// `int32`.
    Int,
    /// `int64`, which is written as text.
    Long,
    Double,
    /// Names of the values by number.
    Enum(&'static [&'static str]),
    Message(&'static Message),
    /// `google.protobuf.Value`, for which null is a value.
    Any,
    /// `google.protobuf.Struct`.
    Struct,
}

/// How often a field may be there, and whether its default value is left out.
pub(super) enum Label {
    Single,
    /// One of several alternatives: it is there even with its default value.
    OneOf,
    Repeated,
    /// Values by name.
    Map,
}

/// Writes a document. What it holds beside the fields of the message is kept as it is.
pub(super) fn write(message: &Message, document: &Value) -> Value {
    let mut document = document.clone();
    canonicalize(&mut document);
    write_message(message, document)
}

/// Documents are no deeper than the parser allows, so recursion is bounded.
fn write_message(message: &Message, value: Value) -> Value {
    let Value::Object(mut members) = value else { return value };
    let mut written = Map::new();
    for field in message.0 {
        let camel = camel_case(field.name);
        let Some(value) = members.remove(&camel).or_else(|| members.remove(field.name)) else { continue };
        if let Some(value) = write_field(field, value) {
            written.insert(camel, value);
        }
    }
    written.extend(members);
    Value::Object(written)
}

/// A field, unless it is left out.
fn write_field(field: &Field, value: Value) -> Option<Value> {
    match (&field.label, value) {
        (Label::Single | Label::OneOf, Value::Null) => matches!(field.kind, Kind::Any).then_some(Value::Null),
        (_, Value::Null) => None,
        (Label::Single, value) => {
            let value = write_value(&field.kind, value);
            (!is_default(&field.kind, &value)).then_some(value)
        }
        (Label::Repeated, Value::Array(items)) if items.is_empty() => None,
        (Label::Repeated, Value::Array(items)) => {
            Some(items.into_iter().map(|item| write_value(&field.kind, item)).collect())
        }
        (Label::Map, Value::Object(entries)) if entries.is_empty() => None,
        (Label::Map, Value::Object(entries)) => {
            let entries = entries.into_iter().map(|(key, entry)| (key, write_value(&field.kind, entry)));
            Some(Value::Object(entries.collect()))
        }
        (Label::OneOf | Label::Repeated | Label::Map, value) => Some(write_value(&field.kind, value)),
    }
}

fn write_value(kind: &Kind, value: Value) -> Value {
    match kind {
        Kind::Message(message) => write_message(message, value),
        Kind::Enum(names) => match value.as_u64().and_then(|number| names.get(usize::try_from(number).ok()?)) {
            Some(name) => Value::from(*name),
            None => value,
        },
        Kind::Int => match value.as_str().and_then(|text| text.parse::<i32>().ok()) {
            Some(number) => Value::from(number),
            None => value,
        },
        Kind::Long => match value.as_i64() {
            Some(number) => Value::from(number.to_string()),
            None => value,
        },
        Kind::Double => match value.as_str().and_then(|text| text.parse().ok()).and_then(Number::from_f64) {
            Some(number) => {
                let mut value = Value::Number(number);
                canonicalize(&mut value);
                value
            }
            None => value,
        },
        Kind::Text | Kind::Bool | Kind::Any | Kind::Struct => value,
    }
}

fn is_default(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Text => value == "",
        Kind::Bool => *value == Value::Bool(false),
        Kind::Int | Kind::Double => value.as_f64() == Some(0.0),
        Kind::Long => value == "0",
        Kind::Enum(names) => names.first().is_some_and(|name| value == name),
        Kind::Message(_) | Kind::Any | Kind::Struct => false,
    }
}
