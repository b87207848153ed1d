//! Brings a run's state back from its facts.

use std::sync::Arc;

use penstock_engine::{Pipeline, RunState};
use penstock_metastore::Metastore;
use penstock_spec::check::{self, CheckedPipeline};
use penstock_spec::limits::Limits;
use uuid::Uuid;

use crate::error::DriveError;

/// Facts read at a time.
const PAGE: u32 = 4096;

/// A run as its facts left it.
pub struct LoadedRun {
    /// The state.
    pub state: RunState,
    /// Number of facts.
    pub stored: u64,
    /// The compiled pipeline.
    pub pipeline: Arc<Pipeline>,
}

/// Reads a run's pipeline and facts, and folds them.
pub async fn load_state(metastore: &Metastore, run: Uuid) -> Result<LoadedRun, DriveError> {
    let store_failed = |source| DriveError::Metastore { run, source };
    let text = metastore.run_spec(run).await.map_err(store_failed)?.pipeline_text;
    let checked: CheckedPipeline = check::load("pipeline.yaml", text.as_bytes(), &Limits::default())
        .map_err(|source| DriveError::Pipeline { run, source })?;
    let pipeline = Pipeline::compile(&checked);
    let mut state = RunState::new(Arc::clone(&pipeline));
    let mut stored = 0;
    loop {
        let facts = metastore.facts(run, stored, PAGE).await.map_err(store_failed)?;
        let Some(last) = facts.last() else { break };
        stored = last.seq;
        for fact in &facts {
            state.apply(&fact.fact, fact.at).map_err(|source| DriveError::Facts { run, source })?;
        }
    }
    Ok(LoadedRun { state, stored, pipeline })
}
