//! How lists are carried out when there is much to list: along an index, and nothing is sorted or read to its end.

use penstock_engine::NodeId;
use penstock_metastore::{
    ArtifactQuery, CacheList, Comparison, Cursor, ExperimentField, Listing, Metastore, Operand, PipelineField,
    Predicate, RecurringRunField, RunField, RunSearch, RunValueKind, RunValueName, ValueCondition, VersionField,
    artifact_list_plan, cache_list_plan, changes_plan, experiment_list_plans, expired_plans, lineage_plans,
    pipeline_list_plans, recurring_run_list_plans, run_list_plans, run_search_plans, version_list_plans,
};
use penstock_spec::Timestamp;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::fixture::execute;
use crate::place::Place;
use crate::server::shared;

const FILL: [&str; 16] = [
    "INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, info_json, options_json, status, \
       finished_at, experiment_id, pipeline_id, version_id, recurring_run_id, pipeline_root, plugins_input_json, \
       description, scheduled_at, storage_state, history) \
     SELECT gen_random_uuid(), 'run-' || n, 'Run ' || (n * 7919 % 30000), 'p-' || (n % 40), 'team-' || (n % 20), n, '{}', \
       repeat('as long as options are ', 30), CASE WHEN n % 1000 = 0 THEN 'RUNNING' WHEN n % 10 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END, \
       CASE WHEN n % 1000 = 0 THEN NULL ELSE n + 5 END, CAST(lpad(to_hex(n % 50), 32, '0') AS UUID), \
       CAST(lpad(to_hex(n % 70), 32, '0') AS UUID), CAST(lpad(to_hex(n % 80), 32, '0') AS UUID), CAST(lpad(to_hex(n % 60), 32, '0') AS UUID), '', \
       '{}', '', n, CASE WHEN n % 3 = 0 THEN 'ARCHIVED' ELSE 'AVAILABLE' END, '' FROM generate_series(1, 30000) AS n",
    "INSERT INTO experiments (id, namespace, name, description, created_at, last_run_created_at, storage_state) \
     SELECT gen_random_uuid(), 'team-' || (n % 20), 'Experiment ' || n, '', n, n, \
       CASE WHEN n % 3 = 0 THEN 'ARCHIVED' ELSE 'AVAILABLE' END FROM generate_series(1, 20000) AS n",
    "INSERT INTO pipelines (id, namespace, name, display_name, description, created_at) \
     SELECT CAST(lpad(to_hex(n), 32, '0') AS UUID), 'team-' || (n % 20), 'Pipeline ' || n, 'Pipeline ' || n, '', n \
     FROM generate_series(1, 20000) AS n",
    "INSERT INTO pipeline_versions (id, pipeline_id, name, display_name, description, created_at, package_url, \
       code_source_url, spec_json, pipeline_text) \
     SELECT gen_random_uuid(), CAST(lpad(to_hex(1 + n % 20), 32, '0') AS UUID), 'v' || n, 'v' || n, '', n, '', '', '{}', '' \
     FROM generate_series(1, 20000) AS n",
    "INSERT INTO recurring_runs (id, namespace, display_name, description, experiment_id, created_at, updated_at, \
       run_name, enabled, max_concurrency, no_catchup, trigger_json, service_account, pipeline_root, parameters_json, \
       plugins_input_json, pipeline_id, version_id, pipeline_text) \
     SELECT gen_random_uuid(), 'team-' || (n % 20), 'Nightly ' || n, '', CAST(lpad(to_hex(n % 50), 32, '0') AS UUID), n, n, \
       '', 1, 1, 0, '{}', '', '', '{}', '{}', CAST(lpad('', 32, '0') AS UUID), CAST(lpad('', 32, '0') AS UUID), '' \
     FROM generate_series(1, 20000) AS n",
    "INSERT INTO commands (run_id, idempotency_key, command_json, created_at, taken_at, kind) \
     SELECT id, 'a', '{}', 0, CASE WHEN created_at % 3000 = 0 THEN NULL ELSE 1 END, 'terminate' FROM runs",
    "INSERT INTO tasks (run_id, node, path, task_key, display_name, kind, status, cached) \
     SELECT runs.id, node, 'task-' || node, '', '', 'CONTAINER', 'SUCCEEDED', 0 FROM runs, generate_series(1, 2) AS node",
    "INSERT INTO artifacts (run_id, node, output, position, artifact_id, name, type_title, uri, record_json) \
     SELECT id, 1, 'out', 0, CAST(lpad(to_hex(created_at / 2), 32, '0') AS UUID), 'model', 'system.Model', \
       's3://b/' || created_at / 2, '{}' FROM runs",
    "INSERT INTO artifact_records (artifact_id, namespace, pipeline_name, run_id, node, task_path, output, position, \
       name, type_title, uri, digest, recorded_at, record_json) \
     SELECT CAST(lpad(to_hex(n), 32, '0') AS UUID), 'team-' || (n % 2), 'p-' || (n % 30), \
       CAST(lpad('', 32, '0') AS UUID), 1, 'task-' || (n % 31), 'out', 0, 'name-' || (n % 32), 'type-' || (n % 33), \
       's3://b/' || (n % 34), 'sha256:' || (n % 35), n, '{}' FROM generate_series(1, 15000) AS n",
    "INSERT INTO task_inputs (run_id, node, input, position, artifact_id, taken_at) \
     SELECT id, 2, 'in', 0, CAST(lpad(to_hex(created_at / 2), 32, '0') AS UUID), created_at FROM runs",
    "INSERT INTO cache_entries (pipeline_name, namespace, cache_key, run_id, task_path, outputs_json, key_json, \
       created_at) \
     SELECT 'p-' || (n % 30), 'team-' || (n % 100), 'key-' || n, gen_random_uuid(), 'task', '{}', '{}', n \
     FROM generate_series(1, 20000) AS n",
    "INSERT INTO changes (id, namespace, run_id, kind, at, detail_json) \
     SELECT n, 'team-' || (n % 100), gen_random_uuid(), 'run_state', n, '{}' FROM generate_series(1, 20000) AS n",
    "INSERT INTO run_values (run_id, value_key, text, number, run_namespace) \
     SELECT id, 'p.rate', CAST(created_at % 500 AS TEXT), created_at % 500, namespace FROM runs",
    "INSERT INTO run_values (run_id, value_key, text, number, node, run_namespace) \
     SELECT id, 'm.loss', CAST(created_at % 900 AS TEXT), created_at % 900, 1, namespace FROM runs WHERE created_at % 4 = 0",
    "VACUUM",
    "ANALYZE",
];

/// A store on what all these tests look at.
async fn filled() -> Option<Metastore> {
    static FILLED: OnceCell<Place> = OnceCell::const_new();
    let server = shared()?;
    let fill = async || {
        let place = Place::on(server).await;
        let store = Metastore::open(place.location()).await.unwrap();
        let mut raw = place.raw().await;
        for statement in FILL {
            execute(&mut raw, statement).await;
        }
        store.close().await;
        place
    };
    let place = FILLED.get_or_init(fill).await;
    Some(Metastore::open(place.location()).await.unwrap())
}

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

/// The page goes along this index and nothing is sorted, unless hardly more is left than the page itself. An index that is
/// in the order of time and has rows of others too is as good where those are not many.
fn assert_page(plan: &[String], table: &str, index: &str) {
    let shown = plan.join("\n");
    let is_of_time = index.ends_with("_by_age") || index.starts_with("runs_newest");
    let by_time = if table == "runs" { "runs_newest".to_owned() } else { format!("{table}_by_age") };
    let in_order = |index: &str| shown.contains(&format!(" using {index} on {table}")) && !shown.contains("Sort  (");
    let is_page = shown.contains(&format!("Bitmap Index Scan on {index} "));
    assert!(in_order(index) || (is_of_time && in_order(&by_time)) || is_page, "{index}:\n{shown}");
    assert!(!shown.contains(&format!("Seq Scan on {table}")), "{index}:\n{shown}");
}

fn equal<F>(field: F, operand: Operand) -> Predicate<F> {
    Predicate::Compare { field, comparison: Comparison::Equal, operand }
}

fn word(text: &str) -> Operand {
    Operand::Text(text.to_owned())
}

fn id(number: u128) -> Operand {
    Operand::Id(Uuid::from_u128(number))
}

#[tokio::test]
async fn pages_of_runs_go_along_an_index() {
    let Some(store) = filled().await else { return };
    let namespace = || equal(RunField::Namespace, word("team-7"));
    let experiment = || equal(RunField::Experiment, id(7));
    let recurring = || equal(RunField::RecurringRun, id(7));
    let pipeline = || equal(RunField::Pipeline, id(7));
    let version = || equal(RunField::Version, id(7));
    let archived = || equal(RunField::StorageState, word("ARCHIVED"));
    let available = || Predicate::Compare {
        field: RunField::StorageState,
        comparison: Comparison::NotEqual,
        operand: word("ARCHIVED"),
    };
    let time = Operand::Integer(15_000);
    for (sort, value, predicates, index) in [
        (RunField::CreatedAt, &time, vec![], "runs_newest"),
        (RunField::CreatedAt, &time, vec![namespace()], "runs_newest_of_namespace"),
        (RunField::CreatedAt, &time, vec![experiment()], "runs_of_experiment_by_age"),
        (RunField::CreatedAt, &time, vec![recurring()], "runs_of_recurring_by_age"),
        (RunField::CreatedAt, &time, vec![archived()], "runs_stored_by_age"),
        (RunField::CreatedAt, &time, vec![available()], "runs_stored_by_age"),
        (RunField::CreatedAt, &time, vec![namespace(), available()], "runs_of_namespace_stored_by_age"),
        (RunField::CreatedAt, &time, vec![experiment(), archived()], "runs_of_experiment_stored_by_age"),
        (RunField::CreatedAt, &time, vec![pipeline()], "runs_of_pipeline_by_age"),
        (RunField::CreatedAt, &time, vec![version()], "runs_of_version_by_age"),
    ] {
        for listing in pages(sort, value, &predicates) {
            let [page, total] = run_list_plans(&store, &listing).await.unwrap();
            assert_page(&page, "runs", index);
            if !["runs_of_recurring_by_age", "runs_of_pipeline_by_age", "runs_of_version_by_age"].contains(&index) {
                assert!(total.iter().all(|step| !step.contains(" on runs")) || !predicates.is_empty(), "{total:#?}");
            }
        }
    }
}

/// However many are archived or not, and whether that is asked about: no more is read than a page of each.
#[tokio::test]
async fn pages_of_runs_by_name_end_and_state_go_along_an_index_of_what_is_stored_how() {
    let Some(store) = filled().await else { return };
    let namespace = || equal(RunField::Namespace, word("team-7"));
    let experiment = || equal(RunField::Experiment, id(7));
    let archived = || equal(RunField::StorageState, word("ARCHIVED"));
    let name = (RunField::Name, word("run 2"));
    let state = (RunField::State, Operand::WordAt("FAILED".to_owned(), 15_000));
    for ((sort, value), predicates, index) in [
        (&name, vec![], "runs_stored_by_name"),
        (&name, vec![namespace()], "runs_of_namespace_stored_by_name"),
        (&name, vec![experiment()], "runs_of_experiment_stored_by_name"),
        (&(RunField::FinishedAt, Operand::Integer(15_000)), vec![], "runs_stored_by_finish"),
        (&state, vec![], "runs_stored_by_status"),
        (&state, vec![namespace()], "runs_of_namespace_stored_by_status"),
        (&state, vec![experiment()], "runs_of_experiment_stored_by_status"),
    ] {
        for stored in [vec![], vec![archived()]] {
            for listing in pages(*sort, value, &[predicates.clone(), stored].concat()) {
                let [page, _] = run_list_plans(&store, &listing).await.unwrap();
                let shown = page.join("\n");
                assert!(shown.contains(index), "{index}:\n{shown}");
                assert!(!shown.contains("Seq Scan on runs"), "{index}:\n{shown}");
            }
        }
    }
}

#[tokio::test]
async fn names_that_were_given_are_looked_for_along_an_index() {
    let Some(store) = filled().await else { return };
    let plan = penstock_metastore::resolve_run_plan(&store, "Run 77").await.unwrap().join("\n");
    assert!(plan.contains("Index Scan on runs_stored_by_name"), "{plan}");
    assert!(!plan.contains("Seq Scan on runs"), "{plan}");
}

#[tokio::test]
async fn pages_and_totals_of_runs_in_several_states_read_no_more_than_they_show() {
    let Some(store) = filled().await else { return };
    let field = RunField::State;
    let experiment = equal(RunField::Experiment, id(7));
    for predicates in [
        vec![Predicate::Compare { field, comparison: Comparison::NotEqual, operand: word("SUCCEEDED") }],
        vec![Predicate::In { field, operands: vec![word("SUCCEEDED"), word("FAILED")] }],
        vec![Predicate::In { field, operands: vec![word("PENDING"), word("CANCELING")] }],
        vec![experiment.clone(), equal(field, word("FAILED"))],
        vec![experiment, Predicate::In { field, operands: vec![word("SUCCEEDED"), word("FAILED")] }],
    ] {
        for listing in pages(RunField::CreatedAt, &Operand::Integer(15_000), &predicates) {
            for plan in run_list_plans(&store, &listing).await.unwrap() {
                assert!(!plan.iter().any(|step| step.contains("Seq Scan on runs")), "{}", plan.join("\n"));
            }
        }
    }
}

#[tokio::test]
async fn runs_that_are_searched_by_name_are_found_by_trigrams() {
    let Some(store) = filled().await else { return };
    let searched = |text: &str| Predicate::Contains { field: RunField::Name, text: text.to_owned() };
    for predicates in [vec![searched("2345")], vec![equal(RunField::Namespace, word("team-7")), searched("un 2345")]] {
        let listing = Listing { predicates, ..Listing::by(RunField::CreatedAt, 100) };
        for plan in run_list_plans(&store, &listing).await.unwrap() {
            assert!(plan.iter().any(|step| step.contains("Bitmap Index Scan on runs_by_trigrams")), "{plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("Seq Scan on runs")), "{plan:#?}");
        }
    }
    let listing = Listing { predicates: vec![searched("un ")], ..Listing::by(RunField::CreatedAt, 100) };
    let [_, total] = run_list_plans(&store, &listing).await.unwrap();
    assert!(total.iter().any(|step| step.contains("Index Only Scan using runs_named")), "{total:#?}");
}

#[tokio::test]
async fn runs_that_are_searched_by_values_are_found_by_indices() {
    let Some(store) = filled().await else { return };
    let name = |kind, name: &str| RunValueName { kind, name: name.to_owned() };
    let rate = || name(RunValueKind::Parameter, "rate");
    let loss = || name(RunValueKind::Metric, "loss");
    for (condition, index) in [
        (ValueCondition::OneOf(rate(), vec!["77".to_owned()]), "run_values_by_text"),
        (ValueCondition::Compares(loss(), Comparison::Greater, 890.0), "run_values_by_number"),
        (ValueCondition::Tag("team".to_owned(), "ml".to_owned()), "pipeline_tags"),
    ] {
        for sort_value in [None, Some(loss())] {
            let is_sorted = sort_value.is_some();
            let listing = Listing { descending: true, ..Listing::by(RunField::CreatedAt, 100) };
            let search = RunSearch { listing, conditions: vec![condition.clone()], sort_value };
            let [page, total] = run_search_plans(&store, &search).await.unwrap();
            for plan in [&page, &total] {
                let shown = plan.join("\n");
                assert!(shown.contains(index), "{index}:\n{shown}");
                assert!(!shown.contains("Seq Scan on run_values"), "{index}:\n{shown}");
            }
            let along = if is_sorted {
                "using run_values_by_number on run_values sorting"
            } else {
                "using runs_newest on runs"
            };
            assert!(page.iter().any(|step| step.contains(along)), "{along}:\n{}", page.join("\n"));
        }
    }
}

#[tokio::test]
async fn pages_of_experiments_pipelines_versions_and_recurring_runs_go_along_an_index() {
    let Some(store) = filled().await else { return };
    let time = Operand::Integer(10_000);
    let (by_age, namespace) = (ExperimentField::CreatedAt, equal(ExperimentField::Namespace, word("team-7")));
    let available = equal(ExperimentField::StorageState, word("available"));
    for (sort, value, predicates, index) in [
        (by_age, &time, vec![], "experiments_by_age"),
        (by_age, &time, vec![namespace.clone()], "experiments_of_namespace_by_age"),
        (by_age, &time, vec![available.clone()], "experiments_stored_by_age"),
        (by_age, &time, vec![namespace, available], "experiments_of_namespace_stored_by_age"),
        (ExperimentField::Name, &word("Experiment 5"), vec![], "experiments_by_name"),
        (ExperimentField::LastRunCreatedAt, &time, vec![], "experiments_by_last_run"),
    ] {
        for listing in pages(sort, value, &predicates) {
            let [page, _] = experiment_list_plans(&store, &listing).await.unwrap();
            assert_page(&page, "experiments", index);
        }
    }
    let namespace = equal(PipelineField::Namespace, word("team-7"));
    for (sort, value, predicates, index) in [
        (PipelineField::CreatedAt, &time, vec![], "pipelines_by_age"),
        (PipelineField::CreatedAt, &time, vec![namespace], "pipelines_of_namespace_by_age"),
        (PipelineField::Name, &word("Pipeline 5"), vec![], "pipelines_by_name"),
        (PipelineField::DisplayName, &word("Pipeline 5"), vec![], "pipelines_by_display_name"),
    ] {
        for listing in pages(sort, value, &predicates) {
            let [page, _] = pipeline_list_plans(&store, &listing).await.unwrap();
            assert_page(&page, "pipelines", index);
        }
    }
    for (sort, value, index) in [
        (VersionField::CreatedAt, &time, "versions_of_pipeline_by_age"),
        (VersionField::DisplayName, &word("v5"), "versions_of_pipeline_by_display_name"),
    ] {
        for listing in pages(sort, value, &[]) {
            let [page, total] = version_list_plans(&store, Uuid::from_u128(7), &listing).await.unwrap();
            assert_page(&page, "pipeline_versions", index);
            assert!(!total.iter().any(|step| step.contains("Seq Scan")), "{total:#?}");
        }
    }
    let experiment = equal(RecurringRunField::Experiment, id(7));
    for (sort, value, predicates, index) in [
        (RecurringRunField::CreatedAt, &time, vec![], "recurring_runs_by_age"),
        (RecurringRunField::CreatedAt, &time, vec![experiment], "recurring_runs_of_experiment_by_age"),
        (RecurringRunField::UpdatedAt, &time, vec![], "recurring_runs_by_update"),
        (RecurringRunField::Name, &word("Nightly 5"), vec![], "recurring_runs_by_name"),
    ] {
        for listing in pages(sort, value, &predicates) {
            let [page, _] = recurring_run_list_plans(&store, &listing).await.unwrap();
            assert_page(&page, "recurring_runs", index);
        }
    }
}

/// The poll of a store with a million ended runs costs what the unfinished ones cost.
#[tokio::test]
async fn runs_to_drive_are_never_looked_for_among_all() {
    let Some(store) = filled().await else { return };
    let plan = penstock_metastore::runs_to_drive_plan(&store).await.unwrap();
    let shown = plan.join("\n");
    assert!(shown.contains("using runs_unfinished on runs"), "{shown}");
    // Of claims and drivers there are as many as there are runs at work.
    let among_all =
        |step: &String| step.contains("Seq Scan") && !step.contains("on run_claims") && !step.contains("on drivers");
    assert!(!plan.iter().any(among_all), "{shown}");
}

/// What ended or was archived a while ago is found without a look at the rest, the oldest first.
#[tokio::test]
async fn runs_that_are_kept_long_enough_are_looked_for_along_an_index() {
    let Some(store) = filled().await else { return };
    let before = Timestamp::from_nanosecond(25_000).unwrap();
    let plans = expired_plans(&store, before).await.unwrap();
    for (plan, index) in plans.iter().zip(["runs_stored_by_finish", "runs_archived"]) {
        let shown = plan.join("\n");
        assert!(shown.contains(&format!("Index Scan using {index} on runs")), "{shown}");
        assert!(!shown.contains("Seq Scan on runs"), "{shown}");
    }
}

#[tokio::test]
async fn lists_across_runs_go_along_an_index() {
    let Some(store) = filled().await else { return };
    let text = |text: &str| Some(text.to_owned());
    let all = ArtifactQuery { namespace: "team-1".to_owned(), ..ArtifactQuery::default() };
    for (query, index) in [
        (all.clone(), "artifact_records_by_age"),
        (ArtifactQuery { type_title: text("type-5"), ..all.clone() }, "artifact_records_by_type"),
        (ArtifactQuery { name: text("name-5"), ..all.clone() }, "artifact_records_by_name"),
        (ArtifactQuery { uri: text("s3://b/5"), ..all.clone() }, "artifact_records_by_uri"),
        (ArtifactQuery { digest: text("sha256:5"), ..all.clone() }, "artifact_records_by_digest"),
        (ArtifactQuery { task_path: text("task-5"), ..all.clone() }, "artifact_records_by_task"),
        (ArtifactQuery { pipeline_name: text("p-5"), ..all.clone() }, "artifact_records_by_pipeline"),
    ] {
        let plan = artifact_list_plan(&store, &query).await.unwrap();
        assert_page(&plan, "artifact_records", index);
        assert_reads_parts(&plan);
    }
    let entries = CacheList { namespace: "team-7".to_owned(), before: Some(10_000), ..CacheList::default() };
    let of_pipeline = CacheList { pipeline_name: text("p-7"), ..entries.clone() };
    for (list, index) in [(entries, "cache_entries_of_namespace"), (of_pipeline, "cache_entries_of_pipeline")] {
        assert_page(&cache_list_plan(&store, &list).await.unwrap(), "cache_entries", index);
    }
    assert_page(&changes_plan(&store, Some("team-7"), 100).await.unwrap(), "changes", "changes_of_namespace");
    assert_page(&changes_plan(&store, None, 10_000).await.unwrap(), "changes", "changes_pkey");
    for plan in lineage_plans(&store, Uuid::from_u128(7), (Uuid::nil(), NodeId(0))).await.unwrap() {
        assert_reads_parts(&plan);
    }
}

fn assert_reads_parts(plan: &[String]) {
    assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{}", plan.join("\n"));
}
