//! Appending: what is stored, the fence, and what happens to callers.

use penstock_engine::NodeId;
use penstock_metastore::{
    Append, ArtifactRow, CacheScope, Change, MAX_OUTPUTS_BYTES, MetastoreError, NewCacheEntry, RunUpdate, TaskRow,
};
use penstock_spec::artifact::Content;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::{Value, json};

use crate::fixture::{Fixture, artifact, at, fact, new_run, one_fact, task};

#[tokio::test]
async fn append_stores_facts_and_lists_together() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    let mut model = artifact(7, "s3://bucket/model", &json!({"accuracy": 0.5, "size": 12}));
    let digest = "sha256:00".to_owned();
    model.content = Some(Content { directory: false, files: 1, size: 12, digest });
    let mut outputs = TaskOutputs::default();
    outputs.parameters.insert("text".to_owned(), json!("a\u{0}b"));
    let row = ArtifactRow { node: NodeId(1), output: "model".to_owned(), position: 0, artifact: model };
    let scope = CacheScope { pipeline_name: "train".to_owned(), namespace: String::new() };
    let entry = NewCacheEntry {
        scope: scope.clone(),
        key: "key".to_owned(),
        task_path: "fit".to_owned(),
        outputs: outputs.clone(),
        key_document: json!({"a": 1}),
        created_at: at(3),
    };
    let mut fit = task(1, "fit");
    fit.status = TaskStatus::Succeeded;
    fit.outputs = Some(outputs.clone());
    let update = RunUpdate { status: RunStatus::Running, error: None, started_at: Some(at(1)), finished_at: None };
    let mut append = Append::new(run, 1, 0);
    append.facts = vec![fact(0), fact(1)];
    append.tasks = vec![task(0, ""), fit.clone()];
    append.run_update = Some(update);
    append.artifacts = vec![row.clone()];
    append.cache_entries = vec![entry];

    assert_eq!(store.append(append).await.unwrap(), 2);

    let facts = store.all_facts(run).await.unwrap();
    let seen: Vec<_> = facts.iter().map(|stored| (stored.seq, stored.fact.clone(), stored.at)).collect();
    assert_eq!(seen, [(1, fact(0).0, fact(0).1), (2, fact(1).0, fact(1).1)]);
    assert_eq!(store.facts(run, 1, 10).await.unwrap(), facts[1..]);
    let tasks: Vec<_> =
        store.tasks_after(run, None, 5).await.unwrap().into_iter().filter_map(|row| row.readable()).collect();
    assert_eq!(tasks, [task(0, ""), fit.clone()]);
    let without: Vec<_> = store.tasks(run).await.unwrap().into_iter().filter_map(|row| row.readable()).collect();
    assert_eq!(without, [task(0, ""), TaskRow { outputs: None, ..fit.clone() }]);
    assert_eq!(store.task(run, "fit").await.unwrap(), Some(fit));
    assert_eq!(store.task(run, "unknown").await.unwrap(), None);
    assert_eq!(store.tasks_after(run, Some(NodeId(0)), 5).await.unwrap().len(), 1);
    let artifacts: Vec<_> = store.artifacts(run).await.unwrap().into_iter().filter_map(|row| row.readable()).collect();
    assert_eq!(artifacts, [row]);
    let hit = store.lookup(&scope, "key").await.unwrap().unwrap();
    assert_eq!((hit.outputs, hit.source.run_id, hit.source.task_path.as_str()), (outputs, run, "fit"));
    let stored = store.run(run).await.unwrap();
    assert_eq!((stored.status, stored.started_at, stored.fact_count), (RunStatus::Running, Some(at(1)), 2));
    assert_eq!(stored.info, new_run(1).info);
}

#[tokio::test]
async fn task_row_is_replaced_by_a_later_append() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut append = one_fact(run, 1, 0);
    append.tasks.push(task(1, "fit"));
    fixture.store.append(append).await.unwrap();
    let mut ended = task(1, "fit");
    ended.status = TaskStatus::Failed;
    ended.error = Some("exit code 1".to_owned());
    ended.started_at = None;
    let mut append = one_fact(run, 1, 1);
    append.tasks.push(ended.clone());
    fixture.store.append(append).await.unwrap();
    assert_eq!(fixture.store.task(run, "fit").await.unwrap(), Some(ended));
}

#[tokio::test]
async fn large_outputs_are_left_to_the_facts() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut large = task(1, "fit");
    let mut outputs = TaskOutputs::default();
    outputs.parameters.insert("text".to_owned(), Value::String("x".repeat(MAX_OUTPUTS_BYTES)));
    large.outputs = Some(outputs);
    let mut append = one_fact(run, 1, 0);
    append.tasks.push(large);
    fixture.store.append(append).await.unwrap();
    assert_eq!(fixture.store.task(run, "fit").await.unwrap().unwrap().outputs, None);
}

/// R4, F-36: the older driver's writes are refused, whole.
#[tokio::test]
async fn f36_append_with_an_older_epoch_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap();
    assert_eq!(fixture.store.take_epoch(run).await.unwrap(), 2);

    let mut late = one_fact(run, 1, 1);
    late.tasks.push(task(1, "fit"));
    let error = fixture.store.append(late).await.unwrap_err();

    assert!(matches!(error, MetastoreError::Fenced { epoch: 1, current: 2, .. }), "{error}");
    assert!(error.is_conflict());
    assert_eq!(fixture.store.tasks(run).await.unwrap().len(), 0);
    assert_eq!(fixture.store.append(one_fact(run, 2, 1)).await.unwrap(), 2);
}

/// F-02: the same append twice adds nothing the second time.
#[tokio::test]
async fn f02_append_that_does_not_know_the_newest_facts_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap();
    for expected in [0, 2] {
        let error = fixture.store.append(one_fact(run, 1, expected)).await.unwrap_err();
        assert!(matches!(error, MetastoreError::FactCount { found: 1, .. }), "{error}");
        assert!(error.is_conflict());
    }
    assert_eq!(fixture.store.all_facts(run).await.unwrap().len(), 1);
}

#[tokio::test]
async fn append_to_an_unknown_run_says_so() {
    let Some(fixture) = Fixture::new().await else { return };
    let unknown = uuid::Uuid::from_u128(1);
    let error = fixture.store.append(one_fact(unknown, 1, 0)).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NoSuchRun { .. }), "{error}");
    assert!(matches!(fixture.store.take_epoch(unknown).await, Err(MetastoreError::NoSuchRun { .. })));
}

#[tokio::test]
async fn append_survives_a_caller_that_goes_away() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut changes = fixture.store.subscribe();
    {
        let append = fixture.store.append(one_fact(run, 1, 0));
        tokio::pin!(append);
        // One poll queues the request; then the caller loses interest.
        assert!(futures::poll!(&mut append).is_pending());
    }
    assert_eq!(changes.recv().await.unwrap(), Change::FactsAppended { run, seq: 1 });
    assert_eq!(fixture.store.all_facts(run).await.unwrap().len(), 1);
}

#[tokio::test]
async fn close_stores_what_is_queued_and_refuses_what_follows() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut appends = Vec::new();
    for number in 1..=20 {
        let run = fixture.run(number).await;
        let mut append = Box::pin(store.append(one_fact(run, 1, 0)));
        assert!(futures::poll!(&mut append).is_pending());
        appends.push(append);
    }
    store.close().await;
    for append in appends {
        assert_eq!(append.await.unwrap(), 1);
    }
    let run = new_run(1).info.id;
    let error = store.append(one_fact(run, 1, 1)).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Closed { .. }), "{error}");
    let error = store.all_facts(run).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Closed { .. }), "{error}");
    fixture.place.assert_closed().await;
    let again = fixture.open().await;
    assert_eq!(again.all_facts(run).await.unwrap().len(), 1);
}

#[tokio::test]
async fn subscribers_learn_of_what_is_durable() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut changes = fixture.store.subscribe();
    let run = fixture.run(1).await;
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap();
    fixture.store.append(one_fact(run, 1, 0)).await.unwrap_err();
    fixture.store.append(Append::new(run, 1, 1)).await.unwrap();
    assert_eq!(changes.try_recv().unwrap(), Change::RunCreated { run });
    assert_eq!(changes.try_recv().unwrap(), Change::FactsAppended { run, seq: 1 });
    assert!(changes.try_recv().is_err());
}
