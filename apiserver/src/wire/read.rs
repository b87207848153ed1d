//! Messages in requests. A message is read field by field; what is left over afterwards is an unknown field.

use std::collections::BTreeMap;

use penstock_spec::Timestamp;
use penstock_spec::strict_json;
use penstock_spec::value::{canonicalize, kind};
use serde_json::{Map, Value};

use super::time;
use crate::error::ApiError;

/// A body that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("proto: {place}{message}")]
pub struct WireError {
    /// Where, such as `(at runtime_config): `; nothing at the top level.
    place: String,
    message: String,
}

impl From<WireError> for ApiError {
    fn from(error: WireError) -> Self {
        Self::malformed(error.to_string())
    }
}

/// Names and numbers of an enum.
pub type Enumeration = [(&'static str, i64)];

/// The fields of one message that have not been read yet.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    path: String,
}

/// Reads a text as one message. No text at all is an empty message. Every field must be taken by `read`.
///
/// `values` bounds how many JSON values there may be in all: they take many times the memory of their text.
pub fn read_message<T>(
    text: &[u8],
    values: usize,
    read: impl FnOnce(&mut Fields) -> Result<T, WireError>,
) -> Result<T, WireError> {
    let fault = |message: String| WireError { place: String::new(), message };
    let value = if text.iter().all(u8::is_ascii_whitespace) {
        Value::Object(Map::new())
    } else {
        strict_json::parse_bounded(text, values).map_err(|error| fault(format!("syntax error: {error}")))?
    };
    match value {
        Value::Object(members) => Fields { members, path: String::new() }.read(read),
        other => Err(fault(format!("syntax error: unexpected {}, expected an object", kind(&other)))),
    }
}

impl Fields {
    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T, WireError>) -> Result<T, WireError> {
        let message = read(&mut self)?;
        match self.members.keys().next() {
            None => Ok(message),
            Some(name) => Err(self.fault(format!("unknown field {name:?}"))),
        }
    }

    /// An error in this message.
    pub fn fault(&self, message: impl Into<String>) -> WireError {
        let place = if self.path.is_empty() { String::new() } else { format!("(at {}): ", self.path) };
        WireError { place, message: message.into() }
    }

    fn wrong_type(&self, name: &str, expected: &str, value: &Value) -> WireError {
        self.fault(format!("invalid value for {expected} field {name}: {}", kind(value)))
    }

    fn inner_path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The value of a field in either spelling, null included.
    fn take_present(&mut self, name: &str) -> Result<Option<Value>, WireError> {
        let snake = self.members.remove(name);
        let camel_name = camel_case(name);
        let camel = if camel_name == name { None } else { self.members.remove(&camel_name) };
        match (snake, camel) {
            (Some(_), Some(_)) => Err(self.fault(format!("duplicate field {name:?}"))),
            (snake, camel) => Ok(snake.or(camel)),
        }
    }

    /// The value of a field in either spelling, if it is set.
    fn take(&mut self, name: &str) -> Result<Option<Value>, WireError> {
        Ok(self.take_present(name)?.filter(|value| !value.is_null()))
    }

    /// A string; empty when it is unset.
    pub fn text(&mut self, name: &str) -> Result<String, WireError> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    /// A string that may be set and empty.
    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, WireError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::String(text)) => self.without_nul(name, text).map(Some),
            Some(other) => Err(self.wrong_type(name, "string", &other)),
        }
    }

    /// Stores do not agree on what a NUL within a text means.
    fn without_nul(&self, name: &str, text: String) -> Result<String, WireError> {
        match text.contains('\0') {
            true => Err(self.fault(format!("invalid value for string field {name}: it holds a NUL character"))),
            false => Ok(text),
        }
    }

    /// A boolean; false when it is unset.
    pub fn boolean(&mut self, name: &str) -> Result<bool, WireError> {
        Ok(self.optional_boolean(name)?.unwrap_or_default())
    }

    /// A boolean that may be set and false.
    pub fn optional_boolean(&mut self, name: &str) -> Result<Option<bool>, WireError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(self.wrong_type(name, "bool", &other)),
        }
    }

    /// An integer of 64 bits as text or number.
    pub fn optional_integer(&mut self, name: &str) -> Result<Option<i64>, WireError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        match integer(&value) {
            Some(integer) => Ok(Some(integer)),
            None => Err(self.wrong_type(name, "int64", &value)),
        }
    }

    /// The same; 0 when it is unset.
    pub fn integer(&mut self, name: &str) -> Result<i64, WireError> {
        Ok(self.optional_integer(name)?.unwrap_or_default())
    }

    /// A point in time. The first moment of year 1, which clients in Go send for one that is not set, is unset.
    pub fn time(&mut self, name: &str) -> Result<Option<Timestamp>, WireError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::String(text)) => time::parse(&text)
                .map_err(|reason| self.fault(format!("invalid google.protobuf.Timestamp value {text:?}: {reason}"))),
            Some(other) => Err(self.wrong_type(name, "google.protobuf.Timestamp", &other)),
        }
    }

    /// The number of an enum's value, given by name or by number; 0 when it is unset.
    pub fn enumeration(&mut self, name: &str, names: &Enumeration) -> Result<i64, WireError> {
        let Some(value) = self.take(name)? else { return Ok(0) };
        let number = match &value {
            Value::String(text) => names.iter().find(|(known, _)| known == text).map(|(_, number)| *number),
            Value::Number(_) => integer(&value).filter(|number| i32::try_from(*number).is_ok()),
            other => return Err(self.wrong_type(name, "enum", other)),
        };
        number.ok_or_else(|| self.fault(format!("invalid value for enum field {name}: {value}")))
    }

    /// A message within this one.
    pub fn message<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Fields) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Object(members)) => Fields { members, path: self.inner_path(name) }.read(read).map(Some),
            Some(other) => Err(self.wrong_type(name, "message", &other)),
        }
    }

    /// A list of messages.
    pub fn messages<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Fields) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let items = self.list(name)?;
        let mut messages = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.inner_path(name));
            match item {
                Value::Object(members) => messages.push(Fields { members, path }.read(&mut read)?),
                other => return Err(self.wrong_type(name, "message", &other)),
            }
        }
        Ok(messages)
    }

    /// A list of any values; empty when it is unset.
    pub fn list(&mut self, name: &str) -> Result<Vec<Value>, WireError> {
        match self.take(name)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong_type(name, "repeated", &other)),
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, WireError> {
        let items = self.list(name)?;
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => self.without_nul(name, text),
            other => Err(self.wrong_type(name, "repeated string", &other)),
        });
        texts.collect()
    }

    /// A list of integers, each as text or number.
    pub fn integers(&mut self, name: &str) -> Result<Vec<i64>, WireError> {
        let items = self.list(name)?;
        let integers =
            items.into_iter().map(|item| integer(&item).ok_or_else(|| self.wrong_type(name, "repeated int64", &item)));
        integers.collect()
    }

    /// Strings by name; `None` when it is unset, which some requests tell from an empty one.
    pub fn text_map(&mut self, name: &str) -> Result<Option<BTreeMap<String, String>>, WireError> {
        let Some(members) = self.object(name)? else { return Ok(None) };
        let entries = members.into_iter().map(|(key, value)| match value {
            Value::String(text) => Ok((self.without_nul(name, key)?, self.without_nul(name, text)?)),
            other => Err(self.wrong_type(name, "map of strings", &other)),
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    /// A `google.protobuf.Struct`, or a map of `google.protobuf.Value`. Numbers are doubles there, so `1.0` becomes `1`.
    pub fn structure(&mut self, name: &str) -> Result<Option<Map<String, Value>>, WireError> {
        let Some(mut members) = self.object(name)? else { return Ok(None) };
        members.values_mut().for_each(canonicalize);
        Ok(Some(members))
    }

    fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, WireError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(other) => Err(self.wrong_type(name, "message", &other)),
        }
    }

    /// Takes fields that clients may send and that mean nothing in a request.
    pub fn ignore(&mut self, names: &[&str]) -> Result<(), WireError> {
        names.iter().try_for_each(|name| self.take_present(name).map(drop))
    }

    /// Refuses a message in which more than one of these is set.
    pub fn one_of(&self, names: &[&str]) -> Result<(), WireError> {
        let is_set = |name: &&&str| {
            let value = self.members.get(**name).or_else(|| self.members.get(&camel_case(name)));
            value.is_some_and(|value| !value.is_null())
        };
        match names.iter().filter(is_set).nth(1) {
            None => Ok(()),
            Some(second) => Err(self.fault(format!("error parsing {second:?}, oneof is already set"))),
        }
    }
}

/// An integer as text or number; a number may have a fraction of zero.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| {
            let double = number.as_f64()?;
            // Doubles beyond 2^53 are no exact integers.
            (double.fract() == 0.0 && double.abs() <= 9_007_199_254_740_992.0).then_some(double as i64)
        }),
        _ => None,
    }
}

/// `pipeline_version_id` as `pipelineVersionId`.
pub(crate) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                camel.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => camel.push(character),
        }
    }
    camel
}

#[cfg(test)]
mod tests;
