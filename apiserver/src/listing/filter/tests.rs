use penstock_metastore::{ExperimentField, PipelineField, RunField};
use serde_json::{Value, json};

use super::*;

fn filter<F: Listable>(predicate: &Value) -> Result<Vec<Predicate<F>>, ApiError> {
    parse(&json!({"predicates": [predicate]}).to_string())
}

fn refusal<F: Listable>(predicate: &Value) -> String {
    filter::<F>(predicate).unwrap_err().short_text().to_owned()
}

fn compare<F>(field: F, comparison: Comparison, operand: Operand) -> Predicate<F> {
    Predicate::Compare { field, comparison, operand }
}

#[test]
fn the_filter_of_the_python_client_is_read() {
    let text = r#"{"predicates": [{"operation": 1, "key": "display_name", "stringValue": "my exp"}]}"#;
    let expected = vec![compare(ExperimentField::Name, Comparison::Equal, Operand::Text("my exp".to_owned()))];
    assert_eq!(parse(text).unwrap(), expected);
    let none: Vec<Predicate<ExperimentField>> = Vec::new();
    assert_eq!(parse("").unwrap(), none);
    assert_eq!(parse("{}").unwrap(), none);
}

#[test]
fn a_filter_may_be_encoded_once_more() {
    let twice = "%7B%22predicates%22%3A%5B%7B%22operation%22%3A%22EQUALS%22%2C%22key%22%3A%22name%22%2C\
                 %22string_value%22%3A%22100%25%2B1%22%7D%5D%7D";
    let once = r#"{"predicates":[{"operation":"EQUALS","key":"name","string_value":"100%+1"}]}"#;
    let expected = vec![compare(PipelineField::Name, Comparison::Equal, Operand::Text("100%+1".to_owned()))];
    assert_eq!(parse(twice).unwrap(), expected);
    assert_eq!(parse(once).unwrap(), expected);
}

#[test]
fn ids_are_compared_as_ids_and_anything_else_as_text() {
    let id = Uuid::from_u128(7);
    let equals = |value: &str| json!({"operation": "EQUALS", "key": "pipeline_id", "string_value": value});
    let found = filter(&equals(&id.to_string())).unwrap();
    assert_eq!(found, vec![compare(PipelineField::Id, Comparison::Equal, Operand::Id(id))]);
    let found = filter(&equals("x")).unwrap();
    assert_eq!(found, vec![compare(PipelineField::Id, Comparison::Equal, Operand::Text("x".to_owned()))]);
}

#[test]
fn lists_and_substrings() {
    let found = filter(&json!({"operation": 8, "key": "name", "stringValues": {"values": ["a", "b"]}})).unwrap();
    let operands = vec![Operand::Text("a".to_owned()), Operand::Text("b".to_owned())];
    assert_eq!(found, vec![Predicate::In { field: PipelineField::Name, operands }]);
    let found = filter(&json!({"operation": "IS_SUBSTRING", "key": "name", "string_value": "A%"})).unwrap();
    assert_eq!(found, vec![Predicate::Contains { field: PipelineField::Name, text: "A%".to_owned() }]);
    let found = filter(&json!({"operation": "IN", "key": "name", "string_values": {}})).unwrap();
    assert_eq!(found, vec![Predicate::In { field: PipelineField::Name, operands: Vec::new() }]);
}

#[test]
fn a_time_equals_a_second_when_it_lies_within_it() {
    let field = RunField::CreatedAt;
    let at =
        |operation: &str| filter(&json!({"operation": operation, "key": "created_at", "long_value": "100"})).unwrap();
    let integer = |nanoseconds: i64| Operand::Integer(nanoseconds);
    let (from, to) = (100_000_000_000, 101_000_000_000);
    let expected =
        vec![compare(field, Comparison::GreaterOrEqual, integer(from)), compare(field, Comparison::Less, integer(to))];
    assert_eq!(at("EQUALS"), expected);
    assert_eq!(at("NOT_EQUALS"), vec![Predicate::Outside { field, from, to }]);
    assert_eq!(at("GREATER_THAN"), vec![compare(field, Comparison::GreaterOrEqual, integer(to))]);
    assert_eq!(at("GREATER_THAN_EQUALS"), vec![compare(field, Comparison::GreaterOrEqual, integer(from))]);
    assert_eq!(at("LESS_THAN"), vec![compare(field, Comparison::Less, integer(from))]);
    assert_eq!(at("LESS_THAN_EQUALS"), vec![compare(field, Comparison::Less, integer(to))]);
}

#[test]
fn times_are_given_in_each_of_their_forms() {
    let field = RunField::CreatedAt;
    let expected = vec![compare(field, Comparison::Less, Operand::Integer(1_000_000_000_000_000_000))];
    for value in [
        json!({"int_value": 1_000_000_000}),
        json!({"longValue": "1000000000"}),
        json!({"string_value": "1000000000"}),
        json!({"string_value": "2001-09-09T01:46:40Z"}),
        json!({"timestampValue": "2001-09-09T01:46:40.9Z"}),
    ] {
        let mut predicate = json!({"operation": "LESS_THAN", "key": "created_at"});
        predicate.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        assert_eq!(filter(&predicate).unwrap(), expected, "{predicate}");
    }
    let end = filter(&json!({"operation": "GREATER_THAN", "key": "created_at", "long_value": i64::MAX})).unwrap();
    assert_eq!(end, vec![compare(field, Comparison::GreaterOrEqual, Operand::Integer(i64::MAX))]);
    let refused = refusal::<RunField>(&json!({"operation": "LESS_THAN", "key": "created_at", "string_value": "noon"}));
    assert!(refused.contains("created_at") && refused.contains("noon"), "{refused}");
}

#[test]
fn a_list_of_times_is_one_of_seconds() {
    let list = json!({"operation": "IN", "key": "created_at", "long_values": {"values": ["5", 6]}});
    let operands = vec![Operand::Text("5".to_owned()), Operand::Text("6".to_owned())];
    assert_eq!(filter(&list).unwrap(), vec![Predicate::In { field: RunField::CreatedAt, operands }]);
}

#[test]
fn a_run_that_was_stopped_is_looked_for_as_failed() {
    let words = |predicate: Value| match filter::<RunField>(&predicate).unwrap().as_slice() {
        [Predicate::In { field: RunField::State, operands }] => operands
            .iter()
            .map(|operand| match operand {
                Operand::Text(word) => word.clone(),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let compared =
        |operation: &str, word: &str| words(json!({"operation": operation, "key": "state", "string_value": word}));
    assert_eq!(compared("EQUALS", "FAILED"), ["FAILED", "CANCELED"]);
    assert_eq!(compared("EQUALS", "CANCELED"), Vec::<String>::new());
    let others = ["PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "CANCELING", "PAUSED"];
    assert_eq!(compared("NOT_EQUALS", "FAILED"), others);
    assert_eq!(compared("NOT_EQUALS", "CANCELED").len(), 8);
    let listed = json!({"operation": "IN", "key": "state", "string_values": {"values": ["RUNNING", "FAILED"]}});
    assert_eq!(words(listed), ["RUNNING", "FAILED", "CANCELED"]);
    assert_eq!(compared("IS_SUBSTRING", "cancel"), ["CANCELING"]);
    // Phases, as version 1 of the interface writes them.
    assert_eq!(words(json!({"operation": "EQUALS", "key": "status", "string_value": "Succeeded"})), ["SUCCEEDED"]);
}

#[test]
fn tags_are_compared_for_equality_only() {
    let found = filter(&json!({"operation": "EQUALS", "key": "tags.team", "string_value": "ml"})).unwrap();
    assert_eq!(found, vec![Predicate::<PipelineField>::Tag { key: "team".to_owned(), value: "ml".to_owned() }]);
    assert_eq!(
        refusal::<PipelineField>(&json!({"operation": "NOT_EQUALS", "key": "tags.team", "string_value": "ml"})),
        r#"only EQUALS operation is supported for tag filtering, got NOT_EQUALS for key "tags.team""#
    );
    assert_eq!(
        refusal::<PipelineField>(&json!({"operation": "EQUALS", "key": "tags.team", "int_value": 1})),
        r#"tag filter value must be a string for key "tags.team""#
    );
    assert_eq!(
        refusal::<RunField>(&json!({"operation": "EQUALS", "key": "tags.team", "string_value": "ml"})),
        r#"no support for filtering on unrecognized field "tags.team""#
    );
}

#[test]
fn i23_what_does_not_fit_is_refused_by_name() {
    let cases = [
        (
            json!({"operation": "IN", "key": "name", "string_value": "x"}),
            "cannot use IN operator with scalar type string",
        ),
        (
            json!({"operation": "EQUALS", "key": "name", "string_values": {"values": ["x"]}}),
            "cannot use scalar operator EQUALS on array type []string",
        ),
        (
            json!({"operation": "IS_SUBSTRING", "key": "name", "int_value": 5}),
            "cannot use non string value type int32 with operator IS_SUBSTRING",
        ),
        (json!({"operation": "EQUALS", "key": "name"}), "Error using Filter.Predicate.Value with <nil>"),
        (
            json!({"key": "name", "string_value": "x"}),
            "Error using Filter.Predicate.Operation with OPERATION_UNSPECIFIED",
        ),
        (json!({"operation": 4, "key": "name", "string_value": "x"}), "Error using Filter.Predicate.Operation with 4"),
        (
            json!({"operation": "EQUALS", "string_value": "x"}),
            "Predicate key cannot be empty for operation EQUALS and value x",
        ),
        (
            json!({"operation": "EQUALS", "key": "Name", "string_value": "x"}),
            "no support for filtering on unrecognized field \"Name\"",
        ),
    ];
    for (predicate, message) in cases {
        assert_eq!(refusal::<RunField>(&predicate), message, "{predicate}");
    }
}

#[test]
fn i23_what_is_no_filter_is_refused() {
    let refused = |text: &str| parse::<RunField>(text).unwrap_err().short_text().to_owned();
    assert!(refused("{").starts_with("failed to parse valid filter from \"{\": "));
    assert!(refused(r#"{"predicate": []}"#).contains(r#"unknown field "predicate""#));
    assert!(refused(r#"{"predicates": [{"op": 1}]}"#).contains(r#"unknown field "op""#));
    assert!(refused(r#"{"predicates": [{"operation": "LIKE"}]}"#).contains("LIKE"));
    assert!(refused(r#"{"predicates": [{"operation": 1, "string_value": "a", "int_value": 1}]}"#).contains("oneof"));
    let many = json!({"operation": 1, "key": "name", "string_value": "x"});
    assert!(refused(&json!({"predicates": vec![many; 200]}).to_string()).contains("more than"));
    assert!(refused(&format!("{{{}}}", " ".repeat(LONGEST))).contains("more than the"));
}
