//! Runs by pipeline, tags, parameters and metrics, against looking at every run.

use std::collections::BTreeMap;

use penstock_engine::{Fact, NodeId};
use penstock_metastore::{
    Append, ArtifactRow, Comparison, Cursor, Listed, Listing, MAX_VALUE_CONDITIONS, Metastore, MetastoreError, Operand,
    PipelineVersion, Predicate, RunField, RunSearch, RunValueKind, RunValueName, RunValues, StoredPipeline, Tags,
    ValueCondition,
};
use penstock_spec::artifact::Artifact;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, artifact, at, close, execute, new_run};
use crate::place::COPIES;

fn parameter(name: &str) -> RunValueName {
    RunValueName { kind: RunValueKind::Parameter, name: name.to_owned() }
}

fn metric(name: &str) -> RunValueName {
    RunValueName { kind: RunValueKind::Metric, name: name.to_owned() }
}

fn one_of(name: RunValueName, texts: &[&str]) -> ValueCondition {
    ValueCondition::OneOf(name, texts.iter().map(|text| (*text).to_owned()).collect())
}

fn none_of(name: RunValueName, texts: &[&str]) -> ValueCondition {
    ValueCondition::NoneOf(name, texts.iter().map(|text| (*text).to_owned()).collect())
}

fn search(conditions: Vec<ValueCondition>) -> RunSearch {
    RunSearch { listing: Listing::by(RunField::CreatedAt, 100), conditions, sort_value: None }
}

fn equal(field: RunField, operand: Operand) -> Predicate<RunField> {
    Predicate::Compare { field, comparison: Comparison::Equal, operand }
}

fn metrics(number: u128, metadata: &Value) -> Artifact {
    let mut artifact = artifact(number, "", metadata);
    artifact.artifact_type.schema_title = "system.Metrics".to_owned();
    artifact
}

fn output(node: u32, artifact: Artifact) -> ArtifactRow {
    ArtifactRow { node: NodeId(node), output: "metrics".to_owned(), position: 0, artifact }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

async fn values(store: &Metastore, run: Uuid) -> RunValues {
    store.run_values(&[run]).await.unwrap().remove(&run).unwrap_or_default()
}

/// All pages of a search, whose totals are the same.
async fn all(store: &Metastore, search: &RunSearch, size: u32) -> (Vec<Uuid>, u64, bool) {
    let (mut found, mut from) = (Vec::new(), search.listing.from.clone());
    loop {
        let listing = Listing { from, size, ..search.listing.clone() };
        let page = store.search_runs(&RunSearch { listing, ..search.clone() }).await.unwrap();
        found.extend(page.page.rows.into_iter().map(|row| match row {
            Listed::Readable(record) => record.row.info.id,
            Listed::Unreadable(row) => panic!("{row:?}"),
        }));
        match page.page.next {
            Some(next) => from = Some(next),
            None => return (found, page.page.total, page.is_least),
        }
    }
}

async fn found(store: &Metastore, search: &RunSearch) -> Vec<Uuid> {
    let (found, total, is_least) = all(store, search, 100).await;
    assert_eq!((found.len() as u64, false), (total, is_least), "{search:?}");
    found
}

#[tokio::test]
async fn values_are_recorded_as_they_come() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let run = fixture.run(1).await;
    let given = map(json!({"n": 1, "text": "ä\u{0}\n"}));
    assert_eq!(values(store, run).await, RunValues { parameters: given, metrics: BTreeMap::new() });

    let mut start = Append::new(run, 1, 0);
    let effective =
        map(json!({"n": 1, "rate": 0.5, "on": true, "text": "other", "list": [1, 2], "long": "x".repeat(300)}));
    start.facts.push((Fact::RunStarted { run: new_run(1).info, parameters: effective }, at(1)));
    start.artifacts.push(output(1, metrics(7, &json!({"loss": 3, "note": "text"}))));
    start.artifacts.push(output(2, metrics(8, &json!({"loss": 0.25, "accuracy": 1.0}))));
    start.artifacts.push(output(3, artifact(9, "s3://b/9", &json!({"size": 5}))));
    store.append(start).await.unwrap();
    let parameters = map(json!({"n": 1, "rate": 0.5, "on": "true", "text": "other", "list": "[1,2]"}));
    let expected = [("accuracy".to_owned(), 1.0), ("loss".to_owned(), 0.25)];
    assert_eq!(values(store, run).await, RunValues { parameters, metrics: BTreeMap::from(expected) });
    assert_eq!(found(store, &search(vec![one_of(metric("loss"), &["0.25"])])).await, [run]);

    let mut again = Append::new(run, 1, 1);
    again.restarted.push(NodeId(2));
    again.artifacts.push(output(1, metrics(10, &json!({"loss": 2}))));
    store.append(again).await.unwrap();
    assert_eq!(values(store, run).await.metrics, BTreeMap::from([("loss".to_owned(), 2.0)]));

    fixture.set_status_after(run, 1, penstock_spec::run::RunStatus::Succeeded).await;
    store.delete_run(run).await.unwrap();
    assert_eq!(values(store, run).await, RunValues::default());
    assert!(found(store, &search(vec![one_of(parameter("n"), &["1"])])).await.is_empty());
}

struct Made {
    id: Uuid,
    created: usize,
    namespace: &'static str,
    pipeline: Uuid,
    version: Uuid,
    tags: Vec<(&'static str, &'static str)>,
    rate: Option<f64>,
    name: &'static str,
    loss: Option<f64>,
}

const RATES: [Option<f64>; 5] = [Some(0.1), Some(0.5), None, Some(-2.0), Some(10.0)];
const NAMES: [&str; 3] = ["adam", "SGD", "10"];

/// Two pipelines with a version each, which have tags.
async fn pipelines(store: &Metastore) -> [(Uuid, Uuid, Vec<(&'static str, &'static str)>); 2] {
    let mut made = Vec::new();
    for (number, of_pipeline, of_version) in [(1_u128, "ml", "prod"), (2, "web", "test")] {
        let (pipeline, version) = (Uuid::from_u128(number), Uuid::from_u128(number + 100));
        let tags = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        let new = StoredPipeline {
            id: pipeline,
            namespace: String::new(),
            name: format!("pipeline-{number}"),
            display_name: format!("pipeline-{number}"),
            description: String::new(),
            created_at: at(0),
            tags: tags("team", of_pipeline),
        };
        let first = PipelineVersion {
            id: version,
            pipeline,
            name: "v1".to_owned(),
            display_name: "v1".to_owned(),
            description: String::new(),
            created_at: at(0),
            package_url: String::new(),
            code_source_url: String::new(),
            spec: json!({}),
            pipeline_text: String::new(),
            tags: tags("stage", of_version),
        };
        store.create_pipeline(new, Some(first)).await.unwrap();
        made.push((pipeline, version, vec![("team", of_pipeline), ("stage", of_version)]));
    }
    made.try_into().unwrap()
}

async fn made(store: &Metastore) -> Vec<Made> {
    let pipelines = pipelines(store).await;
    let mut runs = Vec::new();
    for number in 0..120_usize {
        let mut run = new_run(number as u128);
        run.info.namespace = ["team-a", "team-b"][number % 7 % 2].to_owned();
        run.info.created_at = at(i64::try_from(number / 3).unwrap());
        let (rate, name) = (RATES[number % 5], NAMES[number % 3]);
        run.parameters = map(json!({"name": name}));
        if let Some(rate) = rate {
            run.parameters.insert("rate".to_owned(), rate.into());
        }
        let (pipeline, version, tags) = pipelines[number % 11 % 2].clone();
        let inline = number % 13 == 0;
        if !inline {
            (run.registration.pipeline, run.registration.version) = (Some(pipeline), Some(version));
        }
        let id = run.info.id;
        store.create_run(run).await.unwrap();
        store.take_epoch(id).await.unwrap();
        let loss = (number % 4 != 0).then_some(((number * 37) % 20) as f64 / 4.0);
        if let Some(loss) = loss {
            let mut append = Append::new(id, 1, 0);
            append.artifacts.push(output(1, metrics(1000 + number as u128, &json!({"val loss": loss}))));
            store.append(append).await.unwrap();
        }
        runs.push(Made {
            id,
            created: number / 3,
            namespace: if number % 7 % 2 == 0 { "team-a" } else { "team-b" },
            pipeline: if inline { Uuid::nil() } else { pipeline },
            version: if inline { Uuid::nil() } else { version },
            tags: if inline { Vec::new() } else { tags },
            rate,
            name,
            loss,
        });
    }
    runs
}

type Test = fn(&Made) -> bool;

/// Conditions, and the same on a run.
fn cases() -> Vec<(Vec<ValueCondition>, Test)> {
    let compares = |name, comparison, number| ValueCondition::Compares(name, comparison, number);
    let tag = |key: &str, value: &str| ValueCondition::Tag(key.to_owned(), value.to_owned());
    vec![
        (vec![one_of(parameter("rate"), &["0.10"])], |run| run.rate == Some(0.1)),
        (vec![one_of(parameter("rate"), &["0.1", "10"])], |run| run.rate == Some(0.1) || run.rate == Some(10.0)),
        (vec![one_of(parameter("rate"), &[])], |_| false),
        (vec![none_of(parameter("rate"), &["0.5"])], |run| run.rate.is_some_and(|rate| (rate - 0.5).abs() > 0.01)),
        (vec![none_of(parameter("rate"), &[])], |run| run.rate.is_some()),
        (vec![one_of(parameter("name"), &["10"])], |run| run.name == "10"),
        (vec![one_of(parameter("name"), &["sgd"])], |_| false),
        (vec![compares(parameter("name"), Comparison::Greater, 5.0)], |_| false),
        (vec![compares(parameter("rate"), Comparison::Less, 0.5)], |run| run.rate.is_some_and(|rate| rate < 0.5)),
        (vec![compares(parameter("rate"), Comparison::GreaterOrEqual, 0.5)], |run| {
            run.rate.is_some_and(|rate| rate >= 0.5)
        }),
        (vec![compares(metric("val loss"), Comparison::LessOrEqual, 2.0)], |run| {
            run.loss.is_some_and(|loss| loss <= 2.0)
        }),
        (vec![compares(metric("rate"), Comparison::LessOrEqual, 2.0)], |_| false),
        (vec![compares(metric("val loss"), Comparison::Greater, 1.0), one_of(parameter("name"), &["adam"])], |run| {
            run.loss.is_some_and(|loss| loss > 1.0) && run.name == "adam"
        }),
        (vec![tag("team", "ML")], |run| run.tags.contains(&("team", "ml"))),
        (vec![tag("stage", "test"), one_of(parameter("name"), &["SGD"])], |run| {
            run.tags.contains(&("stage", "test")) && run.name == "SGD"
        }),
        (vec![tag("team", "prod")], |_| false),
    ]
}

#[tokio::test]
async fn runs_are_found_by_values_and_tags_as_by_looking_at_each() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let runs = made(store).await;
    let by_pipeline = Operand::Id(Uuid::from_u128(1));
    let narrower: [(Vec<Predicate<RunField>>, Test); 4] = [
        (vec![], |_| true),
        (vec![equal(RunField::Namespace, Operand::Text("team-b".to_owned()))], |run| run.namespace == "team-b"),
        (vec![equal(RunField::Pipeline, by_pipeline)], |run| run.pipeline == Uuid::from_u128(1)),
        (vec![equal(RunField::Version, Operand::Id(Uuid::from_u128(102)))], |run| run.version == Uuid::from_u128(102)),
    ];
    for (predicates, is_there) in &narrower {
        let unconditional: [(Vec<ValueCondition>, Test); 1] = [(vec![], |_| true)];
        for (conditions, is_meant) in cases().into_iter().chain(unconditional) {
            for descending in [false, true] {
                let mut expected: Vec<&Made> = runs.iter().filter(|run| is_there(run) && is_meant(run)).collect();
                let listing =
                    Listing { predicates: predicates.clone(), descending, ..Listing::by(RunField::CreatedAt, 7) };
                let mut search = RunSearch { listing, conditions: conditions.clone(), sort_value: None };
                expected.sort_by_key(|run| (run.created, run.id));
                assert_found(store, &search, &expected).await;

                search.sort_value = Some(metric("val loss"));
                expected.retain(|run| run.loss.is_some());
                expected.sort_by(|a, b| a.loss.partial_cmp(&b.loss).unwrap().then(a.id.cmp(&b.id)));
                assert_found(store, &search, &expected).await;
            }
        }
    }
}

async fn assert_found(store: &Metastore, search: &RunSearch, expected: &[&Made]) {
    let mut expected: Vec<Uuid> = expected.iter().map(|run| run.id).collect();
    if search.listing.descending {
        expected.reverse();
    }
    assert_eq!(all(store, search, 7).await, (expected.clone(), expected.len() as u64, false), "{search:?}");
}

/// More runs than are looked at one by one.
#[tokio::test]
async fn where_many_runs_are_found_the_page_is_filled_in_order() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_run(new_run(1)).await.unwrap();
    let mut raw = fixture.raw().await;
    for statement in COPIES {
        execute(&mut raw, statement).await;
    }
    execute(
        &mut raw,
        "INSERT INTO run_values (run_id, value_key, text, number, node, run_namespace) \
         SELECT id, 'p.many', 'x', NULL, NULL, namespace FROM runs WHERE created_at <= 6000",
    )
    .await;
    execute(
        &mut raw,
        "INSERT INTO run_values (run_id, value_key, text, number, node, run_namespace) \
         SELECT id, 'm.place', CAST(created_at % 1000 AS TEXT), created_at % 1000, 1, namespace FROM runs \
         WHERE created_at <= 6000",
    )
    .await;
    close(raw).await;

    let many = one_of(parameter("many"), &["x"]);
    let newest = |conditions| {
        let listing = Listing { descending: true, ..Listing::by(RunField::CreatedAt, 3) };
        RunSearch { listing, conditions, sort_value: None }
    };
    let ids = |numbers: &[u128]| numbers.iter().map(|number| Uuid::from_u128(*number)).collect::<Vec<_>>();
    let page = async |search: &RunSearch| {
        let found = store.search_runs(search).await.unwrap();
        let rows = found.page.rows.into_iter().filter_map(Listed::readable);
        (rows.map(|record| record.row.info.id).collect::<Vec<_>>(), found.page.next, found.page.total, found.is_least)
    };
    let mut search = newest(vec![many.clone()]);
    let (first, next, total, is_least) = page(&search).await;
    assert_eq!((first, is_least), (ids(&[6000, 5999, 5998]), true));
    assert!((5000..=6000).contains(&total), "{total}");
    search.listing.from = next;
    assert_eq!(page(&search).await.0, ids(&[5997, 5996, 5995]));

    // A second condition that few meet leads, and its number is exact.
    let few = ValueCondition::Compares(metric("place"), Comparison::GreaterOrEqual, 999.0);
    let mut search = newest(vec![many.clone(), few]);
    let (rows, _, total, is_least) = page(&search).await;
    assert_eq!((rows, total, is_least), (ids(&[5999, 4999, 3999]), 6, false));
    search.listing.from = Some(Cursor { value: Operand::Integer(2999), id: Uuid::from_u128(2999) });
    assert_eq!(page(&search).await.0, ids(&[2999, 1999, 999]));

    // Many are sorted by a value along its index.
    let mut search = RunSearch { sort_value: Some(metric("place")), ..newest(vec![many]) };
    let (first, next, _, is_least) = page(&search).await;
    assert_eq!((first, is_least), (ids(&[5999, 4999, 3999]), true));
    search.listing.from = next;
    assert_eq!(page(&search).await.0, ids(&[2999, 1999, 999]));
}

#[tokio::test]
async fn values_of_earlier_runs_are_recorded_later() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (started, waiting, recorded) = (fixture.run(1).await, fixture.run(2).await, fixture.run(3).await);
    let mut start = Append::new(started, 1, 0);
    let parameters = map(json!({"n": 5, "rate": 0.5}));
    start.facts.push((Fact::RunStarted { run: new_run(1).info, parameters: parameters.clone() }, at(1)));
    start.artifacts.push(output(1, metrics(7, &json!({"loss": 3}))));
    store.append(start).await.unwrap();
    let expected = values(store, recorded).await;
    let mut raw = fixture.raw().await;
    execute(&mut raw, "DELETE FROM run_values").await;
    execute(&mut raw, "INSERT INTO unrecorded_values (run_id) SELECT id FROM runs").await;
    execute(
        &mut raw,
        "UPDATE run_specs SET parameters_json = '{' WHERE run_id = (SELECT id FROM runs WHERE name = 'train-00002')",
    )
    .await;
    close(raw).await;
    assert!(store.has_unrecorded_values().await.unwrap());
    // What comes meanwhile is newer.
    let mut later = Append::new(started, 1, 1);
    later.artifacts.push(output(2, metrics(8, &json!({"loss": 2}))));
    store.append(later).await.unwrap();

    assert_eq!(store.record_values(2).await.unwrap(), 2);
    assert_eq!(store.record_values(2).await.unwrap(), 1);
    assert_eq!(store.record_values(2).await.unwrap(), 0);
    assert!(!store.has_unrecorded_values().await.unwrap());
    let metrics = BTreeMap::from([("loss".to_owned(), 2.0)]);
    assert_eq!(values(store, started).await, RunValues { parameters, metrics });
    assert_eq!(values(store, waiting).await, RunValues::default());
    assert_eq!(values(store, recorded).await, expected);
}

#[tokio::test]
async fn t13_what_would_take_too_long_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let many = vec![one_of(parameter("a"), &["b"]); MAX_VALUE_CONDITIONS + 1];
    let texts = vec!["b"; 101];
    for conditions in [many, vec![one_of(parameter("a"), &texts)]] {
        let refused = store.search_runs(&search(conditions)).await.unwrap_err();
        assert!(matches!(refused, MetastoreError::TooManyConditions { .. }), "{refused}");
    }
    let mut search = search(vec![]);
    search.sort_value = Some(metric("a"));
    for value in [Operand::Integer(5), Operand::Text("five".to_owned())] {
        search.listing.from = Some(Cursor { value, id: Uuid::nil() });
        let refused = store.search_runs(&search).await.unwrap_err();
        assert!(matches!(refused, MetastoreError::PageToken { .. }), "{refused}");
    }
}
