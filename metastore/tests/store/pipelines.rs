//! Pipelines, their versions and tags.

use penstock_metastore::{
    EntityUpdate, Listed, Listing, MetastoreError, PipelineField, PipelineVersion, Predicate, StoredPipeline, Tags,
    VersionField,
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, at, count, execute};

pub(crate) fn pipeline(number: u128, name: &str) -> StoredPipeline {
    StoredPipeline {
        id: Uuid::from_u128(number),
        namespace: String::new(),
        name: name.to_owned(),
        display_name: format!("The {name}"),
        description: String::new(),
        created_at: at(i64::try_from(number).unwrap()),
        tags: Tags::new(),
    }
}

pub(crate) fn version(number: u128, pipeline: u128, name: &str) -> PipelineVersion {
    PipelineVersion {
        id: Uuid::from_u128(number),
        pipeline: Uuid::from_u128(pipeline),
        name: name.to_owned(),
        display_name: format!("The {name}"),
        description: "ä".to_owned(),
        created_at: at(i64::try_from(number).unwrap()),
        package_url: "https://example.com/p.yaml".to_owned(),
        code_source_url: String::new(),
        tags: Tags::new(),
        spec: json!({"pipelineInfo": {"name": name}, "root": {"n": 1.5}}),
        pipeline_text: format!("pipelineInfo: {{name: {name}}}\n"),
    }
}

pub(crate) fn tags<const N: usize>(tags: [(&str, &str); N]) -> Tags {
    tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn is_not_found(error: &MetastoreError, wanted: &'static str, name: &str) -> bool {
    matches!(error, MetastoreError::NotFound { kind, id } if *kind == wanted && id == name)
}

#[tokio::test]
async fn pipeline_and_first_version_read_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let train = StoredPipeline { tags: tags([("team", "a\"b"), ("ünit", "")]), ..pipeline(1, "train") };
    let first = PipelineVersion { tags: tags([("stage", "Beta")]), ..version(2, 1, "train") };
    store.create_pipeline(train.clone(), Some(first.clone())).await.unwrap();
    assert_eq!(store.pipeline(train.id).await.unwrap(), train);
    assert_eq!(store.pipeline_by_name("", "TRAIN").await.unwrap(), train);
    assert_eq!(store.version(first.id).await.unwrap(), first);
    assert_eq!(store.latest_version(train.id).await.unwrap(), first);
    let unknown = Uuid::from_u128(99);
    assert!(is_not_found(&store.pipeline(unknown).await.unwrap_err(), "pipeline", &unknown.to_string()));
    assert!(is_not_found(&store.pipeline_by_name("", "tra").await.unwrap_err(), "pipeline", "tra"));
    assert!(is_not_found(&store.version(unknown).await.unwrap_err(), "pipeline version", &unknown.to_string()));
}

#[tokio::test]
async fn pipeline_and_version_are_created_both_or_neither() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_pipeline(pipeline(1, "one"), Some(version(1, 1, "v"))).await.unwrap();
    // The version's id is taken.
    let error = store.create_pipeline(pipeline(2, "two"), Some(version(1, 2, "v"))).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Refused { .. }), "{error}");
    assert!(store.pipeline(Uuid::from_u128(2)).await.is_err());
    // The pipeline's name is.
    let error = store.create_pipeline(pipeline(2, "ONE"), Some(version(2, 2, "v"))).await.unwrap_err();
    assert!(matches!(&error, MetastoreError::NameTaken { kind: "pipeline", name } if name == "ONE"), "{error}");
    assert!(store.version(Uuid::from_u128(2)).await.is_err());
    // A first version belongs to its pipeline whatever it says.
    store.create_pipeline(pipeline(3, "three"), Some(version(3, 1, "v"))).await.unwrap();
    assert_eq!(store.version(Uuid::from_u128(3)).await.unwrap().pipeline, Uuid::from_u128(3));
}

#[tokio::test]
async fn version_needs_its_pipeline_and_a_name_of_its_own() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let error = store.create_version(version(1, 1, "v1")).await.unwrap_err();
    assert!(is_not_found(&error, "pipeline", &Uuid::from_u128(1).to_string()), "{error}");
    store.create_pipeline(pipeline(1, "one"), None).await.unwrap();
    store.create_pipeline(pipeline(2, "two"), None).await.unwrap();
    let error = store.latest_version(Uuid::from_u128(1)).await.unwrap_err();
    assert!(is_not_found(&error, "pipeline version", &Uuid::from_u128(1).to_string()), "{error}");
    store.create_version(version(1, 1, "v1")).await.unwrap();
    let error = store.create_version(version(2, 1, "V1")).await.unwrap_err();
    assert!(matches!(&error, MetastoreError::NameTaken { kind: "pipeline version", name } if name == "V1"), "{error}");
    store.create_version(version(2, 2, "V1")).await.unwrap();
}

#[tokio::test]
async fn latest_version_is_the_newest_and_of_several_the_greatest() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_pipeline(pipeline(1, "one"), None).await.unwrap();
    for (number, second) in [(5, 10), (7, 10), (6, 10), (9, 3)] {
        let version = PipelineVersion { created_at: at(second), ..version(number, 1, &format!("v{number}")) };
        store.create_version(version).await.unwrap();
    }
    let latest = async || store.latest_version(Uuid::from_u128(1)).await.map(|version| version.id.as_u128());
    assert_eq!(latest().await.unwrap(), 7);
    store.delete_version(Uuid::from_u128(7)).await.unwrap();
    assert_eq!(latest().await.unwrap(), 6);
    assert!(matches!(store.delete_version(Uuid::from_u128(7)).await, Err(MetastoreError::NotFound { .. })));
}

#[tokio::test]
async fn update_changes_what_it_names() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let train = StoredPipeline { tags: tags([("a", "1"), ("b", "2")]), ..pipeline(1, "train") };
    let first = PipelineVersion { tags: tags([("a", "1")]), ..version(2, 1, "v") };
    store.create_pipeline(train.clone(), Some(first.clone())).await.unwrap();
    let (train_id, first_id) = (train.id, first.id);

    let name = EntityUpdate { display_name: Some("New".to_owned()), tags: None };
    let renamed = StoredPipeline { display_name: "New".to_owned(), ..train };
    assert_eq!(store.update_pipeline(train_id, name.clone()).await.unwrap(), renamed);
    let retagged = EntityUpdate { display_name: None, tags: Some(tags([("b", "3"), ("c", "")])) };
    let wanted = StoredPipeline { tags: tags([("b", "3"), ("c", "")]), ..renamed };
    assert_eq!(store.update_pipeline(train_id, retagged.clone()).await.unwrap(), wanted);
    assert_eq!(store.update_pipeline(train_id, EntityUpdate::default()).await.unwrap(), wanted);
    let cleared = EntityUpdate { display_name: None, tags: Some(Tags::new()) };
    assert_eq!(store.update_pipeline(train_id, cleared.clone()).await.unwrap().tags, Tags::new());

    let renamed = PipelineVersion { display_name: "New".to_owned(), ..first };
    assert_eq!(store.update_version(first_id, name.clone()).await.unwrap(), renamed);
    let wanted = PipelineVersion { tags: tags([("b", "3"), ("c", "")]), ..renamed };
    assert_eq!(store.update_version(first_id, retagged).await.unwrap(), wanted);
    assert_eq!(store.update_version(first_id, cleared).await.unwrap().tags, Tags::new());

    let unknown = Uuid::from_u128(99);
    let error = store.update_pipeline(unknown, name.clone()).await.unwrap_err();
    assert!(is_not_found(&error, "pipeline", &unknown.to_string()), "{error}");
    let error = store.update_version(unknown, name).await.unwrap_err();
    assert!(is_not_found(&error, "pipeline version", &unknown.to_string()), "{error}");
}

#[tokio::test]
async fn pipeline_goes_with_its_versions_only_if_they_may() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let train = StoredPipeline { tags: tags([("a", "1")]), ..pipeline(1, "train") };
    let first = PipelineVersion { tags: tags([("a", "1")]), ..version(2, 1, "v") };
    store.create_pipeline(train, Some(first)).await.unwrap();
    let id = Uuid::from_u128(1);
    let error = store.delete_pipeline(id, false).await.unwrap_err();
    assert!(
        matches!(error, MetastoreError::HasVersions { pipeline, version } if pipeline == id && version.as_u128() == 2),
        "{error}"
    );
    store.delete_pipeline(id, true).await.unwrap();
    assert!(store.version(Uuid::from_u128(2)).await.is_err());
    let mut raw = fixture.raw().await;
    for (table, sql) in [
        ("pipeline_tags", "SELECT COUNT(*) FROM pipeline_tags"),
        ("version_tags", "SELECT COUNT(*) FROM version_tags"),
        ("pipeline_versions", "SELECT COUNT(*) FROM pipeline_versions"),
    ] {
        assert_eq!(count(&mut raw, sql).await, 0, "{table}");
    }
    for cascade in [false, true] {
        let error = store.delete_pipeline(id, cascade).await.unwrap_err();
        assert!(is_not_found(&error, "pipeline", &id.to_string()), "{error}");
    }
    // One whose last version was deleted stays, and can be deleted then.
    store.create_pipeline(pipeline(3, "train"), Some(version(4, 3, "v"))).await.unwrap();
    store.delete_version(Uuid::from_u128(4)).await.unwrap();
    store.delete_pipeline(Uuid::from_u128(3), false).await.unwrap();
}

#[tokio::test]
async fn lists_are_narrowed_by_tags() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    for (number, entries) in [
        (1, tags([("team", "Red"), ("stage", "beta")])),
        (2, tags([("team", "blue")])),
        (3, tags([("TEAM", "red")])),
        (4, tags([("team", "red"), ("stage", "prod")])),
    ] {
        let name = format!("p{number}");
        let train = StoredPipeline { tags: entries.clone(), ..pipeline(number, &name) };
        store.create_pipeline(train, None).await.unwrap();
        let version = PipelineVersion { tags: entries, ..version(number, 1, &name) };
        store.create_version(version).await.unwrap();
    }
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (wanted, numbers) in [
        (vec![tag("team", "red")], vec![1, 4]),
        (vec![tag("team", "RED"), tag("stage", "beta")], vec![1]),
        (vec![tag("TEAM", "red")], vec![3]),
        (vec![tag("team", "")], vec![]),
        (vec![tag("", "red")], vec![]),
    ] {
        let mut listing = Listing::by(PipelineField::CreatedAt, 10);
        listing.predicates = wanted.iter().cloned().map(|(key, value)| Predicate::Tag { key, value }).collect();
        let page = store.list_pipelines(&listing).await.unwrap();
        let found: Vec<u128> = page.rows.into_iter().map(|row| row.readable().unwrap().id.as_u128()).collect();
        assert_eq!((found, page.total), (numbers.clone(), numbers.len() as u64), "{wanted:?}");
        let mut listing = Listing::by(VersionField::CreatedAt, 10);
        listing.predicates = wanted.into_iter().map(|(key, value)| Predicate::Tag { key, value }).collect();
        let page = store.list_versions(Uuid::from_u128(1), &listing).await.unwrap();
        let found: Vec<u128> = page.rows.into_iter().map(|row| row.readable().unwrap().id.as_u128()).collect();
        assert_eq!(found, numbers);
    }
}

#[tokio::test]
async fn versions_are_listed_of_one_pipeline_that_exists() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_pipeline(pipeline(1, "one"), Some(version(1, 1, "a"))).await.unwrap();
    store.create_pipeline(pipeline(2, "two"), Some(version(2, 2, "a"))).await.unwrap();
    store.create_pipeline(pipeline(3, "three"), None).await.unwrap();
    let listing = Listing::by(VersionField::Name, 10);
    let page = store.list_versions(Uuid::from_u128(2), &listing).await.unwrap();
    assert_eq!((page.rows, page.total), (vec![Listed::Readable(version(2, 2, "a"))], 1));
    assert_eq!(store.list_versions(Uuid::from_u128(3), &listing).await.unwrap().total, 0);
    let error = store.list_versions(Uuid::from_u128(4), &listing).await.unwrap_err();
    assert!(is_not_found(&error, "pipeline", &Uuid::from_u128(4).to_string()), "{error}");
}

/// I-30: a damaged row is named and takes no other with it.
#[tokio::test]
async fn i30_damaged_version_is_listed_as_unreadable() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_pipeline(pipeline(1, "one"), Some(version(1, 1, "a"))).await.unwrap();
    store.create_version(version(2, 1, "b")).await.unwrap();
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE pipeline_versions SET spec_json = '{' WHERE name = 'a'").await;
    let page = store.list_versions(Uuid::from_u128(1), &Listing::by(VersionField::CreatedAt, 10)).await.unwrap();
    assert!(
        matches!(&page.rows[0], Listed::Unreadable(row) if row.row == Uuid::from_u128(1).to_string()
            && row.reason.contains("spec_json")),
        "{:?}",
        page.rows
    );
    assert!(matches!(&page.rows[1], Listed::Readable(_)));
    let error = store.version(Uuid::from_u128(1)).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Unreadable { .. }), "{error}");
}
