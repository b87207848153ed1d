//! A node of a run, in the words of the API.

use std::collections::BTreeMap;

use penstock_engine::{Activity, CacheSource, NodeId, NodeKind, NodeView, RunState, SkipReason};
use penstock_spec::Timestamp;
use penstock_spec::report::Failure;
use penstock_spec::run::TaskStatus;
use serde::Serialize;
use uuid::Uuid;

use super::Pods;
use super::timings::TimingsDocument;
use crate::folded::{Attempt, FoldedRun, Outcome, iterations, shown_status};

/// A task, a group, a loop or one of its iterations.
#[derive(Debug, Serialize)]
pub(crate) struct NodeDocument<'a> {
    node: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    key: &'a str,
    name: &'a str,
    path: String,
    task_id: Uuid,
    kind: &'static str,
    component: &'a str,
    status: TaskStatus,
    phase: &'static str,
    depends_on: Vec<u32>,
    waiting_for: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iteration: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<BTreeMap<&'static str, u32>>,
    #[serde(flatten)]
    story: Story<'a>,
    attempts: Vec<AttemptDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_attempt: Option<u32>,
}

/// What has happened to it since it started the last time.
#[derive(Debug, Default, Serialize)]
struct Story<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkipDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_from: Option<SourceDocument<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ran_on_host: bool,
}

#[derive(Debug, Serialize)]
struct AttemptDocument<'a> {
    attempt: u32,
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    has_log: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<TimingsDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_name: Option<String>,
}

#[derive(Debug, Serialize)]
struct SkipDocument<'a> {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct SourceDocument<'a> {
    run_id: Uuid,
    task_path: &'a str,
}

impl<'a> NodeDocument<'a> {
    /// Nothing for a node that is not there.
    pub(crate) fn new(folded: &'a FoldedRun, state: &'a RunState, id: NodeId, pods: &Pods) -> Option<NodeDocument<'a>> {
        let view = state.node(id)?;
        let task_id = view.task_id()?;
        let is_to_come_again = view.is_to_come_again();
        let attempts = folded.history().attempts(id).iter();
        let attempts: Vec<_> =
            attempts.map(|attempt| attempt_document(attempt, pods.name(view.key, task_id, attempt.number))).collect();
        Some(NodeDocument {
            node: id.0,
            parent: view.parent.map(|parent| parent.0),
            key: view.key,
            name: view.display_name,
            path: view.path(),
            task_id,
            kind: kind(view.kind),
            component: view.component(),
            status: shown_status(&view),
            phase: if is_to_come_again { "WAITING" } else { phase(view.activity()) },
            depends_on: view.dependencies().map(|on| on.0).collect(),
            waiting_for: waiting_for(state, &view),
            iteration: view.iteration,
            items: view.items,
            counts: counts(folded, state, &view),
            story: if is_to_come_again { Story::default() } else { story(folded, &view) },
            log_attempt: attempts.iter().rev().find(|attempt| attempt.has_log).map(|attempt| attempt.attempt),
            attempts,
        })
    }
}

impl NodeDocument<'_> {
    /// The Pods that its attempts are or were.
    pub(super) fn pod_names(&self) -> Vec<String> {
        self.attempts.iter().filter_map(|attempt| attempt.pod_name.clone()).collect()
    }
}

fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Root => "ROOT",
        NodeKind::Dag => "DAG",
        NodeKind::Loop => "LOOP",
        NodeKind::Iteration => "ITERATION",
        NodeKind::Container => "CONTAINER",
        NodeKind::Importer => "IMPORTER",
    }
}

fn phase(activity: Activity) -> &'static str {
    match activity {
        Activity::Waiting => "WAITING",
        Activity::Cache => "CACHE",
        Activity::Queued => "QUEUED",
        Activity::Running => "RUNNING",
        Activity::Backoff => "BACKOFF",
        Activity::Ended => "ENDED",
    }
}

fn status_word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Pending => "PENDING",
        TaskStatus::Running => "RUNNING",
        TaskStatus::Succeeded => "SUCCEEDED",
        TaskStatus::Skipped => "SKIPPED",
        TaskStatus::Failed => "FAILED",
        TaskStatus::Canceled => "CANCELED",
    }
}

fn waiting_for(state: &RunState, view: &NodeView<'_>) -> Vec<u32> {
    let not_ended = |id: &NodeId| state.node(*id).is_some_and(|on| !on.status.is_final());
    match view.activity() {
        Activity::Waiting => view.dependencies().filter(not_ended).map(|on| on.0).collect(),
        _ => Vec::new(),
    }
}

/// Of a loop its iterations, of other groups the tasks below that run something.
fn counts(folded: &FoldedRun, state: &RunState, view: &NodeView<'_>) -> Option<BTreeMap<&'static str, u32>> {
    let counts = match view.kind {
        NodeKind::Container | NodeKind::Importer => return None,
        NodeKind::Loop => iterations(state, view.id),
        NodeKind::Root | NodeKind::Dag | NodeKind::Iteration => folded.counts(state).below(view.id),
    };
    Some(counts.iter().map(|(status, count)| (status_word(status), count)).collect())
}

fn story<'a>(folded: &FoldedRun, view: &NodeView<'a>) -> Story<'a> {
    Story {
        ready_at: view.started_at.filter(|_| view.is_executed()),
        started_at: match view.kind {
            NodeKind::Container => folded.history().started_at(view.id),
            _ => view.started_at,
        },
        ended_at: view.ended_at,
        retry_at: view.retry_at,
        failure: view.failure(),
        skipped: view.skip_reason().map(skip_document),
        cached_from: view
            .cached_from()
            .map(|CacheSource { run_id, task_path }| SourceDocument { run_id: *run_id, task_path }),
        ran_on_host: view.ran_on_host,
    }
}

fn skip_document(reason: &SkipReason) -> SkipDocument<'_> {
    let document = |reason, condition, task| SkipDocument { reason, condition, task };
    match reason {
        SkipReason::Condition { condition } => document("CONDITION", Some(condition), None),
        SkipReason::Upstream { task } => document("UPSTREAM", None, Some(task)),
        SkipReason::UpstreamFailed { task } => document("UPSTREAM_FAILED", None, Some(task)),
    }
}

fn attempt_document(attempt: &Attempt, pod_name: Option<String>) -> AttemptDocument<'_> {
    let end = attempt.end.as_deref();
    AttemptDocument {
        attempt: attempt.number,
        started_at: attempt.started_at,
        ended_at: end.map(|end| end.at),
        outcome: end.map(|end| match end.outcome {
            Outcome::Succeeded => "SUCCEEDED",
            Outcome::Failed => "FAILED",
            Outcome::Canceled => "CANCELED",
        }),
        failure: end.and_then(|end| end.failure.as_ref()),
        retry_at: end.and_then(|end| end.retry_at),
        // While it runs it is read where it is written.
        has_log: end.is_none_or(|end| end.has_log),
        timings: end.and_then(|end| end.timings.as_deref()).map(TimingsDocument::from),
        pod_name,
    }
}
