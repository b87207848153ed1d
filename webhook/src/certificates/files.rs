//! Certificates that somebody else writes into a directory: cert-manager, for example.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use penstock_runtime::health::Condition;
use penstock_runtime::tls::{CertificateFiles, CertificateSlot, Expiry};

use crate::metrics::{CertificateKind, WebhookMetrics};

/// For ever.
pub(super) async fn follow(
    directory: PathBuf,
    poll: Duration,
    slot: CertificateSlot,
    condition: Condition,
    metrics: WebhookMetrics,
) {
    let expires = |Expiry(seconds)| {
        if let Ok(until) = Timestamp::from_second(seconds) {
            metrics.expires(CertificateKind::Leaf, until);
        }
    };
    CertificateFiles::in_directory(&directory, slot).follow(poll, condition, expires).await;
}
