//! Everything of the webhook, running.

use std::io;
use std::net::SocketAddr;

use kube::Client;
use penstock_runtime::health::Health;
use penstock_runtime::server::{self, ServerLimits};
use penstock_runtime::shutdown::Shutdown;
use penstock_runtime::tls::{self, CertificateSlot, Protocols, TlsError};
use prometheus::Registry;
use tokio::net::TcpListener;
use tracing::info;

use crate::admission::Admission;
use crate::certificates::{self, CertificateSettings};
use crate::inject::InjectConfig;
use crate::metrics::WebhookMetrics;
use crate::nodes::{self, EntryVolume, PresentDelivery};
use crate::settings::{self, SettingsMap};

/// How the webhook runs.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where the API server reaches it.
    pub listen: SocketAddr,
    /// What is injected.
    pub inject: InjectConfig,
    /// How the entry gets into Pods.
    pub entry_volume: EntryVolume,
    /// Where certificates come from.
    pub certificates: CertificateSettings,
    /// What a client may take.
    pub limits: ServerLimits,
}

/// Why the webhook ended.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The port could not be opened.
    #[error("cannot listen on the webhook's address {address}; set another one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Metrics with its names are there already.
    #[error("cannot register the webhook's metrics")]
    Metrics(#[source] prometheus::Error),
    /// TLS cannot be set up.
    #[error("cannot set up the webhook's TLS")]
    Tls(#[source] TlsError),
    /// A part that runs for ever has ended.
    #[error("the webhook's {part} ended")]
    Ended {
        /// Which.
        part: &'static str,
    },
}

/// Runs until the end is asked for and open reviews are answered.
pub async fn run(
    settings: WebhookSettings,
    client: Client,
    registry: &Registry,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), WebhookError> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| WebhookError::Listen { address, source })?;
    Box::pin(run_on(listener, settings, client, registry, health, shutdown)).await
}

/// Runs on a port that is open already.
pub async fn run_on(
    listener: TcpListener,
    settings: WebhookSettings,
    client: Client,
    registry: &Registry,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), WebhookError> {
    let WebhookSettings { listen: _, inject, entry_volume, certificates, limits } = settings;
    let metrics = WebhookMetrics::new(registry).map_err(WebhookError::Metrics)?;
    let (map, slot) = (SettingsMap::default(), CertificateSlot::default());
    let tls = match &certificates {
        CertificateSettings::None => None,
        _ => Some(tls::server_config(&slot, Protocols::Http1).map_err(WebhookError::Tls)?),
    };
    if let Ok(address) = listener.local_addr() {
        info!(%address, image = inject.launcher_image, "the webhook's port is open");
    }
    let watching =
        settings::watch(client.clone(), map.clone(), health.condition("settings of namespaces"), metrics.clone());
    let delivery = PresentDelivery::new(entry_volume, metrics.entry_image_volume.clone());
    let looking = Box::pin(nodes::follow(entry_volume, client.clone(), delivery.clone()));
    let certifying = Box::pin(certificates::keep(certificates, client, slot, &health, metrics.clone()));
    let admission = Admission::new(inject, map, delivery, metrics);
    let serving = server::serve(listener, tls, limits, shutdown, move |request| admission.clone().handle(request));
    tokio::select! {
        () = serving => Ok(()),
        () = watching => Err(WebhookError::Ended { part: "watch of settings" }),
        () = looking => Err(WebhookError::Ended { part: "watch of nodes" }),
        () = certifying => Err(WebhookError::Ended { part: "care of certificates" }),
    }
}
