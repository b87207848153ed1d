//! Bodies of requests: capped in size and time, and in what all of them together may take (T-20).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use penstock_runtime::server::SMALL_BODY;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::read::{Fields, WireError, read_message};
use crate::error::{ApiError, ErrorKind};
use crate::router::Gate;

/// What the bodies that are being handled may take together.
const BUDGET_BYTES: usize = 256 << 20;
/// The budget is handed out in pieces of this size.
const PIECE_BYTES: usize = 1 << 10;
/// How long a request waits until there is room for its body.
const ROOM_WAIT: Duration = Duration::from_secs(10);
/// How long a client may send nothing.
pub(crate) const IDLE_WAIT: Duration = Duration::from_secs(30);
/// How long a body may take in all.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(300);

/// Room for the bodies that are being handled.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET_BYTES / PIECE_BYTES)))
    }
}

impl BodyBudget {
    /// Waits for room for a body of this size; it is given back with what is returned.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let pieces = bytes.div_ceil(PIECE_BYTES).min(BUDGET_BYTES / PIECE_BYTES);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        match timeout(ROOM_WAIT, Arc::clone(&self.0).acquire_many_owned(pieces)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                let text =
                    format!("too many large requests are being handled; no room after {} s", ROOM_WAIT.as_secs());
                Err(ApiError::new(ErrorKind::Unavailable, text))
            }
        }
    }
}

/// The size that a request states for its body, if it does.
pub(crate) fn stated_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of a request, read whole.
#[derive(Debug)]
pub struct RequestBody {
    bytes: Bytes,
    /// How many JSON values it may hold.
    values: usize,
    /// Its part of the budget, for as long as it is being handled.
    _room: Option<OwnedSemaphorePermit>,
}

impl RequestBody {
    /// Reads it as a message; every field must be taken.
    pub fn read<T>(&self, read: impl FnOnce(&mut Fields) -> Result<T, WireError>) -> Result<T, ApiError> {
        Ok(read_message(&self.bytes, self.values, read)?)
    }
}

impl FromRequest<Gate> for RequestBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, gate: &Gate) -> Result<Self, ApiError> {
        let api = gate.for_bodies();
        let limit = api.body_limit();
        let stated = stated_length(request.headers());
        if stated.is_some_and(|bytes| bytes > limit) {
            return Err(too_large(limit));
        }
        let (bytes, room) = collect(request.into_body(), stated.unwrap_or(limit), limit, api.bodies()).await?;
        Ok(Self { bytes, values: api.limits().nodes, _room: room })
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ErrorKind::TooLarge,
        format!("the body of the request is larger than the {limit} bytes that are allowed"),
    )
}

/// Reads a body; `expected` is how large it may turn out to be.
async fn collect(
    mut body: Body,
    expected: usize,
    limit: usize,
    budget: &BodyBudget,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), ApiError> {
    let end = Instant::now() + BODY_WAIT;
    let (mut whole, mut room) = (BytesMut::new(), None);
    loop {
        let next = timeout_at(end.min(Instant::now() + IDLE_WAIT), body.frame()).await;
        let frame = match next {
            Err(_) => return Err(ApiError::new(ErrorKind::TooSlow, "the body of the request did not arrive in time")),
            Ok(None) => return Ok((whole.freeze(), room)),
            Ok(Some(Err(error))) => {
                return Err(ApiError::malformed(format!("the body of the request cannot be read: {error}")));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        if room.is_none() && whole.len() + data.len() > SMALL_BODY {
            room = Some(budget.reserve(expected).await?);
        }
        whole.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn i25_a_body_above_the_limit_is_refused() {
        let budget = BodyBudget::default();
        assert_eq!(collect(Body::from("1234"), 4, 4, &budget).await.unwrap().0, "1234");
        assert_eq!(collect(Body::from("12345"), 4, 4, &budget).await.unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn i26_a_body_that_stops_arriving_is_given_up() {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(collect(body, 4, 4, &BodyBudget::default()).await.unwrap_err().kind(), ErrorKind::TooSlow);
    }

    #[tokio::test(start_paused = true)]
    async fn t20_bodies_share_one_budget() {
        let budget = BodyBudget::default();
        let all = budget.reserve(BUDGET_BYTES).await.unwrap();
        assert_eq!(budget.reserve(1).await.unwrap_err().kind(), ErrorKind::Unavailable);
        // Small ones are not held up.
        assert_eq!(collect(Body::from("1234"), 4, 4, &budget).await.unwrap().0, "1234");
        let large = || Body::from(vec![0; SMALL_BODY + 1]);
        let refused = collect(large(), SMALL_BODY + 1, usize::MAX, &budget).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        drop(all);
        collect(large(), SMALL_BODY + 1, usize::MAX, &budget).await.unwrap();
    }
}
