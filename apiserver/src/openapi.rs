//! The OpenAPI document: generated from the routes, their descriptions and the messages that these name.

mod description;
pub(crate) mod schema;

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

pub use description::Description;
pub(crate) use description::Reply;

use crate::router::{Public, Requires, Route, Routes, route_table};
use crate::wire::write::json_response;
use description::Body;
use schema::{Kind, REFUSAL, Schemas};

const ABOUT: &str = "The interface of Kubeflow Pipelines, v2beta1, and below /apis/penstock/v1 what goes beyond it. Fields \
                     that have their default (empty, 0, false) are left out of replies. Requests are taken in camel case \
                     too, with null for what is not set, enums by number, and 64-bit integers as numbers; fields that only \
                     the server says are ignored in them, and fields that no message has are refused.";

pub(crate) fn routes(routes: Routes) -> Routes {
    let about = Description::new("get_openapi", "This document").replies(Reply::AnyJson);
    routes.get("/apis/penstock/v1/openapi.json", Requires::Nothing, serve).describe(about)
}

/// `GET /openapi.json`
async fn serve(_: Public) -> Response {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document(&route_table()));
    json_response(StatusCode::OK, &DOCUMENT)
}

/// The document of some routes. Its version is that of the interface; which build answers is told by healthz.
pub fn document(table: &[Route]) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for route in table {
        let Some(description) = &route.description else { continue };
        let operation = operation(route.path, description, &mut schemas);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock",
            "version": "v2beta1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas.into_inner()},
    })
}

fn operation(path: &'static str, description: &Description, schemas: &mut Schemas) -> Value {
    let mut parameters: Vec<Value> = parameters_of(path)
        .map(|name| {
            let schema = schemas.of(if is_id(path, name) { &Kind::Id } else { &Kind::Text });
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    parameters.extend(description.query.iter().map(|parameter| {
        let schema = schemas.of(&parameter.kind);
        let (name, about, required) = (parameter.name, parameter.about, parameter.required);
        json!({"name": name, "in": "query", "required": required, "description": about, "schema": schema})
    }));
    let mut operation = json!({
        "operationId": description.name,
        "summary": description.summary,
        "tags": [tag(path)],
        "responses": responses(description, schemas),
    });
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = &description.body {
        let (kind, message) = match body {
            Body::Json(message) => ("application/json", message),
            Body::Form(message) => ("multipart/form-data", message),
        };
        operation["requestBody"] = json!({"required": true, "content": {kind: {"schema": schemas.refer(message)}}});
    }
    operation
}

/// What varies in a path.
fn parameters_of(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// Whether a parameter of a path is a UUID and nothing else.
fn is_id(path: &str, name: &str) -> bool {
    // A task is named in other ways too, and the pipeline of a single version counts for nothing.
    let through = name == "pipeline_id" && path.contains("{pipeline_version_id}");
    name.ends_with("_id") && !["node_id", "task_id"].contains(&name) && !through
}

/// A server-sent event: its number, and what happened as JSON.
fn event() -> Value {
    let text = json!({"type": "string"});
    json!({"type": "object", "required": ["id", "data"], "properties": {"id": text, "event": text, "data": text}})
}

/// The group of an operation: the version of the interface, and the first word behind it.
fn tag(path: &str) -> String {
    let mut parts = path.trim_start_matches('/').split(['/', ':']);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("apis"), Some("penstock"), _, Some(resource)) => format!("penstock {resource}"),
        (Some("apis"), Some(version), Some(resource), _) => format!("{version} {resource}"),
        (Some("metrics"), ..) => "metrics".to_owned(),
        _ => "dashboard".to_owned(),
    }
}

fn responses(description: &Description, schemas: &mut Schemas) -> Value {
    let described =
        |text: &str, kind: &str, schema: Value| json!({"description": text, "content": {kind: {"schema": schema}}});
    let mut responses = match &description.reply {
        Reply::Json(message) => json!({"200": described("Done.", "application/json", schemas.refer(message))}),
        Reply::AnyJson => json!({"200": described("Done.", "application/json", json!({"type": "object"}))}),
        Reply::Text(kind) => json!({"200": described("The text.", kind, json!({"type": "string"}))}),
        Reply::Bytes => json!({
            "200": described("All of it.", "*/*", json!({})),
            "206": described("The part that was asked for.", "*/*", json!({})),
            "304": {"description": "The client has it already."},
            "416": {"description": "The part that was asked for is not in it."},
        }),
        Reply::File => json!({
            "200": described("The file.", "*/*", json!({})),
            "304": {"description": "The client has it already."},
            "404": described("There is no such file.", "text/plain; charset=utf-8", json!({"type": "string"})),
        }),
        Reply::Events => json!({
            "200": described("Events as they happen; the schema is that of one.", "text/event-stream", event()),
            "204": {"description": "There is no further event, and will be none."},
        }),
    };
    // What concerns the protocol is refused alike everywhere.
    let refusals: Vec<Value> =
        std::iter::once(&REFUSAL).chain(description.own_refusal).map(|message| schemas.refer(message)).collect();
    let refusal = json!({"anyOf": refusals});
    responses["4XX"] = described("Refused: the request would have to change.", "application/json", refusal.clone());
    responses["5XX"] = described("Not done: the server failed, or cannot do it.", "application/json", refusal);
    responses
}
