//! Requests that are answered in full only if something has changed.

use axum::http::{HeaderMap, header};

/// Whether the client has this version already. The version is that of an `ETag`, in its quotes.
pub(crate) fn is_known(headers: &HeaderMap, version: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == version)
}
