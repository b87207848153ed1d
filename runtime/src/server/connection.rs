//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, error};

use super::activity::{Activity, Stage, Watched};
use super::stream::{self, AnswerBody};
use super::{Mood, Peer, ServerLimits, multiplexed, plain, text_response};
use crate::tls;

/// How long a connection may idle when others wait for its place.
pub(super) const IDLE_WHEN_CROWDED: Duration = Duration::from_millis(500);
/// The most headers of a request.
const MAX_HEADERS: usize = 64;

pub(super) struct Connection<H> {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Arc<ServerLimits>,
    /// Room for requests of all connections that carry several.
    pub(super) requests: Arc<Semaphore>,
    pub(super) mood: watch::Receiver<Mood>,
    pub(super) handler: H,
}

impl<H> Connection<H> {
    pub(super) async fn run<F, B>(mut self)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if let Err(error) = self.stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let peer = self.stream.peer_addr().ok().map(Peer);
        let Some(tls) = self.tls.take() else {
            let Connection { stream, limits, mood, handler, .. } = self;
            return serve(stream, peer, &limits, mood, handler).await;
        };
        let Connection { mut stream, limits, requests, mood, handler, .. } = self;
        let handshake = async {
            if plain::is_spoken(&stream).await {
                plain::refuse(&mut stream).await;
                return None;
            }
            Some(tls.accept(stream).await)
        };
        match timeout(limits.handshake, handshake).await {
            Ok(Some(Ok(stream))) if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2) => {
                multiplexed::serve(stream, peer, &limits, requests, mood, handler).await;
            }
            Ok(Some(Ok(stream))) => serve(stream, peer, &limits, mood, handler).await,
            Ok(Some(Err(error))) => debug!(%error, "TLS handshake failed"),
            Ok(None) => debug!("a client speaks without TLS"),
            Err(_) => debug!(limit_ms = limits.handshake.as_millis(), "TLS handshake took too long"),
        }
    }
}

async fn serve<S, H, F, B>(
    stream: S,
    peer: Option<Peer>,
    limits: &Arc<ServerLimits>,
    mut mood: watch::Receiver<Mood>,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let activity = Activity::new(Stage::Idle);
    let service = {
        let (activity, limits, mood) = (activity.clone(), Arc::clone(limits), mood.clone());
        service_fn(move |mut request: Request<Incoming>| {
            activity.enter(Stage::Busy);
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let handling = handler(request);
            let (activity, mood, limit) = (activity.clone(), mood.clone(), limits.request);
            async move { Ok::<_, Infallible>(answer(handling, limit, &activity, &mood).await) }
        })
    };
    let mut http = http1::Builder::new();
    // The stages are timed here: hyper's own limit on heads counts idle time too.
    http.header_read_timeout(None).max_header_size(limits.head_bytes).max_headers(MAX_HEADERS);
    let watched = TokioIo::new(Watched { stream, activity: activity.clone() });
    let mut connection = std::pin::pin!(http.serve_connection(watched, service));
    let mut is_draining = false;
    loop {
        let now = *mood.borrow_and_update();
        if now == Mood::Draining && !is_draining {
            is_draining = true;
            connection.as_mut().graceful_shutdown();
        }
        let idle = if now == Mood::Open { limits.idle } else { limits.idle.min(IDLE_WHEN_CROWDED) };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "connection failed");
                }
                return;
            }
            stage = activity.expired(limits, idle) => {
                debug!(?stage, "connection is closed: it took too long");
                return;
            }
            changed = mood.changed() => if changed.is_err() { return },
        }
    }
}

/// The handler's answer, or one that says why there is none.
async fn answer<B>(
    handling: impl Future<Output = Response<B>>,
    limit: Duration,
    activity: &Activity,
    mood: &watch::Receiver<Mood>,
) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match in_time(handling, limit).await {
        Ok(response) => stream::prepare(response, activity, mood),
        Err(mut refusal) => {
            // What is left of the request may still be on its way.
            refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            stream::prepare(refusal, activity, mood)
        }
    }
}

/// The handler's answer, or else one that says why there is none.
pub(super) async fn in_time<B>(
    handling: impl Future<Output = Response<B>>,
    limit: Duration,
) -> Result<Response<B>, Response<Full<Bytes>>> {
    match timeout(limit, AssertUnwindSafe(handling).catch_unwind()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_)) => {
            error!("a request made its handler panic; it is answered with 500");
            Err(text_response(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"))
        }
        Err(_) => {
            let text = format!("the request took longer than {} ms\n", limit.as_millis());
            Err(text_response(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}
