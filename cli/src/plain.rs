//! Append-only lines for logs and pipes: `12:03:04 train started (attempt 1)`. One fact makes at most one line.

use jiff::tz::TimeZone;
use penstock_engine::{Fact, NodeId, NodeKind, RunState};
use penstock_metastore::StoredFact;
use penstock_spec::Timestamp;
use penstock_spec::run::TaskStatus;

use crate::text::{duration, inert};
use crate::tree::{attempt_text, first_line, given_name, run_word, skip_text};
use crate::waiting;

/// The line for a fact, if people want to know of it; `state` is the run just after it.
pub(crate) fn line(state: &RunState, stored: &StoredFact, zone: &TimeZone) -> Option<String> {
    let text = describe(state, &stored.fact, stored.at)?;
    let time = stored.at.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S");
    Some(format!("{time} {text}"))
}

/// The line for tasks that wait for the same.
pub(crate) fn waiting_line(state: &RunState, reason: &str, tasks: &[NodeId], at: Timestamp, zone: &TimeZone) -> String {
    let time = at.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S");
    let paths: Vec<String> = tasks.iter().map(|task| state.path(*task)).collect();
    format!("{time} {}", waiting::sentence(&paths, reason))
}

/// The line for tasks that waited and are at work.
pub(crate) fn wait_end_line(state: &RunState, tasks: &[NodeId], at: Timestamp, zone: &TimeZone) -> String {
    let time = at.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S");
    let paths: Vec<String> = tasks.iter().map(|task| state.path(*task)).collect();
    format!("{time} {}", waiting::end_sentence(&paths))
}

fn describe(state: &RunState, fact: &Fact, at: Timestamp) -> Option<String> {
    let path = |node: NodeId| inert(&state.path(node));
    let took = |node: NodeId| {
        let started = state.node(node).and_then(|view| view.started_at);
        started.map(|started| format!(" after {}", duration(started, at))).unwrap_or_default()
    };
    Some(match fact {
        Fact::RunStarted { run, .. } => {
            let given = given_name(run).map(|given| format!(" ({given})")).unwrap_or_default();
            format!("run {}{given} started, id {}", inert(&run.name), run.id)
        }
        Fact::LoopStarted { node, items: 1 } => format!("{} started, 1 item", path(*node)),
        Fact::LoopStarted { node, items } => format!("{} started, {items} items", path(*node)),
        Fact::AttemptStarted { node, attempt } => format!("{} started ({})", path(*node), attempt_text(Some(*attempt))),
        Fact::AttemptFailed { node, attempt, failure, retry_at, .. } => format!(
            "{} failed ({}), next attempt in {}: {}",
            path(*node),
            attempt_text(Some(*attempt)),
            duration(at, *retry_at),
            first_line(&failure.message)
        ),
        Fact::TaskSucceeded { node, cached_from: Some(source), .. } => {
            format!("{} taken from the cache, from run {}", path(*node), source.run_id)
        }
        Fact::TaskSucceeded { node, ran_on_host, .. } => {
            let place = if *ran_on_host { ", on this machine and without its image" } else { "" };
            format!("{} succeeded{}{place}", path(*node), took(*node))
        }
        Fact::TaskSkipped { node, reason } => format!("{} {}", path(*node), skip_text(reason)),
        Fact::TaskFailed { node, failure, .. } => {
            format!("{} failed{}: {}", path(*node), took(*node), first_line(&failure.message))
        }
        Fact::TaskCanceled { node, .. } => format!("{} cancelled", path(*node)),
        Fact::DagEnded { node, status, .. } if is_loop(state, *node) => {
            let word = match status {
                TaskStatus::Failed => "failed",
                TaskStatus::Canceled => "cancelled",
                TaskStatus::Skipped => "skipped",
                TaskStatus::Succeeded | TaskStatus::Pending | TaskStatus::Running => "succeeded",
            };
            format!("{} {word}{}", path(*node), took(*node))
        }
        Fact::DeadlineExceeded { seconds } => format!("the run took longer than {seconds}s, which is all it may take"),
        Fact::CancelRequested { reason } => format!("cancelling: {}", inert(reason)),
        Fact::RetryRequested { from } => {
            let from: Vec<String> = from.iter().map(|node| path(*node)).collect();
            let anew = if from.is_empty() { String::new() } else { format!(" but {} starts anew,", from.join(", ")) };
            format!("the run goes on: what succeeded stays,{anew} the rest runs again")
        }
        Fact::RunEnded { status, .. } => {
            let started = state.started_at();
            let took = started.map(|started| format!(" after {}", duration(started, at))).unwrap_or_default();
            format!("run {}{took}", run_word(*status).1)
        }
        Fact::DagStarted { .. } | Fact::DagEnded { .. } | Fact::IterationStarted { .. } | Fact::TaskReady { .. } => {
            return None;
        }
    })
}

fn is_loop(state: &RunState, node: NodeId) -> bool {
    state.node(node).is_some_and(|view| view.kind == NodeKind::Loop)
}
