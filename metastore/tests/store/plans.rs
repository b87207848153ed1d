//! How lists are carried out: along an index, from the first row of the page, whatever comes before it.

use penstock_engine::NodeId;
use penstock_metastore::{
    ArtifactQuery, CacheList, Comparison, Cursor, ExperimentField, Listing, Operand, PipelineField, Predicate,
    RecurringRunField, RunField, RunSearch, RunValueKind, RunValueName, ValueCondition, VersionField,
    artifact_list_plan, cache_list_plan, changes_plan, experiment_list_plans, known_total_plan, lineage_plans,
    pipeline_list_plans, recurring_run_list_plans, run_list_plans, run_search_plans, version_list_plans,
};
use uuid::Uuid;

use crate::fixture::Fixture;

mod stored;

/// A page and where it starts, in both directions; the first page too.
fn pages<F: Copy>(sort: F, value: &Operand, predicates: &[Predicate<F>]) -> Vec<Listing<F>> {
    let mut pages = Vec::new();
    for descending in [false, true] {
        for from in [None, Some(Cursor { value: value.clone(), id: Uuid::nil() })] {
            pages.push(Listing { predicates: predicates.to_vec(), descending, from, ..Listing::by(sort, 100) });
        }
    }
    pages
}

/// The page goes along this index, entered by the cursor if there is one, and nothing is sorted.
fn assert_page(steps: &[String], index: &str, entered: Option<&str>) {
    let uses =
        |step: &&String| step.split_once("USING INDEX ").is_some_and(|(_, used)| used.split(' ').next() == Some(index));
    let step = steps.iter().find(uses);
    let Some(step) = step else { panic!("{index}: {steps:#?}") };
    if let Some(condition) = entered {
        assert!(step.starts_with("SEARCH") && step.contains(condition), "{condition}: {step}");
    }
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
}

fn equal<F>(field: F, operand: Operand) -> Predicate<F> {
    Predicate::Compare { field, comparison: Comparison::Equal, operand }
}

fn word(text: &str) -> Operand {
    Operand::Text(text.to_owned())
}

#[tokio::test]
async fn pages_of_runs_go_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let namespace = || equal(RunField::Namespace, word("team"));
    let experiment = || equal(RunField::Experiment, Operand::Id(Uuid::nil()));
    let recurring = || equal(RunField::RecurringRun, Operand::Id(Uuid::nil()));
    let pipeline = || equal(RunField::Pipeline, Operand::Id(Uuid::nil()));
    let version = || equal(RunField::Version, Operand::Id(Uuid::nil()));
    let archived = || equal(RunField::StorageState, word("ARCHIVED"));
    let failed = || equal(RunField::State, word("FAILED"));
    let available = || Predicate::Compare {
        field: RunField::StorageState,
        comparison: Comparison::NotEqual,
        operand: word("ARCHIVED"),
    };
    let time = Operand::Integer(5);
    let cases = [
        (RunField::CreatedAt, time.clone(), vec![], "runs_newest"),
        (RunField::CreatedAt, time.clone(), vec![namespace()], "runs_newest_of_namespace"),
        (RunField::CreatedAt, time.clone(), vec![experiment()], "runs_of_experiment_by_age"),
        (RunField::CreatedAt, time.clone(), vec![recurring()], "runs_of_recurring_by_age"),
        (RunField::CreatedAt, time.clone(), vec![archived()], "runs_stored_by_age"),
        (RunField::CreatedAt, time.clone(), vec![available()], "runs_stored_by_age"),
        (RunField::CreatedAt, time.clone(), vec![namespace(), available()], "runs_of_namespace_stored_by_age"),
        (RunField::CreatedAt, time.clone(), vec![experiment(), archived()], "runs_of_experiment_stored_by_age"),
        (RunField::CreatedAt, time.clone(), vec![pipeline()], "runs_of_pipeline_by_age"),
        (RunField::CreatedAt, time.clone(), vec![namespace(), pipeline(), available()], "runs_of_pipeline_by_age"),
        (RunField::CreatedAt, time.clone(), vec![pipeline(), failed()], "runs_of_pipeline_by_age"),
        (RunField::CreatedAt, time.clone(), vec![version(), available()], "runs_of_version_by_age"),
        (
            RunField::CreatedAt,
            time.clone(),
            vec![namespace(), experiment(), available()],
            "runs_of_experiment_stored_by_age",
        ),
        (RunField::CreatedAt, time.clone(), vec![recurring(), available()], "runs_of_recurring_by_age"),
    ];
    for (sort, value, predicates, index) in cases {
        for listing in pages(sort, &value, &predicates) {
            let [page, _] = run_list_plans(&fixture.store, &listing).await.unwrap();
            let entered = listing.from.is_some().then_some("(created_at,id)");
            assert_page(&page, index, entered);
        }
    }
}

/// Runs of a pipeline are counted among themselves.
#[tokio::test]
async fn totals_of_a_pipeline_are_counted_along_its_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let others = [equal(RunField::Namespace, word("team")), equal(RunField::StorageState, word("AVAILABLE"))];
    for (field, index) in
        [(RunField::Pipeline, "runs_of_pipeline_by_age"), (RunField::Version, "runs_of_version_by_age")]
    {
        let predicates = others.iter().cloned().chain([equal(field, Operand::Id(Uuid::nil()))]).collect();
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 100) };
        let [_, total] = run_list_plans(&fixture.store, &listing).await.unwrap();
        assert!(total.iter().any(|step| step.contains(&format!("USING INDEX {index}"))), "{total:#?}");
    }
}

/// However many or few runs are in the states that are meant, no more than a page of each is put in order; and those of an
/// experiment or namespace are not looked for among all of its runs.
#[tokio::test]
async fn pages_of_runs_in_several_states_go_along_an_index_each() {
    let Some(fixture) = Fixture::new().await else { return };
    let field = RunField::State;
    let scopes = [
        (None, "runs_stored_by_status (storage_state=? AND status=?"),
        (
            Some(equal(RunField::Namespace, word("team"))),
            "runs_of_namespace_stored_by_status (namespace=? AND storage_state=? AND status=?",
        ),
        (
            Some(equal(RunField::Experiment, Operand::Id(Uuid::nil()))),
            "runs_of_experiment_stored_by_status (experiment_id=? AND storage_state=? AND status=?",
        ),
        (Some(equal(RunField::StorageState, word("ARCHIVED"))), "runs_stored_by_status (storage_state=? AND status=?"),
    ];
    for predicate in [
        equal(field, word("FAILED")),
        equal(field, word("CANCELED")),
        Predicate::Compare { field, comparison: Comparison::NotEqual, operand: word("SUCCEEDED") },
        Predicate::In { field, operands: vec![word("SUCCEEDED"), word("FAILED")] },
        Predicate::In { field, operands: vec![word("PENDING"), word("CANCELING")] },
    ] {
        for (scope, index) in &scopes {
            let predicates: Vec<_> = scope.iter().cloned().chain([predicate.clone()]).collect();
            for listing in pages(RunField::CreatedAt, &Operand::Integer(5), &predicates) {
                let [page, _] = run_list_plans(&fixture.store, &listing).await.unwrap();
                for step in page.iter().filter(|step| step.contains(" runs ")) {
                    let by_state = step.starts_with(&format!("SEARCH runs USING INDEX {index}"))
                        && step.contains("(created_at,id)") == listing.from.is_some();
                    // The rows of the page, and runs for which commands wait.
                    let by_id = step.starts_with("SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?");
                    assert!(by_state || by_id, "{step}: {page:#?}");
                }
            }
        }
    }
}

/// Nobody counts a million runs to say how many there are.
#[tokio::test]
async fn totals_of_runs_are_not_counted() {
    let Some(fixture) = Fixture::new().await else { return };
    let namespace = equal(RunField::Namespace, word("team"));
    let experiment = equal(RunField::Experiment, Operand::Id(Uuid::nil()));
    let archived = equal(RunField::StorageState, word("ARCHIVED"));
    let failed = equal(RunField::State, word("FAILED"));
    for predicates in
        [vec![], vec![namespace.clone()], vec![experiment.clone()], vec![experiment, archived], vec![namespace, failed]]
    {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 100) };
        let [_, total] = run_list_plans(&fixture.store, &listing).await.unwrap();
        for step in total {
            // Those for which commands wait are looked at one by one.
            assert!(step != "SCAN runs" && !step.contains("runs USING INDEX runs_"), "{step}");
        }
    }
}

/// Values are found and looked up by an index each, and numbers that a list is sorted by are in their order.
#[tokio::test]
async fn runs_that_are_searched_by_values_are_found_by_indices() {
    let Some(fixture) = Fixture::new().await else { return };
    let name = |kind, name: &str| RunValueName { kind, name: name.to_owned() };
    let rate = || name(RunValueKind::Parameter, "rate");
    let loss = || name(RunValueKind::Metric, "loss");
    let by_number = "run_values USING INDEX run_values_by_number (value_key=? AND number>?)";
    let tag = "runs USING INDEX runs_of_pipeline_by_age (pipeline_id=?)";
    for (condition, step) in [
        (
            ValueCondition::OneOf(rate(), vec!["0.1".to_owned()]),
            "run_values USING COVERING INDEX run_values_by_text (value_key=? AND text=?)",
        ),
        (
            ValueCondition::NoneOf(rate(), vec!["0.1".to_owned()]),
            "run_values USING COVERING INDEX run_values_by_text (value_key=?)",
        ),
        (ValueCondition::Compares(loss(), Comparison::Greater, 0.5), &by_number.replace("INDEX", "COVERING INDEX")),
        (ValueCondition::Tag("team".to_owned(), "ml".to_owned()), tag),
    ] {
        for sort_value in [None, Some(loss())] {
            let is_sorted = sort_value.is_some();
            let predicates = vec![equal(RunField::StorageState, word("AVAILABLE"))];
            let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 100) };
            let search = RunSearch { listing, conditions: vec![condition.clone()], sort_value };
            let [page, total] = run_search_plans(&fixture.store, &search).await.unwrap();
            for plan in [&page, &total] {
                assert!(
                    plan.iter().any(|found| found.starts_with("SEARCH ") && found.contains(step)),
                    "{step}: {plan:#?}"
                );
                let reads_all =
                    |step: &&String| ["SCAN run_values", "SCAN sorting", "SCAN runs"].contains(&step.as_str());
                assert_eq!(plan.iter().find(reads_all), None, "{plan:#?}");
            }
            let along = if is_sorted {
                "SEARCH sorting USING COVERING INDEX run_values_by_number"
            } else {
                "SEARCH runs USING INDEX runs_stored_by_age"
            };
            assert!(page.iter().any(|step| step.starts_with(along)), "{page:#?}");
        }
    }
}

/// Neither all names are looked at, nor are the runs that are found read where their copies say enough.
#[tokio::test]
async fn runs_that_are_searched_by_name_are_found_by_trigrams() {
    let Some(fixture) = Fixture::new().await else { return };
    let searched = |text: &str| Predicate::Contains { field: RunField::Name, text: text.to_owned() };
    let namespace = equal(RunField::Namespace, word("team"));
    for predicates in [vec![searched("train")], vec![namespace, searched("train")]] {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 100) };
        let [page, total] = run_list_plans(&fixture.store, &listing).await.unwrap();
        for plan in [&page, &total] {
            assert!(plan.iter().any(|step| step.starts_with("SCAN run_trigrams VIRTUAL TABLE INDEX 0:M")), "{plan:#?}");
            assert!(
                plan.iter().any(|step| step == "SEARCH searched_runs USING INTEGER PRIMARY KEY (rowid=?)"),
                "{plan:#?}"
            );
            assert!(!plan.iter().any(|step| step == "SCAN runs"), "{plan:#?}");
        }
    }
    for text in ["tr", "t%r_n"] {
        for sort in [RunField::CreatedAt, RunField::State] {
            let listing = Listing { predicates: vec![searched(text)], ..Listing::by(sort, 100) };
            let [_, total] = run_list_plans(&fixture.store, &listing).await.unwrap();
            assert_eq!(total, ["SCAN searched_runs"]);
            let known = known_total_plan(&fixture.store, &listing).await.unwrap().unwrap();
            assert!(known.contains(&"SCAN searched_runs".to_owned()), "{known:#?}");
        }
    }
}

#[tokio::test]
async fn pages_of_experiments_pipelines_and_versions_go_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let (by_age, time) = (ExperimentField::CreatedAt, Operand::Integer(5));
    let namespace = equal(ExperimentField::Namespace, word("team"));
    let available = equal(ExperimentField::StorageState, word("available"));
    for (sort, value, predicates, index) in [
        (by_age, &time, vec![], "experiments_by_age"),
        (by_age, &time, vec![namespace.clone()], "experiments_of_namespace_by_age"),
        (by_age, &time, vec![available.clone()], "experiments_stored_by_age"),
        (by_age, &time, vec![namespace, available], "experiments_of_namespace_stored_by_age"),
        (ExperimentField::Name, &word("a"), vec![], "experiments_by_name"),
        (ExperimentField::LastRunCreatedAt, &time, vec![], "experiments_by_last_run"),
    ] {
        for listing in pages(sort, value, &predicates) {
            let [page, _] = experiment_list_plans(&fixture.store, &listing).await.unwrap();
            assert_page(&page, index, listing.from.is_some().then_some(",id)"));
        }
    }
    let namespace = equal(PipelineField::Namespace, word("team"));
    for (sort, value, predicates, index) in [
        (PipelineField::CreatedAt, &time, vec![], "pipelines_by_age"),
        (PipelineField::CreatedAt, &time, vec![namespace], "pipelines_of_namespace_by_age"),
        (PipelineField::Name, &word("a"), vec![], "pipelines_by_name"),
        (PipelineField::DisplayName, &word("a"), vec![], "pipelines_by_display_name"),
    ] {
        for listing in pages(sort, value, &predicates) {
            let [page, _] = pipeline_list_plans(&fixture.store, &listing).await.unwrap();
            assert_page(&page, index, listing.from.is_some().then_some(",id)"));
        }
    }
    for (sort, value, index) in [
        (VersionField::CreatedAt, &time, "versions_of_pipeline_by_age"),
        (VersionField::DisplayName, &word("a"), "versions_of_pipeline_by_display_name"),
    ] {
        for listing in pages(sort, value, &[]) {
            let [page, total] = version_list_plans(&fixture.store, Uuid::nil(), &listing).await.unwrap();
            assert_page(&page, index, Some("pipeline_id=?"));
            for step in total {
                assert!(step.starts_with("SEARCH"), "{step}");
            }
        }
    }
}

#[tokio::test]
async fn pages_of_recurring_runs_go_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let experiment = || equal(RecurringRunField::Experiment, Operand::Id(Uuid::nil()));
    let time = Operand::Integer(5);
    for (sort, value, predicates, index) in [
        (RecurringRunField::CreatedAt, time.clone(), vec![], "recurring_runs_by_age"),
        (RecurringRunField::CreatedAt, time.clone(), vec![experiment()], "recurring_runs_of_experiment_by_age"),
        (RecurringRunField::UpdatedAt, time.clone(), vec![], "recurring_runs_by_update"),
        (RecurringRunField::Name, word("a"), vec![], "recurring_runs_by_name"),
    ] {
        for listing in pages(sort, &value, &predicates) {
            let [page, _] = recurring_run_list_plans(&fixture.store, &listing).await.unwrap();
            assert_page(&page, index, None);
        }
    }
}

#[tokio::test]
async fn the_runs_under_way_of_a_recurring_run_are_counted_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let statement = "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM runs WHERE recurring_run_id = $1 AND finished_at IS NULL";
    let steps: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(statement).fetch_all(&mut fixture.raw().await).await.unwrap();
    let steps: Vec<String> = steps.into_iter().map(|(_, _, _, detail)| detail).collect();
    assert!(steps.iter().any(|step| step.contains("runs_of_recurring_active")), "{steps:#?}");
}

/// The poll of a store with a million ended runs costs what the unfinished ones cost.
#[tokio::test]
async fn runs_to_drive_are_never_looked_for_among_all_through_all_runs() {
    let Some(fixture) = Fixture::new().await else { return };
    let steps = penstock_metastore::runs_to_drive_plan(&fixture.store).await.unwrap();
    assert!(steps.iter().any(|step| step.contains("runs_unfinished")), "{steps:#?}");
    for step in &steps {
        assert!(!step.starts_with("SCAN runs") && !step.starts_with("SCAN commands USING INDEX sqlite"), "{steps:#?}");
        assert!(step != "SCAN commands", "{steps:#?}");
    }
}

#[tokio::test]
async fn lists_across_runs_go_along_an_index() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let text = || Some("x".to_owned());
    let all = ArtifactQuery::default();
    for (query, index) in [
        (all.clone(), "artifact_records_by_age"),
        (ArtifactQuery { type_title: text(), ..all.clone() }, "artifact_records_by_type"),
        (ArtifactQuery { name: text(), ..all.clone() }, "artifact_records_by_name"),
        (ArtifactQuery { uri: text(), ..all.clone() }, "artifact_records_by_uri"),
        (ArtifactQuery { digest: text(), ..all.clone() }, "artifact_records_by_digest"),
        (ArtifactQuery { task_path: text(), ..all.clone() }, "artifact_records_by_task"),
        (ArtifactQuery { pipeline_name: text(), ..all.clone() }, "artifact_records_by_pipeline"),
    ] {
        assert_page(&artifact_list_plan(store, &query).await.unwrap(), index, None);
    }
    let entries = CacheList { before: Some(5), ..CacheList::default() };
    let of_pipeline = CacheList { pipeline_name: text(), ..entries.clone() };
    for (list, index) in [(entries, "cache_entries_of_namespace"), (of_pipeline, "cache_entries_of_pipeline")] {
        assert_page(&cache_list_plan(store, &list).await.unwrap(), index, Some("id<?"));
    }
    assert_page(&changes_plan(store, Some("team"), 5).await.unwrap(), "changes_of_namespace", Some("id>?"));
    let mut plans = lineage_plans(store, Uuid::nil(), (Uuid::nil(), NodeId(0))).await.unwrap();
    plans.push(changes_plan(store, None, 5).await.unwrap());
    for plan in plans {
        for step in &plan {
            let reads_table = ["artifacts", "runs", "tasks", "task_inputs", "artifact_records", "changes"];
            assert!(!reads_table.iter().any(|table| *step == format!("SCAN {table}")), "{plan:#?}");
            assert!(!step.contains("TEMP B-TREE FOR ORDER BY") || step.contains("LAST"), "{plan:#?}");
        }
    }
}
