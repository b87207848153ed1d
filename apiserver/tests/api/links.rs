//! Links to artifacts, from a store that makes them.

use penstock_objectstore::{S3Credentials, S3Settings, Secret, StoreSettings};
use penstock_spec::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::recorded::{Recorded, artifact, file_of};

fn link(number: u128, query: &str) -> String {
    format!("/apis/penstock/v1/artifacts/{}/link?{query}", uuid::Uuid::from_u128(number))
}

#[tokio::test]
async fn a_store_that_makes_no_links_says_where_to_download() {
    let recorded = Recorded::start().await;
    let uri = recorded.store_file("model.txt", b"0123456789");
    recorded.put_out(vec![("out", artifact(1, &uri, file_of(10)))]).await;
    let refused = recorded.get(&link(1, "")).await.refused(400);
    assert!(refused.contains("makes no links: download it at"), "{refused}");
    for query in ["lifetime_seconds=0", "lifetime_seconds=-1", "lifetime_seconds=3601", "lifetime_seconds=x"] {
        assert_eq!(recorded.get(&link(1, query)).await.status, 400, "{query}");
    }
    assert_eq!(recorded.get(&link(2, "")).await.status, 404);
}

/// A server that says of every object that it is there.
async fn store() -> StoreSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 8192]).await;
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"x\"\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let credentials = S3Credentials::Static {
        access_key_id: "reader".to_owned(),
        secret_access_key: Secret::new("the-secret"),
        session_token: None,
    };
    let s3 = S3Settings { endpoint: Some(format!("http://{address}")), credentials, ..S3Settings::default() };
    StoreSettings { s3, ..StoreSettings::default() }
}

fn pairs(reply: &Value) -> std::collections::HashMap<String, String> {
    let url = reply["url"].as_str().expect("a URL");
    let (_, query) = url.split_once('?').expect("a query");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn a_link_is_good_for_a_while_and_says_what_the_file_is() {
    let recorded = Recorded::start_with(store().await).await;
    recorded.put_out(vec![("out", artifact(1, "s3://bucket/runs/model.txt", file_of(10)))]).await;
    let answer = recorded.get(&link(1, "lifetime_seconds=60")).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let reply = answer.ok();
    let url = reply["url"].as_str().expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:") && url.contains("/bucket/runs/model.txt?"), "{url}");
    assert!(!url.contains("the-secret"), "{url}");
    let said = pairs(&reply);
    assert_eq!(said["X-Amz-Expires"], "60");
    assert_eq!(said["response-content-type"], "text/plain; charset=utf-8");
    assert_eq!(said["response-content-disposition"], "inline; filename=\"model.txt\"");
    let ends: Timestamp = reply["expires_at"].as_str().and_then(|text| text.parse().ok()).expect("a time");
    let seconds = ends.as_second() - Timestamp::now().as_second();
    assert!((50..=60).contains(&seconds), "{seconds}");
    let saved = pairs(&recorded.get(&link(1, "download=true")).await.ok());
    assert_eq!(saved["response-content-disposition"], "attachment; filename=\"model.txt\"");
    assert_eq!(saved["X-Amz-Expires"], "300");
}

#[tokio::test]
async fn a_link_leads_where_browsers_reach_the_store() {
    let link_endpoint = Some("https://s3.example.com".parse().expect("a URL"));
    let settings = |settings| penstock_apiserver::ApiSettings { link_endpoint, ..settings };
    let recorded = Recorded::start_as(store().await, settings).await;
    recorded.put_out(vec![("out", artifact(1, "s3://bucket/runs/model.txt", file_of(10)))]).await;
    let reply = recorded.get(&link(1, "")).await.ok();
    let url = reply["url"].as_str().expect("a URL");
    assert!(url.starts_with("https://s3.example.com/bucket/runs/model.txt?"), "{url}");
    assert_eq!(pairs(&reply)["X-Amz-SignedHeaders"], "host");
}

/// T-14: what user code wrote does not become a page of the store's origin.
#[tokio::test]
async fn t14_what_could_be_rendered_is_linked_as_bytes_to_be_saved() {
    let recorded = Recorded::start_with(store().await).await;
    for (number, name) in (10..).zip(["page.html", "picture.svg", "noname", "a%22%0d.html"]) {
        recorded.put_out(vec![(name, artifact(number, &format!("s3://bucket/{name}"), file_of(10)))]).await;
        let said = pairs(&recorded.get(&link(number, "")).await.ok());
        assert_eq!(said["response-content-type"], "application/octet-stream", "{name}");
        assert!(said["response-content-disposition"].starts_with("attachment; filename=\""), "{name}");
    }
}
