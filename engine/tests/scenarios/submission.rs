//! Parameters of a run: macros, the check at submission, defaults.

use penstock_engine::{Event, parameters};
use penstock_spec::Timestamp;
use penstock_spec::run::{RunInfo, RunStatus};
use serde_json::{Map, Value, json};

use crate::host::{Host, compile, run_info};

const INPUTS: &str = "
components: {comp: {executorLabel: exec}}
root:
  inputDefinitions:
    parameters:
      a: {parameterType: STRING}
      b: {parameterType: NUMBER_INTEGER}
      c: {parameterType: LIST, isOptional: true}
      d: {parameterType: NUMBER_DOUBLE, defaultValue: 2.0}
      e: {parameterType: BOOLEAN, isOptional: true}
      f: {parameterType: STRUCT, isOptional: true}
  dag: {tasks: {t: {componentRef: {name: comp}, taskInfo: {name: t}}}}
";

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn resolved(given: Value) -> Result<Value, String> {
    let result = parameters::resolve(&compile(INPUTS), &object(given), &run_info());
    result.map(Value::Object).map_err(|error| error.to_string())
}

fn refused(given: Value) -> String {
    let message = resolved(given).unwrap_err();
    message.strip_prefix("invalid pipeline job inputs: ").unwrap().to_owned()
}

#[test]
fn defaults_and_nulls_are_filled_in() {
    let expected = json!({"a": "x", "b": 1, "c": null, "d": 2, "e": null, "f": null});
    assert_eq!(resolved(json!({"a": "x", "b": 1.0})), Ok(expected));
}

#[test]
fn messages_of_the_check_are_kfps() {
    assert_eq!(refused(json!({})), "pipeline requiring input has no parameter(s) provided. Need parameter(s): a, b");
    assert_eq!(
        refused(json!({"a": "x"})),
        "parameter b is not optional, yet has neither default value nor user provided value"
    );
    assert_eq!(
        refused(json!({"a": "x", "b": 1, "y": 1, "z": 2})),
        "parameter(s) provided are not required by pipeline: y, z"
    );
    assert_eq!(
        refused(json!({"a": "x", "b": "1"})),
        "input parameter b requires type double or integer, but the parameter value is not of number value type"
    );
    for (name, value, wanted) in
        [("a", json!(1), "string"), ("c", json!("x"), "list"), ("e", json!(1), "bool"), ("f", json!([]), "struct")]
    {
        let mut given = json!({"a": "x", "b": 1});
        given[name] = value;
        assert_eq!(
            refused(given),
            format!(
                "input parameter {name} requires type {wanted}, but the input parameter is not of {wanted} value type"
            )
        );
    }
}

#[test]
fn null_counts_as_a_wrong_type() {
    assert!(refused(json!({"a": null, "b": 1})).contains("requires type string"));
    assert!(refused(json!({"a": "x", "b": 1, "c": null})).contains("requires type list"));
}

#[test]
fn literal_that_is_not_allowed_is_refused() {
    let text = INPUTS.replace("a: {parameterType: STRING}", "a: {parameterType: STRING, literals: [x, y]}");
    let error = parameters::resolve(&compile(&text), &object(json!({"a": "z", "b": 1})), &run_info()).unwrap_err();
    assert!(error.full_message().contains("does not match any of the allowed literal values"), "{error}");
}

#[test]
fn run_with_refused_parameters_fails_with_the_message() {
    let mut host = Host::new(INPUTS);
    host.start(json!({}));
    let mut host = host.expect(RunStatus::Failed);
    assert!(host.state.failure().unwrap().message.contains("Need parameter(s): a, b"));
    assert_eq!(host.log.len(), 2);
    assert!(host.deliver(Event::Retry).is_empty(), "it would be refused again");
}

#[test]
fn refused_parameters_are_refused_again_after_a_crash() {
    for given in [json!({}), json!({"a": "x", "b": 1, "y": 1}), json!({"a": "x", "b": "1"})] {
        // The host cuts the log after the run's start and carries on from there.
        let host = Host::new(INPUTS).ran_with(given).expect(RunStatus::Failed);
        assert_eq!(host.log.len(), 2);
    }
    let wrong_default = INPUTS.replace("isOptional: true}\n", "defaultValue: 'not of its type'}\n");
    Host::new(&wrong_default).ran_with(json!({"a": "x", "b": 1})).succeeds();
}

fn expanded(text: &str) -> String {
    let info = RunInfo {
        created_at: Timestamp::from_second(1_136_239_445).unwrap(), // 2006-01-02T22:04:05Z
        scheduled_at: "2024-02-29T09:08:07.012345678Z".parse().unwrap(),
        ..run_info()
    };
    let values = parameters::resolve(&compile(INPUTS), &object(json!({"a": text, "b": 1})), &info).unwrap();
    values["a"].as_str().unwrap().to_owned()
}

#[test]
fn macros_are_expanded() {
    assert_eq!(expanded("run [[RunUUID]]!"), format!("run {}!", run_info().id));
    assert_eq!(expanded("[[CurrentTime]]"), "20060102220405");
    assert_eq!(expanded("[[ScheduledTime]]-[[CurrentTime]]"), "20240229090807-20060102220405");
    assert_eq!(expanded("{{$.scheduledTime.strftime('%Y-%m-%d')}}"), "2024-02-29");
    assert_eq!(expanded("{{$.currentTime.strftime('%H:%M')}}"), "22:04");
}

#[test]
fn go_layouts_are_understood() {
    for (layout, expected) in [
        ("2006-01-02T15:04:05Z07:00", "2024-02-29T09:08:07Z"),
        ("Jan 2, 2006 at 3:04pm (MST)", "Feb 29, 2024 at 9:08am (UTC)"),
        ("Monday, 02-Jan-06 15:04:05 -0700", "Thursday, 29-Feb-24 09:08:07 +0000"),
        ("2006/1/2 03:04:05.000 PM", "2024/2/29 09:08:07.012 AM"),
        ("05.999999999", "07.012345678"),
        ("January _2", "February 29"),
        ("002", "060"),
        ("no layout: Janet", "no layout: Janet"),
    ] {
        assert_eq!(expanded(&format!("[[ScheduledTime.{layout}]]")), expected, "{layout}");
    }
}

#[test]
fn t17_unknown_and_unclosed_macros_stay_and_nothing_is_read_twice() {
    for text in
        ["[[Nothing]]", "[[CurrentTime", "[[", "{{$.scheduledTime.strftime(%Y)}}", "{{$.x}}", "{ [ [x] }", "[[Index]]"]
    {
        assert_eq!(expanded(text), text);
    }
    assert_eq!(
        expanded("[[CurrentTime.[[RunUUID]]"),
        "[[RunUUID]]".replace("[[RunUUID]]", "[[RunUUID"),
        "the first end counts"
    );
}

#[test]
fn i10_many_unclosed_macros_take_linear_time() {
    let text = "[[CurrentTime.".repeat(100_000);
    assert_eq!(expanded(&text), text);
}
