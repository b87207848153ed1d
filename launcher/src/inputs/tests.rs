use super::*;

fn plan(templates: &[&str]) -> Plan {
    let artifact = serde_json::json!([
        { "id": "33333333-3333-4333-8333-333333333333", "name": "a", "type": {}, "uri": "s3://b/k" }
    ]);
    let plan = serde_json::json!({
        "version": 1,
        "run": {
            "id": "11111111-1111-4111-8111-111111111111", "name": "n", "displayName": "d", "pipelineName": "p",
            "pipelineRoot": "s3://b", "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z",
            "caching": true,
        },
        "task": {
            "id": "22222222-2222-4222-8222-222222222222", "key": "t", "displayName": "t", "path": "t", "attempt": 0,
        },
        "image": "i", "command": templates, "args": [], "env": [],
        "inputs": { "artifacts": { "a": artifact, "b": artifact, "c": [
            { "id": "33333333-3333-4333-8333-333333333333", "name": "c", "type": {}, "uri": "oci://r/i:1" }
        ] } },
        "taskRoot": "s3://b/t",
    });
    serde_json::from_value(plan).expect("a plan")
}

fn layout(plan: &Plan) -> crate::local::LocalLayout {
    crate::local::LocalLayout::new(plan, "/w".as_ref()).expect("a layout")
}

fn wanted(templates: &[&str]) -> Vec<String> {
    let plan = plan(templates);
    needed(&plan, layout(&plan).places()).fetches.into_iter().map(|fetch| fetch.name).collect()
}

#[test]
fn inputs_of_schemes_without_files_are_told_where_user_code_may_want_the_file() {
    for (template, expected) in [
        ("{{$.inputs.artifacts['c'].path}}", vec![("c", "oci://r/i:1")]),
        ("{{$}}", vec![("c", "oci://r/i:1")]),
        ("{{$.inputs.artifacts['c'].uri}}", vec![]),
        ("{{$.inputs.artifacts['a'].path}}", vec![]),
    ] {
        let plan = plan(&["x", template]);
        let found = needed(&plan, layout(&plan).places()).without_files;
        let found: Vec<(&str, &str)> = found.iter().map(|(name, uri)| (name.as_str(), uri.as_str())).collect();
        assert_eq!(found, expected, "{template}");
    }
}

#[test]
fn only_inputs_that_can_be_reached_by_path_are_fetched() {
    assert_eq!(wanted(&["x", "{{$.inputs.artifacts['a'].uri}}", "{{$.inputs.artifacts['b'].metadata}}"]), [""; 0]);
    assert_eq!(wanted(&["x", "{{$.inputs.artifacts['b'].path}}"]), ["b"]);
    assert_eq!(wanted(&["x", "{{$.inputs.artifacts['a']}}"]), ["a"]);
    assert_eq!(wanted(&["x", "{{$.inputs.artifacts['c'].path}}"]), [""; 0], "a scheme without content");
    assert_eq!(wanted(&["x", "--executor_input", "{{$}}"]), ["a", "b"]);
    assert_eq!(wanted(&["x", r#"{"Concat": ["--x=", "{{$.inputs.artifacts['a'].path}}"]}"#]), ["a"]);
    assert_eq!(wanted(&[r#"{"IfPresent": {"InputName": "b", "Then": ["{{$.inputs.artifacts['b'].path}}"]}}"#]), ["b"]);
}
