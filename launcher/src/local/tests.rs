use penstock_spec::plan::Plan;
use serde_json::json;

use super::*;

fn plan() -> Plan {
    let root = "file:///data/store";
    let plan = json!({
        "version": 1,
        "run": {
            "id": "11111111-1111-4111-8111-111111111111", "name": "n", "displayName": "d", "pipelineName": "p",
            "pipelineRoot": root, "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z",
            "caching": true,
        },
        "task": {
            "id": "22222222-2222-4222-8222-222222222222", "key": "t", "displayName": "t", "path": "t", "attempt": 0,
        },
        "image": "i", "command": [], "args": [], "env": [],
        "inputs": { "artifacts": {
            "a": [{ "id": "33333333-3333-4333-8333-333333333333", "name": "a", "type": {}, "uri": "s3://b/k/tree" }],
            "b": [{ "id": "33333333-3333-4333-8333-333333333333", "name": "b", "type": {}, "uri": "https://h/x" }],
        } },
        "outputArtifacts": { "o": {} },
        "taskRoot": "file:///data/store/p/r/t/1",
    });
    serde_json::from_value(plan).expect("a plan")
}

fn layout() -> LocalLayout {
    LocalLayout::new(&plan(), Path::new("/w/a")).expect("a layout")
}

fn own(store_uri: &str, path: &str) -> Result<Located, String> {
    Ok(Located::Own { store_uri: store_uri.to_owned(), path: path.into() })
}

fn foreign(store_uri: &str) -> Result<Located, String> {
    Ok(Located::Foreign { store_uri: store_uri.to_owned() })
}

#[test]
fn reported_places_are_read_back() {
    let layout = layout();
    assert_eq!(layout.locate("/w/a/outputs/o"), own("file:///data/store/p/r/t/1/o", "/w/a/outputs/o"));
    assert_eq!(layout.locate("/w/a/./outputs//x/../o"), own("file:///data/store/p/r/t/1/o", "/w/a/outputs/o"));
    assert_eq!(layout.locate("file:///data/store/p/r/t/1/s"), own("file:///data/store/p/r/t/1/s", "/w/a/outputs/s"));
    assert_eq!(layout.locate("file:///w/a/outputs/o"), own("file:///data/store/p/r/t/1/o", "/w/a/outputs/o"));
    assert_eq!(layout.locate("/w/a/inputs/a/0/tree"), foreign("s3://b/k/tree"));
    assert_eq!(layout.locate("/w/a/inputs/a/0/tree/part"), foreign("s3://b/k/tree/part"));
    for uri in ["gs://b/x", "https://h/x", "s3://b/root-10/x", "file:///data/store/p/r/t/10/s", "projects/1/models/2"] {
        assert_eq!(layout.locate(uri), foreign(uri));
    }
}

#[test]
fn i17_paths_outside_of_the_attempt_are_refused() {
    for path in [
        "/etc/passwd",
        "/w/a/outputs/../../../etc/passwd",
        "/w/a/outputs-2/x",
        "/w/a/process.json",
        "file:///w/a/scratch/x",
    ] {
        assert!(layout().locate(path).is_err(), "{path}");
    }
    assert!(layout().locate("file:///data/store/p/r/t/1/../2/x").is_err());
}

#[test]
fn custom_path_may_lie_anywhere_on_this_machine() {
    assert_eq!(layout().locate_custom_path("/tmp/x"), Ok("/tmp/x".into()));
    assert_eq!(layout().locate_custom_path("x"), Ok("/w/a/scratch/x".into()));
    assert!(layout().locate_custom_path("/tmp/\0").is_err());
}

#[test]
fn input_without_a_path_shows_its_uri() {
    let layout = layout();
    let place = &layout.places().inputs["b"][0];
    assert_eq!((place.shown_uri.as_str(), &place.path), ("https://h/x", &None));
}

#[test]
fn names_that_are_no_file_names_are_refused() {
    for name in ["../x", "a/b", "", ".", "..", "a\0"] {
        let mut plan = plan();
        let declared = plan.output_artifacts.remove("o").expect("it is there");
        plan.output_artifacts.insert(name.to_owned(), declared);
        assert!(LocalLayout::new(&plan, Path::new("/w")).is_err(), "{name:?}");
    }
    assert!(LocalLayout::new(&plan(), Path::new("relative")).is_err());
}
