//! A run as its facts leave it, for what the store's lists do not say: the inputs of a task, and what its cache key is
//! made of. Folding takes time and memory, so few runs are folded at a time, and not on the threads that answer.

use penstock_engine::{Pipeline, RunState};
use penstock_metastore::{MAX_PAGE, MetastoreError, StoredFact};
use penstock_runtime::logs::chain;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;

/// Most facts of a run that is folded for a request.
pub(crate) const MOST_FACTS: u64 = 500_000;

/// A run, and the room that it takes.
pub(crate) struct FoldedRun {
    pub(crate) state: RunState,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why a run cannot be folded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldFailure {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] MetastoreError),
    /// It has too many facts.
    #[error("run {run} has {facts} facts, more than the {MOST_FACTS} that are looked at for this")]
    TooLarge { run: Uuid, facts: u64 },
    /// Its pipeline or facts are not understood by this build.
    #[error("run {run} is not understood: {reason}")]
    Foreign { run: Uuid, reason: String },
}

impl From<FoldFailure> for ApiError {
    fn from(failure: FoldFailure) -> Self {
        match failure {
            FoldFailure::Store(error) => error.into(),
            FoldFailure::TooLarge { .. } => Self::failed_precondition(failure.to_string()),
            FoldFailure::Foreign { .. } => Self::internal(failure.to_string()),
        }
    }
}

/// Reads a run and folds it.
pub(crate) async fn fold(api: &Api, run: Uuid) -> Result<FoldedRun, FoldFailure> {
    let foreign = |reason: String| FoldFailure::Foreign { run, reason };
    let room = api.fold_room().await;
    let store = api.metastore();
    let facts = store.run(run).await?.fact_count;
    if facts > MOST_FACTS {
        return Err(FoldFailure::TooLarge { run, facts });
    }
    let text = store.run_spec(run).await?.pipeline_text;
    let begin = move || {
        let checked =
            check::load("pipeline.yaml", text.as_bytes(), &Limits::default()).map_err(|error| chain(&error))?;
        Ok::<_, String>(RunState::new(Pipeline::compile(&checked)))
    };
    let mut state = aside(begin).await.map_err(foreign)?;
    loop {
        let facts = store.facts(run, state.fact_count(), MAX_PAGE).await?;
        let is_last = facts.len() < MAX_PAGE as usize;
        state = aside(move || apply(state, &facts)).await.map_err(foreign)?;
        if is_last {
            return Ok(FoldedRun { state, _room: room });
        }
    }
}

fn apply(mut state: RunState, facts: &[StoredFact]) -> Result<RunState, String> {
    for StoredFact { fact, at, .. } in facts {
        state.apply(fact, *at).map_err(|error| chain(&error))?;
    }
    Ok(state)
}

/// Computes something on a thread that nobody waits on.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(format!("the work ended early: {error}")),
    }
}
