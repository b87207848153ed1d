//! Placeholders in templates: argv elements, images, resources, constants, importer metadata.
//!
//! A template is read once, from left to right, and values that are put in are never read again. Text that looks like
//! a placeholder but is none we know, or is not closed, stays as it is: the source code of a component travels in argv
//! and may hold such text.

use serde_json::Value;

const OPEN: &str = "{{$";
const CLOSE: &str = "}}";
/// The longest text between `{{$` and `}}` that can be a placeholder. Bounds the search for `}}`.
const MAX_BODY: usize = 2048;
/// Levels of `Concat` and `IfPresent` within each other that are read.
const MAX_DEPTH: usize = 32;
/// The text can double each time that it is escaped.
const MAX_ESCAPES: u32 = 4;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Literal text.
    Text(&'a str),
    /// Something to be replaced.
    Placeholder(Placeholder),
}

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Placeholder {
    /// `{{$}}`: the whole executor input as JSON.
    ExecutorInput,
    /// `{{$.json_escape[n]}}`: the executor input, escaped `n` times as a JSON string.
    JsonEscape(u32),
    /// `{{$.inputs.parameters['x']}}`.
    InputParameter(String),
    /// `{{$.inputs.artifacts['x']…}}`.
    InputArtifact {
        /// Name of the input.
        name: String,
        /// What is wanted of it.
        field: ArtifactField,
    },
    /// `{{$.outputs.artifacts['x']…}}`.
    OutputArtifact {
        /// Name of the output.
        name: String,
        /// What is wanted of it.
        field: ArtifactField,
    },
    /// `{{$.outputs.parameters['x'].output_file}}`.
    OutputParameterFile(String),
    /// `{{$.outputs.output_file}}` and `{{$.outputMetadataUri}}`: the executor's output file.
    OutputFile,
    /// `{{$.pipeline_root}}`.
    PipelineRoot,
    /// `{{$.pipeline_job_name}}`: display name of the run.
    JobName,
    /// `{{$.pipeline_job_resource_name}}`.
    JobResourceName,
    /// `{{$.pipeline_job_uuid}}`: run ID.
    JobUuid,
    /// `{{$.pipeline_task_name}}`: key of the task.
    TaskName,
    /// `{{$.pipeline_task_uuid}}`.
    TaskUuid,
    /// `{{$.pipeline_job_create_time_utc}}`.
    CreateTime,
    /// `{{$.pipeline_job_schedule_time_utc}}`.
    ScheduleTime,
    /// `{{$.workspace_path}}`.
    WorkspacePath,
}

/// What a placeholder wants of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ArtifactField {
    /// The whole list as JSON.
    Whole,
    /// URI of the first artifact.
    Uri,
    /// Local path of the first artifact.
    Path,
    /// Metadata of the first artifact: all of it as JSON, or one value.
    Metadata(Option<String>),
}

/// Splits a template. Takes linear time.
pub fn parse_template(text: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut literal = 0;
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(OPEN)) {
        let open = from + found;
        let body_start = open + OPEN.len();
        match read_placeholder(text.get(body_start..).unwrap_or_default()) {
            Some((placeholder, length)) => {
                push_text(&mut segments, text.get(literal..open).unwrap_or_default());
                segments.push(Segment::Placeholder(placeholder));
                literal = body_start + length;
                from = literal;
            }
            None => from = body_start,
        }
    }
    push_text(&mut segments, text.get(literal..).unwrap_or_default());
    segments
}

fn push_text<'a>(segments: &mut Vec<Segment<'a>>, text: &'a str) {
    if !text.is_empty() {
        segments.push(Segment::Text(text));
    }
}

/// Replaces the placeholders of a template. `lookup` says what each stands for; `None` leaves it as it is written.
pub fn substitute<E>(
    text: &str,
    mut lookup: impl FnMut(&Placeholder) -> Result<Option<String>, E>,
) -> Result<String, E> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(OPEN) {
        let (before, after) = rest.split_at(open);
        let body = after.get(OPEN.len()..).unwrap_or_default();
        result.push_str(before);
        let (written, value) = match read_placeholder(body) {
            Some((placeholder, length)) => (OPEN.len() + length, lookup(&placeholder)?),
            None => (OPEN.len(), None),
        };
        let (written, after) = after.split_at(written);
        result.push_str(value.as_deref().unwrap_or(written));
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// Whether a text holds a placeholder that we know.
pub fn has_placeholder(text: &str) -> bool {
    parse_template(text).iter().any(|segment| matches!(segment, Segment::Placeholder(_)))
}

/// Reads what follows `{{$`, up to and including `}}`; returns the number of bytes read.
fn read_placeholder(body: &str) -> Option<(Placeholder, usize)> {
    let mut reader = Reader { text: body, at: 0 };
    if reader.eat(CLOSE) {
        return Some((Placeholder::ExecutorInput, reader.at));
    }
    if !reader.eat(".") {
        return None;
    }
    let word = reader.word();
    let placeholder = match word {
        "inputs" => reader.input()?,
        "outputs" => reader.output()?,
        "json_escape" => Placeholder::JsonEscape(reader.number_in_brackets()?),
        "outputMetadataUri" => Placeholder::OutputFile,
        "pipeline_root" => Placeholder::PipelineRoot,
        "pipeline_job_name" => Placeholder::JobName,
        "pipeline_job_resource_name" => Placeholder::JobResourceName,
        "pipeline_job_uuid" => Placeholder::JobUuid,
        "pipeline_task_name" => Placeholder::TaskName,
        "pipeline_task_uuid" => Placeholder::TaskUuid,
        "pipeline_job_create_time_utc" => Placeholder::CreateTime,
        "pipeline_job_schedule_time_utc" => Placeholder::ScheduleTime,
        "workspace_path" => Placeholder::WorkspacePath,
        _ => return None,
    };
    reader.eat(CLOSE).then_some((placeholder, reader.at))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length =
            rest.bytes().take(MAX_BODY).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// `['name']` or `["name"]`; the name ends at the first such quote that a bracket follows.
    fn name_in_brackets(&mut self) -> Option<String> {
        let close = if self.eat("['") {
            "']"
        } else if self.eat("[\"") {
            "\"]"
        } else {
            return None;
        };
        let rest = self.rest();
        let mut window = rest.len().min(MAX_BODY);
        while !rest.is_char_boundary(window) {
            window -= 1;
        }
        let length = rest.get(..window)?.find(close)?;
        self.at += length + close.len();
        rest.get(..length).map(str::to_owned)
    }

    fn number_in_brackets(&mut self) -> Option<u32> {
        if !self.eat("[") {
            return None;
        }
        let number = self.word().parse().ok().filter(|times| *times <= MAX_ESCAPES)?;
        self.eat("]").then_some(number)
    }

    fn input(&mut self) -> Option<Placeholder> {
        if self.eat(".parameters") {
            return self.name_in_brackets().map(Placeholder::InputParameter);
        }
        if !self.eat(".artifacts") {
            return None;
        }
        let name = self.name_in_brackets()?;
        let field = self.artifact_field()?;
        Some(Placeholder::InputArtifact { name, field })
    }

    fn output(&mut self) -> Option<Placeholder> {
        if self.eat(".output_file") {
            return Some(Placeholder::OutputFile);
        }
        if self.eat(".parameters") {
            let name = self.name_in_brackets()?;
            return self.eat(".output_file").then_some(Placeholder::OutputParameterFile(name));
        }
        if !self.eat(".artifacts") {
            return None;
        }
        let name = self.name_in_brackets()?;
        let field = self.artifact_field()?;
        Some(Placeholder::OutputArtifact { name, field })
    }

    fn artifact_field(&mut self) -> Option<ArtifactField> {
        if !self.eat(".") {
            return Some(ArtifactField::Whole);
        }
        match self.word() {
            "uri" => Some(ArtifactField::Uri),
            "path" => Some(ArtifactField::Path),
            "metadata" | "properties" | "custom_properties" if self.rest().starts_with('[') => {
                self.name_in_brackets().map(|key| ArtifactField::Metadata(Some(key)))
            }
            "metadata" => Some(ArtifactField::Metadata(None)),
            _ => None,
        }
    }
}

/// An argv element with its struct placeholders taken apart. The strings are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A template.
    Plain(String),
    /// The elements, joined; absent ones drop out.
    Concat(Vec<Argument>),
    /// One of two lists of elements, by whether an input was provided.
    IfPresent {
        /// The input: a parameter or an artifact.
        name: String,
        /// Elements when it was provided and is not null.
        then: Vec<Argument>,
        /// Elements when it was not.
        otherwise: Vec<Argument>,
    },
}

/// Takes an argv element apart. Text that is not exactly a struct placeholder is a plain template.
pub fn parse_argument(text: &str) -> Argument {
    let plain = || Argument::Plain(text.to_owned());
    let trimmed = text.trim();
    if !trimmed.starts_with('{') || trimmed.starts_with(OPEN) {
        return plain();
    }
    let has_kind = trimmed
        .strip_prefix('{')
        .map(str::trim_start)
        .is_some_and(|rest| rest.starts_with("\"Concat\"") || rest.starts_with("\"IfPresent\""));
    if !has_kind {
        return plain();
    }
    match serde_json::from_str::<Value>(trimmed) {
        Ok(value) => argument(&value, 0).unwrap_or_else(plain),
        Err(_) => plain(),
    }
}

fn argument(value: &Value, depth: usize) -> Option<Argument> {
    if depth > MAX_DEPTH {
        return None;
    }
    match value {
        Value::String(text) => Some(Argument::Plain(text.clone())),
        Value::Object(members) if members.len() == 1 => {
            if let Some(Value::Array(items)) = members.get("Concat") {
                let items = items.iter().map(|item| argument(item, depth + 1)).collect::<Option<_>>()?;
                return Some(Argument::Concat(items));
            }
            let Some(Value::Object(parts)) = members.get("IfPresent") else { return None };
            let known = |key: &String| matches!(key.as_str(), "InputName" | "Then" | "Else");
            if !parts.keys().all(known) {
                return None;
            }
            let name = parts.get("InputName")?.as_str()?.to_owned();
            let then = arguments(parts.get("Then")?, depth)?;
            let otherwise = parts.get("Else").map_or(Some(Vec::new()), |value| arguments(value, depth))?;
            Some(Argument::IfPresent { name, then, otherwise })
        }
        _ => None,
    }
}

fn arguments(value: &Value, depth: usize) -> Option<Vec<Argument>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(|item| argument(item, depth + 1)).collect(),
        other => argument(other, depth + 1).map(|one| vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<Placeholder> {
        let known = |segment| match segment {
            Segment::Placeholder(placeholder) => Some(placeholder),
            Segment::Text(_) => None,
        };
        parse_template(text).into_iter().filter_map(known).collect()
    }

    #[rstest::rstest]
    #[case("{{$}}", Placeholder::ExecutorInput)]
    #[case("{{$.json_escape[1]}}", Placeholder::JsonEscape(1))]
    #[case("{{$.inputs.parameters['a b']}}", Placeholder::InputParameter("a b".to_owned()))]
    #[case("{{$.inputs.parameters[\"x\"]}}", Placeholder::InputParameter("x".to_owned()))]
    #[case("{{$.inputs.artifacts['x'].uri}}", Placeholder::InputArtifact { name: "x".to_owned(), field: ArtifactField::Uri })]
    #[case("{{$.inputs.artifacts['x'].path}}", Placeholder::InputArtifact { name: "x".to_owned(), field: ArtifactField::Path })]
    #[case("{{$.inputs.artifacts['x']}}", Placeholder::InputArtifact { name: "x".to_owned(), field: ArtifactField::Whole })]
    #[case("{{$.inputs.artifacts['x'].properties['k']}}", Placeholder::InputArtifact { name: "x".to_owned(), field: ArtifactField::Metadata(Some("k".to_owned())) })]
    #[case("{{$.outputs.artifacts['x'].metadata}}", Placeholder::OutputArtifact { name: "x".to_owned(), field: ArtifactField::Metadata(None) })]
    #[case("{{$.outputs.artifacts['x'].metadata['k']}}", Placeholder::OutputArtifact { name: "x".to_owned(), field: ArtifactField::Metadata(Some("k".to_owned())) })]
    #[case("{{$.outputs.parameters['x'].output_file}}", Placeholder::OutputParameterFile("x".to_owned()))]
    #[case("{{$.outputs.output_file}}", Placeholder::OutputFile)]
    #[case("{{$.outputMetadataUri}}", Placeholder::OutputFile)]
    #[case("{{$.pipeline_root}}", Placeholder::PipelineRoot)]
    #[case("{{$.pipeline_job_name}}", Placeholder::JobName)]
    #[case("{{$.pipeline_job_resource_name}}", Placeholder::JobResourceName)]
    #[case("{{$.pipeline_job_uuid}}", Placeholder::JobUuid)]
    #[case("{{$.pipeline_task_name}}", Placeholder::TaskName)]
    #[case("{{$.pipeline_task_uuid}}", Placeholder::TaskUuid)]
    #[case("{{$.pipeline_job_create_time_utc}}", Placeholder::CreateTime)]
    #[case("{{$.pipeline_job_schedule_time_utc}}", Placeholder::ScheduleTime)]
    #[case("{{$.workspace_path}}", Placeholder::WorkspacePath)]
    fn every_placeholder_is_read(#[case] text: &str, #[case] expected: Placeholder) {
        assert_eq!(placeholders(text), std::slice::from_ref(&expected));
        let embedded = format!("ä{{{{{text}}}}}");
        assert_eq!(placeholders(&embedded), [expected]);
    }

    #[rstest::rstest]
    #[case("{{workflow.name}}")]
    #[case("{{$.unknown}}")]
    #[case("{{$.pipeline_job_name")]
    #[case("{{$.pipeline_job_name}")]
    #[case("{{$ }}")]
    #[case("{{$.inputs.parameters['x'].y}}")]
    #[case("{{$.inputs.parameters[x]}}")]
    #[case("{{$.inputs.parameters['x]}}")]
    #[case("{{$.outputs.parameters['x']}}")]
    #[case("{{$.json_escape[99]}}")]
    #[case("{{$")]
    fn i10_unknown_and_unclosed_placeholders_stay_text(#[case] text: &str) {
        assert_eq!(parse_template(text), [Segment::Text(text)]);
        assert_eq!(substitute::<()>(text, |_| Ok(Some("x".to_owned()))), Ok(text.to_owned()));
    }

    #[test]
    fn t17_values_are_never_read_again() {
        let value = "{{$.pipeline_job_uuid}}";
        let result = substitute::<()>("{{$.inputs.parameters['a']}}-{{$.pipeline_job_uuid}}", |placeholder| {
            Ok(Some(if *placeholder == Placeholder::JobUuid { "id" } else { value }.to_owned()))
        });
        assert_eq!(result, Ok(format!("{value}-id")));
        // Not even when value and template together would make a placeholder.
        let result = substitute::<()>("{{$.pipeline_job_name}}.pipeline_job_uuid}}", |_| Ok(Some("{{$".to_owned())));
        assert_eq!(result, Ok("{{$.pipeline_job_uuid}}".to_owned()));
    }

    #[test]
    fn i10_a_placeholder_within_an_unclosed_one_is_read() {
        let result = substitute::<()>("{{$.inputs.parameters['{{$.pipeline_job_uuid}}", |_| Ok(Some("id".to_owned())));
        assert_eq!(result, Ok("{{$.inputs.parameters['id".to_owned()));
    }

    #[test]
    fn i10_a_hundred_thousand_unclosed_placeholders_take_linear_time() {
        let text = "{{$.inputs.parameters['".repeat(100_000);
        assert_eq!(parse_template(&text).len(), 1);
        let text = "{{$.pipeline_job_uuid}}".repeat(100_000);
        assert_eq!(parse_template(&text).len(), 100_000);
    }

    #[test]
    fn unresolved_placeholders_stay_as_written() {
        assert_eq!(substitute::<()>("a{{$}}b", |_| Ok(None)), Ok("a{{$}}b".to_owned()));
        assert_eq!(substitute("a{{$}}b", |_| Err("no")), Err("no"));
    }

    #[test]
    fn struct_placeholders_are_taken_apart() {
        let text = r#"{"Concat": ["--a=", {"IfPresent": {"InputName": "x", "Then": ["{{$}}"], "Else": "none"}}]}"#;
        let then = vec![Argument::Plain("{{$}}".to_owned())];
        let otherwise = vec![Argument::Plain("none".to_owned())];
        let expected = Argument::Concat(vec![
            Argument::Plain("--a=".to_owned()),
            Argument::IfPresent { name: "x".to_owned(), then, otherwise },
        ]);
        assert_eq!(parse_argument(text), expected);
    }

    #[rstest::rstest]
    #[case("{}")]
    #[case(r#"{"Concat": "x"}"#)]
    #[case(r#"{"Concat": [1]}"#)]
    #[case(r#"{"Concat": [], "more": 1}"#)]
    #[case(r#"{"IfPresent": {"Then": []}}"#)]
    #[case(r#"{"IfPresent": {"InputName": "x", "Then": [], "Other": 1}}"#)]
    #[case(r#"{"Concat": ["#)]
    #[case(r#"{"key": {"Concat": []}}"#)]
    fn other_json_is_plain_text(#[case] text: &str) {
        assert_eq!(parse_argument(text), Argument::Plain(text.to_owned()));
    }

    #[test]
    fn i03_deep_struct_placeholders_are_plain_text() {
        let text = format!("{}{}", r#"{"Concat": ["#.repeat(60), "]}".repeat(60));
        assert_eq!(parse_argument(&text), Argument::Plain(text.clone()));
    }

    proptest::proptest! {
        #[test]
        fn the_segments_of_a_template_cover_it(text in "(\\{\\{\\$|\\}\\}|\\.inputs\\.parameters\\['|'\\]|\\.pipeline_root|[a-zä\\[ ]|\\.json_escape\\[1\\]){0,40}") {
            let unchanged = substitute::<()>(&text, |_| Ok(None));
            proptest::prop_assert_eq!(unchanged, Ok(text.clone()));
            let literal: usize = parse_template(&text).iter().map(|segment| match segment {
                Segment::Text(text) => text.len(),
                Segment::Placeholder(_) => 0,
            }).sum();
            proptest::prop_assert!(literal <= text.len());
        }
    }
}
