//! Import by URL, from a server of this machine.

use penstock_apiserver::import::Importer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::fixture::{PIPELINE, Server, shown};

/// Serves the pipeline at `/p.yaml`, something else at `/x.yaml`, and nothing anywhere else.
async fn files() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            assert!(!head.contains("authorization") && !head.contains("cookie"), "{head}");
            let (status, body) = match head.split(' ').nth(1) {
                Some("/p.yaml") => ("200 OK", PIPELINE),
                Some("/x.yaml") => ("200 OK", "a: 1"),
                _ => ("404 Not Found", ""),
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

async fn server(rules: &[&str]) -> Server {
    let rules = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
    let importer = Importer::new(rules).expect("an importer");
    let (api, directory) =
        Server::api_with(|settings| penstock_apiserver::ApiSettings { importer: Some(importer), ..settings }).await;
    Server::over(api, directory)
}

fn version_of(url: &str) -> Value {
    json!({"package_url": {"pipeline_url": url}, "tags": {"a": "b"}})
}

#[tokio::test]
async fn a_pipeline_is_made_from_a_url() {
    let (port, server) = (files().await, server(&["127.0.0.1"]).await);
    let url = format!("http://127.0.0.1:{port}/p.yaml");
    let request = json!({"pipeline": {"description": "d"}, "pipeline_version": version_of(&url)});
    let made = server.post("/pipelines/create", request.clone()).await.ok();
    assert_eq!((&made["name"], &made["display_name"]), (&json!("p.yaml"), &json!("p.yaml")));
    let id = made["pipeline_id"].as_str().expect("an id");
    let versions = server.get(&format!("/pipelines/{id}/versions")).await.ok();
    let version = &versions["pipeline_versions"][0];
    let expected = json!({
        "pipeline_id": id, "pipeline_version_id": version["pipeline_version_id"], "name": "p.yaml",
        "display_name": "p.yaml", "description": "d", "created_at": version["created_at"],
        "package_url": {"pipeline_url": url}, "pipeline_spec": shown(), "tags": {"a": "b"},
    });
    assert_eq!(*version, expected);
    let again = server.post("/pipelines/create", request).await.refused(409);
    assert!(again.contains("Please specify a new name"), "{again}");
}

#[tokio::test]
async fn a_version_is_made_from_a_url() {
    let (port, server) = (files().await, server(&["127.0.0.0/8"]).await);
    let url = format!("http://127.0.0.1:{port}/p.yaml");
    let made = server.post("/pipelines", json!({"name": "p"})).await.ok();
    let id = made["pipeline_id"].as_str().expect("an id");
    let path = format!("/pipelines/{id}/versions");
    let mut request = version_of(&url);
    request["pipeline_id"] = json!("elsewhere");
    let unnamed = server.post(&path, request.clone()).await.refused(400);
    assert_eq!(unnamed, "name is required");
    request["name"] = json!("v1");
    request["code_source_url"] = json!("https://example.com");
    let version = server.post(&path, request.clone()).await.ok();
    assert_eq!((&version["pipeline_id"], &version["name"]), (&json!(id), &json!("v1")));
    assert_eq!(version["package_url"], json!({"pipeline_url": url}));
    assert_eq!(version["code_source_url"], json!("https://example.com"));
    let path_of_version = format!("{path}/{}", version["pipeline_version_id"].as_str().expect("an id"));
    assert_eq!(server.get(&path_of_version).await.ok(), version);
    let again = server.post(&path, request).await.refused(409);
    assert_eq!(again, "Failed to create a new pipeline version. The name v1 already exist. Specify a new name");
}

#[tokio::test]
async fn t09_what_cannot_be_fetched_makes_nothing() {
    let (port, server) = (files().await, server(&["127.0.0.1"]).await);
    for (url, reason) in [
        (format!("http://127.0.0.1:{port}/absent"), "Request returned 404"),
        (format!("http://127.0.0.1:{port}/x.yaml"), "unknown template format"),
        ("http://169.254.169.254/latest".to_owned(), "in no network of --import-from"),
        (format!("http://[::1]:{port}/p.yaml"), "in no network of --import-from"),
        (format!("http://localhost:{port}/p.yaml"), "is not one of --import-from"),
        ("file:///etc/passwd".to_owned(), "is not fetched"),
    ] {
        let request = json!({"pipeline": {"name": "p"}, "pipeline_version": version_of(&url)});
        let refused = server.post("/pipelines/create", request).await.refused(400);
        assert!(refused.contains(reason), "{url}: {refused}");
    }
    assert_eq!(server.get("/pipelines").await.ok(), json!({}));
}
