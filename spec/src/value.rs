//! Parameter values: JSON in which integral numbers stay integers, and their text form.

use serde_json::{Number, Value};

/// Kind of a value in error texts: `null`, `bool`, `number`, `string`, `list` or `struct`.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "struct",
    }
}

/// Brings numbers into the one form we compute with. All numbers of a specification are doubles (proto-JSON), so an
/// integral one becomes an integer (`1.0` is `1`, `-0.0` is `0`) and one beyond 2^53 takes the double's value.
pub fn canonicalize(value: &mut Value) {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Number(number) => *number = canonical_number(number),
            Value::Array(items) => pending.extend(items),
            Value::Object(members) => pending.extend(members.values_mut()),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
}

fn canonical_number(number: &Number) -> Number {
    const EXACT: i64 = 1 << 53;
    if let Some(integer) = number.as_i64()
        && (-EXACT..=EXACT).contains(&integer)
    {
        return Number::from(integer);
    }
    let Some(double) = number.as_f64() else { return number.clone() };
    // The cast saturates; 2^63 as a double is the first value that does not fit.
    if double.fract() == 0.0 && double.abs() < 9_223_372_036_854_775_808.0 {
        return Number::from(double as i64);
    }
    Number::from_f64(double).unwrap_or_else(|| number.clone())
}

/// Text form of a parameter: a string as is, `true`/`false`, a number without exponent, compact JSON for lists and
/// structs, nothing for null.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number_text(number),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => to_json(value),
    }
}

/// Compact JSON with numbers in plain notation, never with an exponent. What is an integer in memory is written without
/// a fraction, what is a double with one.
pub fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, PlainNumbers);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        // Only a map with keys that are not text can fail, and no type of ours has one.
        Err(_) => String::new(),
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(double) if !number.is_i64() && !number.is_u64() => double_text(double),
        _ => number.to_string(),
    }
}

fn double_text(double: f64) -> String {
    // Rust writes doubles in the shortest form that reads back to the same value, and without an exponent.
    format!("{double}")
}

struct PlainNumbers;

impl serde_json::ser::Formatter for PlainNumbers {
    fn write_f64<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, value: f64) -> std::io::Result<()> {
        writer.write_all(double_text(value).as_bytes())?;
        match value.fract() == 0.0 {
            // Python tells `2.0` from `2`, and the author's function takes a float.
            true => writer.write_all(b".0"),
            false => Ok(()),
        }
    }
}
