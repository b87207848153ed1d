//! Runs as clients make them.

use std::sync::Arc;

use penstock_apiserver::{Api, ApiSettings};
use penstock_metastore::Metastore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Server, shown};
use crate::schedules::Stored;

/// A server that stores runs and carries none out.
async fn server() -> Server {
    let directory = TempDir::new().expect("a directory");
    let store = Metastore::open(&directory.path().join("penstock.db")).await.expect("a store");
    let api = Api::new(ApiSettings::default(), store.clone(), Arc::new(Stored(store))).await;
    Server::over(api.expect("a server"), directory)
}

/// Whoever got no answer asks again with the same id, and has the run; whoever means another run is told.
#[tokio::test]
async fn f34_a_run_that_is_asked_for_twice_is_one() {
    let server = server().await;
    let request = json!({
        "run_id": "00000000-0000-4000-8000-00000000000a",
        "display_name": "x",
        "description": "d",
        "pipeline_spec": shown(),
        "runtime_config": {"parameters": {"a": 1.0, "b": [null]}, "pipeline_root": "s3://b/r"},
        "plugins_input": {"mlflow": {"disabled": true}},
        "service_account": "me",
        "scheduled_at": "2026-01-01T10:00:00.5Z",
    });
    let made = server.post("/runs", request.clone()).await.ok();
    assert_eq!(server.post("/runs", request.clone()).await.ok(), made);
    let other = server.post("/experiments", json!({"display_name": "other"})).await.ok();
    for (field, value) in [
        ("display_name", json!("y")),
        ("description", Value::Null),
        ("experiment_id", other["experiment_id"].clone()),
        ("runtime_config", json!({"parameters": {"a": 1}})),
        ("plugins_input", Value::Null),
        ("service_account", Value::Null),
        ("scheduled_at", json!("2026-01-01T10:00:00Z")),
        ("pipeline_spec", json!({"pipelineInfo": {"name": "other"}})),
    ] {
        let mut request = request.clone();
        request[field] = value;
        let text = server.post("/runs", request).await.refused(409);
        assert!(text.contains("there is already a different run"), "{field}: {text}");
    }
    assert_eq!(server.get("/runs").await.ok()["total_size"], 1);
}
