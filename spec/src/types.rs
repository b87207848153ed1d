//! Types of parameters: what a declared input accepts, and how the text of an output parameter file is read.

use serde_json::{Number, Value};

use crate::ir::ParameterType;
use crate::value;

/// A value that does not fit its declaration.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TypeError {
    #[error("input parameter {name:?} type mismatch: expect {expected}, got {actual}")]
    Mismatch { name: String, expected: &'static str, actual: &'static str },
    #[error("input parameter {name:?} value {value} does not match any of the allowed literal values: {allowed}")]
    Literal { name: String, value: String, allowed: String },
    #[error("output parameter {name:?} of type {expected} cannot be read from {text:?}: {reason}")]
    Output { name: String, expected: &'static str, text: String, reason: String },
    #[error("output parameter {name:?} of type {expected} is not UTF-8 text at byte {at}")]
    NotText { name: String, expected: &'static str, at: usize },
}

impl ParameterType {
    /// The name that the specification uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "PARAMETER_TYPE_ENUM_UNSPECIFIED",
            Self::NumberDouble => "NUMBER_DOUBLE",
            Self::NumberInteger => "NUMBER_INTEGER",
            Self::String => "STRING",
            Self::Boolean => "BOOLEAN",
            Self::List => "LIST",
            Self::Struct => "STRUCT",
            Self::TaskFinalStatus => "TASK_FINAL_STATUS",
            Self::TaskConfig => "TASK_CONFIG",
        }
    }
}

/// Fits a value to a declared input. `STRING` takes everything and converts it to text; numbers become what their type
/// says, so that a Python function that takes a float is not handed an `int`; no other type converts, and an
/// unspecified one passes anything through.
pub fn check_input(name: &str, declared: ParameterType, mut value: Value) -> Result<Value, TypeError> {
    let fits = match declared {
        ParameterType::String => {
            return Ok(match value {
                Value::String(_) => value,
                other => Value::String(value::to_text(&other)),
            });
        }
        ParameterType::Unspecified => true,
        ParameterType::NumberDouble | ParameterType::NumberInteger => value.is_number(),
        ParameterType::Boolean => value.is_boolean(),
        ParameterType::List => value.is_array(),
        ParameterType::Struct | ParameterType::TaskFinalStatus | ParameterType::TaskConfig => value.is_object(),
    };
    if fits {
        match (declared, &value) {
            (ParameterType::NumberInteger, _) => value::canonicalize(&mut value),
            (ParameterType::NumberDouble, Value::Number(number)) => {
                let double = number.as_f64().and_then(Number::from_f64);
                value = double.map_or(value, Value::Number);
            }
            _ => {}
        }
        return Ok(value);
    }
    Err(TypeError::Mismatch { name: name.to_owned(), expected: declared.name(), actual: value::kind(&value) })
}

/// Checks a value against the literals that a declaration allows. No literals allow everything.
pub fn check_literals(name: &str, literals: &[Value], value: &Value) -> Result<(), TypeError> {
    if literals.is_empty() || literals.iter().any(|literal| same(literal, value)) {
        return Ok(());
    }
    let allowed = literals.iter().map(value::to_json).collect::<Vec<_>>().join(", ");
    Err(TypeError::Literal { name: name.to_owned(), value: value::to_json(value), allowed })
}

/// Equality in which `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    let canonical = |value: &Value| {
        let mut value = value.clone();
        value::canonicalize(&mut value);
        value
    };
    left == right || canonical(left) == canonical(right)
}

/// Reads the content of an output parameter file.
pub fn parse_output_file(name: &str, declared: ParameterType, content: &[u8]) -> Result<Value, TypeError> {
    let text = std::str::from_utf8(content).map_err(|error| TypeError::NotText {
        name: name.to_owned(),
        expected: declared.name(),
        at: error.valid_up_to(),
    })?;
    let refuse = |reason: &str| TypeError::Output {
        name: name.to_owned(),
        expected: declared.name(),
        text: excerpt(text),
        reason: reason.to_owned(),
    };
    match declared {
        ParameterType::String | ParameterType::Unspecified => Ok(Value::String(text.to_owned())),
        ParameterType::NumberInteger => match text.trim().parse::<i64>() {
            Ok(integer) => Ok(canonical(Value::from(integer))),
            Err(_) => Err(refuse("not a decimal integer of 64 bits")),
        },
        ParameterType::NumberDouble => {
            let double = parse_double(text.trim()).ok_or_else(|| refuse("not a number"))?;
            let number = Number::from_f64(double).ok_or_else(|| refuse("not a finite number"))?;
            Ok(canonical(Value::Number(number)))
        }
        ParameterType::Boolean => match text.trim() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => Err(refuse("not true or false")),
        },
        ParameterType::List => match parse_json(text) {
            Ok(value @ Value::Array(_)) => Ok(value),
            Ok(other) => Err(refuse(&format!("the JSON is a {}, not a list", value::kind(&other)))),
            Err(error) => Err(refuse(&error.to_string())),
        },
        ParameterType::Struct | ParameterType::TaskFinalStatus | ParameterType::TaskConfig => match parse_json(text) {
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(other) => Err(refuse(&format!("the JSON is a {}, not a struct", value::kind(&other)))),
            Err(error) => Err(refuse(&error.to_string())),
        },
    }
}

/// A decimal number as Go's `strconv.ParseFloat` writes them: digits, point, exponent, sign.
fn parse_double(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
        "nan" | "inf" | "infinity" => text.parse().ok(),
        _ if plain => text.parse().ok(),
        _ => None,
    }
}

fn parse_json(text: &str) -> Result<Value, serde_json::Error> {
    // serde_json itself refuses more than 128 levels.
    serde_json::from_str::<Value>(text.trim()).map(canonical)
}

fn canonical(mut value: Value) -> Value {
    value::canonicalize(&mut value);
    value
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 120;
    let mut short: String = text.chars().take(LENGTH).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[rstest::rstest]
    #[case(json!("a"), "a")]
    #[case(json!(1), "1")]
    #[case(json!(0.1), "0.1")]
    #[case(json!(1e20), "100000000000000000000")]
    #[case(json!(true), "true")]
    #[case(json!([1, {"a": 2.5}]), r#"[1,{"a":2.5}]"#)]
    #[case(json!(null), "")]
    fn strings_take_every_value_as_text(#[case] value: Value, #[case] text: &str) {
        assert_eq!(check_input("x", ParameterType::String, value), Ok(json!(text)));
    }

    #[test]
    fn no_other_type_converts() {
        let error = check_input("x", ParameterType::NumberInteger, json!("1")).unwrap_err();
        assert_eq!(error.to_string(), r#"input parameter "x" type mismatch: expect NUMBER_INTEGER, got string"#);
        assert!(check_input("x", ParameterType::NumberInteger, json!(1.5)).is_ok());
        assert!(check_input("x", ParameterType::Boolean, json!("true")).is_err());
        assert!(check_input("x", ParameterType::List, json!({})).is_err());
        assert!(check_input("x", ParameterType::Struct, json!(null)).is_err());
        assert!(check_input("x", ParameterType::Unspecified, json!(null)).is_ok());
    }

    #[test]
    fn literals_allow_only_themselves() {
        let literals = [json!("a"), json!(1)];
        assert_eq!(check_literals("x", &literals, &json!(1.0)), Ok(()));
        assert_eq!(check_literals("x", &[], &json!("z")), Ok(()));
        let error = check_literals("x", &literals, &json!("b")).unwrap_err().to_string();
        assert_eq!(error, r#"input parameter "x" value "b" does not match any of the allowed literal values: "a", 1"#);
    }

    #[rstest::rstest]
    #[case(ParameterType::String, " a\n", json!(" a\n"))]
    #[case(ParameterType::NumberInteger, " 12\n", json!(12))]
    #[case(ParameterType::NumberInteger, "-0", json!(0))]
    #[case(ParameterType::NumberDouble, "1.50\n", json!(1.5))]
    #[case(ParameterType::NumberDouble, "1e3", json!(1000))]
    #[case(ParameterType::Boolean, "T", json!(true))]
    #[case(ParameterType::Boolean, "0\n", json!(false))]
    #[case(ParameterType::List, " [1.0]\n", json!([1]))]
    #[case(ParameterType::Struct, r#"{"a": null}"#, json!({"a": null}))]
    fn output_files_are_read_by_type(#[case] declared: ParameterType, #[case] text: &str, #[case] expected: Value) {
        assert_eq!(parse_output_file("x", declared, text.as_bytes()), Ok(expected));
    }

    #[test]
    fn bools_of_output_files_have_twelve_spellings_and_no_more() {
        for (spellings, value) in [("1 t T TRUE true True", true), ("0 f F FALSE false False", false)] {
            for text in spellings.split(' ') {
                let read = parse_output_file("x", ParameterType::Boolean, format!(" {text}\n").as_bytes());
                assert_eq!(read, Ok(json!(value)), "{text}");
            }
        }
        for text in ["", "tRUE", "yes", "on", "2", "null"] {
            assert!(parse_output_file("x", ParameterType::Boolean, text.as_bytes()).is_err(), "{text}");
        }
    }

    #[rstest::rstest]
    #[case(ParameterType::NumberInteger, "1.5")]
    #[case(ParameterType::NumberInteger, "9223372036854775808")]
    #[case(ParameterType::NumberInteger, "")]
    #[case(ParameterType::NumberDouble, "NaN")]
    #[case(ParameterType::NumberDouble, "inf")]
    #[case(ParameterType::NumberDouble, "1e999")]
    #[case(ParameterType::Boolean, "yes")]
    #[case(ParameterType::List, "{}")]
    #[case(ParameterType::Struct, "{")]
    #[case(ParameterType::Struct, "[NaN]")]
    fn i18_output_files_that_do_not_fit_are_refused(#[case] declared: ParameterType, #[case] text: &str) {
        let error = parse_output_file("x", declared, text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(r#"output parameter "x" of type "#), "{error}");
    }

    #[test]
    fn i18_binary_output_files_are_refused() {
        let error = parse_output_file("x", ParameterType::String, b"ab\xff").unwrap_err().to_string();
        assert_eq!(error, r#"output parameter "x" of type STRING is not UTF-8 text at byte 2"#);
    }

    #[test]
    fn i03_deep_output_files_are_refused() {
        let text = "[".repeat(100_000);
        assert!(parse_output_file("x", ParameterType::List, text.as_bytes()).is_err());
    }
}
