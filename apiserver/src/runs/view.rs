//! A stored run in the words of the API.

use std::collections::HashMap;

use penstock_engine::task_id;
use penstock_metastore::{Command, RunRecord, RunRow, RunStateChange, TaskKind, TaskRow};
use penstock_spec::pod::pod_name;
use penstock_spec::run::{RunStatus, TaskStatus};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::wire::Reply;

/// What a task shows that has not ended: the beginning of year 1, as Go writes a time that is not set.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// gRPC's code for a failure that none of its other words fits: user code failed.
const UNKNOWN: u64 = 2;

/// `Run` without what happened in it, as lists show it. `pipeline_spec`: of a run that has no version.
pub(crate) fn run(record: &RunRecord, pipeline_spec: Option<Value>) -> Reply {
    let (row, registration) = (&record.row, &record.registration);
    let pending = record.pending.as_ref();
    // What it ended with before is no longer how it stands.
    let goes_on = matches!(pending, Some(Command::Retry | Command::RetryFrom { .. }));
    let mut reply = Reply::new()
        .text("experiment_id", text_of(registration.experiment))
        .text("run_id", row.info.id)
        .text("display_name", &row.info.display_name)
        .text("storage_state", record.storage_state.as_str())
        .text("description", &registration.description)
        .text("service_account", service_account(&row.options))
        .time("created_at", row.info.created_at)
        .time("scheduled_at", row.info.scheduled_at)
        .time("finished_at", row.finished_at.filter(|_| !goes_on))
        .text("state", run_state(row.status, pending))
        .text("recurring_run_id", text_of(registration.recurring_run))
        .list("state_history", record.history.iter().map(state_entry))
        .map("plugins_input", registration.plugins_input.clone());
    if let Some(reference) = reference(registration.pipeline, registration.version) {
        reply = reply.message("pipeline_version_reference", reference);
    }
    if let Some(spec) = pipeline_spec {
        reply = reply.message("pipeline_spec", spec);
    }
    reply = with_runtime_config(reply, &record.parameters, &registration.pipeline_root);
    match row.error.as_deref().filter(|_| !goes_on) {
        Some(error) => reply.message("error", status(error)),
        None => reply,
    }
}

/// `RunDetails`: none before there are tasks. A task that is a Pod is told as one: by that name KFP's clients ask for logs.
pub(crate) fn details(run: &RunRow, tasks: &[TaskRow]) -> Option<Reply> {
    let id = run.info.id;
    let ids: HashMap<_, _> = tasks.iter().map(|task| (task.node, task_id(id, &task.path))).collect();
    let mut children: HashMap<_, Vec<Reply>> = HashMap::new();
    for task in tasks {
        if let (Some(parent), Some(id)) = (task.parent, ids.get(&task.node)) {
            // It is one or the other.
            let child = match pod_of(run, task) {
                Some(pod) => Reply::new().text("pod_name", pod),
                None => Reply::new().text("task_id", *id),
            };
            children.entry(parent).or_default().push(child);
        }
    }
    let mut shown = Vec::with_capacity(tasks.len());
    for task in tasks {
        let parent = task.parent.and_then(|parent| ids.get(&parent).copied());
        let mut detail = Reply::new()
            .text("run_id", id)
            .text("task_id", text_of(ids.get(&task.node).copied()))
            .text("display_name", if task.kind == TaskKind::Root { "root" } else { &task.display_name })
            .time("create_time", run.info.created_at)
            .text("state", task_state(task))
            .text("parent_task_id", text_of(parent))
            .text("pod_name", pod_of(run, task).unwrap_or_default())
            .list("child_tasks", children.remove(&task.node).unwrap_or_default())
            .list("state_history", task_history(task));
        for (name, time) in [("start_time", task.started_at), ("end_time", task.finished_at)] {
            detail = if time.is_some() { detail.time(name, time) } else { detail.text(name, NEVER) };
        }
        if let Some(error) = &task.error {
            detail = detail.message("error", status(error));
        }
        shown.push(detail);
    }
    (!shown.is_empty()).then(|| Reply::new().list("task_details", shown))
}

/// When a task came to its states, as far as that is kept: it began, and it ended. What came from the cache never ran.
fn task_history(task: &TaskRow) -> Vec<Reply> {
    let entry = |at, state| Reply::new().time("update_time", Some(at)).text("state", state);
    let began = task.started_at.filter(|_| !task.cached && task.status != TaskStatus::Skipped);
    let ended = task.finished_at.map(|at| {
        let entry = entry(at, task_state(task));
        match &task.error {
            Some(error) => entry.message("error", status(error)),
            None => entry,
        }
    });
    began.map(|at| entry(at, "RUNNING")).into_iter().chain(ended).collect()
}

/// The Pod of a task's newest attempt, in a run whose tasks are Pods.
fn pod_of(run: &RunRow, task: &TaskRow) -> Option<String> {
    let is_on_kubernetes = run.options.get("backend").and_then(Value::as_str) == Some("kubernetes");
    let attempt = task.attempt.filter(|_| is_on_kubernetes && task.kind == TaskKind::Container)?;
    Some(pod_name(&run.info.name, &task.key, task_id(run.info.id, &task.path), attempt))
}

/// With `RuntimeConfig`, unless it is empty.
pub(crate) fn with_runtime_config(reply: Reply, parameters: &Map<String, Value>, pipeline_root: &str) -> Reply {
    if parameters.is_empty() && pipeline_root.is_empty() {
        return reply;
    }
    let config = Reply::new().map("parameters", parameters.clone()).text("pipeline_root", pipeline_root);
    reply.message("runtime_config", config)
}

fn text_of(id: Option<Uuid>) -> String {
    id.map(String::from).unwrap_or_default()
}

fn reference(pipeline: Option<Uuid>, version: Option<Uuid>) -> Option<Reply> {
    let reply = Reply::new().text("pipeline_id", text_of(pipeline)).text("pipeline_version_id", text_of(version));
    (pipeline.is_some() || version.is_some()).then_some(reply)
}

fn state_entry(change: &RunStateChange) -> Reply {
    let entry = Reply::new().time("update_time", change.at).text("state", run_state(change.status, None));
    match &change.error {
        Some(error) => entry.message("error", status(error)),
        None => entry,
    }
}

/// `google.rpc.Status`.
pub(crate) fn status(message: &str) -> Reply {
    // The code is an int32 and so a number.
    Reply::new().count("code", UNKNOWN).text("message", message)
}

/// What the submitter stored; runs of other builds may lack it.
pub(crate) fn service_account(options: &Value) -> &str {
    options.get("serviceAccount").and_then(Value::as_str).unwrap_or_default()
}

/// The state that clients see. A run that was stopped is `FAILED`: the SDK's `wait_for_run_completion` knows no other
/// word for it, and would wait for ever. A command that waits counts as obeyed, so that nobody who looks right after
/// it takes the state before for its answer.
pub(crate) fn run_state(status: RunStatus, pending: Option<&Command>) -> &'static str {
    match (status, pending) {
        (RunStatus::Pending | RunStatus::Running | RunStatus::Paused, Some(Command::Terminate { .. })) => "CANCELING",
        (RunStatus::Failed | RunStatus::Canceled, Some(Command::Retry))
        | (RunStatus::Failed | RunStatus::Canceled | RunStatus::Succeeded, Some(Command::RetryFrom { .. }))
        | (RunStatus::Pending, _) => "PENDING",
        (RunStatus::Running, _) => "RUNNING",
        (RunStatus::Succeeded, _) => "SUCCEEDED",
        (RunStatus::Skipped, _) => "SKIPPED",
        (RunStatus::Failed | RunStatus::Canceled, _) => "FAILED",
        (RunStatus::Canceling, _) => "CANCELING",
        (RunStatus::Paused, _) => "PAUSED",
    }
}

/// KFP shows a result from the cache as skipped.
fn task_state(task: &TaskRow) -> &'static str {
    match task.status {
        TaskStatus::Succeeded if task.cached => "SKIPPED",
        TaskStatus::Pending => "PENDING",
        TaskStatus::Running => "RUNNING",
        TaskStatus::Succeeded => "SUCCEEDED",
        TaskStatus::Skipped => "SKIPPED",
        TaskStatus::Failed => "FAILED",
        TaskStatus::Canceled => "CANCELED",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_tells_when_it_began_and_how_it_ended() {
        let at = |second| Some(penstock_spec::Timestamp::from_second(second).unwrap());
        let row = |status, cached, began, ended, error: Option<&str>| TaskRow {
            node: penstock_engine::NodeId(1),
            parent: None,
            path: "t".to_owned(),
            key: "t".to_owned(),
            display_name: "t".to_owned(),
            kind: TaskKind::Container,
            status,
            attempt: None,
            cached,
            iteration: None,
            started_at: began,
            finished_at: ended,
            error: error.map(str::to_owned),
            reason: None,
            log_uri: None,
            outputs: None,
        };
        let shown = |task: &TaskRow| Value::from_iter(task_history(task).into_iter().map(Value::from));
        let running = json!({"update_time": "1970-01-01T00:00:01Z", "state": "RUNNING"});
        let ended = |state: &str| json!({"update_time": "1970-01-01T00:00:02Z", "state": state});
        assert_eq!(shown(&row(TaskStatus::Pending, false, None, None, None)), json!([]));
        assert_eq!(shown(&row(TaskStatus::Running, false, at(1), None, None)), json!([running]));
        let succeeded = row(TaskStatus::Succeeded, false, at(1), at(2), None);
        assert_eq!(shown(&succeeded), json!([running, ended("SUCCEEDED")]));
        assert_eq!(shown(&row(TaskStatus::Succeeded, true, at(1), at(2), None)), json!([ended("SKIPPED")]));
        assert_eq!(shown(&row(TaskStatus::Skipped, false, None, at(2), None)), json!([ended("SKIPPED")]));
        let failed = shown(&row(TaskStatus::Failed, false, at(1), at(2), Some("it broke")));
        assert_eq!((&failed[1]["state"], &failed[1]["error"]["message"]), (&json!("FAILED"), &json!("it broke")));
    }

    #[test]
    fn a_stopped_run_ends_with_a_state_that_the_sdk_knows() {
        let states = [RunStatus::Succeeded, RunStatus::Skipped, RunStatus::Failed, RunStatus::Canceled];
        for status in states {
            let shown = run_state(status, None);
            assert!(["SUCCEEDED", "SKIPPED", "FAILED"].contains(&shown), "{status:?}: {shown}");
        }
    }

    #[test]
    fn a_command_that_waits_counts_as_obeyed() {
        let terminate = Command::Terminate { reason: String::new() };
        assert_eq!(run_state(RunStatus::Running, Some(&terminate)), "CANCELING");
        assert_eq!(run_state(RunStatus::Succeeded, Some(&terminate)), "SUCCEEDED");
        assert_eq!(run_state(RunStatus::Failed, Some(&Command::Retry)), "PENDING");
        assert_eq!(run_state(RunStatus::Running, Some(&Command::Retry)), "RUNNING");
        let from = Command::RetryFrom { from: Vec::new() };
        assert_eq!(run_state(RunStatus::Succeeded, Some(&from)), "PENDING");
        assert_eq!(run_state(RunStatus::Running, Some(&from)), "RUNNING");
    }
}
