//! Names of objects: their forms, null, what is known on submission, and whose they may be (checks 1 and 2).

use rstest::rstest;

use super::*;

/// Entries that name something, each with the field of the value and what shows the name in the shape.
fn entry(list: &str, name: &Value) -> Value {
    let mut entry = match list {
        "secretAsEnv" => json!({"keyToEnv": [{"secretKey": "k", "envVar": "V"}]}),
        "configMapAsEnv" => json!({"keyToEnv": [{"configMapKey": "k", "envVar": "V"}]}),
        "imagePullSecret" => json!({}),
        _ => json!({"mountPath": "/data"}),
    };
    for (field, value) in name.as_object().expect("members") {
        entry[field] = value.clone();
    }
    json!({ list: [entry] })
}

fn fields(list: &str) -> (&'static str, &'static str) {
    match list {
        "secretAsEnv" | "secretAsVolume" | "imagePullSecret" => ("secretName", "secretNameParameter"),
        "configMapAsEnv" | "configMapAsVolume" => ("configMapName", "configMapNameParameter"),
        _ => ("constant", "pvcNameParameter"),
    }
}

fn name_in(list: &str, shape: &Value) -> Value {
    let path = match list {
        "secretAsEnv" => "/environment/0/valueFrom/secretKeyRef/name",
        "configMapAsEnv" => "/environment/0/valueFrom/configMapKeyRef/name",
        "secretAsVolume" => "/objects/volumes/0/secret/secretName",
        "configMapAsVolume" => "/objects/volumes/0/configMap/name",
        "imagePullSecret" => "/pullSecrets/0",
        _ => "/objects/volumes/0/persistentVolumeClaim/claimName",
    };
    shape.pointer(path).cloned().unwrap_or_default()
}

#[rstest]
fn all_forms_of_a_name_are_taken_and_the_parameter_wins(
    #[values("secretAsEnv", "secretAsVolume", "configMapAsEnv", "configMapAsVolume", "imagePullSecret", "pvcMount")]
    list: &str,
) {
    let (literal, parameter) = fields(list);
    let field = format!("{list}[0].{parameter}");
    let old = entry(list, &json!({literal: "old"}));
    assert_eq!(name_in(list, &shown(&old)), "old", "the literal alone");
    let new = entry(list, &json!({parameter: constant(&json!("new"))}));
    assert_eq!(name_in(list, &shown(&new)), "new", "the parameter alone");
    let both = entry(list, &json!({literal: "old", parameter: constant(&json!("new"))}));
    assert_eq!(name_in(list, &shown(&both)), "new", "both");
    let dynamic = entry(list, &json!({literal: "old", parameter: input("name")}));
    let given = shaped_with(&dynamic, &[(&field, json!("given"))]).expect("it is resolved");
    assert_eq!(name_in(list, &json!(given)), "given", "from the enclosing DAG");

    let none = entry(list, &json!({}));
    let error = submitted(&none).expect_err("both are absent");
    assert!(error.starts_with(&format!("{field}: the setting names no ")), "{error}");
    submitted(&dynamic).expect("the run will tell");
    let missing = shaped_with(&dynamic, &[]).expect_err("it has no value");
    assert!(missing.starts_with(&format!("{field}: ")) && missing.contains("has no value"), "{missing}");
    for (value, reason) in [
        (json!(""), "is empty"),
        (json!(7), "is a value of type"),
        (json!({"a": 1}), "is a value of type struct"),
        (json!("Not_A_Name"), "is no name of a"),
    ] {
        let error = shaped_with(&dynamic, &[(&field, value)]).expect_err("it is no name");
        assert!(error.starts_with(&format!("{field}: ")) && error.contains(reason), "{error}");
    }
    let null = shaped_with(&dynamic, &[(&field, Value::Null)]);
    match list {
        "pvcMount" => {
            let error = null.expect_err("a claim has to be there");
            assert!(error.contains("the name of the PersistentVolumeClaim is null"), "{error}");
        }
        _ => assert_eq!(null.expect("it is passed over"), PodShape::default()),
    }
}

#[test]
fn older_forms_of_a_claims_name_are_read() {
    let output = json!({"producerTask": "createpvc", "outputParameterKey": "name"});
    for old in [json!({"taskOutputParameter": output}), json!({"componentInputParameter": "claim"})] {
        let settings = entry("pvcMount", &old);
        let shape = shaped_with(&settings, &[("pvcMount[0].pvcNameParameter", json!("made"))]).expect("resolved");
        assert_eq!(name_in("pvcMount", &json!(shape)), "made");
    }
}

#[rstest]
fn t06_secret_of_the_namespaces_object_store_is_not_for_user_code(
    #[values("secretAsEnv", "secretAsVolume", "imagePullSecret")] list: &str,
) {
    let secrets = ["store-keys".to_owned()];
    let surroundings = Surroundings { store_secrets: &secrets, ..NOWHERE };
    let judge = |settings: &Value, values: Values<'_>| {
        shape(&config(settings), values, surroundings).map(drop).map_err(|errors| errors.to_string())
    };
    let fixed = entry(list, &json!({"secretName": "store-keys"}));
    let error = judge(&fixed, Values::Submitted).expect_err("it is known on submission");
    let expected = format!("{list}[0].secretNameParameter: the Secret \"store-keys\" opens the object store");
    assert!(error.starts_with(&expected), "{error}");

    let dynamic = entry(list, &json!({"secretNameParameter": input("name")}));
    assert_eq!(judge(&dynamic, Values::Submitted), Ok(()), "the run will tell");
    let field = format!("{list}[0].secretNameParameter");
    let resolved = |name: &str| values(&config(&dynamic), &[(field.as_str(), json!(name))]);
    let error = judge(&dynamic, Values::Resolved(&resolved("store-keys"))).expect_err("before the Pod");
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(judge(&dynamic, Values::Resolved(&resolved("store-keys-2"))), Ok(()), "names are compared whole");
}
