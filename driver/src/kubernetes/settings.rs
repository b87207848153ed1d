//! Settings of the Kubernetes backend.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::classify::Timeouts;
use super::metrics::KubernetesMetrics;
use super::pod::PodSettings;
use super::volumes::VolumeSettings;

/// How a driver carries attempts out as Pods.
#[derive(Clone)]
pub struct KubernetesSettings {
    /// The API server.
    pub client: kube::Client,
    /// Namespace of runs that name none.
    pub namespace: String,
    /// What each task's Pod gets.
    pub pod: PodSettings,
    /// What volume claims get where a pipeline does not say it.
    pub volumes: VolumeSettings,
    /// Bounds of waits.
    pub timeouts: Timeouts,
    /// Longest time that a request to the API server may take.
    pub request_deadline: Duration,
    /// How often a watch is renewed, in seconds; one that has been silent for 5 s longer is taken for dead.
    pub watch_seconds: u32,
    /// How often all Pods are listed anew, for an event that was never delivered.
    pub relist: Duration,
    /// How long Pods of failed attempts are kept for a look.
    pub keep_failed: Duration,
    /// How long the Pod of an attempt that succeeded may be left, while its run goes on.
    pub linger: Duration,
    /// Longest time that the end of a run waits for the cleaning up after earlier ones.
    pub sweep_limit: Duration,
    /// Pods of one run that may be at work at a time.
    pub concurrency: u32,
    /// Creations of Pods that may be under way at a time.
    pub concurrent_creates: usize,
    /// Whether what carries tasks out sees the files of this machine under the same paths. Pods of a cluster do not.
    pub shares_files: bool,
    /// Where figures are counted; nowhere if absent.
    pub metrics: Option<Arc<KubernetesMetrics>>,
}

impl KubernetesSettings {
    /// Settings with the usual bounds.
    pub fn new(client: kube::Client, namespace: impl Into<String>) -> KubernetesSettings {
        KubernetesSettings {
            client,
            namespace: namespace.into(),
            pod: PodSettings::default(),
            volumes: VolumeSettings::default(),
            timeouts: Timeouts::default(),
            request_deadline: Duration::from_secs(10),
            watch_seconds: 30,
            relist: Duration::from_secs(300),
            keep_failed: Duration::from_secs(60 * 60),
            linger: Duration::from_secs(60),
            sweep_limit: Duration::from_secs(30),
            concurrency: 1000,
            concurrent_creates: 64,
            shares_files: false,
            metrics: None,
        }
    }
}

impl fmt::Debug for KubernetesSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesSettings")
            .field("namespace", &self.namespace)
            .field("pod", &self.pod)
            .field("volumes", &self.volumes)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}
