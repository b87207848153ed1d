//! Who may call what: every route by every kind of caller, generated from the table of routes, so that a route cannot be
//! added without saying here how it is called.

use axum::body::Body;
use axum::http::{Method, Request};
use penstock_apiserver::router::{Requires, Route, Verb, route_table};
use serde_json::{Value, json};

use crate::fixture::{Answer, PIPELINE, Server, shown};
use crate::shared::{NAMESPACE, Shared, Things};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nobody,
    /// With a token that nobody issued.
    BadToken,
    /// While it cannot be found out whose tokens are.
    NoReview,
    /// While it cannot be found out what callers may do.
    NoRoles,
    View,
    Edit,
    /// Who may do everything elsewhere.
    Other,
}

impl Kind {
    const ALL: [Kind; 7] =
        [Kind::Nobody, Kind::BadToken, Kind::NoReview, Kind::NoRoles, Kind::View, Kind::Other, Kind::Edit];

    fn token(self) -> Option<&'static str> {
        Some(match self {
            Kind::Nobody => return None,
            Kind::BadToken => "forged",
            Kind::NoReview => "unknowable",
            Kind::NoRoles => "lost",
            Kind::View => "viewer",
            Kind::Edit => "editor",
            Kind::Other => "stranger",
        })
    }

    /// The status that a call of a route is answered with.
    fn expected(self, requires: Requires, call: &Call) -> u16 {
        let only_looks = matches!(requires, Requires::Access(_, Verb::Get | Verb::List | Verb::ReadArtifact));
        match (requires, self) {
            (Requires::Nothing, _) | (_, Kind::Edit) => 200,
            (_, Kind::Nobody | Kind::BadToken) => 401,
            (_, Kind::NoReview) => 503,
            (Requires::Caller, _) if call.for_all => 200,
            (_, Kind::NoRoles) => 503,
            (Requires::Caller, Kind::View) => 200,
            (_, Kind::View) if only_looks => 200,
            (_, Kind::View | Kind::Other) => call.denied,
        }
    }
}

/// A request that would succeed.
pub(crate) struct Call {
    query: String,
    body: Body,
    content_type: &'static str,
    /// Refusals of uploads have a status of their own.
    pub(crate) denied: u16,
    /// What an editor is answered when it is not 200: the request is understood, and asks for what cannot be.
    pub(crate) done: u16,
    /// Whether it is about nobody's things, so that all may who are known.
    for_all: bool,
}

fn plain(query: impl Into<String>) -> Call {
    Call {
        query: query.into(),
        body: Body::empty(),
        content_type: "application/json",
        denied: 403,
        done: 200,
        for_all: false,
    }
}

fn sending(body: &Value) -> Call {
    Call { body: Body::from(body.to_string()), ..plain("") }
}

fn uploading(query: String) -> Call {
    let form = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"uploadfile\"; filename=\"p.yaml\"\r\n\r\n{PIPELINE}\r\n--edge--\r\n"
    );
    Call { body: Body::from(form), content_type: "multipart/form-data; boundary=edge", denied: 400, ..plain(query) }
}

/// How a route is called so that it succeeds for who may.
///
/// # Panics
/// For a route that nobody has said it of.
fn call(route: &Route, things: &Things) -> Call {
    let Things { experiment, pipeline, run, .. } = things;
    let spec = shown();
    let refused = |done| move |call: Call| Call { done, ..call };
    match (route.method.as_str(), route.path) {
        ("GET", "/apis/v2beta1/healthz" | "/apis/v1beta1/healthz" | "/metrics") => plain(""),
        ("GET", "/apis/penstock/v1/openapi.json" | "/" | "/{file}" | "/assets/{asset}") => plain(""),
        ("GET", "/apis/v1beta1/auth" | "/apis/v2beta1/auth") => {
            plain(format!("namespace={NAMESPACE}&resources=VIEWERS&verb=GET"))
        }
        ("GET", "/apis/v2beta1/experiments" | "/apis/v2beta1/runs" | "/apis/v2beta1/recurringruns")
        | ("GET", "/apis/v1beta1/experiments" | "/apis/v1beta1/runs" | "/apis/v1beta1/jobs")
        | ("GET", "/apis/v1beta1/pipelines" | "/apis/penstock/v1/runs" | "/apis/penstock/v1/runs:search")
        | ("GET", "/apis/v2beta1/pipelines" | "/apis/v2beta1/pipelines/names/{name}") => {
            plain(format!("namespace={NAMESPACE}"))
        }
        ("GET", "/apis/penstock/v1/artifacts") => plain(format!("run_id={run}")),
        ("GET", "/apis/penstock/v1/runs:resolve") => plain(format!("run={run}")),
        ("GET", "/apis/v1beta1/pipeline_versions") => plain(format!("resource_key.id={pipeline}")),
        ("GET" | "DELETE", "/apis/penstock/v1/cache") => plain(format!("namespace={NAMESPACE}&all=true")),
        ("GET", "/apis/penstock/v1/events") => plain(format!("namespace={NAMESPACE}")),
        // It is the operator's.
        ("GET", "/apis/penstock/v1/notifications") => refused(403)(plain("")),
        ("GET", path) if path.ends_with("/runs") || path.ends_with("/consumers") || path.ends_with("/lineage") => {
            plain("")
        }
        // Its facts are none that a driver would write.
        ("GET", path) if path.ends_with("/cache") || path.ends_with("/tree") || path.ends_with("/tasks/{task_id}") => {
            refused(500)(plain(""))
        }
        ("GET", path) if path.ends_with("/spec") => plain(""),
        // The server knows no cluster.
        ("GET", path) if path.ends_with("/pod") => refused(404)(plain("")),
        // It has a version.
        ("DELETE", "/apis/v1beta1/pipelines/{pipeline_id}") => refused(400)(plain("")),
        ("GET" | "DELETE", path) if path.ends_with('}') => plain("cascade=true"),
        ("POST", path) if path.ends_with("{task_id}:retry") => refused(500)(plain("")),
        ("GET", path) if path.ends_with("/versions") || path.ends_with("/templates") || path.ends_with("/source") => {
            plain("")
        }
        ("GET", path) if path.ends_with("/next") => plain(""),
        // It is a file.
        ("GET", path) if path.ends_with("/files") => refused(400)(plain("")),
        ("DELETE", path) if path.ends_with("/backfill") => plain(""),
        // It is no table.
        ("GET", path) if path.ends_with("/table") => refused(400)(plain("")),
        // Directories make no links.
        ("GET", path) if path.ends_with("/link") => refused(400)(plain("")),
        ("GET", path) if path.ends_with("/content") || path.ends_with("/log") || path.ends_with(":read") => plain(""),
        // The run has ended, so that the stream does.
        ("GET", "/apis/penstock/v1/runs/{run_id}/events") => plain(""),
        ("POST", "/apis/v2beta1/experiments") => sending(&json!({"display_name": "new", "namespace": NAMESPACE})),
        ("POST", "/apis/v2beta1/pipelines") => sending(&json!({"name": "new", "namespace": NAMESPACE})),
        ("POST", "/apis/v2beta1/pipelines/create") => refused(400)(sending(&json!({
            "pipeline": {"name": "new", "namespace": NAMESPACE},
            "pipeline_version": {"package_url": {"pipeline_url": "https://example.com/p.yaml"}},
        }))),
        ("POST", "/apis/v2beta1/pipelines/{pipeline_id}/versions") => refused(400)(sending(&json!({
            "pipeline_id": pipeline, "package_url": {"pipeline_url": "https://example.com/p.yaml"},
        }))),
        ("POST", "/apis/v2beta1/pipelines/upload") => uploading(format!("name=new&namespace={NAMESPACE}")),
        ("POST", "/apis/v2beta1/pipelines/upload_version") => uploading(format!("name=new&pipelineid={pipeline}")),
        ("POST", "/apis/v2beta1/runs") => {
            sending(&json!({"display_name": "new", "experiment_id": experiment, "pipeline_spec": spec}))
        }
        ("POST", "/apis/v2beta1/recurringruns" | "/apis/penstock/v1/recurringruns:import") => sending(&json!({
            "display_name": "new", "experiment_id": experiment, "pipeline_spec": spec, "max_concurrency": 1,
            "trigger": {"cron_schedule": {"cron": "0 0 9 * * 1-5"}},
        })),
        ("PATCH", "/apis/v2beta1/pipelines/{pipeline_id}")
        | ("PATCH", "/apis/v2beta1/pipelines/{pipeline_id}/versions/{pipeline_version_id}") => {
            sending(&json!({"display_name": "changed"}))
        }
        ("PATCH", "/apis/penstock/v1/recurringruns/{recurring_run_id}") => sending(&json!({"description": "changed"})),
        ("GET", "/apis/penstock/v1/system") => Call { for_all: true, ..plain("") },
        ("POST", "/apis/penstock/v1/recurringruns:preview") => {
            Call { for_all: true, ..sending(&json!({"trigger": {"cron_schedule": {"cron": "0 0 9 * * 1-5"}}})) }
        }
        ("POST", "/apis/penstock/v1/recurringruns/{recurring_run_id}:backfill") => {
            sending(&json!({"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-02T00:00:00Z"}))
        }
        // The run has ended well.
        ("POST", "/apis/v2beta1/runs/{run_id}:terminate") => refused(400)(plain("")),
        ("POST", "/apis/v2beta1/runs/{run_id}:retry") => refused(409)(plain("")),
        ("POST", path) if path.contains("}:") => plain(""),
        (method, path) => panic!("say how {method} {path} is called, so that it is tested who may"),
    }
}

fn path(route: &Route, things: &Things) -> String {
    let mut path = route.path.to_owned();
    for (name, value) in things.names() {
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    assert!(!path.contains('{'), "say what stands for the names in {path}");
    path
}

/// A request of a route by somebody.
pub(crate) fn request(route: &Route, things: &Things, kind: Kind) -> (Request<Body>, Call) {
    let mut call = call(route, things);
    let uri = format!("{}?{}", path(route, things), call.query);
    let mut request =
        Request::builder().method(route.method.clone()).uri(uri).header("content-type", call.content_type);
    if let Some(token) = kind.token() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = std::mem::replace(&mut call.body, Body::empty());
    (request.body(body).expect("a request"), call)
}

fn has_message(answer: &Answer) -> bool {
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    body["message"].is_string() || body["error_message"].is_string()
}

/// T-10, T-11: nobody gets at what is not theirs, by whichever route.
#[tokio::test]
async fn t10_t11_each_route_is_for_those_who_may() {
    let shared = Shared::start().await;
    let mut denied = 0;
    for route in route_table() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Edit) {
            let (request, call) = request(&route, &shared.things, kind);
            let answer = shared.server.send(request).await;
            let expected = match kind.expected(route.requires, &call) {
                200 => call.done,
                refused => refused,
            };
            assert_eq!(
                answer.status.as_u16(),
                expected,
                "{} {} by {kind:?}: {}",
                route.method,
                route.path,
                answer.text
            );
            if expected != 200 && expected != call.done {
                assert!(has_message(&answer), "{route:?} by {kind:?}: {}", answer.text);
                denied += 1;
            }
        }
    }
    assert!(denied > 150, "{denied} refusals only");
    // Nothing of it has changed anything: all is still there, and as it was, for who may.
    for route in route_table().into_iter().filter(|route| route.method == Method::GET) {
        let (request, call) = request(&route, &shared.things, Kind::Edit);
        assert_eq!(shared.server.send(request).await.status.as_u16(), call.done, "{route:?}");
    }
    assert_eq!(shared.state().await, shared.at_first);
}

/// The other half: a refusal to everybody would pass the test above. Each in a store of its own, as calls change it.
#[tokio::test]
async fn each_route_answers_who_may() {
    for route in route_table() {
        let shared = Shared::start().await;
        let (request, call) = request(&route, &shared.things, Kind::Edit);
        let answer = shared.server.send(request).await;
        assert_eq!(answer.status.as_u16(), call.done, "{} {}: {}", route.method, route.path, answer.text);
    }
}

#[tokio::test]
async fn refusals_are_those_of_kfp() {
    let shared = Shared::start().await;
    let run = format!("/apis/v2beta1/runs/{}", shared.things.run);
    let unknown = shared.get(&run, None).await;
    let text = "Failed to check authorization. User identity is empty in the request header";
    assert_eq!(unknown.refused(401), text);
    assert_eq!(unknown.json()["code"], 16);
    assert_eq!(unknown.headers["www-authenticate"], format!("Unauthenticated: {text}"));
    let denied = shared.get(&run, Some("stranger")).await;
    let text = format!(
        "User 'stranger' is not authorized with reason: no rule of this server allows it (request: \
         ResourceAttributes{{Namespace:{NAMESPACE},Verb:get,Group:pipelines.kubeflow.org,Version:v1beta1,Resource:runs}})"
    );
    assert_eq!(denied.refused(403), text);
    assert_eq!(denied.json()["code"], 7);
    let away = shared.get(&run, Some("unknowable")).await;
    assert_eq!(away.refused(503), "Service unavailable");
    assert!(away.json()["message"].as_str().unwrap().contains("cannot find out who the caller is"), "{}", away.text);
}

#[tokio::test]
async fn requests_say_in_which_namespace() {
    let shared = Shared::start().await;
    let get = async |path: &str| shared.get(path, Some("editor")).await;
    let post = async |path: &str, body: Value| shared.post(path, "editor", &body).await;
    for (path, text) in [
        ("experiments", "An experiment cannot have an empty namespace in multi-user mode"),
        ("runs", "A run cannot have an empty namespace in multi-user mode"),
        ("recurringruns", "a recurring run cannot have an empty namespace in multi-user mode"),
    ] {
        assert_eq!(get(&format!("/apis/v2beta1/{path}")).await.refused(400), text);
        for odd in ["..", "A", "a%2Fb", "-a", "a%00", "*"] {
            get(&format!("/apis/v2beta1/{path}?namespace={odd}")).await.refused(400);
        }
    }
    let made = post("/apis/v2beta1/experiments", json!({"display_name": "x"})).await;
    assert_eq!(made.refused(400), "An experiment cannot have an empty namespace in multi-user mode");
    let run = json!({"display_name": "x", "pipeline_spec": shown()});
    let made = post("/apis/v2beta1/runs", run.clone()).await;
    assert_eq!(made.refused(400), "Experiment id can not be empty in multi-user mode");
    let recurring = json!({"display_name": "x", "pipeline_spec": shown(), "max_concurrency": 1});
    let made = post("/apis/v2beta1/recurringruns", recurring).await;
    assert_eq!(made.refused(400), "Experiment id can not be empty in multi-user mode");
    let listed = get(&format!("/apis/v2beta1/runs?namespace=team-b&experiment_id={}", shared.things.experiment)).await;
    let text = format!("Experiment {} belongs to namespace 'team-a' instead of 'team-b'", shared.things.experiment);
    assert_eq!(listed.refused(400), text);
    assert_eq!(get("/apis/v2beta1/healthz").await.ok()["multi_user"], true);
}

#[tokio::test]
async fn t10_lists_hold_what_lies_in_the_namespace_alone() {
    let shared = Shared::start().await;
    let names = async |path: &str, list: &str, token: &str| {
        let reply = shared.get(path, Some(token)).await.ok();
        let items = reply[list].as_array().cloned().unwrap_or_default();
        let total = reply["total_size"].as_u64().unwrap_or(0);
        assert_eq!(total, items.len() as u64, "{path}");
        items.into_iter().map(|item| item["display_name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    for (path, list, own) in [
        ("experiments", "experiments", "experiment"),
        ("pipelines", "pipelines", "pipeline"),
        ("runs", "runs", "run"),
        ("recurringruns", "recurringRuns", "recurring run"),
    ] {
        let of = |namespace: &str| format!("/apis/v2beta1/{path}?namespace={namespace}");
        assert_eq!(names(&of("team-a"), list, "viewer").await, [format!("{own} of team-a")]);
        assert_eq!(names(&of("team-b"), list, "stranger").await, [format!("{own} of team-b")]);
        // Whatever else a request says.
        let filter =
            json!({"predicates": [{"operation": "NOT_EQUALS", "key": "name", "string_value": ""}]}).to_string();
        let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        assert_eq!(names(&format!("{}&filter={filter}", of("team-a")), list, "viewer").await.len(), 1);
        shared.get(&of("team-b"), Some("viewer")).await.refused(403);
    }
    // A page token says where to go on, not in whose list.
    let shared_pipelines = shared.get("/apis/v2beta1/pipelines?page_size=1", Some("viewer")).await.ok();
    let token = shared_pipelines["next_page_token"].as_str().expect("a token");
    let path = format!("/apis/v2beta1/pipelines?namespace=team-a&page_token={token}");
    shared.get(&path, Some("stranger")).await.refused(403);
    let page = shared.get(&path, Some("viewer")).await.ok();
    assert!(!page.to_string().contains("team-b"), "{page}");
}

#[tokio::test]
async fn shared_pipelines_are_for_all_to_see_and_for_some_to_change() {
    let shared = Shared::start().await;
    let pipeline = &shared.things.shared_pipeline;
    let one = format!("/apis/v2beta1/pipelines/{pipeline}");
    for token in ["viewer", "editor", "stranger"] {
        assert_eq!(shared.get(&one, Some(token)).await.ok()["display_name"], "shared 1");
        assert_eq!(shared.get(&format!("{one}/versions"), Some(token)).await.status, 200);
        assert_eq!(shared.get("/apis/v2beta1/pipelines", Some(token)).await.ok()["total_size"], 2);
        assert_eq!(shared.get("/apis/v2beta1/pipelines/names/shared%201", Some(token)).await.status, 200);
        shared.call(Method::DELETE, &one, token, "").await.refused(403);
        shared.post("/apis/v2beta1/pipelines", token, &json!({"name": "new"})).await.refused(403);
    }
    shared.get(&one, None).await.refused(401);
    // Who may change what is of the server's own namespace.
    shared.post("/apis/v2beta1/pipelines", "operator", &json!({"name": "new"})).await.ok();
    let unknown = shared.get("/apis/v2beta1/pipelines/names/nothing?namespace=team-b", Some("viewer")).await;
    unknown.refused(403);
}

#[tokio::test]
async fn t10_a_run_is_made_of_what_its_maker_may_see() {
    let shared = Shared::start().await;
    let Things {
        experiment, other_pipeline, other_version, other_recurring, other_experiment, shared_pipeline, ..
    } = &shared.things;
    let make = async |change: Value| {
        let mut run = json!({"display_name": "x", "experiment_id": experiment});
        run.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let made = shared.post("/apis/v2beta1/runs", "editor", &run).await;
        let object = run.as_object_mut().unwrap();
        object.extend(json!({"max_concurrency": 1, "mode": "DISABLE"}).as_object().unwrap().clone());
        object.remove("recurring_run_id");
        (made, shared.post("/apis/v2beta1/recurringruns", "editor", &run).await)
    };
    for reference in [
        json!({"pipeline_id": other_pipeline}),
        json!({"pipeline_version_id": other_version}),
        json!({"pipeline_id": other_pipeline, "pipeline_version_id": other_version}),
    ] {
        let (run, recurring) = make(json!({"pipeline_version_reference": reference})).await;
        assert!(run.refused(403).contains("Namespace:team-b,Verb:get"), "{}", run.text);
        recurring.refused(403);
    }
    let (run, recurring) = make(json!({"pipeline_spec": shown(), "experiment_id": other_experiment})).await;
    run.refused(403);
    recurring.refused(403);
    let (run, _) = make(json!({"pipeline_spec": shown(), "recurring_run_id": other_recurring})).await;
    run.refused(403);
    // What is shared is everybody's, and the run is of the namespace of its experiment.
    let (run, recurring) = make(json!({"pipeline_version_reference": {"pipeline_id": shared_pipeline}})).await;
    assert_eq!(recurring.ok()["namespace"], NAMESPACE);
    let run = run.ok()["run_id"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(shared.store.run(run).await.expect("a run").info.namespace, NAMESPACE);
}

/// The server's credentials reach further than its users': what a run says of places is not believed.
#[tokio::test]
async fn t10_artifacts_are_read_below_the_root_of_their_run_alone() {
    let shared = Shared::start().await;
    for artifact in [&shared.things.imported, &shared.things.foreign] {
        let path = format!("/apis/penstock/v1/artifacts/{artifact}/content");
        let text = shared.get(&path, Some("viewer")).await.refused(403);
        assert!(text.contains("with credentials of your own"), "{text}");
    }
}

/// Other tests are about servers that ask nobody.
#[tokio::test]
async fn a_server_that_asks_nobody_believes_no_namespace() {
    let server = Server::start().await;
    let made = server.post("/experiments", json!({"display_name": "x", "namespace": "team-a"})).await.ok();
    assert_eq!(made["namespace"], Value::Null);
    assert_eq!(server.names("/experiments?namespace=team-b", "experiments").await.0.len(), 2);
    let asked = Request::get("/apis/v1beta1/auth?namespace=x&resources=VIEWERS&verb=GET").body(Body::empty()).unwrap();
    assert_eq!(server.send(asked).await.ok(), json!({}));
    for (query, text) in [
        ("resources=VIEWERS&verb=GET", "Namespace is empty. Please specify a valid namespace"),
        ("namespace=x&verb=GET", "Resources not specified. Please specify a valid resources"),
        ("namespace=x&resources=VIEWERS&verb=UNASSIGNED_VERB", "Verb not specified. Please specify a valid verb"),
        ("namespace=x&resources=VIEWERS&verb=LOOK", "parsing field \"verb\": \"LOOK\" is not valid"),
    ] {
        let asked = Request::get(format!("/apis/v1beta1/auth?{query}")).body(Body::empty()).unwrap();
        assert!(server.send(asked).await.refused(400).contains(text), "{query}");
    }
}

/// What users wrote is data in a reply, whoever looks at it with what.
#[tokio::test]
async fn t14_what_users_wrote_is_never_a_page() {
    let server = Server::start().await;
    let script = "<script>alert(1)</script>";
    let made = server.post("/experiments", json!({"display_name": script, "description": script})).await;
    assert_eq!(made.ok()["display_name"], script);
    let filter =
        format!("/experiments?sort_by={}", form_urlencoded::byte_serialize(script.as_bytes()).collect::<String>());
    for answer in [made, server.get("/experiments").await, server.get(&filter).await] {
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}
