//! What a failed request to the API server means. Pure.

use std::time::Duration;

use kube::core::Status;

use super::view::shorten;

/// What a failed request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// There is no such object.
    NotFound,
    /// An object of this name exists.
    AlreadyExists,
    /// The object is another than the request is about, or has changed.
    Conflict(String),
    /// Another try may succeed.
    Passing {
        /// Why it failed.
        reason: String,
        /// What the server asks for.
        retry_after: Option<Duration>,
    },
    /// Another try would meet the same.
    Final(String),
}

impl RequestError {
    /// One word for metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            RequestError::NotFound => "not_found",
            RequestError::AlreadyExists => "already_exists",
            RequestError::Conflict(_) => "conflict",
            RequestError::Passing { .. } => "passing",
            RequestError::Final(_) => "refused",
        }
    }

    /// The reason, for people.
    pub(crate) fn reason(&self) -> String {
        match self {
            RequestError::NotFound => "it is not there".to_owned(),
            RequestError::AlreadyExists => "it exists already".to_owned(),
            RequestError::Conflict(reason) | RequestError::Final(reason) | RequestError::Passing { reason, .. } => {
                reason.clone()
            }
        }
    }
}

impl From<kube::Error> for RequestError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => of_status(&status),
            error @ kube::Error::BuildRequest(_) => RequestError::Final(crate::error::chain(&error)),
            // Whether the request took effect is not known.
            error => passing(&crate::error::chain(&error)),
        }
    }
}

fn passing(reason: &str) -> RequestError {
    RequestError::Passing { reason: shorten(reason), retry_after: None }
}

/// What an answer of the API server means.
pub(crate) fn of_status(status: &Status) -> RequestError {
    let text = match status.message.is_empty() {
        true => format!("the API server answered {} {}", status.code, status.reason),
        false => status.message.clone(),
    };
    match status.code {
        404 => match is_namespace(status) {
            true => RequestError::Final(shorten(&text)),
            false => RequestError::NotFound,
        },
        409 if status.reason == "AlreadyExists" => RequestError::AlreadyExists,
        409 => RequestError::Conflict(shorten(&text)),
        // The quota may free up, and the account is on its way.
        403 if text.contains("exceeded quota") || text.contains("error looking up service account") => passing(&text),
        500.. if text.contains("too large") => RequestError::Final(shorten(&text)),
        401 | 408 | 429 | 500.. => {
            let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            let retry_after = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
            RequestError::Passing { reason: shorten(&text), retry_after }
        }
        _ => RequestError::Final(shorten(&text)),
    }
}

fn is_namespace(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Status {
        Status { code, reason: reason.to_owned(), message: message.to_owned(), ..Status::failure(message, reason) }
    }

    #[test]
    fn f08_f44_answers_are_told_apart_by_whether_another_try_helps() {
        let kind = |code, reason, message| of_status(&status(code, reason, message)).outcome();
        assert_eq!(kind(409, "AlreadyExists", "pods \"p\" already exists"), "already_exists");
        assert_eq!(kind(409, "Conflict", "the UID in the precondition does not match"), "conflict");
        assert_eq!(kind(404, "NotFound", "pods \"p\" not found"), "not_found");
        assert_eq!(kind(403, "Forbidden", "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1"), "passing");
        assert_eq!(
            kind(403, "Forbidden", "error looking up service account n/penstock-task: serviceaccount not found"),
            "passing"
        );
        assert_eq!(kind(403, "Forbidden", "violates PodSecurity \"restricted:latest\": ..."), "refused");
        assert_eq!(
            kind(403, "Forbidden", "unable to create new content in namespace n: it is being terminated"),
            "refused"
        );
        assert_eq!(kind(400, "BadRequest", "admission webhook \"w\" denied the request: no"), "refused");
        assert_eq!(kind(422, "Invalid", "Pod is invalid: spec.containers[0].image: Required value"), "refused");
        assert_eq!(kind(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"), "refused");
        assert_eq!(kind(500, "InternalError", "etcdserver: request is too large"), "refused");
        let webhook = "Internal error occurred: failed calling webhook \"w\": connection refused";
        assert_eq!(kind(500, "InternalError", webhook), "passing");
        for code in [401, 408, 429, 500, 502, 503, 504] {
            assert_eq!(kind(code, "", ""), "passing", "{code}");
        }
    }

    #[test]
    fn missing_namespace_is_no_missing_pod() {
        let mut status = status(404, "NotFound", "namespaces \"n\" not found");
        status.details = serde_json::from_value(json!({"kind": "namespaces"})).ok();
        assert_eq!(of_status(&status), RequestError::Final("namespaces \"n\" not found".to_owned()));
    }

    #[test]
    fn what_the_server_asks_for_is_kept() {
        let mut status = status(429, "TooManyRequests", "slow down");
        status.details = serde_json::from_value(json!({"retryAfterSeconds": 7})).ok();
        let RequestError::Passing { retry_after, .. } = of_status(&status) else { panic!("it passes") };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }
}
