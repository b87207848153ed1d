//! The cache, and artifacts that importers may use again.

use penstock_engine::NodeId;
use penstock_metastore::{ArtifactRow, CacheFilter, CacheScope, Listed, NewCacheEntry};
use penstock_spec::report::TaskOutputs;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, artifact, at, execute, new_run, one_fact};

fn scope() -> CacheScope {
    CacheScope { pipeline_name: "train".to_owned(), namespace: String::new() }
}

async fn remember(fixture: &Fixture, run: Uuid, expected: u64, key: &str, task_path: &str) {
    let mut outputs = TaskOutputs::default();
    outputs.parameters.insert("by".to_owned(), json!(run.to_string()));
    let mut append = one_fact(run, 1, expected);
    append.cache_entries.push(NewCacheEntry {
        scope: scope(),
        key: key.to_owned(),
        task_path: task_path.to_owned(),
        outputs,
        key_document: json!({"key": key}),
        created_at: at(i64::try_from(expected).unwrap()),
    });
    fixture.store.append(append).await.unwrap();
}

#[tokio::test]
async fn lookup_gives_the_newest_entry_of_the_scope() {
    let Some(fixture) = Fixture::new().await else { return };
    let (first, second) = (fixture.run(1).await, fixture.run(2).await);
    remember(&fixture, first, 0, "k", "fit").await;
    remember(&fixture, second, 0, "k", "fit").await;
    let hit = fixture.store.lookup(&scope(), "k").await.unwrap().unwrap();
    assert_eq!(hit.source.run_id, second);
    assert_eq!(hit.key_document, json!({"key": "k"}));
    assert_eq!(fixture.store.lookup(&scope(), "other").await.unwrap(), None);
    for elsewhere in [
        CacheScope { namespace: "team".to_owned(), ..scope() },
        CacheScope { pipeline_name: "other".to_owned(), ..scope() },
    ] {
        assert_eq!(fixture.store.lookup(&elsewhere, "k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn refused_append_remembers_nothing() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap();
    let mut append = one_fact(run, 1, 0);
    append.cache_entries.push(NewCacheEntry {
        scope: scope(),
        key: "k".to_owned(),
        task_path: "fit".to_owned(),
        outputs: TaskOutputs::default(),
        key_document: json!({}),
        created_at: at(0),
    });
    fixture.store.append(append).await.unwrap_err();
    assert_eq!(fixture.store.lookup(&scope(), "k").await.unwrap(), None);
}

#[tokio::test]
async fn i30_unreadable_cache_entry_is_passed_over() {
    let Some(fixture) = Fixture::new().await else { return };
    let (first, second) = (fixture.run(1).await, fixture.run(2).await);
    remember(&fixture, first, 0, "k", "fit").await;
    remember(&fixture, second, 0, "k", "fit").await;
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE cache_entries SET outputs_json = '[' WHERE id = (SELECT max(id) FROM cache_entries)")
        .await;
    let hit = fixture.store.lookup(&scope(), "k").await.unwrap().unwrap();
    assert_eq!(hit.source.run_id, first);
}

#[tokio::test]
async fn nearest_gives_the_newest_results_of_a_task_under_any_key() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    for (expected, (key, path)) in (0..).zip([("a", "fit"), ("b", "fit"), ("c", "score")]) {
        remember(&fixture, run, expected, key, path).await;
    }
    let nearest = fixture.store.nearest(&scope(), "fit", 10).await.unwrap();
    let keys: Vec<_> = nearest.into_iter().filter_map(Listed::readable).map(|entry| entry.key).collect();
    assert_eq!(keys, ["b", "a"]);
}

#[tokio::test]
async fn evict_forgets_what_the_filter_selects() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    for (expected, (key, path)) in (0..).zip([("a", "fit"), ("b", "fit"), ("c", "score"), ("d", "late")]) {
        remember(&fixture, run, expected, key, path).await;
    }
    let evict = async |filter| fixture.store.evict(filter).await.unwrap();
    assert_eq!(evict(CacheFilter { run: Some(new_run(9).info.id), ..CacheFilter::default() }).await, 0);
    assert_eq!(evict(CacheFilter { key: Some("a".to_owned()), ..CacheFilter::default() }).await, 1);
    assert_eq!(evict(CacheFilter { task_path: Some("fit".to_owned()), ..CacheFilter::default() }).await, 1);
    assert_eq!(evict(CacheFilter { created_before: Some(at(3)), ..CacheFilter::default() }).await, 1);
    assert!(fixture.store.lookup(&scope(), "d").await.unwrap().is_some());
    assert_eq!(evict(CacheFilter { pipeline_name: Some("train".to_owned()), ..CacheFilter::default() }).await, 1);
    assert_eq!(fixture.store.lookup(&scope(), "d").await.unwrap(), None);
}

#[tokio::test]
async fn imported_artifact_is_found_by_type_uri_and_metadata() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let model = artifact(1, "s3://b/model", &json!({"a": 1, "b": {"c": [2.0]}}));
    let mut append = one_fact(run, 1, 0);
    append.artifacts.push(ArtifactRow {
        node: NodeId(1),
        output: "artifact".to_owned(),
        position: 0,
        artifact: model.clone(),
    });
    fixture.store.append(append).await.unwrap();
    let find = async |scope: CacheScope, wanted| fixture.store.find_imported(&scope, &wanted).await.unwrap();

    let same = artifact(2, "s3://b/model", &json!({"b": {"c": [2]}, "a": 1.0}));
    assert_eq!(find(scope(), same.clone()).await, Some(model));
    let mut typed = same.clone();
    typed.artifact_type.schema_title = "system.Dataset".to_owned();
    let mut versioned = same.clone();
    versioned.artifact_type.schema_version = "0.0.2".to_owned();
    let moved = artifact(2, "s3://b/model2", &json!({"a": 1, "b": {"c": [2]}}));
    let changed = artifact(2, "s3://b/model", &json!({"a": 1, "b": {"c": [3]}}));
    for different in [typed, versioned, moved, changed] {
        assert_eq!(find(scope(), different.clone()).await, None, "{different:?}");
    }
    assert_eq!(find(CacheScope { pipeline_name: "other".to_owned(), ..scope() }, same.clone()).await, None);
    assert_eq!(find(CacheScope { namespace: "team".to_owned(), ..scope() }, same).await, None);
}

#[tokio::test]
async fn artifacts_are_read_in_pages_and_by_their_ids() {
    let Some(fixture) = Fixture::new().await else { return };
    let (first, second) = (fixture.run(1).await, fixture.run(2).await);
    for run in [second, first] {
        let mut append = one_fact(run, 1, 0);
        append.artifacts = [(1, "b", 0), (0, "z", 0), (1, "a", 1), (1, "a", 0)]
            .map(|(node, output, position)| ArtifactRow {
                node: NodeId(node),
                output: output.to_owned(),
                position,
                artifact: artifact(u128::from(node) + 5, "s3://bucket/x", &json!({})),
            })
            .into();
        fixture.store.append(append).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = fixture.store.artifacts_after(first, after.as_ref(), 3).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        seen.extend(page.into_iter().map(|(at, _)| (at.node.0, at.output, at.position)));
    }
    let expected = [(0, "z", 0), (1, "a", 0), (1, "a", 1), (1, "b", 0)];
    assert_eq!(seen, expected.map(|(node, output, position)| (node, output.to_owned(), position)));
    // The oldest run that has it is its producer.
    assert_eq!(fixture.store.artifact(Uuid::from_u128(6)).await.unwrap().run, first);
    fixture.store.artifact(Uuid::from_u128(99)).await.unwrap_err();
    fixture.store.delete_run(first).await.unwrap();
    assert_eq!(fixture.store.artifact(Uuid::from_u128(6)).await.unwrap().run, second);
}

#[tokio::test]
async fn i30_facts_of_newer_builds_are_passed_on_as_text() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    for expected in 0..3 {
        fixture.store.append(one_fact(run, 1, expected)).await.unwrap();
    }
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE facts SET fact_json = '{\"fact\": \"invented\"}' WHERE seq = 2").await;
    let texts = fixture.store.fact_texts(run, 1, 5).await.unwrap();
    let seen: Vec<_> = texts.iter().map(|text| text.seq).collect();
    assert_eq!((seen, texts[0].json.as_str()), (vec![2, 3], "{\"fact\": \"invented\"}"));
}
