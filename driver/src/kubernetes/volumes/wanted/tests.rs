use serde_json::json;

use super::*;

fn plan(inputs: &Value) -> Plan {
    let (run, task) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let at = "2026-01-01T00:00:00Z";
    let text = json!({
        "version": 1,
        "run": {
            "id": run, "name": "train-1a2b3", "displayName": "Train", "pipelineName": "train", "namespace": "team",
            "pipelineRoot": "s3://b/root", "createdAt": at, "scheduledAt": at, "caching": true,
            "workspace": keys::WORKSPACE_PATH,
        },
        "task": {"id": task, "key": "createpvc", "displayName": "createpvc", "path": "createpvc", "attempt": 0},
        "image": keys::CREATE_CLAIM_IMAGE, "command": [], "args": [], "env": [],
        "inputs": {"parameters": inputs},
        "defaults": {"storage_class_name": ""},
        "taskRoot": "s3://b/root/train/x/createpvc/y",
    });
    serde_json::from_value(text).expect("a plan")
}

fn claim(inputs: &Value) -> Result<Value, String> {
    let mut given = json!({"access_modes": ["ReadWriteOnce"], "size": "5Gi"});
    for (name, value) in inputs.as_object().expect("inputs") {
        match value.is_null() {
            true => drop(given.as_object_mut().expect("inputs").remove(name)),
            false => given[name] = value.clone(),
        }
    }
    let claim = of_task(&plan(&given), &VolumeSettings::default()).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(claim).expect("JSON"))
}

#[test]
fn claim_has_what_the_inputs_say() {
    let claim = claim(&json!({
        "pvc_name": "shared", "access_modes": ["ReadWriteMany", "ReadOnlyMany"], "size": "64K",
        "storage_class_name": "fast", "volume_name": "pv-1", "annotations": {"a": "b", "n": 7},
        "data_source": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "monday"},
    }));
    let (run, task) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_eq!(
        claim.expect("a claim"),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": "shared",
                "annotations": {"a": "b", "n": "", "penstock.dev/made-by": format!("{run}/{task}")},
            },
            "spec": {
                "accessModes": ["ReadWriteMany", "ReadOnlyMany"],
                "resources": {"requests": {"storage": "64k"}},
                "storageClassName": "fast",
                "volumeName": "pv-1",
                "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "monday"},
            },
        })
    );
}

#[test]
fn name_is_given_or_made_up_with_or_without_a_suffix() {
    let name = |inputs: Value| claim(&inputs).map(|claim| claim["metadata"]["name"].as_str().unwrap().to_owned());
    assert_eq!(name(json!({"pvc_name": "shared", "pvc_name_suffix": ""})).as_deref(), Ok("shared"));
    let (bare, with_suffix) = (name(json!({})).unwrap(), name(json!({"pvc_name_suffix": "-data"})).unwrap());
    assert!(Uuid::parse_str(&bare).is_ok(), "{bare}");
    assert_eq!(with_suffix, format!("{bare}-data"), "an attempt asks for the same whenever it asks");
    let mut again = plan(&json!({"access_modes": ["ReadWriteOnce"], "size": "1Gi"}));
    again.task.attempt = 1;
    let again = of_task(&again, &VolumeSettings::default()).unwrap();
    assert_ne!(again.metadata.name, Some(bare), "another attempt is another volume");
    assert!(name(json!({"pvc_name": "a", "pvc_name_suffix": "-b"})).unwrap_err().contains("are both given"));
    for bad in ["Shared", "a_b", "-a", "a-", "a..b", &"a".repeat(254)] {
        assert!(name(json!({"pvc_name": bad})).unwrap_err().contains("is none that an object can have"), "{bad}");
    }
    assert!(name(json!({"pvc_name_suffix": "_x"})).is_err());
}

#[test]
fn class_that_is_left_out_is_the_installations_and_one_that_is_empty_is_none() {
    let class = |inputs: Value| claim(&inputs).unwrap()["spec"].get("storageClassName").cloned();
    assert_eq!(class(json!({})), Some(json!("standard")), "the component's default does not count");
    assert_eq!(class(json!({"storage_class_name": ""})), Some(json!("")));
    assert_eq!(class(json!({"storage_class_name": "fast"})), Some(json!("fast")));
    let given = plan(&json!({"access_modes": ["ReadWriteOnce"], "size": "1Gi"}));
    let own = VolumeSettings { claim_class: None, ..VolumeSettings::default() };
    assert_eq!(of_task(&given, &own).unwrap().spec.unwrap().storage_class_name, None);
}

#[test]
fn what_no_claim_can_be_made_of_is_named() {
    for (inputs, named) in [
        (json!({"access_modes": null}), "input \"access_modes\" of the task is missing"),
        (json!({"access_modes": []}), "access_modes"),
        (json!({"access_modes": ["ReadWriteSometimes"]}), "ReadWriteSometimes"),
        (json!({"access_modes": "ReadWriteOnce"}), "as a list of ReadWriteOnce, ReadOnlyMany"),
        (json!({"size": null}), "input \"size\" of the task is missing"),
        (json!({"size": ""}), "input \"size\" of the task is missing"),
        (json!({"size": "5 GB"}), "is \"5 GB\""),
        (json!({"size": "0Gi"}), "above zero"),
        (json!({"size": 5}), "has to be a text"),
        (json!({"storage_class_name": 1}), "storage_class_name"),
        (json!({"annotations": ["a"]}), "has to be a struct"),
        (json!({"annotations": {"penstock.dev/made-by": "me"}}), "Penstock's own"),
        (json!({"data_source": {"kind": "VolumeSnapshot"}}), "lacks name"),
        (json!({"data_source": {"kind": "VolumeSnapshot", "name": 1}}), "holds 1 as its name"),
        (json!({"data_source": {"kind": "a", "name": "b", "api_group": "c"}}), "holds \"api_group\""),
    ] {
        let reason = claim(&inputs).expect_err("it is refused");
        assert!(reason.contains(named), "{inputs}: {reason}");
    }
    let source =
        claim(&json!({"data_source": {"apiGroup": "", "kind": "PersistentVolumeClaim", "name": "a"}})).unwrap();
    assert_eq!(source["spec"]["dataSource"], json!({"kind": "PersistentVolumeClaim", "name": "a"}), "a clone");
    assert!(claim(&json!({"data_source": {}})).unwrap()["spec"].get("dataSource").is_none());
}

fn workspace(size: &str, patch: &Value, settings: &VolumeSettings) -> Result<Value, String> {
    let wanted = PlanWorkspace { size: size.to_owned(), claim_patch: patch.as_object().cloned().unwrap() };
    let claim = of_workspace(&plan(&json!({})).run, &wanted, settings).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(claim).expect("JSON"))
}

#[test]
fn workspace_is_what_the_installation_says_with_what_the_pipeline_says_instead() {
    let usual = VolumeSettings::default();
    let claim = workspace("2Gi", &json!({}), &usual).expect("a claim");
    let run = Uuid::from_u128(1).to_string();
    assert_eq!(
        claim["metadata"],
        json!({
            "name": "train-1a2b3-kfp-workspace",
            "labels": {
                "app.kubernetes.io/managed-by": "penstock", "penstock.dev/run-id": run, "penstock.dev/workspace": "true",
            },
            "annotations": {"penstock.dev/made-by": run},
        })
    );
    let resources = json!({"requests": {"storage": "2Gi"}});
    assert_eq!(claim["spec"], json!({"accessModes": ["ReadWriteOnce"], "resources": resources}));
    let own = VolumeSettings {
        workspace_access_modes: vec!["ReadWriteMany".to_owned()],
        workspace_class: Some("shared".to_owned()),
        ..usual
    };
    let spec = |patch: Value| workspace("2Gi", &patch, &own).expect("a claim")["spec"].clone();
    assert_eq!(
        (&spec(json!({}))["storageClassName"], &spec(json!({}))["accessModes"][0]),
        (&json!("shared"), &json!("ReadWriteMany"))
    );
    let patched = spec(json!({"storageClassName": "fast", "accessModes": ["ReadWriteOncePod"]}));
    assert_eq!(
        patched,
        json!({"storageClassName": "fast", "accessModes": ["ReadWriteOncePod"], "resources": resources})
    );
}

#[test]
fn workspace_without_a_size_or_with_more_in_its_patch_is_refused() {
    for (size, patch, named) in [
        ("", json!({}), "the size of the run's workspace is missing"),
        ("-1Gi", json!({}), "is \"-1Gi\""),
        ("0", json!({}), "above zero"),
        ("1Gi", json!({"resources": {}}), "only accessModes and storageClassName may be set"),
        ("1Gi", json!({"volumeName": "pv-1"}), "holds \"volumeName\""),
        ("1Gi", json!({"storageClassName": ""}), "has to be the name of a class"),
        ("1Gi", json!({"accessModes": ["Always"]}), "accessModes in the pvcSpecPatch"),
    ] {
        let reason = workspace(size, &patch, &VolumeSettings::default()).expect_err("it is refused");
        assert!(reason.contains(named), "{size:?} {patch}: {reason}");
    }
}

#[test]
fn deletion_needs_a_name() {
    assert_eq!(name_to_delete(&plan(&json!({"pvc_name": "shared"}))).as_deref(), Ok("shared"));
    for inputs in [json!({}), json!({"pvc_name": ""}), json!({"pvc_name": 1}), json!({"pvc_name": "../pods/x"})] {
        assert!(name_to_delete(&plan(&inputs)).is_err(), "{inputs}");
    }
}
