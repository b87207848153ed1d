//! Experiments.

use penstock_metastore::{Experiment, ExperimentField, Listing, MetastoreError, StorageState};
use uuid::Uuid;

use crate::fixture::{Fixture, at, new_run};

pub(crate) fn experiment(number: u128, name: &str) -> Experiment {
    Experiment {
        id: Uuid::from_u128(number),
        namespace: String::new(),
        name: name.to_owned(),
        description: format!("Number {number}"),
        created_at: at(i64::try_from(number).unwrap()),
        storage_state: StorageState::Available,
        last_run_created_at: None,
    }
}

/// A run of an experiment.
async fn run_in(fixture: &Fixture, number: u128, experiment: u128) -> Uuid {
    let mut run = new_run(number);
    run.registration.experiment = Some(Uuid::from_u128(experiment));
    let id = run.info.id;
    fixture.store.create_run(run).await.unwrap();
    id
}

#[tokio::test]
async fn experiment_reads_back() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let one = Experiment { namespace: "team".to_owned(), name: "Größe \u{1f600}\n".to_owned(), ..experiment(1, "") };
    store.create_experiment(one.clone()).await.unwrap();
    assert_eq!(store.experiment(one.id).await.unwrap(), one);
    assert_eq!(store.experiment_by_name("team", &one.name).await.unwrap(), Some(one.clone()));
    assert_eq!(store.experiment_by_name("", &one.name).await.unwrap(), None);
    let unknown = Uuid::from_u128(9);
    for result in [
        store.experiment(unknown).await.map(drop),
        store.delete_experiment(unknown).await,
        store.set_experiment_storage(unknown, StorageState::Archived).await,
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, MetastoreError::NotFound { kind: "experiment", id } if *id == unknown.to_string()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn names_of_a_namespace_differ_by_more_than_case() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_experiment(experiment(1, "Nightly")).await.unwrap();
    let error = store.create_experiment(experiment(2, "nightLY")).await.unwrap_err();
    assert!(matches!(&error, MetastoreError::NameTaken { kind: "experiment", name } if name == "nightLY"), "{error}");
    let elsewhere = Experiment { namespace: "team".to_owned(), ..experiment(2, "nightLY") };
    store.create_experiment(elsewhere).await.unwrap();
    assert_eq!(store.experiment_by_name("", "NIGHTLY").await.unwrap().unwrap().id, Uuid::from_u128(1));
    // Its name is free again once it is gone.
    store.delete_experiment(Uuid::from_u128(1)).await.unwrap();
    store.create_experiment(experiment(3, "nightly")).await.unwrap();
    // An id is not given twice.
    let error = store.create_experiment(experiment(3, "other")).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Refused { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ensured_experiment_exists_once() {
    let Some(fixture) = Fixture::new().await else { return };
    let other = fixture.open().await;
    let tries = (1..=10).map(|number| {
        let store = if number % 2 == 0 { fixture.store.clone() } else { other.clone() };
        tokio::spawn(async move { store.ensure_experiment(experiment(number, "Default")).await.unwrap() })
    });
    let found: Vec<Experiment> =
        futures::future::join_all(tries).await.into_iter().map(|found| found.unwrap()).collect();
    assert!(found.iter().all(|experiment| *experiment == found[0]), "{found:?}");
    let page = fixture.store.list_experiments(&Listing::by(ExperimentField::CreatedAt, 10)).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (1, 1));
}

#[tokio::test]
async fn newest_run_is_noted_with_its_creation() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_experiment(experiment(1, "one")).await.unwrap();
    let noted = async || store.experiment(Uuid::from_u128(1)).await.unwrap().last_run_created_at;
    assert_eq!(noted().await, None);
    run_in(&fixture, 5, 1).await;
    assert_eq!(noted().await, Some(at(5)));
    // One that was created earlier but comes later takes nothing back, and neither does a repeated request.
    run_in(&fixture, 3, 1).await;
    run_in(&fixture, 3, 1).await;
    assert_eq!(noted().await, Some(at(5)));
    // A run may name an experiment that has gone.
    run_in(&fixture, 6, 77).await;
}

#[tokio::test]
async fn archiving_takes_the_runs_along_and_unarchiving_does_not() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_experiment(experiment(1, "one")).await.unwrap();
    let inside = run_in(&fixture, 1, 1).await;
    let outside = run_in(&fixture, 2, 2).await;
    store.set_experiment_storage(Uuid::from_u128(1), StorageState::Archived).await.unwrap();
    let state = async |run| store.run_record(run).await.unwrap().storage_state;
    assert_eq!(store.experiment(Uuid::from_u128(1)).await.unwrap().storage_state, StorageState::Archived);
    assert_eq!((state(inside).await, state(outside).await), (StorageState::Archived, StorageState::Available));
    store.set_experiment_storage(Uuid::from_u128(1), StorageState::Archived).await.unwrap();
    store.set_experiment_storage(Uuid::from_u128(1), StorageState::Available).await.unwrap();
    assert_eq!(store.experiment(Uuid::from_u128(1)).await.unwrap().storage_state, StorageState::Available);
    assert_eq!(state(inside).await, StorageState::Archived);
}

#[tokio::test]
async fn deleted_experiment_leaves_its_runs() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_experiment(experiment(1, "one")).await.unwrap();
    let run = run_in(&fixture, 1, 1).await;
    store.delete_experiment(Uuid::from_u128(1)).await.unwrap();
    let record = store.run_record(run).await.unwrap();
    assert_eq!(record.registration.experiment, Some(Uuid::from_u128(1)));
}

#[tokio::test]
async fn namespaces_of_experiments_are_listed_once() {
    let Some(fixture) = Fixture::new().await else { return };
    assert!(fixture.store.namespaces_of_experiments().await.unwrap().is_empty());
    for (number, namespace) in (1..).zip(["b", "a", "", "b", "c", "a"]) {
        let one = Experiment { namespace: namespace.to_owned(), ..experiment(number, &format!("number {number}")) };
        fixture.store.create_experiment(one).await.unwrap();
    }
    assert_eq!(fixture.store.namespaces_of_experiments().await.unwrap(), ["", "a", "b", "c"]);
}
