//! Files that hold tables, as far as a page shows them: the beginning of a file in, some of its rows out. Pure.

pub(crate) mod parquet;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Columns of a table at most.
const MOST_COLUMNS: usize = 1000;
/// The one column of lines that are no objects.
const VALUE: &str = "value";

/// How a file writes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Fields with this between them; the first row names the columns.
    Separated(u8),
    /// A JSON value a line.
    JsonLines,
}

/// Some rows of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table {
    /// Names and types of columns. The type is that of what is shown.
    pub(crate) columns: Vec<(String, &'static str)>,
    /// Why the values of columns are not shown, by their places.
    pub(crate) notes: BTreeMap<usize, String>,
    pub(crate) rows: Vec<Vec<Value>>,
    /// How many there are, if the file was read to its end.
    pub(crate) total: Option<usize>,
    /// Whether there are rows behind these.
    pub(crate) truncated: bool,
}

/// The beginning of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning<'a> {
    pub(crate) content: &'a [u8],
    /// Whether it is all of it.
    pub(crate) is_whole: bool,
}

/// Rows that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

impl Window {
    fn holds(self, row: usize) -> bool {
        row >= self.offset && row - self.offset < self.limit
    }
}

impl Format {
    /// By the end of the name.
    pub(crate) fn of(name: &str) -> Option<Format> {
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Format::Separated(b',')),
            "tsv" => Some(Format::Separated(b'\t')),
            "jsonl" | "ndjson" => Some(Format::JsonLines),
            _ => None,
        }
    }
}

/// Reads rows. What is not understood is said in words.
pub(crate) fn read(format: Format, file: Beginning<'_>, window: Window) -> Result<Table, String> {
    match format {
        Format::Separated(separator) => separated(separator, file, window),
        Format::JsonLines => json_lines(file, window),
    }
}

/// The file up to the end of its last whole line.
fn whole_lines(file: Beginning<'_>) -> &[u8] {
    match (file.is_whole, file.content.iter().rposition(|byte| *byte == b'\n')) {
        (true, _) => file.content,
        (false, last) => &file.content[..last.map_or(0, |last| last + 1)],
    }
}

fn separated(separator: u8, file: Beginning<'_>, window: Window) -> Result<Table, String> {
    let content = file.content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.content);
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(content);
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let header = reader.byte_headers().map_err(|error| error.to_string())?;
    let mut names: Vec<String> = header.iter().map(text).collect();
    let (mut rows, mut count) = (Vec::<Vec<String>>::new(), 0);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
        // The last one may go on where the file was cut, within quotes too.
        if !file.is_whole && reader.position().byte() >= content.len() as u64 {
            break;
        }
        if window.holds(count) {
            rows.push(record.iter().map(text).collect());
        }
        count += 1;
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or_default().max(names.len());
    check_width(width)?;
    names.resize(width, String::new());
    let column = |(number, name): (usize, String)| {
        let fields = rows.iter().filter_map(|row| row.get(number)).map(String::as_str);
        (name, type_of_fields(fields))
    };
    let columns = names.into_iter().enumerate().map(column).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(Value::from).collect()).collect();
    Ok(Table { columns, rows, ..counted(file, window, count) })
}

fn json_lines(file: Beginning<'_>, window: Window) -> Result<Table, String> {
    let lines = whole_lines(file).split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let (mut objects, mut count) = (Vec::<Map<String, Value>>::new(), 0);
    for (number, line) in lines {
        if window.holds(count) {
            let value = serde_json::from_slice(line);
            let value = value.map_err(|error| format!("line {} is not JSON: {error}", number + 1))?;
            objects.push(match value {
                Value::Object(members) => members,
                other => Map::from_iter([(VALUE.to_owned(), other)]),
            });
        }
        count += 1;
    }
    let mut names: Vec<&str> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for name in objects.iter().flat_map(Map::keys) {
        if known.insert(name.as_str()) {
            names.push(name);
        }
    }
    check_width(names.len())?;
    let cell = |object: &Map<String, Value>, name: &str| object.get(name).cloned().unwrap_or_default();
    let rows: Vec<Vec<Value>> =
        objects.iter().map(|object| names.iter().map(|name| cell(object, name)).collect()).collect();
    let column = |(number, name): (usize, &str)| {
        let values = rows.iter().filter_map(|row| row.get(number));
        (name.to_owned(), type_of_values(values))
    };
    let columns = names.into_iter().enumerate().map(column).collect();
    Ok(Table { columns, rows, ..counted(file, window, count) })
}

fn check_width(columns: usize) -> Result<(), String> {
    match columns {
        ..=MOST_COLUMNS => Ok(()),
        _ => Err(format!("it has {columns} columns, more than the {MOST_COLUMNS} that are shown")),
    }
}

fn counted(file: Beginning<'_>, window: Window, count: usize) -> Table {
    let total = file.is_whole.then_some(count);
    let truncated = !file.is_whole || count > window.offset.saturating_add(window.limit);
    Table { total, truncated, ..Table::default() }
}

/// What all fields are that are not empty.
fn type_of_fields<'a>(fields: impl Iterator<Item = &'a str> + Clone) -> &'static str {
    let mut filled = fields.filter(|field| !field.is_empty()).peekable();
    if filled.peek().is_none() {
        return "string";
    }
    let all = |is: fn(&str) -> bool| filled.clone().all(is);
    if all(|field| field.parse::<i64>().is_ok()) {
        "integer"
    } else if all(|field| field.parse::<f64>().is_ok()) {
        "number"
    } else if all(|field| field.eq_ignore_ascii_case("true") || field.eq_ignore_ascii_case("false")) {
        "boolean"
    } else {
        "string"
    }
}

/// What all values are that are there.
fn type_of_values<'a>(values: impl Iterator<Item = &'a Value>) -> &'static str {
    let type_of = |value: &Value| match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) if number.is_f64() => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    };
    let merged = values.filter_map(type_of).reduce(|one, other| match (one, other) {
        (one, other) if one == other => one,
        ("integer" | "number", "integer" | "number") => "number",
        _ => "mixed",
    });
    merged.unwrap_or("string")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: Window = Window { offset: 0, limit: 100 };

    fn table(name: &str, content: &[u8], is_whole: bool, window: Window) -> Result<Table, String> {
        read(Format::of(name).expect("a format"), Beginning { content, is_whole }, window)
    }

    fn shown(table: &Table) -> (Value, Value) {
        (json!(table.columns), json!(table.rows))
    }

    #[test]
    fn formats_go_by_names() {
        assert_eq!(Format::of("a.CSV"), Some(Format::Separated(b',')));
        assert_eq!(Format::of("a/b.tsv"), Some(Format::Separated(b'\t')));
        assert_eq!(Format::of("x.ndjson"), Some(Format::JsonLines));
        for name in ["csv", "a.json", "a.parquet", "", "."] {
            assert_eq!(Format::of(name), None, "{name}");
        }
    }

    #[test]
    fn separated_fields_have_the_types_of_what_they_hold() {
        let text = "\u{feff}n,x,ok,who\r\n1,1.5,true,\"a, \"\"b\"\"\nc\"\r\n-2,,False,\n";
        let found = table("a.csv", text.as_bytes(), true, ALL).unwrap();
        let columns = json!([["n", "integer"], ["x", "number"], ["ok", "boolean"], ["who", "string"]]);
        assert_eq!(shown(&found), (columns, json!([["1", "1.5", "true", "a, \"b\"\nc"], ["-2", "", "False", ""]])));
        assert_eq!((found.total, found.truncated), (Some(2), false));
        let ragged = table("a.tsv", b"a\tb\n1\n1\t2\t3\n\xff\t2\n", true, ALL).unwrap();
        let columns = json!([["a", "string"], ["b", "integer"], ["", "integer"]]);
        assert_eq!(shown(&ragged), (columns, json!([["1"], ["1", "2", "3"], ["\u{fffd}", "2"]])));
        assert_eq!(table("a.csv", b"", true, ALL).unwrap(), Table { total: Some(0), ..Table::default() });
    }

    #[test]
    fn lines_of_json_have_all_columns_of_their_objects() {
        let text = b"{\"a\": 1, \"b\": \"x\"}\n\n{\"c\": [1], \"a\": 2.5}\n{\"b\": null}\n7\n";
        let found = table("a.jsonl", text, true, ALL).unwrap();
        let columns: Vec<(&str, &str)> = found.columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(columns, [("a", "number"), ("b", "string"), ("c", "array"), ("value", "integer")]);
        let rows =
            json!([[1, "x", null, null], [2.5, null, [1], null], [null, null, null, null], [null, null, null, 7]]);
        assert_eq!((json!(found.rows), found.total), (rows, Some(4)));
        let refused = table("a.jsonl", b"{}\n\n{\n", true, ALL).unwrap_err();
        assert!(refused.starts_with("line 3 is not JSON: "), "{refused}");
        // Lines that nobody asks for need not be understood.
        assert!(table("a.jsonl", b"{}\n{\n", true, Window { offset: 0, limit: 1 }).is_ok());
    }

    #[test]
    fn a_window_is_cut_from_what_is_there() {
        let csv: String = (0..10).fold("n\n".to_owned(), |text, n| format!("{text}{n}\n"));
        let jsonl: String = (0..10).fold(String::new(), |text, n| format!("{text}{{\"n\":\"{n}\"}}\n"));
        for (name, text) in [("a.csv", csv), ("a.jsonl", jsonl)] {
            for (offset, limit, expected, truncated) in [
                (0, 2, vec!["0", "1"], true),
                (8, 2, vec!["8", "9"], false),
                (8, 5, vec!["8", "9"], false),
                (20, 5, vec![], false),
                (usize::MAX, usize::MAX, vec![], false),
            ] {
                let found = table(name, text.as_bytes(), true, Window { offset, limit }).unwrap();
                let rows: Vec<Value> = found.rows.into_iter().flatten().collect();
                assert_eq!((json!(rows), found.total), (json!(expected), Some(10)), "{name} {offset} {limit}");
                assert_eq!(found.truncated, truncated, "{name} {offset} {limit}");
            }
        }
    }

    #[test]
    fn of_a_file_that_is_cut_the_last_row_is_not_shown() {
        for (name, text) in
            [("a.csv", "n\n1\n2\n34"), ("a.csv", "n\n1\n2\n\"3\n4"), ("a.jsonl", "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n")]
        {
            let found = table(name, text.as_bytes(), false, ALL).unwrap();
            assert_eq!(
                (json!(found.rows), found.total, found.truncated),
                (json!([["1"], ["2"]]), None, true),
                "{text}"
            );
        }
    }

    #[test]
    fn i25_too_many_columns_are_refused() {
        let wide = vec!["a"; MOST_COLUMNS + 1].join(",");
        let refused = table("a.csv", wide.as_bytes(), true, ALL).unwrap_err();
        assert_eq!(refused, "it has 1001 columns, more than the 1000 that are shown");
    }
}
