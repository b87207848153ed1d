//! How a Pod's end is read. Pure and total: whatever a Pod says, there is one verdict, and no wait without a bound.
//!
//! The first that matches decides:
//! 1. A Pod of another UID is not the attempt's: it is as if there were none.
//! 2. The launcher's report of success: the manifest is to be verified, and decides.
//! 3. The launcher's report of failure, unless it only says that the launcher lost sight of the process.
//! 4. Termination was asked for: terminated, once nothing runs any more or the bound has passed.
//! 5. The cluster disrupted the Pod: infrastructure, even if a container shows exit code 0.
//! 6. The Pod's deadline passed: timed out.
//! 7. Somebody deleted the Pod: lost. It comes before exit codes, which then are those of the signals that the deletion
//!    sends.
//! 8. The user's container ended: out of memory; not startable; its own exit code; and with 0 but without a report, lost.
//!    Where it never started, an init container of the author's that ended badly.
//! 9. There is no Pod: lost.

mod cause;

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use penstock_launcher::report::failure;
use penstock_spec::keys;
use penstock_spec::pod::{POD_REPORT_VERSION, PodOutcome, PodReport};
use penstock_spec::report::{AttemptRef, Failure, FailureCause};

use super::view::{ProblemKind, View, shorten, with_message};
use cause::cause_of_end;

/// Time beyond a grace period in which the kubelet confirms that containers are gone.
const CONFIRM: Duration = Duration::from_secs(30);
/// Reasons of a whole Pod that are the cluster's doing.
const CLUSTER_REASONS: [&str; 9] = [
    "Evicted",
    "Preempting",
    "NodeShutdown",
    "Shutdown",
    "Terminated",
    "NodeLost",
    "NodeAffinity",
    "UnexpectedAdmissionError",
    "AdmissionFailed",
];

/// Bounds of waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// How long images may fail to be pulled.
    pub image: Duration,
    /// How long the scheduler may find no node, and how long the API server may refuse a Pod for a reason that passes.
    pub pending: Duration,
    /// From the node's choice until the user's container runs.
    pub start: Duration,
    /// How long the launcher may take for its report once the user's container has ended.
    pub report: Duration,
    /// How long a report may still arrive when nothing of the Pod runs any more.
    pub settle: Duration,
    /// How long what the driver keeps in a namespace may take to follow the namespace's labels.
    pub settings: Duration,
    /// From the request to stop until the Pod is given up.
    pub stop: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            image: Duration::from_secs(5 * 60),
            pending: Duration::from_secs(60 * 60),
            start: Duration::from_secs(60 * 60),
            report: Duration::from_secs(3 * 60),
            settle: Duration::from_secs(10),
            settings: Duration::from_secs(20),
            stop: Duration::from_secs(90),
        }
    }
}

/// The attempt that a Pod is judged for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) attempt: AttemptRef,
    /// UID of the Pod, once it is known.
    pub(crate) uid: Option<String>,
}

/// What the watcher's own clock says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Elapsed {
    /// Since the Pod is in its present [`Stage`].
    pub(crate) in_stage: Duration,
    /// Since the attempt was to stop, if it was.
    pub(crate) stopping: Option<Duration>,
}

/// Parts of a Pod's life whose durations are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Gone,
    Unschedulable,
    Scheduling,
    ImageProblem,
    ContainerProblem,
    Starting,
    Running,
    Disrupted,
    Deleting,
    /// The user's container has ended, the launcher runs.
    Reporting,
    /// Nothing runs any more.
    Over,
}

/// What is to be done about an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing yet. `reason` is what it waits for, if it is anything but its own work; look again after `again`.
    Wait { reason: Option<String>, again: Option<Duration> },
    /// The launcher said how it ended. Of a success, the manifest is still to be verified.
    Reported(Box<PodReport>),
    /// It is gone without a word.
    Lost(Failure),
    /// It was stopped as asked.
    Terminated,
}

/// The part of its life that a Pod is in.
pub(crate) fn stage_of(pod: Option<&Pod>, expected: &Expected) -> Stage {
    match ours(pod, expected) {
        None => Stage::Gone,
        Some(view) => stage(&view),
    }
}

/// The verdict on an attempt.
pub(crate) fn classify(pod: Option<&Pod>, expected: &Expected, elapsed: Elapsed, limits: &Timeouts) -> Verdict {
    let Some(view) = ours(pod, expected) else { return gone(pod.is_some(), elapsed) };
    let report = report_of(&view, expected);
    let interrupted = match report {
        Ok(Some(report)) if is_final(&report, elapsed.stopping.is_some()) => {
            return Verdict::Reported(Box::new(report));
        }
        Ok(Some(PodReport { outcome: PodOutcome::Failed(failure), .. })) => Some(failure.message),
        Ok(_) => None,
        Err(reason) => Some(format!("its report cannot be read: {reason}")),
    };
    let stage = stage(&view);
    if let Some(stopping) = elapsed.stopping {
        if view.is_over() || stopping >= limits.stop {
            return Verdict::Terminated;
        }
        return wait(Some("is being stopped".to_owned()), Some(limits.stop.saturating_sub(stopping)));
    }
    match stage {
        Stage::Disrupted | Stage::Deleting | Stage::Reporting | Stage::Over => {
            ended(&view, stage, interrupted, elapsed.in_stage, limits)
        }
        // The kubelet's word on the end of the container is on its way.
        _ if interrupted.is_some() => {
            let reason = interrupted.unwrap_or_default();
            bounded(elapsed.in_stage, limits.settle, None, || lost(FailureCause::Infrastructure, reason))
        }
        _ => not_started(&view, stage, elapsed.in_stage, limits),
    }
}

/// The Pod, unless there is none or it is another of the same name.
fn ours<'a>(pod: Option<&'a Pod>, expected: &Expected) -> Option<View<'a>> {
    let view = View::new(pod?);
    let same = expected.uid.as_deref().is_none_or(|uid| view.uid() == Some(uid));
    same.then_some(view)
}

fn gone(replaced: bool, elapsed: Elapsed) -> Verdict {
    if elapsed.stopping.is_some() {
        return Verdict::Terminated;
    }
    let reason = match replaced {
        true => "the Pod is gone, and another has its name: somebody deleted it",
        false => "the Pod is gone: somebody deleted it, or its node is gone",
    };
    lost(FailureCause::Infrastructure, reason)
}

/// The report of this very attempt, if there is one.
pub(super) fn report_of(view: &View<'_>, expected: &Expected) -> Result<Option<PodReport>, String> {
    let Some(text) = view.annotation(keys::ANNOTATION_REPORT) else { return Ok(None) };
    if text.len() > keys::MAX_REPORT {
        return Err(format!("it has {} bytes, and {} are allowed", text.len(), keys::MAX_REPORT));
    }
    let report: PodReport = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if report.version != POD_REPORT_VERSION {
        return Err(format!("it has format {}, and {POD_REPORT_VERSION} is supported", report.version));
    }
    if report.attempt != expected.attempt || view.uid() != Some(report.pod_uid.as_str()) {
        return Err("it is about another attempt or Pod".to_owned());
    }
    Ok(Some(report))
}

/// A launcher that was told to stop, though nobody asked for that here, lost its Pod: what the Pod says decides.
fn is_final(report: &PodReport, stopping: bool) -> bool {
    match &report.outcome {
        PodOutcome::Succeeded { .. } => true,
        PodOutcome::Failed(failure) => match failure.cause {
            FailureCause::Interrupted => false,
            FailureCause::Canceled => stopping,
            _ => true,
        },
    }
}

fn stage(view: &View<'_>) -> Stage {
    let disrupted = view.disruption().is_some() || is_cluster_reason(view.reason());
    if view.is_over() {
        return Stage::Over;
    }
    if disrupted {
        return Stage::Disrupted;
    }
    if view.is_being_deleted() {
        return Stage::Deleting;
    }
    if view.main_end().is_some() {
        return if view.launcher_runs() { Stage::Reporting } else { Stage::Over };
    }
    if view.main_runs() {
        return Stage::Running;
    }
    if view.failed_init().is_some() {
        return Stage::Over;
    }
    match view.problem().map(|problem| problem.kind) {
        Some(ProblemKind::ImageName | ProblemKind::Image) => Stage::ImageProblem,
        Some(ProblemKind::Container) => Stage::ContainerProblem,
        None if view.is_scheduled() => Stage::Starting,
        None if view.unschedulable().is_some() => Stage::Unschedulable,
        None => Stage::Scheduling,
    }
}

fn is_cluster_reason(reason: &str) -> bool {
    CLUSTER_REASONS.contains(&reason) || reason.starts_with("OutOf")
}

/// The Pod ends, or has ended.
fn ended(view: &View<'_>, stage: Stage, interrupted: Option<String>, in_stage: Duration, limits: &Timeouts) -> Verdict {
    let limit = match stage {
        Stage::Disrupted | Stage::Deleting => Duration::from_secs(view.deletion_grace()).max(limits.settle) + CONFIRM,
        Stage::Reporting => limits.report,
        // The launcher has said its last word.
        _ if interrupted.is_some() => Duration::ZERO,
        _ => limits.settle,
    };
    let reason = match stage {
        Stage::Disrupted => Some(disruption(view)),
        Stage::Deleting => Some("the Pod is being deleted".to_owned()),
        _ => None,
    };
    bounded(in_stage, limit, reason, || Verdict::Lost(cause_of_end(view, stage, interrupted)))
}

fn disruption(view: &View<'_>) -> String {
    view.disruption().unwrap_or_else(|| with_message(view.reason(), view.message()))
}

/// The Pod has not come to its work yet, or is at it.
fn not_started(view: &View<'_>, stage: Stage, in_stage: Duration, limits: &Timeouts) -> Verdict {
    match stage {
        Stage::ImageProblem | Stage::ContainerProblem => {
            let Some(problem) = view.problem() else { return wait(None, Some(limits.settle)) };
            let limit = match problem.kind {
                ProblemKind::ImageName => Duration::ZERO,
                ProblemKind::Image => limits.image,
                ProblemKind::Container => limits.start.min(limits.image),
            };
            let text = problem.text.clone();
            bounded(in_stage, limit, Some(problem.text), || {
                lost(FailureCause::Refused, format!("{text}{}", after(limit)))
            })
        }
        Stage::Unschedulable => {
            let text = view.unschedulable().unwrap_or_default();
            bounded(in_stage, limits.pending, Some(text.clone()), || {
                lost(FailureCause::Refused, format!("no node takes the Pod{}: {text}", after(limits.pending)))
            })
        }
        Stage::Scheduling => bounded(in_stage, limits.pending, Some("waits for the scheduler".to_owned()), || {
            lost(FailureCause::Refused, format!("the scheduler does not take up the Pod{}", after(limits.pending)))
        }),
        Stage::Starting => {
            let text = view.waits_for();
            bounded(in_stage, limits.start, text.clone(), || {
                let why = text.unwrap_or_else(|| in_words(view));
                lost(FailureCause::Infrastructure, format!("the Pod does not start{}: {why}", after(limits.start)))
            })
        }
        _ => wait(None, None),
    }
}

fn in_words(view: &View<'_>) -> String {
    let phase = if view.phase().is_empty() { "no phase" } else { view.phase() };
    let word = with_message(view.reason(), view.message());
    if word.is_empty() { format!("phase {}", shorten(phase)) } else { format!("phase {}, {word}", shorten(phase)) }
}

fn after(limit: Duration) -> String {
    if limit.is_zero() { String::new() } else { format!(", for {} s", limit.as_secs()) }
}

fn wait(reason: Option<String>, again: Option<Duration>) -> Verdict {
    Verdict::Wait { reason, again }
}

fn lost(cause: FailureCause, message: impl Into<String>) -> Verdict {
    Verdict::Lost(failure(cause, message))
}

/// Waits until a limit, and then gives the verdict.
fn bounded(elapsed: Duration, limit: Duration, reason: Option<String>, verdict: impl FnOnce() -> Verdict) -> Verdict {
    match limit.checked_sub(elapsed).filter(|left| !left.is_zero()) {
        Some(left) => wait(reason, Some(left)),
        None => verdict(),
    }
}

#[cfg(test)]
mod tests;
