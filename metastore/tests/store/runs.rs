//! Creating, listing and finding runs.

use penstock_metastore::{Append, Listed, MetastoreError, RunPage, RunQuery, RunUpdate};
use penstock_spec::run::RunStatus;

use crate::fixture::{Fixture, at, new_run};

fn names(page: &RunPage) -> Vec<String> {
    let name = |row: &Listed<penstock_metastore::RunRow>| match row {
        Listed::Readable(run) => run.info.name.clone(),
        Listed::Unreadable(row) => panic!("{row:?}"),
    };
    page.runs.iter().map(name).collect()
}

#[tokio::test]
async fn created_run_reads_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let new = new_run(1);
    fixture.store.create_run(new.clone()).await.unwrap();
    let run = fixture.store.run(new.info.id).await.unwrap();
    assert_eq!((run.info, run.options), (new.info.clone(), new.options));
    assert_eq!((run.status, run.epoch, run.fact_count), (RunStatus::Pending, 0, 0));
    let spec = fixture.store.run_spec(new.info.id).await.unwrap();
    assert_eq!((spec.pipeline_text, spec.parameters), (new.pipeline_text, new.parameters));
}

/// F-34: a request may be repeated when its answer was lost.
#[tokio::test]
async fn f34_creating_a_run_again_changes_nothing() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.store.create_run(new_run(1)).await.unwrap();
    fixture.store.create_run(new_run(1)).await.unwrap();
    let mut other = new_run(1);
    other.pipeline_text = "pipelineInfo: {name: other}".to_owned();
    let error = fixture.store.create_run(other).await.unwrap_err();
    assert!(matches!(error, MetastoreError::RunExists { .. }), "{error}");
    assert_eq!(fixture.store.list_runs(&RunQuery::default()).await.unwrap().runs.len(), 1);
}

#[tokio::test]
async fn pages_go_from_new_to_old_without_gaps_while_runs_are_added() {
    let Some(fixture) = Fixture::new().await else { return };
    for number in 1..=7 {
        fixture.run(number).await;
    }
    // Two of the same time: the id decides.
    let mut twin = new_run(4);
    twin.info.id = uuid::Uuid::from_u128(u128::MAX);
    twin.info.name = "twin".to_owned();
    fixture.store.create_run(twin).await.unwrap();
    let mut query = RunQuery { page_size: 3, ..RunQuery::default() };
    let mut seen = Vec::new();
    let mut newer = 100;
    loop {
        let page = fixture.store.list_runs(&query).await.unwrap();
        seen.extend(names(&page));
        fixture.run(newer).await;
        newer += 1;
        let Some(next) = page.next else { break };
        query.page_token = Some(next);
    }
    let wanted = [
        "train-00007",
        "train-00006",
        "train-00005",
        "twin",
        "train-00004",
        "train-00003",
        "train-00002",
        "train-00001",
    ];
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn lists_can_be_narrowed() {
    let Some(fixture) = Fixture::new().await else { return };
    for number in 1..=3 {
        fixture.run(number).await;
    }
    let mut other = new_run(4);
    other.info.pipeline_name = "other".to_owned();
    other.info.namespace = "team".to_owned();
    fixture.store.create_run(other).await.unwrap();
    let mut append = Append::new(new_run(2).info.id, 1, 0);
    append.run_update = Some(RunUpdate {
        status: RunStatus::Succeeded,
        error: None,
        started_at: Some(at(2)),
        finished_at: Some(at(3)),
    });
    fixture.store.append(append).await.unwrap();
    let list = async |query: RunQuery| names(&fixture.store.list_runs(&query).await.unwrap());
    let unfinished = RunQuery { unfinished: true, ..RunQuery::default() };
    assert_eq!(list(unfinished).await, ["train-00004", "train-00003", "train-00001"]);
    let train = RunQuery { pipeline_name: Some("train".to_owned()), ..RunQuery::default() };
    assert_eq!(list(train).await, ["train-00003", "train-00002", "train-00001"]);
    let team = RunQuery { namespace: Some("team".to_owned()), ..RunQuery::default() };
    assert_eq!(list(team).await, ["train-00004"]);
}

#[tokio::test]
async fn page_token_of_somebody_else_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let query = RunQuery { page_token: Some("'; DROP TABLE runs".to_owned()), ..RunQuery::default() };
    let error = fixture.store.list_runs(&query).await.unwrap_err();
    assert!(matches!(error, MetastoreError::PageToken { .. }), "{error}");
}

#[tokio::test]
async fn run_is_found_by_latest_id_name_or_a_unique_beginning() {
    let Some(fixture) = Fixture::new().await else { return };
    assert!(matches!(fixture.store.resolve_run(None, "latest").await, Err(MetastoreError::NoRuns)));
    for number in [1, 2, 10] {
        fixture.run(number).await;
    }
    let mut short = new_run(5);
    short.info.name = "train-0000".to_owned();
    short.info.display_name = "nightly of the team".to_owned();
    fixture.store.create_run(short).await.unwrap();
    let id = |number| new_run(number).info.id;
    let resolve = async |selector: &str| fixture.store.resolve_run(None, selector).await;
    assert_eq!(resolve("latest").await.unwrap(), id(10));
    assert_eq!(resolve(&id(2).to_string()).await.unwrap(), id(2));
    assert_eq!(resolve("0000000000000001-").await.unwrap(), id(1));
    assert_eq!(resolve("train-00010").await.unwrap(), id(10));
    assert_eq!(resolve("train-0001").await.unwrap(), id(10));
    assert_eq!(resolve("nightly of the team").await.unwrap(), id(5));
    // A full name wins over longer ones.
    assert_eq!(resolve("train-0000").await.unwrap(), id(5));
    for unknown in ["", "%", "train-1", "train-00010x", "ffff", "Train", "nightly"] {
        let result = resolve(unknown).await;
        if unknown.is_empty() {
            assert!(matches!(result, Err(MetastoreError::AmbiguousRun { .. })), "{result:?}");
        } else {
            assert!(matches!(result, Err(MetastoreError::UnknownRun { .. })), "{unknown}: {result:?}");
        }
    }
    let mut theirs = new_run(20);
    theirs.info.namespace = "theirs".to_owned();
    fixture.store.create_run(theirs).await.unwrap();
    for (selector, expected) in [("latest", Some(20)), ("train-0002", Some(20)), ("train-0001", None)] {
        let found = fixture.store.resolve_run(Some("theirs"), selector).await;
        assert_eq!(found.ok(), expected.map(id), "{selector}");
    }
    assert!(matches!(fixture.store.resolve_run(Some("nobody's"), "latest").await, Err(MetastoreError::NoRuns)));
    fixture.store.delete_run(id(20)).await.unwrap();
    let error = resolve("train").await.unwrap_err();
    let MetastoreError::AmbiguousRun { candidates, .. } = &error else { panic!("{error}") };
    assert_eq!(candidates.len(), 4);
    assert!(error.to_string().contains("train-00010"), "{error}");
}

#[tokio::test]
async fn namespaces_of_runs_are_listed_once() {
    let Some(fixture) = Fixture::new().await else { return };
    assert!(fixture.store.namespaces().await.unwrap().is_empty());
    for (number, namespace) in (1..).zip(["b", "a", "", "b", "c", "a"]) {
        let mut run = new_run(number);
        run.info.namespace = namespace.to_owned();
        fixture.store.create_run(run).await.unwrap();
    }
    assert_eq!(fixture.store.namespaces().await.unwrap(), ["", "a", "b", "c"]);
}
