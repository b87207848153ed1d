//! Lists of runs that go along indices of what is available and of what is archived.

use penstock_metastore::{Operand, RunField, expired_plans, run_list_plans};
use uuid::Uuid;

use super::{equal, pages, word};
use crate::fixture::{Fixture, at};

/// However many are archived or not, and whether that is asked about: a page of each is all that is put in order.
#[tokio::test]
async fn pages_of_runs_by_name_end_and_state_go_along_an_index_of_what_is_stored_how() {
    let Some(fixture) = Fixture::new().await else { return };
    let namespace = || equal(RunField::Namespace, word("team"));
    let experiment = || equal(RunField::Experiment, Operand::Id(Uuid::nil()));
    let archived = || equal(RunField::StorageState, word("ARCHIVED"));
    let failed = || equal(RunField::State, word("FAILED"));
    let name = (RunField::Name, word("a"), "(listed_name,id)");
    let state = (RunField::State, Operand::WordAt("FAILED".to_owned(), 5), "(created_at,id)");
    let by_name = "runs_of_experiment_stored_by_name (experiment_id=? AND storage_state=?";
    let by_status = "runs_of_namespace_stored_by_status (namespace=? AND storage_state=? AND status=?";
    for ((sort, value, column), predicates, index) in [
        (&name, vec![], "runs_stored_by_name (storage_state=?"),
        (&name, vec![namespace()], "runs_of_namespace_stored_by_name (namespace=? AND storage_state=?"),
        (&name, vec![experiment()], by_name),
        (&name, vec![namespace(), experiment()], by_name),
        (
            &(RunField::FinishedAt, Operand::Integer(5), "(listed_finish,id)"),
            vec![],
            "runs_stored_by_finish (storage_state=?",
        ),
        (&state, vec![], "runs_stored_by_status (storage_state=? AND status=?"),
        (&state, vec![failed()], "runs_stored_by_status (storage_state=? AND status=?"),
        (&state, vec![namespace()], by_status),
        (
            &state,
            vec![experiment()],
            "runs_of_experiment_stored_by_status (experiment_id=? AND storage_state=? AND status=?",
        ),
    ] {
        for stored in [vec![], vec![archived()]] {
            let states = if stored.is_empty() { 2 } else { 1 };
            for listing in pages(*sort, value, &[predicates.clone(), stored].concat()) {
                let [page, _] = run_list_plans(&fixture.store, &listing).await.unwrap();
                let along: Vec<&String> =
                    page.iter().filter(|step| step.starts_with(&format!("SEARCH runs USING INDEX {index}"))).collect();
                assert!(along.len() >= states, "{index}: {page:#?}");
                let entered = along.iter().filter(|step| step.contains(*column)).count();
                assert_eq!(entered, if listing.from.is_some() { states } else { 0 }, "{index}: {page:#?}");
                // The rows of the page, and runs for which commands wait.
                let by_id = |step: &&String| step.starts_with("SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?");
                let by_others = page.iter().filter(|step| step.contains(" runs ") && !by_id(step)).count();
                assert_eq!(by_others, along.len(), "{page:#?}");
            }
        }
    }
}

/// A run is found by the name that somebody gave it, among many.
#[tokio::test]
async fn names_that_were_given_are_looked_for_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let steps = penstock_metastore::resolve_run_plan(&fixture.store, "somebody's").await.unwrap();
    assert!(!steps.iter().any(|step| step.starts_with("SCAN runs")), "{steps:#?}");
    assert!(
        steps.iter().any(|step| step.contains("INDEX runs_stored_by_name (storage_state=? AND listed_name=?)")),
        "{steps:#?}"
    );
}

/// What ended or was archived a while ago is found without a look at the rest, the oldest first.
#[tokio::test]
async fn runs_that_are_kept_long_enough_are_looked_for_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let [archiving, deleting] = expired_plans(&fixture.store, at(0)).await.unwrap();
    for (plan, index) in [
        (&archiving, "runs_stored_by_finish (storage_state=? AND listed_finish>? AND listed_finish<?)"),
        (&deleting, "runs_archived (storage_state=? AND <expr><?)"),
    ] {
        assert!(plan.contains(&format!("SEARCH runs USING INDEX {index}")), "{index}: {plan:#?}");
    }
    for plan in [archiving, deleting] {
        let read_to_the_end = |step: &&String| step.contains("TEMP B-TREE") || step.starts_with("SCAN runs");
        assert_eq!(plan.iter().find(read_to_the_end), None, "{plan:#?}");
    }
}
