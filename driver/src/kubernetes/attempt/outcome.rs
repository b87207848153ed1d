//! From what a Pod says of its end to how the attempt ended: the manifest is the second witness.

use std::time::Duration;

use penstock_launcher::report::{adopt_from, decode, describe, failure, succeeded};
use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::pod::{PodOutcome, PodReport};
use penstock_spec::report::{Failure, FailureCause, Outcome, Report};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use super::{AttemptPod, End, requested};
use crate::kubernetes::backoff::Backoff;
use crate::kubernetes::namespace;

/// The most bytes that a manifest may have.
const MAX_MANIFEST: u64 = 256 << 20;
/// How long a manifest may be out of reach, beyond the tries of the store itself.
const MANIFEST_LIMIT: Duration = Duration::from_secs(300);
/// How long it may take to find out whether there is a log of a lost attempt.
const LOG_LIMIT: Duration = Duration::from_secs(5);

impl AttemptPod {
    /// The second witness of a success is the manifest (R5).
    pub(super) async fn reported(&mut self, report: PodReport) -> End {
        let PodReport { outcome, exit_code, log_uri, .. } = report;
        // Nothing else is the attempt's log, whatever a report says.
        let log_uri = log_uri.filter(|uri| *uri == self.plan.log_uri());
        match outcome {
            PodOutcome::Succeeded { manifest_digest } => self.verified(&manifest_digest, log_uri).await,
            PodOutcome::Failed(reported) => self.failed(failure(reported.cause, reported.message), exit_code, log_uri),
        }
    }

    fn failed(&self, failure: Failure, exit_code: Option<i32>, log_uri: Option<String>) -> End {
        End::Reported(Box::new(Report {
            attempt: self.attempt.clone(),
            outcome: Outcome::Failed(failure),
            exit_code,
            log_uri,
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        }))
    }

    async fn verified(&mut self, digest: &str, log_uri: Option<String>) -> End {
        let uri = self.plan.manifest_uri();
        let since = Instant::now();
        let mut backoff = Backoff::default();
        let problem = loop {
            let read = tokio::select! {
                biased;
                read = self.shared.transfer.get_bytes(&uri, MAX_MANIFEST) => read,
                () = requested_before(&mut self.stop, self.shared.settings.timeouts.settle) => return End::canceled(),
            };
            let problem = match read {
                Ok(Some(bytes)) => {
                    let found = format_digest(&digest_of(&bytes));
                    if found != digest {
                        break format!("its digest is {found}, and the launcher reported {digest}");
                    }
                    match decode(&self.plan, &bytes) {
                        Ok(manifest) => return End::Reported(Box::new(succeeded(manifest, found, log_uri))),
                        Err(reason) => break reason,
                    }
                }
                Ok(None) => break self.absent(&uri).await,
                Err(error) if !error.is_infrastructure() => break describe(&error),
                Err(error) => describe(&error),
            };
            if since.elapsed() >= MANIFEST_LIMIT {
                break problem;
            }
            self.say(Some(format!("its manifest {uri} cannot be read: {problem}")));
            if tokio::time::timeout(backoff.next(None), requested(&mut self.stop)).await.is_ok() {
                return End::canceled();
            }
        };
        let text = format!("the task reported success, and its manifest {uri} cannot be taken up: {problem}");
        End::lost(FailureCause::Infrastructure, text)
    }

    /// What it means that an object is absent whose launcher has stored it.
    async fn absent(&self, uri: &str) -> String {
        let settings = namespace::read(&self.shared.host, &self.shared.namespace).await.ok().flatten();
        let difference = settings.and_then(|settings| self.shared.endpoints.difference(&settings, uri));
        difference.map_or_else(|| "it is not there".to_owned(), |difference| format!("it is not there; {difference}"))
    }

    /// There is no word of its end. Its outputs may be whole nevertheless: the manifest is stored before the report.
    pub(super) async fn lost(&mut self, failure: Failure) -> End {
        let may_be_whole = matches!(failure.cause, FailureCause::Infrastructure | FailureCause::Interrupted);
        if may_be_whole && let Some(report) = self.adopted().await {
            info!(pod = self.name, reason = failure.message, "no report, but the manifest of the attempt is whole");
            return End::Reported(Box::new(report));
        }
        match self.stored_log().await {
            Some(log_uri) => self.failed(failure, None, Some(log_uri)),
            None => End::Lost(failure),
        }
    }

    /// What the launcher stored of the log while it lived (F-46). An outcome does not wait for it longer than a moment.
    async fn stored_log(&self) -> Option<String> {
        let uri = self.plan.log_uri();
        let (store, key) = self.shared.transfer.stores().open(&uri).ok()?;
        let found = tokio::time::timeout(LOG_LIMIT, store.head(&key)).await.ok()?.ok()?;
        found.map(|_| uri)
    }

    /// What the attempt's manifest says, if there is one that is whole.
    pub(super) async fn adopted(&mut self) -> Option<Report> {
        tokio::select! {
            biased;
            adopted = adopt_from(&self.plan, &self.shared.transfer) => adopted,
            () = requested_before(&mut self.stop, self.shared.settings.timeouts.settle) => None,
        }
    }
}

/// Waits for the request to stop, and then for what is under way: an end that is already there is the better one.
async fn requested_before(stop: &mut watch::Receiver<bool>, grace: Duration) {
    requested(stop).await;
    tokio::time::sleep(grace).await;
}
