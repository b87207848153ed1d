//! The driver as a service: the one process that works (a Lease), the runs that are to be driven, and what is tried again
//! when.

pub(crate) mod api_failure;
pub(crate) mod backoff;
mod drive_run;
mod lease;
mod lease_store;
mod metrics;
mod notes;
mod supervise;
mod sweep;
mod work;

pub use api_failure::ApiFailure;
pub use drive_run::DriveRun;
pub use lease::{LeaseHolder, LeaseRecord, LeaseSettings, LeaseStanding, Stop};
pub use lease_store::{KubernetesLease, LeaseStore, LeaseStoreError};
pub use metrics::ServiceMetrics;
pub use supervise::{Service, ServiceSettings, ServiceStatus};
pub use sweep::{PodSweeper, SWEEP_INTERVAL};
pub use work::{HeldRun, HeldState};
