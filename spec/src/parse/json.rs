//! JSON text with the strictness that YAML has: duplicate keys are errors.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::ParseError;
use crate::limits::Limits;

/// Reads a text that is one JSON object; `None` when it is something else, YAML perhaps.
pub(super) fn read_object(text: &str, limits: &Limits) -> Result<Option<Value>, ParseError> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut fault = None;
    let mut nodes = limits.nodes;
    let node = Node { depth: limits.depth, fault: &mut fault, nodes: &mut nodes };
    let read = node.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match (read, fault) {
        (Ok(value), _) => Ok(Some(value)),
        (Err(error), Some(message)) => Err(ParseError::Json { message, line: error.line(), column: error.column() }),
        // A flow mapping of YAML looks alike; the YAML parser decides, and its message names the place.
        (Err(_), None) => Ok(None),
    }
}

/// One value at a depth. `fault` is set for what is wrong in YAML too.
struct Node<'a> {
    depth: usize,
    nodes: &'a mut usize,
    fault: &'a mut Option<String>,
}

impl Node<'_> {
    fn fail<E: Error>(self, message: String) -> E {
        let error = E::custom(&message);
        *self.fault = Some(message);
        error
    }

    fn inner(&mut self) -> Node<'_> {
        Node { depth: self.depth.saturating_sub(1), nodes: self.nodes, fault: self.fault }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if *self.nodes == 0 {
            return Err(self.fail("the document holds too many values".to_owned()));
        }
        *self.nodes -= 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        if self.depth == 0 {
            return Err(self.fail("lists and structs nest too deep".to_owned()));
        }
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.inner())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        if self.depth == 0 {
            return Err(self.fail("lists and structs nest too deep".to_owned()));
        }
        let mut members = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(self.fail(format!("duplicate key {key:?}")));
            }
            let value = entries.next_value_seed(self.inner())?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}
