//! The store against real SQLite files.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod append;
mod artifacts_and_cache;
mod claims;
mod commands;
mod concurrency;
mod crash;
mod deletion;
mod disk;
mod experiments;
mod expired;
mod feed;
mod fixture;
mod lineage;
mod listing;
mod opening;
mod paging;
mod pipelines;
mod place;
mod plans;
mod quarantine;
mod recurring;
mod remarks;
mod run_records;
mod run_search;
mod runs;
mod search;
mod secrets;
mod to_drive;
mod upgrade;
