//! Metrics of the webhook, all named `penstock_webhook_…`.

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, core::Collector,
};

use crate::review::{Answer, ReviewResult};

/// Seconds; an answer is expected within a few milliseconds.
const LATENCY_BUCKETS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// What the webhook counts. Clones count together.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    admissions: IntCounterVec,
    latency: Histogram,
    pub(crate) in_flight: IntGauge,
    certificate_expiry: GaugeVec,
    pub(crate) bundle_repairs: IntCounter,
    pub(crate) settings_namespaces: IntGauge,
    pub(crate) settings_last_event: Gauge,
    pub(crate) entry_image_volume: IntGauge,
}

/// Which certificate a time of expiry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateKind {
    Leaf,
    Authority,
}

impl WebhookMetrics {
    /// Registers them. Fails when they are registered already.
    pub fn new(registry: &Registry) -> Result<WebhookMetrics, prometheus::Error> {
        let admissions = IntCounterVec::new(
            Opts::new("penstock_webhook_admissions_total", "Admission reviews, by result."),
            &["result"],
        )?;
        for result in ReviewResult::ALL {
            admissions.with_label_values(&[result.label()]);
        }
        let latency = HistogramOpts::new(
            "penstock_webhook_admission_seconds",
            "From the head of an admission review until its answer is ready.",
        );
        let metrics = WebhookMetrics {
            admissions,
            latency: Histogram::with_opts(latency.buckets(LATENCY_BUCKETS.to_vec()))?,
            in_flight: IntGauge::new(
                "penstock_webhook_admissions_in_flight",
                "Admission reviews that are being answered.",
            )?,
            certificate_expiry: GaugeVec::new(
                Opts::new(
                    "penstock_webhook_certificate_expiry_timestamp_seconds",
                    "When a certificate expires: the leaf that is served, and the authority that signed it.",
                ),
                &["certificate"],
            )?,
            bundle_repairs: IntCounter::new(
                "penstock_webhook_ca_bundle_writes_total",
                "How often the caBundle of the webhook's configuration was not as it ought to be, and was written.",
            )?,
            settings_namespaces: IntGauge::new(
                "penstock_webhook_settings_namespaces",
                "Namespaces whose settings are known.",
            )?,
            settings_last_event: Gauge::new(
                "penstock_webhook_settings_last_event_timestamp_seconds",
                "When the watch of the namespaces' settings last gave a sign of life.",
            )?,
            entry_image_volume: IntGauge::new(
                "penstock_webhook_entry_image_volume",
                "Whether new Pods get the entry by an image volume (1) or as a copy (0).",
            )?,
        };
        metrics.register(registry)?;
        Ok(metrics)
    }

    fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let collectors: [Box<dyn Collector>; 8] = [
            Box::new(self.admissions.clone()),
            Box::new(self.latency.clone()),
            Box::new(self.in_flight.clone()),
            Box::new(self.certificate_expiry.clone()),
            Box::new(self.bundle_repairs.clone()),
            Box::new(self.settings_namespaces.clone()),
            Box::new(self.settings_last_event.clone()),
            Box::new(self.entry_image_volume.clone()),
        ];
        collectors.into_iter().try_for_each(|collector| registry.register(collector))
    }

    pub(crate) fn answered(&self, answer: &Answer, seconds: f64) {
        self.admissions.with_label_values(&[answer.result.label()]).inc();
        self.latency.observe(seconds);
    }

    /// Reviews with this result.
    pub fn admissions(&self, result: ReviewResult) -> u64 {
        self.admissions.with_label_values(&[result.label()]).get()
    }

    pub(crate) fn expires(&self, kind: CertificateKind, timestamp: jiff::Timestamp) {
        let label = match kind {
            CertificateKind::Leaf => "leaf",
            CertificateKind::Authority => "authority",
        };
        self.certificate_expiry.with_label_values(&[label]).set(timestamp.as_duration().as_secs_f64());
    }
}
