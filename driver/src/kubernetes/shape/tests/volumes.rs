//! Volumes and mounts (checks 7 and 8).

use penstock_spec::object_name::is_label;
use rstest::rstest;

use super::*;

fn secret(name: &str, path: &str) -> Value {
    json!({"secretName": name, "mountPath": path})
}

fn names(shape: &PodShape) -> Vec<&str> {
    shape.objects.volumes.iter().chain(&shape.scratch.volumes).map(|volume| volume.name.as_str()).collect()
}

#[test]
fn volumes_of_objects() {
    let shape = shown(&json!({
        "secretAsVolume": [secret("keys", "/keys")],
        "configMapAsVolume": [{"configMapName": "settings", "mountPath": "/settings", "optional": true}],
        "pvcMount": [{"constant": "claim", "mountPath": "/data", "subPath": "a/b"}],
    }));
    let volumes = json!([
        {"name": "claim", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "keys", "secret": {"secretName": "keys", "optional": false}},
        {"name": "settings", "configMap": {"name": "settings", "optional": true}},
    ]);
    let mounts = json!([
        {"name": "claim", "mountPath": "/data", "subPath": "a/b"},
        {"name": "keys", "mountPath": "/keys"},
        {"name": "settings", "mountPath": "/settings"},
    ]);
    assert_eq!(shape["objects"], json!({"volumes": volumes, "mounts": mounts}));
    assert_eq!(shape["scratch"], json!({"volumes": [], "mounts": []}));
}

#[test]
fn names_of_volumes_are_safe_and_the_same_each_time() {
    let (dotted, long) = ("registry.example.com", "x".repeat(100));
    let settings = json!({
        "secretAsVolume": [secret(dotted, "/a"), secret(&long, "/b"), secret("minio-scratch", "/c"),
            secret("penstock-pod", "/d"), secret("kfp-workspace", "/e"), secret("both", "/f")],
        "configMapAsVolume": [{"configMapName": "both", "mountPath": "/g"}],
        "emptyDirMounts": [{"volumeName": "own", "mountPath": "/h"}],
        "pvcMount": [{"constant": "own", "mountPath": "/i"}],
    });
    let shape = shaped(&settings);
    let names = names(&shape);
    let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(unique.len(), 9, "{names:?}");
    assert!(names.iter().all(|name| is_label(name)), "{names:?}");
    assert_eq!(shape.scratch.volumes[0].name, "own", "a name of the author's own stays");
    assert!(names[0].starts_with("claim-"), "{names:?}");
    assert!(names[1..6].iter().all(|name| name.starts_with("secret-")), "{names:?}");
    assert_eq!(names[6], "both");
    assert!(names[7].starts_with("config-map-"), "two sources of one name");
    assert_eq!(shaped(&settings), shape);
    let mounted: Vec<&str> = shape.objects.mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(mounted, names[..8]);
}

#[test]
fn one_object_at_two_paths_is_one_volume_and_the_same_mount_twice_is_one() {
    let shape = shaped(&json!({"secretAsVolume": [secret("s", "/a"), secret("s", "/b"), secret("s", "/a/")]}));
    assert_eq!(names(&shape), ["s"]);
    let paths: Vec<&str> = shape.objects.mounts.iter().map(|mount| mount.mount_path.as_str()).collect();
    assert_eq!(paths, ["/a", "/b"]);
    let shape = shaped(&json!({"pvcMount": [
        {"constant": "c", "mountPath": "/a", "subPath": "x"}, {"constant": "c", "mountPath": "/b", "subPath": "y"},
    ]}));
    assert_eq!((names(&shape), shape.objects.mounts.len()), (vec!["c"], 2));
}

#[rstest]
#[case(json!({"secretAsVolume": [secret("a", "/x")], "configMapAsVolume": [{"configMapName": "b", "mountPath": "x/"}]}),
    "configMapAsVolume[0].mountPath: secretAsVolume[0] is mounted at /x as well")]
#[case(json!({"pvcMount": [{"constant": "c", "mountPath": "/x", "subPath": "a"}, {"constant": "c", "mountPath": "/x", "subPath": "b"}]}),
    "pvcMount[1].mountPath: pvcMount[0] is mounted at /x as well")]
#[case(json!({"secretAsVolume": [secret("a", "")]}), "secretAsVolume[0].mountPath: it is empty")]
#[case(json!({"secretAsVolume": [secret("a", "/x:y")]}), "secretAsVolume[0].mountPath: \"/x:y\" holds a colon")]
#[case(json!({"secretAsVolume": [secret("a", "/x/..")]}), "secretAsVolume[0].mountPath: \"/x/..\" would hide all")]
#[case(json!({"secretAsVolume": [secret("a", "/x/../penstock/bin")]}), "secretAsVolume[0].mountPath: \"/x/../penstock/bin\" is kept for the launcher")]
#[case(json!({"secretAsVolume": [secret("a", "/penstock-launcher")]}), "secretAsVolume[0].mountPath: \"/penstock-launcher\" is kept for the launcher")]
#[case(json!({"secretAsVolume": [secret("a", "/minio/bucket")]}), "secretAsVolume[0].mountPath: \"/minio/bucket\" is kept for artifacts")]
#[case(json!({"secretAsVolume": [secret("a", "/gcs")]}), "secretAsVolume[0].mountPath: \"/gcs\" is kept for artifacts")]
#[case(json!({"secretAsVolume": [secret("a", "/tmp/kfp/outputs")]}), "secretAsVolume[0].mountPath: \"/tmp/kfp/outputs\" is kept for output parameters")]
#[case(json!({"secretAsVolume": [secret("a", "/kfp-workspace/x")]}), "secretAsVolume[0].mountPath: \"/kfp-workspace/x\" is kept for the workspace")]
#[case(json!({"pvcMount": [{"constant": "c", "mountPath": "/x", "subPath": "../y"}]}), "pvcMount[0].subPath: \"../y\" does not lie within")]
#[case(json!({"emptyDirMounts": [{"volumeName": "a.b", "mountPath": "/x"}]}), "emptyDirMounts[0].volumeName: \"a.b\" is no name")]
#[case(json!({"emptyDirMounts": [{"volumeName": "s3-scratch", "mountPath": "/x"}]}), "emptyDirMounts[0].volumeName: the Pod of every task has a volume \"s3-scratch\"")]
#[case(json!({"emptyDirMounts": [{"volumeName": "penstock-x", "mountPath": "/x"}]}), "emptyDirMounts[0].volumeName: the Pod of every task has")]
#[case(json!({"emptyDirMounts": [{"volumeName": "a", "mountPath": "/x"}, {"volumeName": "a", "mountPath": "/y", "medium": "Memory"}]}),
    "emptyDirMounts[1].volumeName: there is another volume \"a\"")]
#[case(json!({"emptyDirMounts": [{"volumeName": "a", "mountPath": "/x", "medium": "RAM"}]}), "emptyDirMounts[0].medium: \"RAM\"")]
#[case(json!({"emptyDirMounts": [{"volumeName": "a", "mountPath": "/x", "sizeLimit": "1GB"}]}), "emptyDirMounts[0].sizeLimit: \"1GB\" is no quantity")]
#[case(json!({"enabledSharedMemory": {"size": "much"}}), "enabledSharedMemory.size: \"much\"")]
#[case(json!({"enabledSharedMemory": {}, "emptyDirMounts": [{"volumeName": "a", "mountPath": "/dev/shm"}]}), "enabledSharedMemory.mountPath: emptyDirMounts[0] is mounted at /dev/shm")]
fn volumes_that_cannot_be_are_named(#[case] settings: Value, #[case] expected: &str) {
    for error in [refused(&settings), submitted(&settings).expect_err("it is static")] {
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn paths_of_the_installation_are_kept_where_they_are_used() {
    let settings = json!({"secretAsVolume": [secret("a", "/kfp/certs"), secret("b", "/var/run/secrets/kubernetes.io/serviceaccount/x")]});
    shaped(&settings);
    let surroundings = Surroundings { has_authorities: true, has_account: true, ..NOWHERE };
    let errors = shape(&config(&settings), Values::Submitted, surroundings).expect_err("both are taken").to_string();
    assert!(errors.contains("is kept for the authorities of the installation"), "{errors}");
    assert!(errors.contains("is kept for the token of the task's account"), "{errors}");
}

#[test]
fn a_path_that_is_taken_is_found_before_the_name_is_known() {
    let settings = json!({"pvcMount": [{"pvcNameParameter": input("claim"), "mountPath": "/penstock"}]});
    let error = submitted(&settings).expect_err("the path is static");
    assert!(error.starts_with("pvcMount[0].mountPath: \"/penstock\" is kept"), "{error}");
}

#[test]
fn scratch_volumes() {
    let shape = shown(&json!({
        "emptyDirMounts": [
            {"volumeName": "disk", "mountPath": "/a"}, {"volumeName": "disk", "mountPath": "/b"},
            {"volumeName": "memory", "mountPath": "/c", "medium": "Memory", "sizeLimit": "512K"},
        ],
        "enabledSharedMemory": {"volumeName": "shm", "size": "2Gi"},
    }));
    let volumes = json!([
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "512k"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
    ]);
    let mounts = json!([
        {"name": "disk", "mountPath": "/a"}, {"name": "disk", "mountPath": "/b"},
        {"name": "memory", "mountPath": "/c"}, {"name": "shm", "mountPath": "/dev/shm"},
    ]);
    assert_eq!(shape["scratch"], json!({"volumes": volumes, "mounts": mounts}));
    assert_eq!(shown(&json!({"enabledSharedMemory": {}}))["scratch"]["volumes"][0]["name"], "shared-memory");
}

fn ephemeral(changes: &Value) -> Value {
    let mut volume = json!({"volumeName": "v", "mountPath": "path", "size": "5Gi", "accessModes": ["ReadWriteOnce"]});
    for (name, value) in changes.as_object().expect("members") {
        volume[name] = value.clone();
    }
    json!({"genericEphemeralVolume": [volume]})
}

#[rstest]
#[case(json!({"defaultStorageClass": true, "storageClassName": "ignored"}), None)]
#[case(json!({"storageClassName": "fast"}), Some("fast"))]
#[case(json!({}), Some(""))]
fn class_of_an_ephemeral_volume(#[case] changes: Value, #[case] class: Option<&str>) {
    let shape = shown(&ephemeral(&changes));
    let template = &shape["scratch"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"];
    assert_eq!(template["spec"]["storageClassName"].as_str(), class);
    assert_eq!(template["spec"]["resources"], json!({"requests": {"storage": "5Gi"}}));
    assert_eq!(
        shape["scratch"]["mounts"],
        json!([{"name": "v", "mountPath": "path"}]),
        "the runtime takes it for /path"
    );
}

#[test]
fn metadata_of_an_ephemeral_volume() {
    let metadata = json!({"labels": {"a": "b"}, "annotations": {"c": "d e"}});
    let shape = shown(&ephemeral(&json!({"metadata": metadata})));
    assert_eq!(shape["scratch"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["metadata"], metadata);
}

#[rstest]
#[case(json!({"size": ""}), "genericEphemeralVolume[0].size: the volume \"v\" has no size")]
#[case(json!({"size": "5GB"}), "genericEphemeralVolume[0].size: \"5GB\" is no quantity")]
#[case(json!({"accessModes": []}), "genericEphemeralVolume[0].accessModes: there is none")]
#[case(json!({"accessModes": ["RWO"]}), "genericEphemeralVolume[0].accessModes: \"RWO\" is none of ReadWriteOnce")]
#[case(json!({"metadata": {"labels": {"a": "b c"}}}), "genericEphemeralVolume[0].metadata.labels[\"a\"]: \"b c\"")]
fn ephemeral_volumes_that_cannot_be_are_named(#[case] changes: Value, #[case] expected: &str) {
    let error = submitted(&ephemeral(&changes)).expect_err("it is refused");
    assert!(error.starts_with(expected), "{error}");
}
