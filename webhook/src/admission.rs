//! Answers requests of the API server. Nothing here waits for anything but the request's own bytes.

use std::sync::Arc;
use std::time::Instant;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use penstock_runtime::server::{self, BodyBudget, BodyError, SMALL_BODY, read_body};
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::{debug, info};

use crate::inject::{Decision, InjectConfig, InjectContext, InjectError, inject};
use crate::metrics::WebhookMetrics;
use crate::nodes::PresentDelivery;
use crate::review::{Answer, ReviewResult, review};
use crate::settings::{Lookup, SettingsMap};

/// Where the API server sends its reviews.
pub const PATH: &str = "/mutate";
/// The most bytes of a review. The API server takes objects of up to 3 MiB, and sends some twice.
const MAX_BODY: usize = 8 << 20;
/// The most bytes of all large reviews that are being read or answered (T-20): anybody in the cluster may send some.
const LARGE_BODIES: usize = 4 * MAX_BODY;
/// Large reviews that are looked into at the same time, whatever the number of processors.
const LARGE_REVIEWS: usize = 2;

/// All that an answer needs.
#[derive(Debug, Clone)]
pub struct Admission {
    config: Arc<InjectConfig>,
    settings: SettingsMap,
    delivery: PresentDelivery,
    metrics: WebhookMetrics,
    bodies: Arc<BodyBudget>,
    large: Arc<Semaphore>,
}

impl Admission {
    /// Answers with this configuration, and with whatever the settings and the way of the entry are at that time.
    pub fn new(
        config: InjectConfig,
        settings: SettingsMap,
        delivery: PresentDelivery,
        metrics: WebhookMetrics,
    ) -> Admission {
        let (bodies, large) = (Arc::new(BodyBudget::new(LARGE_BODIES)), Arc::new(Semaphore::new(LARGE_REVIEWS)));
        Admission { config: Arc::new(config), settings, delivery, metrics, bodies, large }
    }

    /// Answers a request.
    pub async fn handle(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        if request.uri().path() != PATH {
            return server::text_response(StatusCode::NOT_FOUND, format!("served here: {PATH}\n"));
        }
        if request.method() != Method::POST {
            let mut refusal = server::text_response(StatusCode::METHOD_NOT_ALLOWED, "only POST is served here\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return refusal;
        }
        if !is_json(&request) {
            let text = "a review is application/json\n";
            return closing(server::text_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        self.metrics.in_flight.inc();
        let _in_flight = InFlight(&self.metrics);
        let (body, _room) = match read_body(request.into_body(), MAX_BODY, &self.bodies).await {
            Ok(body) => body,
            Err(error @ BodyError::TooLarge { .. }) => {
                return closing(server::text_response(StatusCode::PAYLOAD_TOO_LARGE, format!("{error}\n")));
            }
            Err(error) => {
                debug!(%error, "a review was cut off");
                return closing(server::text_response(StatusCode::BAD_REQUEST, format!("{error}\n")));
            }
        };
        // The semaphore is never closed.
        let _turn = if body.len() > SMALL_BODY { self.large.acquire().await.ok() } else { None };
        let answer = review(&body, |pod, namespace| self.decide(pod, namespace));
        self.metrics.answered(&answer, started.elapsed().as_secs_f64());
        respond(answer)
    }

    fn decide(&self, pod: &Value, namespace: &str) -> Result<Decision, InjectError> {
        let (settings, broken) = match self.settings.get(namespace) {
            Lookup::Known(settings) => (Some(settings), None),
            Lookup::Broken(reason) => (None, Some(reason)),
            Lookup::Unknown => (None, None),
        };
        let (config, settings, delivery) = (&*self.config, settings.as_deref(), self.delivery.get());
        let context = InjectContext { config, namespace, settings, delivery };
        let decision = inject(pod, &context).map_err(|error| match (error, broken) {
            (InjectError::NoSettings { namespace }, Some(reason)) => InjectError::BadSettings { namespace, reason },
            (error, _) => error,
        });
        let name = |key: &str| pod.pointer(key).and_then(Value::as_str).unwrap_or_default();
        let (name, generate_name) = (name("/metadata/name"), name("/metadata/generateName"));
        match &decision {
            Ok(Decision::Patch { operations, .. }) => {
                debug!(namespace, pod.name = name, generate_name, operations = operations.len(), "Pod is injected");
            }
            Ok(Decision::AlreadyInjected) => {
                debug!(namespace, pod.name = name, generate_name, "Pod is injected already");
            }
            Ok(Decision::Skip { reason }) => info!(namespace, pod.name = name, generate_name, reason, "Pod is skipped"),
            Err(error) => info!(namespace, pod.name = name, generate_name, %error, "Pod is denied"),
        }
        decision
    }
}

/// Counts a review until it is answered, or given up.
struct InFlight<'a>(&'a WebhookMetrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

fn is_json(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = match answer.result {
        ReviewResult::Invalid if answer.status != 200 => "text/plain; charset=utf-8",
        _ => "application/json",
    };
    server::response(status, kind, answer.body)
}

/// What is left of the request may still be on its way.
fn closing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
