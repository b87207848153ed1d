//! Settings that a component takes as data (check 13).

use penstock_spec::plan::PlanPod;
use rstest::rstest;

use super::*;

fn settings() -> Value {
    json!({
        "fieldPathAsEnv": [{"name": "NODE", "fieldPath": "spec.nodeName"}],
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"labels": {"disk": "fast"}},
        "nodeAffinity": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}],
        "podAffinity": [{"topologyKey": "zone"}],
        "pvcMount": [{"constant": "claim", "mountPath": "/claim"}],
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/scratch"}],
    })
}

/// What the component gets, and what stays on the Pod.
fn passed(passthroughs: &Value) -> (Value, Value) {
    let pod = json!({"config": {}, "passthroughs": passthroughs, "taskConfigInputs": ["config"]});
    let pod: PlanPod = serde_json::from_value(pod).expect("settings");
    let before = json!({"config": {
        "affinity": null, "tolerations": null, "nodeSelector": null, "env": null, "volumes": null, "volumeMounts": null,
        "resources": {"limits": {"cpu": "1"}},
    }, "other": 1});
    let mut parameters = before.as_object().expect("members").clone();
    let mut shape = shaped(&settings());
    shape.hand_on(&pod, &mut parameters);
    assert_eq!(parameters["other"], 1);
    assert_eq!(
        parameters["config"]["resources"],
        json!({"limits": {"cpu": "1"}}),
        "resources are not the Pod's settings"
    );
    (parameters["config"].clone(), json!(shape))
}

#[test]
fn what_is_not_listed_stays_on_the_pod_alone() {
    let (config, shape) = passed(&json!([{"field": "RESOURCES"}]));
    assert_eq!(shape, shown(&settings()));
    for name in ["affinity", "tolerations", "nodeSelector", "env", "volumes", "volumeMounts"] {
        assert_eq!(config[name], Value::Null, "{name}");
    }
}

#[rstest]
fn what_is_listed_is_data_and_on_the_pod_if_it_is_to_apply(#[values(true, false)] applies: bool) {
    let fields =
        ["ENV", "KUBERNETES_AFFINITY", "KUBERNETES_TOLERATIONS", "KUBERNETES_NODE_SELECTOR", "KUBERNETES_VOLUMES"];
    let listed: Vec<Value> = fields.iter().map(|field| json!({"field": field, "applyToTask": applies})).collect();
    let (config, shape) = passed(&json!(listed));
    let whole = shown(&settings());
    assert_eq!(config["env"], whole["environment"]);
    assert_eq!(config["tolerations"], whole["tolerations"]);
    assert_eq!(config["nodeSelector"], whole["nodeSelector"]);
    assert_eq!(config["affinity"], json!({"nodeAffinity": whole["affinity"]["nodeAffinity"]}), "that of nodes only");
    assert_eq!(config["volumes"], whole["objects"]["volumes"]);
    assert_eq!(config["volumeMounts"], whole["objects"]["mounts"]);
    if applies {
        assert_eq!(shape, whole);
        return;
    }
    assert_eq!(shape["environment"], json!([]));
    assert_eq!(shape["tolerations"], json!([]));
    assert_eq!(shape["nodeSelector"], Value::Null);
    assert_eq!(shape["affinity"]["nodeAffinity"], Value::Null);
    assert!(shape["affinity"]["podAffinity"].is_object(), "that is no setting which travels");
    assert_eq!(shape["objects"], json!({"volumes": [], "mounts": []}));
    assert_eq!(shape["scratch"], whole["scratch"], "it comes and goes with this Pod");
}
