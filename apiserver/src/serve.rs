//! Answers what arrives at a listener.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use penstock_runtime::server::{self, ServerLimits};
use penstock_runtime::shutdown::Shutdown;
use penstock_runtime::tls::{self, CertificateSlot, Protocols, TlsError};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::api::{Api, EVENT_STREAMS, STREAMS};
use crate::router::{loopback_router, router};
use crate::wire::body::BODY_WAIT;

/// What it may take to handle a request once its body is there.
const HANDLING: Duration = Duration::from_secs(30);
/// Filters travel in the URL.
const HEAD_BYTES: usize = 64 << 10;
/// What is not a stream finds room besides.
const CONNECTIONS: usize = STREAMS + EVENT_STREAMS + 256;

/// Serves until the end was asked for and the requests of that time are answered.
pub async fn serve(listener: TcpListener, api: Api, shutdown: Shutdown) {
    listen(listener, None, api, shutdown).await;
}

/// How the API speaks TLS: with whatever certificate is in the slot, and HTTP/2 with clients that can.
pub fn tls(slot: &CertificateSlot) -> Result<Arc<ServerConfig>, TlsError> {
    tls::server_config(slot, Protocols::Http2)
}

/// The same as [`serve`] for clients that speak [TLS](tls()). Others are told so.
pub async fn serve_tls(listener: TcpListener, tls: Arc<ServerConfig>, api: Api, shutdown: Shutdown) {
    listen(listener, Some(tls), api, shutdown).await;
}

async fn listen(listener: TcpListener, tls: Option<Arc<ServerConfig>>, api: Api, shutdown: Shutdown) {
    let limits = ServerLimits {
        request: BODY_WAIT + HANDLING,
        head_bytes: HEAD_BYTES,
        connections: CONNECTIONS,
        ..ServerLimits::default()
    };
    let is_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let router = if is_loopback { loopback_router(api) } else { router(api) };
    server::serve(listener, tls, limits, shutdown, move |request| answer(router.clone(), request)).await;
}

async fn answer(router: Router, request: Request<Incoming>) -> Response<Body> {
    match router.oneshot(request.map(Body::new)).await {
        Ok(reply) => reply,
        Err(never) => match never {},
    }
}
