//! Run parameters as the user writes them: `-p name=value` and `-f file.json`, typed by what the pipeline declares.
//!
//! Whether the set is complete and right is the engine's to judge; here text becomes JSON values.

use std::collections::BTreeSet;

use penstock_spec::ir::{InputParameter, Named, ParameterType};
use penstock_spec::strict_json;
use penstock_spec::value::{canonicalize, kind};
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::text::{fit, inert};

/// Columns of a value that is shown because it is wrong.
const GIVEN_WIDTH: usize = 60;

/// Why parameters could not be read.
#[derive(Debug, Error)]
pub(crate) enum ParameterError {
    /// No `=`, or nothing before it.
    #[error("-p {0}: expected name=value")]
    NoName(String),
    /// `-p` twice for one name.
    #[error("-p {0} is given more than once")]
    Repeated(String),
    /// Text that is not of the declared type.
    #[error("-p {name}={given}: the pipeline declares a parameter of type {declared}, so the value must be {wanted}")]
    Malformed {
        /// Parameter.
        name: String,
        /// What was given, as it is shown.
        given: String,
        /// Type in the pipeline's words.
        declared: &'static str,
        /// What to write.
        wanted: &'static str,
        /// What the parser said, where that says more than the type does.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The file is not JSON, or holds a name twice.
    #[error("the parameter file {file} is not valid JSON")]
    File {
        /// Name of the file.
        file: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The file's JSON is not an object.
    #[error("the parameter file {file} must hold one JSON object with a member for each parameter, not a {found}")]
    NotAnObject {
        /// Name of the file.
        file: String,
        /// What it holds.
        found: &'static str,
    },
}

/// Reads a parameter file: one JSON object. Names that occur twice and trailing bytes are refused (I-28).
pub(crate) fn parse_file(file: &str, bytes: &[u8]) -> Result<Map<String, Value>, ParameterError> {
    let value = parse_json(bytes).map_err(|source| ParameterError::File { file: file.to_owned(), source })?;
    match value {
        Value::Object(members) => Ok(members),
        other => Err(ParameterError::NotAnObject { file: file.to_owned(), found: kind(&other) }),
    }
}

/// Puts together the parameters of a run: those of the file, and over them those of the command line.
pub(crate) fn collect(
    declared: &Named<InputParameter>,
    file: Map<String, Value>,
    assignments: &[String],
) -> Result<Map<String, Value>, ParameterError> {
    let mut parameters = file;
    let mut seen = BTreeSet::new();
    for assignment in assignments {
        let (name, text) = match assignment.split_once('=') {
            Some((name, text)) if !name.is_empty() => (name, text),
            _ => return Err(ParameterError::NoName(assignment.clone())),
        };
        if !seen.insert(name) {
            return Err(ParameterError::Repeated(name.to_owned()));
        }
        let declared = declared.get(name).map_or(ParameterType::String, |parameter| parameter.parameter_type);
        parameters.insert(name.to_owned(), parse_value(name, declared, text)?);
    }
    Ok(parameters)
}

/// Reads one value. A STRING takes the text as it is; every other type is written as JSON.
fn parse_value(name: &str, declared: ParameterType, text: &str) -> Result<Value, ParameterError> {
    let (declared, wanted, fits): (_, _, fn(&Value) -> bool) = match declared {
        ParameterType::String | ParameterType::Unspecified => return Ok(Value::String(text.to_owned())),
        ParameterType::NumberInteger => ("NUMBER_INTEGER", "a number such as 3", Value::is_number),
        ParameterType::NumberDouble => ("NUMBER_DOUBLE", "a number such as 0.5", Value::is_number),
        ParameterType::Boolean => ("BOOLEAN", "true or false", Value::is_boolean),
        ParameterType::List => ("LIST", "a JSON list such as '[1, 2]'", Value::is_array),
        ParameterType::Struct => ("STRUCT", "a JSON object such as '{\"a\": 1}'", Value::is_object),
        ParameterType::TaskFinalStatus => ("TASK_FINAL_STATUS", "a JSON object", Value::is_object),
        ParameterType::TaskConfig => ("TASK_CONFIG", "a JSON object", Value::is_object),
    };
    let given = || fit(&inert(text), GIVEN_WIDTH);
    let malformed =
        |source| ParameterError::Malformed { name: name.to_owned(), given: given(), declared, wanted, source };
    let value = parse_json(text.as_bytes()).map_err(|error| malformed(says_more(&error, text).then_some(error)))?;
    if fits(&value) { Ok(value) } else { Err(malformed(None)) }
}

/// Whether the parser's words help: they name a rule beyond JSON's own (a name that occurs twice), or a place in what
/// does begin as JSON. Of a text that is none, the type says all.
fn says_more(error: &serde_json::Error, text: &str) -> bool {
    let begins_with_a_value =
        || serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>().next().is_some_and(|value| value.is_ok());
    error.classify() == Category::Data || text.trim_start().starts_with(['[', '{']) || begins_with_a_value()
}

fn parse_json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut value = strict_json::parse(bytes)?;
    canonicalize(&mut value);
    Ok(value)
}

/// The parameters of a pipeline in one line, for whoever gave a wrong one.
pub(crate) fn list(declared: &Named<InputParameter>) -> String {
    let described = declared.iter().map(|(name, input)| {
        let needed = if input.is_optional || input.default_value.is_some() { "" } else { ", required" };
        format!("{name} ({}{needed})", input.parameter_type.name())
    });
    match described.collect::<Vec<_>>() {
        all if all.is_empty() => "the pipeline takes no parameters".to_owned(),
        all => format!("the pipeline takes: {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn declared(parameter_type: ParameterType) -> Named<InputParameter> {
        Named::from([("x".to_owned(), InputParameter { parameter_type, ..InputParameter::default() })])
    }

    fn one(parameter_type: ParameterType, text: &str) -> Result<Value, ParameterError> {
        collect(&declared(parameter_type), Map::new(), &[format!("x={text}")]).map(|mut all| all["x"].take())
    }

    #[rstest]
    #[case(ParameterType::String, "3", json!("3"))]
    #[case(ParameterType::String, "", json!(""))]
    #[case(ParameterType::String, "a=b", json!("a=b"))]
    #[case(ParameterType::String, " NO ", json!(" NO "))]
    #[case(ParameterType::NumberInteger, "3", json!(3))]
    #[case(ParameterType::NumberInteger, "3.0", json!(3))]
    #[case(ParameterType::NumberDouble, "1e-3", json!(0.001))]
    #[case(ParameterType::NumberDouble, "-0", json!(0))]
    #[case(ParameterType::Boolean, "true", json!(true))]
    #[case(ParameterType::List, "[1, \"a\"]", json!([1, "a"]))]
    #[case(ParameterType::Struct, "{\"a\": {\"b\": null}}", json!({"a": {"b": null}}))]
    fn i05_values_are_read_by_their_declared_type(
        #[case] parameter_type: ParameterType,
        #[case] text: &str,
        #[case] expected: Value,
    ) {
        assert_eq!(one(parameter_type, text).unwrap(), expected);
    }

    #[rstest]
    #[case(ParameterType::NumberInteger, "three")]
    #[case(ParameterType::NumberInteger, "0o17")]
    #[case(ParameterType::NumberDouble, "1e400")]
    #[case(ParameterType::NumberDouble, ".nan")]
    #[case(ParameterType::NumberDouble, "null")]
    #[case(ParameterType::Boolean, "NO")]
    #[case(ParameterType::Boolean, "True")]
    #[case(ParameterType::List, "{}")]
    #[case(ParameterType::List, "[1] 2")]
    #[case(ParameterType::Struct, "{\"a\": 1, \"a\": 2}")]
    fn i05_values_of_another_type_are_refused(#[case] parameter_type: ParameterType, #[case] text: &str) {
        assert!(one(parameter_type, text).is_err());
    }

    #[rstest]
    #[case(ParameterType::NumberInteger, "abc", "NUMBER_INTEGER, so the value must be a number such as 3")]
    #[case(ParameterType::NumberInteger, "", "NUMBER_INTEGER, so the value must be a number such as 3")]
    #[case(ParameterType::Boolean, "True", "BOOLEAN, so the value must be true or false")]
    #[case(ParameterType::Boolean, "tru", "BOOLEAN, so the value must be true or false")]
    #[case(ParameterType::List, "a,b", "LIST, so the value must be a JSON list such as '[1, 2]'")]
    fn message_says_what_to_write_and_not_how_the_parser_failed(
        #[case] parameter_type: ParameterType,
        #[case] text: &str,
        #[case] end: &str,
    ) {
        let error = one(parameter_type, text).unwrap_err();
        let message = format!("{:#}", anyhow::Error::new(error));
        assert_eq!(message, format!("-p x={text}: the pipeline declares a parameter of type {end}"));
    }

    #[rstest]
    #[case(ParameterType::Struct, "{\"a\": 1, \"a\": 2}", "the name `a` occurs twice")]
    #[case(ParameterType::List, "[1] 2", "trailing characters")]
    #[case(ParameterType::NumberInteger, "3 apples", "trailing characters")]
    #[case(ParameterType::List, "[1, 2", "EOF while parsing a list")]
    fn parser_is_quoted_where_it_says_more_than_the_type(
        #[case] parameter_type: ParameterType,
        #[case] text: &str,
        #[case] part: &str,
    ) {
        let message = format!("{:#}", anyhow::Error::new(one(parameter_type, text).unwrap_err()));
        let (_, parser) = message.split_once("so the value must be").unwrap();
        assert!(parser.contains(part), "{message}");
    }

    #[test]
    fn i14_value_in_a_message_is_short_and_inert() {
        let message =
            one(ParameterType::NumberDouble, &format!("\u{1b}[2J\n{}", "9x".repeat(500))).unwrap_err().to_string();
        assert!(message.starts_with("-p x=\\u{1b}[2J\\u{a}9x9x") && message.contains("…:"), "{message}");
        assert!(message.len() < 200 && !message.contains('\u{1b}'), "{message}");
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let file = parse_file("p.json", br#"{"x": 1, "y": [2]}"#).unwrap();
        let all = collect(&declared(ParameterType::NumberInteger), file, &["x=5".to_owned()]).unwrap();
        assert_eq!(Value::Object(all), json!({"x": 5, "y": [2]}));
    }

    #[rstest]
    #[case(&["x=1", "x=2"], "-p x is given more than once")]
    #[case(&["=1"], "-p =1: expected name=value")]
    #[case(&["x"], "-p x: expected name=value")]
    fn odd_assignments_are_refused(#[case] assignments: &[&str], #[case] message: &str) {
        let assignments: Vec<String> = assignments.iter().map(|&text| text.to_owned()).collect();
        let error = collect(&declared(ParameterType::String), Map::new(), &assignments).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    #[rstest]
    #[case(b"{\"a\": 1, \"a\": 2}")]
    #[case(b"{\"a\": {\"b\": 1, \"b\": 2}}")]
    #[case(b"{} {}")]
    #[case(b"[]")]
    #[case(b"")]
    #[case(b"\xff\xfe")]
    fn i28_odd_parameter_files_are_refused(#[case] bytes: &[u8]) {
        assert!(parse_file("p.json", bytes).is_err());
    }

    #[test]
    fn i03_deep_parameter_files_are_refused() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse_file("p.json", deep.as_bytes()).is_err());
    }

    #[test]
    fn parameters_are_listed_with_their_types() {
        let declared = |name: &str, default: Option<Value>| {
            let input = InputParameter {
                parameter_type: ParameterType::NumberInteger,
                default_value: default,
                ..InputParameter::default()
            };
            (name.to_owned(), input)
        };
        let all: Named<InputParameter> =
            [declared("rows", None), declared("size", Some(1.into()))].into_iter().collect();
        assert_eq!(list(&all), "the pipeline takes: rows (NUMBER_INTEGER, required), size (NUMBER_INTEGER)");
        assert_eq!(list(&Named::new()), "the pipeline takes no parameters");
    }
}
