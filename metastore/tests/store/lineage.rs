//! Artifacts across runs: who made them, who has them, who took them.

use penstock_engine::NodeId;
use penstock_metastore::{
    Append, ArtifactQuery, ArtifactRow, CacheList, CacheScope, Metastore, NewCacheEntry, TaskInput,
};
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, artifact, at, count, execute, one_fact, task};

/// A task that has ended with one artifact, made or from the cache.
fn put_out(run: Uuid, expected: u64, node: u32, path: &str, cached: bool, number: u128) -> Append {
    let mut append = one_fact(run, 1, expected);
    let mut row = task(node, path);
    (row.status, row.cached, row.finished_at) = (TaskStatus::Succeeded, cached, Some(at(1)));
    append.tasks.push(row);
    let artifact = artifact(number, &format!("s3://b/{number}"), &json!({"n": number as u64}));
    append.artifacts.push(ArtifactRow { node: NodeId(node), output: "out".to_owned(), position: 0, artifact });
    append
}

fn taken(node: u32, number: u128, second: i64) -> TaskInput {
    TaskInput {
        node: NodeId(node),
        input: "in".to_owned(),
        position: 0,
        artifact: Uuid::from_u128(number),
        taken_at: at(second),
    }
}

async fn listed(store: &Metastore, query: &ArtifactQuery) -> Vec<(u128, Uuid, String)> {
    let rows = store.list_artifacts(query, 100).await.unwrap().into_iter();
    let rows = rows.filter_map(|(_, row)| row.readable());
    rows.map(|row| (row.artifact.id.as_u128(), row.run, row.task_path)).collect()
}

#[tokio::test]
async fn an_artifact_is_listed_once_with_the_task_that_made_it() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (maker, holder) = (fixture.run(1).await, fixture.run(2).await);
    store.append(put_out(maker, 0, 1, "make", false, 1)).await.unwrap();
    store.append(put_out(holder, 0, 1, "make", true, 1)).await.unwrap();
    store.append(put_out(holder, 1, 2, "more", false, 2)).await.unwrap();
    let made = (1, maker, "make".to_owned());
    let more = (2, holder, "more".to_owned());
    let all = ArtifactQuery::default();
    assert_eq!(listed(store, &all).await, [more.clone(), made.clone()]);
    for query in [
        ArtifactQuery { task_path: Some("make".to_owned()), ..all.clone() },
        ArtifactQuery { uri: Some("s3://b/1".to_owned()), ..all.clone() },
        ArtifactQuery { name: Some("model".to_owned()), until: Some(at(1)), ..all.clone() },
        ArtifactQuery { pipeline_name: Some("train".to_owned()), until: Some(at(1)), ..all.clone() },
    ] {
        assert_eq!(listed(store, &query).await, std::slice::from_ref(&made), "{query:?}");
    }
    for query in [
        ArtifactQuery { type_title: Some("system.Dataset".to_owned()), ..all.clone() },
        ArtifactQuery { namespace: "team".to_owned(), ..all.clone() },
        ArtifactQuery { digest: Some("sha256:0".to_owned()), ..all.clone() },
        ArtifactQuery { from: Some(at(2)), ..all.clone() },
    ] {
        assert_eq!(listed(store, &query).await, [], "{query:?}");
    }
    let first = store.list_artifacts(&all, 1).await.unwrap();
    let rest = ArtifactQuery { after: Some(first[0].0), ..all.clone() };
    assert_eq!(listed(store, &rest).await, [made]);

    let holders = store.holders(Uuid::from_u128(1), None, 10).await.unwrap();
    assert_eq!(holders.iter().map(|held| held.run).collect::<Vec<_>>(), [maker, holder]);
    let next = store.holders(Uuid::from_u128(1), Some((maker, NodeId(1))), 10).await.unwrap();
    assert_eq!(next.len(), 1);
}

#[tokio::test]
async fn a_record_outlives_its_maker_as_long_as_another_run_has_it() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (maker, holder) = (fixture.run(1).await, fixture.run(2).await);
    store.append(put_out(maker, 0, 1, "make", false, 1)).await.unwrap();
    store.append(put_out(maker, 1, 2, "alone", false, 2)).await.unwrap();
    store.append(put_out(holder, 0, 1, "make", true, 1)).await.unwrap();
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE runs SET finished_at = 1").await;
    store.delete_run(maker).await.unwrap();
    let all = ArtifactQuery::default();
    assert_eq!(listed(store, &all).await, [(1, maker, "make".to_owned())]);
    assert_eq!(store.executions(&[(maker, NodeId(1)), (holder, NodeId(1))]).await.unwrap().len(), 1);
    store.delete_run(holder).await.unwrap();
    assert_eq!(listed(store, &all).await, []);
    assert_eq!(count(&mut raw, "SELECT COUNT(*) FROM artifact_records").await, 0);
}

/// Whoever removes runs by hand leaves no records behind.
#[tokio::test]
async fn records_go_with_the_last_of_several_runs_that_are_removed_at_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (maker, holder, other) = (fixture.run(1).await, fixture.run(2).await, fixture.run(3).await);
    for run in [maker, holder] {
        store.append(put_out(run, 0, 1, "make", run == holder, 1)).await.unwrap();
    }
    store.append(put_out(other, 0, 1, "make", false, 2)).await.unwrap();
    let mut raw = fixture.raw().await;
    execute(&mut raw, "DELETE FROM runs WHERE name <> 'train-00003'").await;
    assert_eq!(listed(store, &ArtifactQuery::default()).await, [(2, other, "make".to_owned())]);
    assert_eq!(count(&mut raw, "SELECT COUNT(*) FROM artifact_records").await, 1);
}

/// What a task says of its output is of any length, and an index takes it.
#[tokio::test]
async fn artifacts_are_found_by_texts_of_any_length() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    // Not to be compressed, and alike to the last character.
    let noise: String =
        (0..300_u128).map(|number| Uuid::from_u128(number.wrapping_mul(u128::MAX / 7919)).to_string()).collect();
    for (expected, end) in ["a", "b\0"].into_iter().enumerate() {
        let text = format!("{noise}{end}");
        let number = expected as u32 + 1;
        let mut append = put_out(run, expected as u64, number, &format!("task-{number}"), false, number.into());
        let artifact = &mut append.artifacts[0].artifact;
        (artifact.name, artifact.uri) = (text.clone(), text.clone());
        artifact.artifact_type.schema_title = text;
        store.append(append).await.unwrap();
    }
    for (number, end) in [(1, "a"), (2, "b\0")] {
        let text = Some(format!("{noise}{end}"));
        let all = ArtifactQuery::default();
        for query in [
            ArtifactQuery { name: text.clone(), ..all.clone() },
            ArtifactQuery { uri: text.clone(), ..all.clone() },
            ArtifactQuery { type_title: text.clone(), ..all.clone() },
        ] {
            assert_eq!(listed(store, &query).await, [(number, run, format!("task-{number}"))]);
        }
    }
}

/// Several appends of one transaction may write the same row.
#[tokio::test]
async fn of_inputs_that_are_stored_together_the_last_counts() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut append = one_fact(run, 1, 0);
    append.inputs = vec![taken(1, 7, 1), taken(1, 8, 2)];
    fixture.store.append(append).await.unwrap();
    let inputs = fixture.store.inputs_of(&[(run, NodeId(1))], 10).await.unwrap();
    assert_eq!(inputs.iter().map(|input| input.input.artifact.as_u128()).collect::<Vec<_>>(), [8]);
}

#[tokio::test]
async fn consumers_are_those_that_took_it_last_time() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    store.append(put_out(run, 0, 1, "make", false, 1)).await.unwrap();
    let mut append = one_fact(run, 1, 1);
    append.tasks.push(task(2, "use"));
    append.inputs = vec![taken(2, 1, 5), TaskInput { position: 1, ..taken(2, 2, 5) }, taken(3, 1, 4)];
    store.append(append).await.unwrap();
    let consumers = store.consumers(Uuid::from_u128(1), None, 10).await.unwrap();
    assert_eq!(consumers.iter().map(|consumer| consumer.input.node.0).collect::<Vec<_>>(), [3, 2]);
    let next = store.consumers(Uuid::from_u128(1), Some(&consumers[0]), 10).await.unwrap();
    assert_eq!(next, consumers[1..]);
    assert_eq!(store.inputs_of(&[(run, NodeId(2)), (run, NodeId(3))], 10).await.unwrap().len(), 3);
    assert_eq!(store.inputs_of(&[(run, NodeId(2)), (run, NodeId(3))], 1).await.unwrap().len(), 1);

    let mut again = one_fact(run, 1, 2);
    (again.inputs, again.restarted) = (vec![taken(2, 1, 9)], vec![NodeId(2)]);
    store.append(again).await.unwrap();
    assert_eq!(store.inputs_of(&[(run, NodeId(2))], 10).await.unwrap().len(), 1, "the second is of the round before");
}

#[tokio::test]
async fn run_has_what_a_task_put_out_last_time() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    let mut append = put_out(run, 0, 1, "make", false, 1);
    let second = append.artifacts[0].clone();
    append.artifacts.push(ArtifactRow { position: 1, ..second });
    store.append(append).await.unwrap();
    store.append(put_out(run, 1, 2, "other", false, 2)).await.unwrap();
    let has = async || store.artifacts(run).await.unwrap().len();
    assert_eq!(has().await, 3);
    let mut again = one_fact(run, 1, 2);
    again.restarted = vec![NodeId(1)];
    store.append(again).await.unwrap();
    assert_eq!(has().await, 1, "it has begun anew, and has put out nothing yet");
    let mut anew = put_out(run, 3, 1, "make", false, 3);
    anew.restarted = vec![NodeId(1)];
    store.append(anew).await.unwrap();
    assert_eq!(has().await, 2, "of one commit, what was put out counts");
}

#[tokio::test]
async fn deleted_runs_have_no_part_in_a_lineage() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    let mut append = put_out(run, 0, 1, "make", false, 1);
    append.inputs = vec![taken(1, 7, 1)];
    store.append(append).await.unwrap();
    // Under way: hidden first.
    store.delete_run(run).await.unwrap();
    assert_eq!(listed(store, &ArtifactQuery::default()).await, []);
    assert_eq!(store.consumers(Uuid::from_u128(7), None, 10).await.unwrap(), []);
    assert_eq!(store.artifact_records(&[Uuid::from_u128(1)]).await.unwrap(), []);
    fixture.set_status_after(run, 1, RunStatus::Canceled).await;
    assert_eq!(store.purge_deleted().await.unwrap(), [run]);
}

#[tokio::test]
async fn cached_results_are_listed_the_newest_first() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    for (expected, key) in ["a", "b"].into_iter().enumerate() {
        let mut append = one_fact(run, 1, expected as u64);
        append.cache_entries.push(NewCacheEntry {
            scope: CacheScope { pipeline_name: "train".to_owned(), namespace: String::new() },
            key: key.to_owned(),
            task_path: "fit".to_owned(),
            outputs: TaskOutputs::default(),
            key_document: json!({}),
            created_at: at(1),
        });
        fixture.store.append(append).await.unwrap();
    }
    let list = CacheList { run: Some(run), ..CacheList::default() };
    let entries = fixture.store.cache_entries(&list, 10).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    let next = CacheList { before: Some(entries[0].id), key: Some("a".to_owned()), ..list };
    assert_eq!(fixture.store.cache_entries(&next, 10).await.unwrap(), entries[1..]);
    let elsewhere = CacheList { namespace: "team".to_owned(), ..CacheList::default() };
    assert_eq!(fixture.store.cache_entries(&elsewhere, 10).await.unwrap(), []);
}
