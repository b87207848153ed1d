//! A run that goes on from one of its tasks.

use axum::extract::Path;
use penstock_metastore::Command;
use penstock_spec::Timestamp;

use super::runs::command;
use crate::error::ApiError;
use crate::folded;
use crate::openapi::Description;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::tasks;
use crate::wire::Reply;

pub(super) fn routes(routes: Routes) -> Routes {
    const TASK: &str = "/apis/penstock/v1/runs/{run_id}/tasks/{task_id}:retry";
    routes.post(TASK, Requires::Access(Resource::Runs, Verb::Retry), retry_from).describe(Description::new(
        "retry_run_from_task",
        "Let a run that ended go on from a task: it starts anew with all that depends on it",
    ))
}

/// `POST /runs/{run}/tasks/{task}:retry`
async fn retry_from(access: Access, Path((run, task)): Path<(String, String)>) -> Result<Reply, ApiError> {
    ask_to_go_on(&access, &run, &task).await.map_err(|error| error.within("Failed to retry a run from a task"))
}

async fn ask_to_go_on(access: &Access, run: &str, task: &str) -> Result<Reply, ApiError> {
    let (api, record) = access.run(run).await?;
    let node = tasks::find(&api, &record.row, task).await?.row.node;
    if record.pending.is_some() {
        return Err(ApiError::conflict(format!("something else was asked of run {run}, and has not come to pass")));
    }
    match folded::look(&api, &record.row, move |_, state| state.retry_refusal(&[node], Timestamp::now())).await? {
        Some(reason) => Err(ApiError::conflict(reason)),
        None => {
            command(&api, &record, &format!("retry-from-{}", node.0), Command::RetryFrom { from: vec![node] }).await
        }
    }
}
