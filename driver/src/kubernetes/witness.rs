//! The container's status, which arrives after the report, as a second look at how an attempt ended (R5). A contradiction
//! is recorded, counted and shown, and changes nothing: the launcher saw the process end, the kubelet only the container.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use penstock_metastore::{Remark, RemarkKind};
use penstock_spec::Timestamp;
use penstock_spec::pod::{PodOutcome, PodReport};
use penstock_spec::report::FailureCause;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::classify::{Expected, report_of};
use super::run::RunPods;
use super::view::{View, shorten};
use super::watch::{Sighting, Subscription};

/// Longest wait for the end of a container whose attempt has ended, beyond the grace period of its Pod.
const STATUS_LIMIT: Duration = Duration::from_secs(120);
/// Exit codes by which containers end that are stopped with their Pod: SIGKILL and SIGTERM.
const CODES_OF_STOPS: [i32; 2] = [137, 143];

/// What the status of a container says to the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Nothing yet.
    NothingYet,
    /// Nothing else, or nothing at all.
    Agrees,
    /// It contradicts it.
    Contradicts(String),
}

/// Compares a Pod's report with the status of its container.
pub(crate) fn compare(pod: &Pod, expected: &Expected) -> Comparison {
    let view = View::new(pod);
    let Ok(Some(report)) = report_of(&view, expected) else { return Comparison::Agrees };
    let Some(end) = view.main_end() else {
        return if view.is_over() { Comparison::Agrees } else { Comparison::NothingYet };
    };
    let may_be_stopped = view.is_being_deleted() || view.disruption().is_some();
    contradiction(&report, end, may_be_stopped).map_or(Comparison::Agrees, Comparison::Contradicts)
}

/// The entry ends as the user's process did, and never with 0 when the attempt failed.
fn contradiction(report: &PodReport, end: &ContainerStateTerminated, may_be_stopped: bool) -> Option<String> {
    let reason = end.reason.as_deref().unwrap_or_default();
    let out_of_memory = reason == "OOMKilled";
    // The kubelet does not know how it ended, or has ended it itself.
    let says_nothing = reason == "ContainerStatusUnknown"
        || (may_be_stopped && !out_of_memory && CODES_OF_STOPS.contains(&end.exit_code));
    if says_nothing {
        return None;
    }
    let word = if reason.is_empty() { String::new() } else { format!(" ({})", shorten(reason)) };
    let status = format!("the status of container main says exit code {}{word}", end.exit_code);
    match &report.outcome {
        PodOutcome::Succeeded { .. } if end.exit_code != 0 || out_of_memory => {
            Some(format!("the launcher reported success, and {status}"))
        }
        PodOutcome::Succeeded { .. } => None,
        PodOutcome::Failed(failure) if end.exit_code == 0 && failure.cause != FailureCause::Interrupted => {
            Some(format!("the launcher reported a failure ({}), and {status}", failure.message))
        }
        PodOutcome::Failed(failure) if failure.cause == FailureCause::User && !out_of_memory => {
            let reported = report.exit_code.filter(|code| code & 0xff != end.exit_code)?;
            Some(format!("the launcher reported exit code {reported}, and {status}"))
        }
        PodOutcome::Failed(_) => None,
    }
}

/// One word for metrics: what was reported.
fn reported(pod: &Pod, expected: &Expected) -> &'static str {
    match report_of(&View::new(pod), expected) {
        Ok(Some(PodReport { outcome: PodOutcome::Succeeded { .. }, .. })) => "succeeded",
        _ => "failed",
    }
}

/// Waits for the status of the container of an attempt that has reported.
pub(super) struct Witness {
    pub(super) shared: Arc<RunPods>,
    pub(super) expected: Expected,
    pub(super) subscription: Subscription,
    pub(super) pod: String,
    pub(super) task_path: String,
}

impl Witness {
    /// Compares, once there is something to compare with. Returns when there is, when the Pod is gone, or after a bound.
    pub(super) async fn look(mut self) {
        let until = Instant::now() + STATUS_LIMIT;
        loop {
            let (pod, is_last) = match self.subscription.latest() {
                Sighting::Seen(pod) => (Some(pod), false),
                Sighting::Missing(last) => (last, true),
                Sighting::Unseen => (None, false),
            };
            let pod = pod.filter(|pod| pod.metadata.uid == self.expected.uid);
            match pod.as_deref().map(|pod| (pod, compare(pod, &self.expected))) {
                Some((pod, Comparison::Contradicts(text))) => return self.record(pod, text).await,
                Some((_, Comparison::Agrees)) => return,
                None if is_last => return,
                Some((_, Comparison::NothingYet)) | None => {}
            }
            if is_last || tokio::time::timeout_at(until, self.subscription.changed()).await.is_err() {
                debug!(pod = self.pod, "the status of a container whose launcher has reported did not arrive");
                return;
            }
        }
    }

    async fn record(&self, pod: &Pod, text: String) {
        let attempt = &self.expected.attempt;
        self.shared.host.metrics.contradicted(reported(pod, &self.expected));
        warn!(
            run.id = %attempt.run_id,
            task.path = self.task_path,
            attempt = attempt.attempt + 1,
            pod = self.pod,
            contradiction = text,
            "a report and the status of its container contradict each other; the report counts"
        );
        let subject = format!("{}, attempt {}", self.task_path, attempt.attempt.saturating_add(1));
        let remark = Remark { kind: RemarkKind::Contradiction, subject, at: Timestamp::now(), text };
        if let Err(error) = self.shared.metastore.put_remark(attempt.run_id, remark).await {
            warn!(run.id = %attempt.run_id, error = crate::error::chain(&error), "a contradiction could not be recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use penstock_launcher::report::failure;
    use penstock_spec::keys;
    use penstock_spec::pod::{POD_REPORT_VERSION, Phases};
    use penstock_spec::report::AttemptRef;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn expected() -> Expected {
        let attempt = AttemptRef { run_id: Uuid::from_u128(1), task_id: Uuid::from_u128(2), attempt: 0 };
        Expected { attempt, uid: Some("u".to_owned()) }
    }

    fn succeeded() -> (PodOutcome, Option<i32>) {
        (PodOutcome::Succeeded { manifest_digest: "sha256:0".to_owned() }, Some(0))
    }

    fn failed(cause: FailureCause, exit_code: Option<i32>) -> (PodOutcome, Option<i32>) {
        (PodOutcome::Failed(failure(cause, "no")), exit_code)
    }

    /// A Pod with a report, the end of its container, and marks of a deletion.
    fn pod((outcome, exit_code): (PodOutcome, Option<i32>), terminated: &Value, going: bool) -> Pod {
        let report = PodReport {
            version: POD_REPORT_VERSION,
            pod_uid: "u".to_owned(),
            attempt: expected().attempt,
            outcome,
            exit_code,
            log_uri: None,
            phases: Phases::default(),
            timings: None,
        };
        let report = serde_json::to_string(&report).expect("a report");
        let state = if terminated.is_null() { json!({"running": {}}) } else { json!({"terminated": terminated}) };
        let status =
            json!({"name": "main", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        let mut pod = json!({
            "metadata": {"name": "p", "uid": "u", "annotations": {keys::ANNOTATION_REPORT: report}},
            "spec": {"nodeName": "n", "containers": []},
            "status": {"phase": "Running", "containerStatuses": [status]},
        });
        if going {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(60);
        }
        serde_json::from_value(pod).expect("a Pod")
    }

    fn exit(code: i32, reason: &str) -> Value {
        json!({"exitCode": code, "reason": reason})
    }

    #[test]
    fn r5_status_that_contradicts_the_report_is_told() {
        let user = |code| failed(FailureCause::User, Some(code));
        for (reported, end, part) in [
            (
                succeeded(),
                exit(1, "Error"),
                "reported success, and the status of container main says exit code 1 (Error)",
            ),
            (succeeded(), exit(137, "OOMKilled"), "OOMKilled"),
            (user(3), exit(0, "Completed"), "reported a failure (no)"),
            (failed(FailureCause::Output, Some(0)), exit(0, "Completed"), "exit code 0 (Completed)"),
            (user(3), exit(5, "Error"), "reported exit code 3, and"),
        ] {
            match compare(&pod(reported, &end, false), &expected()) {
                Comparison::Contradicts(text) => assert!(text.contains(part), "{text}"),
                other => panic!("{part}: {other:?}"),
            }
        }
    }

    #[test]
    fn r5_status_that_agrees_or_knows_nothing_is_no_contradiction() {
        let user = |code| failed(FailureCause::User, Some(code));
        for (reported, end, going) in [
            (succeeded(), exit(0, "Completed"), false),
            (user(3), exit(3, "Error"), false),
            (user(-1), exit(255, "Error"), false),
            (user(137), exit(137, "OOMKilled"), false),
            (failed(FailureCause::Output, Some(0)), exit(125, "Error"), false),
            (failed(FailureCause::Timeout, Some(143)), exit(143, "Error"), false),
            // Deleted after the report: the grace period is over before the launcher has let it go.
            (succeeded(), exit(137, "Error"), true),
            (user(3), exit(137, "Error"), true),
            (succeeded(), exit(137, "ContainerStatusUnknown"), false),
        ] {
            let pod = pod(reported, &end, going);
            assert_eq!(compare(&pod, &expected()), Comparison::Agrees, "{pod:?}");
        }
        assert_eq!(compare(&pod(succeeded(), &Value::Null, false), &expected()), Comparison::NothingYet);
        let other = Expected { uid: Some("v".to_owned()), ..expected() };
        let stranger = pod(succeeded(), &exit(1, "Error"), false);
        let renamed = Expected { attempt: AttemptRef { attempt: 1, ..other.attempt.clone() }, ..other };
        assert_eq!(compare(&stranger, &renamed), Comparison::Agrees, "it is about another attempt");
    }
}
