//! What becomes of Pods whose attempts have ended. The finalizer goes once the outcome is durable (R3); a Pod whose
//! attempt succeeded goes with it, one that failed is kept for a look.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Pod;
use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::pod::{PodOutcome, PodReport};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::RunStatus;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::KubernetesHost;
use super::api::PodApi;
use super::backoff::Backoff;
use super::failure::RequestError;
use super::identity::{attempt_of_pod, is_held};
use super::run::RunPods;
use super::view::View;
use super::watch::Sighting;
use crate::backend::AttemptEnd;

/// Tries of one request.
const TRIES: u32 = 8;
/// Longest wait for the first list of a namespace.
const FIND_LIMIT: Duration = Duration::from_secs(20);

/// How long a Pod that has reported a success may take to end by itself.
const ENDING: Duration = Duration::from_secs(10);

/// How long a Pod is left of which no run is known.
const LONGEST_LOOK: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to become of a Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is not ours to touch, or its time has not come.
    Leave,
    /// It stays, and nothing of ours holds it any more.
    Release,
    /// It goes.
    Delete,
}

/// How the run of something that is found stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunStanding {
    /// Its state.
    pub(crate) status: RunStatus,
    /// Until when what it has left is kept, once it has ended and if its pipeline says so.
    pub(crate) kept_until: Option<Timestamp>,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pods that were let go and stay for a look.
    pub released: u32,
    /// Pods that were deleted.
    pub deleted: u32,
    /// Workspaces that were deleted.
    pub workspaces: u32,
}

/// A sweep could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot clean up after the task Pods of namespace {namespace}: {reason}")]
pub struct SweepError {
    /// The namespace.
    pub namespace: String,
    /// Why.
    pub reason: String,
}

/// Cleans up after an attempt whose end is durable.
pub(super) async fn after(
    shared: &RunPods,
    name: &str,
    attempt: &AttemptRef,
    end: AttemptEnd,
    finishing: watch::Receiver<bool>,
) {
    let found = || async {
        shared.watch.find(name, FIND_LIMIT).await.filter(|pod| attempt_of_pod(pod).as_ref() == Some(attempt))
    };
    if found().await.is_none() {
        return;
    }
    if matches!(end, AttemptEnd::Succeeded { .. }) {
        linger(shared, name, finishing).await;
    }
    let Some(pod) = found().await else { return };
    let fate = fate_of_ended(&pod, end, shared.settings.keep_failed);
    let _permit = shared.cleanup_permit().await;
    if let Err(error) = carry_out(&shared.api, &pod, fate).await {
        warn!(pod = name, reason = error.reason(), "a Pod could not be cleaned up; a later sweep tries again");
    }
}

/// Leaves a Pod that is done alone for a while. Nothing hangs on its removal, and the Pods that start meanwhile need the
/// API server and their node. When the run ends, or somebody deletes the Pod, it is time.
async fn linger(shared: &RunPods, name: &str, mut finishing: watch::Receiver<bool>) {
    let mut subscription = shared.watch.subscribe(name);
    let since = Instant::now();
    while let Sighting::Seen(pod) = subscription.latest()
        && pod.metadata.deletion_timestamp.is_none()
    {
        // One that does not end by itself holds what it has.
        let longest = shared.settings.linger;
        let limit = if View::new(&pod).is_over() { longest } else { longest.min(ENDING) };
        let Some(left) = limit.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) else { return };
        tokio::select! {
            () = subscription.changed() => {}
            () = tokio::time::sleep(left) => {}
            // An error means that the backend is gone, and with it who could ask.
            _ = finishing.wait_for(|finishing| *finishing) => return,
        }
    }
}

fn fate_of_ended(pod: &Pod, end: AttemptEnd, keep_failed: Duration) -> Fate {
    let view = View::new(pod);
    let is_kept = match end {
        AttemptEnd::Succeeded { log_stored } => !log_stored,
        // Its launcher has reported, so it ends by itself.
        AttemptEnd::Failed { .. } => view.is_over() || view.annotation(keys::ANNOTATION_REPORT).is_some(),
    };
    if is_kept && !keep_failed.is_zero() { Fate::Release } else { Fate::Delete }
}

/// What is to become of a Pod that is found, given how its run stands, if that is known here. A run ends on reports, and
/// the phase follows later: a Pod whose launcher has reported a failure ends by itself, and is kept from then on. What a
/// pipeline says of how long is counted from the end of its run.
fn fate_of_found(pod: &Pod, run: Option<RunStanding>, now: Timestamp, keep_failed: Duration) -> Fate {
    let view = View::new(pod);
    let held = is_held(pod);
    let age = age(pod, now);
    let kept_until = run.filter(|run| run.status.is_final()).and_then(|run| run.kept_until);
    let too_old = view.is_over() && kept_until.map_or(age >= keep_failed, |until| now >= until);
    match run.map(|run| run.status) {
        // Of a run that was deleted, or of another driver's: its outcome is recorded, as nothing holds it any more.
        None if !held && view.is_over() && age >= keep_failed.max(LONGEST_LOOK) => Fate::Delete,
        None => Fate::Leave,
        Some(status) if !status.is_final() => {
            if too_old && !held {
                Fate::Delete
            } else {
                Fate::Leave
            }
        }
        Some(_) if too_old || view.phase() == "Succeeded" => Fate::Delete,
        Some(_) if !view.is_over() && (keep_failed.is_zero() || !has_reported_failure(&view)) => Fate::Delete,
        Some(_) if held => Fate::Release,
        Some(_) => Fate::Leave,
    }
}

/// Whether the launcher had its say, and it was anything but a success with a log in the store.
fn has_reported_failure(view: &View<'_>) -> bool {
    let Some(text) = view.annotation(keys::ANNOTATION_REPORT) else { return false };
    let report = serde_json::from_str::<PodReport>(text).ok();
    let succeeded =
        |report: &PodReport| matches!(report.outcome, PodOutcome::Succeeded { .. }) && report.log_uri.is_some();
    !report.as_ref().is_some_and(succeeded)
}

async fn carry_out(api: &PodApi, pod: &Pod, fate: Fate) -> Result<(), RequestError> {
    if fate == Fate::Leave {
        return Ok(());
    }
    repeated(|| api.remove_finalizer(pod)).await?;
    match (fate, pod.metadata.name.as_deref(), pod.metadata.uid.as_deref()) {
        // One that is being deleted goes now that nothing holds it.
        (Fate::Delete, Some(name), Some(uid)) if pod.metadata.deletion_timestamp.is_none() => {
            repeated(|| api.delete(name, uid)).await
        }
        _ => Ok(()),
    }
}

/// A request that is sent again while that may help.
pub(super) async fn repeated<F>(request: impl Fn() -> F) -> Result<(), RequestError>
where
    F: Future<Output = Result<(), RequestError>>,
{
    let mut backoff = Backoff::default();
    for _ in 1..TRIES {
        match request().await {
            Err(RequestError::Passing { retry_after, .. }) => tokio::time::sleep(backoff.next(retry_after)).await,
            other => return other,
        }
    }
    request().await
}

/// Cleans up after runs that ended while no driver looked, and deletes what was kept long enough. `standing_of` says how
/// a run stands, if it is one of this driver.
pub(crate) async fn sweep<F>(
    host: &KubernetesHost,
    namespace: &str,
    now: Timestamp,
    standing_of: impl Fn(uuid::Uuid) -> F,
) -> Result<Swept, SweepError>
where
    F: Future<Output = Option<RunStanding>>,
{
    let failed = |error: RequestError| SweepError { namespace: namespace.to_owned(), reason: error.reason() };
    let (api, keep_failed) = (host.pods(namespace), host.settings.keep_failed);
    let mut swept = Swept::default();
    let pods = api.list().await.map_err(failed)?;
    let mut work = FuturesUnordered::new();
    for pod in pods {
        let Some(attempt) = attempt_of_pod(&pod) else { continue };
        let fate = fate_of_found(&pod, standing_of(attempt.run_id).await, now, keep_failed);
        if fate != Fate::Leave {
            work.push(sweep_one(host, &api, pod, fate));
        }
    }
    // One Pod that cannot be cleaned up does not keep the others from it (R11).
    let (mut failures, mut first) = (0u32, None);
    while let Some((name, fate, result)) = work.next().await {
        match (result, fate) {
            (Ok(()), Fate::Leave) => {}
            (Ok(()), Fate::Release) => swept.released += 1,
            (Ok(()), Fate::Delete) => swept.deleted += 1,
            (Err(error), _) => {
                failures += 1;
                first.get_or_insert_with(|| format!("Pod {name}: {}", error.reason()));
            }
        }
    }
    match first {
        None => Ok(swept),
        Some(first) => {
            let Swept { released, deleted, .. } = swept;
            let others = format!("{failures} left, {released} released, {deleted} deleted");
            Err(SweepError { namespace: namespace.to_owned(), reason: format!("{first} ({others})") })
        }
    }
}

/// Deletes the Pods of a run that are kept to be looked at: those that are not held. One whose launcher has reported may
/// not have ended yet.
pub(crate) async fn remove_kept(host: &KubernetesHost, namespace: &str, run: uuid::Uuid) -> Result<(), RequestError> {
    let api = host.pods(namespace);
    let kept = api.list_of_run(run).await?;
    let is_of_run = |pod: &Pod| attempt_of_pod(pod).is_some_and(|attempt| attempt.run_id == run);
    let kept = kept.into_iter().filter(|pod| !is_held(pod) && is_of_run(pod));
    let mut work: FuturesUnordered<_> = kept.map(|pod| sweep_one(host, &api, pod, Fate::Delete)).collect();
    let mut first = Ok(());
    while let Some((_, _, result)) = work.next().await {
        first = first.and(result);
    }
    first
}

async fn sweep_one(
    host: &KubernetesHost,
    api: &PodApi,
    pod: Pod,
    fate: Fate,
) -> (String, Fate, Result<(), RequestError>) {
    // Nobody closes it.
    let _permit = host.cleanups.acquire().await.ok();
    let result = carry_out(api, &pod, fate).await;
    (pod.metadata.name.unwrap_or_default(), fate, result)
}

/// Since the end of the user's container, or else since the Pod was made. Of no age without either.
fn age(pod: &Pod, now: Timestamp) -> Duration {
    let ended = View::new(pod).main_end().and_then(|end| end.finished_at.as_ref());
    let since = ended.or(pod.metadata.creation_timestamp.as_ref());
    let seconds = since.map_or(0, |since| now.as_second().saturating_sub(since.0.as_second()));
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    const KEEP: Duration = Duration::from_secs(3600);

    fn pod(phase: &str, held: bool, report: bool) -> Pod {
        let finalizers = if held { json!([keys::FINALIZER, "other/one"]) } else { json!([]) };
        let annotations = if report { json!({keys::ANNOTATION_REPORT: "{}"}) } else { json!({}) };
        let metadata = json!({"name": "p", "finalizers": finalizers, "annotations": annotations});
        serde_json::from_value(json!({"metadata": metadata, "status": {"phase": phase}})).expect("a Pod")
    }

    #[test]
    fn pods_of_succeeded_attempts_go_and_those_of_failed_ones_stay_for_a_look() {
        let fate = |phase, report, end| fate_of_ended(&pod(phase, true, report), end, KEEP);
        let failed = AttemptEnd::Failed { cause: None, again: false };
        assert_eq!(fate("Running", true, AttemptEnd::Succeeded { log_stored: true }), Fate::Delete);
        assert_eq!(fate("Running", true, AttemptEnd::Succeeded { log_stored: false }), Fate::Release);
        assert_eq!(fate("Running", true, failed), Fate::Release, "it ends by itself");
        assert_eq!(fate("Failed", false, failed), Fate::Release);
        assert_eq!(fate("Pending", false, failed), Fate::Delete, "it would try for ever");
        assert_eq!(fate_of_ended(&pod("Failed", true, true), failed, Duration::ZERO), Fate::Delete);
    }

    const ENDED: &str = "2026-01-01T00:00:00Z";

    fn ended() -> Timestamp {
        ENDED.parse().expect("a time")
    }

    /// The fate of a Pod that ended so many seconds ago.
    fn fate(mut pod: Pod, run: Option<RunStanding>, age: i64, keep: Duration) -> Fate {
        pod.metadata.creation_timestamp = serde_json::from_value(json!(ENDED)).expect("a time");
        fate_of_found(&pod, run, ended() + SignedDuration::from_secs(age), keep)
    }

    fn run(status: RunStatus) -> Option<RunStanding> {
        Some(RunStanding { status, kept_until: None })
    }

    #[test]
    fn f40_a_sweep_touches_only_what_is_over() {
        let fate = |phase, held, status: Option<RunStatus>, age| {
            fate(pod(phase, held, false), status.and_then(run), age, KEEP)
        };
        assert_eq!(fate("Failed", true, None, 9999), Fate::Leave, "a run of somebody else");
        assert_eq!(fate("Failed", false, None, 9999), Fate::Leave, "somebody else keeps it for longer");
        assert_eq!(fate("Failed", false, None, 86_400), Fate::Delete, "of a run that was deleted");
        assert_eq!(fate("Failed", true, None, 86_400), Fate::Leave, "its outcome is not recorded yet");
        assert_eq!(fate("Running", false, None, 86_400), Fate::Leave);
        assert_eq!(fate("Running", true, Some(RunStatus::Running), 9999), Fate::Leave);
        assert_eq!(
            fate("Failed", true, Some(RunStatus::Running), 9999),
            Fate::Leave,
            "its outcome is not recorded yet"
        );
        assert_eq!(fate("Failed", false, Some(RunStatus::Running), 9999), Fate::Delete);
        assert_eq!(fate("Failed", true, Some(RunStatus::Failed), 10), Fate::Release);
        assert_eq!(fate("Failed", false, Some(RunStatus::Failed), 10), Fate::Leave);
        assert_eq!(fate("Failed", false, Some(RunStatus::Failed), 9999), Fate::Delete);
        assert_eq!(fate("Succeeded", true, Some(RunStatus::Succeeded), 0), Fate::Delete);
        assert_eq!(fate("Running", true, Some(RunStatus::Canceled), 0), Fate::Delete);
    }

    #[test]
    fn pipeline_says_for_how_long_failed_pods_of_its_run_are_kept() {
        let kept = |status, seconds| {
            Some(RunStanding { status, kept_until: Some(ended() + SignedDuration::from_secs(seconds)) })
        };
        let fate = |run, age| fate(pod("Failed", false, true), run, age, KEEP);
        assert_eq!(fate(kept(RunStatus::Failed, 60), 59), Fate::Leave);
        assert_eq!(fate(kept(RunStatus::Failed, 60), 60), Fate::Delete, "sooner than the installation says");
        assert_eq!(fate(kept(RunStatus::Failed, 86_400), 9999), Fate::Leave, "later than the installation says");
        assert_eq!(fate(kept(RunStatus::Failed, 86_400), 86_400), Fate::Delete);
        assert_eq!(fate(kept(RunStatus::Running, 60), 100), Fate::Leave, "it goes on after an earlier end");
        assert_eq!(fate(kept(RunStatus::Running, 60), 9999), Fate::Delete);
    }

    #[test]
    fn pod_that_has_reported_a_failure_is_kept_although_its_phase_lags() {
        let fate = |pod: &Pod, status, keep| fate(pod.clone(), run(status), 9999, keep);
        let failed = pod("Running", false, true);
        assert_eq!(fate(&failed, RunStatus::Failed, KEEP), Fate::Leave, "it ends by itself, however old it is");
        assert_eq!(fate(&pod("Running", true, true), RunStatus::Failed, KEEP), Fate::Release);
        assert_eq!(fate(&failed, RunStatus::Failed, Duration::ZERO), Fate::Delete);
        let mut succeeded = failed;
        let report = json!({
            "version": 1,
            "podUid": "u",
            "attempt": {"runId": uuid::Uuid::nil(), "taskId": uuid::Uuid::nil(), "attempt": 0},
            "outcome": {"succeeded": {"manifestDigest": "sha256:00"}},
            "logUri": "s3://b/log",
        });
        serde_json::from_value::<PodReport>(report.clone()).expect("a report");
        succeeded
            .metadata
            .annotations
            .get_or_insert_default()
            .insert(keys::ANNOTATION_REPORT.to_owned(), report.to_string());
        assert_eq!(fate(&succeeded, RunStatus::Succeeded, KEEP), Fate::Delete, "nobody wants to see it");
    }
}
