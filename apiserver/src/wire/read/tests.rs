use serde_json::json;

use super::*;

const STATES: &Enumeration = &[("STORAGE_STATE_UNSPECIFIED", 0), ("AVAILABLE", 1), ("ARCHIVED", 2)];

fn read<T>(text: &str, read: impl FnOnce(&mut Fields) -> Result<T, WireError>) -> Result<T, WireError> {
    read_message(text.as_bytes(), 1000, read)
}

#[test]
fn both_spellings_of_a_name_are_read() {
    for text in [r#"{"pipeline_version_id": "x"}"#, r#"{"pipelineVersionId": "x"}"#] {
        assert_eq!(read(text, |fields| fields.text("pipeline_version_id")).unwrap(), "x");
    }
    let both = r#"{"pipeline_id": "x", "pipelineId": "x"}"#;
    let error = read(both, |fields| fields.text("pipeline_id")).unwrap_err().to_string();
    assert_eq!(error, r#"proto: duplicate field "pipeline_id""#);
}

#[test]
fn null_and_absence_mean_unset() {
    for text in ["", " \n", "{}", r#"{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null,"g":null,"h":null}"#] {
        let values = read(text, |fields| {
            Ok((
                fields.text("a")?,
                fields.boolean("b")?,
                fields.integer("c")?,
                fields.time("d")?,
                fields.enumeration("e", STATES)?,
                fields.messages("f", |_| Ok(()))?,
                fields.text_map("g")?,
                fields.message("h", |_| Ok(()))?,
            ))
        });
        assert_eq!(values.unwrap(), (String::new(), false, 0, None, 0, Vec::new(), None, None), "{text:?}");
    }
}

#[test]
fn i28_unknown_fields_are_refused_by_name_and_place() {
    let error = read(r#"{"foo": 1}"#, |_| Ok(())).unwrap_err().to_string();
    assert_eq!(error, r#"proto: unknown field "foo""#);
    let text = r#"{"runtime_config": {"trigger": [{}, {"x": 1}]}}"#;
    let nested = read(text, |fields| fields.message("runtime_config", |inner| inner.messages("trigger", |_| Ok(()))));
    assert_eq!(nested.unwrap_err().to_string(), r#"proto: (at runtime_config.trigger[1]): unknown field "x""#);
}

#[test]
fn i28_repeated_names_and_trailing_bytes_are_refused() {
    for text in [r#"{"a": "1", "a": "1"}"#, "{} {}", "[]", "1", "null", "{", r#"{"a": "\ud800"}"#] {
        assert!(read(text, |fields| fields.text("a")).is_err(), "{text}");
    }
}

#[test]
fn t20_values_are_counted() {
    let text = format!(r#"{{"a": {{"b": [{}1]}}}}"#, "1,".repeat(1000));
    assert!(read(&text, |fields| fields.structure("a")).is_err());
}

#[test]
fn i14_a_nul_in_a_text_is_refused() {
    let error = read(r#"{"name": "a\u0000b"}"#, |fields| fields.text("name")).unwrap_err().to_string();
    assert!(error.contains("name") && error.contains("NUL"), "{error}");
    assert!(read(r#"{"tags": {"a\u0000b": ""}}"#, |fields| fields.text_map("tags")).is_err());
}

#[test]
fn integers_are_read_as_text_or_number() {
    for text in [r#"{"n": 5}"#, r#"{"n": "5"}"#, r#"{"n": 5.0}"#, r#"{"n": 5e0}"#] {
        assert_eq!(read(text, |fields| fields.integer("n")).unwrap(), 5, "{text}");
    }
    let largest = r#"{"n": "9223372036854775807"}"#;
    assert_eq!(read(largest, |fields| fields.integer("n")).unwrap(), i64::MAX);
    for text in [r#"{"n": "x"}"#, r#"{"n": 1.5}"#, r#"{"n": true}"#, r#"{"n": "9223372036854775808"}"#, r#"{"n": ""}"#]
    {
        assert!(read(text, |fields| fields.integer("n")).is_err(), "{text}");
    }
}

#[test]
fn enums_are_read_by_name_or_number() {
    let state = |text: &str| read(text, |fields| fields.enumeration("state", STATES));
    assert_eq!(state(r#"{"state": "ARCHIVED"}"#).unwrap(), 2);
    assert_eq!(state(r#"{"state": 2}"#).unwrap(), 2);
    // Protobuf keeps numbers that it does not know.
    assert_eq!(state(r#"{"state": 99}"#).unwrap(), 99);
    for text in [r#"{"state": "archived"}"#, r#"{"state": 1.5}"#, r#"{"state": 4294967296}"#, r#"{"state": []}"#] {
        assert!(state(text).is_err(), "{text}");
    }
}

#[test]
fn structs_hold_doubles() {
    let text = r#"{"parameters": {"n": 1.0, "x": null, "l": [2.0, 2.5]}}"#;
    let parameters = read(text, |fields| fields.structure("parameters")).unwrap().unwrap();
    assert_eq!(Value::Object(parameters), json!({"n": 1, "x": null, "l": [2, 2.5]}));
}

#[test]
fn an_empty_map_is_told_from_none() {
    assert_eq!(read(r#"{"tags": {}}"#, |fields| fields.text_map("tags")).unwrap(), Some(BTreeMap::new()));
    assert!(read(r#"{"tags": {"a": 1}}"#, |fields| fields.text_map("tags")).is_err());
}

#[test]
fn of_alternatives_one_may_be_set() {
    let both = |text: &str| {
        read(text, |fields| {
            fields.one_of(&["pipeline_spec", "pipeline_version_reference"])?;
            fields.ignore(&["pipeline_spec", "pipeline_version_reference"])
        })
    };
    assert!(both(r#"{"pipelineSpec": {}, "pipeline_version_reference": null}"#).is_ok());
    let error = both(r#"{"pipelineSpec": {}, "pipeline_version_reference": {}}"#).unwrap_err().to_string();
    assert!(error.contains("pipeline_version_reference") && error.contains("oneof"), "{error}");
}
