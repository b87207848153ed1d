//! The service: with a double that drives, with the driver of this machine, and under a Lease.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that meets the unexpected fails")]

mod double;
mod driver;
mod lease;
#[path = "../../../tests/support/real_cluster.rs"]
mod real_cluster;
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
