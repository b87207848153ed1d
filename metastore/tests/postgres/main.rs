//! The store against a real PostgreSQL server: the tests of the store in SQLite, and what there is only here.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

#[path = "../store/append.rs"]
mod append;
#[path = "../store/artifacts_and_cache.rs"]
mod artifacts_and_cache;
#[path = "../store/claims.rs"]
mod claims;
#[path = "../store/commands.rs"]
mod commands;
#[path = "../store/concurrency.rs"]
mod concurrency;
#[path = "../store/deletion.rs"]
mod deletion;
#[path = "../store/experiments.rs"]
mod experiments;
#[path = "../store/expired.rs"]
mod expired;
#[path = "../store/feed.rs"]
mod feed;
#[path = "../store/fixture.rs"]
mod fixture;
#[path = "../store/lineage.rs"]
mod lineage;
#[path = "../store/listing.rs"]
mod listing;
mod opening;
#[path = "../store/paging.rs"]
mod paging;
#[path = "../store/pipelines.rs"]
mod pipelines;
mod place;
mod plans;
mod proxy;
#[path = "../store/quarantine.rs"]
mod quarantine;
#[path = "../store/recurring.rs"]
mod recurring;
#[path = "../store/remarks.rs"]
mod remarks;
#[path = "../store/run_records.rs"]
mod run_records;
#[path = "../store/run_search.rs"]
mod run_search;
#[path = "../store/runs.rs"]
mod runs;
#[path = "../store/search.rs"]
mod search;
#[path = "../store/secrets.rs"]
mod secrets;
mod secured;
mod server;
mod several;
mod text;
mod tls;
#[path = "../store/to_drive.rs"]
mod to_drive;
mod upgrade;
