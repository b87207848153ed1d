//! The OpenAPI document: that it describes every route, and that every reply of these tests is as it says.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use axum::http::{Method, header};
use jsonschema::Validator;
use penstock_apiserver::openapi::document;
use penstock_apiserver::router::route_table;
use serde_json::{Value, json};

use crate::fixture::{Answer, Server};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document(&route_table()));
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Fails when a reply is not as the document says. Requests that no operation is for are not its subject.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else { return };
    let responses = operation["responses"].as_object().expect("responses");
    let status = answer.status.as_str();
    let class = format!("{}XX", &status[..1]);
    let name = if responses.contains_key(status) { status } else { class.as_str() };
    let response = responses.get(name).unwrap_or_else(|| panic!("{method} {template} answers {status}: {answer:?}"));
    let Some(content) = response["content"].as_object() else { return };
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let described = content.get("*/*").or_else(|| content.get(kind));
    let described = described.unwrap_or_else(|| panic!("{method} {template} answers {status} with {kind:?}"));
    if kind != "application/json" || content.contains_key("*/*") {
        return;
    }
    let body: Value = serde_json::from_str(&answer.text).expect("the body is JSON");
    let validator = validator(&format!("{method} {template} {name}"), &described["schema"]);
    let faults: Vec<String> =
        validator.iter_errors(&body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{method} {template} answers {status} with {body}: {faults:?}");
}

fn validator(name: &str, schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let made = validators.entry(name.to_owned()).or_insert_with(|| {
        let whole = json!({"allOf": [schema], "components": DOCUMENT["components"]});
        let options = jsonschema::options().should_validate_formats(true);
        Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("{name}: {error}")))
    });
    Arc::clone(made)
}

/// The operation that a request is for. One with fewer parameters in its path wins.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let method = method.as_str().to_ascii_lowercase();
    let fitting = DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| fits(template, path));
    let fitting = fitting.filter_map(|(template, methods)| Some((template.as_str(), methods.get(&method)?)));
    fitting.min_by_key(|(template, _)| (template.matches('{').count(), !template.contains("}:")))
}

fn fits(template: &str, path: &str) -> bool {
    let (expected, found) = (template.split('/'), path.split('/'));
    expected.clone().count() == found.clone().count()
        && expected.zip(found).all(|(expected, found)| match expected.split_once('}') {
            None => expected == found,
            Some((_, verb)) => found.ends_with(verb) && found.len() > verb.len(),
        })
}

#[test]
fn every_route_is_described() {
    let mut names = BTreeSet::new();
    for route in route_table() {
        let operation = &DOCUMENT["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{route:?} is not described"));
        assert!(names.insert(name.to_owned()), "{name} is the name of two operations");
        // Metrics have it as a label (T-29).
        let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && name.len() <= 32;
        assert!(is_word, "{name} is not words with underscores, or too long");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
}

#[test]
fn schemas_are_schemas() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().expect("schemas") {
        jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        validator(name, schema);
    }
}

/// A reply that is not as the document says is noticed.
#[test]
fn a_field_that_is_not_described_is_noticed() {
    let run = json!({"$ref": "#/components/schemas/Experiment"});
    let validator = validator("Experiment", &run);
    let now = "2026-08-01T10:00:00Z";
    let mut reply = json!({"experiment_id": uuid::Uuid::nil(), "display_name": "x", "created_at": now,
                           "storage_state": "AVAILABLE", "last_run_created_at": now});
    assert!(validator.is_valid(&reply));
    for (field, value) in [("extra", json!(1)), ("storage_state", json!("GONE")), ("created_at", json!("yesterday"))] {
        let before = reply.clone();
        reply[field] = value;
        assert!(!validator.is_valid(&reply), "{field}");
        reply = before;
    }
    reply.as_object_mut().expect("an object").remove("created_at");
    assert!(!validator.is_valid(&reply));
}

/// `make snapshots` accepts what has changed.
#[test]
fn the_document_is_the_one_in_the_repository() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let text = format!("{:#}\n", *DOCUMENT);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|wish| wish == "always") {
        std::fs::write(&path, &text).expect("it is written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "{} is not what the code says: `make snapshots`, and read the diff", path.display());
}

#[tokio::test]
async fn the_document_is_served() {
    let server = Server::start().await;
    assert_eq!(server.get_whole("/apis/penstock/v1/openapi.json").await.ok(), *DOCUMENT);
}
