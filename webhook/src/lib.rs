//! Admission: puts the launcher into Pods that ask for it.
//!
//! [`inject`] decides, from the Pod and the configuration alone, and knows neither HTTP nor Kubernetes' API. [`review`]
//! is the envelope around it, [`admission`] answers requests, [`settings`] keeps what namespaces are set to in memory
//! so that no admission waits for Kubernetes' API, [`nodes`] finds out whether they can mount images, and [`certificates`]
//! keeps what the API server trusts.

pub mod admission;
pub mod certificates;
pub mod inject;
pub mod metrics;
pub mod nodes;
pub mod review;
mod run;
pub mod settings;

pub use run::{WebhookError, WebhookSettings, run, run_on};
