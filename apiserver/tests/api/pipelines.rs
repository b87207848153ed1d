use serde_json::{Value, json};

use crate::fixture::{PIPELINE, Server, filter};

async fn create(server: &Server, request: Value) -> Value {
    server.post("/pipelines", request).await.ok()
}

fn id(pipeline: &Value) -> &str {
    pipeline["pipeline_id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_pipeline_lives_and_ends() {
    let server = Server::start().await;
    let request = json!({"name": "train", "display_name": "Train it", "description": "d", "tags": {"team": "ml"}});
    let created = create(&server, request).await;
    let expected = json!({
        "pipeline_id": id(&created), "name": "train", "display_name": "Train it", "description": "d",
        "created_at": created["created_at"], "tags": {"team": "ml"},
    });
    assert_eq!(created, expected);
    assert_eq!(server.get(&format!("/pipelines/{}", id(&created))).await.ok(), expected);
    assert_eq!(server.get("/pipelines/names/train?namespace=").await.ok(), expected);
    assert_eq!(server.delete(&format!("/pipelines/{}", id(&created))).await.ok(), json!({}));
    let gone = server.get(&format!("/pipelines/{}", id(&created))).await.refused(404);
    assert_eq!(gone, format!("Pipeline {} not found", id(&created)));
    let unknown = server.get("/pipelines/names/train").await.refused(404);
    assert_eq!(unknown, "Namespace/Pipeline /train not found");
}

#[tokio::test]
async fn either_name_is_enough_and_any_character_will_do() {
    let server = Server::start().await;
    let only_display = create(&server, json!({"display_name": "a b"})).await;
    assert_eq!((&only_display["name"], &only_display["display_name"]), (&json!("a b"), &json!("a b")));
    for name in ["test-pipeline-with-ascii-!@#$%", "流水线", "a:archive", "x/y"] {
        let created = create(&server, json!({"name": name})).await;
        let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        assert_eq!(server.get(&format!("/pipelines/names/{encoded}")).await.ok(), created);
    }
    assert_eq!(server.post("/pipelines", json!({})).await.refused(400), "name is required");
    let taken = server.post("/pipelines", json!({"name": "A B"})).await.refused(409);
    assert_eq!(taken, "Failed to create a new pipeline. The name A B already exist. Please specify a new name");
    let long = server.post("/pipelines", json!({"name": "x".repeat(129)})).await.refused(400);
    assert_eq!(long, "Pipeline.Name length cannot exceed 128");
}

#[tokio::test]
async fn tags_and_the_name_for_people_can_be_changed() {
    let server = Server::start().await;
    let created = create(&server, json!({"name": "p", "description": "d", "tags": {"a": "1"}})).await;
    let path = format!("/pipelines/{}", id(&created));
    let patched = async |request: Value| server.patch(&path, request).await.ok();
    for unchanged in [json!({}), json!({"tags": null, "display_name": "", "name": "q", "description": "e"})] {
        assert_eq!(patched(unchanged).await, created);
    }
    let renamed = patched(json!({"displayName": "P", "tags": {"b": "2", "c": ""}})).await;
    assert_eq!((&renamed["display_name"], &renamed["name"]), (&json!("P"), &json!("p")));
    assert_eq!(renamed["tags"], json!({"b": "2", "c": ""}));
    let cleared = patched(json!({"tags": {}})).await;
    assert_eq!(cleared["tags"], Value::Null);
    assert_eq!(server.get(&path).await.ok(), cleared);
    let refused = server.patch(&path, json!({"tags": {"a.b": "x"}})).await.refused(400);
    assert_eq!(refused, r#"tag key "a.b" must not contain '.' character"#);
    let unknown = "/pipelines/00000000-0000-4000-8000-000000000000";
    assert_eq!(server.patch(unknown, json!({"tags": {"a": "b"}})).await.status, 404);
}

#[tokio::test]
async fn lists_are_narrowed_by_tags() {
    let server = Server::start().await;
    create(&server, json!({"name": "one", "tags": {"team": "ml", "env": "prod"}})).await;
    create(&server, json!({"name": "two", "tags": {"team": "ml", "env": "dev"}})).await;
    create(&server, json!({"name": "three"})).await;
    let tagged = async |value: Value| {
        let filter: String = form_urlencoded::byte_serialize(value.to_string().as_bytes()).collect();
        server.names(&format!("/pipelines?filter={filter}"), "pipelines").await.0
    };
    let equals = |key: &str, value: &str| json!({"operation": "EQUALS", "key": key, "string_value": value});
    assert_eq!(tagged(json!({"predicates": [equals("tags.team", "ml")]})).await, ["one", "two"]);
    let both = json!({"predicates": [equals("tags.team", "ml"), equals("tags.env", "dev")]});
    assert_eq!(tagged(both).await, ["two"]);
    let with_name = json!({"predicates": [equals("tags.team", "ml"), equals("name", "one")]});
    assert_eq!(tagged(with_name).await, ["one"]);
    assert_eq!(tagged(json!({"predicates": [equals("tags.x", "y")]})).await, Vec::<String>::new());
    let other = filter("NOT_EQUALS", "tags.team", &json!({"string_value": "ml"}));
    assert_eq!(server.get(&format!("/pipelines?{other}")).await.status, 400);
}

#[tokio::test]
async fn a_pipeline_with_versions_goes_only_with_them() {
    let server = Server::start().await;
    let created = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok();
    let path = format!("/pipelines/{}", id(&created));
    let versions = server.get(&format!("{path}/versions")).await.ok();
    let version = versions["pipeline_versions"][0]["pipeline_version_id"].as_str().unwrap();
    let refused = server.delete(&path).await.refused(400);
    let expected = format!(
        "Failed to delete pipeline with id {} as it has existing pipeline versions (e.g. {version}). Set cascade=true to \
         delete all versions",
        id(&created)
    );
    assert_eq!(refused, expected);
    assert_eq!(server.delete(&format!("{path}?cascade=true")).await.ok(), json!({}));
    assert_eq!(server.get(&format!("{path}/versions/{version}")).await.status, 404);
}

#[tokio::test]
async fn t09_nothing_is_fetched_from_urls() {
    let server = Server::start().await;
    let version = json!({"package_url": {"pipeline_url": "http://169.254.169.254/"}});
    let request = json!({"pipeline": {"name": "p"}, "pipeline_version": version});
    let refused = server.post("/pipelines/create", request).await.refused(400);
    assert!(refused.contains("fetches no pipelines from URLs"), "{refused}");
    let nil = server.post("/pipelines/create", json!({"pipeline": {"name": "p"}})).await.refused(400);
    assert_eq!(nil, "Failed to create a pipeline version. Pipeline version is nil");
    assert_eq!(server.get("/pipelines").await.ok(), json!({}));
}
