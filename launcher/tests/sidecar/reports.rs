//! Delivery of the report to an API server that is busy, slow, or refuses.

use std::time::{Duration, Instant};

use penstock_launcher::pod::api_server::{ApiServer, ReportError};
use penstock_launcher::pod::machine::Conclusion;
use penstock_launcher::pod::report::build;
use penstock_spec::pod::{Phases, PodReport};
use penstock_spec::report::{AttemptRef, Failure, FailureCause};
use penstock_spec::timings::Timings;
use uuid::Uuid;

use crate::api_server::{Answer, FakeApiServer, NAMESPACE, POD, UID};

fn report(message: &str) -> PodReport {
    let attempt = AttemptRef { run_id: Uuid::nil(), task_id: Uuid::nil(), attempt: 0 };
    let failure = Failure { cause: FailureCause::User, message: message.to_owned() };
    let conclusion = Conclusion { failure: Some(failure), manifest_digest: None, exit_code: Some(1), log_uri: None };
    build(UID, attempt, &conclusion, Phases::default(), Timings::default())
}

struct Delivered {
    result: Result<(), ReportError>,
    reports: Vec<PodReport>,
    took: Duration,
}

async fn deliver(script: Vec<Answer>, message: &str, budget: Duration) -> Delivered {
    let directory = tempfile::tempdir().expect("a directory");
    let server = FakeApiServer::start(directory.path(), script).await;
    let client = ApiServer {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        namespace: NAMESPACE.to_owned(),
        pod_name: POD.to_owned(),
        pod_dir: directory.path().to_owned(),
    };
    let started = Instant::now();
    let result = client.deliver(&report(message), budget).await;
    Delivered { result, reports: server.reports(), took: started.elapsed() }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn f08_busy_servers_are_asked_again_and_told_the_same() {
    let script = vec![
        Answer::Status(429, "later", Some(1)),
        Answer::Status(500, "etcdserver: no leader", None),
        Answer::Status(503, "", None),
        Answer::Status(401, "expired", None),
        Answer::Status(403, "no role yet", None),
        Answer::Lost,
    ];
    let delivered = deliver(script, "m", MINUTE).await;
    assert_eq!(delivered.result, Ok(()));
    assert_eq!(delivered.reports, vec![report("m"); 7]);
    assert!(delivered.took > Duration::from_secs(1), "Retry-After is kept");
}

#[tokio::test]
async fn server_that_does_not_answer_is_left_after_ten_seconds() {
    let delivered = deliver(vec![Answer::Silence(MINUTE)], "m", MINUTE).await;
    assert_eq!(delivered.result, Ok(()));
    assert!((10..15).contains(&delivered.took.as_secs()), "{:?}", delivered.took);
}

#[tokio::test]
async fn refusals_for_good_end_the_tries() {
    for (status, message) in [
        (404, "pods \"x\" not found"),
        (409, "the UID in the precondition does not match"),
        (422, "metadata.uid: field is immutable"),
        (400, "bad request"),
    ] {
        let delivered = deliver(vec![Answer::Status(status, message, None)], "m", MINUTE).await;
        assert_eq!(delivered.reports.len(), 1);
        match delivered.result {
            Err(ReportError::Refused { pod, reason }) => {
                assert_eq!(pod, format!("{NAMESPACE}/{POD}"));
                assert!(reason.contains(message) && reason.contains(&status.to_string()), "{reason}");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn f10_report_that_is_too_large_is_shortened_once() {
    for answer in [Answer::Status(413, "", None), Answer::Status(422, "metadata.annotations: Too long", None)] {
        let long = "x".repeat(20_000);
        let delivered = deliver(vec![answer.clone()], &long, MINUTE).await;
        assert_eq!(delivered.result, Ok(()));
        let lengths: Vec<usize> =
            delivered.reports.iter().map(|report| serde_json::to_string(report).expect("text").len()).collect();
        assert!(lengths[0] <= 8 << 10 && lengths[1] <= 1024, "{lengths:?}");
        let delivered = deliver(vec![answer.clone(), answer], &long, MINUTE).await;
        assert!(matches!(delivered.result, Err(ReportError::Refused { .. })));
    }
}

#[tokio::test]
async fn budget_ends_the_tries_with_their_number() {
    let script = vec![Answer::Status(503, "down", None); 1_000];
    let delivered = deliver(script, "m", Duration::from_secs(2)).await;
    let error = delivered.result.expect_err("never taken").to_string();
    assert!(error.contains("within 2 s") && error.contains("tries") && error.contains("down"), "{error}");
    assert!(delivered.took < Duration::from_secs(4));
}
