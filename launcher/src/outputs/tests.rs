use penstock_spec::plan::Plan;
use serde_json::json;

use super::*;
use crate::local::LocalLayout;

struct World {
    _directory: tempfile::TempDir,
    layout: LocalLayout,
    plan: Plan,
}

/// An attempt with these declared outputs, after its process.
fn world(parameters: &Value, artifacts: &Value) -> World {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = json!({
        "version": 1,
        "run": {
            "id": "11111111-1111-4111-8111-111111111111", "name": "n", "displayName": "d", "pipelineName": "p",
            "pipelineRoot": "s3://b", "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z",
            "caching": true,
        },
        "task": {
            "id": "22222222-2222-4222-8222-222222222222", "key": "t", "displayName": "t", "path": "t", "attempt": 0,
        },
        "image": "i", "command": [], "args": [], "env": [],
        "inputs": { "artifacts": { "in": [{
            "id": "33333333-3333-4333-8333-333333333333", "name": "in", "type": {}, "uri": "s3://b/in",
            "content": { "directory": false, "files": 1, "size": 5, "digest": "sha256:00" },
        }] } },
        "outputParameters": parameters, "outputArtifacts": artifacts,
        "taskRoot": "s3://b/p/r/t/1",
    });
    let plan: Plan = serde_json::from_value(plan).expect("a plan");
    let layout = LocalLayout::new(&plan, directory.path()).expect("a layout");
    layout.create().expect("directories");
    World { _directory: directory, layout, plan }
}

impl World {
    fn report(&self, document: &Value) {
        std::fs::write(&self.layout.places().output_file, document.to_string()).expect("a file");
    }

    fn parameter(&self, name: &str, text: &[u8]) {
        std::fs::write(&self.layout.places().parameter_files[name], text).expect("a file");
    }

    fn collect(&self) -> Result<Collected, OutputError> {
        collect(&self.plan, self.layout.places(), &self.layout, CollectOptions::default())
    }

    fn reason(&self) -> String {
        self.collect().expect_err("it is refused").to_string()
    }
}

#[test]
fn reported_parameters_win_over_files() {
    let world = world(&json!({ "a": "NUMBER_INTEGER", "b": "STRING" }), &json!({}));
    world.parameter("a", b"1");
    world.parameter("b", b"text\n");
    world.report(&json!({ "parameterValues": { "a": 2.0 } }));
    assert_eq!(json!(world.collect().expect("outputs").parameters), json!({ "a": 2, "b": "text\n" }));
}

#[test]
fn reported_values_must_be_of_their_type() {
    for (declared, value, expected) in [
        ("NUMBER_INTEGER", json!(1.5), "expect NUMBER_INTEGER, got number with a fraction"),
        ("NUMBER_INTEGER", json!("1"), "expect NUMBER_INTEGER, got string"),
        ("BOOLEAN", json!(0), "expect BOOLEAN, got number"),
        ("LIST", json!({}), "expect LIST, got struct"),
        ("STRUCT", json!([]), "expect STRUCT, got list"),
    ] {
        let world = world(&json!({ "x": declared }), &json!({}));
        world.report(&json!({ "parameterValues": { "x": value } }));
        assert_eq!(world.reason(), format!("output parameter \"x\" type mismatch: {expected}"));
    }
}

#[test]
fn uri_that_is_handed_on_as_a_parameter_is_the_object_s() {
    let world =
        world(&json!({ "in": "STRING", "made": "STRING", "list": "LIST", "text": "STRING" }), &json!({ "o": {} }));
    let (input, output) =
        (&world.layout.places().inputs["in"][0].shown_uri, &world.layout.places().outputs["o"].shown_uri);
    world.parameter("in", input.as_bytes());
    let text = format!("see {output}");
    world.report(&json!({ "parameterValues": {
        "made": format!("{output}/part"), "list": [{ "uri": output }], "text": text,
    } }));
    let expected = json!({
        "in": "s3://b/in", "made": "s3://b/p/r/t/1/o/part", "list": [{ "uri": "s3://b/p/r/t/1/o" }], "text": text,
    });
    assert_eq!(json!(world.collect().expect("outputs").parameters), expected);
}

#[test]
fn whatever_is_reported_of_a_string_is_its_text() {
    for (value, text) in [(json!(1.0), "1"), (json!(true), "true"), (json!({"a": [1]}), r#"{"a":[1]}"#)] {
        let world = world(&json!({ "x": "STRING" }), &json!({}));
        world.report(&json!({ "parameterValues": { "x": value } }));
        assert_eq!(json!(world.collect().expect("outputs").parameters), json!({ "x": text }));
    }
}

#[test]
fn i18_bad_parameter_files_fail_with_their_reason() {
    let world = world(&json!({ "x": "NUMBER_DOUBLE" }), &json!({}));
    let path = world.layout.places().parameter_files["x"].clone();
    assert_eq!(
        world.reason(),
        format!(
            "failed to read output parameter name=\"x\" type=\"NUMBER_DOUBLE\" path={path:?}: no such file or directory"
        )
    );
    for (text, part) in [(&b"NaN"[..], "not a finite number"), (b"\xff\xfe", "UTF-8"), (b"", "not a number")] {
        world.parameter("x", text);
        assert!(world.reason().contains(part), "{}", world.reason());
    }
    std::fs::remove_file(&path).expect("a file");
    std::fs::create_dir(&path).expect("a directory");
    assert!(world.reason().contains("it is not a regular file but a directory"));
}

#[test]
fn i18_huge_parameter_file_is_refused_without_reading_it_all() {
    let world = world(&json!({ "x": "STRING" }), &json!({}));
    let file = std::fs::File::create(&world.layout.places().parameter_files["x"]).expect("a file");
    file.set_len(1 << 40).expect("a sparse file");
    assert!(world.reason().contains("it has more than 16777216 bytes"));
}

#[test]
fn i17_huge_or_foreign_executor_output_is_refused() {
    let world = world(&json!({}), &json!({ "o": {} }));
    let file = std::fs::File::create(&world.layout.places().output_file).expect("a file");
    file.set_len(1 << 40).expect("a sparse file");
    assert!(world.reason().contains("it has more than"));
    world.report(&json!({ "artifacts": { "o": { "artifacts": [{ "uri": "/etc/passwd" }] } } }));
    assert!(world.reason().starts_with("output artifact \"o\" is refused: its path \"/etc/passwd\" is outside"));
}

#[test]
fn metadata_is_laid_over_what_is_declared_and_the_first_entry_counts() {
    let world = world(&json!({}), &json!({ "o": { "metadata": { "a": 1, "b": 1 } } }));
    world.report(&json!({ "artifacts": {
        "o": { "artifacts": [{ "name": "other", "metadata": { "b": 2 } }, { "uri": "gs://x/y" }] },
        "unknown": { "artifacts": [{ "uri": "/etc" }] },
    } }));
    let collected = world.collect().expect("outputs");
    let [one] = collected.artifacts["o"].as_slice() else { panic!("one artifact") };
    assert_eq!(json!(one.artifact.metadata), json!({ "a": 1, "b": 2 }));
    assert_eq!((one.artifact.name.as_str(), one.artifact.uri.as_str()), ("o", "s3://b/p/r/t/1/o"));
    assert!(one.file.is_some());
}

#[test]
fn list_output_records_every_entry() {
    let world = world(&json!({}), &json!({ "o": { "isArtifactList": true } }));
    let outputs = world.layout.below("outputs").display().to_string();
    world.report(&json!({ "artifacts": { "o": { "artifacts": [
        { "name": "x", "uri": format!("{outputs}/x") }, { "name": "y", "uri": format!("{outputs}/y") }, { "uri": "gs://b/z" },
    ] } } }));
    let collected = world.collect().expect("outputs");
    let list: Vec<_> = collected.artifacts["o"]
        .iter()
        .map(|entry| (entry.artifact.name.as_str(), entry.artifact.uri.as_str(), entry.file.is_some()))
        .collect();
    assert_eq!(list, [("x", "s3://b/p/r/t/1/x", true), ("y", "s3://b/p/r/t/1/y", true), ("o", "gs://b/z", false)]);
}

#[test]
fn input_that_is_handed_on_keeps_its_place_and_content() {
    let world = world(&json!({}), &json!({ "o": {} }));
    let input = world.layout.places().inputs["in"][0].shown_uri.clone();
    world.report(&json!({ "artifacts": { "o": { "artifacts": [{ "uri": input }] } } }));
    let collected = world.collect().expect("outputs");
    let one = &collected.artifacts["o"][0];
    assert_eq!((one.artifact.uri.as_str(), &one.file), ("s3://b/in", &None));
    assert_eq!(one.artifact.content, world.plan.inputs.artifacts["in"][0].content);
}
