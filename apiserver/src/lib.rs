//! KFP's REST interface, version v2beta1, over the metastore: what an unmodified `kfp.Client` speaks.
//!
//! Which endpoints exist is said by [`router::route_table`], and what they take and give by [`openapi`]; each resource is a
//! module of `routes`. What is the same for
//! all of them is apart and knows no resource: [`wire`] (JSON in requests and replies), [`error`] (refusals), [`listing`]
//! (order, filters, pages). `spec` turns an upload into what is stored and shown of a pipeline. When recurring runs are due
//! is computed by [`schedule`], and [`schedules::run`] makes their runs.
//!
//! Who asks and what they may do is found out by [`auth`]; the router lets nobody past it, and gives handlers what callers may
//! have.
//!
//! This crate drives no run and knows no Pod: it asks the metastore, and hands new runs to a [`Submission`].

mod api;
pub mod auth;
mod caching;
mod changes;
mod dashboard;
pub mod error;
mod feed;
mod folded;
pub mod import;
pub mod input_records;
mod lineage;
pub mod listing;
mod live_logs;
mod live_pods;
mod metrics;
pub mod notifications;
pub mod openapi;
pub mod records;
mod recurring;
pub mod retention;
pub mod router;
mod routes;
mod runs;
pub mod schedule;
pub mod schedules;
mod serve;
mod spec;
mod stored;
mod system;
mod table;
mod tasks;
mod tree;
pub mod value_records;
pub mod wire;

pub use api::{Api, ApiSettings, ApiSetupError};
pub use caching::CachePolicy;
pub use dashboard::{Dashboard, DashboardFile};
pub use live_logs::{LiveLog, LiveLogs, LogReader, PlainLog, WantedLog};
pub use live_pods::{FoundPod, LivePods, WantedPod};
pub use router::router;
pub use runs::{NewSubmission, Submission, SubmissionError};
pub use serve::{serve, serve_tls, tls};
pub use system::{Check, CheckStatus, SystemChecks};
