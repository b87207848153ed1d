//! Runs by what they were made of and what came out of them.

use penstock_metastore::{NewRun, RunRegistration};
use penstock_spec::run::RunStatus;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::PIPELINE;
use crate::recorded::{Recorded, artifact};
use crate::shared::{NAMESPACE, Shared};

const SEARCH: &str = "/apis/penstock/v1/runs:search";

fn filtered(predicates: &Value) -> String {
    let text = json!({ "predicates": predicates }).to_string();
    format!("filter={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>())
}

/// Runs with a parameter each, the first of a pipeline.
async fn with_rates(rates: &[f64]) -> (Recorded, Uuid) {
    let recorded = Recorded::start().await;
    let pipeline = Uuid::from_u128(77);
    for (number, rate) in rates.iter().enumerate() {
        let mut info = recorded.store.run(recorded.run).await.expect("the run").info;
        info.id = Uuid::from_u128(100 + number as u128);
        info.name = format!("run-{number}");
        info.display_name = format!("run {number}");
        let registration =
            RunRegistration { pipeline: (number == 0).then_some(pipeline), ..RunRegistration::default() };
        let parameters = json!({"rate": rate, "name": "adam"}).as_object().expect("an object").clone();
        let new = NewRun { info, pipeline_text: PIPELINE.to_owned(), parameters, options: json!({}), registration };
        recorded.store.create_run(new).await.expect("a run");
    }
    (recorded, pipeline)
}

async fn names(recorded: &Recorded, query: &str) -> Vec<String> {
    let page = recorded.get(&format!("{SEARCH}?{query}")).await.ok();
    let runs = page["runs"].as_array().cloned().unwrap_or_default();
    runs.iter().map(|run| run["display_name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn runs_are_found_by_parameters_and_metrics_and_have_them() {
    let (recorded, pipeline) = with_rates(&[0.1, 0.5, 2.0]).await;
    let mut metrics = artifact(5, "", None);
    metrics.artifact_type.schema_title = "system.Metrics".to_owned();
    metrics.metadata = json!({"val loss": 0.25}).as_object().expect("an object").clone();
    recorded.put_out(vec![("metrics", metrics)]).await;

    let by = |key: &str, operation: &str, value: &str| {
        filtered(&json!([{"key": key, "operation": operation, "string_value": value}]))
    };
    assert_eq!(names(&recorded, &by("parameters.rate", "EQUALS", "0.10")).await, ["run 0"]);
    assert_eq!(names(&recorded, &by("parameters.rate", "GREATER_THAN", "0.1")).await, ["run 1", "run 2"]);
    assert_eq!(names(&recorded, &by("metrics.val loss", "LESS_THAN", "1")).await, ["hello"]);
    assert_eq!(names(&recorded, &by("pipeline_id", "EQUALS", &pipeline.to_string())).await, ["run 0"]);
    assert_eq!(names(&recorded, &by("tags.team", "EQUALS", "ml")).await, [""; 0]);
    let both = filtered(&json!([
        {"key": "parameters.name", "operation": "EQUALS", "string_value": "adam"},
        {"key": "name", "operation": "IS_SUBSTRING", "string_value": "UN 2"},
    ]));
    assert_eq!(names(&recorded, &both).await, ["run 2"]);
    let sorted = names(&recorded, "sort_by=parameters.rate%20desc").await;
    assert_eq!(sorted, ["run 2", "run 1", "run 0"]);

    let all = recorded.get(SEARCH).await.ok();
    assert_eq!(all["total_size"], 4);
    assert_eq!(all["values"][recorded.run.to_string()], json!({"metrics": {"val loss": 0.25}}));
    let first = Uuid::from_u128(100).to_string();
    assert_eq!(all["values"][first], json!({"parameters": {"name": "adam", "rate": 0.1}}));
    assert_eq!(all.get("values_incomplete"), None);
    let text = recorded.get(&format!("{SEARCH}?{}", by("parameters.rate", "LESS_THAN", "low"))).await.refused(400);
    assert!(text.contains("parameters.rate") && text.contains("0.5"), "{text}");
}

/// KFP's own lists know no other word for it than for one that failed.
#[tokio::test]
async fn a_run_that_was_stopped_is_found_as_that() {
    let (recorded, _) = with_rates(&[0.1]).await;
    recorded.end_as(RunStatus::Canceled).await;
    let state =
        |words: &[&str]| filtered(&json!([{"key": "state", "operation": "IN", "string_values": {"values": words}}]));
    assert_eq!(names(&recorded, &state(&["CANCELED"])).await, ["hello"]);
    assert_eq!(names(&recorded, &state(&["FAILED"])).await, [""; 0]);
    assert_eq!(names(&recorded, &state(&["FAILED", "CANCELED"])).await, ["hello"]);
    let listed = async |words: &[&str]| recorded.get(&format!("/apis/v2beta1/runs?{}", state(words))).await.ok();
    assert_eq!(listed(&["CANCELED"]).await, json!({}));
    assert_eq!(listed(&["FAILED"]).await["runs"][0]["state"], "FAILED");
}

/// Runs of earlier builds have no values yet.
#[tokio::test]
async fn values_of_earlier_runs_are_recorded_by_the_server() {
    let (recorded, _) = with_rates(&[0.1, 0.5]).await;
    let waits = "INSERT INTO unrecorded_values (run_id) SELECT id FROM runs WHERE id <> $1";
    recorded.execute(waits, Uuid::nil()).await;
    recorded.execute("DELETE FROM run_values WHERE run_id <> $1", Uuid::nil()).await;
    let sorted = "sort_by=parameters.rate";
    assert_eq!(recorded.get(&format!("{SEARCH}?{sorted}")).await.ok(), json!({"values_incomplete": true}));
    let shutdown = penstock_runtime::shutdown::Shutdown::default();
    let recording = penstock_apiserver::value_records::run(recorded.api.clone(), shutdown);
    tokio::time::timeout(std::time::Duration::from_secs(20), recording).await.expect("it ends by itself");
    let found = recorded.get(&format!("{SEARCH}?{sorted}")).await.ok();
    assert_eq!((&found["total_size"], found.get("values_incomplete")), (&json!(2), None));
}

/// T-13: a token is of one list.
#[tokio::test]
async fn t13_pages_go_on_by_tokens_that_the_server_has_signed() {
    let (recorded, _) = with_rates(&[0.1, 0.5, 2.0, 2.0, -1.0]).await;
    for sort in ["created_at", "parameters.rate", "parameters.rate desc", "name desc"] {
        let filter =
            filtered(&json!([{"key": "parameters.name", "operation": "IN", "string_values": {"values": ["adam"]}}]));
        let query = format!("{filter}&sort_by={}&page_size=2", sort.replace(' ', "%20"));
        let whole = names(&recorded, &query.replace("page_size=2", "page_size=100")).await;
        assert_eq!(whole.len(), 5);
        let mut seen = names(&recorded, &query).await;
        let first = recorded.get(&format!("{SEARCH}?{query}")).await.ok();
        let mut token = first["next_page_token"].as_str().expect("a token").to_owned();
        loop {
            // What the token says need not be said again.
            let page = recorded.get(&format!("{SEARCH}?page_size=2&page_token={token}")).await.ok();
            seen.extend(
                page["runs"]
                    .as_array()
                    .expect("runs")
                    .iter()
                    .map(|run| run["display_name"].as_str().expect("a name").to_owned()),
            );
            match page["next_page_token"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, whole, "{sort}");
        let mut forged = token.clone().into_bytes();
        forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        recorded.get(&format!("{SEARCH}?page_token={forged}")).await.refused(400);
        recorded.get(&format!("{SEARCH}?page_token={token}&sort_by=description")).await.refused(400);
        recorded.get(&format!("/apis/v2beta1/runs?page_token={token}")).await.refused(400);
    }
}

/// T-10, T-13: what is searched is the caller's namespace alone, and what is searched for is never written into a statement.
#[tokio::test]
async fn t10_a_search_shows_nothing_of_others() {
    let shared = Shared::start().await;
    let search = async |namespace: &str, query: &str, token: &str| {
        shared.get(&format!("{SEARCH}?namespace={namespace}&{query}"), Some(token)).await
    };
    search("team-b", "", "viewer").await.refused(403);
    shared.get(SEARCH, Some("viewer")).await.refused(400);
    let none_of = |key: &str| filtered(&json!([{"key": key, "operation": "NOT_EQUALS", "string_value": "x"}]));
    let body = json!({
        "display_name": "other", "experiment_id": shared.things.experiment, "pipeline_spec": crate::fixture::shown(),
        "runtime_config": {"parameters": {"rate": 1, "a' OR '1'='1": "b"}},
    });
    shared.post("/apis/v2beta1/runs", "editor", &body).await.ok();
    for query in [none_of("parameters.rate"), "sort_by=parameters.rate".to_owned()] {
        let own = search(NAMESPACE, &query, "viewer").await.ok();
        assert_eq!(own["total_size"], 1, "{own}");
        assert_eq!(search("team-b", &query, "stranger").await.ok(), json!({}));
    }
    for sql in ["rate' OR '1'='1", "rate\"; DROP TABLE runs --", "%"] {
        for kind in ["parameters", "metrics"] {
            let key = format!("{kind}.{sql}");
            assert_eq!(search(NAMESPACE, &none_of(&key), "viewer").await.ok(), json!({}), "{key}");
            let query = format!("sort_by={}", form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>());
            assert_eq!(search(NAMESPACE, &query, "viewer").await.ok(), json!({}), "{key}");
        }
    }
    let named = search(NAMESPACE, &none_of("parameters.a' OR '1'='1"), "viewer").await.ok();
    assert_eq!(named["runs"][0]["display_name"], "other");
}
