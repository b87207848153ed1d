//! Scenarios: pipelines as people write them, run by a host that answers at once.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod caching;
mod capacity;
mod exits;
mod host;
mod importers;
mod inputs;
mod loops;
mod nesting;
mod plans;
mod reruns;
mod reruns_from;
mod retries;
mod settings;
mod stops;
mod submission;
mod timings;
mod triggers;
