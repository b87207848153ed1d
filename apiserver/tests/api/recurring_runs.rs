//! Recurring runs, without anything that fires them.

use penstock_apiserver::ApiSettings;
use serde_json::{Value, json};

use crate::fixture::{PIPELINE, Server, filter, shown};

/// A recurring run as clients send it, with something else in it.
fn body(change: Value) -> Value {
    let mut body = json!({
        "display_name": "hello world",
        "max_concurrency": 1,
        "mode": "ENABLE",
        "pipeline_spec": shown(),
        "trigger": {"cron_schedule": {"cron": "0 0 9 * * 1-5", "start_time": "2026-01-01T00:00:00Z"}},
    });
    let Value::Object(change) = change else { panic!("{change} is no object") };
    body.as_object_mut().expect("an object").extend(change);
    body
}

async fn made(server: &Server, change: Value) -> (String, Value) {
    let reply = server.post("/recurringruns", body(change)).await.ok();
    (reply["recurring_run_id"].as_str().expect("an id").to_owned(), reply)
}

#[tokio::test]
async fn a_recurring_run_is_shown_with_all_that_it_has() {
    let server = Server::start().await;
    let change = json!({
        "description": "d",
        "maxConcurrency": 10,
        "max_concurrency": null,
        "noCatchup": true,
        "runtime_config": {"pipeline_root": "s3://bucket"},
        "plugins_input": {"mlflow": {"disabled": true}},
        "status": "DISABLED",
        "created_at": "0001-01-01T00:00:00.000Z",
    });
    let mut sent = body(change);
    sent.as_object_mut().expect("an object").remove("max_concurrency");
    let mut reply = server.post("/recurringruns", sent).await.ok();
    let id = reply["recurring_run_id"].as_str().expect("an id").to_owned();
    assert_eq!(server.get(&format!("/recurringruns/{id}")).await.ok(), reply);
    let experiment = server.get("/experiments").await.ok()["experiments"][0]["experiment_id"].clone();
    let members = reply.as_object_mut().expect("an object");
    let (created, updated) = (members.remove("created_at"), members.remove("updated_at"));
    assert!(created.is_some() && created == updated);
    let expected = json!({
        "recurring_run_id": id,
        "display_name": "hello world",
        "description": "d",
        "experiment_id": experiment,
        "pipeline_spec": shown(),
        "runtime_config": {"pipeline_root": "s3://bucket"},
        "plugins_input": {"mlflow": {"disabled": true}},
        "service_account": "pipeline-runner",
        "max_concurrency": "10",
        "no_catchup": true,
        "trigger": {"cron_schedule": {"cron": "0 0 9 * * 1-5", "start_time": "2026-01-01T00:00:00Z"}},
        "mode": "ENABLE",
        "status": "ENABLED",
    });
    assert_eq!(reply, expected);
}

/// Unlike runs, as in KFP: what it is of lies in no namespace, and its runs go to the server's own.
#[tokio::test]
async fn a_recurring_run_tells_the_namespace_of_the_server() {
    let (api, directory) =
        Server::api_with(|settings| ApiSettings { own_namespace: "kubeflow".to_owned(), ..settings }).await;
    let server = Server::over(api, directory);
    let (id, reply) = made(&server, json!({})).await;
    assert_eq!(reply["namespace"], "kubeflow");
    assert_eq!(server.get(&format!("/recurringruns/{id}")).await.ok(), reply);
    assert_eq!(server.get("/recurringruns").await.ok()["recurringRuns"], json!([reply]));
}

#[tokio::test]
async fn modes_are_words_or_numbers_and_nothing_is_disabled() {
    let server = Server::start().await;
    for (mode, status) in [
        (json!("ENABLE"), "ENABLED"),
        (json!(1), "ENABLED"),
        (json!("DISABLE"), "DISABLED"),
        (json!("MODE_UNSPECIFIED"), "DISABLED"),
        (Value::Null, "DISABLED"),
    ] {
        let (id, reply) = made(&server, json!({"mode": mode, "trigger": {}})).await;
        assert_eq!((&reply["status"], &reply["trigger"]), (&json!(status), &json!({})));
        for (verb, status) in [("disable", "DISABLED"), ("enable", "ENABLED"), ("enable", "ENABLED")] {
            assert_eq!(server.act(&format!("/recurringruns/{id}:{verb}")).await.ok(), json!({}));
            assert_eq!(server.get(&format!("/recurringruns/{id}")).await.ok()["status"], status);
        }
    }
}

#[tokio::test]
async fn lists_have_a_key_of_their_own() {
    let server = Server::start().await;
    assert_eq!(server.get("/recurringruns").await.ok(), json!({}));
    for name in ["b", "A", "c"] {
        made(&server, json!({"display_name": name})).await;
    }
    let (names, token) = server.names("/recurringruns?sort_by=name&page_size=2", "recurringRuns").await;
    assert_eq!(names, ["A", "b"]);
    let path = format!("/recurringruns?page_token={}", token.expect("a token"));
    assert_eq!(server.names(&path, "recurringRuns").await, (vec!["c".to_owned()], None));
    let narrowed = filter("EQUALS", "display_name", &json!({"string_value": "a"}));
    let (names, _) = server.names(&format!("/recurringruns?namespace=x&{narrowed}"), "recurringRuns").await;
    assert_eq!(names, ["A"]);
    let text = server.get("/recurringruns?sort_by=storage_state").await.refused(400);
    assert_eq!(text, "Invalid sorting field: \"storage_state\" on listable type Job");
}

#[tokio::test]
async fn a_version_is_pinned_and_a_pipeline_alone_is_followed() {
    let server = Server::start().await;
    let pipeline = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok()["pipeline_id"].clone();
    let id = pipeline.as_str().expect("an id");
    let versions = server.get(&format!("/pipelines/{id}/versions")).await.ok();
    let version = versions["pipeline_versions"][0]["pipeline_version_id"].clone();
    for reference in
        [json!({"pipeline_id": pipeline}), json!({"pipeline_id": pipeline, "pipeline_version_id": version})]
    {
        let change = json!({"pipeline_spec": null, "pipeline_version_reference": reference});
        let (_, reply) = made(&server, change).await;
        assert_eq!((&reply["pipeline_version_reference"], &reply["pipeline_spec"]), (&reference, &Value::Null));
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    let change = json!({"pipeline_spec": null, "pipeline_version_reference": {"pipeline_version_id": unknown}});
    let text = server.post("/recurringruns", body(change)).await.refused(404);
    assert_eq!(text, format!("PipelineVersion {unknown} not found"));
}

#[tokio::test]
async fn what_cannot_recur_is_refused() {
    let server = Server::start().await;
    for (change, expected) in [
        (json!({"display_name": ""}), "Recurring run's name cannot be empty"),
        (json!({"max_concurrency": -1}), "at least 1 and at most 10. Received -1"),
        (json!({"max_concurrency": "11"}), "at least 1 and at most 10. Received 11"),
        (json!({"trigger": {"periodic_schedule": {}}}), "Found invalid period schedule interval 0."),
        (json!({"trigger": {"cron_schedule": {"cron": "* * * * * 7"}}}), "Schedule cron is not a supported format"),
        (json!({"trigger": {"cron_schedule": {}, "periodic_schedule": {}}}), "oneof is already set"),
        (json!({"pipeline_spec": null}), "Cannot create a job with an empty pipeline ID"),
        (json!({"pipeline_spec": {"root": {}}}), ""),
        (json!({"runtime_config": {"parameters": {"a": 1}}}), "not required by pipeline: a"),
        (json!({"namespace": "other"}), "belongs to namespace '' instead of 'other'"),
    ] {
        let text = server.post("/recurringruns", body(change)).await.refused(400);
        assert!(text.contains(expected), "{text}");
    }
    let text = server.post("/recurringruns", body(json!({"experiment_id": "12345"}))).await.refused(404);
    assert_eq!(text, "Experiment 12345 not found");
    assert_eq!(server.get("/recurringruns").await.ok(), json!({}));
}

#[tokio::test]
async fn one_that_is_deleted_is_not_found() {
    let server = Server::start().await;
    let (id, _) = made(&server, json!({})).await;
    let odd = server.delete(&format!("/recurringruns/{id}?propagation_policy=FOO")).await.refused(400);
    assert!(odd.contains("\"FOO\" is not one of"), "{odd}");
    assert_eq!(server.delete(&format!("/recurringruns/{id}?propagation_policy=FOREGROUND")).await.ok(), json!({}));
    for id in [id.as_str(), "12345"] {
        let path = format!("/recurringruns/{id}");
        let expected = format!("Job {id} not found");
        assert_eq!(server.get(&path).await.refused(404), expected);
        assert_eq!(server.delete(&path).await.refused(404), expected);
        assert_eq!(server.act(&format!("{path}:enable")).await.refused(404), expected);
        assert_eq!(server.act(&format!("{path}:disable")).await.refused(404), expected);
    }
}

#[tokio::test]
async fn archiving_an_experiment_disables_what_recurs_in_it() {
    let server = Server::start().await;
    let experiment = server.post("/experiments", json!({"display_name": "e"})).await.ok()["experiment_id"].clone();
    let (id, _) = made(&server, json!({"experiment_id": experiment})).await;
    let experiment = experiment.as_str().expect("an id");
    for verb in ["archive", "unarchive"] {
        server.act(&format!("/experiments/{experiment}:{verb}")).await.ok();
        assert_eq!(server.get(&format!("/recurringruns/{id}")).await.ok()["mode"], "DISABLE");
    }
    let path = format!("/recurringruns?experiment_id={experiment}");
    assert_eq!(server.names(&path, "recurringRuns").await.0, ["hello world"]);
    server.get("/recurringruns?experiment_id=12345").await.refused(404);
}
