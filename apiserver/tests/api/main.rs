//! The router over a real store: requests as clients send them, replies as they read them.

mod access;
mod artifacts;
mod bad_inputs;
mod cache;
mod cluster;
mod contract;
mod dashboard;
mod driven;
mod events;
mod experiments;
mod feed;
mod fixture;
mod imports;
mod lineage;
mod links;
mod listener;
mod logs;
mod metrics;
mod pipelines;
mod pods;
mod protocol;
#[path = "../../../tests/support/real_cluster.rs"]
mod real_cluster;
mod recorded;
mod records;
mod recurring_runs;
mod retry;
mod run_search;
mod schedules;
mod shared;
mod system;
mod tree;
mod uploads;
mod users;
mod v1beta1;
mod versions;
