//! The end of an attempt: its manifest, its report, and taking up an attempt whose report was lost.

use std::error::Error;

use penstock_objectstore::Transfer;
use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::manifest::{MANIFEST_VERSION, Manifest};
use penstock_spec::plan::Plan;
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report, TaskOutputs};
use penstock_spec::value::to_json;

use crate::host::HostContext;

/// The most bytes that a manifest may have.
const MAX_MANIFEST: u64 = 256 << 20;
/// The most bytes of a failure's message.
const MAX_MESSAGE: usize = 4096;

/// Names the attempt that a plan is for.
pub fn attempt_of(plan: &Plan) -> AttemptRef {
    AttemptRef { run_id: plan.run.id, task_id: plan.task.id, attempt: plan.task.attempt }
}

/// An error and all that it came from, in one line.
pub fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some errors print their source themselves.
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

/// A failure, its message bounded.
pub fn failure(cause: FailureCause, message: impl Into<String>) -> Failure {
    let mut message = message.into();
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    Failure { cause, message }
}

/// The manifest of an attempt that ended well.
pub fn manifest(plan: &Plan, exit_code: i32, outputs: TaskOutputs, ran_on_host: bool) -> Manifest {
    Manifest { version: MANIFEST_VERSION, attempt: attempt_of(plan), exit_code, outputs, ran_on_host }
}

/// A manifest's bytes and their digest.
pub fn encode(manifest: &Manifest) -> (Vec<u8>, String) {
    let bytes = to_json(manifest).into_bytes();
    let digest = format_digest(&digest_of(&bytes));
    (bytes, digest)
}

/// Reads a manifest's bytes as the manifest of the attempt that a plan is for. An error is the reason why it is not.
pub fn decode(plan: &Plan, bytes: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if manifest.version != MANIFEST_VERSION {
        return Err(format!("it has format {}, and {MANIFEST_VERSION} is supported", manifest.version));
    }
    if manifest.attempt != attempt_of(plan) {
        return Err("it belongs to another attempt".to_owned());
    }
    Ok(manifest)
}

/// The report that a manifest stands for.
pub fn succeeded(manifest: Manifest, digest: String, log_uri: Option<String>) -> Report {
    Report {
        attempt: manifest.attempt,
        outcome: Outcome::Succeeded(manifest.outputs),
        exit_code: Some(manifest.exit_code),
        log_uri,
        manifest_digest: Some(digest),
        ran_on_host: manifest.ran_on_host,
        timings: None,
    }
}

/// Takes up an attempt that was started earlier: the report that its manifest stands for, if a whole manifest of this
/// very attempt is stored. Everything that it lists was stored before it.
pub async fn adopt(plan: &Plan, host: &HostContext) -> Option<Report> {
    adopt_from(plan, &host.transfer).await
}

/// [`adopt`] without a host.
pub async fn adopt_from(plan: &Plan, transfer: &Transfer) -> Option<Report> {
    let uri = plan.manifest_uri();
    let bytes = match transfer.get_bytes(&uri, MAX_MANIFEST).await {
        Ok(bytes) => bytes?,
        Err(error) => {
            tracing::warn!(task.path = %plan.task.path, "cannot read manifest {uri}: {}", describe(&error));
            return None;
        }
    };
    match decode(plan, &bytes) {
        Ok(manifest) => {
            // The log is stored before the manifest, or could not be stored at all; a missing one shows as such.
            Some(succeeded(manifest, format_digest(&digest_of(&bytes)), Some(plan.log_uri())))
        }
        Err(reason) => {
            tracing::warn!(task.path = %plan.task.path, "manifest {uri} is not taken up: {reason}");
            None
        }
    }
}
