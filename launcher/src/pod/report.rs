//! The report as it goes on the Pod.

use penstock_spec::keys;
use penstock_spec::pod::{POD_REPORT_VERSION, Phases, PodOutcome, PodReport};
use penstock_spec::report::{AttemptRef, Failure, FailureCause};
use penstock_spec::timings::Timings;

use super::machine::Conclusion;

/// Builds the report of an attempt.
pub fn build(
    pod_uid: &str,
    attempt: AttemptRef,
    conclusion: &Conclusion,
    phases: Phases,
    timings: Timings,
) -> PodReport {
    let outcome = match (&conclusion.failure, &conclusion.manifest_digest) {
        (None, Some(digest)) => PodOutcome::Succeeded { manifest_digest: digest.clone() },
        (Some(failure), _) => PodOutcome::Failed(failure.clone()),
        (None, None) => PodOutcome::Failed(Failure {
            cause: FailureCause::Infrastructure,
            message: "the attempt ended without a manifest".to_owned(),
        }),
    };
    PodReport {
        version: POD_REPORT_VERSION,
        pod_uid: pod_uid.to_owned(),
        attempt,
        outcome,
        exit_code: conclusion.exit_code,
        log_uri: conclusion.log_uri.clone(),
        phases,
        timings: timings.known(),
    }
}

/// The report as text of at most [`keys::MAX_REPORT`] bytes; a message that is too long loses its end.
pub fn encode(report: &PodReport) -> String {
    encode_within(report, keys::MAX_REPORT)
}

/// The report as text of at most `limit` bytes, if anything can be cut from it at all.
pub fn encode_within(report: &PodReport, limit: usize) -> String {
    let mut report = report.clone();
    loop {
        let text = serde_json::to_string(&report).unwrap_or_default();
        let PodOutcome::Failed(failure) = &mut report.outcome else { return text };
        if text.len() <= limit || failure.message.is_empty() {
            return text;
        }
        // Escapes make a message longer in JSON than it is, so this may take a few rounds.
        let excess = text.len() - limit;
        let mut keep = failure.message.len().saturating_sub(excess.div_ceil(6).max(8));
        while !failure.message.is_char_boundary(keep) {
            keep -= 1;
        }
        failure.message.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn report(message: &str) -> PodReport {
        let attempt = AttemptRef { run_id: Uuid::nil(), task_id: Uuid::nil(), attempt: 3 };
        let failure = Failure { cause: FailureCause::User, message: message.to_owned() };
        let conclusion = Conclusion {
            failure: Some(failure),
            manifest_digest: None,
            exit_code: Some(1),
            log_uri: Some("s3://bucket/log".to_owned()),
        };
        build("uid", attempt, &conclusion, Phases::default(), Timings::default())
    }

    #[test]
    fn long_messages_are_cut_to_what_an_annotation_may_hold() {
        for message in ["x".repeat(100_000), "\u{1}".repeat(9_000), "ü\"\n".repeat(9_000), String::new()] {
            let text = encode(&report(&message));
            assert!(text.len() <= keys::MAX_REPORT, "{}", text.len());
            let read: PodReport = serde_json::from_str(&text).expect("it is a report");
            let PodOutcome::Failed(failure) = read.outcome else { panic!("it failed") };
            assert!(message.starts_with(&failure.message));
            assert!(message.len() < 100 || text.len() > keys::MAX_REPORT - 200, "{}", text.len());
        }
        assert!(encode_within(&report(&"x".repeat(3_000)), 700).len() <= 700);
    }
}
