//! As what a browser gets a file that user code wrote (T-14).
//!
//! Unless a request says otherwise nothing is rendered that could hold markup. What is rendered at its wish has an origin of
//! its own, so that it reads nothing of this server's, and no network.

use axum::http::HeaderMap;

use crate::error::ApiError;
use crate::stored::media;
use crate::wire::Query;

/// What a page may do that a browser makes of the file: nothing.
const NOTHING: &str = "sandbox; default-src 'none'";
/// What a page may do that is displayed: run what it holds itself.
const PAGE: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
                    style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data:; \
                    frame-ancestors 'self'";
/// What a drawing may do: be styled.
const DRAWING: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";
/// Largest page that is displayed.
pub(super) const LARGEST_PAGE: u64 = 20 << 20;
/// What a browser wants the file for; it says so to origins that it trusts.
const FETCH_DEST: &str = "sec-fetch-dest";

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) content_type: &'static str,
    /// Whether a browser may show it rather than save it.
    pub(super) inline: bool,
    pub(super) policy: &'static str,
    /// Most bytes of it that are shown so.
    pub(super) limit: Option<u64>,
}

/// Reads how a file is to be shown.
pub(super) fn shown(name: &str, query: &Query, headers: &HeaderMap) -> Result<Shown, ApiError> {
    let download = query.boolean("download")?;
    let guessed = media::guess(name);
    let as_is =
        Shown { content_type: guessed.content_type, inline: guessed.inline && !download, policy: NOTHING, limit: None };
    match query.text("display")? {
        "" => Ok(as_is),
        display if download => Err(ApiError::invalid(format!(
            "a file is saved (download) or shown (display={display}): ask for one of them"
        ))),
        "html" => Ok(Shown {
            content_type: "text/html; charset=utf-8",
            inline: true,
            policy: PAGE,
            limit: Some(LARGEST_PAGE),
        }),
        "image" if guessed.content_type.starts_with("image/") => Ok(as_is),
        "image" if !media::is_drawing(name) => {
            Err(ApiError::invalid(format!("{name:?} is no image by its name: png, jpg, jpeg, gif, webp and svg are")))
        }
        // As an image it runs nothing; as a page of its own it is not wanted.
        "image" if headers.get(FETCH_DEST).is_some_and(|wanted| wanted != "image") => Ok(as_is),
        "image" => Ok(Shown { content_type: "image/svg+xml", inline: true, policy: DRAWING, limit: None }),
        other => Err(ApiError::invalid(format!("display {other:?} is not known: it is html or image"))),
    }
}
