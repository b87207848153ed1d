//! Init containers (check 12).

use rstest::rstest;

use super::*;

fn container(changes: &Value) -> Value {
    let mut container = json!({"name": "prepare", "image": "busybox:1.36"});
    for (name, value) in changes.as_object().expect("members") {
        container[name] = value.clone();
    }
    container
}

#[test]
fn init_containers_and_sidecars() {
    let settings = json!({
        "emptyDirMounts": [{"volumeName": "shared-data", "mountPath": "/data"}],
        "pvcMount": [{"constant": "a.claim", "mountPath": "/claim"}],
        "initContainers": [
            container(&json!({
                "command": ["sh", "-c"], "args": ["echo ready > /data/marker"], "env": [{"name": "A", "value": "b"}],
                "volumeMounts": [{"volumeName": "shared-data", "mountPath": "/data"}, {"volumeName": "a.claim", "mountPath": "/claim"}],
                "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64K"}},
            })),
            container(&json!({"name": "beside", "restartPolicy": "Always"})),
        ],
    });
    let shape = shown(&settings);
    let claim = shape["objects"]["volumes"][0]["name"].as_str().expect("a name");
    assert!(claim.starts_with("claim-"), "{claim}");
    let expected = json!([
        {
            "name": "prepare", "image": "busybox:1.36", "command": ["sh", "-c"], "args": ["echo ready > /data/marker"],
            "env": [{"name": "A", "value": "b"}],
            "volumeMounts": [{"name": "shared-data", "mountPath": "/data"}, {"name": claim, "mountPath": "/claim"}],
            "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64k"}},
        },
        {"name": "beside", "image": "busybox:1.36", "restartPolicy": "Always"},
    ]);
    assert_eq!(shape["initContainers"], expected);
}

#[rstest]
#[case(json!({"name": "main"}), "initContainers[0].name: there is another container \"main\"")]
#[case(json!({"name": "penstock-launcher"}), "initContainers[0].name: there is another container \"penstock-launcher\"")]
#[case(json!({"name": "other"}), "initContainers[1].name: there is another container \"other\"")]
#[case(json!({"name": ""}), "initContainers[0].name: \"\" is no name of a container")]
#[case(json!({"name": "A"}), "initContainers[0].name: \"A\" is no name of a container")]
#[case(json!({"image": ""}), "initContainers[0].image: it is empty")]
#[case(json!({"restartPolicy": "OnFailure"}), "initContainers[0].restartPolicy: \"OnFailure\" is not Always")]
#[case(json!({"restartPolicy": "always"}), "initContainers[0].restartPolicy: \"always\" is not Always")]
#[case(json!({"env": [{"value": "a"}]}), "initContainers[0].env[0].name: it is empty")]
#[case(json!({"resources": {"limits": {"cpu": "1 core"}}}), "initContainers[0].resources.limits[\"cpu\"]: \"1 core\" is no quantity")]
#[case(json!({"resources": {"requests": {"cpu": ""}}}), "initContainers[0].resources.requests[\"cpu\"]: it is empty")]
#[case(json!({"volumeMounts": [{"volumeName": "none", "mountPath": "/x"}]}), "initContainers[0].volumeMounts[0].volumeName: the task has no volume \"none\"")]
#[case(json!({"volumeMounts": [{"volumeName": "", "mountPath": "/x"}]}), "initContainers[0].volumeMounts[0].volumeName: the task has no volume \"\"")]
#[case(json!({"volumeMounts": [{"volumeName": "minio-scratch", "mountPath": "/x"}]}), "initContainers[0].volumeMounts[0].volumeName: the task has no volume")]
#[case(json!({"volumeMounts": [{"volumeName": "v", "mountPath": "x"}]}), "initContainers[0].volumeMounts[0].mountPath: \"x\" is no path")]
#[case(json!({"volumeMounts": [{"volumeName": "v", "mountPath": "/penstock/pod"}]}), "initContainers[0].volumeMounts[0].mountPath: \"/penstock/pod\" is kept for the launcher")]
#[case(json!({"volumeMounts": [{"volumeName": "v", "mountPath": "/x"}, {"volumeName": "v", "mountPath": "/x/"}]}), "initContainers[0].volumeMounts[1].mountPath: two volumes are mounted")]
fn init_containers_that_cannot_be_are_named(#[case] changes: Value, #[case] expected: &str) {
    let settings = json!({
        "emptyDirMounts": [{"volumeName": "v", "mountPath": "/v"}],
        "initContainers": [container(&changes), container(&json!({"name": "other"}))],
    });
    let error = submitted(&settings).expect_err("it is refused");
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_volume_whose_name_the_run_will_tell_is_looked_for_later() {
    let settings = json!({
        "secretAsVolume": [{"secretNameParameter": input("name"), "mountPath": "/s"}],
        "initContainers": [container(&json!({"volumeMounts": [{"volumeName": "keys", "mountPath": "/s"}]}))],
    });
    submitted(&settings).expect("the run will tell");
    let field = "secretAsVolume[0].secretNameParameter";
    shaped_with(&settings, &[(field, json!("keys"))]).expect("it is this one");
    let error = shaped_with(&settings, &[(field, json!("others"))]).expect_err("it is another");
    assert!(error.contains("the task has no volume \"keys\""), "{error}");
}
