//! One attempt as a Pod, from its creation to what is known of its end. One task of the runtime carries it out, so that
//! nothing that happens to one attempt holds up another (R11).

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use penstock_launcher::report::{adopt_from, attempt_of, decode, describe, failure, succeeded};
use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::plan::Plan;
use penstock_spec::pod::{PodOutcome, PodReport};
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::Backoff;
use super::classify::{Elapsed, Expected, Stage, Timeouts, Verdict, classify, stage_of};
use super::failure::RequestError;
use super::identity::{lacks_launcher, stranger};
use super::metrics::word;
use super::pod;
use super::run::RunPods;
use super::watch::{Sighting, Subscription};

/// The most bytes that a manifest may have.
const MAX_MANIFEST: u64 = 256 << 20;
/// How long a manifest may be out of reach, beyond the tries of the store itself.
const MANIFEST_LIMIT: Duration = Duration::from_secs(300);

/// How an attempt is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakeUp {
    /// It is new: the fact that it starts is durable, and nothing was sent.
    Start,
    /// An earlier driver may have sent its Pod.
    Recover,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    Reported(Box<Report>),
    Lost(Failure),
}

/// An attempt under way.
pub(super) struct AttemptPod {
    shared: Arc<RunPods>,
    plan: Plan,
    attempt: AttemptRef,
    name: String,
    spec_hash: String,
    stop: watch::Receiver<bool>,
    subscription: Subscription,
    /// What it waits for, as it was said last.
    said: Option<String>,
}

impl End {
    fn lost(cause: FailureCause, message: impl Into<String>) -> End {
        End::Lost(failure(cause, message))
    }

    fn canceled() -> End {
        End::lost(FailureCause::Canceled, "the attempt was stopped on request")
    }

    /// One word for metrics.
    pub(super) fn result(&self) -> &'static str {
        match self {
            End::Reported(report) => match &report.outcome {
                Outcome::Succeeded(_) => "succeeded",
                Outcome::Failed(failure) => word(failure.cause),
            },
            End::Lost(failure) => word(failure.cause),
        }
    }
}

impl AttemptPod {
    pub(super) fn new(shared: Arc<RunPods>, plan: Plan, stop: watch::Receiver<bool>) -> AttemptPod {
        let name = pod::name_of(&plan);
        AttemptPod {
            subscription: shared.watch.subscribe(&name),
            attempt: attempt_of(&plan),
            spec_hash: pod::spec_hash(&plan),
            said: None,
            shared,
            plan,
            name,
            stop,
        }
    }

    /// Carries the attempt out, and tells how it ended.
    pub(super) async fn run(mut self, take_up: TakeUp) -> End {
        let pod = match take_up {
            TakeUp::Start => self.create().await,
            TakeUp::Recover => Box::pin(self.recover()).await,
        };
        let end = match pod {
            Ok(pod) => self.follow(pod).await,
            Err(end) => end,
        };
        self.shared.reasons.clear(&self.attempt);
        end
    }

    /// Makes the Pod, or finds that it exists. An error is the end of the attempt.
    async fn create(&mut self) -> Result<Arc<Pod>, End> {
        let settings = &self.shared.settings;
        let built = pod::build(&self.plan, &self.shared.namespace, &settings.pod);
        let built = built.map_err(|error| End::lost(FailureCause::Refused, error.to_string()))?;
        if let Some((uri, plan)) = built.plan_object {
            self.shared.transfer.put_bytes(&uri, plan).await.map_err(|error| {
                let reason = describe(&error);
                End::lost(FailureCause::Infrastructure, format!("cannot store the plan of the task at {uri}: {reason}"))
            })?;
        }
        let since = Instant::now();
        let limit = settings.timeouts.pending;
        let mut backoff = Backoff::default();
        let mut sent = false;
        loop {
            if *self.stop.borrow() && !sent {
                return Err(End::canceled());
            }
            let permit = self.shared.create_permit().await;
            self.shared.observe_hop();
            let created = self.shared.api.create(&built.pod).await;
            drop(permit);
            sent = true;
            let (reason, wait) = match created {
                Ok(pod) => {
                    self.say(None);
                    return self.with_launcher(pod).await;
                }
                Err(RequestError::AlreadyExists) => match self.find_existing().await {
                    Ok(Some(pod)) => return self.with_launcher(pod).await,
                    Ok(None) => ("its Pod is being deleted".to_owned(), backoff.next(None)),
                    Err(end) => return Err(end),
                },
                Err(RequestError::Passing { reason, retry_after }) => (reason, backoff.next(retry_after)),
                Err(error @ RequestError::Conflict(_)) => (error.reason(), backoff.next(None)),
                Err(error @ (RequestError::Final(_) | RequestError::NotFound)) => {
                    let text = format!("the Pod {} cannot be created: {}", self.qualified(), error.reason());
                    return Err(End::lost(FailureCause::Refused, text));
                }
            };
            if since.elapsed() >= limit {
                let (name, seconds) = (self.qualified(), limit.as_secs());
                let text = format!("the Pod {name} could not be created for {seconds} s: {reason}");
                return Err(End::lost(FailureCause::Infrastructure, text));
            }
            self.say(Some(format!("its Pod cannot be created yet: {reason}")));
            self.pause(wait).await?;
        }
    }

    /// Waits before the next try. An attempt that is to stop ends here.
    async fn pause(&mut self, wait: Duration) -> Result<(), End> {
        let stopped = tokio::time::timeout(wait, requested(&mut self.stop)).await.is_ok();
        if stopped { Err(self.stopped_before_creation().await) } else { Ok(()) }
    }

    /// The attempt is to stop while it is not known whether its Pod exists: an answer may have been lost.
    async fn stopped_before_creation(&mut self) -> End {
        match self.read(None).await.flatten() {
            Some(pod) if stranger(&pod, &self.attempt, &self.spec_hash).is_none() => {
                let pod = self.shared.watch.observe(pod);
                self.follow(pod).await
            }
            _ => End::canceled(),
        }
    }

    /// The Pod of the attempt's name, if it is the attempt's; nothing if it went away meanwhile or is about to.
    async fn find_existing(&mut self) -> Result<Option<Pod>, End> {
        let Some(Some(pod)) = self.read(Some(self.shared.settings.timeouts.pending)).await else { return Ok(None) };
        match stranger(&pod, &self.attempt, &self.spec_hash) {
            None => Ok(Some(pod)),
            // Wait until the name is free (F-09).
            Some(_) if pod.metadata.deletion_timestamp.is_some() => Ok(None),
            Some(why) => {
                let name = self.qualified();
                let text =
                    format!("there is a Pod {name} already that is not the attempt's: {why}; delete it and retry");
                Err(End::lost(FailureCause::Refused, text))
            }
        }
    }

    /// A Pod that was admitted without the launcher must not run (F-19).
    async fn with_launcher(&mut self, pod: Pod) -> Result<Arc<Pod>, End> {
        let Some(lack) = lacks_launcher(&pod) else { return Ok(self.shared.watch.observe(pod)) };
        let pod = self.shared.watch.observe(pod);
        if let Err(error) = self.shared.discard(&pod).await {
            warn!(pod = self.name, reason = error.reason(), "a Pod without the launcher could not be deleted");
        }
        let (name, namespace) = (self.qualified(), &self.shared.namespace);
        let text = format!(
            "the Pod {name} was admitted without Penstock's launcher, and is deleted: {lack}. Is the namespace labelled \
             (kubectl label namespace {namespace} penstock.dev/injection=enabled), and the webhook registered? \
             `penstock doctor` looks"
        );
        Err(End::lost(FailureCause::Infrastructure, text))
    }

    /// Takes up what an earlier driver may have left: its Pod, its manifest, or nothing. Our finalizer keeps a Pod until
    /// its outcome is recorded, so where there is none, none was sent; a creation that is still under way collides
    /// harmlessly with another.
    async fn recover(&mut self) -> Result<Arc<Pod>, End> {
        let found = self.read(None).await.flatten();
        match found {
            Some(pod) => match stranger(&pod, &self.attempt, &self.spec_hash) {
                None => {
                    info!(pod = self.name, task.path = self.plan.task.path, "takes up the Pod of an earlier driver");
                    self.with_launcher(pod).await
                }
                Some(why) => self.recover_without(Some(why)).await,
            },
            None => self.recover_without(None).await,
        }
    }

    async fn recover_without(&mut self, why: Option<&str>) -> Result<Arc<Pod>, End> {
        if let Some(report) = adopt_from(&self.plan, &self.shared.transfer).await {
            return Err(End::Reported(Box::new(report)));
        }
        if *self.stop.borrow() {
            return Err(End::canceled());
        }
        if let Some(why) = why {
            warn!(pod = self.name, why, "a Pod of an attempt's name is not the attempt's");
        }
        self.create().await
    }

    /// Reads the Pod until there is an answer; nothing if there is none within the limit, or within the time that an
    /// attempt has for its stop.
    async fn read(&mut self, limit: Option<Duration>) -> Option<Option<Pod>> {
        let since = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let error = match self.shared.api.get(&self.name).await {
                Ok(found) => return Some(found),
                Err(error) => error,
            };
            let stopping = self.stop.borrow().then_some(self.shared.settings.timeouts.stop);
            if limit.into_iter().chain(stopping).any(|limit| since.elapsed() >= limit) {
                return None;
            }
            self.say(Some(format!("its Pod cannot be read: {}", error.reason())));
            tokio::time::sleep(backoff.next(None)).await;
        }
    }

    /// Watches the Pod to its end.
    async fn follow(&mut self, first: Arc<Pod>) -> End {
        let expected = Expected { attempt: self.attempt.clone(), uid: first.metadata.uid.clone() };
        let mut pod = Some(first);
        let mut confirmed = false;
        let mut stage: Option<(Stage, Instant)> = None;
        let mut stopping: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let present = stage_of(pod.as_deref(), &expected);
            let since = match stage {
                Some((before, since)) if before == present => since,
                _ => now,
            };
            stage = Some((present, since));
            if stopping.is_none() && *self.stop.borrow() {
                stopping = Some(now);
                self.delete(&expected).await;
            }
            let elapsed = Elapsed { in_stage: now - since, stopping: stopping.map(|since| now - since) };
            let again = match classify(pod.as_deref(), &expected, elapsed, &self.shared.settings.timeouts) {
                Verdict::Wait { reason, again } => {
                    self.say(reason);
                    again
                }
                Verdict::Reported(report) => {
                    self.shared.report_seen();
                    return self.reported(*report).await;
                }
                Verdict::Terminated => return End::canceled(),
                Verdict::Lost(failure) if confirmed => return self.lost(failure).await,
                Verdict::Lost(_) => {
                    // Nothing is failed because of what a cache says (R7).
                    pod = self.confirm(pod).await;
                    confirmed = true;
                    continue;
                }
            };
            confirmed = false;
            self.wait_for_news(again, stopping.is_some()).await;
            pod = match self.subscription.latest() {
                Sighting::Seen(latest) => Some(latest),
                Sighting::Unseen => pod,
                // Its last words count; that it is gone is confirmed by a read.
                Sighting::Missing(last) => {
                    let last = last.or(pod);
                    if !last.as_deref().is_some_and(|last| has_final_report(last, &expected, elapsed)) {
                        confirmed = true;
                        self.confirm(last).await
                    } else {
                        last
                    }
                }
            };
        }
    }

    async fn wait_for_news(&mut self, again: Option<Duration>, stopping: bool) {
        let later = async {
            match again {
                Some(again) => tokio::time::sleep(again).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.subscription.changed() => {}
            () = later => {}
            () = requested(&mut self.stop), if !stopping => {}
        }
    }

    /// The Pod as it is now, or nothing if there is none. Without an answer it is as it was.
    async fn confirm(&mut self, last: Option<Arc<Pod>>) -> Option<Arc<Pod>> {
        match self.read(None).await {
            Some(Some(pod)) => Some(self.shared.watch.observe(pod)),
            Some(None) => {
                self.subscription.forget();
                None
            }
            None => last,
        }
    }

    /// Asks for the end of the Pod. That it could not be asked for is found by the bound on stopping.
    async fn delete(&mut self, expected: &Expected) {
        let Some(uid) = expected.uid.as_deref() else { return };
        let mut backoff = Backoff::default();
        let since = Instant::now();
        while let Err(error) = self.shared.api.delete(&self.name, uid).await {
            if since.elapsed() >= self.shared.settings.timeouts.stop {
                warn!(pod = self.name, reason = error.reason(), "the Pod could not be deleted");
                return;
            }
            tokio::time::sleep(backoff.next(None)).await;
        }
    }

    /// The second witness of a success is the manifest (R5).
    async fn reported(&mut self, report: PodReport) -> End {
        let PodReport { outcome, exit_code, log_uri, .. } = report;
        // Nothing else is the attempt's log, whatever a report says.
        let log_uri = log_uri.filter(|uri| *uri == self.plan.log_uri());
        match outcome {
            PodOutcome::Succeeded { manifest_digest } => self.verified(&manifest_digest, log_uri).await,
            PodOutcome::Failed(reported) => End::Reported(Box::new(Report {
                attempt: self.attempt.clone(),
                outcome: Outcome::Failed(failure(reported.cause, reported.message)),
                exit_code,
                log_uri,
                manifest_digest: None,
                ran_on_host: false,
            })),
        }
    }

    async fn verified(&mut self, digest: &str, log_uri: Option<String>) -> End {
        let uri = self.plan.manifest_uri();
        let since = Instant::now();
        let mut backoff = Backoff::default();
        let problem = loop {
            let problem = match self.shared.transfer.get_bytes(&uri, MAX_MANIFEST).await {
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
                Ok(None) => break "it is not there".to_owned(),
                Err(error) if !error.is_infrastructure() => break describe(&error),
                Err(error) => describe(&error),
            };
            if since.elapsed() >= MANIFEST_LIMIT {
                break problem;
            }
            self.say(Some(format!("its manifest {uri} cannot be read: {problem}")));
            tokio::time::sleep(backoff.next(None)).await;
        };
        let text = format!("the task reported success, and its manifest {uri} cannot be taken up: {problem}");
        End::lost(FailureCause::Infrastructure, text)
    }

    /// There is no word of its end. Its outputs may be whole nevertheless: the manifest is stored before the report.
    async fn lost(&mut self, failure: Failure) -> End {
        let may_be_whole = matches!(failure.cause, FailureCause::Infrastructure | FailureCause::Interrupted);
        if may_be_whole && let Some(report) = adopt_from(&self.plan, &self.shared.transfer).await {
            info!(pod = self.name, reason = failure.message, "no report, but the manifest of the attempt is whole");
            return End::Reported(Box::new(report));
        }
        End::Lost(failure)
    }

    /// Shows what the attempt waits for.
    fn say(&mut self, reason: Option<String>) {
        if self.said == reason {
            return;
        }
        if let Some(reason) = &reason {
            info!(task.path = self.plan.task.path, pod = self.name, reason, "the task waits");
        }
        self.shared.reasons.set(&self.attempt, reason.clone());
        self.said = reason;
    }

    fn qualified(&self) -> String {
        format!("{}/{}", self.shared.namespace, self.name)
    }
}

/// Waits for the request to stop.
async fn requested(stop: &mut watch::Receiver<bool>) {
    let asked = stop.wait_for(|stop| *stop).await.is_ok();
    if !asked {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

fn has_final_report(pod: &Pod, expected: &Expected, elapsed: Elapsed) -> bool {
    let verdict = classify(Some(pod), expected, elapsed, &Timeouts::default());
    matches!(verdict, Verdict::Reported(_))
}
