//! The store against real SQLite files.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod append;
mod artifacts_and_cache;
mod commands;
mod concurrency;
mod crash;
mod disk;
mod fixture;
mod opening;
mod quarantine;
mod remarks;
mod runs;
mod to_drive;
