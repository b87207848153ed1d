use serde_json::json;

use super::*;
use crate::ir::{ExecutorSpec, ParameterType};

fn read(text: &str) -> Result<Documents, ParseError> {
    parse(text, &Limits::default())
}

fn message(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

const PIPELINE: &str = "pipelineInfo: {name: p}\nschemaVersion: 2.1.0\nroot: {dag: {}}\n";

fn json(text: &str) -> Value {
    yaml::read_documents(text, &Limits::default()).unwrap().remove(0)
}

fn yaml_error(text: &str) -> String {
    yaml::read_documents(text, &Limits::default()).unwrap_err().to_string()
}

#[test]
fn documents_are_told_apart_by_their_fields() {
    let text = format!("# comment\n{PIPELINE}---\nplatforms: {{kubernetes: {{}}}}\n---\n---\nother: 1\n");
    let documents = read(&text).unwrap();
    assert_eq!(documents.pipeline.pipeline_info.name, "p");
    assert!(documents.platform.is_some());
    assert_eq!(documents.warnings, ["document 4 is ignored: it is neither a pipeline nor platform settings"]);
}

#[test]
fn both_documents_may_come_in_one_object() {
    for (spec, platform) in [("pipeline_spec", "platform_spec"), ("pipelineSpec", "platformSpec")] {
        let pipeline = json!({"pipelineInfo": {"name": "p"}, "root": {"dag": {}}});
        let text = json!({spec: pipeline, platform: {"platforms": {"kubernetes": {}}}}).to_string();
        let documents = read(&text).unwrap();
        assert_eq!(documents.pipeline.pipeline_info.name, "p");
        assert_eq!(documents.pipeline_json, pipeline);
        assert!(documents.platform.is_some());
    }
}

#[test]
fn kubernetes_manifests_hold_both_documents() {
    let text = "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: p}\nspec: {displayName: P}\n\
                ---\napiVersion: pipelines.kubeflow.org/v2beta1\nkind: PipelineVersion\n\
                spec: {pipelineSpec: {pipelineInfo: {name: p}, root: {dag: {}}}}\n";
    assert_eq!(read(text).unwrap().pipeline.pipeline_info.name, "p");
}

#[test]
fn the_values_of_a_pipeline_job_become_defaults() {
    let text = json!({
        "displayName": "job",
        "pipelineSpec": {
            "pipelineInfo": {"name": "p"},
            "root": {"inputDefinitions": {"parameters": {"a": {"parameterType": "STRING"}, "b": {"type": "INT"}}}},
        },
        "runtimeConfig": {
            "parameterValues": {"a": "x", "z": 1}, "parameters": {"b": {"intValue": "3"}}, "gcsOutputDirectory": "gs://b/k",
        },
    });
    let documents = read(&text.to_string()).unwrap();
    let parameters = &documents.pipeline.root.input_definitions.parameters;
    assert_eq!(parameters["a"].default_value, Some(json!("x")));
    assert_eq!(parameters["b"].default_value, Some(json!(3)));
    assert_eq!(documents.pipeline.default_pipeline_root, "gs://b/k");
    assert_eq!(documents.warnings.len(), 1);
}

#[test]
fn faults_have_the_words_that_users_know() {
    assert_eq!(message(""), "no pipeline spec is provided");
    assert_eq!(message("other: 1"), "no pipeline spec is provided");
    assert_eq!(message(&format!("{PIPELINE}---\n{PIPELINE}")), "multiple pipeline specs provided");
    let platform = "---\nplatforms: {kubernetes: {}}\n";
    assert_eq!(message(&format!("{PIPELINE}{platform}{platform}")), "multiple platform specs provided");
    assert!(message("apiVersion: argoproj.io/v1alpha1\nkind: Workflow").contains("compile it again with kfp 2.x"));
    assert!(message("- a").starts_with("unable to decode document 1: it is a list"));
}

#[rstest::rstest]
#[case("a: [1, 2", "line 1")]
#[case("a: 'x", "line")]
#[case("a: 1\n b: 2", "line 2")]
#[case("{\"root\": {", "line 1")]
#[case("a: \u{1}", "line 1")]
#[case("a: *b", "line 1 column 4")]
#[case("@", "line 1")]
#[case("pipelineInfo:\n\tname: p", "line 2")]
fn i01_broken_text_is_refused_with_its_place(#[case] text: &str, #[case] place: &str) {
    let message = message(text);
    assert!(message.starts_with("unable to decode"), "{message}");
    assert!(message.contains(place), "{message}");
}

#[test]
fn i01_a_byte_order_mark_is_skipped() {
    assert!(read(&format!("\u{feff}{PIPELINE}")).is_ok());
}

#[test]
fn i02_alias_bombs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = level - 1;
        text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{below}"); 9].join(", "));
    }
    assert!(yaml_error(&text).contains("more than the size of the document allows"));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 5000].join(", "));
    assert!(yaml_error(&long).contains("more than the size of the document allows"));
}

#[test]
fn i02_an_alias_to_itself_is_refused() {
    assert!(yaml_error("a: &a [*a]").contains("within the value that it refers to"));
}

#[test]
fn aliases_and_merge_keys_are_expanded() {
    let text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{x: 5}, *b]}\nlist: [*b]\n";
    let expected = json!({
        "base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"x": 5, "y": 2}, "list": [{"x": 1, "y": 2}],
    });
    assert_eq!(json(text), expected);
    assert!(yaml_error("a: {<<: 1}").contains("merge key"));
}

#[test]
fn i03_deep_documents_are_refused() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        format!("{{\"a\": {}", "[".repeat(100_000)),
        format!("{{\"a\": {}1{}}}", "[".repeat(110), "]".repeat(110)),
    ] {
        assert!(read(&text).is_err());
    }
    let through_aliases =
        format!("a: &a {}{}\nb: {}*a{}\n", "[".repeat(60), "]".repeat(60), "[".repeat(60), "]".repeat(60));
    assert!(yaml_error(&through_aliases).contains("nest deeper"));
}

#[test]
fn i04_i28_duplicate_keys_are_refused() {
    assert!(message("a: 1\nb: 2\na: 3\n").contains("duplicate key \"a\" at line 3"));
    assert!(message("{\"a\": {\"b\": 1, \"b\": 2}}").contains("duplicate key \"b\""));
    assert!(yaml_error("1: a\n0x1: b").contains("duplicate key \"1\""));
    let both = "pipelineInfo: {name: p}\npipeline_info: {name: q}\nroot: {}\n";
    assert!(message(both).contains("duplicate field"));
}

#[test]
fn i04_unknown_tags_are_refused() {
    for text in
        ["a: !custom x", "a: !!binary aGk=", "a: !!timestamp 2024-01-01", "a: !!set {x}", "a: !!python/object x"]
    {
        assert!(yaml_error(text).contains("unsupported tag"), "{text}");
    }
    assert_eq!(json("a: !!str 1\nb: !!int '2'\nc: !!float 1\nd: ! 5\n"), json!({"a": "1", "b": 2, "c": 1, "d": "5"}));
    assert!(yaml_error("a: !!int x").contains("does not fit its tag"));
}

#[test]
fn i04_many_documents_are_refused() {
    assert!(yaml_error(&"--- 1\n".repeat(100)).contains("more than 16 documents"));
}

#[test]
fn i04_odd_keys_are_text_or_refused() {
    assert_eq!(json("1: a\ntrue: b\nNO: c\n"), json!({"1": "a", "true": "b", "NO": "c"}));
    assert!(yaml_error("null: a").contains("key must be text"));
    assert!(yaml_error("[a]: b").contains("key must be text"));
    assert!(yaml_error("? {a: b}\n: c").contains("key must be text"));
}

#[test]
fn i28_trailing_bytes_after_json_are_refused() {
    let text = json!({"pipelineInfo": {"name": "p"}, "root": {}}).to_string();
    assert!(read(&text).is_ok());
    assert!(read(&format!("{text} x")).is_err());
    assert!(read(&format!("{text}{text}")).is_err());
}

#[test]
fn json_escapes_of_characters_beyond_16_bits_are_read() {
    let text = r#"{"pipelineInfo": {"name": "p", "description": "\ud83d\ude00"}, "root": {}}"#;
    assert_eq!(read(text).unwrap().pipeline.pipeline_info.description, "😀");
    // A lone surrogate is no character.
    assert!(read(r#"{"pipelineInfo": {"name": "\ud83d"}, "root": {}}"#).is_err());
}

#[rstest::rstest]
#[case("pipelineInfo: {nam: p}\nroot: {}", "pipelineInfo.nam", "unknown field `nam`")]
#[case("pipelineInfo: {name: 1}\nroot: {}", "pipelineInfo.name", "invalid type")]
#[case("root: {dag: {tasks: {a: {dependentTasks: b}}}}", "root.dag.tasks.a.dependentTasks", "invalid type")]
#[case(
    "root: {dag: {tasks: {a: {inputs: {parameters: {x: {}}}}}}}",
    "root.dag.tasks.a.inputs.parameters.x",
    "exactly one of"
)]
#[case("root: {dag: {tasks: {a: {retryPolicy: {backoffDuration: 1h}}}}}", "backoffDuration", "not a duration")]
#[case(
    "root: {dag: {tasks: {a: {triggerPolicy: {strategy: NEVER}}}}}",
    "triggerPolicy.strategy",
    "unknown value \"NEVER\""
)]
#[case("root: {dag: {tasks: {a: {retryPolicy: {maxRetryCount: -1}}}}}", "maxRetryCount", "not a whole number")]
fn i28_faults_of_fields_name_their_path(#[case] text: &str, #[case] path: &str, #[case] reason: &str) {
    let message = message(text);
    assert!(message.contains(&format!("{path}:")), "{message}");
    assert!(message.contains(reason), "{message}");
}

#[test]
fn unknown_fields_are_ignored_only_below_the_deployment_spec() {
    let text = "root: {}\ndeploymentSpec: {new: 1, executors: {e: {container: {image: i, lifecycle: {}}}}}";
    assert_eq!(read(text).unwrap().pipeline.deployment_spec.executors.len(), 1);
    let text = "root: {}\ndeploymentSpec: {executors: {a: {}, b: {new: {x: 1}}, c: {container: {image: i}, new: 1}, \
                d: {importer: {artifactUri: {constant: u, new: 1}, typeSchema: {schemaTitle: t, new: 1}}}}}";
    let executors = read(text).unwrap().pipeline.deployment_spec.executors;
    assert!(matches!(executors["a"], ExecutorSpec::Unknown {}) && matches!(executors["b"], ExecutorSpec::Unknown {}));
    assert!(matches!(&executors["c"], ExecutorSpec::Container(container) if container.image == "i"));
    assert!(matches!(&executors["d"], ExecutorSpec::Importer(importer) if importer.type_schema.schema_title == "t"));
    let text =
        "root: {}\ndeploymentSpec: {executors: {e: {importer: {artifactUri: {constantValue: {stringValue: u}}}}}}";
    let executors = read(text).unwrap().pipeline.deployment_spec.executors;
    assert!(matches!(&executors["e"], ExecutorSpec::Importer(it) if it.artifact_uri.constant.as_deref() == Some("u")));
    let error = message("root: {}\ndeploymentSpec: {executors: {e: {container: {}, customJob: {}}}}");
    assert!(error.contains("deploymentSpec.executors.e: only one of container"), "{error}");
}

#[rstest::rstest]
#[case("type: INT", ParameterType::NumberInteger)]
#[case("type: 1", ParameterType::NumberInteger)]
#[case("type: DOUBLE", ParameterType::NumberDouble)]
#[case("type: 2", ParameterType::NumberDouble)]
#[case("type: STRING", ParameterType::String)]
#[case("type: 3", ParameterType::String)]
#[case("type: PRIMITIVE_TYPE_UNSPECIFIED", ParameterType::Unspecified)]
#[case("type: STRING, parameterType: LIST", ParameterType::List)]
#[case("type: INT, parameterType: PARAMETER_TYPE_ENUM_UNSPECIFIED", ParameterType::NumberInteger)]
fn the_old_type_of_a_parameter_counts_where_the_new_one_is_not_set(#[case] fields: &str, #[case] of: ParameterType) {
    let text = format!(
        "root: {{inputDefinitions: {{parameters: {{p: {{{fields}}}}}}}, outputDefinitions: {{parameters: {{p: \
         {{{fields}}}}}}}}}"
    );
    let root = read(&text).unwrap().pipeline.root;
    assert_eq!(root.input_definitions.parameters["p"].parameter_type, of);
    assert_eq!(root.output_definitions.parameters["p"].parameter_type, of);
    // The two fields have names of their own.
    assert!(read("root: {inputDefinitions: {parameters: {p: {parameterType: INT}}}}").is_err());
}

#[test]
fn unknown_platform_fields_are_warnings_and_wrong_ones_errors() {
    let platform = |config: &str| {
        format!("{PIPELINE}---\nplatforms: {{kubernetes: {{deploymentSpec: {{executors: {{e: {config}}}}}}}}}\n")
    };
    let documents = read(&platform("{imagePullPolicy: Always, mutexName: x, active_deadline_seconds: '10'}")).unwrap();
    let kubernetes = documents.platform.unwrap().kubernetes;
    let config = &kubernetes.deployment_spec.executors["e"];
    assert_eq!((config.image_pull_policy.as_str(), config.active_deadline_seconds), ("Always", 10));
    let path = "platforms.kubernetes.deploymentSpec.executors.e.mutexName";
    assert_eq!(documents.warnings.len(), 1);
    assert!(documents.warnings[0].contains(path), "{:?}", documents.warnings);
    let error = message(&platform("{tolerations: 5}"));
    assert!(error.starts_with("the platform spec is invalid at platforms.kubernetes"), "{error}");
}

proptest::proptest! {
    #[test]
    fn i01_changed_documents_never_panic(at in 0_usize..4000, with in "[\\[\\]{}&*!|>'\"%@`:,#?a0\\- \n\t\u{feff}]{0,3}", cut in 0_usize..3) {
        let text = include_str!("../../tests/golden/i05_scalars.yaml");
        let mut changed: String = text.to_owned();
        let at = at % text.len();
        if text.is_char_boundary(at) && text.is_char_boundary((at + cut).min(text.len())) {
            changed.replace_range(at..(at + cut).min(text.len()), &with);
        }
        drop(read(&changed));
    }

    #[test]
    fn i01_no_text_makes_the_parser_panic(text in "([\\[\\]{}&*!|>'\"%@`:,#?<a0\\-~. \n]|root|: |- |&a |\\*a|!!str |2024-01-01|0x){0,40}") {
        drop(yaml::read_documents(&text, &Limits::default()));
        drop(read(&text));
    }

    #[test]
    fn i05_no_scalar_makes_the_parser_panic(text in "[-+0-9a-fxobTZ:.,_ eE~\u{e4}]{0,30}") {
        drop(scalar::resolve(&text));
    }
}
