//! What Penstock adds to KFP's recurring runs: changes, times, and runs out of turn.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use penstock_apiserver::{Api, ApiSettings, NewSubmission, Submission, SubmissionError};
use penstock_metastore::{Append, Metastore, NewRun, RunUpdate};
use penstock_spec::Timestamp;
use penstock_spec::run::{RunInfo, RunStatus};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Answer, Server, shown};
use crate::recorded::read_until;

/// Stores runs without looking at them.
#[derive(Debug)]
pub(crate) struct Stored(pub(crate) Metastore);

#[async_trait::async_trait]
impl Submission for Stored {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        let now = Timestamp::now();
        let info = RunInfo {
            id: submission.id,
            name: submission.display_name.clone(),
            display_name: submission.display_name,
            pipeline_name: "hello".to_owned(),
            namespace: submission.namespace,
            pipeline_root: String::new(),
            created_at: now,
            scheduled_at: submission.scheduled_at.unwrap_or(now),
            caching: true,
            workspace: None,
        };
        let (pipeline_text, parameters) = (submission.pipeline_text, submission.parameters);
        let options = json!({"serviceAccount": submission.service_account});
        let registration = submission.registration;
        Ok(self.0.create_run(NewRun { info, pipeline_text, parameters, options, registration }).await?)
    }
}

struct World {
    server: Server,
    store: Metastore,
    id: String,
}

impl World {
    /// A server with one recurring run.
    async fn with(trigger: Value) -> World {
        let directory = TempDir::new().expect("a directory");
        let store = Metastore::open(&directory.path().join("penstock.db")).await.expect("a store");
        let api = Api::new(ApiSettings::default(), store.clone(), Arc::new(Stored(store.clone()))).await;
        let server = Server::over(api.expect("a server"), directory);
        let body = json!({
            "display_name": "nightly", "mode": "ENABLE", "max_concurrency": "10", "trigger": trigger,
            "pipeline_spec": shown(),
        });
        let made = server.post("/recurringruns", body).await.ok();
        let id = made["recurring_run_id"].as_str().expect("an id").to_owned();
        World { server, store, id }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let path = format!("/apis/penstock/v1/recurringruns{}", path.replace("ID", &self.id));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.server.send(request.body(body).expect("a request")).await
    }

    async fn backfill(&self, from: &str, to: &str) -> Answer {
        self.ask(Method::POST, "/ID:backfill", json!({"start_time": from, "end_time": to})).await
    }

    async fn slots(&self) -> Vec<String> {
        let list = self.server.get("/runs?sort_by=scheduled_at").await.ok();
        let runs = list["runs"].as_array().cloned().unwrap_or_default();
        runs.iter().map(|run| run["scheduled_at"].as_str().expect("a time").to_owned()).collect()
    }
}

fn hourly() -> Value {
    json!({"cron_schedule": {"cron": "0 0 * * * *"}})
}

#[tokio::test]
async fn only_what_is_named_changes() {
    let world = World::with(hourly()).await;
    let before = world.server.get(&format!("/recurringruns/{}", world.id)).await.ok();
    let change = json!({"description": "d", "max_concurrency": 3, "noCatchup": true});
    let after = world.ask(Method::PATCH, "/ID", change).await.ok();
    let mut expected = before.clone();
    expected["description"] = json!("d");
    expected["max_concurrency"] = json!("3");
    expected["no_catchup"] = json!(true);
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);
    assert_eq!(world.server.get(&format!("/recurringruns/{}", world.id)).await.ok(), after);
    let back = world.ask(Method::PATCH, "/ID", json!({"no_catchup": false, "description": ""})).await.ok();
    assert_eq!((&back["no_catchup"], &back["description"]), (&Value::Null, &Value::Null));
    assert_eq!(world.ask(Method::PATCH, "/ID", json!({})).await.ok()["max_concurrency"], "3");
}

#[tokio::test]
async fn its_next_runs_take_the_cache_and_the_account_that_it_has_by_then() {
    let world = World::with(hourly()).await;
    let run = async || {
        let run = world.ask(Method::POST, "/ID:run", Value::Null).await.ok();
        (run["service_account"].clone(), run["plugins_input"].clone())
    };
    assert_eq!(run().await, (json!("pipeline-runner"), Value::Null));
    let input = json!({"penstock": {"enable_caching": false}, "mlflow": {"n": 1}});
    for (change, expected) in [
        (json!({"plugins_input": input, "service_account": "robot"}), (json!("robot"), input.clone())),
        (json!({"description": "d", "plugins_input": null}), (json!("robot"), input)),
        (json!({"pluginsInput": {"mlflow": {}}}), (json!("robot"), json!({"mlflow": {}}))),
        (json!({"plugins_input": {}, "service_account": ""}), (json!("pipeline-runner"), Value::Null)),
    ] {
        let changed = world.ask(Method::PATCH, "/ID", change).await.ok();
        assert_eq!((changed["service_account"].clone(), changed["plugins_input"].clone()), expected);
        assert_eq!(world.server.get(&format!("/recurringruns/{}", world.id)).await.ok(), changed);
        assert_eq!(run().await, expected);
    }
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused_and_change_nothing() {
    let world = World::with(hourly()).await;
    let before = world.server.get(&format!("/recurringruns/{}", world.id)).await.ok();
    for (change, expected) in [
        (json!({"display_name": ""}), "name cannot be empty"),
        (json!({"max_concurrency": 11}), "at most 10. Received 11"),
        (json!({"trigger": {}}), "cannot lose its trigger"),
        (json!({"trigger": {"cron_schedule": {"cron": "x"}}}), "not a supported format"),
        (json!({"runtime_config": {"parameters": {"a": 1}}}), "not required by pipeline: a"),
        (json!({"plugins_input": {"penstock": {"enable_caching": "no"}}}), "enable_caching is true or false"),
        (json!({"plugins_input": {"mlflow": 1}}), "must be an object"),
        (json!({"plugins_input": {"mlflow": {"text": "x".repeat(65_536)}}}), "exceeds maximum 65536 bytes"),
        (json!({"service_account": 1}), "service_account"),
        (json!({"mode": "ENABLE"}), "unknown field"),
        (json!({"pipeline_spec": {"root": {}}}), ""),
    ] {
        let text = world.ask(Method::PATCH, "/ID", change).await.refused(400);
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(world.server.get(&format!("/recurringruns/{}", world.id)).await.ok(), before);
    let gone = world.ask(Method::PATCH, "/x", json!({})).await.refused(404);
    assert_eq!(gone, "Job x not found");
}

#[tokio::test]
async fn a_new_trigger_counts_from_the_change_on() {
    let world =
        World::with(json!({"cron_schedule": {"cron": "0 0 0 1 1 *", "start_time": "2020-01-01T00:00:00Z"}})).await;
    world.ask(Method::PATCH, "/ID", json!({"trigger": hourly()})).await.ok();
    let next = world.ask(Method::GET, "/ID/next?count=1", Value::Null).await.ok();
    let first: Timestamp = next["next_times"][0].as_str().expect("a time").parse().expect("a time");
    assert!(first > Timestamp::now(), "{first}");
    // One that is to begin later has the same slots as a new one.
    let later = json!({"periodic_schedule": {
        "interval_second": "1", "start_time": "2100-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:01Z",
    }});
    world.ask(Method::PATCH, "/ID", json!({"trigger": later})).await.ok();
    let next = world.ask(Method::GET, "/ID/next", Value::Null).await.ok();
    assert_eq!(next, json!({"next_times": ["2100-01-01T00:00:01Z"]}));
}

#[tokio::test]
async fn times_are_told_before_anything_is_made() {
    let world = World::with(hourly()).await;
    let next = world.ask(Method::GET, "/ID/next", Value::Null).await.ok();
    let asked = json!({"trigger": hourly(), "count": 5});
    assert_eq!(world.ask(Method::POST, ":preview", asked).await.ok(), next);
    assert_eq!(next["next_times"].as_array().map(Vec::len), Some(5));
    let zero = json!({"trigger": {"cron_schedule": {"cron": "0 0 0 30 2 *"}}});
    let never = world.ask(Method::POST, ":preview", zero).await.refused(400);
    assert!(never.starts_with("the schedule never fires"), "{never}");
    let many = world.ask(Method::GET, "/ID/next?count=101", Value::Null).await.refused(400);
    assert!(many.contains("at most 100. Received 101"), "{many}");
    let text =
        world.ask(Method::POST, ":preview", json!({"trigger": {"cron_schedule": {"cron": "1"}}})).await.refused(400);
    assert!(text.contains("Expected 5 to 6 fields"), "{text}");
    world.ask(Method::GET, "/x/next", Value::Null).await.refused(404);
}

#[tokio::test]
async fn a_run_now_is_one_of_its_runs_and_takes_no_slot() {
    let world = World::with(hourly()).await;
    for _ in 0..2 {
        let run = world.ask(Method::POST, "/ID:run", Value::Null).await.ok();
        assert_eq!(run["recurring_run_id"], json!(world.id));
        assert!(run["display_name"].as_str().is_some_and(|name| name.starts_with("nightly")), "{run}");
    }
    assert_eq!(world.slots().await.len(), 2);
    let recurring = world.store.recurring_run(world.id.parse().expect("an id")).await.expect("it is there");
    assert_eq!((recurring.fired, recurring.last_fired), (0, None));
}

#[tokio::test]
async fn slots_are_filled_once_however_often_that_is_asked_for() {
    let world = World::with(hourly()).await;
    let (from, to) = ("2026-01-01T08:00:00Z", "2026-01-01T10:30:00Z");
    let runs = world.backfill(from, to).await.ok();
    let runs = runs["runs"].as_array().expect("runs");
    assert!(runs.iter().all(|run| run["recurring_run_id"] == json!(world.id)), "{runs:?}");
    let slots = ["2026-01-01T08:00:00Z", "2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"];
    assert_eq!(world.slots().await, slots);
    assert_eq!(world.backfill(from, to).await.ok(), json!({}));
    let more = world.backfill(from, "2026-01-01T11:00:00Z").await.ok();
    assert_eq!(more["runs"].as_array().map(Vec::len), Some(1));
    // At the same time too.
    let both = || world.backfill("2026-01-02T00:00:00Z", "2026-01-02T05:00:00Z");
    futures::future::join_all((0..4).map(|_| both())).await;
    assert_eq!(world.slots().await.len(), 4 + 6);
}

#[tokio::test]
async fn slots_that_are_the_schedules_own_are_left_to_it() {
    let world = World::with(json!({"periodic_schedule": {"interval_second": 3600}})).await;
    let id = world.id.parse().expect("an id");
    let now = Timestamp::now();
    let ago = |hours: i64| now.checked_sub(jiff::SignedDuration::from_hours(hours)).expect("a time");
    // It has fired some time ago, and stands still since.
    assert!(world.store.advance_recurring_run(id, 0, ago(3)).await.expect("it moves on"));
    world.backfill(&ago(6).to_string(), &now.to_string()).await.ok();
    let slots: Vec<Timestamp> = world.slots().await.iter().map(|slot| slot.parse().expect("a time")).collect();
    assert_eq!(slots.len(), 3, "{slots:?}");
    assert!(slots.iter().all(|slot| *slot < ago(3)), "{slots:?}");
    // A run that somebody wanted at once fills no slot.
    world.ask(Method::POST, "/ID:run", Value::Null).await.ok();
    assert_eq!(world.backfill(&ago(6).to_string(), &now.to_string()).await.ok(), json!({}));
}

impl World {
    async fn end(&self, run: &Value) {
        let run = run["run_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let mut append = Append::new(run, self.store.take_epoch(run).await.expect("an epoch"), 0);
        let finished_at = Some(Timestamp::now());
        append.run_update =
            Some(RunUpdate { status: RunStatus::Succeeded, error: None, started_at: finished_at, finished_at });
        self.store.append(append).await.expect("it ends");
    }
}

#[tokio::test]
async fn slots_for_which_there_is_no_room_wait() {
    let world = World::with(hourly()).await;
    world.ask(Method::PATCH, "/ID", json!({"max_concurrency": 2})).await.ok();
    let (from, to) = ("2026-01-01T08:00:00Z", "2026-01-01T12:00:00Z");
    let waiting = ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"];
    let first = world.backfill(from, to).await.ok();
    assert_eq!((first["runs"].as_array().map(Vec::len), &first["waiting_times"]), (Some(2), &json!(waiting)));
    // Asked again, at the same time too, nothing is doubled.
    let answers = futures::future::join_all((0..4).map(|_| world.backfill(from, to))).await;
    for answer in answers {
        assert_eq!(answer.ok(), json!({"waiting_times": waiting}));
    }
    let next = world.ask(Method::GET, "/ID/next?count=1", Value::Null).await.ok();
    assert_eq!(next["waiting_times"], json!(waiting));
    world.end(&first["runs"][0]).await;
    let more = world.backfill(from, to).await.ok();
    assert_eq!(more["runs"][0]["scheduled_at"], json!(waiting[0]));
    assert_eq!(more["waiting_times"], json!(waiting[1..]));
    world.ask(Method::DELETE, "/ID/backfill", Value::Null).await.ok();
    let next = world.ask(Method::GET, "/ID/next?count=1", Value::Null).await.ok();
    assert_eq!((&next["waiting_times"], world.slots().await.len()), (&Value::Null, 3));
    world.ask(Method::DELETE, "/x/backfill", Value::Null).await.refused(404);
}

#[tokio::test]
async fn what_keeps_one_from_firing_is_shown_until_it_is_changed() {
    let world = World::with(hourly()).await;
    let path = format!("/recurringruns/{}", world.id);
    let state = world.store.enabled_schedules().await.expect("schedules").remove(0).readable().expect("one");
    assert_eq!(world.server.get(&path).await.ok()["error"], Value::Null);
    assert!(world.store.note_recurring_run_error(&state, Some("away".to_owned())).await.expect("it is noted"));
    let expected = json!({"code": 2, "message": "away"});
    assert_eq!(world.server.get(&path).await.ok()["error"], expected);
    assert_eq!(world.server.get("/recurringruns").await.ok()["recurringRuns"][0]["error"], expected);
    assert_eq!(world.ask(Method::PATCH, "/ID", json!({"description": "d"})).await.ok()["error"], Value::Null);
    assert_eq!(world.server.get(&path).await.ok()["error"], Value::Null);
}

#[tokio::test]
async fn changes_are_told_of_in_the_stream() {
    let world = World::with(hourly()).await;
    world.ask(Method::PATCH, "/ID", json!({"description": "d"})).await.ok();
    world.server.act(&format!("/recurringruns/{}:disable", world.id)).await.ok();
    world.backfill("2026-01-01T08:00:00Z", "2026-01-01T08:00:00Z").await.ok();
    world.server.delete(&format!("/recurringruns/{}", world.id)).await.ok();
    let request = Request::get("/apis/penstock/v1/events?after=0").body(Body::empty()).expect("a request");
    let mut stream = world.server.open(request).await;
    let told = read_until(&mut stream, "recurring_run_deleted\ndata: {").await;
    let kinds: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let expected = [
        "recurring_run_created",
        "recurring_run_edited",
        "recurring_run_disabled",
        "run_created",
        "recurring_run_fired",
        "recurring_run_deleted",
    ];
    assert_eq!(kinds, expected);
    let data: Vec<Value> = told
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(data.iter().all(|change| change["recurring_run_id"] == json!(world.id)), "{data:?}");
    assert_eq!((&data[1]["run_id"], &data[1]["display_name"]), (&Value::Null, &json!("nightly")));
    assert_eq!((&data[4]["run_id"], &data[4]["backfill"]), (&data[3]["run_id"], &json!(true)));
}

#[tokio::test]
async fn one_that_is_imported_has_no_claim_to_the_past() {
    let world = World::with(hourly()).await;
    let import = async |mode: &str| {
        let trigger = json!({"periodic_schedule": {"interval_second": 600, "start_time": "2024-01-01T00:00:07Z"}});
        let body = json!({
            "display_name": "from elsewhere", "mode": mode, "max_concurrency": "10", "trigger": trigger,
            "pipeline_spec": shown(),
        });
        let made = world.ask(Method::POST, ":import", body).await.ok();
        assert_eq!(made["mode"], mode);
        made["recurring_run_id"].as_str().expect("an id").to_owned()
    };
    let next = async |id: &str| {
        let next = world.ask(Method::GET, &format!("/{id}/next?count=1"), Value::Null).await.ok();
        next["next_times"][0].as_str().expect("a time").parse::<Timestamp>().expect("a time")
    };
    for mode in ["DISABLE", "ENABLE"] {
        let id = import(mode).await;
        for enabled in ["", "enable", "disable", "enable"] {
            if !enabled.is_empty() {
                world.server.act(&format!("/recurringruns/{id}:{enabled}")).await.ok();
            }
            let (first, now) = (next(&id).await, Timestamp::now());
            assert!(first > now && first.duration_since(now).as_secs() <= 600, "{mode} {enabled}: {first}");
            assert_eq!((first.as_second() - 7) % 600, 0, "{first}");
        }
    }
    let refused = world.ask(Method::POST, ":import", json!({"display_name": "x"})).await.refused(400);
    assert!(refused.contains("at least 1"), "{refused}");
}

#[tokio::test]
async fn ranges_that_cannot_be_filled_are_refused() {
    let world = World::with(hourly()).await;
    let text = world.backfill("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z").await.refused(400);
    assert!(text.contains("more than 100 slots"), "{text}");
    let text = world.backfill("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z").await.refused(400);
    assert!(text.contains("is before start_time"), "{text}");
    world.ask(Method::POST, "/ID:backfill", json!({})).await.refused(400);
    let once = World::with(json!({})).await;
    let text = once.backfill("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z").await.refused(400);
    assert!(text.contains("has no trigger"), "{text}");
    assert_eq!(once.slots().await, [""; 0]);
}
