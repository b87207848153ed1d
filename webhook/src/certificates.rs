//! The certificate that is served, and what the API server trusts.
//!
//! `plan` decides what is due, from the time and what is stored; `material` makes and reads certificates; `store`
//! keeps them in a Secret that all replicas share; `bundle` tells the API server; `self_managed` and `files` are
//! the two ways to run.

mod bundle;
mod files;
mod material;
mod plan;
mod self_managed;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use penstock_runtime::health::Health;
use penstock_runtime::tls::CertificateSlot;

use crate::metrics::WebhookMetrics;

/// Where certificates come from.
#[derive(Debug, Clone)]
pub enum CertificateSettings {
    /// The webhook makes them, and tells the API server.
    SelfManaged(SelfManaged),
    /// Somebody else writes them, and tells the API server: cert-manager, for example.
    Files {
        /// Holds `tls.crt` and `tls.key`; a mounted Secret is swapped as a whole.
        directory: PathBuf,
        /// How often it is looked at.
        poll: Duration,
    },
    /// No TLS. For tests.
    None,
}

/// How the webhook takes care of its certificates itself.
#[derive(Debug, Clone)]
pub struct SelfManaged {
    /// Namespace of Secret and Service.
    pub namespace: String,
    /// Secret with authority and leaf, shared by all replicas.
    pub secret: String,
    /// Service that the API server calls.
    pub service: String,
    /// MutatingWebhookConfiguration whose `caBundle` is kept right.
    pub configuration: String,
    /// How long things last.
    pub times: CertificateTimes,
}

/// How long things last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTimes {
    /// Life of an authority.
    pub authority: Duration,
    /// Life of a leaf.
    pub leaf: Duration,
    /// From the publication of a new authority until it signs, and from then until the old one is forgotten. Longer
    /// than API servers and other replicas need to hear of it.
    pub settle: Duration,
    /// How far the beginning of a certificate's life lies in the past, for clocks that lag.
    pub backdate: Duration,
    /// How often Secret and configuration are looked at.
    pub check: Duration,
}

impl Default for CertificateTimes {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        CertificateTimes {
            authority: day * 365,
            leaf: day * 30,
            settle: Duration::from_secs(10 * 60),
            backdate: Duration::from_secs(5 * 60),
            check: Duration::from_secs(60),
        }
    }
}

/// Keeps the slot filled and the API server informed, for ever.
pub(crate) async fn keep(
    settings: CertificateSettings,
    client: Client,
    slot: CertificateSlot,
    health: &Health,
    metrics: WebhookMetrics,
) {
    match settings {
        CertificateSettings::SelfManaged(settings) => {
            let (certificate, trust) = (health.condition("webhook certificate"), health.condition("webhook caBundle"));
            self_managed::SelfManagement::new(settings, client, slot, certificate, trust, metrics).run().await;
        }
        CertificateSettings::Files { directory, poll } => {
            files::follow(directory, poll, slot, health.condition("webhook certificate"), metrics).await;
        }
        CertificateSettings::None => std::future::pending().await,
    }
}
