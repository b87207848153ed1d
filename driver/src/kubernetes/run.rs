//! What the attempts of one run share.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use penstock_metastore::Metastore;
use penstock_objectstore::Transfer;
use penstock_spec::pod::{PodOutcome, PodReport};
use penstock_spec::report::AttemptRef;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::KubernetesHost;
use super::api::PodApi;
use super::failure::RequestError;
use super::metrics::word;
use super::settings::KubernetesSettings;
use super::volumes::ClaimApi;
use super::watch::PodWatch;
use crate::endpoints::StoreEndpoints;

/// What the attempts of one run share.
pub(crate) struct RunPods {
    pub(crate) host: Arc<KubernetesHost>,
    pub(crate) namespace: String,
    pub(crate) settings: Arc<KubernetesSettings>,
    pub(crate) api: PodApi,
    pub(crate) claims: ClaimApi,
    /// Whether the run's workspace was there when a task needed it.
    pub(super) has_workspace: AtomicBool,
    pub(crate) watch: Arc<PodWatch>,
    pub(crate) transfer: Arc<Transfer>,
    /// Where `transfer` looks.
    pub(crate) endpoints: StoreEndpoints,
    /// For what is to be remarked; facts are others' business.
    pub(crate) metastore: Metastore,
    pub(crate) reasons: Arc<Reasons>,
    /// When the last report was seen, if none of those so far has led to a Pod: of the reports that a task waits for, the
    /// last one starts it.
    reported: Mutex<Option<Instant>>,
}

impl RunPods {
    pub(crate) fn new(
        host: Arc<KubernetesHost>,
        namespace: &str,
        transfer: Arc<Transfer>,
        endpoints: StoreEndpoints,
        metastore: Metastore,
    ) -> RunPods {
        let api = host.pods(namespace);
        RunPods {
            watch: host.watches.namespace(namespace, &api),
            namespace: namespace.to_owned(),
            settings: Arc::clone(&host.settings),
            reasons: Arc::clone(&host.reasons),
            claims: host.volume_claims(namespace),
            has_workspace: AtomicBool::new(false),
            api,
            transfer,
            endpoints,
            metastore,
            reported: Mutex::default(),
            host,
        }
    }

    /// The turn of a creation.
    pub(super) async fn create_permit(&self) -> Option<SemaphorePermit<'_>> {
        let _queued = self.host.metrics.queued("create");
        // Nobody closes it.
        self.host.creates.acquire().await.ok()
    }

    /// The turn of a request that cleans up.
    pub(super) async fn cleanup_permit(&self) -> Option<SemaphorePermit<'_>> {
        let _queued = self.host.metrics.queued("cleanup");
        self.host.cleanups.acquire().await.ok()
    }

    /// A report was seen.
    pub(super) fn report_seen(&self, report: &PodReport) {
        self.host.metrics.reported(match &report.outcome {
            PodOutcome::Succeeded { .. } => "succeeded",
            PodOutcome::Failed(failure) => word(failure.cause),
        });
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
    }

    /// A Pod is about to be sent: the first after a report was made possible by it.
    pub(super) fn observe_hop(&self) {
        if let Some(reported) = self.reported.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.host.metrics.hop(reported.elapsed());
        }
    }

    /// Deletes a Pod that must not run.
    pub(super) async fn discard(&self, pod: &Pod) -> Result<(), RequestError> {
        let (Some(name), Some(uid)) = (pod.metadata.name.as_deref(), pod.metadata.uid.as_deref()) else {
            return Ok(());
        };
        let deleted = self.api.delete(name, uid).await;
        self.api.remove_finalizer(pod).await?;
        deleted
    }
}

/// What attempts wait for, for people.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    by_attempt: Mutex<HashMap<AttemptRef, String>>,
}

impl Reasons {
    fn set(&self, attempt: &AttemptRef, reason: Option<String>) {
        let mut reasons = self.by_attempt.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => drop(reasons.insert(attempt.clone(), reason)),
            None => drop(reasons.remove(attempt)),
        }
    }

    pub(crate) fn of_run(&self, run: uuid::Uuid) -> Vec<(AttemptRef, String)> {
        let reasons = self.by_attempt.lock().unwrap_or_else(PoisonError::into_inner);
        let of_run = reasons.iter().filter(|(attempt, _)| attempt.run_id == run);
        of_run.map(|(attempt, reason)| (attempt.clone(), reason.clone())).collect()
    }
}

/// What one attempt waits for. An attempt that is over, or dropped in the middle, waits for nothing any more.
pub(crate) struct Waiting {
    reasons: Arc<Reasons>,
    attempt: AttemptRef,
    said: Option<String>,
}

impl Waiting {
    pub(crate) fn new(reasons: Arc<Reasons>, attempt: AttemptRef) -> Waiting {
        Waiting { reasons, attempt, said: None }
    }

    /// Shows it; whether that is news.
    pub(crate) fn say(&mut self, reason: Option<String>) -> bool {
        let is_news = self.said != reason;
        if is_news {
            self.reasons.set(&self.attempt, reason.clone());
            self.said = reason;
        }
        is_news
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.reasons.set(&self.attempt, None);
    }
}
