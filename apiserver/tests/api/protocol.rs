//! What holds for every request, whatever it is about.

use axum::body::Body;
use axum::http::{Method, Request};
use penstock_apiserver::router::{Requires, Resource, route_table};
use serde_json::json;

use crate::fixture::{PIPELINE, Server};

async fn raw(server: &Server, method: &str, uri: &str) -> crate::fixture::Answer {
    server.send(Request::builder().method(method).uri(uri).body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn health_shows_its_defaults() {
    let server = Server::start().await;
    let expected =
        json!({"commit_sha": "abcdef", "tag_name": "1.2.3", "multi_user": false, "pipeline_store": "database"});
    assert_eq!(server.get("/healthz").await.ok(), expected);
    let older = raw(&server, "GET", "/apis/v1beta1/healthz").await.ok();
    assert_eq!(older, json!({"commit_sha": "abcdef", "tag_name": "1.2.3", "multi_user": false}));
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_done_are_told_apart() {
    let server = Server::start().await;
    let absent = raw(&server, "GET", "/apis/v2beta1/filters").await;
    assert_eq!((absent.status.as_u16(), absent.json()), (404, json!({"code": 5, "message": "Not Found"})));
    let outside = raw(&server, "GET", "/no/such/thing").await;
    assert_eq!((outside.status.as_u16(), outside.text.as_str()), (404, "404 page not found\n"));
    let method = raw(&server, "PUT", "/apis/v2beta1/experiments").await;
    assert_eq!((method.status.as_u16(), method.json()), (501, json!({"code": 12, "message": "Method Not Allowed"})));
    assert_eq!(raw(&server, "POST", "/apis/v2beta1/experiments/x:explode").await.status, 501);
    assert_eq!(raw(&server, "GET", "/apis/v2beta1/pipelines/upload").await.status, 501);
}

#[tokio::test]
async fn i12_paths_are_decoded_once() {
    let server = Server::start().await;
    assert_eq!(raw(&server, "GET", "//apis//v2beta1///healthz").await.status, 200);
    assert_eq!(raw(&server, "GET", "/apis/v2beta1/experiments/%zz").await.status, 400);
    let slash = raw(&server, "GET", "/apis/v2beta1/experiments/a%2Fb").await.refused(404);
    assert_eq!(slash, "Experiment a/b not found");
    let twice = raw(&server, "GET", "/apis/v2beta1/experiments/a%252Fb").await.refused(404);
    assert_eq!(twice, "Experiment a%2Fb not found");
    for odd in ["invalid-id-!@%23$%25", "..%2F..", ";drop", "%E2%80%AE", "0"] {
        assert_eq!(raw(&server, "GET", &format!("/apis/v2beta1/pipelines/{odd}")).await.status, 404, "{odd}");
    }
}

#[tokio::test]
async fn i25_large_bodies_are_refused() {
    let server = Server::start().await;
    let large = json!({"display_name": "x", "description": "x".repeat(2 << 20)});
    let answer = server.post("/experiments", large.clone()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["message"].as_str().unwrap().contains("larger than"));
    // A body that does not say how large it is.
    let chunks = futures::stream::iter(vec![Ok::<_, std::io::Error>(large.to_string())]);
    let answer = server.call(Method::POST, "/experiments", Body::from_stream(chunks)).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn t26_pages_of_other_origins_change_nothing() {
    let server = Server::start().await;
    let request = Request::post("/apis/v2beta1/experiments")
        .header("host", "localhost:8888")
        .header("origin", "http://evil.example")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"display_name": "x"}"#))
        .unwrap();
    assert_eq!(server.send(request).await.status, 403);
    assert_eq!(server.names("/experiments", "experiments").await.0, ["Default"]);
}

/// What a page of another origin can send without asking first changes nothing, whoever sends it.
#[tokio::test]
async fn t26_bodies_that_are_no_json_change_nothing() {
    let server = Server::start().await;
    let experiment = server.post("/experiments", json!({"display_name": "kept"})).await.ok()["experiment_id"].clone();
    let experiment = format!("/apis/v2beta1/experiments/{}", experiment.as_str().expect("an id"));
    let send = async |method: Method, path: &str, kind: Option<&str>, body: &'static str| {
        let request = Request::builder().method(method).uri(path);
        let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        server.send(request.body(Body::from(body)).expect("a request")).await
    };
    let (post, all) = (Method::POST, "/apis/v2beta1/experiments");
    let form = "application/x-www-form-urlencoded";
    for kind in [Some("text/plain"), Some(form), Some("multipart/form-data; boundary=edge"), None] {
        let text = send(post.clone(), all, kind, r#"{"display_name": "x"}"#).await.refused(415);
        assert!(text.contains("Content-Type: application/json"), "{kind:?}: {text}");
        // Also where the body counts for nothing.
        send(post.clone(), &format!("{experiment}:archive"), kind, "{}").await.refused(415);
        send(Method::DELETE, &experiment, kind, "{}").await.refused(415);
    }
    assert_eq!(server.names("/experiments", "experiments").await.0, ["Default", "kept"]);
    // Without a body there is nothing that could be of a type.
    for kind in [None, Some("text/plain")] {
        assert_eq!(send(post.clone(), &format!("{experiment}:archive"), kind, "").await.ok(), json!({}));
    }
    send(post, all, Some("application/json; charset=utf-8"), r#"{"display_name": "y"}"#).await.ok();
    let made = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok();
    let pipeline = format!("/apis/v2beta1/pipelines/{}", made["pipeline_id"].as_str().expect("an id"));
    send(Method::PATCH, &pipeline, Some("text/plain"), r#"{"display_name": "z"}"#).await.refused(415);
    assert_eq!(send(Method::DELETE, &format!("{pipeline}?cascade=true"), None, "").await.ok(), json!({}));
    // Forms are for uploads, and nothing else is.
    for kind in [Some("application/json"), Some(form), None] {
        send(Method::POST, "/apis/v2beta1/pipelines/upload?name=q", kind, "{}").await.refused_upload(400);
    }
}

#[test]
fn t11_every_route_says_what_it_requires() {
    for route in route_table() {
        let expected = match route.path {
            path if path.ends_with("/healthz") => None,
            "/" | "/{file}" | "/assets/{asset}" => None,
            // What it asks about is said by the request.
            "/apis/v1beta1/auth"
            | "/apis/v2beta1/auth"
            | "/apis/penstock/v1/recurringruns:preview"
            | "/apis/penstock/v1/system"
            | "/metrics"
            | "/apis/penstock/v1/openapi.json" => None,
            path if path.contains("beta1/experiments") => Some(Resource::Experiments),
            path if path.contains("beta1/pipeline") || path.contains("/v1/pipelines/") => Some(Resource::Pipelines),
            // Both make runs.
            path if path.ends_with(":run") || path.ends_with(":backfill") => Some(Resource::Runs),
            path if path.starts_with("/apis/penstock/v1/recurringruns") => Some(Resource::RecurringRuns),
            path if path.contains("beta1/recurringruns") || path.contains("beta1/jobs") => {
                Some(Resource::RecurringRuns)
            }
            path if path.contains("/runs") || path.starts_with("/apis/penstock/v1/artifacts") => Some(Resource::Runs),
            "/apis/penstock/v1/cache" | "/apis/penstock/v1/events" | "/apis/penstock/v1/notifications" => {
                Some(Resource::Runs)
            }
            path => panic!("{path} is not known to this test"),
        };
        let resource = match route.requires {
            Requires::Nothing | Requires::Caller => None,
            Requires::Access(resource, _) => Some(resource),
        };
        assert_eq!(resource, expected, "{route:?}");
    }
}

/// What the interface promises, and nothing beside it.
#[test]
fn t11_the_routes_are_these() {
    let mut routes: Vec<String> =
        route_table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    routes.sort_unstable();
    let mut expected: Vec<String> = [
        "/",
        "/{file}",
        "/assets/{asset}",
        "/apis/v1beta1/healthz",
        "/apis/v1beta1/auth",
        "/apis/v2beta1/auth",
        "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log",
        "/apis/v1beta1/runs/{run_id}/nodes/{node_id}/log",
        "/apis/v2beta1/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}:read",
        "/apis/penstock/v1/runs/{run_id}/tasks/{task_id}/attempts/{attempt}/log",
        "/apis/penstock/v1/runs",
        "/apis/penstock/v1/runs:resolve",
        "/apis/penstock/v1/runs:search",
        "/apis/penstock/v1/artifacts/{artifact_id}/table",
        "/apis/penstock/v1/system",
        "/apis/penstock/v1/runs/{run_id}",
        "/apis/penstock/v1/runs/{run_id}/events",
        "/apis/penstock/v1/runs/{run_id}/tree",
        "/apis/penstock/v1/runs/{run_id}/spec",
        "/apis/penstock/v1/runs/{run_id}/tasks/{task_id}",
        "/apis/penstock/v1/runs/{run_id}/tasks/{task_id}/attempts/{attempt}/pod",
        "/apis/penstock/v1/recurringruns/{recurring_run_id}/next",
        "/apis/penstock/v1/runs/{run_id}/tasks/{task_id}/cache",
        "/apis/penstock/v1/artifacts",
        "/apis/penstock/v1/artifacts/{artifact_id}",
        "/apis/penstock/v1/artifacts/{artifact_id}/runs",
        "/apis/penstock/v1/artifacts/{artifact_id}/consumers",
        "/apis/penstock/v1/artifacts/{artifact_id}/lineage",
        "/apis/penstock/v1/artifacts/{artifact_id}/content",
        "/apis/penstock/v1/artifacts/{artifact_id}/files",
        "/apis/penstock/v1/artifacts/{artifact_id}/link",
        "/apis/penstock/v1/openapi.json",
        "/apis/penstock/v1/pipelines/{pipeline_id}/versions/{pipeline_version_id}/source",
        "/apis/v1beta1/pipelines/{pipeline_id}/templates",
        "/apis/v1beta1/pipeline_versions/{pipeline_version_id}/templates",
        "/metrics",
        "/apis/penstock/v1/cache",
        "/apis/penstock/v1/events",
        "/apis/penstock/v1/notifications",
    ]
    .map(|path| format!("GET {path}"))
    .into();
    expected.extend(
        [
            "PATCH /apis/penstock/v1/recurringruns/{recurring_run_id}",
            "POST /apis/penstock/v1/recurringruns/{recurring_run_id}:backfill",
            "POST /apis/penstock/v1/recurringruns/{recurring_run_id}:run",
            "POST /apis/penstock/v1/recurringruns:import",
            "POST /apis/penstock/v1/recurringruns:preview",
            "POST /apis/penstock/v1/runs/{run_id}/tasks/{task_id}:retry",
            "DELETE /apis/penstock/v1/recurringruns/{recurring_run_id}/backfill",
            "DELETE /apis/penstock/v1/cache",
        ]
        .map(str::to_owned),
    );
    for (resource, id, methods, verbs) in [
        ("healthz", "", "GET", ""),
        ("experiments", "{experiment_id}", "POST GET / GET DELETE", "archive unarchive"),
        ("pipelines", "{pipeline_id}", "POST GET / GET PATCH DELETE", ""),
        ("pipelines/{pipeline_id}/versions", "{pipeline_version_id}", "POST GET / GET PATCH DELETE", ""),
        ("runs", "{run_id}", "POST GET / GET DELETE", "archive unarchive terminate retry"),
        ("recurringruns", "{recurring_run_id}", "POST GET / GET DELETE", "enable disable"),
        ("pipelines/names/{name}", "", "GET", ""),
        ("pipelines/create", "", "POST", ""),
        ("pipelines/upload", "", "POST", ""),
        ("pipelines/upload_version", "", "POST", ""),
        ("v1beta1/experiments", "{experiment_id}", "GET / GET", ""),
        ("v1beta1/runs", "{run_id}", "GET / GET DELETE", ""),
        ("v1beta1/jobs", "{recurring_run_id}", "GET / GET", ""),
        ("v1beta1/pipelines", "{pipeline_id}", "GET / GET DELETE", ""),
        ("v1beta1/pipeline_versions", "{pipeline_version_id}", "GET / GET", ""),
    ] {
        let (all, one) = methods.split_once(" / ").unwrap_or((methods, ""));
        let version = if resource.starts_with("v1beta1/") { "" } else { "v2beta1/" };
        let path = format!("/apis/{version}{resource}");
        expected.extend(all.split_whitespace().map(|method| format!("{method} {path}")));
        expected.extend(one.split_whitespace().map(|method| format!("{method} {path}/{id}")));
        expected.extend(verbs.split_whitespace().map(|verb| format!("POST {path}/{id}:{verb}")));
    }
    expected.sort_unstable();
    assert_eq!(routes, expected);
}

/// Whatever is sent to whichever route, it is the client's fault and told as JSON.
#[tokio::test]
async fn nonsense_is_never_a_fault_of_the_server() {
    const IDS: [&str; 6] =
        ["x", "%2e%2e%2f", "00000000-0000-0000-0000-000000000000", "%F0%9F%92%A9", "a'--;%20DROP", "%7Burn:uuid%7D"];
    const QUERIES: [&str; 9] = [
        "page_size=-1",
        "page_token=AAAA",
        "sort_by=%3B",
        "filter=%7B",
        "filter=%22%22&sort_by=tags.x",
        "filter=%7B%22predicates%22%3A%5B%7B%22operation%22%3A8%2C%22key%22%3A%22id%22%2C%22int_value%22%3A1%7D%5D%7D",
        "cascade=maybe&name=&pipelineid=",
        "%&=&&=%FF",
        "page_size=1&page_size=1&experiment_id=x&experiment_id=y",
    ];
    const BODIES: [&[u8]; 12] = [
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{\"display_name\": 5}",
        b"{\"name\": \"a\", \"name\": \"b\"}",
        b"{\"tags\": {\"a\": 1}, \"created_at\": 1e999}",
        b"{\"pipeline_spec\": {}, \"display_name\": \"x\"}",
        b"{\"pipeline_version_reference\": {\"pipeline_id\": \"\\u202e\"}, \"runtime_config\": []}",
        b"{\"pipeline_id\": {\"a\": [[[[[[[[]]]]]]]]}}",
        b"{\"display_name\": \"x\", \"max_concurrency\": 1, \"trigger\": {\"cron_schedule\": {\"cron\": \"\\u2028\"}}}",
        b"{\"display_name\": \"x\", \"max_concurrency\": 1, \"trigger\": {\"periodic_schedule\": {\"interval_second\": -1}}}",
    ];
    let server = Server::start().await;
    let long = "x".repeat(5000);
    for route in route_table() {
        let ids = IDS.into_iter().chain([long.as_str()]).map(|id| (id, "", BODIES[0]));
        let queries = QUERIES.into_iter().map(|query| ("x", query, BODIES[0]));
        let bodies = BODIES.into_iter().map(|body| ("x", "", body));
        for (id, query, body) in ids.chain(queries).chain(bodies) {
            let mut path = route.path.to_owned();
            while let Some((before, rest)) = path.split_once('{') {
                let (_, after) = rest.split_once('}').expect("a name in braces");
                path = format!("{before}{id}{after}");
            }
            let request = Request::builder().method(route.method.clone()).uri(format!("{path}?{query}"));
            let request = request.header("content-type", "application/json");
            let answer = server.send(request.body(Body::from(body)).unwrap()).await;
            assert!(answer.status.as_u16() < 500, "{route:?} {id} {query} {body:?}: {answer:?}");
            if route.path.starts_with("/apis/") && route.path != "/apis/penstock/v1/events" {
                answer.json();
            }
        }
    }
}
