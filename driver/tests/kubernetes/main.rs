//! The Kubernetes backend against an API server in process whose Pods follow a script.

mod api;
mod cluster;
mod kubelet;
mod world;

mod faults;
mod recovery;
mod restricted;
mod runs;
