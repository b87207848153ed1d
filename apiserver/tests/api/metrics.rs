//! Numbers about requests.

use axum::body::Body;
use axum::http::{Method, Request};

use crate::fixture::{Answer, Server};
use crate::recorded::{Recorded, artifact, file_of};

async fn scrape(server: &Server) -> String {
    let answer: Answer = server.get_whole("/metrics").await;
    assert_eq!(answer.status, 200);
    answer.text
}

/// The value of a series; 0 when there is none.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |text| text.parse().expect("a number"))
}

fn series(operation: &str, method: &str, result: &str) -> String {
    format!("penstock_api_requests_total{{method=\"{method}\",operation=\"{operation}\",result=\"{result}\"}}")
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_result() {
    let server = Server::start().await;
    server.get("/experiments").await.ok();
    server.get("/experiments?page_size=-1").await.refused(400);
    server.act("/experiments/00000000-0000-4000-8000-000000000000:archive").await.refused(404);
    server.call(Method::PUT, "/experiments", Body::empty()).await;
    server.get("/nothing").await;
    let text = scrape(&server).await;
    for (expected, series) in [
        (1.0, series("list_experiments", "GET", "ok")),
        (1.0, series("list_experiments", "GET", "refused")),
        (1.0, series("archive_experiment", "POST", "refused")),
        (1.0, series("none", "other", "refused")),
        (1.0, series("none", "GET", "refused")),
        (2.0, "penstock_api_request_seconds_count{operation=\"list_experiments\"}".to_owned()),
        // The scrape itself.
        (1.0, "penstock_api_requests_in_flight".to_owned()),
        (0.0, "penstock_api_streams".to_owned()),
    ] {
        assert!((value(&text, &series) - expected).abs() < f64::EPSILON, "{series} is not {expected}\n{text}");
    }
}

/// T-29: whatever clients send, series are those of a closed set.
#[tokio::test]
async fn t29_hostile_requests_make_no_series() {
    let server = Server::start().await;
    let families = |text: &str| text.lines().filter(|line| line.starts_with("penstock_api_")).count();
    let send = async |number: u32| {
        for path in [
            format!("/x{number}"),
            format!("/apis/v2beta1/runs/{number}"),
            format!("/apis/v2beta1/runs/{number}:verb{number}"),
            format!("/apis/v{number}/runs"),
            format!("//apis/%zz{number}"),
            format!("/apis/v2beta1/pipelines/names/%22%7D%0A{number}"),
        ] {
            let method = format!("M{number}");
            for method in ["GET", "POST", method.as_str()] {
                let request = Request::builder().method(method).uri(&path).body(Body::empty()).expect("a request");
                server.send(request).await;
            }
        }
    };
    send(0).await;
    scrape(&server).await;
    let before = families(&scrape(&server).await);
    for number in 1..50 {
        send(number).await;
    }
    let text = scrape(&server).await;
    assert_eq!(families(&text), before, "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let labels = line.split('"').skip(1).step_by(2);
        let is_word = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        for label in labels.filter(|label| label.parse::<f64>().is_err()) {
            assert!(is_word(label) && label.len() <= 32, "{label:?} is no word of a closed set: {line}");
        }
    }
}

#[tokio::test]
async fn streams_are_counted_while_they_are_open() {
    let recorded = Recorded::start().await;
    let open = recorded.open(&format!("/apis/penstock/v1/runs/{}/events", recorded.run)).await;
    let uri = recorded.store_file("model.txt", b"0123456789");
    recorded.put_out(vec![("out", artifact(1, &uri, file_of(10)))]).await;
    assert!((value(&scrape(&recorded.server).await, "penstock_api_streams") - 1.0).abs() < f64::EPSILON);
    drop(open);
    assert!(value(&scrape(&recorded.server).await, "penstock_api_streams").abs() < f64::EPSILON);
}

/// A client that goes away does not stay in flight.
#[tokio::test]
async fn abandoned_requests_are_counted() {
    let server = Server::start().await;
    let body = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let request = Request::post("/apis/v2beta1/experiments")
        .header("content-type", "application/json")
        .body(body)
        .expect("a request");
    let wait = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(wait, server.open(request)).await.is_err());
    let text = scrape(&server).await;
    assert!((value(&text, &series("none", "POST", "abandoned")) - 1.0).abs() < f64::EPSILON, "{text}");
    assert!((value(&text, "penstock_api_requests_in_flight") - 1.0).abs() < f64::EPSILON, "{text}");
}
