use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

const AUDIENCE: &str = "pipelines.kubeflow.org";

/// What the API server answers, each time it is asked.
#[derive(Debug, Default)]
struct Cluster {
    asked: AtomicUsize,
    requests: Mutex<Vec<Value>>,
}

impl Cluster {
    /// A connection to an API server that answers with a status of HTTP and a body; never if there is none.
    fn answering(answer: Option<(u16, Value)>) -> (Arc<Cluster>, Client) {
        let cluster = Arc::new(Cluster::default());
        let of_service = Arc::clone(&cluster);
        let service = tower::service_fn(move |request: Request<Body>| {
            let (cluster, answer) = (Arc::clone(&of_service), answer.clone());
            async move {
                let path = request.uri().path().to_owned();
                let sent = request.into_body().collect().await.expect("a body").to_bytes();
                let mut sent: Value = serde_json::from_slice(&sent).expect("JSON");
                sent["path"] = path.into();
                cluster.requests.lock().unwrap().push(sent);
                cluster.asked.fetch_add(1, Ordering::Relaxed);
                let Some((status, body)) = answer else { return std::future::pending().await };
                let response = Response::builder().status(status).header("content-type", "application/json");
                Ok::<_, Infallible>(response.body(Body::from(body.to_string().into_bytes())).expect("a response"))
            }
        });
        (cluster, Client::new(service, "default"))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn review(kind: &str, status: &Value) -> Option<(u16, Value)> {
    let group = if kind == "TokenReview" { "authentication.k8s.io/v1" } else { "authorization.k8s.io/v1" };
    Some((201, json!({"apiVersion": group, "kind": kind, "metadata": {}, "spec": {}, "status": status})))
}

fn failure(code: u16, message: &str) -> Option<(u16, Value)> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                        "reason": "Forbidden", "code": code});
    Some((code, status))
}

fn bearer(token: &str) -> HeaderMap {
    [(names::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect()
}

fn presented(headers: &HeaderMap) -> Presented<'_> {
    Presented { headers, peer: None, on_loopback: false }
}

async fn identify(reviews: &TokenReviews, token: &str) -> Result<Option<Caller>, IdentityError> {
    reviews.identify(presented(&bearer(token))).await
}

fn ann() -> Caller {
    Caller { user: "ann".to_owned(), groups: vec!["team-a".to_owned()] }
}

fn action(verb: &'static str) -> Action {
    Action { namespace: "team-a".to_owned(), group: "pipelines.kubeflow.org", resource: "runs", verb }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_reviewed_once_in_a_while() {
    let user = json!({"username": "ann", "groups": ["team-a"]});
    let status = json!({"authenticated": true, "audiences": [AUDIENCE], "user": user});
    let (cluster, client) = Cluster::answering(review("TokenReview", &status));
    let reviews = TokenReviews::new(client, AUDIENCE);
    for _ in 0..3 {
        assert_eq!(identify(&reviews, "t1").await, Ok(Some(ann())));
    }
    assert_eq!(cluster.asked(), 1);
    let sent = cluster.requests.lock().unwrap()[0].clone();
    assert_eq!(sent["spec"], json!({"token": "t1", "audiences": [AUDIENCE]}));
    assert_eq!(sent["path"], "/apis/authentication.k8s.io/v1/tokenreviews");
    identify(&reviews, "t2").await.unwrap();
    assert_eq!(cluster.asked(), 2);
    tokio::time::advance(Duration::from_secs(61)).await;
    identify(&reviews, "t1").await.unwrap();
    assert_eq!(cluster.asked(), 3);
    assert_eq!(reviews.identify(presented(&HeaderMap::new())).await, Ok(None));
    assert_eq!(cluster.asked(), 3);
    assert!(!format!("{reviews:?}").contains("t1"));
}

#[tokio::test]
async fn tokens_that_are_not_for_this_server_are_refused() {
    let user = json!({"username": "ann"});
    for (status, reason) in [
        (json!({"authenticated": false, "error": "it has expired"}), "it has expired"),
        (json!({}), "not valid"),
        (json!({"authenticated": true, "user": user}), "audience"),
        (json!({"authenticated": true, "user": user, "audiences": ["https://kubernetes.default.svc"]}), "audience"),
        (json!({"authenticated": true, "user": {"username": ""}, "audiences": [AUDIENCE]}), "without a name"),
        (json!({"authenticated": true, "audiences": [AUDIENCE]}), "without a name"),
    ] {
        let (cluster, client) = Cluster::answering(review("TokenReview", &status));
        let reviews = TokenReviews::new(client, AUDIENCE);
        for _ in 0..2 {
            match identify(&reviews, "t").await {
                Err(IdentityError::Refused(text)) => assert!(text.contains(reason), "{text}"),
                other => panic!("{status}: {other:?}"),
            }
        }
        assert_eq!(cluster.asked(), 1, "{status}");
    }
}

/// R10: nobody is let in because nobody could be asked, and nothing of it is remembered.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_does_not_answer_lets_nobody_in() {
    for (answer, reason) in [
        (failure(403, "no right to that"), "may not create"),
        (failure(500, "etcd is away"), "etcd is away"),
        (None, "did not say within 5 s"),
        (Some((201, json!("what?"))), "cannot be asked"),
    ] {
        let (cluster, client) = Cluster::answering(answer);
        let reviews = TokenReviews::new(client.clone(), AUDIENCE);
        let roles = SubjectAccessReviews::new(client);
        for round in 1..=2 {
            match identify(&reviews, "t").await {
                Err(IdentityError::Unavailable(text)) => assert!(text.contains(reason), "{text}"),
                other => panic!("{reason}: {other:?}"),
            }
            let error = roles.decide(&ann(), &action("get")).await.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert_eq!(cluster.asked(), round * 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn roles_are_asked_about_what_is_done_where() {
    let (cluster, client) = Cluster::answering(review("SubjectAccessReview", &json!({"allowed": true})));
    let roles = SubjectAccessReviews::new(client);
    for _ in 0..2 {
        assert_eq!(roles.decide(&ann(), &action("get")).await, Ok(Decision::Allowed));
    }
    assert_eq!(cluster.asked(), 1);
    let sent = cluster.requests.lock().unwrap()[0].clone();
    let attributes = json!({"namespace": "team-a", "group": "pipelines.kubeflow.org", "version": "v1beta1",
                            "resource": "runs", "verb": "get"});
    assert_eq!(sent["spec"], json!({"user": "ann", "groups": ["team-a"], "resourceAttributes": attributes}));
    // Whatever differs is another question.
    roles.decide(&ann(), &action("list")).await.unwrap();
    roles.decide(&ann(), &Action { namespace: "team-b".to_owned(), ..action("get") }).await.unwrap();
    roles.decide(&Caller { groups: Vec::new(), ..ann() }, &action("get")).await.unwrap();
    assert_eq!(cluster.asked(), 4);
    tokio::time::advance(Duration::from_secs(16)).await;
    roles.decide(&ann(), &action("get")).await.unwrap();
    assert_eq!(cluster.asked(), 5);
}

#[tokio::test]
async fn what_roles_do_not_allow_is_denied() {
    for (status, reason) in [
        (json!({"allowed": false, "reason": "no role"}), "no role"),
        (json!({"allowed": false, "evaluationError": "a role is missing"}), "a role is missing"),
        (json!({"allowed": true, "denied": true}), ""),
    ] {
        let (_, client) = Cluster::answering(review("SubjectAccessReview", &status));
        let decision = SubjectAccessReviews::new(client).decide(&ann(), &action("get")).await;
        assert_eq!(decision, Ok(Decision::Denied(reason.to_owned())), "{status}");
    }
}

#[test]
fn odd_credentials_are_told_from_none() {
    let mut headers = bearer("a.b");
    assert_eq!(presented(&headers).bearer(), Ok(Some("a.b")));
    headers.append(names::AUTHORIZATION, "Bearer c".parse().unwrap());
    assert!(presented(&headers).bearer().is_err());
    for (value, expected) in [("bearer x", Some("x")), ("Basic x", None), ("Bearer ", None), ("Bearer", None)] {
        let headers = [(names::AUTHORIZATION, value.parse().unwrap())].into_iter().collect();
        assert_eq!(presented(&headers).bearer(), Ok(expected), "{value}");
    }
    assert!(presented(&bearer(&"x".repeat(LONGEST_TOKEN + 1))).bearer().is_err());
}
