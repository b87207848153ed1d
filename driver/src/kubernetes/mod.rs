//! The Kubernetes backend: attempts are Pods, which the webhook gives a launcher. The driver goes on when the launcher's
//! report appears on the Pod, without waiting for its phase.

mod accounts;
mod api;
mod attempt;
mod backend;
mod backoff;
mod classify;
mod cleanup;
mod everywhere;
mod failure;
mod identity;
mod logs;
mod metrics;
mod namespace;
mod pod;
mod pod_state;
mod requests;
mod run;
mod settings;
mod shape;
mod signs;
mod support;
mod view;
mod volumes;
mod watch;
mod witness;
mod workspace_mount;

use std::fmt;
use std::sync::{Arc, Mutex};

use penstock_spec::plan::PlanWorkspace;
use penstock_spec::run::RunInfo;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use accounts::{TaskAccount, TaskAccountError};
pub use classify::Timeouts;
pub use cleanup::{SweepError, Swept};
pub use logs::{FollowedLog, LogNews, LogSoFar, PodLog, PodLogError, PodStanding, pod_standings};
pub use metrics::KubernetesMetrics;
pub use namespace::NamespaceSettingsError;
pub use penstock_spec::settings::RunAs;
pub use pod::{CaBundle, PodSettings};
pub use pod_state::PodStateError;
pub use settings::KubernetesSettings;
pub use shape::{PlatformError, PlatformErrors};
pub use support::{UnsupportedSetting, UnsupportedSettings, unsupported_settings};
pub use volumes::{ACCESS_MODES, ClaimError, VolumeSettings};

pub(crate) use accounts::access_review;
pub(crate) use backend::KubernetesBackend;
pub(crate) use cleanup::{RunStanding, remove_kept, sweep};
pub(crate) use everywhere::namespaces_of_pods;
pub(crate) use failure::RequestError;
pub(crate) use identity::without_finalizer;
pub(crate) use namespace::{is_prepared, of_runs};
pub(crate) use pod_state::read as read_pod_state;
pub(crate) use run::RunPods;
pub(crate) use shape::check_submission;
pub(crate) use view::View;
pub(crate) use volumes::{ClaimApi, remove_workspace, sweep_workspaces};

use api::PodApi;
use namespace::TaskSettingsCache;
use requests::Requests;
use run::Reasons;
use watch::{Periods, PodWatches};

/// Requests that clean up, at a time: fewer than creations, which somebody waits for.
const CONCURRENT_CLEANUPS: usize = 16;

/// What all runs of a process share that are carried out on one cluster.
pub(crate) struct KubernetesHost {
    settings: Arc<KubernetesSettings>,
    metrics: Arc<KubernetesMetrics>,
    watches: PodWatches,
    creates: Semaphore,
    cleanups: Semaphore,
    reasons: Arc<Reasons>,
    tasks: TaskSettingsCache,
    /// What goes on behind attempts that have ended.
    witnesses: Mutex<JoinSet<()>>,
}

impl KubernetesHost {
    pub(crate) fn new(settings: KubernetesSettings) -> Result<KubernetesHost, prometheus::Error> {
        let metrics = match &settings.metrics {
            Some(metrics) => Arc::clone(metrics),
            None => Arc::new(KubernetesMetrics::unregistered()?),
        };
        let periods = Periods { watch_seconds: settings.watch_seconds.max(1), relist: settings.relist };
        Ok(KubernetesHost {
            watches: PodWatches::new(periods, Arc::clone(&metrics)),
            creates: Semaphore::new(settings.concurrent_creates.max(1)),
            cleanups: Semaphore::new(CONCURRENT_CLEANUPS),
            reasons: Arc::default(),
            tasks: TaskSettingsCache::default(),
            witnesses: Mutex::default(),
            settings: Arc::new(settings),
            metrics,
        })
    }

    /// Namespace of runs that name none.
    pub(crate) fn default_namespace(&self) -> &str {
        &self.settings.namespace
    }

    /// Whether tasks see the files of this machine.
    pub(crate) fn shares_files(&self) -> bool {
        self.settings.shares_files
    }

    /// Whether user code is given authorities of the installation.
    pub(crate) fn has_authorities(&self) -> bool {
        self.settings.pod.ca_bundle.is_some()
    }

    /// Whether a run's workspace can be asked for.
    pub(crate) fn check_workspace(&self, run: &RunInfo, wanted: &PlanWorkspace) -> Result<(), ClaimError> {
        volumes::of_workspace(run, wanted, &self.settings.volumes).map(drop)
    }

    /// Pods of one run that may be at work at a time.
    pub(crate) fn concurrency(&self) -> u32 {
        self.settings.concurrency
    }

    /// For how long all watches have been silent, where that is too long.
    pub(crate) fn silence(&self) -> Option<std::time::Duration> {
        self.watches.silence()
    }

    /// Longest time that the end of a run waits for the cleaning up after earlier ones.
    pub(crate) fn sweep_limit(&self) -> std::time::Duration {
        self.settings.sweep_limit
    }

    /// What attempts of a run wait for.
    pub(crate) fn reasons(&self, run: uuid::Uuid) -> Vec<(penstock_spec::report::AttemptRef, String)> {
        self.reasons.of_run(run)
    }

    pub(crate) fn pods(&self, namespace: &str) -> PodApi {
        PodApi::new(self.settings.client.clone(), namespace, self.requests())
    }

    pub(crate) fn volume_claims(&self, namespace: &str) -> ClaimApi {
        ClaimApi::new(self.settings.client.clone(), namespace, self.requests())
    }

    fn requests(&self) -> Requests {
        Requests::new(self.settings.request_deadline, Arc::clone(&self.metrics))
    }
}

impl fmt::Debug for KubernetesHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesHost").field("settings", &self.settings).finish_non_exhaustive()
    }
}
