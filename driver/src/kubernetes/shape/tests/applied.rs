//! Shapes on Pods: metadata, who containers run as, what stays (checks 11 and 17).

use k8s_openapi::api::core::v1::Pod;
use rstest::rstest;

use super::*;

/// A Pod as small as the parts that are looked at.
fn pod() -> Pod {
    let pod = json!({
        "metadata": {"labels": {"pipeline/runid": "r"}, "annotations": {"sidecar.istio.io/inject": "false", "eks.amazonaws.com/skip-containers": "main"}},
        "spec": {
            "containers": [{
                "name": "main",
                "env": [{"name": "A", "value": "own"}, {"name": "B", "value": "$(A)"}],
                "volumeMounts": [{"name": "dot-cache-scratch", "mountPath": "/.cache"}, {"name": "s3-scratch", "mountPath": "/s3"}],
            }],
            "volumes": [{"name": "dot-cache-scratch", "emptyDir": {}}, {"name": "s3-scratch", "emptyDir": {}}],
        },
    });
    serde_json::from_value(pod).expect("a Pod")
}

fn applied(settings: &Value) -> (Value, Vec<String>) {
    let mut pod = pod();
    let identity = RunAs { user: Some(1000), group: None, non_root: Some(true) };
    let warnings = shaped(settings).apply(&mut pod, identity);
    (json!(pod), warnings)
}

#[test]
fn platform_keys_cannot_be_replaced() {
    let (pod, warnings) = applied(&json!({"podMetadata": {
        "labels": {"pipeline/runid": "other", "team": "a"},
        "annotations": {"sidecar.istio.io/inject": "true", "eks.amazonaws.com/skip-containers": "x", "note": "any text"},
    }}));
    assert_eq!(pod["metadata"]["labels"], json!({"pipeline/runid": "r", "team": "a"}));
    let annotations =
        json!({"sidecar.istio.io/inject": "true", "eks.amazonaws.com/skip-containers": "main", "note": "any text"});
    assert_eq!(pod["metadata"]["annotations"], annotations, "the mesh is the author's choice");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[rstest]
#[case(json!({"labels": {"penstock.dev/inject": "no"}}), "podMetadata.labels[\"penstock.dev/inject\"]: keys that begin with penstock.dev/")]
#[case(json!({"annotations": {"penstock.dev/plan": "{}"}}), "podMetadata.annotations[\"penstock.dev/plan\"]: keys that")]
#[case(json!({"labels": {"a": "b c"}}), "podMetadata.labels[\"a\"]: \"b c\" is no value of a label")]
#[case(json!({"labels": {"": "b"}}), "podMetadata.labels[\"\"]: this is no key of a label")]
#[case(json!({"annotations": {"a b": "c"}}), "podMetadata.annotations[\"a b\"]: this is no key of an annotation")]
#[case(json!({"annotations": {"a": "x".repeat(200_000)}}), "podMetadata.annotations: they have 200001 bytes together")]
fn metadata_that_cannot_be_is_named(#[case] metadata: Value, #[case] expected: &str) {
    let error = submitted(&json!({ "podMetadata": metadata })).expect_err("it is refused");
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn the_account_of_a_task_is_no_annotation_of_the_author() {
    let shape = shaped(&json!({"podMetadata": {"annotations": {"penstock.dev/service-account": "reader"}}}));
    assert!(shape.annotations.is_empty(), "the plan carries it");
}

#[test]
fn a_variable_replaces_one_of_the_components_and_the_rest_stays() {
    let secret =
        json!({"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "A"}, {"secretKey": "l", "envVar": "C"}]});
    let (pod, warnings) = applied(&json!({"secretAsEnv": [secret]}));
    let from = |key: &str| json!({"secretKeyRef": {"name": "s", "key": key}});
    let expected = json!([
        {"name": "A", "valueFrom": from("k")}, {"name": "B", "value": "$(A)"}, {"name": "C", "valueFrom": from("l")},
    ]);
    assert_eq!(pod["spec"]["containers"][0]["env"], expected);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn a_scratch_volume_of_user_code_gives_way_to_the_authors() {
    let (pod, _) = applied(&json!({"pvcMount": [{"constant": "cache", "mountPath": "/.cache/"}]}));
    let mounts = json!([{"name": "s3-scratch", "mountPath": "/s3"}, {"name": "cache", "mountPath": "/.cache/"}]);
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"], mounts);
    let names: Vec<&Value> = pod["spec"]["volumes"].as_array().expect("volumes").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["s3-scratch", "cache"]);
    let (pod, _) = applied(&json!({"pvcMount": [{"constant": "cache", "mountPath": "/.cache/pip"}]}));
    assert_eq!(pod["spec"]["volumes"].as_array().map(Vec::len), Some(3), "below it, both are there");
}

#[test]
fn init_containers_are_hardened_and_run_as_the_installation_says() {
    let (pod, _) = applied(&json!({
        "initContainers": [{"name": "a", "image": "i"}],
        "securityContext": {"runAsUser": "7"},
    }));
    let context = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsUser": 1000, "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(pod["spec"]["initContainers"], json!([{"name": "a", "image": "i", "securityContext": context}]));
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations["eks.amazonaws.com/skip-containers"], "main,a", "no web identity for user code");
}

#[test]
fn the_rest_is_put_onto_the_pod() {
    let (pod, warnings) = applied(&json!({
        "nodeSelector": {"labels": {"disk": "fast"}},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "nodeAffinity": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}],
        "imagePullSecret": [{"secretName": "a"}, {"secretName": "b"}, {"secretName": "a"}],
    }));
    assert_eq!(pod["spec"]["nodeSelector"], json!({"disk": "fast"}));
    assert_eq!(pod["spec"]["tolerations"], json!([{"key": "gpu", "operator": "Exists"}]));
    assert!(pod["spec"]["affinity"]["nodeAffinity"].is_object());
    assert_eq!(pod["spec"]["imagePullSecrets"], json!([{"name": "a"}, {"name": "b"}]));
    assert_eq!(warnings, Vec::<String>::new());
}

#[rstest]
#[case(json!({"runAsUser": "0", "runAsNonRoot": true}), "securityContext.runAsUser: user 0 is root")]
#[case(json!({"runAsUser": -1}), "securityContext.runAsUser: -1 is no id")]
#[case(json!({"runAsGroup": "2147483648"}), "securityContext.runAsGroup: 2147483648 is no id")]
fn users_that_cannot_be_are_named(#[case] context: Value, #[case] expected: &str) {
    let error = submitted(&json!({ "securityContext": context })).expect_err("it is refused");
    assert!(error.starts_with(expected), "{error}");
}

#[rstest]
#[case(json!({"runAsUser": "0"}), RunAs { user: Some(0), group: None, non_root: None })]
#[case(json!({"runAsUser": "0", "runAsNonRoot": false}), RunAs { user: Some(0), group: None, non_root: Some(false) })]
#[case(json!({"runAsUser": "65534", "runAsGroup": "0"}), RunAs { user: Some(65534), group: Some(0), non_root: None })]
fn users_as_the_author_says(#[case] context: Value, #[case] expected: RunAs) {
    assert_eq!(shaped(&json!({ "securityContext": context })).run_as, expected);
}

#[test]
fn when_images_are_pulled_is_one_of_three() {
    let error = submitted(&json!({"imagePullPolicy": "always"})).expect_err("it is refused");
    assert!(error.starts_with("imagePullPolicy: \"always\" is neither"), "{error}");
    submitted(&json!({"imagePullPolicy": "Always"})).expect("it is one");
}
