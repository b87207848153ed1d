//! Hosts the engine: feeds it events, makes its facts durable, then carries out its effects through a backend.
//!
//! The driver decides nothing about a pipeline. It owns the order of things: facts before effects, one driver a run,
//! and the comparison of what ought to be in flight with what is, after a restart.

mod backend;
mod cache;
mod claims;
mod cleaner;
mod cluster_only;
mod create;
mod data_dir;
pub mod doctor;
mod drive;
mod driver;
mod endpoints;
mod error;
mod held;
mod import;
mod kubernetes;
mod left_behind;
mod load;
pub mod namespaces;
mod ownership;
mod process;
mod projection;
mod remains;
pub mod service;
mod store_metrics;
mod timers;

pub use backend::{AttemptEnd, AttemptKey, Backend, EndedAttempt, Observation, Recovery};
pub use claims::{HolderWatch, TAKEOVER_AFTER};
pub use cluster_only::{ClusterOnlySetting, cluster_only_settings};
pub use create::{BackendKind, CreateRun, CreateRunError, RootError, RunOptions};
pub use drive::{RunControl, RunEnd};
pub use driver::{Driver, DriverSettings, is_driven, is_served};
pub use endpoints::StoreEndpoints;
pub use error::{DriveError, DriverError};
pub use kubernetes::{
    ACCESS_MODES, CaBundle, ClaimError, FollowedLog, KubernetesMetrics, KubernetesSettings, LogNews, LogSoFar,
    NamespaceSettingsError, PlatformError, PlatformErrors, PodLog, PodLogError, PodSettings, PodStanding,
    PodStateError, RunAs, SweepError, Swept, TaskAccount, TaskAccountError, Timeouts, UnsupportedSetting,
    UnsupportedSettings, VolumeSettings, pod_standings, unsupported_settings,
};
pub use load::load_state;
pub use ownership::Presence;
pub use process::{attempt_log, attempt_work_dir};
pub use store_metrics::StoreMetrics;
