//! Whether a caller may still have what is being sent to them: rights end while streams go on.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};

use super::gate::{Access, peer};
use crate::error::{ApiError, ErrorKind};

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(30);
/// Looks in a row that may be without an answer: a short absence of who knows should not end all streams at once.
const PATIENCE: u32 = 4;

/// The sender of a request, who can be asked about again.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    access: Access,
    headers: HeaderMap,
    peer: Option<IpAddr>,
}

impl<S: Sync> FromRequestParts<S> for Standing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let access = Access::from_request_parts(parts, state).await?;
        Ok(Self { access, headers: parts.headers.clone(), peer: peer(&parts.extensions) })
    }
}

impl Standing {
    /// What is sent of a namespace, for as long as the caller may do there what the route requires, and is who they were.
    /// It breaks off when they may not, which their client sees.
    pub(crate) fn while_allowed<E: Error + Send + Sync + 'static>(
        self,
        namespace: String,
        sent: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let standing = self.access.is_guarded().then_some(self);
        let watched =
            Watched { standing, namespace, sent: Box::pin(sent), look_at: Instant::now() + PERIOD, unanswered: 0 };
        stream::try_unfold(
            watched,
            |mut watched| async move { Ok(watched.next().await?.map(|chunk| (chunk, watched))) },
        )
    }
}

struct Watched<E> {
    /// Absent where nobody is asked who they are.
    standing: Option<Standing>,
    namespace: String,
    sent: Pin<Box<dyn Stream<Item = Result<Bytes, E>> + Send>>,
    look_at: Instant,
    /// Looks without an answer since the last that had one.
    unanswered: u32,
}

impl<E: Error + Send + Sync + 'static> Watched<E> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(standing) = &self.standing else {
                return self.sent.next().await.transpose().map_err(io::Error::other);
            };
            tokio::select! {
                // A stream that never pauses is looked at too.
                biased;
                () = sleep_until(self.look_at) => {}
                chunk = self.sent.next() => return chunk.transpose().map_err(io::Error::other),
            }
            let found = standing.look(&self.namespace).await;
            self.unanswered = match found {
                Ok(()) => 0,
                Err(error) if error.kind() == ErrorKind::Unavailable && self.unanswered < PATIENCE => {
                    self.unanswered + 1
                }
                Err(error) => {
                    tracing::info!(reason = error.short_text(), "a stream ends: its reader may have it no longer");
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, error.short_text().to_owned()));
                }
            };
            self.look_at = Instant::now() + PERIOD;
        }
    }
}

impl Standing {
    async fn look(&self, namespace: &str) -> Result<(), ApiError> {
        let now = self.access.again(&self.headers, self.peer).await?;
        now.within(namespace).await.map(drop)
    }
}
