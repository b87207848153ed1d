//! Requests to the API server: each with a deadline, counted, and its failure understood.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::RequestError;
use super::metrics::KubernetesMetrics;

/// How requests are sent.
#[derive(Clone)]
pub(crate) struct Requests {
    /// Longest time that a request may take.
    deadline: Duration,
    metrics: Arc<KubernetesMetrics>,
}

impl Requests {
    pub(crate) fn new(deadline: Duration, metrics: Arc<KubernetesMetrics>) -> Requests {
        Requests { deadline, metrics }
    }

    /// Sends one, under its verb in the metrics.
    pub(crate) async fn send<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, RequestError> {
        let started = Instant::now();
        let result = match tokio::time::timeout(self.deadline, request).await {
            Ok(result) => result.map_err(RequestError::from),
            Err(_) => Err(RequestError::Passing {
                reason: format!("the API server did not answer within {} s", self.deadline.as_secs_f32()),
                retry_after: None,
            }),
        };
        let outcome = result.as_ref().map_or_else(RequestError::outcome, |_| "ok");
        self.metrics.request(verb, outcome, started.elapsed());
        result
    }
}
