//! Several users over time: what namespaces share, what v1beta1 calls them, and streams whose readers lose their rights.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use penstock_apiserver::auth::Sharing;
use penstock_apiserver::router::{Requires, Verb, route_table};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::access::{Kind, request};
use crate::fixture::{PIPELINE, Server, shown};
use crate::recorded::{TASK, read_until};
use crate::shared::{NAMESPACE, Shared};

const READING: Sharing = Sharing { reading: true, pipelines_need_namespace: false };
const NEEDED: Sharing = Sharing { reading: false, pipelines_need_namespace: true };

/// T-10: what is shared is for those who are known to look at, and for nobody to change.
#[tokio::test]
async fn t10_where_reading_is_shared_everybody_known_may_look_and_change_nothing() {
    let shared = Shared::start_with(READING).await;
    let (mut looks, mut denials) = (0, 0);
    for route in route_table() {
        for kind in [Kind::Nobody, Kind::Other] {
            let (request, call) = request(&route, &shared.things, kind);
            let may_look = matches!(route.requires, Requires::Caller | Requires::Access(_, Verb::Get | Verb::List));
            let expected = match (route.requires, kind) {
                (Requires::Nothing, _) => 200,
                (_, Kind::Nobody) => 401,
                _ if may_look => call.done,
                _ => call.denied,
            };
            let answer = shared.server.send(request).await;
            assert_eq!(answer.status, expected, "{} {} by {kind:?}: {}", route.method, route.path, answer.text);
            if kind == Kind::Other {
                *(if may_look { &mut looks } else { &mut denials }) += 1;
            }
        }
    }
    assert!(looks > 30 && denials > 20, "{looks} {denials}");
    assert_eq!(shared.state().await, shared.at_first);
    // What is the server's own is not shared by that.
    shared.get("/apis/penstock/v1/notifications", Some("stranger")).await.refused(403);
    let made = shared.post("/apis/v2beta1/pipelines", "stranger", &json!({"name": "new"})).await;
    assert!(made.refused(403).contains("Namespace:penstock-system,Verb:create"), "{}", made.text);
}

#[tokio::test]
async fn pipelines_are_of_a_namespace_where_it_is_required() {
    let shared = Shared::start_with(NEEDED).await;
    const TEXT: &str = "Namespace is required for pipeline operations";
    for path in ["pipelines", "pipelines/names/shared%201"] {
        assert_eq!(shared.get(&format!("/apis/v2beta1/{path}"), Some("editor")).await.refused(400), TEXT);
    }
    assert_eq!(shared.get("/apis/v1beta1/pipelines", Some("editor")).await.refused(400), TEXT);
    for body in [json!({"name": "new"}), json!({"name": "new", "namespace": ""})] {
        assert_eq!(shared.post("/apis/v2beta1/pipelines", "operator", &body).await.refused(400), TEXT);
    }
    let url = json!({"package_url": {"pipeline_url": "https://example.com/p.yaml"}});
    let import = json!({"pipeline": {"name": "new"}, "pipeline_version": url});
    assert_eq!(shared.post("/apis/v2beta1/pipelines/create", "operator", &import).await.refused(400), TEXT);
    let form = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"uploadfile\"; filename=\"p.yaml\"\r\n\r\n{PIPELINE}\r\n--edge--\r\n"
    );
    let upload = async |query: &str| {
        let request = Request::post(format!("/apis/v2beta1/pipelines/upload?name=new{query}"))
            .header("authorization", "Bearer editor")
            .header("content-type", "multipart/form-data; boundary=edge");
        shared.server.send(request.body(Body::from(form.clone())).expect("a request")).await
    };
    let refused = upload("").await;
    refused.refused_upload(400);
    assert!(refused.text.contains(TEXT), "{}", refused.text);
    assert_eq!(upload("&namespace=team-a").await.ok()["namespace"], NAMESPACE);
    // Those that are there stay, for whoever knows them.
    let one = format!("/apis/v2beta1/pipelines/{}", shared.things.shared_pipeline);
    assert_eq!(shared.get(&one, Some("viewer")).await.ok()["display_name"], "shared 1");
}

#[tokio::test]
async fn v1beta1_lists_are_of_a_namespace() {
    let shared = Shared::start().await;
    for (path, list, own) in [
        ("experiments", "experiments", "experiment"),
        ("pipelines", "pipelines", "pipeline"),
        ("runs", "runs", "run"),
        ("jobs", "jobs", "recurring run"),
    ] {
        for kind in ["NAMESPACE", "5"] {
            let of = |namespace: &str| {
                format!("/apis/v1beta1/{path}?resource_reference_key.type={kind}&resource_reference_key.id={namespace}")
            };
            let reply = shared.get(&of("team-a"), Some("viewer")).await.ok();
            let names: Vec<&Value> = reply[list].as_array().expect("a list").iter().map(|item| &item["name"]).collect();
            assert_eq!((names, &reply["total_size"]), (vec![&json!(format!("{own} of team-a"))], &json!(1)), "{path}");
            let home = json!({"key": {"type": "NAMESPACE", "id": "team-a"}, "relationship": "OWNER"});
            // Runs do not say where they lie, but in which experiment.
            assert!(path == "runs" || reply[list][0]["resource_references"][0] == home, "{reply}");
            shared.get(&of("team-b"), Some("viewer")).await.refused(403);
            shared.get(&of("team-a"), None).await.refused(401);
        }
        if path != "pipelines" {
            let nowhere = shared.get(&format!("/apis/v1beta1/{path}"), Some("viewer")).await.refused(400);
            assert!(nowhere.contains("cannot have an empty namespace in multi-user mode"), "{nowhere}");
        }
    }
    let experiment = shared.things.experiment;
    for kind in ["EXPERIMENT", "1"] {
        let of_one =
            format!("/apis/v1beta1/runs?resource_reference_key.type={kind}&resource_reference_key.id={experiment}");
        assert_eq!(shared.get(&of_one, Some("viewer")).await.ok()["total_size"], 1);
        shared.get(&of_one, Some("stranger")).await.refused(403);
    }
    // Where namespaces do not count, that of a request narrows nothing.
    let server = Server::start().await;
    let path = "/apis/v1beta1/experiments?resource_reference_key.type=NAMESPACE&resource_reference_key.id=x";
    let reply = server.get_whole(path).await.ok();
    assert_eq!(reply["experiments"][0].get("resource_references"), None, "{reply}");
}

/// Where the stock client asks what KFP's dashboard asks of the version before.
#[tokio::test]
async fn callers_ask_what_they_may_look_at() {
    let shared = Shared::start().await;
    for version in ["v1beta1", "v2beta1"] {
        let path = format!("/apis/{version}/auth?namespace={NAMESPACE}&resources=VIEWERS&verb=GET");
        assert_eq!(shared.get(&path, Some("viewer")).await.ok(), json!({}));
        let text = shared.get(&path, Some("stranger")).await.refused(403);
        assert!(text.contains("Verb:get,Group:kubeflow.org,Version:v1beta1,Resource:viewers"), "{text}");
        shared.get(&path.replace("GET", "CREATE"), Some("viewer")).await.refused(403);
    }
}

/// T-13: what narrows, sorts and pages a list is looked up, never written into a statement, and shows nothing of others.
#[tokio::test]
async fn t13_what_a_list_is_asked_for_is_no_sql() {
    let shared = Shared::start().await;
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    for list in ["experiments", "pipelines", "runs", "recurringruns"] {
        let of = |query: String| format!("/apis/v2beta1/{list}?namespace={NAMESPACE}&{query}");
        let get = async |query: String| shared.get(&of(query), Some("viewer")).await;
        for sql in ["name' OR '1'='1", "name; DROP TABLE runs", "(SELECT 1)", "namespace desc--", "tags.a\" OR 1=1"] {
            get(format!("sort_by={}", encoded(sql))).await.refused(400);
            let filter = json!({"predicates": [{"operation": "EQUALS", "key": sql, "string_value": "x"}]}).to_string();
            let answer = get(format!("filter={}", encoded(&filter))).await;
            // Tags may be called anything.
            assert!(sql.starts_with("tags.") && answer.text == "{}" || answer.status == 400, "{sql}: {}", answer.text);
            get(format!("page_token={}", encoded(sql))).await.refused(400);
            // As a value it is a text that nothing is called by.
            for operation in ["EQUALS", "IS_SUBSTRING"] {
                let predicate = json!({"operation": operation, "key": "name", "string_value": sql});
                let filter = json!({"predicates": [predicate]}).to_string();
                assert_eq!(get(format!("filter={}", encoded(&filter))).await.ok(), json!({}), "{sql}");
            }
        }
        // Nobody widens a list to other namespaces by a filter.
        let predicate = json!({"operation": "EQUALS", "key": "namespace", "string_value": "team-b"});
        let filter = json!({"predicates": [predicate]}).to_string();
        let answer = get(format!("filter={}", encoded(&filter))).await;
        assert!(!answer.text.contains("of team-b"), "{}", answer.text);
    }
    let first = shared.get("/apis/v2beta1/pipelines?page_size=1", Some("viewer")).await.ok();
    let token = first["next_page_token"].as_str().expect("a token");
    for at in [0, token.len() / 2, token.len() - 2] {
        let changed = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let forged = format!("{}{changed}{}", &token[..at], &token[at + 1..]);
        shared.get(&format!("/apis/v2beta1/pipelines?page_token={forged}"), Some("viewer")).await.refused(400);
    }
    assert_eq!(shared.state().await, shared.at_first);
}

/// Lets time pass, for what waits.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Whether a stream goes on: something comes, or nothing yet.
async fn goes_on(stream: &mut Response<Body>) -> bool {
    match timeout(Duration::from_millis(300), stream.body_mut().frame()).await {
        Err(_) | Ok(Some(Ok(_))) => true,
        Ok(None | Some(Err(_))) => false,
    }
}

/// A server, and what it sends of a namespace for as long as somebody listens.
async fn streams() -> (Shared, Vec<String>) {
    let shared = Shared::start().await;
    let run = shared.running().await;
    let task = penstock_engine::task_id(run, TASK);
    let paths = vec![
        format!("/apis/penstock/v1/events?namespace={NAMESPACE}"),
        format!("/apis/penstock/v1/runs/{run}/events"),
        format!("/apis/penstock/v1/runs/{run}/tasks/{task}/attempts/0/log?follow=true"),
        format!("/apis/v1alpha1/runs/{run}/nodes/{task}/log?follow=true"),
    ];
    (shared, paths)
}

async fn open(shared: &Shared, path: &str, token: &str) -> Response<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let stream = shared.server.open(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(stream.status(), 200, "{path}");
    stream
}

/// T-10: rights that end while something is being sent.
#[tokio::test]
async fn t10_streams_break_off_when_their_reader_may_have_them_no_longer() {
    let (shared, paths) = streams().await;
    for path in paths {
        for takes_token in [false, true] {
            let (mut stream, mut other) = (open(&shared, &path, "viewer").await, open(&shared, &path, "editor").await);
            for _ in 0..3 {
                pass(31).await;
                assert!(goes_on(&mut stream).await && goes_on(&mut other).await, "{path}");
            }
            {
                let mut taken = shared.taken.lock().expect("no panic");
                if takes_token {
                    taken.tokens.insert("viewer")
                } else {
                    taken.rights.insert("viewer")
                };
            }
            pass(31).await;
            let ended = timeout(Duration::from_secs(10), to_bytes(stream.into_body(), 1 << 20)).await.expect("it ends");
            let error = ended.expect_err("visibly");
            assert!(error.to_string().contains("viewer") || takes_token, "{error}");
            shared.get(&path, Some("viewer")).await.refused(if takes_token { 401 } else { 403 });
            assert!(goes_on(&mut other).await, "{path}: it is another's");
            let mut taken = shared.taken.lock().expect("no panic");
            taken.rights.clear();
            taken.tokens.clear();
        }
    }
}

/// A moment without an answer is not the end of everything that is being sent; a long one is.
#[tokio::test]
async fn streams_outlive_a_short_silence_of_who_decides() {
    let (shared, paths) = streams().await;
    let silent = |is_silent: bool| shared.taken.lock().expect("no panic").silent = is_silent;
    for path in paths {
        let mut stream = open(&shared, &path, "viewer").await;
        for _ in 0..2 {
            silent(true);
            for look in 0..4 {
                pass(31).await;
                assert!(goes_on(&mut stream).await, "{path} {look}");
            }
            silent(false);
            pass(31).await;
            assert!(goes_on(&mut stream).await, "{path}");
        }
        silent(true);
        let mut looks = 0;
        while goes_on(&mut stream).await {
            assert!(looks < 10, "{path} goes on");
            pass(31).await;
            looks += 1;
        }
        assert_eq!(looks, 5, "{path}");
        silent(false);
    }
}

#[tokio::test]
async fn where_nobody_is_asked_streams_go_on() {
    let recorded = crate::recorded::Recorded::start().await;
    let mut stream = recorded.open("/apis/penstock/v1/events").await;
    read_until(&mut stream, "ready").await;
    for _ in 0..10 {
        pass(31).await;
        assert!(goes_on(&mut stream).await);
    }
}

/// Whoever may do nothing is told nothing: neither what there is nor what is allowed elsewhere.
#[tokio::test]
async fn t10_ids_of_others_tell_nothing_but_that_they_are_theirs() {
    let shared = Shared::start().await;
    let absent = "11111111-2222-3333-4444-555555555555";
    for (path, id) in [
        ("experiments", shared.things.other_experiment),
        ("pipelines", shared.things.other_pipeline),
        ("recurringruns", shared.things.other_recurring),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let answer = shared.call(method.clone(), &format!("/apis/v2beta1/{path}/{id}"), "editor", "").await;
            let text = answer.refused(403);
            assert!(text.starts_with("User 'editor' is not authorized with reason: "), "{text}");
            assert!(!answer.text.contains(" of team-b"), "{}", answer.text);
            shared.call(method, &format!("/apis/v2beta1/{path}/{absent}"), "editor", "").await.refused(404);
        }
    }
    let body = json!({"display_name": "x", "experiment_id": shared.things.other_experiment, "pipeline_spec": shown()});
    shared.post("/apis/v2beta1/runs", "editor", &body).await.refused(403);
    assert_eq!(shared.state().await, shared.at_first);
}
