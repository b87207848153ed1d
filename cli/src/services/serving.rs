//! How the API is served to those who are elsewhere: TLS with a certificate that somebody else renews, and where the object
//! store is for them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use penstock_objectstore::LinkEndpoint;
use penstock_runtime::health::{Condition, Health};
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use penstock_runtime::tls::{CertificateFiles, CertificateSlot, Expiry};
use prometheus::{Gauge, Registry};
use rustls::ServerConfig;
use tokio::task::JoinSet;

use super::{Ended, spawn};
use crate::args::api::ServingArgs;
use crate::failure::Refusal;

/// Time between two looks at the files of the certificate.
const POLL: Duration = Duration::from_secs(10);

/// What flags say of it, read and checked.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    /// TLS, if it is spoken.
    pub(super) tls: Option<ApiTls>,
    /// Where those who follow links to artifacts reach the stores.
    pub(super) link_endpoint: Option<LinkEndpoint>,
}

/// A certificate that can be served.
#[derive(Debug)]
pub(super) struct ApiTls {
    config: Arc<ServerConfig>,
    files: CertificateFiles,
    chain: PathBuf,
}

/// Follows the files of a certificate.
pub(super) struct CertificateService {
    tls: ApiTls,
    condition: Condition,
    expiry: Gauge,
}

impl Serving {
    /// Reads what flags name, before anything listens.
    pub(crate) async fn load(args: &ServingArgs) -> anyhow::Result<Serving> {
        let ServingArgs { tls_cert, tls_key, store_public_endpoint } = args;
        let tls = match (tls_cert, tls_key) {
            (Some(chain), Some(key)) => Some(ApiTls::load(chain.clone(), key.clone()).await?),
            (None, None) => None,
            (Some(_), None) => return Err(lacking("--tls-key", "PENSTOCK_TLS_KEY").into()),
            (None, Some(_)) => return Err(lacking("--tls-cert", "PENSTOCK_TLS_CERT").into()),
        };
        Ok(Serving { tls, link_endpoint: store_public_endpoint.clone() })
    }

    /// The file of the certificate chain, if TLS is spoken.
    pub(crate) fn certificate(&self) -> Option<PathBuf> {
        self.tls.as_ref().map(|tls| tls.chain.clone())
    }
}

fn lacking(flag: &str, variable: &str) -> Refusal {
    Refusal::new(format!("TLS takes a certificate and its key, and {flag} ({variable}) is missing"))
        .with_hint("name both --tls-cert and --tls-key, or neither")
}

impl ApiTls {
    async fn load(chain_file: PathBuf, key_file: PathBuf) -> anyhow::Result<ApiTls> {
        let slot = CertificateSlot::default();
        let config = penstock_apiserver::tls(&slot).context("cannot serve the API with TLS")?;
        let chain_file = std::path::absolute(&chain_file).unwrap_or(chain_file);
        let mut files = CertificateFiles::new(chain_file.clone(), key_file, slot);
        files.load().await.map_err(|error| {
            Refusal::new(format!("cannot serve the API with TLS: {}", chain(&error))).with_hint(
                "check --tls-cert and --tls-key: a chain with the server's own certificate first, and its key, in PEM",
            )
        })?;
        Ok(ApiTls { config, files, chain: chain_file })
    }

    /// What is kept of it while the process works.
    pub(super) fn service(self, registry: &Registry, health: &Health) -> anyhow::Result<CertificateService> {
        let expiry = Gauge::new(
            "penstock_api_certificate_expiry_timestamp_seconds",
            "When the certificate of the API expires.",
        )?;
        registry.register(Box::new(expiry.clone())).context("cannot set up metrics")?;
        Ok(CertificateService { tls: self, condition: health.condition("API certificate"), expiry })
    }
}

impl CertificateService {
    /// Follows the files beside the other services of the process; how TLS is spoken.
    pub(super) fn spawn(self, services: &mut JoinSet<Ended>, shutdown: &Shutdown) -> Arc<ServerConfig> {
        let CertificateService { tls: ApiTls { config, files, chain: _ }, condition, expiry } = self;
        let ending = shutdown.clone();
        // Times of certificates are far from where a number loses seconds.
        let expires = move |Expiry(seconds)| expiry.set(seconds as f64);
        spawn(services, "certificate of the API", async move {
            tokio::select! {
                () = files.follow(POLL, condition, expires) => {}
                () = ending.requested() => {}
            }
            Ok(())
        });
        config
    }
}
