//! Numbers about the service: runs driven, waiting and held back.

use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use penstock_spec::Timestamp;

use super::work::{HeldState, Work};

/// Numbers about the service. Labels take a few fixed values (T-29).
#[derive(Debug, Clone)]
pub struct ServiceMetrics {
    runs: IntGaugeVec,
    oldest_waiting: Gauge,
    drives: IntCounterVec,
    poll_failures: IntCounterVec,
    leading: IntGauge,
}

impl ServiceMetrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Result<ServiceMetrics, prometheus::Error> {
        let metrics = ServiceMetrics {
            runs: IntGaugeVec::new(
                Opts::new(
                    "penstock_driver_runs",
                    "Runs that are to be driven, by state: driven, waiting for room, retrying after a failure, \
                     quarantined, unreadable.",
                ),
                &["state"],
            )?,
            oldest_waiting: Gauge::new(
                "penstock_driver_oldest_waiting_run_seconds",
                "Age of the oldest run that waits for room.",
            )?,
            drives: IntCounterVec::new(
                Opts::new("penstock_driver_drives_total", "Times that a run was taken up, by how that ended."),
                &["result"],
            )?,
            poll_failures: IntCounterVec::new(
                Opts::new("penstock_driver_poll_failures_total", "Polls for runs to drive that failed, by cause."),
                &["cause"],
            )?,
            leading: IntGauge::new("penstock_driver_leading", "1 while this process drives runs, else 0.")?,
        };
        registry.register(Box::new(metrics.runs.clone()))?;
        registry.register(Box::new(metrics.oldest_waiting.clone()))?;
        registry.register(Box::new(metrics.drives.clone()))?;
        registry.register(Box::new(metrics.poll_failures.clone()))?;
        registry.register(Box::new(metrics.leading.clone()))?;
        Ok(metrics)
    }

    pub(super) fn show(&self, work: &Work) {
        let held = work.held();
        let quarantined = held.values().filter(|run| run.state == HeldState::Quarantined).count();
        let set = |state: &str, count: usize| {
            self.runs.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("driven", work.driven().len());
        set("waiting", work.waiting());
        set("retrying", held.len() - quarantined);
        set("quarantined", quarantined);
        set("unreadable", work.unreadable().len());
        self.oldest_waiting.set(work.oldest_waiting(Timestamp::now()).as_secs_f64());
    }

    pub(super) fn drive_ended(&self, result: &'static str) {
        self.drives.with_label_values(&[result]).inc();
    }

    pub(super) fn poll_failed(&self) {
        self.poll_failures.with_label_values(&["store"]).inc();
    }

    pub(super) fn set_leading(&self, leading: bool) {
        self.leading.set(i64::from(leading));
    }
}
