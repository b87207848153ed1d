//! The driver as a service.

pub(crate) mod api_failure;
pub(crate) mod backoff;

pub use api_failure::ApiFailure;
