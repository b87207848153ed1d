//! The namespace controller: against an API server in this process, and against a real one when there is one.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that meets the unexpected fails")]

mod cluster;
mod fake_api;
#[path = "../../../tests/support/real_cluster.rs"]
mod real_cluster;
mod scenarios;
