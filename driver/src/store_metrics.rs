//! Metrics of the object stores of one process. Label sets are closed (T-29).

use penstock_objectstore::{ErrorKind, Operation, StoreObserver};
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// What a process asks of S3. Launchers ask on their own, in their Pods.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    requests: IntCounterVec,
    errors: IntCounterVec,
    received: IntCounter,
    sent: IntCounter,
}

impl StoreMetrics {
    /// Registers them. Fails if the registry has them already.
    pub fn new(registry: &Registry) -> Result<StoreMetrics, prometheus::Error> {
        let metrics = StoreMetrics {
            requests: IntCounterVec::new(
                Opts::new(
                    "penstock_objectstore_requests_total",
                    "Requests of this process to object stores, by operation; launchers have none of their own here.",
                ),
                &["operation"],
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "penstock_objectstore_errors_total",
                    "Requests of this process to object stores that failed, by operation and reason.",
                ),
                &["operation", "reason"],
            )?,
            received: IntCounter::new(
                "penstock_objectstore_received_bytes_total",
                "Bytes of objects that this process read from object stores; what launchers read is not in it.",
            )?,
            sent: IntCounter::new(
                "penstock_objectstore_sent_bytes_total",
                "Bytes of objects that this process wrote to object stores; what launchers wrote is not in it.",
            )?,
        };
        for operation in Operation::ALL {
            metrics.requests.with_label_values(&[operation.name()]);
            metrics.errors.with_label_values(&[operation.name(), word(ErrorKind::Unavailable)]);
        }
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.received.clone()))?;
        registry.register(Box::new(metrics.sent.clone()))?;
        Ok(metrics)
    }
}

impl StoreObserver for StoreMetrics {
    fn called(&self, operation: Operation) {
        self.requests.with_label_values(&[operation.name()]).inc();
    }

    fn failed(&self, operation: Operation, kind: ErrorKind) {
        self.errors.with_label_values(&[operation.name(), word(kind)]).inc();
    }

    fn received(&self, bytes: u64) {
        self.received.inc_by(bytes);
    }

    fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }
}

/// A reason, as a label's value.
fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "not_found",
        ErrorKind::Denied => "denied",
        ErrorKind::Invalid => "invalid",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Full => "full",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Incomplete => "incomplete",
    }
}
