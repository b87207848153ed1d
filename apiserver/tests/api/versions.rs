use serde_json::{Value, json};

use crate::fixture::{PIPELINE, Server, filter, shown};

async fn pipeline(server: &Server, name: &str) -> String {
    let created = server.upload(&format!("/upload?name={name}"), "p.yaml", PIPELINE.as_bytes()).await.ok();
    created["pipeline_id"].as_str().expect("an id").to_owned()
}

async fn version(server: &Server, pipeline: &str, name: &str, more: &str) -> Value {
    let path = format!("/upload_version?name={name}&pipelineid={pipeline}{more}");
    server.upload(&path, "p.yaml", PIPELINE.as_bytes()).await.ok()
}

#[tokio::test]
async fn a_version_lives_and_ends() {
    let server = Server::start().await;
    let (parent, other) = (pipeline(&server, "one").await, pipeline(&server, "two").await);
    let created =
        version(&server, &parent, "v2", "&description=d&code_source_url=https%3A%2F%2Fx&tags=%7B%22a%22%3A%22b%22%7D")
            .await;
    let id = created["pipeline_version_id"].as_str().unwrap();
    let expected = json!({
        "pipeline_id": parent, "pipeline_version_id": id, "name": "v2", "display_name": "v2", "description": "d",
        "created_at": created["created_at"], "code_source_url": "https://x", "pipeline_spec": shown(),
        "tags": {"a": "b"},
    });
    assert_eq!(created, expected);
    // Through whatever pipeline it is asked for.
    for through in [&parent, &other, &"x".to_owned()] {
        assert_eq!(server.get(&format!("/pipelines/{through}/versions/{id}")).await.ok(), expected);
    }
    let path = format!("/pipelines/{parent}/versions/{id}");
    // With its comments and in its order, which the specification does not have any more.
    let source = server.get_whole(&format!("/apis/penstock/v1{path}/source")).await;
    assert_eq!((source.status.as_u16(), source.text.as_str()), (200, PIPELINE));
    assert_eq!(source.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(source.headers["x-content-type-options"], "nosniff");
    let patched = server.patch(&path, json!({"display_name": "V", "tags": {}})).await.ok();
    assert_eq!(
        (&patched["display_name"], &patched["name"], &patched["tags"]),
        (&json!("V"), &json!("v2"), &Value::Null)
    );
    assert_eq!(server.delete(&format!("/pipelines/{other}/versions/{id}")).await.ok(), json!({}));
    assert_eq!(server.get(&path).await.refused(404), format!("PipelineVersion {id} not found"));
    let source = server.get_whole(&format!("/apis/penstock/v1{path}/source")).await.refused(404);
    assert!(source.ends_with(&format!("PipelineVersion {id} not found")), "{source}");
}

#[tokio::test]
async fn lists_hold_the_versions_of_one_pipeline() {
    let server = Server::start().await;
    let (parent, other) = (pipeline(&server, "one").await, pipeline(&server, "two").await);
    for name in ["v2", "v3"] {
        version(&server, &parent, name, "&tags=%7B%22team%22%3A%22ml%22%7D").await;
    }
    let names =
        async |query: &str| server.names(&format!("/pipelines/{parent}/versions?{query}"), "pipeline_versions").await;
    assert_eq!(names("").await.0, ["one", "v2", "v3"]);
    assert_eq!(names("sort_by=created_at%20desc&page_size=1").await.0, ["v3"]);
    let tagged = filter("EQUALS", "tags.team", &json!({"string_value": "ml"}));
    assert_eq!(names(&tagged).await.0, ["v2", "v3"]);
    let (first, token) = names("sort_by=name&page_size=2").await;
    assert_eq!(
        (first, names(&format!("page_token={}", token.unwrap())).await.0),
        (vec!["one".into(), "v2".into()], vec!["v3".into()])
    );
    assert_eq!(server.names(&format!("/pipelines/{other}/versions"), "pipeline_versions").await.0, ["two"]);
    let unknown = server.get("/pipelines/00000000-0000-4000-8000-000000000000/versions").await.refused(404);
    assert_eq!(unknown, "Pipeline 00000000-0000-4000-8000-000000000000 not found");
}

#[tokio::test]
async fn a_version_that_would_come_from_a_url_is_refused_by_what_it_lacks() {
    let server = Server::start().await;
    let parent = pipeline(&server, "one").await;
    let path = format!("/pipelines/{parent}/versions");
    let refused = async |request: Value| server.post(&path, request).await.refused(400);
    assert!(refused(json!({})).await.ends_with("Parent pipeline id is empty"));
    assert!(refused(json!({"pipeline_id": "x"})).await.ends_with("Package URL is nil"));
    assert!(refused(json!({"pipeline_id": "x", "package_url": {}})).await.ends_with("Package URL is empty"));
    let url = json!({"pipeline_id": parent, "package_url": {"pipeline_url": "https://example.com/p.yaml"}});
    assert!(refused(url).await.contains("fetches no pipelines from URLs"));
}
