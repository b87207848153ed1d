//! The Pod of an attempt: how it is, and what happened to it.

mod schema;

use axum::extract::Path;
use axum::response::Response;
use penstock_engine::task_id;
use penstock_metastore::TaskKind;
use penstock_spec::report::AttemptRef;

use crate::error::{ApiError, ErrorKind};
use crate::live_pods::{FoundPod, WantedPod};
use crate::openapi::Description;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::tasks;
use crate::wire::write::json_text;

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = Requires::Access(Resource::Runs, Verb::Get);
    let summary = "The Pod of an attempt as its cluster tells of it; attempts count from 0";
    routes
        .get("/apis/penstock/v1/runs/{run_id}/tasks/{task_id}/attempts/{attempt}/pod", requires, of_attempt)
        .describe(Description::new("get_attempt_pod", summary).reply(&schema::POD))
}

/// `GET /runs/{run}/tasks/{task}/attempts/{attempt}/pod`: attempts count from 0.
async fn of_attempt(
    access: Access,
    Path((run, task, attempt)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    let answer = look(&access, (&run, &task, &attempt)).await;
    answer.map(json_text).map_err(|error| error.within("Failed to get the Pod of an attempt"))
}

async fn look(access: &Access, (run, task, attempt): (&str, &str, &str)) -> Result<Vec<u8>, ApiError> {
    let number: u32 = attempt.parse().map_err(|_| ApiError::not_found("Attempt", attempt))?;
    let (api, record) = access.run(run).await?;
    let row = tasks::find(&api, &record.row, task).await?.row;
    let run_id = record.row.info.id;
    let about = format!("attempt {number} of task {} of run {run_id}", row.path);
    let none = |reason: &str| ApiError::new(ErrorKind::NotFound, format!("{about} has no Pod to look at: {reason}"));
    if row.kind != TaskKind::Container {
        return Err(none("the task runs nothing itself; name one within it"));
    }
    match row.attempt {
        None => return Err(none("the task has started nothing")),
        Some(latest) if number > latest => {
            return Err(none(&format!("attempts count from 0, and {latest} is the newest")));
        }
        Some(_) => {}
    }
    let Some(pods) = &api.settings().live_pods else { return Err(none("this server knows no cluster")) };
    let attempt = AttemptRef { run_id, task_id: task_id(run_id, &row.path), attempt: number };
    let found = pods.look(&WantedPod { run: record.row, task_key: row.key, attempt }).await;
    let found = found.map_err(|error| {
        ApiError::new(ErrorKind::Unavailable, format!("cannot look at the Pod of {about}: {error}"))
    })?;
    match found {
        FoundPod::Here(state) => {
            serde_json::to_vec(&state).map_err(|error| ApiError::internal(format!("cannot write the answer: {error}")))
        }
        FoundPod::Absent(reason) => Err(none(reason)),
    }
}
