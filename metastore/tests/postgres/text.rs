//! Text that PostgreSQL itself would not store.

use std::collections::BTreeMap;

use penstock_metastore::{Append, Listing, Operand, PipelineField, Predicate, RunField, RunUpdate, StoredPipeline};
use penstock_spec::run::RunStatus;
use uuid::Uuid;

use crate::fixture::{Fixture, at, new_run, one_fact, task};
use crate::pipelines::pipeline;

const ODD: [&str; 4] = ["a\0b", "\0", "\u{10ffff}0", "\u{10ffff}\0\u{10ffff}"];

#[tokio::test]
async fn names_reasons_and_errors_with_nul_read_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    for (number, odd) in (1..).zip(ODD) {
        let mut run = new_run(number);
        let id = run.info.id;
        run.info.display_name = odd.to_owned();
        run.pipeline_text = odd.to_owned();
        run.registration.description = odd.to_owned();
        store.create_run(run.clone()).await.unwrap();
        // The same again is known to be the same.
        store.create_run(run).await.unwrap();
        assert_eq!(store.take_epoch(id).await.unwrap(), 1);
        let mut append = one_fact(id, 1, 0);
        let mut failed = task(1, "fit");
        failed.error = Some(odd.to_owned());
        failed.reason = Some(odd.to_owned());
        append.tasks = vec![failed.clone()];
        let error = Some(odd.to_owned());
        append.run_update = Some(RunUpdate {
            status: RunStatus::Failed,
            error: error.clone(),
            started_at: None,
            finished_at: Some(at(1)),
        });
        store.append(append).await.unwrap();

        assert_eq!(store.task(id, "fit").await.unwrap().unwrap(), failed);
        let record = store.run_record(id).await.unwrap();
        assert_eq!((record.row.info.display_name.as_str(), &record.row.error), (odd, &error));
        assert_eq!((record.registration.description.as_str(), record.inline_text.as_deref()), (odd, Some(odd)));
        assert_eq!(record.history.last().unwrap().error, error);
        assert_eq!(store.run_spec(id).await.unwrap().pipeline_text, odd);
        assert_eq!(store.resolve_run(None, odd).await.unwrap(), id);
        let by_name = Predicate::In { field: RunField::Name, operands: vec![Operand::Text(odd.to_owned())] };
        let listing = Listing { predicates: vec![by_name], ..Listing::by(RunField::Name, 10) };
        assert_eq!(store.list_run_records(&listing).await.unwrap().total, 1);
        store.append(Append::new(id, 1, 1)).await.unwrap();
    }
}

#[tokio::test]
async fn names_and_tags_with_nul_read_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    for (number, odd) in (1..).zip(ODD) {
        let tags = BTreeMap::from([(odd.to_owned(), odd.to_owned()), ("plain".to_owned(), String::new())]);
        let stored = StoredPipeline { tags, ..pipeline(number, odd) };
        store.create_pipeline(stored.clone(), None).await.unwrap();
        assert_eq!(store.pipeline(Uuid::from_u128(number)).await.unwrap(), stored);
        assert_eq!(store.pipeline_by_name("", odd).await.unwrap(), stored);
        let tag = Predicate::Tag { key: odd.to_owned(), value: odd.to_owned() };
        let contains = Predicate::Contains { field: PipelineField::Name, text: odd.to_owned() };
        let listing = Listing { predicates: vec![tag, contains], ..Listing::by(PipelineField::Name, 10) };
        let page = store.list_pipelines(&listing).await.unwrap();
        assert_eq!((page.rows.len(), page.total), (1, 1), "{odd:?}");
    }
}

/// Such an URI is no reason for a run to get stuck.
#[tokio::test]
async fn long_uri_of_an_artifact_is_stored_and_found() {
    use penstock_metastore::{ArtifactRow, CacheScope};
    let Some(fixture) = Fixture::new().await else { return };
    let run = fixture.run(1).await;
    // Nothing that can be compressed.
    let mut state = 1_u64;
    let uri: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    })
    .take(100_000)
    .collect();
    let artifact = crate::fixture::artifact(1, &uri, &serde_json::json!({}));
    let mut append = one_fact(run, 1, 0);
    let node = penstock_engine::NodeId(1);
    append.artifacts = vec![ArtifactRow { node, output: "model".to_owned(), position: 0, artifact: artifact.clone() }];
    fixture.store.append(append).await.unwrap();
    let scope = CacheScope { pipeline_name: "train".to_owned(), namespace: String::new() };
    assert_eq!(fixture.store.find_imported(&scope, &artifact).await.unwrap(), Some(artifact));
}
