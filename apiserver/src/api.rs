//! What every request is handled with.

use std::sync::Arc;

use jiff::tz::TimeZone;
use penstock_metastore::{Experiment, Metastore, MetastoreError, StorageState};
use penstock_spec::Timestamp;
use penstock_spec::limits::Limits;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::ApiError;
use crate::listing::TokenKey;
use crate::runs::Submission;
use crate::wire::body::BodyBudget;

/// Name of the experiment of runs that name none. It is there from the start and cannot be deleted.
pub(crate) const DEFAULT_EXPERIMENT: &str = "Default";
const DEFAULT_DESCRIPTION: &str = "All runs created without specifying an experiment will be grouped here.";
/// What a body may take beside the document that it holds.
const BODY_SLACK_BYTES: usize = 1 << 20;

/// What the server is told when it starts.
#[derive(Debug, Clone, Default)]
pub struct ApiSettings {
    /// The server's own namespace; empty on one machine. All that is created belongs to it.
    pub namespace: String,
    /// Version of this build, as it is told to clients.
    pub version: String,
    /// Commit of this build, as it is told to clients.
    pub commit: String,
    /// Caps on documents and values.
    pub limits: Limits,
    /// Names under which a server on a loopback address may be asked, beside those of the machine itself.
    pub hosts: Vec<String>,
    /// The time zone of cron expressions; UTC when absent.
    pub schedule_zone: Option<TimeZone>,
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
}

impl Api {
    /// Makes the server ready; sees to it that the default experiment exists.
    pub async fn new(
        settings: ApiSettings,
        metastore: Metastore,
        submission: Arc<dyn Submission>,
    ) -> Result<Self, MetastoreError> {
        let (token_key, bodies) = (TokenKey::random(), BodyBudget::default());
        let schedules = Notify::new();
        let api = Self(Arc::new(Shared { settings, metastore, submission, token_key, bodies, schedules }));
        api.ensure_default_experiment().await?;
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

    /// The namespace of everything: whatever a request says of one is not believed.
    pub(crate) fn namespace(&self) -> &str {
        &self.0.settings.namespace
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

    /// Room for bodies.
    pub(crate) fn bodies(&self) -> &BodyBudget {
        &self.0.bodies
    }

    /// Most bytes of one body.
    pub(crate) fn body_limit(&self) -> usize {
        self.limits().document_bytes.saturating_add(BODY_SLACK_BYTES)
    }
}
