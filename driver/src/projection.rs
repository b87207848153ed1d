//! What lists show of a run: the rows that follow from new facts, stored in the transaction that holds the facts.

use std::collections::BTreeSet;

use penstock_engine::{Fact, NodeId, NodeKind, NodeView, RunState, SkipReason};
use penstock_metastore::{
    Append, ArtifactRow, CacheScope, MAX_TASK_INPUTS, NewCacheEntry, RunUpdate, TaskInput, TaskKind, TaskRow,
};
use penstock_spec::Timestamp;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::TaskStatus;

/// Adds facts to an append, with everything that follows from them. The state is the one after the facts.
pub(crate) fn fill(append: &mut Append, state: &RunState, facts: Vec<(Fact, Timestamp)>) {
    let mut changed = BTreeSet::new();
    for (fact, at) in &facts {
        changed.extend(nodes_of(fact));
        if let Fact::TaskReady { node, .. } = fact {
            append.inputs.extend(inputs(state, *node, *at));
            append.restarted.extend(state.was_retried().then_some(*node));
        }
        if let Fact::TaskSucceeded { node, outputs, .. } = fact {
            append.artifacts.extend(artifact_rows(*node, outputs));
            if is_new_result(fact) {
                append.cache_entries.extend(cache_entry(state, *node, outputs, *at));
            }
        }
        if changes_run(fact) {
            append.run_update = Some(run_update(state));
        }
    }
    append.tasks = changed.into_iter().filter_map(|node| state.node(node)).map(task_row).collect();
    append.facts = facts;
}

/// Whether a fact holds a result that later tasks may take from the cache.
pub(crate) fn is_new_result(fact: &Fact) -> bool {
    matches!(fact, Fact::TaskSucceeded { attempt: Some(_), cached_from: None, .. })
}

/// The nodes whose rows a fact changes.
fn nodes_of(fact: &Fact) -> Vec<NodeId> {
    match fact {
        Fact::IterationStarted { node, iteration, .. } => vec![*node, *iteration],
        Fact::DagStarted { node, .. }
        | Fact::LoopStarted { node, .. }
        | Fact::TaskReady { node, .. }
        | Fact::AttemptStarted { node, .. }
        | Fact::AttemptFailed { node, .. }
        | Fact::TaskSucceeded { node, .. }
        | Fact::TaskSkipped { node, .. }
        | Fact::TaskFailed { node, .. }
        | Fact::TaskCanceled { node, .. }
        | Fact::DagEnded { node, .. } => vec![*node],
        Fact::RunStarted { .. }
        | Fact::CancelRequested { .. }
        | Fact::DeadlineExceeded { .. }
        | Fact::RetryRequested { .. }
        | Fact::RunEnded { .. } => Vec::new(),
    }
}

/// Whether a fact changes the row of the run itself.
pub(crate) fn changes_run(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::RunStarted { .. }
            | Fact::CancelRequested { .. }
            | Fact::DeadlineExceeded { .. }
            | Fact::RetryRequested { .. }
            | Fact::RunEnded { .. }
    )
}

fn run_update(state: &RunState) -> RunUpdate {
    RunUpdate {
        status: state.status(),
        error: state.failure().map(|failure| failure.message.clone()),
        started_at: state.started_at(),
        finished_at: state.ended_at(),
    }
}

fn task_row(node: NodeView<'_>) -> TaskRow {
    TaskRow {
        node: node.id,
        parent: node.parent,
        path: node.path(),
        key: node.key.to_owned(),
        display_name: node.display_name.to_owned(),
        kind: match node.kind {
            NodeKind::Root => TaskKind::Root,
            NodeKind::Dag => TaskKind::Dag,
            NodeKind::Loop => TaskKind::Loop,
            NodeKind::Iteration => TaskKind::Iteration,
            NodeKind::Container => TaskKind::Container,
            NodeKind::Importer => TaskKind::Importer,
        },
        status: node.status,
        attempt: node.attempt,
        cached: node.cached_from().is_some(),
        iteration: node.iteration,
        started_at: node.started_at,
        finished_at: node.ended_at,
        error: node.failure().map(|failure| failure.message.clone()),
        reason: node.skip_reason().map(skip_text),
        log_uri: node.log_uri().map(str::to_owned),
        outputs: (node.status == TaskStatus::Succeeded).then(|| node.outputs().clone()),
    }
}

fn skip_text(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Condition { condition } => format!("condition is false: {condition}"),
        SkipReason::Upstream { task } => format!("{task} did not run"),
        SkipReason::UpstreamFailed { task } => format!("{task} failed"),
    }
}

/// The artifacts that a task has taken. One that the cache answers for takes them as well.
fn inputs(state: &RunState, node: NodeId, at: Timestamp) -> impl Iterator<Item = TaskInput> {
    let artifacts = state.node(node).map(|view| view.input_artifacts(MAX_TASK_INPUTS)).unwrap_or_default();
    artifacts.into_iter().map(move |(input, position, artifact)| TaskInput {
        node,
        input,
        position,
        artifact,
        taken_at: at,
    })
}

fn artifact_rows(node: NodeId, outputs: &TaskOutputs) -> impl Iterator<Item = ArtifactRow> {
    outputs.artifacts.iter().flat_map(move |(output, artifacts)| {
        (0..).zip(artifacts).map(move |(position, artifact)| ArtifactRow {
            node,
            output: output.clone(),
            position,
            artifact: artifact.clone(),
        })
    })
}

fn cache_entry(state: &RunState, node: NodeId, outputs: &TaskOutputs, now: Timestamp) -> Option<NewCacheEntry> {
    let (info, view) = (state.info()?, state.node(node)?);
    Some(NewCacheEntry {
        scope: CacheScope { pipeline_name: info.pipeline_name.clone(), namespace: info.namespace.clone() },
        key: view.cache_key()?.to_owned(),
        task_path: view.path(),
        outputs: outputs.clone(),
        key_document: view.cache_document().unwrap_or_default(),
        created_at: now,
    })
}
