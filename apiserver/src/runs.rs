//! Runs as the API knows them: what a client hands in, and what it is shown.

pub(crate) mod plugins;
pub(crate) mod schema;
pub(crate) mod view;

use async_trait::async_trait;
use penstock_metastore::{RunRegistration, RunRow};
use penstock_spec::Timestamp;
use penstock_spec::run::CacheRules;
use serde_json::{Map, Value};
use uuid::Uuid;

/// A run that a client wants, with everything that the API could settle.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// Its identity.
    pub id: Uuid,
    /// The pipeline's text.
    pub pipeline_text: String,
    /// Parameters as given.
    pub parameters: Map<String, Value>,
    /// Name for people.
    pub display_name: String,
    /// Namespace; empty on one machine.
    pub namespace: String,
    /// Pipeline root, if the client names one.
    pub pipeline_root: Option<String>,
    /// KFP's service account.
    pub service_account: String,
    /// The slot that the run is for; now when absent.
    pub scheduled_at: Option<Timestamp>,
    /// What decides about results from the cache, beside the tasks.
    pub cache: CacheRules,
    /// What the run belongs to.
    pub registration: RunRegistration,
}

/// Why a run is not made.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// The pipeline cannot be run.
    #[error("{0}")]
    Pipeline(String),
    /// The parameters do not fit the pipeline.
    #[error("{0}")]
    Parameters(String),
    /// What the run asks for is not there or not supported: the text says what to change.
    #[error("{0}")]
    Refused(String),
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed.
    #[error(transparent)]
    Metastore(#[from] penstock_metastore::MetastoreError),
}

/// Makes runs. What carries them out knows what a run needs, which the API does not.
#[async_trait]
pub trait Submission: Send + Sync + std::fmt::Debug + 'static {
    /// Checks a run and stores it; it starts by itself.
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError>;

    /// Whether a run that has ended may have left something outside of the store, to be looked at. When it is deleted, what
    /// carries runs out removes that, and then the run.
    fn leaves_traces(&self, _run: &RunRow) -> bool {
        false
    }
}
