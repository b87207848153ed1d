//! Measures how fast runs can append: `append_rate [directory]`, by default the current one.
//!
//! Prints the disk's own `fdatasync` first, which is the floor for a single append.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use penstock_engine::{Fact, NodeId};
use penstock_metastore::{Append, Metastore, NewRun, RunQuery, RunRegistration, TaskKind, TaskRow};
use penstock_spec::Timestamp;
use penstock_spec::run::{RunInfo, TaskStatus};
use uuid::Uuid;

const MEASURED: Duration = Duration::from_secs(3);

#[tokio::main]
#[allow(clippy::print_stdout, reason = "printing is what it is for")]
async fn main() -> anyhow::Result<()> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let directory = tempfile::tempdir_in(parent)?;
    println!("fdatasync of 4 KiB: median {:?}", fdatasync(directory.path())?);
    println!(
        "{:>5} {:>6} {:>10} {:>10} {:>9} {:>10} {:>10}",
        "runs", "facts", "appends/s", "facts/s", "tx/s", "p50", "p99"
    );
    for (runs, facts) in [(1, 1), (1, 3), (1, 100), (64, 1), (64, 3), (64, 20)] {
        let store = Metastore::open(&directory.path().join(format!("{runs}-{facts}.db"))).await?;
        measure(&store, runs, facts).await?;
        store.close().await;
    }
    list(directory.path()).await
}

fn fdatasync(directory: &Path) -> anyhow::Result<Duration> {
    let mut file = std::fs::File::create(directory.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..500 {
        file.write_all(&[1; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

#[allow(clippy::print_stdout, reason = "printing is what it is for")]
async fn measure(store: &Metastore, runs: u32, facts: u32) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = (0..runs).map(|_| Uuid::new_v4()).collect();
    for id in &ids {
        store.create_run(new_run(*id)).await?;
        store.take_epoch(*id).await?;
    }
    let before = store.stats();
    let begun = Instant::now();
    let work = ids.into_iter().map(|run| {
        let store = store.clone();
        async move { tokio::spawn(append_for_a_while(store, run, facts, begun)).await? }
    });
    let mut times: Vec<Duration> = try_join_all(work).await?.into_iter().flatten().collect();
    let elapsed = begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let after = store.stats();
    println!(
        "{runs:>5} {facts:>6} {:>10.0} {:>10.0} {:>9.0} {:>10.2?} {:>10.2?}",
        times.len() as f64 / elapsed,
        (after.facts - before.facts) as f64 / elapsed,
        (after.transactions - before.transactions) as f64 / elapsed,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
    Ok(())
}

/// Appends of some facts and one task each.
async fn append_for_a_while(store: Metastore, run: Uuid, facts: u32, begun: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut stored = 0;
    while begun.elapsed() < MEASURED {
        let mut append = Append::new(run, 1, stored);
        let fact = |node| (Fact::AttemptStarted { node: NodeId(node), attempt: 0 }, Timestamp::now());
        append.facts = (0..facts).map(fact).collect();
        append.tasks.push(task(u32::try_from(stored)? % 1000));
        let begun = Instant::now();
        stored = store.append(append).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// The first and the last page of many runs.
#[allow(clippy::print_stdout, reason = "printing is what it is for")]
async fn list(directory: &Path) -> anyhow::Result<()> {
    const RUNS: usize = 100_000;
    let store = Metastore::open(&directory.join("list.db")).await?;
    let begun = Instant::now();
    for _ in 0..RUNS / 200 {
        try_join_all((0..200).map(|_| store.create_run(new_run(Uuid::new_v4())))).await?;
    }
    println!("{RUNS} runs created in {:.1?}", begun.elapsed());
    let mut query = RunQuery { page_size: 100, pipeline_name: Some("bench".to_owned()), ..RunQuery::default() };
    let mut times = Vec::new();
    loop {
        let begun = Instant::now();
        let page = store.list_runs(&query).await?;
        times.push(begun.elapsed());
        let Some(next) = page.next else { break };
        query.page_token = Some(next);
    }
    let last = times[times.len() - 1];
    times.sort_unstable();
    println!("{} pages of 100: median {:.2?}, the last {last:.2?}", times.len(), times[times.len() / 2]);
    Ok(())
}

fn task(node: u32) -> TaskRow {
    TaskRow {
        node: NodeId(node),
        parent: Some(NodeId::ROOT),
        path: format!("task-{node}"),
        key: format!("task-{node}"),
        display_name: "task".to_owned(),
        kind: TaskKind::Container,
        status: TaskStatus::Running,
        attempt: Some(0),
        cached: false,
        iteration: None,
        started_at: Some(Timestamp::now()),
        finished_at: None,
        error: None,
        reason: None,
        log_uri: None,
        outputs: None,
    }
}

fn new_run(id: Uuid) -> NewRun {
    let created_at = Timestamp::now();
    NewRun {
        info: RunInfo {
            id,
            name: format!("bench-{id}"),
            display_name: "bench".to_owned(),
            pipeline_name: "bench".to_owned(),
            namespace: String::new(),
            pipeline_root: "s3://bucket/root".to_owned(),
            created_at,
            scheduled_at: created_at,
            caching: true,
            workspace: None,
        },
        pipeline_text: "pipelineInfo: {name: bench}".to_owned(),
        parameters: serde_json::Map::new(),
        options: serde_json::Value::Null,
        registration: RunRegistration::default(),
    }
}
