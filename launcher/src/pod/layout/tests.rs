use serde_json::json;

use super::*;

fn plan(inputs: &Value) -> Plan {
    let run = "11111111-1111-4111-8111-111111111111";
    let plan = json!({
        "version": 1,
        "run": {
            "id": run, "name": "n", "displayName": "d", "pipelineName": "p", "pipelineRoot": "s3://bucket/root?region=x",
            "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z", "caching": true,
        },
        "task": {
            "id": "22222222-2222-4222-8222-222222222222", "key": "t", "displayName": "t", "path": "t", "attempt": 2,
        },
        "image": "i", "command": [], "args": [], "env": [],
        "inputs": { "artifacts": { "in": inputs } },
        "outputParameters": { "sum": "NUMBER_INTEGER" },
        "outputArtifacts": { "model": {} },
        "taskRoot": format!("s3://bucket/root/p/{run}/t/a"),
    });
    serde_json::from_value(plan).expect("a plan")
}

fn artifact(uri: &str) -> Value {
    json!({ "id": "33333333-3333-4333-8333-333333333333", "name": "in", "type": {}, "uri": uri })
}

fn layout(inputs: &Value) -> ClusterLayout {
    ClusterLayout::new(&plan(inputs), Path::new("/")).expect("a layout")
}

const RUN: &str = "s3://bucket/root/p/11111111-1111-4111-8111-111111111111";

fn own(uri: &str) -> Result<Located, String> {
    let path = uri.replacen("s3://", "/s3/", 1).into();
    Ok(Located::Own { store_uri: uri.to_owned(), path })
}

fn foreign(uri: &str) -> Result<Located, String> {
    Ok(Located::Foreign { store_uri: uri.to_owned() })
}

#[test]
fn places_are_those_that_the_sdk_computes() {
    let layout = layout(&json!([artifact("minio://bucket/k/x"), artifact("oci://r/i:t"), artifact("https://h/x")]));
    let places = layout.places();
    let paths: Vec<_> = places.inputs["in"].iter().map(|place| place.path.as_deref()).collect();
    assert_eq!(paths, [Some("/minio/bucket/k/x"), Some("/oci/r_i:t/models"), None]);
    let model = &places.outputs["model"];
    assert_eq!(model.store_uri, format!("{RUN}/t/a/model"));
    assert_eq!(
        (model.shown_uri.as_str(), model.path.clone()),
        (model.store_uri.as_str(), Some(format!("{}/t/a/model", RUN.replace("s3://", "/s3/"))))
    );
    assert_eq!(places.parameter_files["sum"], "/tmp/kfp/outputs/sum");
    assert_eq!(places.output_file, format!("{}/t/a/output_metadata.json", RUN.replace("s3://", "/s3/")));
    let directories = [PathBuf::from(format!("{}/t/a", RUN.replace("s3://", "/s3/"))), "/tmp/kfp/outputs".into()];
    assert_eq!(layout.directories(), directories);
}

#[test]
fn root_without_a_path_has_the_legacy_output_file() {
    let mut plan = plan(&json!([]));
    plan.task_root = "mem://bucket/t/a".to_owned();
    let layout = ClusterLayout::new(&plan, Path::new("/")).expect("a layout");
    assert_eq!(layout.places().output_file, "/tmp/kfp_outputs/output_metadata.json");
    assert_eq!(layout.places().outputs["model"].path, None);
}

#[test]
fn artifact_in_the_workspace_is_there_already() {
    let mut artifact = artifact("s3://bucket/k");
    artifact["metadata"] = json!({ "_kfp_workspace": true });
    let layout = layout(&json!([artifact]));
    let path = layout.places().inputs["in"][0].path.as_deref();
    assert_eq!(path, Some("/kfp-workspace/.artifacts/s3/bucket/k"));
}

#[test]
fn t02_input_whose_uri_leaves_its_place_is_refused() {
    for uri in ["s3://bucket/../../penstock/bin/x", "s3://bucket//x", "gs://bucket/a/../b", "s3://-bad/x"] {
        let refused = ClusterLayout::new(&plan(&json!([artifact(uri)])), Path::new("/")).expect_err(uri);
        assert!(refused.starts_with("input artifact \"in\": "), "{refused}");
    }
}

#[test]
fn reported_uris_are_read_by_the_rules_of_the_reference() {
    let layout = layout(&json!([artifact(&format!("{RUN}/other/b/data"))]));
    let locate = |uri: &str| layout.locate(uri);
    let at = |rest: &str| format!("{RUN}/{rest}");
    assert_eq!(locate(&at("t/a/model")), own(&at("t/a/model")));
    assert_eq!(locate(&at("t/a/sub/x")), own(&at("t/a/sub/x")));
    // Elsewhere in the run: stored there. An input, or a part of one, is its producer's.
    assert_eq!(locate(&at("shared/x")), own(&at("shared/x")));
    assert_eq!(locate(&at("other/b/data")), foreign(&at("other/b/data")));
    assert_eq!(locate(&at("other/b/data/part")), foreign(&at("other/b/data/part")));
    // By a path that the SDK has not turned into a URI.
    assert_eq!(locate(&at("t/a/sub/x").replace("s3://", "/s3/")), own(&at("t/a/sub/x")));
    for uri in ["s3://bucket/root/p/x", "minio://bucket/x", "https://h/x", "projects/1/models/2", "oci://r/i:t"] {
        assert_eq!(locate(uri), foreign(uri));
    }
}

#[test]
fn i17_places_that_must_not_be_written_are_refused() {
    let layout = layout(&json!([]));
    for uri in [
        format!("{RUN}/t/a/../b"),
        format!("{RUN}/t/a/manifest.json"),
        format!("{RUN}/t/a/executor-logs-2"),
        format!("{RUN}/t/a"),
        RUN.to_owned(),
        "/etc/passwd".to_owned(),
        "/s3/bucket/../../penstock/pod/token".to_owned(),
    ] {
        assert!(layout.locate(&uri).is_err(), "{uri}");
    }
    assert!(layout.locate_custom_path("relative/x").expect_err("relative").contains("absolute"));
    assert!(layout.locate_custom_path("/opt/\0").is_err());
    assert_eq!(layout.locate_custom_path("/opt/model"), Ok(PathBuf::from("/opt/model")));
}

#[test]
fn t04_only_mounted_volumes_are_read_by_the_sidecar_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    std::fs::create_dir(root.join("s3")).expect("a directory");
    let layout = ClusterLayout::new(&plan(&json!([])), root).expect("a layout");
    let shared = |path: &str| layout.is_shared(&root.join(path));
    assert!(shared("s3/bucket/x"));
    for path in ["s3", "s3/../penstock/pod/token", "minio/bucket/x", "penstock/pod/token", "tmp/kfp/outputs/a", "s3x/a"]
    {
        assert!(!shared(path), "{path}");
    }
    assert!(!layout.is_shared(Path::new("s3/x")));
}
