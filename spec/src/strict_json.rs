//! JSON as proto-JSON wants it: no object names a member twice, numbers are finite, nothing follows the value (I-28).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a text that is one value. Its depth is bounded (128 levels).
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    parse_bounded(bytes, usize::MAX)
}

/// Reads a text that is one value and holds no more than `limit` values, itself included: a value takes many times the
/// memory of its text (T-20).
pub fn parse_bounded(bytes: &[u8], limit: usize) -> Result<Value, serde_json::Error> {
    let left = Cell::new(limit);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { left: &left, limit }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads a JSON value in which no object names a member twice. The parser itself bounds the depth.
#[derive(Clone, Copy)]
struct Strict<'a> {
    /// Values that may still come.
    left: &'a Cell<usize>,
    limit: usize,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(D::Error::custom(format!("it holds more than {} values", self.limit))),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the name `{name}` occurs twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{parse, parse_bounded};

    #[test]
    fn values_are_read_as_they_are() {
        let text = br#" {"a": [1, -2, 0.5, null, true, "x"], "b": {"a": {}}} "#;
        assert_eq!(parse(text).unwrap(), json!({"a": [1, -2, 0.5, null, true, "x"], "b": {"a": {}}}));
    }

    #[test]
    fn i28_repeated_names_trailing_bytes_and_endless_numbers_are_refused() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"a": {"b": 1, "b": 2}}]"#, "{} {}", "1e400", "NaN", "", "\u{feff}{}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn t20_values_are_counted() {
        let text = br#"{"a": [1, 2], "b": {"c": null}}"#;
        assert!(parse_bounded(text, 6).is_ok());
        let error = parse_bounded(text, 5).unwrap_err().to_string();
        assert!(error.starts_with("it holds more than 5 values"), "{error}");
        assert!(parse_bounded(b"1", 1).is_ok() && parse_bounded(b"[1]", 1).is_err());
    }

    #[test]
    fn i03_depth_is_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
