//! What became of a task's question to the cache.

use axum::body::Body;
use axum::http::{Method, Request};
use penstock_engine::{CacheHit, CacheSource, Effect, Event, NodeId, Pipeline, RunState};
use penstock_metastore::{Append, CacheScope, NewCacheEntry, NewRun, RunRegistration};
use penstock_spec::Timestamp;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunInfo, TaskStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::recorded::{Recorded, row};

const CACHED: &str = r#"
pipelineInfo: {name: cached}
schemaVersion: 2.1.0
root:
  inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}
  dag:
    tasks:
      t:
        taskInfo: {name: t}
        componentRef: {name: c}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {n: {componentInputParameter: n}}}
      u: {taskInfo: {name: u}, componentRef: {name: d}}
components:
  c: {executorLabel: e, inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}}
  d: {executorLabel: e}
deploymentSpec:
  executors:
    e: {container: {image: "python:3.12", command: [echo]}}
"#;

/// A run whose tasks have become ready; task `t` has its result from the cache if `hit` says so, else it is remembered.
async fn run(recorded: &Recorded, number: u128, n: i64, rules: Value, hit: Option<CacheSource>) -> Uuid {
    let (id, now) = (Uuid::from_u128(number), Timestamp::now());
    let info = RunInfo {
        id,
        name: format!("cached-{number}"),
        display_name: "cached".to_owned(),
        pipeline_name: "cached".to_owned(),
        namespace: String::new(),
        pipeline_root: "s3://b".to_owned(),
        created_at: now,
        scheduled_at: now,
        caching: rules.get("off").is_none(),
        workspace: None,
    };
    let parameters = json!({"n": n}).as_object().expect("it is there").clone();
    let new = NewRun {
        info: info.clone(),
        pipeline_text: CACHED.to_owned(),
        parameters: parameters.clone(),
        options: json!({"cache": rules}),
        registration: RunRegistration::default(),
    };
    recorded.store.create_run(new).await.expect("it is there");
    recorded.store.take_epoch(id).await.expect("it is there");
    let checked = check::load("p.yaml", CACHED.as_bytes(), &Limits::default()).expect("it is valid");
    let mut state = RunState::new(Pipeline::compile(&checked));
    let mut step = state.step(Event::Start { run: info, parameters }, now);
    let asked = step.effects.iter().find_map(|effect| match effect {
        Effect::LookUpCache { node, key } => Some((*node, key.clone())),
        _ => None,
    });
    let mut append = Append::new(id, 1, 0);
    append.facts = step.facts.drain(..).map(|fact| (fact, now)).collect();
    if let Some((node, key)) = asked {
        let is_hit = hit.is_some();
        let answer = hit.map(|source| CacheHit { source, outputs: TaskOutputs::default() });
        let document = state.node(node).expect("it is there").cache_document().expect("it is there");
        let answered = state.step(Event::CacheAnswered { node, hit: answer }, now);
        append.facts.extend(answered.facts.into_iter().map(|fact| (fact, now)));
        if !is_hit {
            append.cache_entries.push(NewCacheEntry {
                scope: CacheScope { pipeline_name: "cached".to_owned(), namespace: String::new() },
                key,
                task_path: "t".to_owned(),
                outputs: TaskOutputs::default(),
                key_document: document,
                created_at: now,
            });
        }
    }
    for (node, path) in [(1, "t"), (2, "u")] {
        append.tasks.push(penstock_metastore::TaskRow { node: NodeId(node), ..row(path, TaskStatus::Running, None) });
    }
    recorded.store.append(append).await.expect("it is there");
    id
}

async fn why(recorded: &Recorded, run: Uuid, task: &str) -> Value {
    recorded.get(&format!("/apis/penstock/v1/runs/{run}/tasks/{task}/cache")).await.ok()
}

#[tokio::test]
async fn hits_and_misses_are_explained() {
    let recorded = Recorded::start().await;
    let first = run(&recorded, 31, 1, json!({}), None).await;
    let alone = why(&recorded, first, "t").await;
    assert_eq!((&alone["outcome"], &alone["stored"]), (&json!("MISS"), &json!(true)));
    assert!(alone["reason"].as_str().expect("it is there").contains("no earlier result of this task"), "{alone}");

    let other = run(&recorded, 32, 2, json!({}), None).await;
    let differs = why(&recorded, other, "t").await;
    let field = json!([{"field": "inputParameterValues.n", "then": 1, "now": 2}]);
    assert_eq!((&differs["nearest"]["run_id"], &differs["nearest"]["differences"]), (&json!(first), &field));
    assert_ne!(differs["cache_key"], alone["cache_key"]);

    let source = CacheSource { run_id: first, task_path: "t".to_owned() };
    let taken = why(&recorded, run(&recorded, 33, 1, json!({}), Some(source)).await, "t").await;
    assert_eq!((&taken["outcome"], &taken["source"]["run_id"]), (&json!("HIT"), &json!(first)));

    let old = run(&recorded, 34, 1, json!({"maxAgeSeconds": 0}), None).await;
    let old = why(&recorded, old, "t").await;
    assert_eq!(
        (&old["outcome"], &old["too_old"], &old["passed_over"]["run_id"]),
        (&json!("MISS"), &json!(true), &json!(first))
    );
    let gone = why(&recorded, run(&recorded, 35, 1, json!({}), None).await, "t").await;
    assert!(gone["reason"].as_str().expect("it is there").contains("was not there any more"), "{gone}");
}

#[tokio::test]
async fn whoever_turned_it_off_is_named() {
    let recorded = Recorded::start().await;
    for (number, off) in [(41, "DEPLOYMENT"), (42, "PIPELINE"), (43, "RUN")] {
        let id = run(&recorded, number, 1, json!({"off": off}), None).await;
        let shown = why(&recorded, id, "t").await;
        assert_eq!((&shown["outcome"], &shown["off_by"]), (&json!("OFF"), &json!(off)));
    }
    let id = run(&recorded, 44, 1, json!({}), None).await;
    assert_eq!(why(&recorded, id, "u").await["off_by"], json!("TASK"));
    recorded.get(&format!("/apis/penstock/v1/runs/{id}/tasks/nothing/cache")).await.refused(404);
}

#[tokio::test]
async fn results_are_listed_and_forgotten() {
    let recorded = Recorded::start().await;
    for (number, n) in [(51, 1), (52, 2), (53, 3)] {
        run(&recorded, number, n, json!({}), None).await;
    }
    const CACHE: &str = "/apis/penstock/v1/cache";
    let runs = |list: &Value| -> Vec<u128> {
        let entries = list["entries"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        entries
            .map(|entry| entry["run_id"].as_str().expect("it is there").parse::<Uuid>().expect("it is there").as_u128())
            .collect()
    };
    let first = recorded.get(&format!("{CACHE}?pipeline=cached&page_size=2")).await.ok();
    assert_eq!(runs(&first), [53, 52]);
    let token = first["next_page_token"].as_str().expect("it is there");
    let rest = recorded.get(&format!("{CACHE}?pipeline=cached&page_size=2&page_token={token}")).await.ok();
    assert_eq!(runs(&rest), [51]);
    recorded.get(&format!("{CACHE}?page_token={token}")).await.refused(400);
    assert_eq!(runs(&recorded.get(&format!("{CACHE}?task=u")).await.ok()), [0; 0]);
    let evict = async |query: &str| {
        let request = Request::builder().method(Method::DELETE).uri(format!("{CACHE}{query}"));
        recorded.server.send(request.body(Body::empty()).expect("it is there")).await
    };
    assert!(evict("").await.refused(400).contains("say which results"));
    assert_eq!(evict("?run_id=00000000-0000-0000-0000-000000000033").await.ok(), json!({"evicted": 1}));
    assert_eq!(evict("?pipeline=other").await.ok(), json!({"evicted": 0}));
    assert_eq!(evict("?all=true&namespace=elsewhere").await.ok(), json!({"evicted": 0}));
    assert_eq!(evict("?all=true").await.ok(), json!({"evicted": 2}));
}

#[tokio::test]
async fn what_earlier_runs_took_is_found_in_their_facts() {
    let recorded = Recorded::start().await;
    let id = run(&recorded, 61, 1, json!({}), None).await;
    // A store of before: nothing is recorded of this run, nor of one that is not understood.
    for run in [id, recorded.run] {
        recorded.execute("INSERT INTO unrecorded_inputs (run_id) VALUES ($1)", run).await;
    }
    let (shutdown, api) = (penstock_runtime::shutdown::Shutdown::default(), recorded.api.clone());
    let work =
        tokio::time::timeout(std::time::Duration::from_secs(20), penstock_apiserver::input_records::run(api, shutdown));
    work.await.expect("it ends");
    assert_eq!(recorded.store.runs_without_inputs(None, 10).await.expect("it is there"), [recorded.run]);
}
