//! The file in which an executor reports: strict proto-JSON `ExecutorOutput`, in both spellings of every key.

use penstock_spec::ir::Named;
use penstock_spec::strict_json;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::files::read_output_file;
use super::{FileError, MAX_EXECUTOR_OUTPUT, OutputError};
use crate::places::Locate;

/// What an executor reports. Unknown keys are an error, as for the reference backend.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutorOutput {
    #[serde(default, alias = "parameter_values", deserialize_with = "or_default")]
    parameter_values: Map<String, Value>,
    /// Deprecated: values with their type.
    #[serde(default, deserialize_with = "or_default")]
    parameters: Named<TypedValue>,
    /// Artifacts by output.
    #[serde(default, deserialize_with = "or_default")]
    pub artifacts: Named<ReportedArtifacts>,
}

/// A deprecated typed value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::enum_variant_names, reason = "the names are the specification's own")]
enum TypedValue {
    /// An int64: text or number in the document.
    #[serde(alias = "int_value")]
    IntValue(Value),
    #[serde(alias = "double_value")]
    DoubleValue(f64),
    #[serde(alias = "string_value")]
    StringValue(String),
}

/// The artifacts of an output.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedArtifacts {
    /// The entries.
    #[serde(default, deserialize_with = "or_default")]
    pub artifacts: Vec<ReportedArtifact>,
}

/// An artifact as reported. What is not used is read all the same, because unknown keys are an error.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedArtifact {
    /// Name; used for entries of lists only.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// URI; empty means the assigned one.
    #[serde(default, deserialize_with = "or_default")]
    pub uri: String,
    /// Metadata, laid over what is declared.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Map<String, Value>,
    /// Path of the content, when it is not at the path of the URI.
    #[serde(default, alias = "custom_path")]
    pub custom_path: Option<String>,
    #[serde(default, rename = "type")]
    _type: Ignored,
    #[serde(default, rename = "properties")]
    _properties: Ignored,
    #[serde(default, rename = "customProperties", alias = "custom_properties")]
    _custom_properties: Ignored,
    #[serde(default, rename = "state")]
    _state: Ignored,
    #[serde(default, rename = "createTime", alias = "create_time")]
    _create_time: Ignored,
    #[serde(default, rename = "updateTime", alias = "update_time")]
    _update_time: Ignored,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Ignored, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

/// In proto-JSON, null is the default of every field.
fn or_default<'de, T: Default + Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl ExecutorOutput {
    /// The value of an output parameter, if it was reported.
    pub fn parameter(&self, name: &str) -> Option<Value> {
        self.parameter_values.get(name).cloned().or_else(|| self.parameters.get(name).map(TypedValue::value))
    }
}

impl TypedValue {
    fn value(&self) -> Value {
        match self {
            TypedValue::IntValue(Value::String(text)) => {
                text.parse::<i64>().map_or_else(|_| Value::String(text.clone()), Value::from)
            }
            TypedValue::IntValue(value) => value.clone(),
            TypedValue::DoubleValue(value) => Value::from(*value),
            TypedValue::StringValue(value) => Value::from(value.clone()),
        }
    }
}

/// Reads an executor output file; a missing or empty one reports nothing.
pub fn read(locate: &dyn Locate, path: &str) -> Result<ExecutorOutput, OutputError> {
    let refused = |reason: String| OutputError::ExecutorOutput { path: path.to_owned(), reason };
    match read_output_file(locate, path.as_ref(), MAX_EXECUTOR_OUTPUT) {
        Ok(bytes) => parse(&bytes).map_err(refused),
        Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(ExecutorOutput::default()),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Parses the document. Depth is bounded by the JSON reader (128 levels).
pub fn parse(bytes: &[u8]) -> Result<ExecutorOutput, String> {
    if bytes.trim_ascii().is_empty() {
        return Ok(ExecutorOutput::default());
    }
    // A list would be read as the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err("it is not a JSON object".to_owned());
    }
    let value = strict_json::parse(bytes).map_err(|error| {
        let near = not_a_number_near(bytes, error.line(), error.column());
        match near {
            Some(word) => format!("{word} is not a JSON value (line {}, column {})", error.line(), error.column()),
            None => error.to_string(),
        }
    })?;
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}

/// Python writes `NaN` and `Infinity` into JSON; say so instead of "expected value".
fn not_a_number_near(bytes: &[u8], line: usize, column: usize) -> Option<&'static str> {
    let line = bytes.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?)?;
    // The place is that of the word, or after its sign.
    let starts = [column.checked_sub(2), column.checked_sub(1)].into_iter().flatten();
    let mut rests = starts.filter_map(|start| line.get(start..));
    rests.find_map(|rest| ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| rest.starts_with(word.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let camel = br#"{"parameterValues":{"a":1},"artifacts":{"m":{"artifacts":[{"uri":"u","customPath":"/x"}]}}}"#;
        let snake = br#"{"parameter_values":{"a":1},"artifacts":{"m":{"artifacts":[{"uri":"u","custom_path":"/x"}]}}}"#;
        assert_eq!(parse(camel), parse(snake));
        assert_eq!(parse(camel).expect("it is read").parameter("a"), Some(Value::from(1)));
    }

    #[test]
    fn i17_unknown_keys_nan_depth_and_other_documents_are_refused() {
        let reason = |text: &str| parse(text.as_bytes()).expect_err("it is refused");
        assert!(reason(r#"{"paramValues":{}}"#).contains("unknown field `paramValues`"));
        assert!(reason(r#"{"artifacts":{"m":{"artifacts":[{"path":"x"}]}}}"#).contains("unknown field `path`"));
        assert_eq!(reason(r#"{"parameterValues":{"a": NaN}}"#), "NaN is not a JSON value (line 1, column 26)");
        for (written, word) in [
            (r#"{"parameterValues":{"a":[Infinity]}}"#, "Infinity"),
            (r#"{"parameterValues":{"a":[1, -Infinity]}}"#, "-Infinity"),
            (r#"{"parameterValues":{"a":[1,NaN]}}"#, "NaN"),
            (r#"{"parameterValues":{"a":-Infinity}}"#, "-Infinity"),
        ] {
            assert!(reason(written).starts_with(&format!("{word} is not a JSON value")), "{}", reason(written));
        }
        let deep = format!(r#"{{"parameterValues":{{"a":{}1{}}}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(reason(&deep).contains("recursion limit"));
        assert_eq!(reason("[]"), "it is not a JSON object");
        for twice in [r#"{"parameterValues":{"a":1,"a":2}}"#, r#"{"artifacts":{"m":{},"m":{}}}"#] {
            assert!(reason(twice).contains("occurs twice"), "{twice}");
        }
        assert!(parse(b"[1]").is_err() && parse(b"\xff{}").is_err() && parse(br#"{"parameterValues":"#).is_err());
    }

    #[test]
    fn nothing_reported_is_fine() {
        for text in ["", "  \n", "{}", r#"{"parameterValues":null,"artifacts":null}"#] {
            assert_eq!(parse(text.as_bytes()).expect("it is read"), ExecutorOutput::default());
        }
    }

    #[test]
    fn deprecated_typed_values_are_read() {
        let text = br#"{"parameters":{"a":{"intValue":"7"},"b":{"doubleValue":0.5},"c":{"stringValue":"x"}}}"#;
        let output = parse(text).expect("it is read");
        let values = ["a", "b", "c"].map(|name| output.parameter(name).unwrap_or_default());
        assert_eq!(values, [Value::from(7), Value::from(0.5), Value::from("x")]);
    }
}
