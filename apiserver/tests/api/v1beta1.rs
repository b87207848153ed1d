//! The version before, as far as current clients still call it.

use serde_json::{Value, json};

use crate::fixture::{Answer, PIPELINE, Server, filter};
use crate::recorded::Recorded;

async fn old(server: &Server, path: &str) -> Answer {
    server.get_whole(&format!("/apis/v1beta1{path}")).await
}

#[tokio::test]
async fn experiments_are_shown_in_older_words() {
    let server = Server::start().await;
    let made = server.post("/experiments", json!({"display_name": "x", "description": "d"})).await.ok();
    let id = made["experiment_id"].as_str().expect("an id");
    let expected = json!({"id": id, "name": "x", "description": "d", "created_at": made["created_at"],
                          "storage_state": "STORAGESTATE_AVAILABLE"});
    assert_eq!(old(&server, &format!("/experiments/{id}")).await.ok(), expected);
    server.act(&format!("/experiments/{id}:archive")).await.ok();
    let archived = r#"{"predicates":[{"op":1,"key":"storage_state","string_value":"STORAGESTATE_ARCHIVED"}]}"#;
    let archived: String = form_urlencoded::byte_serialize(archived.as_bytes()).collect();
    let list = old(&server, &format!("/experiments?filter={archived}")).await.ok();
    assert_eq!((&list["total_size"], &list["experiments"][0]["id"]), (&json!(1), &json!(id)));
    // Pages go on as they began.
    let first = old(&server, "/experiments?page_size=1&sort_by=name").await.ok();
    let token = first["next_page_token"].as_str().expect("a token");
    let second = old(&server, &format!("/experiments?page_size=1&page_token={token}")).await.ok();
    assert_eq!((&first["experiments"][0]["name"], &second["experiments"][0]["name"]), (&json!("Default"), &json!("x")));
    assert_eq!(old(&server, "/experiments/x").await.refused(404), "Experiment x not found");
    assert_eq!(old(&server, "/experiments?filter=%7B").await.status, 400);
    assert_eq!(old(&server, "/experiments?sort_by=%ff").await.status, 400);
}

#[tokio::test]
async fn pipelines_and_versions_are_shown_in_older_words() {
    let server = Server::start().await;
    let path = "/upload?name=p&description=d&code_source_url=https%3A%2F%2Fx";
    let made = server.upload(path, "p.yaml", PIPELINE.as_bytes()).await.ok();
    let id = made["pipeline_id"].as_str().expect("an id");
    let expected = json!({"id": id, "name": "p", "description": "d", "created_at": made["created_at"]});
    assert_eq!(old(&server, &format!("/pipelines/{id}")).await.ok(), expected);
    let named = filter("EQUALS", "name", &json!({"string_value": "p"}));
    assert_eq!(old(&server, &format!("/pipelines?{named}")).await.ok()["pipelines"], json!([expected]));
    let versions =
        old(&server, &format!("/pipeline_versions?resource_key.type=PIPELINE&resource_key.id={id}")).await.ok();
    let version = &versions["versions"][0];
    let expected = json!({
        "id": version["id"], "name": "p", "description": "d", "created_at": version["created_at"],
        "code_source_url": "https://x",
        "resource_references": [{"key": {"type": "PIPELINE", "id": id}, "relationship": "OWNER"}],
    });
    assert_eq!(*version, expected);
    let one = format!("/pipeline_versions/{}", version["id"].as_str().expect("an id"));
    assert_eq!(old(&server, &one).await.ok(), expected);
    for path in [format!("/pipelines/{id}/templates"), format!("{one}/templates")] {
        let template = old(&server, &path).await.ok();
        let spec: Value = serde_json::from_str(template["template"].as_str().expect("a text")).expect("JSON");
        assert_eq!(spec, crate::fixture::shown(), "{path}");
    }
    assert!(old(&server, "/pipeline_versions").await.refused(400).contains("resource_key.id is empty"));
    // Versions are never deleted along with their pipeline here, whatever the query says.
    let delete = async |query: &str| {
        let path = format!("/apis/v1beta1/pipelines/{id}{query}");
        server.send(axum::http::Request::delete(path).body(axum::body::Body::empty()).expect("a request")).await
    };
    let newer = server.delete(&format!("/pipelines/{id}")).await.refused(400);
    assert!(newer.contains("it has existing pipeline versions"), "{newer}");
    for query in ["", "?cascade=true"] {
        assert_eq!(delete(query).await.refused(400), newer);
    }
    assert_eq!(old(&server, &one).await.ok(), expected);
    let version = version["id"].as_str().expect("an id");
    server.delete(&format!("/pipelines/{id}/versions/{version}")).await.ok();
    assert_eq!(delete("").await.ok(), json!({}));
    assert_eq!(old(&server, &format!("/pipelines/{id}")).await.status, 404);
}

#[tokio::test]
async fn runs_are_shown_in_older_words() {
    let recorded = Recorded::start().await;
    let run = recorded.run;
    let detail = old(&recorded.server, &format!("/runs/{run}")).await.ok();
    assert_eq!(detail["pipeline_runtime"], json!({}));
    let shown = &detail["run"];
    assert_eq!((&shown["id"], &shown["name"], &shown["status"]), (&json!(run), &json!("hello"), &json!("Pending")));
    assert!(shown["pipeline_spec"]["pipeline_manifest"].as_str().is_some_and(|text| text.contains("hello")), "{shown}");
    let list = old(&recorded.server, "/runs").await.ok();
    assert_eq!(list["runs"], json!([shown]));
    let experiments = old(&recorded.server, "/experiments").await.ok();
    let experiment = experiments["experiments"][0]["id"].as_str().expect("an id");
    let key = format!("resource_reference_key.type=EXPERIMENT&resource_reference_key.id={experiment}");
    assert_eq!(old(&recorded.server, &format!("/runs?{key}")).await.ok(), json!({}));
    let gone = axum::http::Request::delete(format!("/apis/v1beta1/runs/{run}")).body(axum::body::Body::empty());
    assert_eq!(recorded.server.send(gone.expect("a request")).await.ok(), json!({}));
    assert_eq!(old(&recorded.server, &format!("/runs/{run}")).await.status, 404);
}

#[tokio::test]
async fn recurring_runs_are_shown_as_jobs() {
    let server = Server::start().await;
    let made = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok();
    let request = json!({
        "display_name": "nightly", "max_concurrency": 2, "mode": "ENABLE", "service_account": "robot",
        "pipeline_version_reference": {"pipeline_id": made["pipeline_id"]},
        "trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}},
    });
    let made = server.post("/recurringruns", request).await.ok();
    let id = made["recurring_run_id"].as_str().expect("an id");
    let job = old(&server, &format!("/jobs/{id}")).await.ok();
    let expected = json!({
        "id": id, "name": "nightly", "service_account": "robot", "max_concurrency": "2", "mode": "ENABLED",
        "status": "Enabled", "enabled": true, "trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}},
        "created_at": made["created_at"], "updated_at": made["updated_at"],
        "pipeline_spec": {"pipeline_id": made["pipeline_version_reference"]["pipeline_id"]},
        "resource_references":
            [{"key": {"type": "EXPERIMENT", "id": made["experiment_id"]}, "relationship": "OWNER"}],
    });
    assert_eq!(job, expected);
    assert_eq!(old(&server, "/jobs").await.ok()["jobs"], json!([expected]));
}

#[tokio::test]
async fn what_makes_no_sense_here_is_not_there() {
    let server = Server::start().await;
    let post = |path: &str| axum::http::Request::post(path).body(axum::body::Body::from("{}")).expect("a request");
    for path in ["/apis/v1beta1/visualizations/ns", "/apis/v1beta1/workflows", "/apis/v2beta1/scheduledworkflows"] {
        let answer = server.send(post(path)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (404, json!({"code": 5, "message": "Not Found"})),
            "{path}"
        );
    }
}
