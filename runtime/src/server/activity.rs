//! What a connection is doing, or a request of one that carries several, so that each stage has its own deadline.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::ServerLimits;

/// A stage of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Between two requests.
    Idle,
    /// Something of a request has come, but not all of its head.
    Head,
    /// A request is being read and answered.
    Busy,
    /// An answer comes over time, and the client takes what there is of it.
    Flowing,
    /// There is more of such an answer, and the client does not take it.
    Stalled,
}

/// The stage of one connection or request. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    current: Arc<watch::Sender<(Stage, Instant)>>,
}

impl Activity {
    pub(super) fn new(stage: Stage) -> Activity {
        Activity { current: Arc::new(watch::Sender::new((stage, Instant::now()))) }
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.current.send_replace((stage, Instant::now()));
    }

    /// Bytes have come.
    fn received(&self) {
        self.current.send_if_modified(|current| {
            let begins = current.0 == Stage::Idle;
            if begins {
                *current = (Stage::Head, Instant::now());
            }
            begins
        });
    }

    /// An answer that comes over time was written, or could not be for now.
    fn wrote<T>(&self, polled: &Poll<io::Result<T>>) {
        let next = if polled.is_pending() { Stage::Stalled } else { Stage::Flowing };
        self.current.send_if_modified(|current| {
            let changes = matches!(current.0, Stage::Flowing | Stage::Stalled) && current.0 != next;
            if changes {
                *current = (next, Instant::now());
            }
            changes
        });
    }

    /// Waits until a stage has taken longer than it may. `idle` is how long the connection may idle now.
    pub(super) async fn expired(&self, limits: &ServerLimits, idle: std::time::Duration) -> Stage {
        let mut changes = self.current.subscribe();
        loop {
            let (stage, since) = *changes.borrow_and_update();
            let limit = match stage {
                Stage::Idle => Some(idle),
                Stage::Head => Some(limits.head),
                // The handler has its own deadline and then answers; this one is for those who do not read.
                Stage::Busy => Some(limits.request + limits.head),
                Stage::Stalled => Some(limits.stall),
                // There may be nothing to write for as long as nothing happens.
                Stage::Flowing => None,
            };
            let expiry = async {
                match limit {
                    Some(limit) => tokio::time::sleep_until(since + limit).await,
                    None => std::future::pending().await,
                }
            };
            // A stage that begins meanwhile may have less time than what is left of this one.
            tokio::select! {
                () = expiry => return stage,
                _ = changes.changed() => {}
            }
        }
    }
}

/// A stream that notes when something comes.
#[derive(Debug)]
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) activity: Activity,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.activity.wrote(&polled);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.activity.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
