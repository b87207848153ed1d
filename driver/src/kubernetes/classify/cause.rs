//! Why a Pod ended, as far as the Pod itself says so.

use k8s_openapi::api::core::v1::ContainerStateTerminated;
use penstock_launcher::report::failure;
use penstock_spec::report::{Failure, FailureCause};

use super::{Stage, disruption, in_words, is_cluster_reason};
use crate::kubernetes::view::{View, with_message};

/// Exit code of the entry when the attempt failed for a reason that is not the user's process.
const EXIT_LAUNCHER_FAILED: i32 = 125;

/// Why a Pod ended that has no final report.
pub(super) fn cause_of_end(view: &View<'_>, stage: Stage, interrupted: Option<String>) -> Failure {
    if view.disruption().is_some() || is_cluster_reason(view.reason()) {
        return disrupted(view);
    }
    if view.reason() == "DeadlineExceeded" {
        let message = "the attempt took longer than its timeout: the Pod's deadline passed";
        return failure(FailureCause::Timeout, message);
    }
    let end = view.main_end();
    let out_of_memory = end.is_some_and(|end| end.reason.as_deref() == Some("OOMKilled"));
    if view.is_being_deleted() && !out_of_memory {
        let message = match stage {
            Stage::Deleting => "the Pod was deleted, and its node does not confirm that it is gone",
            _ => "the Pod was deleted while the attempt was under way",
        };
        return failure(FailureCause::Infrastructure, message);
    }
    match (end, view.failed_init()) {
        (Some(end), _) => main_ended(end, interrupted),
        (None, Some((name, end))) if !view.main_started() => init_ended(name, end),
        (None, _) => {
            failure(FailureCause::Infrastructure, format!("the Pod ended without a report: {}", in_words(view)))
        }
    }
}

/// The cluster ended the Pod. One that never started lost nothing. A limit on storage is the author's own.
fn disrupted(view: &View<'_>) -> Failure {
    let text = disruption(view);
    let own_limit = [
        "exceeded its local ephemeral storage limit",
        "exceeds the total limit of containers",
        "Usage of EmptyDir volume",
    ];
    if view.reason() == "Evicted" && own_limit.iter().any(|part| view.message().contains(part)) {
        return failure(FailureCause::User, format!("the Pod used more storage than it may: {text}"));
    }
    match view.disruption() {
        Some(_) if !view.main_started() => {
            failure(FailureCause::Interrupted, format!("the Pod was taken away before it started: {text}"))
        }
        _ => failure(FailureCause::Infrastructure, format!("the cluster ended the Pod: {text}")),
    }
}

/// An init container of the author's ended badly, so that the user's container never starts.
fn init_ended(name: &str, end: &ContainerStateTerminated) -> Failure {
    let reason = end.reason.as_deref().unwrap_or_default();
    let word = with_message(reason, end.message.as_deref().unwrap_or_default());
    if matches!(reason, "StartError" | "ContainerCannotRun") {
        return failure(FailureCause::Refused, format!("init container {name} cannot be started: {word}"));
    }
    let text = format!("init container {name} ended with exit code {}, before the task: {word}", end.exit_code);
    failure(FailureCause::User, text)
}

fn main_ended(end: &ContainerStateTerminated, interrupted: Option<String>) -> Failure {
    let reason = end.reason.as_deref().unwrap_or_default();
    let message = end.message.as_deref().unwrap_or_default();
    let word = with_message(reason, message);
    if reason == "OOMKilled" {
        let text = "container main was OOMKilled: it needs more memory than its limit allows";
        return failure(FailureCause::User, text);
    }
    if matches!(reason, "StartError" | "ContainerCannotRun") {
        return failure(FailureCause::Refused, format!("container main cannot be started: {word}"));
    }
    match end.exit_code {
        0 => {
            let why = interrupted.unwrap_or_else(|| "its launcher sent no report".to_owned());
            failure(FailureCause::Infrastructure, format!("container main ended with 0, and {why}"))
        }
        EXIT_LAUNCHER_FAILED => {
            let text = format!("the launcher could not carry out the attempt, and sent no report: {word}");
            failure(FailureCause::Infrastructure, text)
        }
        code @ (126 | 127) => {
            let what = if code == 126 { "cannot be executed" } else { "is not there" };
            let text = format!("container main ended with exit code {code}: normally its program {what}: {word}");
            failure(FailureCause::User, text)
        }
        code => failure(FailureCause::User, format!("container main ended with exit code {code}: {word}")),
    }
}
