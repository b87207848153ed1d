//! Pages: where they start and end while rows come and go, and what cannot be asked.

use penstock_metastore::{
    Comparison, Cursor, ExperimentField, Listed, Listing, MAX_CONTAINED_BYTES, MAX_OPERANDS, MAX_PREDICATES,
    MetastoreError, Operand, Page, Predicate, RunField, RunRecord, StorageState,
};
use uuid::Uuid;

use crate::experiments::experiment;
use crate::fixture::{Fixture, execute, new_run};
use crate::place::{DAMAGED_COLUMN, DAMAGED_ROW};

fn numbers(page: &Page<RunRecord>) -> Vec<u128> {
    let number = |row: &Listed<RunRecord>| match row {
        Listed::Readable(run) => run.row.info.id.as_u128() >> 64,
        Listed::Unreadable(row) => panic!("{row:?}"),
    };
    page.rows.iter().map(number).collect()
}

async fn runs(fixture: &Fixture, count: u128) -> Vec<Uuid> {
    let mut runs = Vec::new();
    for number in 1..=count {
        runs.push(fixture.run(number).await);
    }
    runs
}

async fn delete(fixture: &Fixture, number: u128) {
    fixture.store.delete_run(new_run(number).info.id).await.unwrap();
}

#[tokio::test]
async fn pages_go_on_where_they_were_while_runs_come_and_go() {
    let Some(fixture) = Fixture::new().await else { return };
    runs(&fixture, 9).await;
    let mut listing = Listing { descending: true, ..Listing::by(RunField::CreatedAt, 3) };
    let first = fixture.store.list_run_records(&listing).await.unwrap();
    assert_eq!((numbers(&first), first.total), (vec![9, 8, 7], 9));
    listing.from = first.next;
    // The first of the next page goes, and one before it; a newer one comes.
    delete(&fixture, 6).await;
    delete(&fixture, 8).await;
    fixture.run(10).await;
    let second = fixture.store.list_run_records(&listing).await.unwrap();
    assert_eq!((numbers(&second), second.total), (vec![5, 4, 3], 8));
    // The size is another one, and everything behind the page goes.
    listing.from = second.next;
    listing.size = 2;
    for number in [3, 1] {
        delete(&fixture, number).await;
    }
    let third = fixture.store.list_run_records(&listing).await.unwrap();
    assert_eq!((numbers(&third), third.next, third.total), (vec![2], None, 6));
    delete(&fixture, 2).await;
    let empty = fixture.store.list_run_records(&listing).await.unwrap();
    assert_eq!((numbers(&empty), empty.next, empty.total), (vec![], None, 5));
}

#[tokio::test]
async fn full_last_page_has_no_next() {
    let Some(fixture) = Fixture::new().await else { return };
    runs(&fixture, 4).await;
    let mut listing = Listing::by(RunField::CreatedAt, 2);
    let page = fixture.store.list_run_records(&listing).await.unwrap();
    let next = page.next.unwrap();
    assert_eq!(next.id, new_run(3).info.id);
    // It survives a way through JSON.
    let next: Cursor = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
    listing.from = Some(next);
    let page = fixture.store.list_run_records(&listing).await.unwrap();
    assert_eq!((numbers(&page), page.next), (vec![3, 4], None));
}

#[tokio::test]
async fn page_of_no_size_has_one_row() {
    let Some(fixture) = Fixture::new().await else { return };
    runs(&fixture, 2).await;
    let page = fixture.store.list_run_records(&Listing::by(RunField::Id, 0)).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (1, 2));
}

#[tokio::test]
async fn cursor_of_another_order_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    runs(&fixture, 2).await;
    for (sort, value) in [
        (RunField::CreatedAt, Operand::Text("2".to_owned())),
        (RunField::Name, Operand::Integer(2)),
        (RunField::State, Operand::Id(Uuid::nil())),
        (RunField::State, Operand::Text("FAILED".to_owned())),
        (RunField::StorageState, Operand::WordAt("AVAILABLE".to_owned(), 2)),
        (RunField::Experiment, Operand::Text(String::new())),
    ] {
        let from = Some(Cursor { value, id: Uuid::nil() });
        let error = fixture.store.list_run_records(&Listing { from, ..Listing::by(sort, 2) }).await.unwrap_err();
        assert!(matches!(error, MetastoreError::PageToken { .. }), "{error}");
    }
}

#[tokio::test]
async fn list_that_is_narrowed_by_too_much_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let field = ExperimentField::Name;
    let text = |length: usize| Operand::Text("x".repeat(length));
    let equal = Predicate::Compare { field, comparison: Comparison::Equal, operand: text(1) };
    let with = |predicates| Listing { predicates, ..Listing::by(field, 1) };
    let contains = |length| Predicate::Contains { field, text: "%".repeat(length) };
    for predicates in [
        vec![equal.clone(); MAX_PREDICATES + 1],
        vec![Predicate::In { field, operands: vec![text(1); MAX_OPERANDS + 1] }],
        vec![contains(MAX_CONTAINED_BYTES + 1)],
    ] {
        let error = fixture.store.list_experiments(&with(predicates)).await.unwrap_err();
        assert!(matches!(error, MetastoreError::TooManyConditions { .. }), "{error}");
    }
    // What is just allowed works.
    fixture.store.create_experiment(experiment(1, "x")).await.unwrap();
    for (predicates, found) in [
        (vec![equal; MAX_PREDICATES], 1),
        (vec![Predicate::In { field, operands: vec![text(1); MAX_OPERANDS] }], 1),
        (vec![contains(MAX_CONTAINED_BYTES)], 1),
        (vec![Predicate::Contains { field, text: "y%".repeat(MAX_CONTAINED_BYTES / 2) }], 0),
    ] {
        assert_eq!(fixture.store.list_experiments(&with(predicates)).await.unwrap().total, found);
    }
}

/// What users send is never part of a statement.
#[tokio::test]
async fn text_of_users_is_not_sql() {
    let Some(fixture) = Fixture::new().await else { return };
    runs(&fixture, 1).await;
    let text = "x'; DROP TABLE runs; --\"`\\";
    for field in [RunField::Name, RunField::State, RunField::StorageState, RunField::Id, RunField::CreatedAt] {
        for predicate in [
            Predicate::Compare { field, comparison: Comparison::Equal, operand: Operand::Text(text.to_owned()) },
            Predicate::In { field, operands: vec![Operand::Text(text.to_owned())] },
            Predicate::Contains { field, text: text.to_owned() },
            Predicate::Tag { key: text.to_owned(), value: text.to_owned() },
        ] {
            let listing = Listing { predicates: vec![predicate], ..Listing::by(RunField::CreatedAt, 10) };
            assert_eq!(fixture.store.list_run_records(&listing).await.unwrap().total, 0);
        }
    }
    assert_eq!(fixture.store.list_run_records(&Listing::by(RunField::Id, 10)).await.unwrap().total, 1);
}

/// I-30: a damaged run is named, and paging goes on behind it.
#[tokio::test]
async fn i30_damaged_runs_are_listed_as_unreadable() {
    let Some(fixture) = Fixture::new().await else { return };
    let ids = runs(&fixture, 4).await;
    let mut raw = fixture.raw().await;
    for sql in [
        "UPDATE runs SET history = 'x' WHERE name = 'train-00001'",
        "UPDATE runs SET status = 'PONDERING' WHERE name = 'train-00002'",
        DAMAGED_ROW,
    ] {
        assert_eq!(execute(&mut raw, sql).await, 1);
    }
    let mut listing = Listing::by(RunField::CreatedAt, 2);
    let first = fixture.store.list_run_records(&listing).await.unwrap();
    listing.from = first.next;
    let second = fixture.store.list_run_records(&listing).await.unwrap();
    let rows: Vec<Listed<RunRecord>> = first.rows.into_iter().chain(second.rows).collect();
    for ((row, id), word) in rows.iter().zip(&ids).zip(["history", "PONDERING", DAMAGED_COLUMN]) {
        assert!(
            matches!(row, Listed::Unreadable(row) if row.row == id.to_string() && row.reason.contains(word)),
            "{row:?}"
        );
    }
    assert!(matches!(&rows[3], Listed::Readable(_)));
}

/// The numbers of runs are kept, not counted, where that is possible: they follow everything that changes them.
#[tokio::test]
async fn totals_of_runs_follow_what_happens_to_them() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    store.create_experiment(experiment(1, "one")).await.unwrap();
    for number in 1..=6 {
        let mut run = new_run(number);
        run.info.namespace = if number % 2 == 0 { "team" } else { "" }.to_owned();
        run.registration.experiment = (number > 2).then_some(Uuid::from_u128(1));
        store.create_run(run.clone()).await.unwrap();
        // The same again is no second one.
        store.create_run(run).await.unwrap();
        store.take_epoch(new_run(number).info.id).await.unwrap();
    }
    let total = async |predicates: Vec<Predicate<RunField>>| {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 100) };
        let page = store.list_run_records(&listing).await.unwrap();
        assert_eq!(page.rows.len() as u64, page.total);
        page.total
    };
    let is = |field, operand| Predicate::Compare { field, comparison: Comparison::Equal, operand };
    let of_namespace = || is(RunField::Namespace, Operand::Text("team".to_owned()));
    let of_experiment = || is(RunField::Experiment, Operand::Id(Uuid::from_u128(1)));
    let archived = || is(RunField::StorageState, Operand::Text("archived".to_owned()));
    let totals = async || {
        [
            total(vec![]).await,
            total(vec![of_namespace()]).await,
            total(vec![of_experiment()]).await,
            total(vec![archived()]).await,
            total(vec![of_namespace(), of_experiment(), archived()]).await,
        ]
    };
    let id = |number| new_run(number).info.id;
    assert_eq!(totals().await, [6, 3, 4, 0, 0]);
    store.set_run_storage(id(4), StorageState::Archived).await.unwrap();
    store.set_run_storage(id(4), StorageState::Archived).await.unwrap();
    assert_eq!(totals().await, [6, 3, 4, 1, 1]);
    store.set_experiment_storage(Uuid::from_u128(1), StorageState::Archived).await.unwrap();
    assert_eq!(totals().await, [6, 3, 4, 4, 2]);
    store.set_run_storage(id(4), StorageState::Available).await.unwrap();
    assert_eq!(totals().await, [6, 3, 4, 3, 1]);
    // Under way: hidden, and gone later.
    store.delete_run(id(6)).await.unwrap();
    assert_eq!(totals().await, [5, 2, 3, 2, 0]);
    fixture.set_status(id(6), penstock_spec::run::RunStatus::Failed, Some(crate::fixture::at(9))).await;
    assert_eq!(store.purge_deleted().await.unwrap(), [id(6)]);
    assert_eq!(totals().await, [5, 2, 3, 2, 0]);
    // Ended: gone at once.
    fixture.set_status(id(5), penstock_spec::run::RunStatus::Failed, Some(crate::fixture::at(9))).await;
    store.delete_run(id(5)).await.unwrap();
    assert_eq!(totals().await, [4, 2, 2, 1, 0]);
}
