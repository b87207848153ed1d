//! Runs of recurring runs: what they are made from, and what becomes of them.

use penstock_metastore::{MetastoreError, PipelineVersion, RecurringRun, RecurringSource, RunRegistration, SlotClaim};
use penstock_runtime::logs::chain;
use penstock_spec::Timestamp;
use penstock_spec::run::{CacheOff, CacheRules};
use uuid::Uuid;

use super::refused;
use crate::api::Api;
use crate::caching::{self, CachingError};
use crate::recurring::naming;
use crate::runs::{NewSubmission, SubmissionError};

/// What a run of a recurring run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A slot that is due.
    Due {
        /// Its number.
        index: u64,
        /// Its time.
        at: Timestamp,
    },
    /// A slot that passed without a run. Nobody has counted it.
    Past(Timestamp),
    /// None: somebody wants it now.
    Now,
}

/// What has become of a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has its run.
    Fired,
    /// As many runs as may be are under way.
    Held,
    /// It is no longer to fire here.
    Gone,
}

/// A slot could not fire.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FiringError {
    #[error(transparent)]
    Store(#[from] MetastoreError),
    #[error("its run was refused")]
    Submission(#[source] SubmissionError),
    #[error("its run was not made within {} s", super::FIRING.as_secs())]
    Late,
}

/// Makes the run of a slot, if there is room. One that is refused for good is stored as failed.
pub(super) async fn make(
    api: &Api,
    recurring: RecurringRun,
    (run, name): (Uuid, String),
    slot: Slot,
) -> Result<Outcome, FiringError> {
    let id = recurring.id;
    // The store looks again; this saves the checks of a run that has no room.
    if api.metastore().active_runs_of(id).await? >= u64::from(recurring.max_concurrency) {
        return Ok(Outcome::Held);
    }
    let submission = submission(api, recurring, run, name, slot).await?;
    let made = match api.submission().submit(submission.clone()).await {
        // Tried again, it would hold up all slots behind it for ever.
        Err(error) if refused::is_for_good(&error) => {
            let reason = chain(&error);
            tracing::error!(
                recurring_run.id = %id, run.id = %run, slot = ?slot, error = reason,
                "the run of a recurring run was refused; it is stored as failed, and the next slots go on"
            );
            refused::store(api, submission, reason).await.map_err(SubmissionError::Metastore)
        }
        made => made,
    };
    match made {
        Ok(()) => Ok(Outcome::Fired),
        Err(SubmissionError::Metastore(MetastoreError::SlotTaken { .. })) => Ok(Outcome::Gone),
        Err(SubmissionError::Metastore(error)) => Err(FiringError::Store(error)),
        Err(error) => Err(FiringError::Submission(error)),
    }
}

/// The version that a recurring run follows. Whoever reads why there is none knows the pipeline alone.
async fn latest_version(api: &Api, pipeline: Uuid) -> Result<PipelineVersion, MetastoreError> {
    match api.metastore().latest_version(pipeline).await {
        Err(MetastoreError::NotFound { id, .. }) => {
            // That is what is missing if it was deleted.
            api.metastore().pipeline(pipeline).await?;
            Err(MetastoreError::NotFound { kind: "version of pipeline", id })
        }
        found => found,
    }
}

/// A run of a recurring run.
pub(crate) async fn submission(
    api: &Api,
    recurring: RecurringRun,
    id: Uuid,
    display_name: String,
    slot: Slot,
) -> Result<NewSubmission, MetastoreError> {
    let (fired_before, revision, refused) = (recurring.fired, recurring.revision, None);
    let (parameters, scheduled_at, claim) = match slot {
        Slot::Due { index, at } => {
            let claim = SlotClaim::Due { fired_before, revision, slot: at, refused };
            (naming::with_index(recurring.parameters, index), Some(at), Some(claim))
        }
        Slot::Past(at) => (recurring.parameters, Some(at), Some(SlotClaim::Past { slot: at, refused })),
        Slot::Now => (recurring.parameters, None, None),
    };
    let (pipeline_text, pipeline, version) = match recurring.source {
        RecurringSource::Version { pipeline, version, text } => (text, Some(pipeline), Some(version)),
        RecurringSource::Inline(text) => (text, None, None),
        RecurringSource::Latest(pipeline) => {
            let latest = latest_version(api, pipeline).await?;
            (latest.pipeline_text, Some(pipeline), Some(latest.id))
        }
    };
    let registration = RunRegistration {
        experiment: Some(recurring.experiment),
        description: String::new(),
        pipeline,
        version,
        recurring_run: Some(recurring.id),
        pipeline_root: recurring.pipeline_root.clone(),
        plugins_input: recurring.plugins_input,
        slot: claim,
    };
    let cache = match caching::rules(api, &registration).await {
        Ok(rules) => rules,
        Err(CachingError::Store(error)) => return Err(error),
        // Checked when it was created, unless an earlier build did that: nothing old is taken then.
        Err(CachingError::Wish(_)) => CacheRules { off: Some(CacheOff::Run), ..CacheRules::default() },
    };
    Ok(NewSubmission {
        id,
        pipeline_text,
        parameters,
        display_name,
        namespace: recurring.namespace,
        pipeline_root: Some(recurring.pipeline_root).filter(|root| !root.is_empty()),
        service_account: recurring.service_account,
        scheduled_at,
        cache,
        registration,
    })
}
