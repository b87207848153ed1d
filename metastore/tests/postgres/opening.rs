//! Opening: what is refused, and several at once.

use futures::future::join_all;
use penstock_metastore::{Metastore, MetastoreError, StoreLocation};

use crate::fixture::{Fixture, close, count, execute, new_run};
use crate::place::Place;

/// Migrations of this build.
fn migrations() -> i64 {
    i64::try_from(sqlx::migrate!("./migrations/postgres").iter().count()).unwrap()
}

/// F-43: a store of a newer build is refused with the versions named, and stays as it is.
#[tokio::test]
async fn f43_store_of_a_newer_layout_is_refused_and_not_touched() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.store.close().await;
    let mut raw = fixture.raw().await;
    execute(
        &mut raw,
        "INSERT INTO penstock_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', TRUE, '\\x00', 0)",
    )
    .await;
    let error = Metastore::open(fixture.place.location()).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NewerVersion { found: 9999, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("9999") && text.contains("/test_"), "{text}");
    assert_eq!(count(&mut raw, "SELECT COUNT(*) FROM penstock_migrations").await, migrations() + 1);
}

#[tokio::test]
async fn database_of_another_program_is_refused_and_not_touched() {
    let Some(place) = Place::new().await else { return };
    let mut raw = place.raw().await;
    execute(&mut raw, "CREATE TABLE runs (id INTEGER)").await;
    let error = Metastore::open(place.location()).await.unwrap_err();
    assert!(matches!(error, MetastoreError::NotAStore { .. }), "{error}");
    let tables = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(count(&mut raw, tables).await, 1);
}

#[tokio::test]
async fn database_of_another_encoding_is_refused() {
    let Some(place) = Place::new().await else { return };
    let mut raw = place.raw().await;
    execute(&mut raw, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
        .await;
    let url = format!("{}/latin", place.url().rsplit_once('/').unwrap().0);
    let error = Metastore::open(StoreLocation::Postgres(url.parse().unwrap())).await.unwrap_err();
    assert!(error.to_string().contains("UTF8"), "{error}");
}

#[tokio::test]
async fn migration_that_was_changed_after_the_fact_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.store.close().await;
    let mut raw = fixture.raw().await;
    execute(&mut raw, "UPDATE penstock_migrations SET checksum = '\\x00'").await;
    close(raw).await;
    let error = Metastore::open(fixture.place.location()).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Migrate { .. }), "{error}");
}

#[tokio::test]
async fn missing_database_is_named_and_no_password() {
    let Some(place) = Place::new().await else { return };
    let url = place.url().replace("penstock@", "penstock:s3cret@").replace("/test_", "/absent_");
    let error = Metastore::open(StoreLocation::Postgres(url.parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, MetastoreError::Open { .. }), "{error}");
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    assert!(text.contains("/absent_") && !text.contains("s3cret"), "{text}");
}

/// F-33, F-43: migrations are locked; whoever comes second finds them done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn new_store_can_be_opened_by_many_at_once() {
    for _ in 0..3 {
        let Some(place) = Place::new().await else { return };
        let opens = (0..8u128).map(|number| {
            let location = place.location();
            tokio::spawn(async move {
                let store = Metastore::open(location).await?;
                store.create_run(new_run(number)).await?;
                Ok::<_, MetastoreError>(store)
            })
        });
        let stores: Vec<_> = join_all(opens).await.into_iter().map(|store| store.unwrap().unwrap()).collect();
        for number in 0..8 {
            stores[0].run(new_run(number).info.id).await.unwrap();
        }
        assert_eq!(count(&mut place.raw().await, "SELECT COUNT(*) FROM penstock_migrations").await, migrations());
    }
}

/// What is answered is durable, whatever is usual on the server.
#[tokio::test]
async fn commits_are_durable_on_a_server_that_does_not_make_them_so() {
    let Some(place) = Place::new().await else { return };
    let mut raw = place.raw().await;
    execute(&mut raw, "ALTER ROLE penstock SET synchronous_commit = off").await;
    let store = Metastore::open(place.location()).await.unwrap();
    execute(&mut raw, "CREATE TABLE seen (setting TEXT)").await;
    execute(
        &mut raw,
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$",
    )
    .await;
    execute(&mut raw, "CREATE TRIGGER see AFTER INSERT ON runs EXECUTE FUNCTION see()").await;
    store.create_run(new_run(1)).await.unwrap();
    execute(&mut raw, "ALTER ROLE penstock RESET synchronous_commit").await;
    assert_eq!(count(&mut raw, "SELECT COUNT(*) FROM seen WHERE setting = 'on'").await, 1);
}
