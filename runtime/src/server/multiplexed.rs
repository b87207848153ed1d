//! A connection that carries many requests at once (HTTP/2). Each request has stages and deadlines of its own, as a connection
//! that carries one has, and is cut off alone.
//!
//! A client pays nothing for one more request of a connection, so their number is bounded by what all such connections share,
//! and an answer is handed over in small pieces: what a client does not take is not held for it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::CONTENT_LENGTH;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tracing::debug;

use super::activity::{Activity, Stage};
use super::connection::{IDLE_WHEN_CROWDED, in_time};
use super::stream::{AnswerBody, BoxError, Ending, draining};
use super::{Mood, Peer, ServerLimits};

/// Requests of one connection at once.
const MOST_REQUESTS: u32 = 128;
/// Bytes of one answer, and of one request's body, that are on their way.
const WINDOW: u32 = 256 << 10;
/// Bytes of all bodies of a connection that are on their way here.
const CONNECTION_WINDOW: u32 = 512 << 10;
/// Bytes of one answer that are held while the client does not take them.
const HELD: usize = 128 << 10;
/// The most bytes of an answer that are handed over at once.
const PIECE: usize = 32 << 10;
/// A client that says nothing for this time is asked whether it is there.
const ASK: Duration = Duration::from_secs(30);
/// How long it may take to say so, and to hear that the connection ends.
const HEARING: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// The stage of the request that a task answers.
    static REQUEST: Activity;
}

pub(super) async fn serve<S, H, F, B>(
    stream: S,
    peer: Option<Peer>,
    limits: &Arc<ServerLimits>,
    room: Arc<Semaphore>,
    mut mood: watch::Receiver<Mood>,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let open = Open::new();
    let service = {
        let (limit, mood) = (limits.request, mood.clone());
        service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let (handler, room, mood) = (handler.clone(), Arc::clone(&room), mood.clone());
            async move { Ok::<_, Infallible>(answer(request, handler, room, limit, &mood).await) }
        })
    };
    let mut http = http2::Builder::new(Requests { limits: Arc::clone(limits), open: open.clone() });
    http.timer(TokioTimer::new())
        .max_concurrent_streams(MOST_REQUESTS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(HELD)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(HEARING);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut ends_since: Option<Instant> = None;
    loop {
        let now = *mood.borrow_and_update();
        if now == Mood::Draining && ends_since.is_none() {
            ends_since = Some(Instant::now());
            connection.as_mut().graceful_shutdown();
        }
        let idle = match now {
            Mood::Open => limits.idle,
            _ => limits.idle.min(IDLE_WHEN_CROWDED),
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "connection failed");
                }
                return;
            }
            () = open.none_for(idle, ends_since), if ends_since.is_none() => {
                // A request may be on its way: the client hears that it is not taken, and asks somewhere else.
                ends_since = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
            () = open.none_for(HEARING, ends_since), if ends_since.is_some() => {
                debug!("connection is closed: the client does not hear that it ends");
                return;
            }
            changed = mood.changed() => if changed.is_err() { return },
        }
    }
}

/// Answers a request once there is room for it.
async fn answer<H, F, B>(
    request: Request<Incoming>,
    handler: H,
    room: Arc<Semaphore>,
    limit: Duration,
    mood: &watch::Receiver<Mood>,
) -> Response<AnswerBody>
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut taken = None;
    let handling = async {
        // It is never closed.
        taken = room.acquire_owned().await.ok();
        handler(request).await
    };
    let answered = in_time(handling, limit).await;
    // A task that answers a request has one.
    let activity = REQUEST.try_with(Activity::clone).unwrap_or_else(|_| Activity::new(Stage::Busy));
    match answered {
        Ok(response) => prepare(response, activity, mood, taken),
        Err(refusal) => prepare(refusal, activity, mood, taken),
    }
}

fn prepare<B>(
    answer: Response<B>,
    activity: Activity,
    mood: &watch::Receiver<Mood>,
    room: Option<OwnedSemaphorePermit>,
) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let has_length = answer.body().size_hint().exact().is_some() || answer.headers().contains_key(CONTENT_LENGTH);
    let (head, body) = answer.into_parts();
    let body = body.map_err(Into::into).boxed_unsync();
    activity.enter(Stage::Flowing);
    // Nobody could tell the part of a file from the whole, so what has a length goes on while there is time.
    let ending = (!has_length).then(|| draining(mood.clone()));
    let rest = Bytes::new();
    Response::from_parts(head, Pieces { body, rest, activity, ending, _room: room }.boxed_unsync())
}

/// A body that is handed over in small pieces, and notes when the client does not take them.
struct Pieces {
    body: AnswerBody,
    /// What is left of a larger piece.
    rest: Bytes,
    activity: Activity,
    /// Ends a body without a length, which may have no end of its own.
    ending: Option<Ending>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Pieces {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(ending) = &mut self.ending
            && ending.as_mut().poll(context).is_ready()
        {
            self.ending = None;
            self.body = AnswerBody::default();
        }
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return other,
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.next(context);
        // What was handed over is asked for again once it could be written.
        self.activity.enter(if matches!(polled, Poll::Ready(Some(_))) { Stage::Stalled } else { Stage::Flowing });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest.is_empty() {
            true => self.body.size_hint(),
            // Nobody asks in the middle.
            false => SizeHint::new(),
        }
    }
}

/// Answers each request of a connection in a task of its own, until it is answered or takes too long.
#[derive(Clone)]
struct Requests {
    limits: Arc<ServerLimits>,
    open: Open,
}

impl<W> Executor<W> for Requests
where
    W: Future + Send + 'static,
    W::Output: Send,
{
    fn execute(&self, work: W) {
        let (limits, counted) = (Arc::clone(&self.limits), self.open.count());
        let activity = Activity::new(Stage::Busy);
        tokio::spawn(REQUEST.scope(activity.clone(), async move {
            let _counted = counted;
            tokio::select! {
                _ = work => {}
                stage = activity.expired(&limits, limits.idle) => debug!(?stage, "a request is cut off: it took too long"),
            }
        }));
    }
}

/// How many requests of a connection are being answered, and since when it is that many.
#[derive(Clone)]
struct Open(Arc<watch::Sender<(usize, Instant)>>);

impl Open {
    fn new() -> Open {
        Open(Arc::new(watch::Sender::new((0, Instant::now()))))
    }

    /// One more, until what is returned is dropped.
    fn count(&self) -> Counted {
        self.0.send_modify(|(open, since)| (*open, *since) = (open.saturating_add(1), Instant::now()));
        Counted(self.clone())
    }

    /// Waits until there has been none for some time, counted from `since` at the earliest.
    async fn none_for(&self, time: Duration, since: Option<Instant>) {
        let mut changes = self.0.subscribe();
        loop {
            let (open, changed) = *changes.borrow_and_update();
            let over = async {
                match open {
                    0 => tokio::time::sleep_until(since.map_or(changed, |since| since.max(changed)) + time).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                // The sender is held here.
                _ = changes.changed() => {}
            }
        }
    }
}

struct Counted(Open);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|(open, since)| (*open, *since) = (open.saturating_sub(1), Instant::now()));
    }
}
