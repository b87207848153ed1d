//! Requests and replies in the words of the version before, around handlers that know today's alone.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::error::ApiError;
use crate::wire::write::json_response;

/// The request with its query in today's words.
pub(super) fn request(mut request: Request<Body>, words: fn(&str) -> String) -> Result<Request<Body>, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    if percent_decode_str(query).decode_utf8().is_err() {
        // Who reads it refuses it.
        return Ok(request);
    }
    let translated = words(query);
    if translated != query {
        *request.uri_mut() = with_query(request.uri(), &translated)
            .ok_or_else(|| ApiError::malformed("the query is too long once its words are those of v2beta1"))?;
    }
    Ok(request)
}

fn with_query(uri: &Uri, query: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{}?{query}", uri.path())).ok()?);
    Uri::from_parts(parts).ok()
}

/// The reply in the words of then; a refusal is the same in both.
pub(super) async fn response(response: Response, words: fn(Value) -> Value) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let failed = |error: String| ApiError::internal(format!("cannot say a reply in words of v1beta1: {error}"));
    // It is there as a whole: all such replies are.
    let reply = match to_bytes(response.into_body(), usize::MAX).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    };
    match reply {
        Ok(reply) => json_response(StatusCode::OK, &words(reply)),
        Err(error) => error.into_response(),
    }
}
