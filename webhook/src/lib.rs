//! Admission: puts the launcher into Pods that ask for it.
//!
//! [`inject`] decides, from the Pod and the configuration alone, and knows neither HTTP nor Kubernetes' API.

pub mod inject;
