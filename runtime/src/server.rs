//! The accept loop of every listener: HTTP/1.1 with or without TLS, HTTP/2 where TLS has settled on it, and a bound on
//! everything a client may take: the number of connections and requests, the time of each stage, the size of heads and bodies
//! (I-25, I-26).

mod activity;
mod body;
mod connection;
mod multiplexed;
mod plain;
mod stream;

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

pub use body::{BodyBudget, BodyError, BodyRoom, SMALL_BODY, read_body};

use crate::shutdown::Shutdown;

/// What a client may take.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at once. When they are all taken, idle ones are closed early and new ones wait. As many requests at once
    /// may come over connections that carry several; others wait.
    pub connections: usize,
    /// From a connection's start until TLS stands.
    pub handshake: Duration,
    /// From the first byte of a request until its head is there.
    pub head: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// From then until it is answered: the body's way and ours. Of an answer that comes over time, until it begins.
    pub request: Duration,
    /// How long a client may take nothing of an answer that comes over time, when there is something to take.
    pub stall: Duration,
    /// Between two requests. Longer than clients keep idle connections, so that they close first.
    pub idle: Duration,
    /// How long connections are still accepted once the end was asked for, until all have heard of it.
    pub lame_duck: Duration,
    /// How long requests may take after that.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            connections: 512,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(5),
            head_bytes: 32 << 10,
            request: Duration::from_secs(10),
            stall: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            lame_duck: Duration::from_secs(3),
            drain: Duration::from_secs(15),
        }
    }
}

/// Who is at the other end of a connection; an extension of each of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What all connections of a listener are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// There is room.
    Open,
    /// There is none: idle connections go.
    Crowded,
    /// The end: idle connections go, the others after their request.
    Draining,
}

/// Serves until the end was asked for and the requests of that time are answered.
///
/// A body that is not there as a whole is written as it comes, for as long as it comes. When the end was asked for, one
/// without a length ends; one with a length has the time of the drain.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    limits: ServerLimits,
    shutdown: Shutdown,
    handler: H,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (limits, tls) = (Arc::new(limits), tls.map(TlsAcceptor::from));
    let room = Arc::new(Semaphore::new(limits.connections));
    let requests = Arc::new(Semaphore::new(limits.connections));
    let mood = watch::Sender::new(Mood::Open);
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(async {
        shutdown.requested().await;
        sleep(limits.lame_duck).await;
    });
    'serving: loop {
        // Not given up when a connection ends: a client may already be waiting in it.
        let mut next = std::pin::pin!(accept(&listener, &room, &mood));
        let (stream, permit) = loop {
            tokio::select! {
                () = &mut end => break 'serving,
                // Ended connections are taken out here, and must not pile up.
                Some(_) = connections.join_next() => {}
                next = &mut next => break next,
            }
        };
        let serving = connection::Connection {
            stream,
            tls: tls.clone(),
            limits: Arc::clone(&limits),
            requests: Arc::clone(&requests),
            mood: mood.subscribe(),
            handler: handler.clone(),
        };
        connections.spawn(async move {
            serving.run().await;
            drop(permit);
        });
    }
    drop(listener);
    mood.send_replace(Mood::Draining);
    let drained = async { while connections.join_next().await.is_some() {} };
    let in_time = tokio::select! {
        done = timeout(limits.drain, drained) => done.is_ok(),
        () = shutdown.insisted() => false,
    };
    if !in_time {
        info!(limit_ms = limits.drain.as_millis(), "requests are cut off: they did not end in time");
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    mood: &watch::Sender<Mood>,
) -> (tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, peer)) => {
                debug!(%peer, "connection");
                stream
            }
            Err(error) => {
                // Too many open files, most likely; connections that end make room.
                warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let permit = match Arc::clone(room).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                mood.send_replace(Mood::Crowded);
                // A semaphore that is never closed gives a permit in the end.
                let Ok(permit) = Arc::clone(room).acquire_owned().await else { continue };
                mood.send_replace(Mood::Open);
                permit
            }
        };
        return (stream, permit);
    }
}

/// An answer for people.
pub fn text_response(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body)
}

/// An answer of some kind.
pub fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
