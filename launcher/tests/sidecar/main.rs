//! The sidecar as a process, with the real entry beside it, a real S3 server and an API server of our own that does what
//! it is told. Directories of this machine stand for the volumes of a Pod.

mod api_server;
mod data;
mod hostile;
mod memory;
mod outages;
#[path = "../programs/mod.rs"]
mod programs;
mod reports;
mod restarts;
mod slow_store;
mod stores;
mod tasks;
mod terminations;
mod world;
