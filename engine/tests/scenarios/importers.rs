//! Importers.

use penstock_engine::{Effect, Event, ImportRequest, ImportResult, NodeKind};
use penstock_spec::report::FailureCause;
use penstock_spec::run::TaskStatus;
use serde_json::json;

use crate::host::{Host, failure, parameters};

fn pipeline(importer: &str, inputs: &str) -> String {
    format!(
        "
components:
  comp-importer:
    executorLabel: exec-importer
    inputDefinitions: {{parameters: {{uri: {{parameterType: STRING, isOptional: true}}, metadata: {{parameterType: STRING, isOptional: true}}, metadata-2: {{parameterType: NUMBER_INTEGER, isOptional: true}}}}}}
    outputDefinitions: {{artifacts: {{artifact: {{artifactType: {{schemaTitle: system.Model, schemaVersion: 0.0.1}}}}}}}}
  comp-make: {{executorLabel: exec-make, outputDefinitions: {{parameters: {{where: {{parameterType: STRING}}}}}}}}
  comp-use: {{executorLabel: exec-use, inputDefinitions: {{artifacts: {{m: {{artifactType: {{schemaTitle: system.Model}}}}}}}}}}
root:
  inputDefinitions: {{parameters: {{uri: {{parameterType: STRING, defaultValue: 's3://from/root'}}}}}}
  dag:
    tasks:
      make: {{componentRef: {{name: comp-make}}, taskInfo: {{name: make}}}}
      importer: {{componentRef: {{name: comp-importer}}, taskInfo: {{name: importer}}, cachingOptions: {{enableCache: true}}, inputs: {{parameters: {{{inputs}}}}}}}
      use: {{componentRef: {{name: comp-use}}, taskInfo: {{name: use}}, inputs: {{artifacts: {{m: {{taskOutputArtifact: {{producerTask: importer, outputArtifactKey: artifact}}}}}}}}}}
deploymentSpec:
  executors:
    exec-importer: {{importer: {{typeSchema: {{schemaTitle: system.Model, schemaVersion: 0.0.1}}, {importer}}}}}
    exec-make: {{container: {{image: i, command: [c]}}}}
    exec-use: {{container: {{image: i, command: [c]}}}}
"
    )
}

fn request(host: &mut Host) -> ImportRequest {
    loop {
        let found = host.in_flight.iter().find_map(|effect| match effect {
            Effect::Import { request, .. } => Some((**request).clone()),
            _ => None,
        });
        if let Some(request) = found {
            return request;
        }
        assert!(host.answer_next(), "nothing was imported");
    }
}

#[test]
fn uri_may_be_a_constant_a_root_input_a_task_output_or_a_constant_input() {
    let from_input = "artifactUri: {runtimeParameter: uri}";
    for (importer, inputs, expected) in [
        ("artifactUri: {constant: 's3://b/k'}", "", "s3://b/k"),
        (from_input, "uri: {componentInputParameter: uri}", "s3://from/root"),
        (from_input, "uri: {taskOutputParameter: {producerTask: make, outputParameterKey: where}}", "s3://made/it"),
        (from_input, "uri: {runtimeValue: {constant: 'https://any/where'}}", "https://any/where"),
    ] {
        let mut host = Host::new(&pipeline(importer, inputs))
            .on("make", |_| Ok(parameters(json!({"where": "s3://made/it"}))))
            .started(json!({}));
        let request = request(&mut host);
        assert_eq!(request.artifact.uri, expected);
        assert_eq!(request.artifact.artifact_type.schema_title, "system.Model");
        assert_eq!(request.artifact.name, "artifact");
        host.finish();
        let host = host.succeeds();
        assert_eq!(host.plan("use").inputs.artifacts["m"], [request.artifact]);
        assert_eq!(host.node("importer").kind, NodeKind::Importer);
        assert_eq!(host.node("importer").cache_key(), None, "importers are never cached");
    }
}

#[test]
fn metadata_placeholders_take_text_form_in_keys_and_values() {
    let importer = "artifactUri: {constant: 's3://b/k'}, reimport: true, metadata: {\"{{$.inputs.parameters['metadata']}}\": [\"{{$.inputs.parameters['metadata-2']}}\", 1.0], fixed: {deep: \"n={{$.inputs.parameters['metadata-2']}}\"}}";
    let inputs = "metadata: {runtimeValue: {constant: key}}, metadata-2: {runtimeValue: {constant: 7.0}}";
    let mut host = Host::new(&pipeline(importer, inputs)).started(json!({}));
    let request = request(&mut host);
    assert!(request.reimport);
    let expected = json!({"key": ["7", 1], "fixed": {"deep": "n=7"}});
    let mut metadata = json!(request.artifact.metadata);
    penstock_spec::value::canonicalize(&mut metadata);
    assert_eq!(metadata, expected);
    host.finish();
    host.succeeds();
}

#[test]
fn record_that_existed_before_is_handed_on() {
    let mut host = Host::new(&pipeline("artifactUri: {constant: 's3://b/k'}", "")).started(json!({}));
    let mut artifact = request(&mut host).artifact;
    artifact.id = uuid::Uuid::from_u128(42);
    let node = host.node("importer").id;
    let result = ImportResult::Imported(Box::new(artifact.clone()));
    host.deliver(Event::ImportAnswered { node, result });
    host.finish();
    assert_eq!(host.succeeds().plan("use").inputs.artifacts["m"], [artifact]);
}

#[test]
fn empty_uri_and_unusable_oci_fail_the_importer() {
    for (importer, inputs, expected) in [
        (
            "artifactUri: {runtimeParameter: uri}",
            "uri: {runtimeValue: {constant: ''}}",
            "the importer's URI, from input \"uri\", is empty",
        ),
        (
            "artifactUri: {constant: 'oci://r/i:t'}, downloadToWorkspace: true",
            "",
            "an artifact at \"oci://r/i:t\" cannot be downloaded to the workspace",
        ),
    ] {
        let host = Host::new(&pipeline(importer, inputs)).ran().fails();
        assert_eq!(host.message("importer"), expected);
    }
}

#[test]
fn failed_import_is_not_tried_again() {
    let text = pipeline("artifactUri: {constant: 's3://b/k'}", "").replace(
        "cachingOptions: {enableCache: true}",
        "cachingOptions: {enableCache: true}, retryPolicy: {maxRetryCount: 5}",
    );
    let mut host = Host::new(&text).started(json!({}));
    let node = host.node("importer").id;
    let result = ImportResult::Failed(failure(FailureCause::Infrastructure, "no such bucket"));
    host.deliver(Event::ImportAnswered { node, result });
    assert_eq!(host.status("importer"), TaskStatus::Failed);
    host.finish();
    host.fails();
}

#[test]
fn identity_of_the_record_follows_from_run_and_path() {
    let text = pipeline("artifactUri: {constant: 's3://b/k'}", "");
    let id = |host: &mut Host| request(host).artifact.id;
    let (mut one, mut two) = (Host::new(&text).started(json!({})), Host::new(&text).started(json!({})));
    assert_eq!(id(&mut one), id(&mut two));
}

#[test]
fn importer_may_have_a_condition_and_conditions_see_what_it_imported() {
    let import = "artifactUri: {constant: 's3://b/k'}, metadata: {stage: 2.0}";
    let with = |task: &str, condition: &str| {
        let untriggered = format!("taskInfo: {{name: {task}}},");
        let triggered = format!("{untriggered} triggerPolicy: {{condition: \"{condition}\"}},");
        pipeline(import, "").replacen(&untriggered, &triggered, 1)
    };
    let host = Host::new(&with("importer", "1 > 2")).ran().succeeds();
    assert_eq!(host.status("importer"), TaskStatus::Skipped);
    assert_eq!(host.status("use"), TaskStatus::Skipped);
    let artifact = "inputs.artifacts['m'].artifacts[0]";
    for (condition, status) in [
        (format!("{artifact}.uri == 's3://b/k' && {artifact}.metadata['stage'] == 2"), TaskStatus::Succeeded),
        (format!("{artifact}.metadata['stage'] > 2.0"), TaskStatus::Skipped),
    ] {
        let host = Host::new(&with("use", &condition)).ran().succeeds();
        assert_eq!(host.status("use"), status, "{condition}");
    }
}

#[test]
fn importers_in_a_loop_import_what_their_iteration_says() {
    let items = "{parameterIterator: {items: {raw: '[\"s3://b/0\", \"s3://b/1\"]'}, itemInput: uri},";
    let text = pipeline("artifactUri: {runtimeParameter: uri}", "")
        .replace("importer: {componentRef", &format!("importer: {items} componentRef"))
        .replace("{m: {artifactType", "{m: {isArtifactList: true, artifactType");
    let host = Host::new(&text).ran().succeeds();
    let found: Vec<&str> = host.plan("use").inputs.artifacts["m"].iter().map(|it| it.uri.as_str()).collect();
    assert_eq!(found, ["s3://b/0", "s3://b/1"]);
    assert_eq!(host.node("importer[1]").kind, NodeKind::Importer);
}
