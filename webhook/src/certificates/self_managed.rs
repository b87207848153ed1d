//! Does what the plan says, whenever it is time, somebody changed the configuration, or another replica was quicker.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, watcher};
use penstock_runtime::health::Condition;
use penstock_runtime::logs::chain;
use penstock_runtime::tls::{self, CertificateSlot, TlsError};
use rand::RngExt;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, warn};

use super::SelfManaged;
use super::bundle::{Bundle, Found};
use super::material::{Leaf, MaterialError, take};
use super::plan::{Step, Stored, plan};
use super::store::{RequestError, Store};
use crate::metrics::{CertificateKind, WebhookMetrics};

/// The most steps of one round. A life of certificates never has as many due at once.
const MAX_STEPS: usize = 8;
/// The longest wait before a round that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// The shortest time between two rounds.
const CALM: Duration = Duration::from_millis(200);

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("cannot take the step {step:?} of the certificates' plan")]
    Material {
        step: Step,
        #[source]
        source: MaterialError,
    },
    #[error("cannot serve the certificate")]
    Serve(#[from] TlsError),
    #[error("the certificates are not settled after {MAX_STEPS} steps")]
    Restless,
}

/// Takes care of one webhook's certificates.
pub(super) struct SelfManagement {
    settings: SelfManaged,
    names: Vec<String>,
    store: Store,
    bundle: Bundle,
    slot: CertificateSlot,
    served: Option<Leaf>,
    /// Whether the API server was seen to trust what is served.
    is_trusted: bool,
    certificate: Condition,
    trust: Condition,
    metrics: WebhookMetrics,
}

impl SelfManagement {
    pub(super) fn new(
        settings: SelfManaged,
        client: Client,
        slot: CertificateSlot,
        certificate: Condition,
        trust: Condition,
        metrics: WebhookMetrics,
    ) -> SelfManagement {
        let SelfManaged { namespace, secret, service, configuration, times: _ } = &settings;
        let host = format!("{service}.{namespace}.svc");
        SelfManagement {
            names: vec![host.clone(), format!("{host}.cluster.local")],
            store: Store::new(client.clone(), namespace, secret),
            bundle: Bundle::new(client, configuration, namespace, service),
            slot,
            served: None,
            is_trusted: false,
            certificate,
            trust,
            metrics,
            settings,
        }
    }

    /// For ever.
    pub(super) async fn run(mut self) {
        let named = format!("metadata.name={}", self.settings.configuration);
        let changes = watcher(self.bundle.api().clone(), watcher::Config::default().fields(&named));
        let mut changes = changes.default_backoff().touched_objects().boxed();
        loop {
            let started = Instant::now();
            let pause = match self.round().await {
                Ok(()) => self.settings.times.check.min(self.settings.times.settle / 2),
                // Somebody else was quicker: what they wrote is looked at at once.
                Err(RoundError::Request(error)) if error.is_conflict() => CALM,
                Err(error) => {
                    let text = chain(&error);
                    warn!(error = text, "the webhook's certificates are not looked after; trying again");
                    self.complain(&text);
                    // Replicas that failed together do not come back together.
                    RETRY.mul_f64(rand::rng().random_range(0.5..=1.0)).min(self.settings.times.check)
                }
            };
            let next = sleep_until(started + pause.max(CALM));
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    change = changes.next() => match change {
                        Some(Ok(_)) => break sleep(CALM).await,
                        // The watch comes back by itself; meanwhile the clock does.
                        Some(Err(error)) => warn!(
                            error = chain(&error),
                            "cannot watch MutatingWebhookConfiguration {}; it is looked at every {} s",
                            self.settings.configuration,
                            self.settings.times.check.as_secs()
                        ),
                        None => break next.await,
                    },
                }
            }
        }
    }

    /// Looks at everything once and does what is due.
    async fn round(&mut self) -> Result<(), RoundError> {
        let stored = self.advance().await?;
        // A certificate of another authority than before is served once the API server was told to trust it; should that
        // fail, the one before it goes on.
        let (before, after) = (self.served.as_ref(), stored.leaf.as_ref());
        let is_of_another = before.zip(after).is_some_and(|(before, after)| before.issuer != after.issuer);
        if !is_of_another {
            self.serve(&stored)?;
        }
        let found = self.bundle.repair(&stored.authorities()).await?;
        self.serve(&stored)?;
        let SelfManaged { configuration, service, namespace, .. } = &self.settings;
        let missing = match found {
            Found::Right => None,
            Found::Repaired => {
                info!(configuration, "caBundle is written");
                self.metrics.bundle_repairs.inc();
                None
            }
            Found::NoConfiguration => {
                Some(format!("there is no MutatingWebhookConfiguration {configuration}: apply the manifests"))
            }
            Found::NoEntry => Some(format!(
                "no entry of MutatingWebhookConfiguration {configuration} calls Service {namespace}/{service}"
            )),
        };
        self.is_trusted = missing.is_none();
        match missing {
            None => self.trust.set_ready(),
            Some(reason) => self.trust.set_waiting(reason),
        }
        Ok(())
    }

    /// Takes the steps that are due, and gives what is stored then.
    async fn advance(&self) -> Result<Stored, RoundError> {
        for _ in 0..MAX_STEPS {
            let read = self.store.read().await?;
            let is_published = match &read.stored.next {
                Some(next) => self.bundle.has(&next.certificate).await?,
                None => false,
            };
            let (now, times) = (Timestamp::now(), &self.settings.times);
            let step = plan(now, &read.stored, &self.names, is_published, times);
            if step == Step::Keep {
                return Ok(read.stored);
            }
            let stored = take(step, &read.stored, now, &self.names, times)
                .map_err(|source| RoundError::Material { step, source })?;
            match self.store.write(read, &stored).await {
                Ok(()) => info!(?step, secret = self.settings.secret, "the webhook's certificates went a step on"),
                Err(error) if error.is_conflict() => info!(?step, "another replica was quicker; reading again"),
                Err(error) => return Err(error.into()),
            }
        }
        Err(RoundError::Restless)
    }

    fn serve(&mut self, stored: &Stored) -> Result<(), RoundError> {
        if let Some(authority) = &stored.current {
            self.metrics.expires(CertificateKind::Authority, authority.validity.until);
        }
        let Some(leaf) = &stored.leaf else { return Ok(()) };
        if self.served.as_ref() != Some(leaf) {
            self.slot.install(tls::certified_key(leaf.certificate.as_bytes(), leaf.key.as_bytes())?);
            info!(until = %leaf.validity.until, issuer = leaf.issuer, "another certificate is served");
            self.served = Some(leaf.clone());
        }
        self.metrics.expires(CertificateKind::Leaf, leaf.validity.until);
        self.certificate.set_ready();
        Ok(())
    }

    /// Not ready without a certificate that holds and that the API server trusts; with one, there is time.
    fn complain(&self, reason: &str) {
        match &self.served {
            None => self.certificate.set_waiting(reason),
            Some(leaf) if !leaf.validity.holds(Timestamp::now()) => {
                error!(until = %leaf.validity.until, "the certificate that is served has expired");
                self.certificate.set_waiting(format!("the certificate has expired: {reason}"));
            }
            Some(_) => {}
        }
        if !self.is_trusted {
            self.trust.set_waiting(reason);
        }
    }
}
