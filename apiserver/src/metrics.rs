//! Numbers about requests. Labels take the words of closed sets, whatever is sent here (T-29).

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use tokio::sync::Semaphore;

use crate::api::Api;
use crate::error::ApiError;
use crate::router::Public;

/// Seconds: from what a cached row takes to what a request may take at most.
const BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
/// The operation of requests that no route is for.
const NO_OPERATION: &str = "none";

/// The name of the operation that answered, left with the reply by its route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation(pub(crate) &'static str);

/// Numbers about requests.
#[derive(Debug)]
pub(crate) struct ApiMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    in_flight: IntGauge,
}

impl ApiMetrics {
    /// Registers them; `rooms` are what answers that come over time take from, and how much there is of each.
    pub(crate) fn new(registry: &Registry, rooms: Vec<(Arc<Semaphore>, usize)>) -> Result<Self, prometheus::Error> {
        let requests = Opts::new(
            "penstock_api_requests_total",
            "Requests, by method, operation (as in the OpenAPI document) and how they ended: ok, refused (the client's \
             fault), failed (the server's), abandoned (the client went away).",
        );
        let seconds = HistogramOpts::new(
            "penstock_api_request_seconds",
            "Time from the head of a request until that of its reply, by operation.",
        );
        let metrics = Self {
            requests: IntCounterVec::new(requests, &["method", "operation", "result"])?,
            seconds: HistogramVec::new(seconds.buckets(BUCKETS.into()), &["operation"])?,
            in_flight: IntGauge::new("penstock_api_requests_in_flight", "Requests that are being handled.")?,
        };
        let open = IntGauge::new("penstock_api_streams", "Logs, artifacts and event streams that are being sent.")?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(OpenStreams { gauge: open, rooms }))?;
        Ok(metrics)
    }
}

/// How much of the room for streams is taken, looked up when it is asked for.
struct OpenStreams {
    gauge: IntGauge,
    rooms: Vec<(Arc<Semaphore>, usize)>,
}

impl Collector for OpenStreams {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let open: usize = self.rooms.iter().map(|(room, all)| all.saturating_sub(room.available_permits())).sum();
        self.gauge.set(i64::try_from(open).unwrap_or(i64::MAX));
        self.gauge.collect()
    }
}

/// A request that is being counted. When its handling is given up, it ends here all the same.
struct Counted<'a> {
    metrics: &'a ApiMetrics,
    method: &'static str,
    operation: &'static str,
    result: &'static str,
    begun: Instant,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        self.metrics.requests.with_label_values(&[self.method, self.operation, self.result]).inc();
        self.metrics.seconds.with_label_values(&[self.operation]).observe(self.begun.elapsed().as_secs_f64());
    }
}

/// Counts a request.
pub(crate) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (metrics, method) = (api.metrics(), method(request.method()));
    metrics.in_flight.inc();
    let (operation, result) = (NO_OPERATION, "abandoned");
    let mut counted = Counted { metrics, method, operation, result, begun: Instant::now() };
    let response = next.run(request).await;
    counted.operation = response.extensions().get::<Operation>().map_or(NO_OPERATION, |operation| operation.0);
    counted.result = result_of(response.status());
    drop(counted);
    response
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// A method that a path does not have is no fault of the server, although its status says so.
fn result_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_IMPLEMENTED => "refused",
        status if status.is_server_error() => "failed",
        status if status.is_client_error() => "refused",
        _ => "ok",
    }
}

/// `GET /metrics`
pub(crate) async fn exposition(Public(api): Public) -> Response {
    match TextEncoder::new().encode_to_string(&api.settings().registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => ApiError::internal(format!("cannot write the metrics: {error}")).into_response(),
    }
}
