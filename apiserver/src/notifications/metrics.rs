//! Metrics of notifications. Rules are few and named by the operator, so they may be labels.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// Metrics of notifications.
#[derive(Debug, Clone)]
pub struct NotificationMetrics {
    delivered: IntCounterVec,
    refused: IntCounterVec,
    given_up: IntCounterVec,
    lag: IntGaugeVec,
}

impl NotificationMetrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &["rule"])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let lag = Opts::new("penstock_notifications_lag_changes", "Changes that a rule has not looked at yet");
        let lag = IntGaugeVec::new(lag, &["rule"])?;
        registry.register(Box::new(lag.clone()))?;
        Ok(Self {
            delivered: counter("penstock_notifications_delivered_total", "Notifications that receivers took")?,
            refused: counter("penstock_notifications_refused_total", "Attempts that receivers did not take")?,
            given_up: counter("penstock_notifications_given_up_total", "Notifications that were given up")?,
            lag,
        })
    }

    pub(super) fn delivered(&self, rule: &str) {
        self.delivered.with_label_values(&[rule]).inc();
    }

    pub(super) fn refused(&self, rule: &str) {
        self.refused.with_label_values(&[rule]).inc();
    }

    pub(super) fn given_up(&self, rule: &str) {
        self.given_up.with_label_values(&[rule]).inc();
    }

    pub(super) fn lag(&self, rule: &str, changes: u64) {
        self.lag.with_label_values(&[rule]).set(i64::try_from(changes).unwrap_or(i64::MAX));
    }
}
