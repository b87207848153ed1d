//! The driver as a service: the one process that works.

pub(crate) mod api_failure;
pub(crate) mod backoff;
mod lease;
mod lease_store;

pub use api_failure::ApiFailure;
pub use lease::{LeaseHolder, LeaseRecord, LeaseSettings, LeaseStanding, Stop};
pub use lease_store::{KubernetesLease, LeaseStore, LeaseStoreError};
