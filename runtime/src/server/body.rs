//! Bodies of requests, up to a limit.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bodies up to this size need no room in a budget: the number of connections bounds them. So large bodies, whoever
/// sends them, never hold up small ones.
pub const SMALL_BODY: usize = 64 << 10;

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

/// Room for the large bodies of all requests together (T-20).
#[derive(Debug)]
pub struct BodyBudget {
    room: Semaphore,
    bytes: usize,
}

/// Room that one body takes until this is dropped.
#[derive(Debug)]
pub struct BodyRoom<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl BodyBudget {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> BodyBudget {
        let bytes = bytes.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        BodyBudget { room: Semaphore::new(bytes), bytes }
    }

    /// Waits until there is room, in the order of asking. The limit of the request's time is the bound of it.
    async fn take(&self, bytes: usize) -> BodyRoom<'_> {
        // A body that is larger than all of the budget takes it all.
        let bytes = u32::try_from(bytes.min(self.bytes)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        BodyRoom { _permit: self.room.acquire_many(bytes).await.ok() }
    }
}

/// Reads a whole body once there is room for it. Of one that is too large, as much again is taken and thrown away, so
/// that a client that does not listen while it sends hears of it.
pub async fn read_body<'a>(
    mut body: Incoming,
    limit: usize,
    budget: &'a BodyBudget,
) -> Result<(Bytes, BodyRoom<'a>), BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let (mut seen, mut is_too_large) = (0_usize, announced > limit);
    let mut room = BodyRoom { _permit: None };
    let mut has_room = false;
    if !is_too_large && announced > SMALL_BODY {
        (room, has_room) = (budget.take(announced).await, true);
    }
    let mut bytes = Vec::with_capacity(if is_too_large { 0 } else { announced });
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Read)?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        is_too_large |= seen > limit;
        if is_too_large {
            (bytes, room) = (Vec::new(), BodyRoom { _permit: None });
            if seen > limit.saturating_mul(2) {
                break;
            }
            continue;
        }
        if !has_room && seen > SMALL_BODY {
            // Its size was not announced, so it may become as large as can be.
            (room, has_room) = (budget.take(limit).await, true);
        }
        bytes.extend_from_slice(&data);
    }
    if is_too_large { Err(BodyError::TooLarge { limit }) } else { Ok((Bytes::from(bytes), room)) }
}
