//! Placeholders within constants: replaced in strings and keys at any depth, once, as values. What is put in is never
//! read again, so a value that looks like a placeholder stays what it is.

use std::convert::Infallible;
use std::sync::Arc;

use penstock_spec::placeholder::{self, Placeholder, Segment};
use penstock_spec::value::to_text;
use serde_json::{Map, Value};

/// What a placeholder stands for; `None` leaves it as it is written.
pub(crate) type Lookup<'a> = dyn Fn(&Placeholder) -> Option<Arc<Value>> + 'a;

/// Replaces placeholders; a string that is exactly one becomes the value itself. The depth of constants is bounded by
/// the check of the document.
pub(crate) fn substitute(template: &Value, lookup: &Lookup<'_>) -> Value {
    match template {
        Value::String(text) => match placeholder::parse_template(text).as_slice() {
            [Segment::Placeholder(placeholder)] => {
                lookup(placeholder).map_or_else(|| template.clone(), |value| (*value).clone())
            }
            _ => Value::String(substitute_text(text, lookup)),
        },
        Value::Array(items) => items.iter().map(|item| substitute(item, lookup)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| (substitute_text(key, lookup), substitute(value, lookup)));
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    }
}

/// Like [`substitute`], but everything takes its text form: what importers do with metadata.
pub(crate) fn substitute_as_text(template: &Map<String, Value>, lookup: &Lookup<'_>) -> Map<String, Value> {
    fn value(template: &Value, lookup: &Lookup<'_>) -> Value {
        match template {
            Value::String(text) => Value::String(substitute_text(text, lookup)),
            Value::Array(items) => items.iter().map(|item| value(item, lookup)).collect(),
            Value::Object(members) => Value::Object(substitute_as_text(members, lookup)),
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }
    template.iter().map(|(key, member)| (substitute_text(key, lookup), value(member, lookup))).collect()
}

/// Replaces placeholders within a text.
pub(crate) fn substitute_text(text: &str, lookup: &Lookup<'_>) -> String {
    let replaced: Result<String, Infallible> =
        placeholder::substitute(text, |placeholder| Ok(lookup(placeholder).map(|value| to_text(&value))));
    match replaced {
        Ok(text) => text,
        Err(never) => match never {},
    }
}
