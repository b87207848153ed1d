//! The task that a path of the API means.

use penstock_engine::task_id;
use penstock_metastore::{Listed, RunRow, TaskKind, TaskRow};
use penstock_spec::pod::pod_name;
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;

/// A task that a client named.
#[derive(Debug)]
pub(crate) struct NamedTask {
    /// The task.
    pub(crate) row: TaskRow,
    /// The attempt, from 0, when the name was that of a Pod.
    pub(crate) attempt: Option<u32>,
}

/// The task that `name` means: its path, its id, or the name of the Pod of one of its attempts.
pub(crate) async fn find(api: &Api, run: &RunRow, name: &str) -> Result<NamedTask, ApiError> {
    let id = run.info.id;
    if let Some(row) = api.metastore().task(id, name).await? {
        return Ok(NamedTask { row, attempt: None });
    }
    let tasks = api.metastore().tasks(id).await?.into_iter().filter_map(Listed::readable);
    let named = |row: TaskRow| match Uuid::try_parse(name) {
        Ok(wanted) => (task_id(id, &row.path) == wanted).then_some(NamedTask { row, attempt: None }),
        Err(_) => {
            let attempt = attempt_of_pod(&run.info.name, id, &row, name)?;
            Some(NamedTask { row, attempt: Some(attempt) })
        }
    };
    let not_found = || {
        let text = "a task is named by its id, its path, or the name of a Pod of it";
        ApiError::not_found("Task", name).within(format!("Failed to find a task of run {id} ({text})"))
    };
    tasks.into_iter().find_map(named).ok_or_else(not_found)
}

/// The attempt of a task whose Pod has this name.
fn attempt_of_pod(run_name: &str, run: Uuid, task: &TaskRow, name: &str) -> Option<u32> {
    let (_, attempt) = name.rsplit_once('-')?;
    let attempt: u32 = attempt.parse().ok()?;
    let exists = task.kind == TaskKind::Container && task.attempt.is_some_and(|latest| attempt <= latest);
    (exists && pod_name(run_name, &task.key, task_id(run, &task.path), attempt) == name).then_some(attempt)
}
