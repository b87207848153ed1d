//! What every request is handled with.

use std::sync::Arc;

use jiff::tz::TimeZone;
use penstock_metastore::{Experiment, Metastore, MetastoreError, StorageState};
use penstock_objectstore::{LinkEndpoint, Stores};
use penstock_spec::Timestamp;
use penstock_spec::limits::Limits;
use prometheus::Registry;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::auth::AccessSettings;
use crate::caching::CachePolicy;
use crate::dashboard::Dashboard;
use crate::error::{ApiError, ErrorKind};
use crate::feed::Feed;
use crate::folded::HeldRuns;
use crate::import::Importer;
use crate::listing::TokenKey;
use crate::live_logs::LiveLogs;
use crate::live_pods::LivePods;
use crate::metrics::ApiMetrics;
use crate::notifications::NotificationRules;
use crate::runs::Submission;
use crate::system::{Check, Examined, SystemChecks};
use crate::wire::body::BodyBudget;

/// Name of the experiment of runs that name none. It is there from the start and cannot be deleted.
pub(crate) const DEFAULT_EXPERIMENT: &str = "Default";
const DEFAULT_DESCRIPTION: &str = "All runs created without specifying an experiment will be grouped here.";
/// What a body may take beside the document that it holds.
const BODY_SLACK_BYTES: usize = 1 << 20;

/// Logs and artifacts that are sent at once; with the event streams, fewer than there are connections, so that other
/// requests find room.
pub(crate) const STREAMS: usize = 768;
/// Streams of events at once. Each waits most of the time, and holds next to nothing.
pub(crate) const EVENT_STREAMS: usize = 2048;
/// Runs that are folded from the beginning at once.
const FOLDS: usize = 2;

/// What the server is told when it starts.
#[derive(Debug, Clone, Default)]
pub struct ApiSettings {
    /// Under which everything is kept where namespaces of requests do not count. It stays the same wherever runs go: what
    /// was kept under another would be lost to sight.
    pub namespace: String,
    /// The namespace of runs that name none, and of the rights to what lies in no namespace; empty on one machine.
    pub own_namespace: String,
    /// Version of this build, as it is told to clients.
    pub version: String,
    /// Commit of this build, as it is told to clients.
    pub commit: String,
    /// Caps on documents and values.
    pub limits: Limits,
    /// The time zone of cron expressions; UTC when absent.
    pub schedule_zone: Option<TimeZone>,
    /// Who may ask for what. By default everybody may, for everything.
    pub access: AccessSettings,
    /// Where artifacts and stored logs are read; without it they are not served.
    pub stores: Option<Arc<Stores>>,
    /// Where those who follow links to artifacts reach the stores; where this process does when absent.
    pub link_endpoint: Option<LinkEndpoint>,
    /// Where logs are read that are still being written; without it they are served once they are stored.
    pub live_logs: Option<Arc<dyn LiveLogs>>,
    /// Where Pods of attempts are looked at; without it there are none.
    pub live_pods: Option<Arc<dyn LivePods>>,
    /// What page tokens are authenticated with; without it they end with the process.
    pub token_key: Option<TokenKey>,
    /// Fetches pipelines from URLs; without it none is fetched.
    pub importer: Option<Importer>,
    /// Where numbers about requests are kept; `/metrics` shows all that is in it.
    pub registry: Registry,
    /// Whether runs take results from the cache.
    pub cache: CachePolicy,
    /// Whom to tell what happens; nobody when absent.
    pub notifications: Option<Arc<NotificationRules>>,
    /// The dashboard; by default the one that is in the program.
    pub dashboard: Dashboard,
    /// Looks at what the server itself does not know of the system; nothing does when absent.
    pub system: Option<Arc<dyn SystemChecks>>,
}

/// The server cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ApiSetupError {
    /// The store failed.
    #[error("cannot look for the default experiment")]
    Metastore(#[from] MetastoreError),
    /// The registry has such numbers already.
    #[error("cannot set up metrics")]
    Metrics(#[from] prometheus::Error),
}

/// The state of the server; clones share it.
#[derive(Debug, Clone)]
pub struct Api(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ApiSettings,
    metastore: Metastore,
    submission: Arc<dyn Submission>,
    token_key: TokenKey,
    bodies: BodyBudget,
    /// Told when a recurring run may have become due earlier than it seemed.
    schedules: Notify,
    streams: Arc<Semaphore>,
    metrics: ApiMetrics,
    event_streams: Arc<Semaphore>,
    folds: Arc<Semaphore>,
    held_runs: HeldRuns,
    feed: Feed,
    examined: Examined,
}

impl Api {
    /// Makes the server ready; sees to it that the default experiment exists, unless each namespace has its own experiments.
    pub async fn new(
        settings: ApiSettings,
        metastore: Metastore,
        submission: Arc<dyn Submission>,
    ) -> Result<Self, ApiSetupError> {
        let token_key = settings.token_key.clone().unwrap_or_else(TokenKey::random);
        let bodies = BodyBudget::default();
        let [streams, event_streams, folds] =
            [STREAMS, EVENT_STREAMS, FOLDS].map(|permits| Arc::new(Semaphore::new(permits)));
        let (schedules, feed) = (Notify::new(), Feed::new(metastore.clone()));
        let rooms = vec![(Arc::clone(&streams), STREAMS), (Arc::clone(&event_streams), EVENT_STREAMS)];
        let metrics = ApiMetrics::new(&settings.registry, rooms)?;
        let api = Self(Arc::new(Shared {
            settings,
            metastore,
            submission,
            token_key,
            bodies,
            schedules,
            streams,
            event_streams,
            folds,
            held_runs: HeldRuns::default(),
            feed,
            metrics,
            examined: Examined::default(),
        }));
        if !api.settings().access.is_multi_user() {
            api.ensure_default_experiment().await?;
        }
        Ok(api)
    }

    /// The experiment of runs that name none; it is made again if somebody removed it from the store.
    pub(crate) async fn default_experiment(&self) -> Result<Uuid, ApiError> {
        let found = self.metastore().experiment_by_name(self.namespace(), DEFAULT_EXPERIMENT).await;
        match found.map_err(|error| ApiError::from(error).within("Failed to look for the default experiment"))? {
            Some(experiment) => Ok(experiment.id),
            None => Ok(self.ensure_default_experiment().await?.id),
        }
    }

    async fn ensure_default_experiment(&self) -> Result<Experiment, MetastoreError> {
        let experiment = Experiment {
            id: Uuid::new_v4(),
            namespace: self.namespace().to_owned(),
            name: DEFAULT_EXPERIMENT.to_owned(),
            description: DEFAULT_DESCRIPTION.to_owned(),
            created_at: Timestamp::now(),
            storage_state: StorageState::Available,
            last_run_created_at: None,
        };
        self.metastore().ensure_experiment(experiment).await
    }

    /// The store.
    pub(crate) fn metastore(&self) -> &Metastore {
        &self.0.metastore
    }

    /// What makes runs.
    pub(crate) fn submission(&self) -> &dyn Submission {
        &*self.0.submission
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    /// The server's own namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.0.settings.namespace
    }

    /// The namespace of runs that name none, and of the rights to what lies in no namespace.
    pub(crate) fn own_namespace(&self) -> &str {
        &self.0.settings.own_namespace
    }

    /// Caps on documents and values.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// What tokens are authenticated with.
    pub(crate) fn token_key(&self) -> &TokenKey {
        &self.0.token_key
    }

    /// The time zone of cron expressions.
    pub(crate) fn schedule_zone(&self) -> TimeZone {
        self.settings().schedule_zone.clone().unwrap_or(TimeZone::UTC)
    }

    /// Told when a recurring run may have become due earlier than it seemed. One that was told so while nobody waited is not
    /// lost.
    pub(crate) fn schedule_changes(&self) -> &Notify {
        &self.0.schedules
    }

    /// Numbers about requests.
    pub(crate) fn metrics(&self) -> &ApiMetrics {
        &self.0.metrics
    }

    /// Room for bodies.
    pub(crate) fn bodies(&self) -> &BodyBudget {
        &self.0.bodies
    }

    /// Room for an answer that comes over time; it is given back with what is returned.
    pub(crate) fn stream_room(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.0.streams).try_acquire_owned().map_err(|_| {
            let text = format!("{STREAMS} logs and artifacts are being sent already; try again later");
            ApiError::new(ErrorKind::Unavailable, text)
        })
    }

    /// Room for a stream of events.
    pub(crate) fn event_room(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.0.event_streams).try_acquire_owned().map_err(|_| {
            let text = format!("{EVENT_STREAMS} streams of events are being sent already; try again later");
            ApiError::new(ErrorKind::Unavailable, text)
        })
    }

    /// Room to fold a run; whoever waits for it is served in turn.
    pub(crate) async fn fold_room(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.0.folds).acquire_owned().await.ok()
    }

    /// Runs that are kept folded.
    pub(crate) fn held_runs(&self) -> &HeldRuns {
        &self.0.held_runs
    }

    /// What changes in all runs.
    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// How the system stands.
    pub(crate) async fn checks(&self) -> Arc<[Check]> {
        self.0.examined.checks(self.metastore(), self.settings().system.as_deref()).await
    }

    /// Most bytes of one body.
    pub(crate) fn body_limit(&self) -> usize {
        self.limits().document_bytes.saturating_add(BODY_SLACK_BYTES)
    }
}
