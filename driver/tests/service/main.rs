//! The service: with a double that drives, with the driver of this machine, with those of several machines, and under a
//! Lease. On both databases where the store matters.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that meets the unexpected fails")]

mod claims;
mod database;
mod double;
mod driver;
mod lease;
#[path = "../../../tests/support/real_cluster.rs"]
mod real_cluster;
#[path = "../../../metastore/tests/postgres/server.rs"]
mod server;
mod supervision;

use std::time::Duration;

/// Waits for a condition, but not for ever.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    for _ in 0..1500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 30 s: {what}");
}
