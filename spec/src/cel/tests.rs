use serde_json::{Map, Value, json};

use super::*;
use crate::executor::{ArtifactList, RuntimeArtifact};

fn inputs() -> ExecutorInputs {
    let Value::Object(parameters) = json!({
        "n": 5, "f": 0.5, "s": "a", "b": true, "l": [1, 2, 3], "j": "{\"k\": [1]}", "big": 1e300, "none": null,
    }) else {
        unreachable!("the literal is an object")
    };
    let mut inputs = ExecutorInputs { parameter_values: parameters, ..ExecutorInputs::default() };
    let metadata = Map::from_iter([("score".to_owned(), json!(0.9))]);
    let artifact = RuntimeArtifact { uri: "s3://bucket/key".to_owned(), metadata, ..RuntimeArtifact::default() };
    inputs.artifacts.insert("model".to_owned(), ArtifactList { artifacts: vec![artifact] });
    inputs
}

fn evaluate(text: &str) -> Result<bool, CelError> {
    Condition::parse(text)?.evaluate(&inputs())
}

#[rstest::rstest]
#[case("inputs.parameter_values['s'] == 'a'", true)]
#[case("inputs.parameter_values['n'] == 5", true)]
#[case("inputs.parameter_values['n'] == 5.0", true)]
#[case("inputs.parameter_values['s'] == 5", false)]
#[case("inputs.parameter_values['n'] != '5'", true)]
#[case("int(inputs.parameter_values['n']) > 4", true)]
#[case("inputs.parameter_values['f'] >= double(5)", false)]
#[case("inputs.parameter_values['n'] > 4", true)]
#[case("inputs.parameter_values['b'] == true", true)]
#[case("!(inputs.parameter_values['n'] == 5) && inputs.parameter_values['s'] == 'a'", false)]
#[case("inputs.parameter_values['n'] == inputs.parameter_values['n']", true)]
#[case("inputs\n  .parameter_values['s'] ==\n 'a'", true)]
#[case("parseJson(inputs.parameter_values['j'])['k'][0] == 1", true)]
#[case("inputs.artifacts['model'].artifacts[0].uri == 's3://bucket/key'", true)]
#[case("inputs.artifacts['model'].artifacts[0].metadata['score'] > 0.5", true)]
#[case("inputs.parameter_values['l'].exists(x, x == 3)", true)]
#[case("has(inputs.parameter_values.s)", true)]
#[case("inputs.parameter_values['none'] == null", true)]
#[case("'ä' in ['ä']", true)]
fn conditions_follow_cel(#[case] text: &str, #[case] expected: bool) {
    assert_eq!(evaluate(text), Ok(expected));
}

#[rstest::rstest]
#[case("inputs.parameter_values['missing'] == 1", "no such key: missing")]
#[case("inputs.parameter_values['s'] > 1", "no matching overload")]
#[case("inputs.parameter_values['n']", "must give a bool")]
#[case("outputs.x == 1", "undeclared reference")]
#[case("parseJson('{') == 1", "not JSON")]
#[case("int(inputs.parameter_values['big']) > 1", "failed")]
#[case("1 / 0 == 1", "failed")]
#[case("9223372036854775807 + 1 > 0", "failed")]
#[case("-9223372036854775808 / -1 > 0", "failed")]
#[case("[1][5] == 1", "failed")]
#[case("[1][-1] == 1", "failed")]
#[case("int('x') == 1", "failed")]
fn i09_what_cannot_be_evaluated_is_an_error(#[case] text: &str, #[case] expected: &str) {
    let error = evaluate(text).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[rstest::rstest]
#[case("")]
#[case("  ")]
#[case("a ==")]
#[case("a b")]
#[case("'unclosed")]
#[case("99999999999999999999 == 1")]
#[case("((((")]
#[case("\u{0}")]
#[case("a.`b")]
#[case("'\\u12'")]
#[case("'\\xZZ'")]
#[case("b'\\400'")]
fn i09_malformed_conditions_are_refused(#[case] text: &str) {
    assert!(Condition::parse(text).is_err(), "{text:?}");
}

#[test]
fn i09_huge_conditions_are_refused() {
    let text = format!("'{}' == ''", "a".repeat(20_000));
    assert!(matches!(Condition::parse(&text), Err(CelError::TooLong { .. })));
}

#[rstest::rstest]
#[case("(", "1", ")")]
#[case("!", "true", "")]
#[case("-", "x", "")]
#[case("[", "1", "]")]
#[case("", "1", " + 1")]
#[case("", "true", " && true")]
#[case("", "true", " || true")]
#[case("", "x", ".a")]
#[case("", "x", "[0]")]
#[case("", "x", ".f()")]
#[case("true ? 1 : ", "1", "")]
#[case("", "1", " == 1")]
fn i09_deep_conditions_end_without_exhausting_the_stack(#[case] open: &str, #[case] core: &str, #[case] close: &str) {
    for count in [12, 24, 50, 140, 299, 5000] {
        let text = format!("{}{core}{}", open.repeat(count), close.repeat(count));
        if let Ok(condition) = Condition::parse(&text) {
            drop(condition.evaluate(&inputs()));
        }
    }
}

#[test]
fn i09_raw_strings_hide_no_depth() {
    let text = format!(r"r'' == {}1{} + r''", "(".repeat(60), ")".repeat(60));
    assert!(matches!(Condition::parse(&text), Err(CelError::TooDeep { .. })));
    assert!(Condition::parse("'((((((((((((((((((((((((((((((' == 'a'").is_ok());
}

#[test]
fn i09_nested_loops_over_large_lists_are_refused_by_their_cost() {
    let mut inputs = inputs();
    inputs.parameter_values.insert("l".to_owned(), json!(vec![1; 5000]));
    let list = "inputs.parameter_values['l']";
    let one = Condition::parse(&format!("{list}.all(x, x == 1)")).unwrap();
    assert_eq!(one.evaluate(&inputs), Ok(true));
    let three = format!("{list}.all(x, {list}.all(y, {list}.all(z, x + y + z == 3)))");
    let error = Condition::parse(&three).unwrap().evaluate(&inputs).unwrap_err();
    assert!(matches!(error, CelError::TooExpensive { .. }), "{error}");
}

#[test]
fn selectors_take_members_of_json_text() {
    let selector = Selector::parse("parseJson(string_value)[\"k\"]").unwrap();
    assert_eq!(selector.evaluate(&json!("{\"k\": 1.0}")), Ok(json!(1)));
    assert_eq!(selector.evaluate(&json!({"k": {"a": [null, true]}})), Ok(json!({"a": [null, true]})));
    assert!(selector.evaluate(&json!({"other": 1})).is_err());
    assert!(selector.evaluate(&json!("not json")).is_err());
}

#[test]
fn selectors_see_the_value_under_the_name_of_its_kind() {
    let evaluate = |text: &str, value: Value| Selector::parse(text).unwrap().evaluate(&value);
    assert_eq!(evaluate("number_value + 1.0", json!(1)), Ok(json!(2)));
    assert_eq!(evaluate("!bool_value", json!(true)), Ok(json!(false)));
    assert_eq!(evaluate("list_value[1]", json!([1, "b"])), Ok(json!("b")));
    assert_eq!(evaluate("struct_value.k", json!({"k": "v"})), Ok(json!("v")));
    assert_eq!(evaluate("string_value", json!(null)), Ok(json!("")));
    assert_eq!(evaluate("string_value", json!(2.0)), Ok(json!("2")));
    assert!(evaluate("number_value", json!("1")).is_err());
    assert!(evaluate("b'x'", json!("1")).is_err());
}

proptest::proptest! {
    #[test]
    fn i09_no_condition_panics(text in "([a-z(){}\\[\\].,?:!<>=&|+*/%'\"0-9 -]|inputs|in |has\\(|\\\\|\\.map\\(x,|ä){0,30}") {
        if let Ok(condition) = Condition::parse(&text) {
            let result = condition.evaluate(&inputs());
            let fault = matches!(result, Err(CelError::Internal { .. }));
            proptest::prop_assert!(!fault, "{:?}", result);
        }
    }
}
