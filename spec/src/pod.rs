//! What travels on a task's Pod: where a large plan is, how an attempt ended, and the Pod's name.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::report::{AttemptRef, Failure};
use crate::timings::Timings;

/// Version of the report's format that this build writes.
pub const POD_REPORT_VERSION: u32 = 1;

/// Where a plan is that is too large for an annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRef {
    /// Object with the plan as JSON.
    pub uri: String,
    /// Its digest, `sha256:<hex>`.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

/// How an attempt ended, as its launcher says on the Pod. Outputs are not in it: they are in the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodReport {
    /// Format, [`POD_REPORT_VERSION`].
    pub version: u32,
    /// UID of the Pod that reports.
    pub pod_uid: String,
    /// The attempt.
    pub attempt: AttemptRef,
    /// The end.
    pub outcome: PodOutcome,
    /// Exit code of the user's process, if it ran to an end; 128 and the signal's number when a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// URI of the stored log, if one was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_uri: Option<String>,
    /// How long each step took.
    #[serde(default)]
    pub phases: Phases,
    /// When the attempt came to each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Box<Timings>>,
}

/// The two ways to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PodOutcome {
    /// All outputs and the manifest are stored.
    #[serde(rename_all = "camelCase")]
    Succeeded {
        /// Digest of the manifest, `sha256:<hex>`.
        manifest_digest: String,
    },
    /// The attempt failed.
    Failed(Failure),
}

/// Durations of an attempt's steps in milliseconds, by the launcher's monotonic clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Phases {
    /// From the launcher's start until inputs were there.
    pub inputs_ms: u64,
    /// From then until the user's process started: the image was pulled, the container was made.
    pub waiting_ms: u64,
    /// The user's process.
    pub running_ms: u64,
    /// Outputs, log and manifest.
    pub outputs_ms: u64,
}

/// Name of the Pod of an attempt: deterministic, and a DNS label. `pipeline` and `task` make it readable; the ids make it
/// unique.
pub fn pod_name(run_name: &str, task_key: &str, task: Uuid, attempt: u32) -> String {
    // With the id, three hyphens and the longest attempt, these make 63 characters.
    const RUN: usize = 22;
    const KEY: usize = 16;
    let id = task.simple().to_string();
    let run = dns_part(run_name, RUN);
    let key = dns_part(task_key, KEY);
    format!("{run}-{key}-{}-{attempt}", &id[..12])
}

/// The beginning of a text as a part of a DNS label.
fn dns_part(text: &str, length: usize) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let part: String = plain.take(length).collect();
    let part = part.trim_matches('-');
    if part.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return part.to_owned();
    }
    let mut part = format!("x{part}");
    part.truncate(length);
    part.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i07_names_of_pods_are_dns_labels_whatever_the_task_is_called() {
        let task = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        for (run, key) in [
            ("hello-x7f2a", "train"),
            ("", ""),
            ("--", "Ünïcödé"),
            ("0run", "a_b.c"),
            (&*"0".repeat(300), &*"1".repeat(300)),
            (&*"r".repeat(300), &*"t".repeat(300)),
        ] {
            let name = pod_name(run, key, task, u32::MAX);
            assert!(name.len() <= 63, "{name}");
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            assert!(name.contains("123456789abc"), "{name}");
        }
        assert_eq!(pod_name("hello-x7f2a", "train", task, 1), "hello-x7f2a-train-123456789abc-1");
    }
}
