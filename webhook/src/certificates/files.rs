//! Certificates that somebody else writes into a directory. It is read again and again: a mounted Secret is swapped by
//! links, which watches of files do not see.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use penstock_runtime::health::Condition;
use penstock_runtime::logs::chain;
use penstock_runtime::tls::{self, CertificateSlot};
use tracing::{info, warn};

use super::material::Facts;
use crate::metrics::{CertificateKind, WebhookMetrics};

/// The names that Kubernetes gives the parts of a TLS Secret.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// The most bytes of a file.
const MAX_FILE: u64 = 1 << 20;

/// For ever.
pub(super) async fn follow(
    directory: PathBuf,
    poll: Duration,
    slot: CertificateSlot,
    condition: Condition,
    metrics: WebhookMetrics,
) {
    let (mut served, mut complaint): (Option<Pair>, Option<String>) = (None, None);
    loop {
        match load(&directory, served.as_ref(), &slot).await {
            Ok(pair) => {
                let until = Facts::read(&pair.0).map(|facts| facts.validity.until);
                if let Ok(until) = until {
                    metrics.expires(CertificateKind::Leaf, until);
                }
                match until.is_ok_and(|until| Timestamp::now() < until) {
                    true => condition.set_ready(),
                    false => condition.set_waiting(format!("the certificate in {} has expired", directory.display())),
                }
                (served, complaint) = (Some(pair), None);
            }
            Err(reason) => {
                if complaint.as_ref() != Some(&reason) {
                    warn!(directory = %directory.display(), reason, "cannot read the webhook's certificate");
                }
                if served.is_none() {
                    condition.set_waiting(reason.clone());
                }
                complaint = Some(reason);
            }
        }
        tokio::time::sleep(poll).await;
    }
}

/// Certificate and key, in PEM.
type Pair = (String, String);

async fn load(directory: &Path, served: Option<&Pair>, slot: &CertificateSlot) -> Result<Pair, String> {
    let pair = (read(&directory.join(CERTIFICATE)).await?, read(&directory.join(KEY)).await?);
    if served != Some(&pair) {
        let key = tls::certified_key(pair.0.as_bytes(), pair.1.as_bytes()).map_err(|error| chain(&error))?;
        slot.install(key);
        info!(directory = %directory.display(), "another certificate is served");
    }
    Ok(pair)
}

async fn read(path: &Path) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let size = tokio::fs::metadata(path).await.map_err(fail)?.len();
    if size > MAX_FILE {
        return Err(format!("{} has {size} bytes, more than a certificate", path.display()));
    }
    tokio::fs::read_to_string(path).await.map_err(fail)
}
