//! Variables (check 3).

use rstest::rstest;

use super::*;

#[rstest]
#[case(json!({}), None)]
#[case(json!({"optional": false}), Some(false))]
#[case(json!({"optional": true}), Some(true))]
fn optional_has_three_states_for_variables_and_two_for_volumes(#[case] said: Value, #[case] expected: Option<bool>) {
    let with = |mut entry: Value| {
        for (name, value) in said.as_object().expect("members") {
            entry[name] = value.clone();
        }
        entry
    };
    let shape = shown(&json!({
        "secretAsEnv": [with(json!({"secretName": "s", "keyToEnv": [{"secretKey": "a", "envVar": "A"}]}))],
        "configMapAsEnv": [with(json!({"configMapName": "c", "keyToEnv": [{"configMapKey": "b", "envVar": "B"}]}))],
        "secretAsVolume": [with(json!({"secretName": "s", "mountPath": "/s"}))],
        "configMapAsVolume": [with(json!({"configMapName": "c", "mountPath": "/c"}))],
    }));
    let of_variable = |kind: &str, index: usize| shape["environment"][index]["valueFrom"][kind]["optional"].as_bool();
    assert_eq!(of_variable("secretKeyRef", 0), expected);
    assert_eq!(of_variable("configMapKeyRef", 1), expected);
    for (index, kind) in ["secret", "configMap"].into_iter().enumerate() {
        assert_eq!(shape["objects"]["volumes"][index][kind]["optional"], expected.unwrap_or(false), "{kind}");
    }
}

#[test]
fn variables_come_in_kfps_order_and_the_last_of_a_name_counts() {
    let shape = shaped(&json!({
        "fieldPathAsEnv": [{"name": "NODE", "fieldPath": "spec.nodeName"}, {"name": "B", "fieldPath": "metadata.name"}],
        "configMapAsEnv": [{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "B"}]}],
        "secretAsEnv": [{"secretName": "s", "keyToEnv": [
            {"secretKey": "a", "envVar": "A"}, {"secretKey": "b", "envVar": "B"}, {"secretKey": "c", "envVar": "C"},
        ]}],
    }));
    let names: Vec<&str> = shape.environment.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["A", "B", "C", "NODE"]);
    let twice = json!(shape.environment[1]);
    assert_eq!(twice, json!({"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}), "as a whole");
    assert_eq!(shape.warnings.len(), 2, "{:?}", shape.warnings);
}

#[rstest]
#[case(json!({"fieldPathAsEnv": [{"name": "", "fieldPath": "metadata.name"}]}), "fieldPathAsEnv[0].name: \"\"")]
#[case(json!({"fieldPathAsEnv": [{"name": "A", "fieldPath": ""}]}), "fieldPathAsEnv[0].fieldPath: it is empty")]
#[case(
    json!({"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "A=B"}]}]}),
    "secretAsEnv[0].keyToEnv[0].envVar: \"A=B\" is no name of a variable"
)]
#[case(
    json!({"configMapAsEnv": [{"configMapName": "s", "keyToEnv": [{"envVar": "A"}]}]}),
    "configMapAsEnv[0].keyToEnv[0].configMapKey: it is empty"
)]
fn variables_that_cannot_be_are_named(#[case] settings: Value, #[case] expected: &str) {
    let error = submitted(&settings).expect_err("it is refused");
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn penstocks_own_variables_stay() {
    let shape = shaped(&json!({"fieldPathAsEnv": [{"name": "KFP_POD_NAME", "fieldPath": "spec.nodeName"}]}));
    assert!(shape.environment.is_empty());
    assert_eq!(shape.warnings.len(), 1);
}

#[test]
fn a_variable_takes_the_place_of_the_one_it_replaces() {
    let variable =
        |name: &str, value: &str| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() };
    let mut variables = vec![variable("A", "1"), variable("B", "$(A)"), variable("A", "2"), variable("C", "3")];
    assert!(super::super::environment::set_variable(&mut variables, variable("A", "4")));
    assert_eq!(variables, [variable("A", "4"), variable("B", "$(A)"), variable("C", "3")]);
    assert!(!super::super::environment::set_variable(&mut variables, variable("D", "5")));
    assert_eq!(variables.len(), 4);
}
