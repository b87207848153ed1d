//! Lists against a naive reading of the rules: every field, both directions, every comparison, with ties.

use std::cmp::Ordering;

use penstock_metastore::{
    Command, Comparison, Experiment, ExperimentField, Listing, Operand, Page, PipelineField, PipelineVersion,
    Predicate, RunField, RunRecord, StorageState, StoredPipeline, VersionField,
};
use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;
use uuid::Uuid;

use crate::experiments::experiment;
use crate::fixture::{Fixture, at, new_run};
use crate::pipelines::{pipeline, version};

// Found from both programs that have this module.
#[path = "listing/rules.rs"]
mod rules;

use rules::{Row, check, compare, nanoseconds, value, walk};

fn time(time: Timestamp) -> Operand {
    Operand::Integer(nanoseconds(time))
}

fn text(text: &str) -> Operand {
    Operand::Text(text.to_owned())
}

fn reference(id: Option<Uuid>) -> Operand {
    Operand::Id(id.unwrap_or_default())
}

const NAMES: [&str; 7] = ["beta", "Alpha", "", "BETA", "alpha", "ä z%", "Gamma_1"];
const NAMESPACES: [&str; 3] = ["team-b", "", "Team-a"];

/// Ids in an order of their own.
fn scattered(number: usize) -> Uuid {
    Uuid::from_u128((number as u128 * 7919 % 97) << 96 | number as u128)
}

fn run_row(record: &RunRecord) -> Row<RunField> {
    let RunRecord { row, registration, storage_state, pending, .. } = record;
    let status = match (pending, row.finished_at) {
        (Some(Command::Terminate { .. }), None) => RunStatus::Canceling,
        (Some(Command::Retry), Some(_)) => RunStatus::Pending,
        _ => row.status,
    };
    let status = serde_json::to_value(status).unwrap();
    let values = vec![
        (RunField::Id, Operand::Id(row.info.id)),
        (RunField::Name, text(&row.info.display_name)),
        (RunField::CreatedAt, time(row.info.created_at)),
        (RunField::ScheduledAt, time(row.info.scheduled_at)),
        (RunField::FinishedAt, row.finished_at.map_or(Operand::Integer(0), time)),
        (RunField::Description, text(&registration.description)),
        (RunField::StorageState, text(storage_state.as_str())),
        (RunField::Namespace, text(&row.info.namespace)),
        (RunField::Experiment, reference(registration.experiment)),
        (RunField::RecurringRun, reference(registration.recurring_run)),
        (RunField::State, text(status.as_str().unwrap())),
    ];
    (row.info.id, values)
}

#[tokio::test]
async fn runs_are_listed_by_the_rules() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut rows = Vec::new();
    for number in 0..36_usize {
        let mut run = new_run(number as u128);
        run.info.id = scattered(number);
        run.info.display_name = NAMES[number % 7].to_owned();
        run.info.created_at = at((number / 5) as i64);
        run.info.scheduled_at = at((number * 5 % 4) as i64);
        run.info.namespace = NAMESPACES[number % 3].to_owned();
        run.registration.description = NAMES[number / 2 % 7].to_owned();
        run.registration.experiment = (number % 4 > 0).then(|| Uuid::from_u128(number as u128 % 4));
        run.registration.recurring_run = (number % 5 == 0).then(|| Uuid::from_u128(5));
        let id = run.info.id;
        store.create_run(run).await.unwrap();
        store.take_epoch(id).await.unwrap();
        let (status, finished) = match number % 6 {
            0 => (RunStatus::Pending, None),
            1 | 2 => (RunStatus::Running, None),
            3 => (RunStatus::Succeeded, Some(at((number / 9) as i64))),
            4 => (RunStatus::Failed, Some(at(2))),
            _ => (RunStatus::Canceled, Some(at(3))),
        };
        if status != RunStatus::Pending {
            fixture.set_status(id, status, finished).await;
        }
        if number % 3 == 1 {
            // Of some it waits although they have ended.
            let command = Command::Terminate { reason: "test".to_owned() };
            store.put_command(id, "a", &command).await.unwrap();
        } else if number % 3 == 2 && number % 18 != 11 {
            store.put_command(id, "a", &Command::Retry).await.unwrap();
        }
        if number % 4 == 3 {
            store.set_run_storage(id, StorageState::Archived).await.unwrap();
        }
        if number == 17 {
            store.delete_run(id).await.unwrap();
        } else {
            rows.push(run_row(&store.run_record(id).await.unwrap()));
        }
    }
    let fields: Vec<RunField> = rows[0].1.iter().map(|(field, _)| *field).collect();
    let list = async |listing: &Listing<RunField>| store.list_run_records(listing).await.unwrap();
    let id = |run: &RunRecord| run.row.info.id;
    let (by_age, by_state) = (RunField::CreatedAt, Some(RunField::State));
    check(&fields, Some(RunField::Namespace), by_age, by_state, &rows, &list, id).await;
    check_states(&rows, &list, id).await;
}

/// Lists of runs in some states that are narrowed further: conditions on states have ways of their own.
async fn check_states(
    rows: &[Row<RunField>],
    list: &impl AsyncFn(&Listing<RunField>) -> Page<RunRecord>,
    id: fn(&RunRecord) -> Uuid,
) {
    let one_of = |field, operands: &[Operand]| Predicate::In { field, operands: operands.to_vec() };
    let other =
        Predicate::Compare { field: RunField::State, comparison: Comparison::NotEqual, operand: text("failed") };
    let experiments = [1, 2].map(|number| Operand::Id(Uuid::from_u128(number)));
    let further = [
        (None, one_of(RunField::Id, &[])),
        (Some(RunField::Namespace), one_of(RunField::Namespace, &[text("team-b")])),
        (Some(RunField::Experiment), one_of(RunField::Experiment, &experiments)),
        (Some(RunField::StorageState), one_of(RunField::StorageState, &[text("AVAILABLE")])),
        (Some(RunField::StorageState), one_of(RunField::StorageState, &[text("archived"), text("AVAILABLE")])),
        (Some(RunField::StorageState), one_of(RunField::StorageState, &[text("neither")])),
        (Some(RunField::Name), one_of(RunField::Name, &[text("ALPHA"), text("")])),
        (Some(RunField::State), other.clone()),
    ];
    let meets = |row: &Row<RunField>, predicate: &Predicate<RunField>| match predicate {
        Predicate::In { field, operands } => operands.iter().any(|one| compare(&value(row, field), one, false).is_eq()),
        _ => compare(&value(row, &RunField::State), &text("failed"), false).is_ne(),
    };
    for states in [
        &["FAILED"][..],
        &["PENDING"],
        &["CANCELING"],
        &["CANCELED"],
        &["failed", "Canceled"],
        &["RUNNING", "CANCELING", "PENDING"],
        &["PENDING", "RUNNING", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"],
    ] {
        let state = one_of(RunField::State, &states.iter().map(|state| text(state)).collect::<Vec<_>>());
        for (field, further) in &further {
            let mut predicates = vec![state.clone()];
            predicates.extend(field.map(|_| further.clone()));
            let mut wanted: Vec<&Row<RunField>> =
                rows.iter().filter(|row| predicates.iter().all(|predicate| meets(row, predicate))).collect();
            for sort in [RunField::CreatedAt, RunField::Name, RunField::FinishedAt, RunField::State] {
                wanted.sort_by(|left, right| {
                    let by = |field| compare(&value(left, field), &value(right, field), false);
                    let age = if sort == RunField::State { by(&RunField::CreatedAt) } else { Ordering::Equal };
                    by(&sort).then(age).then(left.0.cmp(&right.0))
                });
                for descending in [false, true] {
                    let mut wanted: Vec<Uuid> = wanted.iter().map(|(id, _)| *id).collect();
                    if descending {
                        wanted.reverse();
                    }
                    let listing = Listing { predicates: predicates.clone(), descending, ..Listing::by(sort, 6) };
                    assert_eq!(walk(list, id, listing).await, wanted, "{predicates:?} by {sort:?}, {descending}");
                }
            }
        }
    }
}

#[tokio::test]
async fn experiments_are_listed_by_the_rules() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut rows = Vec::new();
    for number in 0..20_usize {
        let one = Experiment {
            id: scattered(number),
            namespace: NAMESPACES[number % 3].to_owned(),
            description: NAMES[number % 7].to_owned(),
            created_at: at((number / 4) as i64),
            storage_state: if number % 3 == 0 { StorageState::Archived } else { StorageState::Available },
            last_run_created_at: (number % 2 == 0).then(|| at((number % 3) as i64)),
            // The same names in each namespace.
            ..experiment(number as u128, &format!("{}{}", ["Team", "team", "tEAM"][number % 3], number / 3))
        };
        store.create_experiment(one.clone()).await.unwrap();
        let values = vec![
            (ExperimentField::Id, Operand::Id(one.id)),
            (ExperimentField::Name, text(&one.name)),
            (ExperimentField::CreatedAt, time(one.created_at)),
            (ExperimentField::LastRunCreatedAt, one.last_run_created_at.map_or(Operand::Integer(0), time)),
            (ExperimentField::Description, text(&one.description)),
            (ExperimentField::Namespace, text(&one.namespace)),
            (ExperimentField::StorageState, text(one.storage_state.as_str())),
        ];
        rows.push((one.id, values));
    }
    let fields: Vec<ExperimentField> = rows[0].1.iter().map(|(field, _)| *field).collect();
    let list = async |listing: &Listing<ExperimentField>| store.list_experiments(listing).await.unwrap();
    let by_age = ExperimentField::CreatedAt;
    check(&fields, Some(ExperimentField::Namespace), by_age, None, &rows, list, |experiment| experiment.id).await;
}

#[tokio::test]
async fn pipelines_are_listed_by_the_rules() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut rows = Vec::new();
    for number in 0..20_usize {
        let one = StoredPipeline {
            id: scattered(number),
            namespace: NAMESPACES[number % 3].to_owned(),
            display_name: NAMES[number % 7].to_owned(),
            description: NAMES[number / 3].to_owned(),
            created_at: at((number / 4) as i64),
            ..pipeline(number as u128, &format!("{}{}", ["Team", "team", "tEAM"][number % 3], number / 3))
        };
        store.create_pipeline(one.clone(), None).await.unwrap();
        let values = vec![
            (PipelineField::Id, Operand::Id(one.id)),
            (PipelineField::Name, text(&one.name)),
            (PipelineField::DisplayName, text(&one.display_name)),
            (PipelineField::CreatedAt, time(one.created_at)),
            (PipelineField::Description, text(&one.description)),
            (PipelineField::Namespace, text(&one.namespace)),
        ];
        rows.push((one.id, values));
    }
    let fields: Vec<PipelineField> = rows[0].1.iter().map(|(field, _)| *field).collect();
    let list = async |listing: &Listing<PipelineField>| store.list_pipelines(listing).await.unwrap();
    let by_age = PipelineField::CreatedAt;
    check(&fields, Some(PipelineField::Namespace), by_age, None, &rows, list, |pipeline| pipeline.id).await;
}

#[tokio::test]
async fn versions_are_listed_by_the_rules() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    for number in [1, 2] {
        store.create_pipeline(pipeline(number, &format!("p{number}")), None).await.unwrap();
    }
    store.create_version(version(1000, 2, "of another pipeline")).await.unwrap();
    let mut rows = Vec::new();
    for number in 0..20_usize {
        let one = PipelineVersion {
            id: scattered(number),
            display_name: NAMES[number % 7].to_owned(),
            description: NAMES[number / 3].to_owned(),
            created_at: at((number / 4) as i64),
            ..version(number as u128, 1, &format!("{}{number}", ["Team", "team", "tEAM"][number % 3]))
        };
        store.create_version(one.clone()).await.unwrap();
        let values = vec![
            (VersionField::Id, Operand::Id(one.id)),
            (VersionField::Name, text(&one.name)),
            (VersionField::DisplayName, text(&one.display_name)),
            (VersionField::CreatedAt, time(one.created_at)),
            (VersionField::Description, text(&one.description)),
        ];
        rows.push((one.id, values));
    }
    let fields: Vec<VersionField> = rows[0].1.iter().map(|(field, _)| *field).collect();
    let list = async |listing: &Listing<VersionField>| store.list_versions(Uuid::from_u128(1), listing).await.unwrap();
    check(&fields, None, VersionField::CreatedAt, None, &rows, list, |version| version.id).await;
}

/// Operands of another kind than the field's are compared as text.
#[tokio::test]
async fn operand_of_another_kind_is_compared_as_text() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let mut run = new_run(1);
    run.info.display_name = "5".to_owned();
    run.registration.experiment = Some(Uuid::from_u128(0xabc));
    store.create_run(run.clone()).await.unwrap();
    let second = run.info.created_at.as_second();
    let id = Uuid::from_u128(0xabc).to_string();
    for (field, operand, found) in [
        (RunField::Name, Operand::Integer(5), 1),
        (RunField::Name, Operand::Integer(6), 0),
        (RunField::CreatedAt, text(&second.to_string()), 1),
        (RunField::CreatedAt, text("soon"), 0),
        (RunField::Experiment, text(&id), 1),
        (RunField::Experiment, text(&id.to_ascii_uppercase()), 1),
        (RunField::Experiment, text(""), 0),
        (RunField::RecurringRun, text(""), 1),
        (RunField::StorageState, Operand::Integer(1), 0),
        (RunField::State, Operand::Id(Uuid::nil()), 0),
        (RunField::Id, Operand::Integer(i64::MAX), 0),
    ] {
        let equal = Predicate::Compare { field, comparison: Comparison::Equal, operand: operand.clone() };
        let other = Predicate::Compare { field, comparison: Comparison::NotEqual, operand: operand.clone() };
        let one_of = Predicate::In { field, operands: vec![operand] };
        for (predicate, found) in [(equal, found), (other, 1 - found), (one_of, found)] {
            let listing = Listing { predicates: vec![predicate], ..Listing::by(RunField::CreatedAt, 5) };
            let page = store.list_run_records(&listing).await.unwrap();
            assert_eq!((page.rows.len() as u64, page.total), (found, found), "{:?}", listing.predicates);
        }
    }
}

#[tokio::test]
async fn text_to_look_for_may_have_wildcards() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    for (number, name) in (1..).zip(["train-fast", "TRAIN_slow", "t%n", "other"]) {
        store.create_experiment(experiment(number, name)).await.unwrap();
    }
    for (pattern, found) in [("t%n", 3), ("n_s", 1), ("n_", 2), ("%", 4), ("_____________", 0), ("AIN", 2)] {
        let predicate = Predicate::Contains { field: ExperimentField::Name, text: pattern.to_owned() };
        let listing = Listing { predicates: vec![predicate], ..Listing::by(ExperimentField::Name, 10) };
        assert_eq!(store.list_experiments(&listing).await.unwrap().total, found, "{pattern}");
    }
}
