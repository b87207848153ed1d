//! What the end-to-end tests share: the built binary in a sandbox of its own, the documents that it prints, the
//! expectations beside the sample pipelines, small pipelines made of shell commands, and a real S3 server.
//!
//! Penstock is looked at from outside only: its command line, its files where a user would see them, its processes.

pub mod binary;
pub mod cluster;
pub mod conformance;
pub mod deadline;
pub mod document;
pub mod expectation;
pub mod invocation;
pub mod pipeline;
pub mod process;
pub mod python;
pub mod sandbox;
pub mod server;
pub mod teams;
pub mod timed_log;
