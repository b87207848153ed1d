//! The admin port: `/metrics` for Prometheus, `/live` and `/ready` for the kubelet, and `/ready/PART` for a part of the process.
//! Apart from the service port, so that it answers however busy that one is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;
use tracing::{error, info};

use crate::health::Health;
use crate::server::{self, ServerLimits};
use crate::shutdown::Shutdown;

/// Whoever scrapes or probes is few and quick.
fn limits() -> ServerLimits {
    ServerLimits {
        connections: 64,
        idle: Duration::from_secs(60),
        // Probes may look while the other ports still drain.
        lame_duck: Duration::from_secs(5),
        drain: Duration::from_secs(1),
        ..ServerLimits::default()
    }
}

/// The port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on the admin address {address}; set another one")]
pub struct AdminError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Serves until a few seconds after the end was asked for.
pub async fn serve(
    address: SocketAddr,
    registry: Registry,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), AdminError> {
    let listener = TcpListener::bind(address).await.map_err(|source| AdminError { address, source })?;
    serve_on(listener, registry, health, shutdown).await;
    Ok(())
}

/// Serves on a port that is open already.
pub async fn serve_on(listener: TcpListener, registry: Registry, health: Health, shutdown: Shutdown) {
    if let Ok(address) = listener.local_addr() {
        info!(%address, "admin port is open");
    }
    let ending = shutdown.clone();
    let handler = move |request: Request<Incoming>| {
        let answer = answer(&request, &registry, &health, &ending);
        async move { answer }
    };
    server::serve(listener, None, limits(), shutdown, handler).await;
}

fn answer(
    request: &Request<Incoming>,
    registry: &Registry,
    health: &Health,
    shutdown: &Shutdown,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".to_owned());
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/live" => text(StatusCode::OK, "live\n".to_owned()),
        "/ready" => ready(&health.waiting(), shutdown),
        "/metrics" => metrics(registry),
        path => match path.strip_prefix("/ready/") {
            Some(part) => ready(&health.waiting_of(part), shutdown),
            None => text(StatusCode::NOT_FOUND, "served here: /live, /ready, /metrics\n".to_owned()),
        },
    }
}

fn ready(waiting: &[(&'static str, String)], shutdown: &Shutdown) -> Response<Full<Bytes>> {
    if shutdown.is_requested() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "not ready: shutting down\n".to_owned());
    }
    if waiting.is_empty() {
        return text(StatusCode::OK, "ready\n".to_owned());
    }
    let lines: String = waiting.iter().map(|(name, reason)| format!("not ready: {name}: {reason}\n")).collect();
    text(StatusCode::SERVICE_UNAVAILABLE, lines)
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let (encoder, mut body) = (TextEncoder::new(), Vec::new());
    if let Err(error) = encoder.encode(&registry.gather(), &mut body) {
        error!(%error, "cannot write the metrics");
        return text(StatusCode::INTERNAL_SERVER_ERROR, "cannot write the metrics\n".to_owned());
    }
    let mut response = Response::new(Full::from(body));
    if let Ok(kind) = encoder.format_type().parse() {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    server::text_response(status, body)
}
