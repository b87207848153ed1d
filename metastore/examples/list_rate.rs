//! Measures lists of many runs: `list_rate [directory] [runs]`, by default the current one and 200000.
//!
//! Prints for each list the time for the page and the total together, of the first page and of pages anywhere.

use std::path::Path;
use std::time::{Duration, Instant};

use penstock_metastore::{
    Comparison, Cursor, Listing, Metastore, NewRun, Operand, Predicate, RunField, RunRegistration,
};
use penstock_spec::Timestamp;
use penstock_spec::run::RunInfo;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

const REPEATED: usize = 100;
const EXPERIMENTS: i64 = 50;
const SECOND: i64 = 1_000_000_000;
/// When the first run was created.
const START: i64 = 1_790_000_000 * SECOND;

/// Copies of one run, a second apart: by namespace, experiment, storage state and status in turn.
const FILL: &str = "\
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) \
    INSERT INTO runs (id, name, display_name, pipeline_name, namespace, created_at, scheduled_at, info_json, \
      options_json, status, started_at, finished_at, fact_count, experiment_id, storage_state, history) \
    SELECT randomblob(16), 'copy-' || n, 'Copy ' || (n * 7919 % $1), pipeline_name, 'team-' || (n % 5), $2 + n * $3, \
      $2 + n * $3, info_json, options_json, \
      CASE WHEN n % 100000 = 0 THEN 'RUNNING' WHEN n % 10 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END, \
      $2 + n * $3, CASE WHEN n % 100000 = 0 THEN NULL ELSE $2 + n * $3 + 5 END, 100, \
      unhex(printf('%032x', n % $4)), CASE WHEN n % 3 = 0 THEN 'ARCHIVED' ELSE 'AVAILABLE' END, history \
    FROM numbers, runs WHERE runs.name = 'original'";

#[tokio::main]
#[allow(clippy::print_stdout, reason = "printing is what it is for")]
async fn main() -> anyhow::Result<()> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let runs: i64 = std::env::args().nth(2).map_or(Ok(200_000), |number| number.parse())?;
    let directory = tempfile::tempdir_in(parent)?;
    let path = directory.path().join("list.db");
    let store = Metastore::open(&path).await?;
    let begun = Instant::now();
    store.create_run(original()).await?;
    fill(&path, runs).await?;
    println!("{runs} runs in {:.1?}", begun.elapsed());
    println!(
        "{:<44} {:>10} {:>10} {:>10} {:>10} {:>9}",
        "list", "first p50", "first p99", "any p50", "any p99", "total"
    );
    let is = |field, operand| Predicate::Compare { field, comparison: Comparison::Equal, operand };
    let word = |text: &str| Operand::Text(text.to_owned());
    let namespace = || is(RunField::Namespace, word("team-1"));
    let experiment = || is(RunField::Experiment, Operand::Id(Uuid::from_u128(7)));
    let available = || Predicate::Compare {
        field: RunField::StorageState,
        comparison: Comparison::NotEqual,
        operand: word("ARCHIVED"),
    };
    let one_of = |words: &[&str]| Predicate::In {
        field: RunField::State,
        operands: words.iter().map(|text| word(text)).collect(),
    };
    let not_succeeded =
        || Predicate::Compare { field: RunField::State, comparison: Comparison::NotEqual, operand: word("SUCCEEDED") };
    let contains = |text: &str| Predicate::Contains { field: RunField::Name, text: text.to_owned() };
    for (name, predicates) in [
        ("all", vec![]),
        ("of a namespace", vec![namespace()]),
        ("of an experiment", vec![experiment()]),
        ("available", vec![available()]),
        ("of a namespace, available", vec![namespace(), available()]),
        ("of an experiment, available", vec![experiment(), available()]),
        ("running", vec![is(RunField::State, word("RUNNING"))]),
        ("failed", vec![is(RunField::State, word("FAILED"))]),
        ("failed or cancelled", vec![one_of(&["FAILED", "CANCELED"])]),
        ("not succeeded, of a namespace", vec![namespace(), not_succeeded()]),
        ("of an experiment, failed", vec![experiment(), is(RunField::State, word("FAILED"))]),
        ("of a name that few have", vec![contains("7919")]),
        ("of a name that few have, of an experiment", vec![experiment(), contains("7919")]),
        ("of a name that none has", vec![contains("copy zzz")]),
        ("of a name that many have", vec![contains("opy 1")]),
        ("of a name that all have, available", vec![contains("Copy"), available()]),
        ("of a name with two letters", vec![contains("42")]),
    ] {
        measure(&store, name, predicates, runs).await?;
    }
    store.close().await;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "printing is what it is for")]
async fn measure(store: &Metastore, name: &str, predicates: Vec<Predicate<RunField>>, runs: i64) -> anyhow::Result<()> {
    let mut listing = Listing { predicates, descending: true, ..Listing::by(RunField::CreatedAt, 100) };
    let (mut first, mut any, mut total) = (Vec::new(), Vec::new(), 0);
    let begun = Instant::now();
    for number in 0..REPEATED {
        let value = Operand::Integer(START + (number as i64 * 7919) % runs * SECOND);
        for (from, times) in [(None, &mut first), (Some(Cursor { value, id: Uuid::max() }), &mut any)] {
            listing.from = from;
            let begun = Instant::now();
            total = store.list_run_records(&listing).await?.total;
            times.push(begun.elapsed());
        }
        if begun.elapsed() > Duration::from_secs(20) {
            break;
        }
    }
    let [first, any] = [first, any].map(|mut times| {
        times.sort_unstable();
        [times[times.len() / 2], times[times.len() * 99 / 100]]
    });
    println!("{name:<44} {:>10.2?} {:>10.2?} {:>10.2?} {:>10.2?} {total:>9}", first[0], first[1], any[0], any[1]);
    Ok(())
}

async fn fill(path: &Path, runs: i64) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Wal);
    let mut connection = options.pragma("cache_size", "-500000").connect().await?;
    sqlx::query(FILL).bind(runs).bind(START).bind(SECOND).bind(EXPERIMENTS).execute(&mut connection).await?;
    sqlx::query(
        "INSERT INTO run_specs (run_id, pipeline_text, parameters_json) \
         SELECT id, (SELECT pipeline_text FROM run_specs), '{}' FROM runs WHERE name <> 'original'",
    )
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

fn original() -> NewRun {
    let created_at = Timestamp::UNIX_EPOCH;
    NewRun {
        info: RunInfo {
            id: Uuid::new_v4(),
            name: "original".to_owned(),
            display_name: "Original".to_owned(),
            pipeline_name: "train".to_owned(),
            namespace: String::new(),
            pipeline_root: "s3://bucket/root".to_owned(),
            created_at,
            scheduled_at: created_at,
            caching: true,
            workspace: None,
        },
        // Of the size of a small pipeline.
        pipeline_text: format!("pipelineInfo: {{name: train}}\n{}", "# components and tasks\n".repeat(200)),
        parameters: serde_json::Map::new(),
        options: serde_json::Value::Null,
        registration: RunRegistration::default(),
    }
}
