//! What every request is handled with.

use std::sync::Arc;

use penstock_spec::limits::Limits;

use crate::wire::body::BodyBudget;

/// What a body may take beside the document that it holds.
const BODY_SLACK_BYTES: usize = 1 << 20;

/// What the server is told when it starts.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The server's own namespace; empty on one machine. All that is created belongs to it.
    pub namespace: String,
    /// Version of this build, as it is told to clients.
    pub version: String,
    /// Commit of this build, as it is told to clients.
    pub commit: String,
    /// Caps on documents and values.
    pub limits: Limits,
}

/// The state of the server; clones share it.
#[derive(Debug, Clone)]
pub struct Api(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ApiSettings,
    bodies: BodyBudget,
}

impl Api {
    /// Makes the server ready.
    pub fn new(settings: ApiSettings) -> Self {
        Self(Arc::new(Shared { settings, bodies: BodyBudget::default() }))
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    /// Caps on documents and values.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Room for bodies.
    pub(crate) fn bodies(&self) -> &BodyBudget {
        &self.0.bodies
    }

    /// Most bytes of one body.
    pub(crate) fn body_limit(&self) -> usize {
        self.limits().document_bytes.saturating_add(BODY_SLACK_BYTES)
    }
}
