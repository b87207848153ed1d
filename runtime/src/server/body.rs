//! Bodies of requests, up to a limit.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than it may be.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// The client went away, or sent what is no body.
    #[error("cannot read the body")]
    Read(#[source] hyper::Error),
}

/// Reads a whole body. Of one that is too large, as much again is taken and thrown away, so that a client that does not
/// listen while it sends hears of it.
pub async fn read_body(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(announced.min(limit));
    let (mut seen, mut is_too_large) = (0_usize, announced > limit);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Read)?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        is_too_large |= seen > limit;
        if is_too_large {
            bytes = Vec::new();
            if seen > limit.saturating_mul(2) {
                break;
            }
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if is_too_large { Err(BodyError::TooLarge { limit }) } else { Ok(Bytes::from(bytes)) }
}
