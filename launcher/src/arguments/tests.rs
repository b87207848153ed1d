use penstock_spec::plan::Plan;
use serde_json::json;

use super::*;

fn plan(command: &[&str]) -> Plan {
    let plan = json!({
        "version": 1,
        "run": {
            "id": "11111111-1111-4111-8111-111111111111", "name": "pipe-x1", "displayName": "My run",
            "pipelineName": "pipe", "pipelineRoot": "s3://b/root", "createdAt": "2026-01-02T03:04:05Z",
            "scheduledAt": "2026-01-02T03:04:05Z", "caching": true,
        },
        "task": {
            "id": "22222222-2222-4222-8222-222222222222", "key": "train", "displayName": "Train", "path": "train",
            "attempt": 0,
        },
        "image": "i",
        "command": command,
        "args": [],
        "env": [],
        "inputs": {},
        "outputParameters": { "p": "STRING" },
        "outputArtifacts": { "o": { "artifactType": { "schemaTitle": "system.Model" }, "metadata": { "k": "v" } } },
        "taskRoot": "s3://b/root/pipe/run/train/att",
    });
    serde_json::from_value(plan).expect("a plan")
}

fn places(plan: &Plan) -> Places {
    crate::local::LocalLayout::new(plan, "/w".as_ref()).expect("places").places().clone()
}

fn resolve(plan: &Plan) -> Result<Vec<String>, ArgumentError> {
    let places = places(plan);
    let input = executor_input(plan, &places);
    build_argv(plan, &places, &input).map(|argv| argv.elements().cloned().collect())
}

fn artifact(title: &str) -> Artifact {
    let record = json!({
        "id": "33333333-3333-4333-8333-333333333333", "name": "data", "type": { "schemaTitle": title },
        "uri": "s3://b/x/data.csv", "metadata": { "rows": 7, "who": "me" },
    });
    serde_json::from_value(record).expect("an artifact")
}

#[test]
fn every_placeholder_has_its_value() {
    for (template, expected) in [
        ("{{$.inputs.parameters['n']}}!", "3!"),
        ("{{$.inputs.artifacts['a'].uri}}", "s3://b/x/data.csv"),
        ("{{$.inputs.artifacts['a'].path}}", "/w/inputs/a/0/data.csv"),
        ("{{$.inputs.artifacts['a'].metadata['rows']}}", "7"),
        ("{{$.inputs.artifacts['a'].metadata}}", r#"{"rows":7,"who":"me"}"#),
        ("{{$.outputs.artifacts['o'].uri}}", "s3://b/root/pipe/run/train/att/o"),
        ("{{$.outputs.artifacts['o'].path}}", "/w/outputs/o"),
        ("{{$.outputs.parameters['p'].output_file}}", "/w/parameters/p"),
        ("{{$.outputs.output_file}}", "/w/outputs/output_metadata.json"),
        ("{{$.pipeline_job_name}}/{{$.pipeline_task_name}}", "My run/train"),
        ("{{$.inputs.parameters['absent']}}", ""),
        ("{{$.inputs.artifacts['absent'].path}}", ""),
        ("{{$.inputs.artifacts['absent']}}", "[]"),
        // Text of the author's own code, say, for there is no such input.
        ("{{$.inputs.parameters['undeclared']}}", "{{$.inputs.parameters['undeclared']}}"),
        ("{{$.inputs.artifacts['undeclared'].uri}}", "{{$.inputs.artifacts['undeclared'].uri}}"),
        ("{{$.outputs.parameters['absent'].output_file}}", "{{$.outputs.parameters['absent'].output_file}}"),
        ("{{$.unknown}} {{$", "{{$.unknown}} {{$"),
    ] {
        let mut plan = plan(&["x", template]);
        plan.inputs.parameters.insert("n".to_owned(), json!(3.0));
        plan.inputs.artifacts.insert("a".to_owned(), vec![artifact("system.Dataset")]);
        plan.absent_inputs = vec!["absent".to_owned()];
        // Numbers of a plan are canonical; a double with an integral value is written without its fraction all the same.
        assert_eq!(resolve(&plan).expect("argv")[1], expected, "{template}");
    }
}

#[test]
fn t17_i10_values_are_never_read_as_templates() {
    let mut plan = plan(&["echo", "{{$.inputs.parameters['a']}}{{$.inputs.parameters['b']}}", "{{$}}"]);
    let evil = "{{$.inputs.parameters['b']}} $(id) \"'\n{{$}} {\"IfPresent\": 1}";
    plan.inputs.parameters.insert("a".to_owned(), json!(evil));
    plan.inputs.parameters.insert("b".to_owned(), json!("B"));
    let argv = resolve(&plan).expect("argv");
    assert_eq!(argv[1], format!("{evil}B"));
    let document: serde_json::Value = serde_json::from_str(&argv[2]).expect("JSON");
    assert_eq!(document["inputs"]["parameterValues"]["a"], json!(evil));
}

#[test]
fn struct_placeholders_see_what_was_provided_and_not_defaults() {
    let if_present =
        |name: &str| format!(r#"{{"IfPresent": {{"InputName": "{name}", "Then": ["--x", "1"], "Else": "no"}}}}"#);
    let mut plan = plan(&["x", &if_present("p"), &if_present("d"), &if_present("a"), &if_present("n")]);
    plan.command.push(
        r#"{"Concat": ["a-", "{{$.inputs.parameters['p']}}", {"IfPresent": {"InputName": "q", "Then": "z"}}]}"#
            .to_owned(),
    );
    plan.inputs.parameters.insert("p".to_owned(), json!("v"));
    plan.inputs.parameters.insert("n".to_owned(), json!(null));
    plan.defaults.insert("d".to_owned(), json!("default"));
    plan.inputs.artifacts.insert("a".to_owned(), vec![artifact("system.Dataset")]);
    assert_eq!(resolve(&plan).expect("argv"), ["x", "--x", "1", "no", "--x", "1", "no", "a-v"]);
}

#[test]
fn generic_artifact_takes_the_consumer_s_type_and_others_keep_theirs() {
    for (title, expected) in
        [("system.Artifact", "system.Model"), ("", "system.Model"), ("system.Dataset", "system.Dataset")]
    {
        let mut plan = plan(&["x"]);
        plan.inputs.artifacts.insert("a".to_owned(), vec![artifact(title)]);
        let model = ArtifactType { schema_title: "system.Model".to_owned(), ..ArtifactType::default() };
        plan.input_artifact_types.insert("a".to_owned(), model);
        let input = executor_input(&plan, &places(&plan));
        assert_eq!(input.inputs.artifacts["a"].artifacts[0].artifact_type.schema_title, expected);
        assert_eq!(input.inputs.artifacts["a"].artifacts[0].uri, "/w/inputs/a/0/data.csv");
    }
}

#[test]
fn i11_long_and_nul_arguments_are_refused_with_the_input_s_name() {
    for (value, reason) in [("x".repeat(MAX_ARGUMENT + 1), "131072 bytes"), ("a\0b".to_owned(), "NUL byte")] {
        let mut plan = plan(&["x", "{{$.inputs.parameters['v']}}"]);
        plan.inputs.parameters.insert("v".to_owned(), json!(value));
        let places = places(&plan);
        let argv = build_argv(&plan, &places, &executor_input(&plan, &places)).expect("argv");
        let text = check_argv(&plan, &argv).expect_err("it is refused").to_string();
        assert!(text.contains(reason) && text.contains("input \"v\"") && text.len() < 400, "{text}");
    }
}

#[test]
fn i11_metacharacters_newlines_and_dashes_arrive_as_they_are() {
    for value in ["--help", "a b;c|d&e", "$(x) `y` ${z}", "line\nline\r\n", "*?[a]", "\\", "'\"", "ünï"] {
        let mut plan = plan(&["x", "{{$.inputs.parameters['v']}}"]);
        plan.inputs.parameters.insert("v".to_owned(), json!(value));
        assert_eq!(resolve(&plan).expect("argv")[1], value);
    }
}

#[test]
fn nothing_to_run_is_said_and_escapes_are_bounded() {
    assert_eq!(resolve(&plan(&[])), Err(ArgumentError::Empty));
    let absent = Plan { absent_inputs: vec!["absent".to_owned()], ..plan(&["{{$.inputs.parameters['absent']}}"]) };
    assert_eq!(resolve(&absent), Err(ArgumentError::Empty));
    // A depth that the template reader does not know stays text.
    assert_eq!(resolve(&plan(&["x", "{{$.json_escape[30]}}"])).expect("argv")[1], "{{$.json_escape[30]}}");
    let argv = resolve(&plan(&["x", "\"{{$.json_escape[1]}}\""])).expect("argv");
    let inner: String = serde_json::from_str(&argv[1]).expect("a JSON string");
    assert!(serde_json::from_str::<serde_json::Value>(&inner).expect("JSON")["outputs"].is_object());
}
