//! Slots whose runs are refused for good: the run is stored as one that failed, and the next slots go on.
//!
//! What is stored is what the engine itself says of a run whose parameters it refuses.

use penstock_engine::Fact;
use penstock_metastore::{Append, MetastoreError, NewRun, RunUpdate, SlotClaim};
use penstock_spec::Timestamp;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::report::{Failure, FailureCause, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus};
use serde_json::json;

use crate::api::Api;
use crate::runs::{NewSubmission, SubmissionError};

/// Whether the same run would be refused again, however often it is tried.
pub(super) fn is_for_good(error: &SubmissionError) -> bool {
    match error {
        SubmissionError::Pipeline(_) | SubmissionError::Parameters(_) | SubmissionError::Refused(_) => true,
        SubmissionError::Unavailable(_) | SubmissionError::Metastore(_) => false,
    }
}

/// Stores a run that has failed before it began.
pub(super) async fn store(api: &Api, refused: NewSubmission, reason: String) -> Result<(), MetastoreError> {
    let NewSubmission {
        id,
        pipeline_text,
        parameters,
        display_name,
        namespace,
        pipeline_root,
        service_account,
        scheduled_at,
        cache,
        mut registration,
    } = refused;
    if let Some(SlotClaim::Due { refused, .. } | SlotClaim::Past { refused, .. }) = &mut registration.slot {
        *refused = Some(reason.clone());
    }
    let now = Timestamp::now();
    let pipeline_name = name_of(&pipeline_text, api.limits());
    let word: String = id.simple().to_string().chars().take(5).collect();
    let info = RunInfo {
        id,
        name: format!("{pipeline_name}-{word}"),
        display_name,
        pipeline_name,
        namespace: if namespace.is_empty() { api.own_namespace().to_owned() } else { namespace },
        pipeline_root: pipeline_root.unwrap_or_default(),
        created_at: now,
        scheduled_at: scheduled_at.unwrap_or(now),
        caching: cache.off.is_none(),
        workspace: None,
    };
    let options = json!({ "serviceAccount": service_account, "cache": cache });
    let new = NewRun { info: info.clone(), pipeline_text, parameters: parameters.clone(), options, registration };
    let store = api.metastore();
    store.create_run(new).await?;
    let mut append = Append::new(id, store.take_epoch(id).await?, 0);
    let failure = Failure { cause: FailureCause::Input, message: reason.clone() };
    append.facts = vec![
        (Fact::RunStarted { run: info, parameters }, now),
        (Fact::RunEnded { status: RunStatus::Failed, outputs: TaskOutputs::default(), failure: Some(failure) }, now),
    ];
    let (started_at, finished_at) = (Some(now), Some(now));
    append.run_update = Some(RunUpdate { status: RunStatus::Failed, error: Some(reason), started_at, finished_at });
    match store.append(append).await {
        // A driver was faster; it comes to the same end.
        Err(error) if error.is_conflict() => Ok(()),
        done => done.map(drop),
    }
}

fn name_of(pipeline_text: &str, limits: &Limits) -> String {
    match check::load("pipeline.yaml", pipeline_text.as_bytes(), limits) {
        Ok(pipeline) => pipeline.spec.pipeline_info.name.clone(),
        Err(_) => "pipeline".to_owned(),
    }
}
