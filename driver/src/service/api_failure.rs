//! Requests to the API server: each with a deadline, and with an error that says what was attempted and what the server
//! answered.

use std::future::Future;
use std::time::Duration;

use thiserror::Error;

use crate::error::chain;

/// A request to the API server that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot {what}: {reason}")]
pub struct ApiFailure {
    what: String,
    reason: String,
    code: Option<u16>,
    retry_after: Option<Duration>,
}

impl ApiFailure {
    /// A failure that no answer of the server caused.
    pub(crate) fn new(what: impl Into<String>, reason: impl Into<String>) -> ApiFailure {
        ApiFailure { what: what.into(), reason: reason.into(), code: None, retry_after: None }
    }

    fn of(what: String, error: &kube::Error) -> ApiFailure {
        let mut failure = ApiFailure::new(what, answer_text(error));
        if let kube::Error::Api(status) = error {
            let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            failure.code = Some(status.code);
            failure.retry_after = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        }
        failure
    }

    /// HTTP status of the answer, if there was one.
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// What the API server said, or why it said nothing.
pub(crate) fn answer_text(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the API server answers {}: {}", status.code, status.message),
        other => chain(other),
    }
}

/// Waits for the answer to a request, but not for ever.
pub(crate) async fn request<T>(
    limit: Duration,
    what: impl Fn() -> String,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiFailure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| ApiFailure::of(what(), &error)),
        Err(_) => Err(ApiFailure::new(what(), format!("no answer of the API server for {} s", limit.as_secs_f64()))),
    }
}
