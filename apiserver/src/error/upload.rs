//! Refusals of uploads, which have a shape of their own.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{ApiError, ErrorKind};
use crate::wire::write::json_response;

/// Why an upload is refused: what was attempted, and the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadError {
    message: String,
    cause: ApiError,
}

impl UploadError {
    /// `message` is what clients show first.
    pub fn new(message: impl Into<String>, cause: ApiError) -> Self {
        Self { message: message.into(), cause }
    }

    /// The cause's own text is what clients show first.
    pub fn plain(cause: ApiError) -> Self {
        Self { message: cause.short_text().to_owned(), cause }
    }

    /// Uploads know few statuses: taken names, faults of the server, and everything else.
    fn status(&self) -> StatusCode {
        match self.cause.kind() {
            ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for UploadError {
    fn into_response(self) -> Response {
        self.cause.log();
        let details = format!("{}: {}", self.message, self.cause);
        json_response(self.status(), &json!({"error_message": self.message, "error_details": details}))
    }
}
