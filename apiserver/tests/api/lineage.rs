//! Artifacts across runs, and the graph around them.

use penstock_engine::{Fact, NodeId, task_id};
use penstock_metastore::{Append, ArtifactRow, Metastore, NewRun, RunRegistration, TaskInput, TaskRow};
use penstock_spec::Timestamp;
use penstock_spec::run::{RunInfo, TaskStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::recorded::{Recorded, artifact, file_of, row};

const LIST: &str = "/apis/penstock/v1/artifacts";

async fn run(store: &Metastore, number: u128) -> Uuid {
    let (id, now) = (Uuid::from_u128(number), Timestamp::now());
    let info = RunInfo {
        id,
        name: format!("chain-{number}"),
        display_name: format!("Chain {number}"),
        pipeline_name: "chain".to_owned(),
        namespace: String::new(),
        pipeline_root: "s3://b".to_owned(),
        created_at: now,
        scheduled_at: now,
        caching: true,
        workspace: None,
    };
    let (pipeline_text, parameters) = (crate::fixture::PIPELINE.to_owned(), serde_json::Map::new());
    let registration = RunRegistration::default();
    store
        .create_run(NewRun { info, pipeline_text, parameters, options: json!({}), registration })
        .await
        .expect("it is there");
    store.take_epoch(id).await.expect("it is there");
    id
}

/// Task `node` of a run took some artifacts and put one out.
async fn step(store: &Metastore, run: Uuid, expected: u64, node: u32, cached: bool, taken: &[u128], made: u128) {
    let mut append = Append::new(run, 1, expected);
    append.facts.push((Fact::AttemptStarted { node: NodeId(node), attempt: 0 }, Timestamp::now()));
    let path = format!("t{node}");
    let finished_at = Some(Timestamp::now());
    let ended = row(&path, TaskStatus::Succeeded, Some(0));
    append.tasks.push(TaskRow { node: NodeId(node), cached, finished_at, display_name: path.clone(), ..ended });
    append.inputs = taken
        .iter()
        .map(|number| TaskInput {
            node: NodeId(node),
            input: format!("in{number}"),
            position: 0,
            artifact: Uuid::from_u128(*number),
            taken_at: Timestamp::now(),
        })
        .collect();
    let artifact = artifact(made, &format!("s3://b/{made}"), file_of(10));
    append.artifacts.push(ArtifactRow { node: NodeId(node), output: "out".to_owned(), position: 0, artifact });
    store.append(append).await.expect("it is there");
}

/// 101 -> t2 -> 102 -> t3 -> 103, and a second run that has 102 from the cache and makes 104 of it.
async fn chain() -> (Recorded, Uuid, Uuid) {
    let recorded = Recorded::start().await;
    let store = &recorded.store;
    let (first, second) = (run(store, 21).await, run(store, 22).await);
    step(store, first, 0, 1, false, &[], 101).await;
    step(store, first, 1, 2, false, &[101], 102).await;
    step(store, first, 2, 3, false, &[102], 103).await;
    step(store, second, 0, 2, true, &[101], 102).await;
    step(store, second, 1, 4, false, &[102], 104).await;
    (recorded, first, second)
}

fn numbers(list: &Value) -> Vec<u128> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    items
        .map(|item| item["artifact_id"].as_str().expect("it is there").parse::<Uuid>().expect("it is there").as_u128())
        .collect()
}

#[tokio::test]
async fn artifacts_of_all_runs_are_listed_once_and_narrowed() {
    let (recorded, first, _) = chain().await;
    let all = recorded.get(LIST).await.ok();
    assert_eq!(numbers(&all["artifacts"]), [104, 103, 102, 101]);
    let made = &all["artifacts"][2]["producer"];
    let expected = json!({
        "run_id": first, "run_name": "Chain 21", "pipeline_name": "chain", "task_id": task_id(first, "t2"),
        "task_path": "t2", "task_name": "t2", "kind": "CONTAINER", "state": "SUCCEEDED", "output": "out",
        "finished_at": made["finished_at"],
    });
    assert_eq!(made, &expected);
    for (query, expected) in [
        ("task=t2", vec![102]),
        ("uri=s3%3A%2F%2Fb%2F103", vec![103]),
        ("type=system.Model&pipeline=chain", vec![104, 103, 102, 101]),
        ("type=system.Dataset", vec![]),
        ("digest=sha256%3Aabc&name=model", vec![104, 103, 102, 101]),
        ("metadata=%7B%22depth%22%3A3%7D", vec![104, 103, 102, 101]),
        ("metadata=%7B%22depth%22%3A4%7D", vec![]),
        ("created_before=2020-01-01T00%3A00%3A00Z", vec![]),
        ("created_after=2020-01-01T00%3A00%3A00Z", vec![104, 103, 102, 101]),
        ("namespace=elsewhere", vec![]),
        ("run_id=00000000-0000-0000-0000-000000000016&task=t4", vec![104]),
        ("run_id=00000000-0000-0000-0000-000000000016", vec![102, 104]),
    ] {
        let found = recorded.get(&format!("{LIST}?{query}")).await.ok();
        assert_eq!(numbers(&found["artifacts"]), expected, "{query}");
    }
    for query in ["metadata=x", "metadata=%5B%5D", "created_after=yesterday", "page_size=-1", "page_token=x"] {
        recorded.get(&format!("{LIST}?{query}")).await.refused(400);
    }
    let page = recorded.get(&format!("{LIST}?name=model&page_size=3")).await.ok();
    let token = page["next_page_token"].as_str().expect("it is there");
    let rest = recorded.get(&format!("{LIST}?name=model&page_size=3&page_token={token}")).await.ok();
    assert_eq!((numbers(&rest["artifacts"]), rest["next_page_token"].as_str()), (vec![101], None));
    let other = recorded.get(&format!("{LIST}?page_token={token}")).await.refused(400);
    assert!(other.contains("narrowed otherwise"), "{other}");
}

#[tokio::test]
async fn an_artifact_says_who_has_it_and_who_took_it() {
    let (recorded, first, second) = chain().await;
    let path = format!("{LIST}/{}", Uuid::from_u128(102));
    let shown = recorded.get(&path).await.ok();
    assert_eq!((&shown["metadata"], &shown["size"]), (&json!({"depth": 3}), &json!("10")));
    let runs = |reply: &Value| -> Vec<(Value, Value)> {
        let runs = reply["runs"].as_array().expect("it is there").iter();
        runs.map(|run| (run["run_id"].clone(), run["cached"].clone())).collect()
    };
    assert_eq!(runs(&shown), [(json!(first), Value::Null), (json!(second), json!(true))]);
    let consumers = shown["consumers"].as_array().expect("it is there");
    let taken: Vec<_> =
        consumers.iter().map(|consumer| (&consumer["run_id"], &consumer["task_path"], &consumer["input"])).collect();
    assert_eq!(
        taken,
        [(&json!(first), &json!("t3"), &json!("in102")), (&json!(second), &json!("t4"), &json!("in102"))]
    );
    assert_eq!(shown["consumers_incomplete"], Value::Null);

    for (list, field) in [("runs", "runs"), ("consumers", "consumers")] {
        let page = recorded.get(&format!("{path}/{list}?page_size=1")).await.ok();
        let token = page["next_page_token"].as_str().expect("it is there");
        let rest = recorded.get(&format!("{path}/{list}?page_size=1&page_token={token}")).await.ok();
        assert_eq!((&rest[field][0]["run_id"], &rest["next_page_token"]), (&json!(second), &Value::Null));
        let other = format!("{LIST}/{}/{list}?page_token={token}", Uuid::from_u128(101));
        recorded.get(&other).await.refused(400);
    }
    let nowhere = format!("{LIST}/{}", Uuid::from_u128(9));
    for path in [&nowhere, &format!("{nowhere}/runs"), &format!("{nowhere}/consumers"), &format!("{nowhere}/lineage")] {
        recorded.get(path).await.refused(404);
    }
}

#[tokio::test]
async fn a_lineage_is_followed_both_ways() {
    let (recorded, first, second) = chain().await;
    let graph = async |number: u128, query: &str| {
        recorded.get(&format!("{LIST}/{}/lineage?{query}", Uuid::from_u128(number))).await.ok()
    };
    let tasks = |graph: &Value| -> Vec<(Uuid, String)> {
        let tasks = graph["executions"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        tasks
            .map(|task| {
                (
                    serde_json::from_value(task["run_id"].clone()).expect("it is there"),
                    task["task_path"].as_str().expect("it is there").to_owned(),
                )
            })
            .collect()
    };
    let place = |run: Uuid, path: &str| (run, path.to_owned());
    let up = graph(103, "direction=upstream").await;
    assert_eq!(numbers(&up["artifacts"]), [101, 102, 103]);
    assert_eq!(tasks(&up), [place(first, "t1"), place(first, "t2"), place(first, "t3")]);
    let edge = json!({"artifact_id": Uuid::from_u128(102), "execution_id": task_id(first, "t3"), "kind": "input", "name": "in102"});
    assert!(up["edges"].as_array().expect("it is there").contains(&edge), "{up}");
    assert_eq!((up["edges"].as_array().expect("it is there").len(), &up["cut"]), (5, &Value::Null));

    let down = graph(101, "direction=downstream").await;
    assert_eq!(numbers(&down["artifacts"]), [101, 102, 103, 104]);
    let all = [place(first, "t2"), place(first, "t3"), place(second, "t2"), place(second, "t4")];
    assert_eq!(tasks(&down), all);

    let near = graph(102, "depth=1").await;
    assert_eq!(numbers(&near["artifacts"]), [101, 102, 103, 104]);
    assert_eq!(near["cut"], json!(true), "101 was made by somebody");
    assert_eq!(graph(103, "direction=downstream").await["cut"], Value::Null);
    let few = graph(101, "direction=downstream&max_nodes=3").await;
    assert_eq!((few["edges"].as_array().expect("it is there").len() <= 4, &few["cut"]), (true, &json!(true)));
    let wrong = format!("{LIST}/{}/lineage?direction=sideways", Uuid::from_u128(101));
    recorded.get(&wrong).await.refused(400);
}

#[tokio::test]
async fn what_a_deleted_run_made_is_known_as_long_as_another_has_it() {
    let (recorded, first, second) = chain().await;
    // Under way: hidden at once.
    recorded.store.delete_run(first).await.expect("it is there");
    let left = recorded.get(LIST).await.ok();
    assert_eq!(numbers(&left["artifacts"]), [104, 102]);
    assert_eq!(left["artifacts"][1]["producer"]["deleted"], json!(true));
    let graph = recorded.get(&format!("{LIST}/{}/lineage", Uuid::from_u128(104))).await.ok();
    assert_eq!(numbers(&graph["artifacts"]), [102, 104]);
    assert!(graph["executions"].as_array().expect("it is there").iter().any(|task| task["run_id"] == json!(second)));
}
