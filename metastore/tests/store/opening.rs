//! Opening: what is refused, and several at once.

use std::fs;

use futures::future::join_all;
use penstock_metastore::{Metastore, MetastoreError};

use crate::fixture::{Fixture, close, execute, new_run};
use crate::place::raw;

/// F-43: a store of a newer build is refused with the versions named, and stays as it is.
#[tokio::test]
async fn f43_store_of_a_newer_layout_is_refused_and_not_touched() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.run(1).await;
    fixture.store.close().await;
    let mut raw = fixture.raw().await;
    execute(
        &mut raw,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', 1, x'00', 0)",
    )
    .await;
    close(raw).await;
    let before = fs::read(fixture.place.path()).unwrap();

    let error = Metastore::open(fixture.place.location()).await.unwrap_err();

    assert!(matches!(error, MetastoreError::NewerVersion { found: 9999, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("9999") && text.contains("penstock.db"), "{text}");
    assert_eq!(fs::read(fixture.place.path()).unwrap(), before);
}

#[tokio::test]
async fn file_that_is_no_database_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let text = "these are notes, and not a database\n".repeat(100);
    fs::write(&path, &text).unwrap();
    let error = Metastore::open(&path).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NotAStore { .. }), "{error}");
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn database_of_another_program_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    fs::write(&path, "").unwrap();
    let mut other = raw(&path).await;
    execute(&mut other, "CREATE TABLE runs (id INTEGER)").await;
    close(other).await;
    let before = fs::read(&path).unwrap();
    let error = Metastore::open(&path).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NotAStore { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn missing_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = Metastore::open(&directory.path().join("absent/penstock.db")).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Create { .. }), "{error}");
    assert!(error.to_string().contains("absent/penstock.db"), "{error}");
}

#[tokio::test]
async fn migration_that_was_changed_after_the_fact_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.store.close().await;
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    close(raw).await;
    let error = Metastore::open(fixture.place.location()).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Migrate { .. }), "{error}");
}

/// F-33, F-43: migrations are locked; whoever comes second finds them done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn new_store_can_be_opened_by_many_at_once() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("penstock.db");
        let opens = (0..8u128).map(|number| {
            let path = path.clone();
            tokio::spawn(async move {
                let store = Metastore::open(&path).await?;
                store.create_run(new_run(number)).await?;
                Ok::<_, MetastoreError>(store)
            })
        });
        let stores: Vec<_> = join_all(opens).await.into_iter().map(|store| store.unwrap().unwrap()).collect();
        for number in 0..8 {
            stores[0].run(new_run(number).info.id).await.unwrap();
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn store_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let Some(fixture) = Fixture::new().await else { return };
    fixture.run(1).await;
    for name in ["penstock.db", "penstock.db-wal", "penstock.db-shm"] {
        let mode = fs::metadata(fixture.place.path().with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
