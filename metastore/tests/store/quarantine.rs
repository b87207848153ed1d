//! I-30: rows that this build cannot read do not take the others with them.

use penstock_metastore::{Listed, MetastoreError, RunQuery};
use serde_json::json;

use crate::fixture::{Fixture, artifact, execute, execute_for, new_run, one_fact, task};
use crate::place::{DAMAGED_TEXT, DAMAGED_TEXT_COLUMN};
use penstock_engine::NodeId;
use penstock_metastore::ArtifactRow;

#[tokio::test]
async fn i30_unreadable_runs_are_listed_with_their_reason() {
    let Some(fixture) = Fixture::new().await else { return };
    for number in 1..=5 {
        fixture.run(number).await;
    }
    let mut raw = fixture.raw().await;
    for sql in [
        "UPDATE runs SET status = 'PONDERING' WHERE name = 'train-00001'",
        "UPDATE runs SET info_json = '{\"id\": 5' WHERE name = 'train-00002'",
        DAMAGED_TEXT,
        "UPDATE runs SET epoch = -1 WHERE name = 'train-00004'",
    ] {
        assert_eq!(execute(&mut raw, sql).await, 1);
    }
    let page = fixture.store.list_runs(&RunQuery::default()).await.unwrap();
    assert!(matches!(&page.runs[0], Listed::Readable(run) if run.info == new_run(5).info));
    for (row, (number, word)) in
        page.runs[1..].iter().zip([(4, "epoch"), (3, DAMAGED_TEXT_COLUMN), (2, "info_json"), (1, "PONDERING")])
    {
        let Listed::Unreadable(row) = row else { panic!("run {number} was read") };
        assert_eq!(row.row, new_run(number).info.id.to_string());
        assert!(row.reason.contains(word), "{}", row.reason);
    }
    // Paging goes on behind such rows.
    let query = RunQuery { page_size: 2, ..RunQuery::default() };
    let first = fixture.store.list_runs(&query).await.unwrap();
    let second = fixture.store.list_runs(&RunQuery { page_token: first.next, ..query }).await.unwrap();
    assert_eq!(second.runs, page.runs[2..4]);
    let error = fixture.store.run(new_run(1).info.id).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn i30_unreadable_tasks_and_artifacts_are_listed_with_their_reason() {
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    let mut append = one_fact(run, 1, 0);
    append.tasks = vec![task(0, ""), task(1, "fit"), task(2, "score")];
    append.artifacts = (1..=2)
        .map(|node| ArtifactRow {
            node: NodeId(node),
            output: "model".to_owned(),
            position: 0,
            artifact: artifact(u128::from(node), "s3://b/k", &json!({})),
        })
        .collect();
    fixture.store.append(append).await.unwrap();
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE tasks SET kind = 'TELEPORTER' WHERE node = 1").await;
    execute(&mut raw, "UPDATE artifacts SET record_json = 'null' WHERE node = 1").await;

    let tasks = fixture.store.tasks(run).await.unwrap();
    assert!(matches!(&tasks[0], Listed::Readable(_)));
    assert!(
        matches!(&tasks[1], Listed::Unreadable(row) if row.row.contains("fit") && row.reason.contains("TELEPORTER"))
    );
    assert!(matches!(&tasks[2], Listed::Readable(_)));
    let artifacts = fixture.store.artifacts(run).await.unwrap();
    assert!(matches!(&artifacts[0], Listed::Unreadable(row) if row.reason.contains("record_json")));
    assert!(matches!(&artifacts[1], Listed::Readable(_)));
}

/// A run cannot be folded around a fact that is unknown or missing; other runs are not concerned.
#[tokio::test]
async fn i30_unknown_or_missing_facts_stop_the_run_and_no_other() {
    let Some(fixture) = Fixture::new().await else { return };
    for number in 1..=3 {
        let run = fixture.run(number).await;
        for expected in 0..3 {
            fixture.store.append(one_fact(run, 1, expected)).await.unwrap();
        }
    }
    let mut raw = fixture.raw().await;
    let of_run = |number: u128| new_run(number).info.id;
    let unknown = "UPDATE facts SET fact_json = '{\"fact\":\"taskPondered\"}' WHERE run_id = $1 AND seq = 2";
    assert_eq!(execute_for(&mut raw, unknown, of_run(1)).await, 1);
    assert_eq!(execute_for(&mut raw, "DELETE FROM facts WHERE run_id = $1 AND seq = 2", of_run(2)).await, 1);
    for (number, word) in [(1, "taskPondered"), (2, "missing")] {
        let error = fixture.store.all_facts(of_run(number)).await.unwrap_err();
        let MetastoreError::Unreadable { row, reason } = error else { panic!("{error}") };
        assert!(row.contains("fact 2"), "{row}");
        assert!(reason.contains(word), "{reason}");
    }
    assert_eq!(fixture.store.all_facts(of_run(3)).await.unwrap().len(), 3);
}
