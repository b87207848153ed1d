//! The Kubernetes backend against an API server in process whose Pods follow a script.

mod api;
mod claims;
mod cluster;
mod kubelet;
#[path = "../../../tests/support/real_cluster.rs"]
mod real_cluster;
mod world;

mod accounts;
mod cleanup;
mod faults;
mod recovery;
mod restricted;
mod runs;
mod settings;
mod stores;
mod volumes;
