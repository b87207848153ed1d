//! What a request is refused with: the kinds of refusal, the text that people read, and the shapes on the wire.
//!
//! A message is a chain, outermost first: what was attempted, a tag that names the kind, and the text for people. The
//! text alone stands in `details`. What concerns the protocol rather than a resource (routing, decoding) has no details.

mod store;
mod upload;

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::wire::write::json_response;
pub use upload::UploadError;

/// Why a request is refused, in terms of what the client can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request itself is wrong.
    InvalidInput,
    /// What it names does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// It contradicts what is stored.
    Conflict,
    /// Something else has to be done first.
    FailedPrecondition,
    /// The server failed.
    Internal,
    /// The server cannot take it now.
    Unavailable,
    /// The body or the query cannot be decoded.
    Malformed,
    /// The body is larger than the server takes.
    TooLarge,
    /// The body is of a type that the server does not take there.
    WrongType,
    /// The body did not arrive in time.
    TooSlow,
    /// There is no such path.
    NoRoute,
    /// There is such a path, but not with this method.
    WrongMethod,
    /// A page of another origin sent it.
    CrossSite,
    /// It does not say who sends it, or not so that it can be believed.
    Unauthenticated,
    /// Who sends it may not do this.
    PermissionDenied,
}

/// How a kind appears: code of gRPC, status of HTTP, tag within messages (empty for faults of the protocol).
struct Appearance {
    code: u32,
    status: StatusCode,
    tag: &'static str,
}

impl ErrorKind {
    fn appearance(self) -> Appearance {
        let (code, status, tag) = match self {
            Self::InvalidInput => (3, StatusCode::BAD_REQUEST, "Invalid input error"),
            Self::NotFound => (5, StatusCode::NOT_FOUND, "ResourceNotFoundError"),
            Self::AlreadyExists => (6, StatusCode::CONFLICT, "Already exist error"),
            Self::Conflict => (10, StatusCode::CONFLICT, "BadRequestError"),
            Self::FailedPrecondition => (9, StatusCode::BAD_REQUEST, "FailedPreconditionError"),
            Self::Internal => (13, StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
            Self::Unavailable => (14, StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::Malformed => (3, StatusCode::BAD_REQUEST, ""),
            Self::TooLarge => (3, StatusCode::PAYLOAD_TOO_LARGE, ""),
            Self::WrongType => (3, StatusCode::UNSUPPORTED_MEDIA_TYPE, ""),
            Self::TooSlow => (4, StatusCode::REQUEST_TIMEOUT, ""),
            Self::NoRoute => (5, StatusCode::NOT_FOUND, ""),
            Self::WrongMethod => (12, StatusCode::NOT_IMPLEMENTED, ""),
            Self::CrossSite => (7, StatusCode::FORBIDDEN, ""),
            Self::Unauthenticated => (16, StatusCode::UNAUTHORIZED, "Unauthenticated"),
            Self::PermissionDenied => (7, StatusCode::FORBIDDEN, "PermissionDenied"),
        };
        Appearance { code, status, tag }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    kind: ErrorKind,
    /// What was attempted, innermost first.
    contexts: Vec<String>,
    text: String,
}

impl ApiError {
    /// A refusal of some kind; the named constructors cover the usual ones.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, contexts: Vec::new(), text: text.into() }
    }

    /// The request is wrong.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, text)
    }

    /// `<what> <id> not found`.
    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("{what} {id} not found"))
    }

    /// The name is taken.
    pub fn already_exists(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, text)
    }

    /// The request contradicts what is stored (409).
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, text)
    }

    /// Something else has to be done first (400).
    pub fn failed_precondition(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::FailedPrecondition, text)
    }

    /// The server failed; the text goes into the message, not into the details.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, text)
    }

    /// The body or the query cannot be decoded.
    pub fn malformed(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, text)
    }

    /// Says what was attempted; called from the inside outwards.
    #[must_use]
    pub fn within(mut self, context: impl Into<String>) -> Self {
        self.contexts.push(context.into());
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text for people, without context. What failed inside the server is not told here.
    pub fn short_text(&self) -> &str {
        match self.kind {
            ErrorKind::Internal => "Internal Server Error",
            ErrorKind::Unavailable => "Service unavailable",
            _ => &self.text,
        }
    }

    /// Status of HTTP.
    pub fn status(&self) -> StatusCode {
        self.kind.appearance().status
    }

    /// The object that is `error` in an item of a list which cannot be shown.
    pub fn to_status(&self) -> Value {
        let Appearance { code, tag, .. } = self.kind.appearance();
        let mut status = json!({"code": code, "message": self.to_string()});
        if !tag.is_empty() {
            status["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.Status",
                "code": code,
                "message": self.short_text(),
            }]);
        }
        status
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Appearance { tag, .. } = self.kind.appearance();
        for context in self.contexts.iter().rev() {
            write!(formatter, "{context}: ")?;
        }
        if !tag.is_empty() {
            write!(formatter, "{tag}: ")?;
        }
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = json_response(self.status(), &self.to_status());
        if self.kind == ErrorKind::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge(&self.to_string()));
        }
        response
    }
}

impl ApiError {
    /// Faults of the server are somebody's to look at; those of clients are theirs.
    fn log(&self) {
        match self.kind {
            ErrorKind::Internal => tracing::error!(error = %self, "a request failed"),
            ErrorKind::Unavailable => tracing::warn!(error = %self, "a request could not be taken"),
            _ => {}
        }
    }
}

/// A message as a header may hold it.
fn challenge(message: &str) -> HeaderValue {
    let text: String = message.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_a_chain_and_details_hold_the_text() {
        let error = ApiError::not_found("Run", "abc").within("Failed to fetch run abc").within("Failed to get a run");
        let expected = json!({
            "code": 5,
            "message": "Failed to get a run: Failed to fetch run abc: ResourceNotFoundError: Run abc not found",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.Status",
                "code": 5,
                "message": "Run abc not found",
            }],
        });
        assert_eq!(error.to_status(), expected);
        assert_eq!(error.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn faults_of_the_server_are_not_told_in_details() {
        let error = ApiError::internal("the disk is full").within("Failed to create a run");
        let status = error.to_status();
        assert_eq!(status["message"], "Failed to create a run: InternalServerError: the disk is full");
        assert_eq!(status["details"][0]["message"], "Internal Server Error");
    }

    #[test]
    fn faults_of_the_protocol_have_no_details() {
        let error = ApiError::new(ErrorKind::NoRoute, "Not Found");
        assert_eq!(error.to_status(), json!({"code": 5, "message": "Not Found"}));
    }

    #[test]
    fn kinds_map_to_codes_as_clients_expect() {
        let seen = |kind: ErrorKind| (kind.appearance().code, kind.appearance().status.as_u16());
        assert_eq!(seen(ErrorKind::InvalidInput), (3, 400));
        assert_eq!(seen(ErrorKind::FailedPrecondition), (9, 400));
        assert_eq!(seen(ErrorKind::AlreadyExists), (6, 409));
        assert_eq!(seen(ErrorKind::Conflict), (10, 409));
        assert_eq!(seen(ErrorKind::WrongMethod), (12, 501));
        assert_eq!(seen(ErrorKind::Unavailable), (14, 503));
    }
}
