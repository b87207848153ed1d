//! Finds out what tasks of earlier runs took as inputs: runs of builds that did not record it. Their facts have it.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_engine::RunState;
use penstock_metastore::{MAX_TASK_INPUTS, TaskInput};
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use uuid::Uuid;

use crate::api::Api;
use crate::folded::{self, FoldFailure};

/// Runs that are looked for at a time; more than can be in trouble before the others are no longer seen.
const AT_A_TIME: u32 = 1000;
/// Pause between two runs: whoever is asked meanwhile comes first.
const PAUSE: Duration = Duration::from_millis(20);
/// Pause after a failure of the store.
const TROUBLE: Duration = Duration::from_secs(30);

/// Works until there is no such run any more, or the end is asked for.
pub async fn run(api: Api, shutdown: Shutdown) {
    tokio::select! {
        () = fill_all(&api) => {}
        () = shutdown.requested() => {}
    }
}

async fn fill_all(api: &Api) {
    let mut given_up = BTreeSet::new();
    let mut filled = 0_u64;
    loop {
        let runs = match api.metastore().runs_without_inputs(None, AT_A_TIME).await {
            Ok(runs) => runs,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot look for runs whose inputs are not recorded; trying again");
                tokio::time::sleep(TROUBLE).await;
                continue;
            }
        };
        let waiting: Vec<Uuid> = runs.into_iter().filter(|run| !given_up.contains(run)).collect();
        if waiting.is_empty() {
            if filled > 0 {
                tracing::info!(runs = filled, "what tasks of earlier runs took is recorded");
            }
            return;
        }
        for run in waiting {
            match fill(api, run).await {
                Ok(()) => filled += 1,
                Err(FoldFailure::Store(error)) => {
                    tracing::warn!(run.id = %run, error = %chain(&error), "cannot record what tasks took; trying again");
                    tokio::time::sleep(TROUBLE).await;
                }
                Err(error) => {
                    tracing::info!(run.id = %run, error = %error, "what tasks of an earlier run took stays unknown");
                    given_up.insert(run);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Records what the tasks of one run took. What one that is under way takes from now on is recorded as it happens.
async fn fill(api: &Api, run: Uuid) -> Result<(), FoldFailure> {
    let inputs = folded::look_once(api, run, |_, state| inputs_of(state)).await?;
    api.metastore().fill_inputs(run, inputs).await?;
    Ok(())
}

fn inputs_of(state: &RunState) -> Vec<TaskInput> {
    let mut inputs = Vec::new();
    for view in state.nodes() {
        let Some(taken_at) = view.started_at.filter(|_| view.is_executed()) else { continue };
        let artifacts = view.input_artifacts(MAX_TASK_INPUTS).into_iter();
        let node = view.id;
        inputs.extend(artifacts.map(|(input, position, artifact)| TaskInput {
            node,
            input,
            position,
            artifact,
            taken_at,
        }));
    }
    inputs
}
