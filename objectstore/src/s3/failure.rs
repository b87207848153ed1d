//! What an error of the SDK means to us, in words.

use std::{error::Error, sync::Arc};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStreamError,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, retries::ErrorKind as RetryErrorKind};

use super::keys::KeyStanding;
use crate::error::{ErrorKind, StoreError};

/// Longest text that a server may put into our messages.
const MAX_MESSAGE: usize = 300;

/// What was attempted on what.
pub(super) struct Attempt {
    pub(super) operation: &'static str,
    pub(super) object: String,
    /// How the store takes our keys, where they may change.
    pub(super) standing: Option<Arc<KeyStanding>>,
}

impl Attempt {
    /// The error for a request that failed.
    pub(super) fn failure<E>(&self, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let (kind, reason) = match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let reason = describe(status, error.code(), error.message());
                match &self.standing {
                    Some(standing) if standing.may_be_replaced(error.code()) => (
                        ErrorKind::Unavailable,
                        format!("{reason}; these keys worked before, and no others are here yet"),
                    ),
                    _ => (classify(status, error.code()), reason),
                }
            }
            SdkError::TimeoutError(_) => (ErrorKind::Unavailable, "no answer in time".to_owned()),
            SdkError::ResponseError(response) => {
                let status = response.raw().status().as_u16();
                (ErrorKind::Unavailable, format!("the answer (status {status}) is not what S3 sends"))
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                (ErrorKind::Unavailable, format!("no connection in time: {}", chain(error)))
            }
            SdkError::DispatchFailure(failure) if failure.is_io() => not_reached(&chain(error)),
            // The connection ended before the answer, as at a balancer whose servers are away.
            SdkError::DispatchFailure(failure) if failure.as_other() == Some(RetryErrorKind::TransientError) => {
                (ErrorKind::Unavailable, chain(error))
            }
            SdkError::DispatchFailure(failure) if failure.is_user() => (ErrorKind::Invalid, chain(error)),
            // Mostly that no credentials were found, or their source did not answer.
            _ => (kind_of_chain(error), with_advice(chain(error))),
        };
        StoreError::new(kind, self.operation, self.object.clone(), reason).with_code(code)
    }

    /// The error for a body that broke off.
    pub(super) fn broken_body(&self, error: &ByteStreamError) -> StoreError {
        let reason = format!("the body broke off: {}", chain(error));
        StoreError::new(ErrorKind::Incomplete, self.operation, self.object.clone(), reason)
    }
}

/// No connection. That a certificate is not trusted does not change by trying again.
fn not_reached(causes: &str) -> (ErrorKind, String) {
    match causes.contains("invalid peer certificate") {
        true => {
            let advice = "name the file with the certificate of its authority (--s3-ca-file)";
            (ErrorKind::Invalid, format!("the server's certificate is not accepted: {causes}; {advice}"))
        }
        false => (ErrorKind::Unavailable, format!("the server was not reached: {causes}")),
    }
}

fn with_advice(causes: String) -> String {
    // The last place that is asked is the machine's own service, so what is told is that it did not answer.
    match causes.contains("no credentials found") || causes.contains("IMDS") {
        true => {
            let advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give some in another of the standard AWS places \
                          (a profile, web identity, ...), or ask without any (--s3-anonymous)";
            format!("there are no credentials: {advice}; {causes}")
        }
        false => causes,
    }
}

fn classify(status: u16, code: Option<&str>) -> ErrorKind {
    match code {
        Some("NoSuchKey" | "NoSuchBucket" | "NoSuchUpload" | "NotFound") => return ErrorKind::NotFound,
        // The SDK corrects the clock by the server's date (F-31) and signs with fresh credentials (F-26) on a retry.
        Some(
            "SlowDown"
            | "RequestTimeout"
            | "InternalError"
            | "ServiceUnavailable"
            | "RequestTimeTooSkewed"
            | "ExpiredToken"
            | "ThrottlingException"
            | "Throttling"
            | "BadDigest"
            | "IncompleteBody",
        ) => return ErrorKind::Unavailable,
        Some("AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken") => {
            return ErrorKind::Denied;
        }
        _ => {}
    }
    match status {
        404 => ErrorKind::NotFound,
        401 | 403 => ErrorKind::Denied,
        409 | 412 => ErrorKind::Conflict,
        507 => ErrorKind::Full,
        // 2xx: an error inside a good answer (F-25).
        200..=299 | 408 | 425 | 429 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

fn describe(status: u16, code: Option<&str>, message: Option<&str>) -> String {
    let mut text = match code {
        Some(code) => format!("{} (status {status})", clean(code)),
        None => format!("status {status}"),
    };
    let hint = match code {
        Some("NoSuchBucket") => Some("create the bucket or correct its name"),
        Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
            Some("the bucket is in another region; set the region")
        }
        None if status == 301 || status == 307 => Some("the bucket is in another region or at another endpoint"),
        _ => None,
    };
    for part in [message.map(clean).as_deref(), hint].into_iter().flatten().filter(|part| !part.is_empty()) {
        text.push_str(": ");
        text.push_str(part);
    }
    text
}

/// Text of a server, short and on one line.
fn clean(text: &str) -> String {
    text.trim().chars().take(MAX_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The chain of an error, on one line. The SDK's errors name hosts and causes, never keys.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = Some(error);
    while let Some(error) = at {
        let text = clean(&error.to_string());
        // Wrappers like to repeat what is inside of them.
        if !text.is_empty() && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        at = error.source();
    }
    parts.join(": ")
}

/// Whether an input/output error is at the bottom: then another try may help.
fn kind_of_chain(error: &(dyn Error + 'static)) -> ErrorKind {
    let mut at = Some(error);
    while let Some(error) = at {
        if error.is::<std::io::Error>() {
            return ErrorKind::Unavailable;
        }
        at = error.source();
    }
    ErrorKind::Denied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_statuses() {
        for (status, code, kind) in [
            (404, Some("NoSuchBucket"), ErrorKind::NotFound),
            (404, None, ErrorKind::NotFound),
            (403, Some("AccessDenied"), ErrorKind::Denied),
            (403, Some("RequestTimeTooSkewed"), ErrorKind::Unavailable),
            (400, Some("ExpiredToken"), ErrorKind::Unavailable),
            (200, Some("InternalError"), ErrorKind::Unavailable),
            (503, Some("SlowDown"), ErrorKind::Unavailable),
            (503, None, ErrorKind::Unavailable),
            (429, None, ErrorKind::Unavailable),
            (301, Some("PermanentRedirect"), ErrorKind::Invalid),
            (412, None, ErrorKind::Conflict),
        ] {
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn missing_trust_and_credentials_come_with_the_flag_that_helps() {
        let (kind, reason) = not_reached("client error (Connect): invalid peer certificate: UnknownIssuer");
        assert!(kind == ErrorKind::Invalid && reason.contains("--s3-ca-file"), "{kind:?} {reason}");
        assert_eq!(not_reached("connection refused").0, ErrorKind::Unavailable);
        let reason = with_advice("other: no credentials found in chain".to_owned());
        assert!(reason.contains("--s3-anonymous"), "{reason}");
        assert_eq!(with_advice("other".to_owned()), "other");
    }

    #[test]
    fn texts_of_servers_are_cut_and_made_inert() {
        let text = describe(500, Some("Bad\nCode\u{1b}"), Some(&"x".repeat(10_000)));
        assert!(text.len() < 400 && !text.contains(['\n', '\u{1b}']), "{text}");
    }
}
