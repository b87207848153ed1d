//! Metrics of the Kubernetes backend. Label sets are closed.

use std::time::Duration;

use penstock_spec::report::FailureCause;
use prometheus::{Gauge, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Buckets of the time from a report to what it starts, in seconds.
const HOP_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Buckets of the time that a request to the API server takes, in seconds.
const REQUEST_BUCKETS: [f64; 10] = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// All causes of failures.
const CAUSES: [FailureCause; 9] = [
    FailureCause::User,
    FailureCause::Timeout,
    FailureCause::Output,
    FailureCause::Input,
    FailureCause::Refused,
    FailureCause::Infrastructure,
    FailureCause::Interrupted,
    FailureCause::Canceled,
    FailureCause::Upstream,
];

/// Metrics of the Kubernetes backend of one process.
#[derive(Debug, Clone)]
pub struct KubernetesMetrics {
    pods: IntGaugeVec,
    hop: Histogram,
    reports: IntCounterVec,
    ends: IntCounterVec,
    retries: IntCounterVec,
    contradictions: IntCounterVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    watch_age: Gauge,
    watch_failures: IntCounterVec,
    queued: IntGaugeVec,
}

impl KubernetesMetrics {
    /// Metrics of a registry. Fails if the registry has them already.
    pub fn new(registry: &Registry) -> Result<KubernetesMetrics, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let hop = Histogram::with_opts(
            HistogramOpts::new(
                "penstock_driver_hop_seconds",
                "Time from seeing a task's report to sending the first Pod that it makes possible.",
            )
            .buckets(HOP_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(hop.clone()))?;
        let request_seconds = HistogramVec::new(
            HistogramOpts::new(
                "penstock_driver_api_request_seconds",
                "Time that requests of the driver to the API server took.",
            )
            .buckets(REQUEST_BUCKETS.to_vec()),
            &["verb"],
        )?;
        registry.register(Box::new(request_seconds.clone()))?;
        let watch_age = Gauge::new(
            "penstock_driver_watch_age_seconds",
            "Time since the last sign of life, an event or a renewal, of the watch of Pods that is silent for longest; 0 \
                 without any watch.",
        )?;
        registry.register(Box::new(watch_age.clone()))?;
        let metrics = KubernetesMetrics {
            pods: gauges("penstock_driver_pods", "Task Pods by phase.", &["phase"])?,
            hop,
            reports: counters(
                "penstock_driver_reports_total",
                "Reports of launchers by what they say. Attempts that ended without one, or whose report did not hold, are \
                 in penstock_driver_attempts_ended_total only.",
                &["result"],
            )?,
            ends: counters("penstock_driver_attempts_ended_total", "Attempts by how they ended.", &["result"])?,
            retries: counters("penstock_driver_retries_total", "Attempts that follow a failed one.", &["cause"])?,
            contradictions: counters(
                "penstock_driver_contradictions_total",
                "Attempts whose container ended otherwise than their launcher reported.",
                &["reported"],
            )?,
            requests: counters(
                "penstock_driver_api_requests_total",
                "Requests of the driver to the API server.",
                &["verb", "outcome"],
            )?,
            request_seconds,
            watch_age,
            watch_failures: counters("penstock_driver_watch_failures_total", "Failures of watches.", &["kind"])?,
            queued: gauges("penstock_driver_queue_depth", "Requests that wait for their turn.", &["queue"])?,
        };
        metrics.show_zeros();
        Ok(metrics)
    }

    /// A series that appears only with its first event cannot be alerted on.
    fn show_zeros(&self) {
        for phase in ["Pending", "Running", "Succeeded", "Failed", ""] {
            self.pods.with_label_values(&[phase_word(phase)]);
        }
        for queue in ["create", "cleanup"] {
            self.queued.with_label_values(&[queue]);
        }
        for cause in CAUSES {
            self.retries.with_label_values(&[word(cause)]);
        }
        for reported in ["succeeded", "failed"] {
            self.contradictions.with_label_values(&[reported]);
        }
        for result in CAUSES.map(word).iter().chain(&["succeeded"]) {
            self.ends.with_label_values(&[result]);
            self.reports.with_label_values(&[result]);
        }
    }

    /// Metrics that nobody reads.
    pub fn unregistered() -> Result<KubernetesMetrics, prometheus::Error> {
        KubernetesMetrics::new(&Registry::new())
    }

    pub(crate) fn request(&self, verb: &'static str, outcome: &'static str, took: Duration) {
        self.requests.with_label_values(&[verb, outcome]).inc();
        self.request_seconds.with_label_values(&[verb]).observe(took.as_secs_f64());
    }

    pub(crate) fn hop(&self, took: Duration) {
        self.hop.observe(took.as_secs_f64());
    }

    pub(crate) fn reported(&self, result: &'static str) {
        self.reports.with_label_values(&[result]).inc();
    }

    pub(crate) fn ended(&self, result: &'static str) {
        self.ends.with_label_values(&[result]).inc();
    }

    pub(crate) fn retried(&self, cause: FailureCause) {
        self.retries.with_label_values(&[word(cause)]).inc();
    }

    pub(crate) fn contradicted(&self, reported: &'static str) {
        self.contradictions.with_label_values(&[reported]).inc();
    }

    pub(crate) fn watch_failed(&self, kind: &'static str) {
        self.watch_failures.with_label_values(&[kind]).inc();
    }

    pub(crate) fn watch_age(&self, age: Duration) {
        self.watch_age.set(age.as_secs_f64());
    }

    #[cfg(test)]
    pub(crate) fn watch_age_shown(&self) -> f64 {
        self.watch_age.get()
    }

    pub(crate) fn pods(&self, phase: &'static str, change: i64) {
        self.pods.with_label_values(&[phase]).add(change);
    }

    /// Counts one that waits for its turn, until what is given back is dropped.
    pub(crate) fn queued(&self, queue: &'static str) -> Queued {
        let gauge = self.queued.with_label_values(&[queue]);
        gauge.inc();
        Queued(gauge)
    }
}

/// One that waits for its turn.
pub(crate) struct Queued(prometheus::IntGauge);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A cause, as a label's value.
pub(crate) fn word(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::User => "user",
        FailureCause::Timeout => "timeout",
        FailureCause::Output => "output",
        FailureCause::Input => "input",
        FailureCause::Refused => "refused",
        FailureCause::Infrastructure => "infrastructure",
        FailureCause::Interrupted => "interrupted",
        FailureCause::Canceled => "canceled",
        FailureCause::Upstream => "upstream",
    }
}

/// A phase, as a label's value.
pub(crate) fn phase_word(phase: &str) -> &'static str {
    match phase {
        "Pending" => "pending",
        "Running" => "running",
        "Succeeded" => "succeeded",
        "Failed" => "failed",
        _ => "unknown",
    }
}
