//! No space left.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use penstock_engine::Fact;
use penstock_metastore::{Append, Metastore, MetastoreError};

use crate::fixture::{at, new_run, one_fact};

const STORE: &str = "PENSTOCK_TEST_DISK_STORE";

fn large_append(expected: u64) -> Append {
    let mut append = Append::new(new_run(1).info.id, 1, expected);
    let reason = "x".repeat(10_000);
    append.facts = vec![(Fact::CancelRequested { reason }, at(0)), (Fact::RetryRequested {}, at(1))];
    append
}

async fn write_until_full(store: &Metastore) -> (u64, MetastoreError) {
    store.create_run(new_run(1)).await.unwrap();
    store.take_epoch(new_run(1).info.id).await.unwrap();
    let mut stored = 0;
    loop {
        match store.append(large_append(stored)).await {
            Ok(count) => stored = count,
            Err(error) => return (stored, error),
        }
        assert!(stored < 100_000, "the disk never became full");
    }
}

async fn check_whole(store: &Metastore, stored: u64) {
    let run = new_run(1).info.id;
    assert_eq!(store.all_facts(run).await.unwrap().len() as u64, stored);
    assert_eq!(store.run(run).await.unwrap().fact_count, stored);
}

#[test]
#[ignore = "the child of f35_limit_on_file_size_fails_the_append_and_nothing_else"]
fn child_writes_against_a_limit() {
    let Some(path) = std::env::var_os(STORE) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Metastore::open(Path::new(&path)).await.unwrap();
        let (stored, error) = write_until_full(&store).await;
        assert!(!error.is_conflict(), "{error}");
        // The next one fails too, and reading works on.
        store.append(large_append(stored)).await.unwrap_err();
        check_whole(&store, stored).await;
        fs::write(Path::new(&path).with_extension("count"), stored.to_string()).unwrap();
    });
}

/// F-35: a commit that fails is reported, and what was stored before is intact.
#[cfg(unix)]
#[tokio::test]
async fn f35_limit_on_file_size_fails_the_append_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("penstock.db");
    let status = Command::new("sh")
        // Blocks of 512 or 1024 bytes. The signal would end the process; ignored, the write fails instead.
        .args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "disk::child_writes_against_a_limit"])
        .env(STORE, &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let stored: u64 = fs::read_to_string(path.with_extension("count")).unwrap().parse().unwrap();
    assert!(stored > 0);
    let store = Metastore::open(&path).await.unwrap();
    check_whole(&store, stored).await;
    assert_eq!(store.append(one_fact(new_run(1).info.id, 1, stored)).await.unwrap(), stored + 1);
}
