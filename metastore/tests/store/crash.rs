//! The process is killed while it writes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use futures::future::join_all;
use penstock_metastore::{Append, Metastore};

use crate::fixture::{fact, new_run, task};

const STORE: &str = "PENSTOCK_TEST_CRASH_STORE";
const RUNS: u128 = 8;
const FACTS_PER_APPEND: u64 = 3;

/// Tells which node stands for the facts of an append.
fn append_of(run: u128, epoch: u64, expected: u64) -> Append {
    let mut append = Append::new(new_run(run).info.id, epoch, expected);
    let first = u32::try_from(expected).unwrap();
    append.facts = (first..).map(fact).take(3).collect();
    append.tasks = vec![task(first, &format!("task-{first}"))];
    append
}

#[test]
#[ignore = "the child of killed_writer_leaves_whole_appends"]
fn child_appends_until_it_is_killed() {
    let Some(path) = std::env::var_os(STORE) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Metastore::open(Path::new(&path)).await.unwrap();
        let work = (1..=RUNS).map(|run| {
            let store = store.clone();
            async move {
                let id = new_run(run).info.id;
                store.create_run(new_run(run)).await.unwrap();
                let epoch = store.take_epoch(id).await.unwrap();
                let mut stored = store.run(id).await.unwrap().fact_count;
                loop {
                    stored = store.append(append_of(run, epoch, stored)).await.unwrap();
                    // Told to the parent only now that it is durable.
                    writeln!(std::io::stdout().lock(), "acknowledged {run} {stored}").unwrap();
                }
            }
        });
        join_all(work).await;
    });
}

/// Kill anything at any time: what was acknowledged is there, and nothing is there in part.
#[tokio::test]
async fn killed_writer_leaves_whole_appends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("penstock.db");
    let mut acknowledged = [0u64; RUNS as usize + 1];
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "crash::child_appends_until_it_is_killed"])
            .env(STORE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        let mut note = |line: &str| {
            let mut words = line.split(' ').skip_while(|word| !word.ends_with("acknowledged")).skip(1);
            let (Some(run), Some(count)) = (words.next(), words.next()) else { return 0 };
            let run: usize = run.parse().unwrap();
            acknowledged[run] = acknowledged[run].max(count.parse().unwrap());
            1
        };
        while seen < 200 * round {
            seen += note(&lines.next().expect("the child ended early").unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok).collect::<Vec<_>>() {
            // The last line may be cut off.
            if line.split(' ').count() == 3 {
                note(&line);
            }
        }

        let store = Metastore::open(&path).await.unwrap();
        for run in 1..=RUNS {
            let id = new_run(run).info.id;
            let facts = store.all_facts(id).await.unwrap();
            let count = facts.len() as u64;
            let promised = acknowledged[run as usize];
            assert!(count >= promised, "run {run} has {count} facts, and {promised} were acknowledged");
            assert!(count.is_multiple_of(FACTS_PER_APPEND), "run {run} has {count} facts");
            assert_eq!(store.run(id).await.unwrap().fact_count, count);
            assert_eq!(store.tasks(id).await.unwrap().len() as u64, count / FACTS_PER_APPEND);
            for (index, stored) in (0..).zip(&facts) {
                assert_eq!((&stored.fact, stored.at), (&fact(index).0, fact(index).1));
            }
        }
        store.close().await;
    }
}
