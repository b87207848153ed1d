//! Settings for Kubernetes that travel beside a pipeline (`PlatformSpec`).

use serde_json::Value;

/// The second document of a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlatformSpec {
    /// The document as it was written.
    pub raw: Value,
}
