//! Metrics of the garbage collection of runs.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Metrics of the garbage collection of runs.
#[derive(Debug, Clone)]
pub struct RetentionMetrics {
    archived: IntCounter,
    deleted: IntCounter,
    passes: IntCounterVec,
}

impl RetentionMetrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let passes = Opts::new(
            "penstock_runs_gc_passes_total",
            "Passes of the garbage collection of runs, by how they ended: done, unfinished (out of time), failed",
        );
        let metrics = Self {
            archived: IntCounter::new(
                "penstock_runs_gc_archived_total",
                "Runs that were archived because they ended long enough ago",
            )?,
            deleted: IntCounter::new(
                "penstock_runs_gc_deleted_total",
                "Runs that were deleted because they were archived long enough ago",
            )?,
            passes: IntCounterVec::new(passes, &["result"])?,
        };
        registry.register(Box::new(metrics.archived.clone()))?;
        registry.register(Box::new(metrics.deleted.clone()))?;
        registry.register(Box::new(metrics.passes.clone()))?;
        Ok(metrics)
    }

    pub(super) fn archived(&self, runs: u64) {
        self.archived.inc_by(runs);
    }

    pub(super) fn deleted(&self, runs: u64) {
        self.deleted.inc_by(runs);
    }

    pub(super) fn passed(&self, result: &str) {
        self.passes.with_label_values(&[result]).inc();
    }
}
