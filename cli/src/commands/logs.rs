//! `penstock logs`: what tasks printed, live from the file of a running attempt, afterwards from the store.

mod files;
mod follow;
mod remote;

use std::process::ExitCode;

use anyhow::Context as _;
use penstock_driver::PodStanding;
use penstock_engine::{Fact, NodeId, NodeKind, RunState};
use penstock_metastore::{Metastore, MetastoreError};
use penstock_spec::run::TaskStatus;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::args::LogsArgs;
use crate::attempt_log::AttemptLog;
use crate::context::Context;
use crate::failure::{self, Refusal};
use crate::feed::Feed;
use crate::log_printer::LogPrinter;
use crate::opened::{OpenRun, UnknownRun};
use crate::pod_logs::{PodAttempt, PodLogs};
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::selection::select;
use crate::text::inert;
use crate::waiting;

/// What the newest run is called on the command line.
const LATEST: &str = "latest";

/// Prints logs.
pub(crate) async fn logs(context: &Context, args: LogsArgs) -> anyhow::Result<ExitCode> {
    let LogsArgs { run, task, follow, attempt, timestamps, place: _ } = args;
    let (opened, feed, task) = target(context, &run, task).await?;
    let run = feed.run();
    let pods = match opened.metastore().is_some() && feed.on_kubernetes() {
        true => Some(PodLogs::new(context, feed.info().clone())?),
        false => None,
    };
    let goes_on = follow && !feed.state().status().is_final();
    let client = feed.client().cloned();
    let result = match &client {
        Some(client) if goes_on => {
            follow::follow(feed, task.as_deref(), remote::Streams::new(client, timestamps)).await
        }
        None if goes_on => {
            let files = files::Files::new(context, pods.as_ref(), timestamps);
            follow::follow(feed, task.as_deref(), files).await
        }
        _ => {
            let (metastore, client) = (opened.metastore(), client.as_ref());
            let sources = Sources { context, metastore, client, run, pods: pods.as_ref() };
            print(&sources, feed.state(), task.as_deref(), attempt, timestamps).await
        }
    };
    if let Some(pods) = pods {
        pods.close().await;
    }
    opened.close().await;
    match result {
        Err(error) if is_closed_pipe(&error) => Ok(ExitCode::from(failure::SUCCEEDED)),
        other => other.map(|()| ExitCode::from(failure::SUCCEEDED)),
    }
}

/// The run, and the task in it. A single word that is no run may be a task of the latest one.
async fn target(context: &Context, run: &str, task: Option<String>) -> anyhow::Result<(OpenRun, Feed, Option<String>)> {
    let not_a_run = match OpenRun::find(context, run).await {
        Ok(opened) => {
            let feed = opened.feed_from_now().await?;
            return Ok((opened, feed, task));
        }
        Err(error) if task.is_some() || !error.is::<Refusal>() => return Err(error),
        Err(error) => error,
    };
    let Ok(latest) = OpenRun::find(context, LATEST).await else { return Err(not_a_run) };
    let feed = latest.feed_from_now().await?;
    if select(feed.state(), run).is_err() {
        latest.close().await;
        return Err(if is_unknown(&not_a_run) { neither(run, &feed.info().name).into() } else { not_a_run });
    }
    Ok((latest, feed, Some(run.to_owned())))
}

/// Whether no run at all fits what the user typed; of several that fit, a run was meant.
fn is_unknown(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(MetastoreError::UnknownRun { .. }))
        || matches!(error.downcast_ref(), Some(UnknownRun { is_ambiguous: false }))
}

/// What was typed means nothing in either way in which it may be read.
fn neither(word: &str, latest: &str) -> Refusal {
    let (word, latest) = (inert(word), inert(latest));
    Refusal::new(format!(
        "{word} is neither a run (no id or name begins with it) nor a task of the latest run, {latest}"
    ))
    .with_hint("`penstock list` shows the runs, `penstock get` the tasks of the latest")
}

/// Where the logs of a run are found.
struct Sources<'a> {
    context: &'a Context,
    /// If it is a run of this machine.
    metastore: Option<&'a Metastore>,
    /// If it is a run of a server.
    client: Option<&'a Client>,
    run: Uuid,
    /// If its tasks are Pods.
    pods: Option<&'a PodLogs<'a>>,
}

async fn print(
    sources: &Sources<'_>,
    state: &RunState,
    task: Option<&str>,
    attempt: Option<u32>,
    timestamps: bool,
) -> anyhow::Result<()> {
    let tasks = containers(state, task)?;
    let several = tasks.len() > 1;
    if let Some(wanted) = attempt.filter(|_| several)
        && !tasks.iter().filter_map(|id| state.node(*id)?.attempt).any(|latest| wanted <= latest.saturating_add(1))
    {
        return Err(Refusal::new(format!("none of the tasks had an attempt {wanted}")).into());
    }
    let mut printed = false;
    for id in &tasks {
        let Some(view) = state.node(*id) else { continue };
        let path = state.path(*id);
        if let Some(source) = view.cached_from() {
            if !several {
                Stream::Err.print(&format!(
                    "{} was taken from the cache; what it printed is with its source: penstock logs {} '{}'\n",
                    inert(&path),
                    source.run_id,
                    inert(&source.task_path)
                ));
            }
            continue;
        }
        let Some(latest) = view.attempt else {
            if !several {
                Stream::Err.print(&format!("{}\n", without_attempt(&path, view.status)));
            }
            continue;
        };
        // People count attempts from one.
        let number = attempt.map_or(latest, |attempt| attempt.saturating_sub(1));
        if number > latest {
            if several {
                continue;
            }
            return Err(Refusal::new(format!("{} had {} attempts", inert(&path), u64::from(latest) + 1)).into());
        }
        let prefix = several.then(|| inert(&path));
        if let Some(client) = sources.client {
            let mut printer = LogPrinter::stamped(prefix, timestamps);
            let done = remote::print(client, state, *id, number, timestamps, &mut printer).await;
            printed |= done.with_context(|| format!("cannot print the log of {}", inert(&path)))?;
            continue;
        }
        let mut printer = LogPrinter::new(prefix, timestamps);
        let at_work = number == latest && view.status == TaskStatus::Running;
        let stored = match view.log_uri() {
            Some(uri) if number == latest && !at_work => Some(uri.to_owned()),
            _ => stored_log(sources.metastore, sources.run, *id, number).await?,
        };
        let done = match (sources.pods, &stored) {
            (Some(pods), None) => {
                let Some(pod) = PodAttempt::new(state, *id, number) else { continue };
                print_pod(sources, pods, (&pod, *id, at_work), &mut printer).await
            }
            _ => {
                let Some(log) = AttemptLog::new(sources.context, state, *id, number, stored.as_deref()) else {
                    continue;
                };
                print_one(sources.context, &log, at_work, &mut printer).await
            }
        };
        printed |= done.with_context(|| format!("cannot print the log of {}", inert(&path)))?;
    }
    if !printed && (several || tasks.is_empty()) {
        let yet = if state.status().is_final() { "" } else { " yet" };
        Stream::Err.print(&format!("no task has a log{yet}\n"));
    }
    Ok(())
}

/// Why a task that was never started has no log.
fn without_attempt(path: &str, status: TaskStatus) -> String {
    let path = inert(path);
    match status.is_final() {
        true => format!("{path} has no log: nothing of it was started"),
        false => format!("{path} has no log yet: it has not started; wait for it with -f"),
    }
}

/// Why an attempt has no log whose Pod is not there.
fn without_pod(path: &str, at_work: bool) -> String {
    let path = inert(path);
    match at_work {
        true => format!("{path} has no log yet: its Pod is not there yet; wait for it with -f"),
        false => format!("{path} has no log: its Pod is not there, and no log of it was stored"),
    }
}

/// Prints what a Pod has said so far, or says what it waits for; false if it left nothing. `at_work`: whether its attempt
/// had not ended a moment ago.
async fn print_pod(
    sources: &Sources<'_>,
    pods: &PodLogs<'_>,
    (pod, task, at_work): (&PodAttempt, NodeId, bool),
    printer: &mut LogPrinter,
) -> anyhow::Result<bool> {
    let standing = pods.print(pod, printer).await?;
    printer.sink().shutdown().await?;
    match standing {
        PodStanding::Started => Ok(true),
        PodStanding::Waits(reason) => {
            let sentence = waiting::sentence(std::slice::from_ref(&pod.path), &reason);
            Stream::Err.print(&format!("{sentence}\n"));
            Ok(true)
        }
        // It may have ended a moment ago: then its log was stored before it went.
        PodStanding::Absent => {
            let stored = stored_log(sources.metastore, sources.run, task, pod.attempt.attempt).await?;
            let log = AttemptLog { local: pods.path(pod), stored };
            let found = print_one(sources.context, &log, false, printer).await?;
            if !found {
                Stream::Err.print(&format!("{}\n", without_pod(&pod.path, at_work)));
            }
            Ok(true)
        }
    }
}

/// Prints one log whole; false if there is none. `at_work`: whether it is being written.
async fn print_one(
    context: &Context,
    log: &AttemptLog,
    at_work: bool,
    printer: &mut LogPrinter,
) -> anyhow::Result<bool> {
    let found = match tokio::fs::File::open(&log.local).await {
        Ok(mut file) => {
            log.tell_local_times(printer, at_work).await?;
            tokio::io::copy(&mut file, &mut printer.sink()).await?;
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => log.copy_stored(context, 0, printer).await?,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", log.local.display())),
    };
    printer.sink().shutdown().await?;
    Ok(found)
}

/// Where the log of an earlier attempt was stored; only the facts remember.
async fn stored_log(
    metastore: Option<&Metastore>,
    run: Uuid,
    task: NodeId,
    wanted: u32,
) -> anyhow::Result<Option<String>> {
    let Some(metastore) = metastore else { return Ok(None) };
    let facts = metastore.all_facts(run).await?;
    Ok(facts.into_iter().rev().find_map(|stored| match stored.fact {
        Fact::AttemptFailed { node, attempt, log_uri, .. } if node == task && attempt == wanted => log_uri,
        Fact::TaskFailed { node, attempt, log_uri, .. } | Fact::TaskSucceeded { node, attempt, log_uri, .. }
            if node == task && attempt == Some(wanted) =>
        {
            log_uri
        }
        _ => None,
    }))
}

/// The tasks meant that run something.
fn containers(state: &RunState, task: Option<&str>) -> Result<Vec<NodeId>, Refusal> {
    let chosen = match task {
        Some(task) => select(state, task)?,
        None => crate::tree::order(state),
    };
    let runs = |id: &NodeId| state.node(*id).is_some_and(|view| view.kind == NodeKind::Container);
    Ok(chosen.into_iter().filter(runs).collect())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_that_may_still_come_is_told_from_one_that_will_not() {
        assert!(
            without_pod("each[0]/train", true).starts_with("each[0]/train has no log yet: its Pod is not there yet")
        );
        assert!(without_pod("train", false).ends_with("no log of it was stored"));
        assert!(without_attempt("train", TaskStatus::Pending).contains("has not started; wait for it with -f"));
        assert!(without_attempt("train", TaskStatus::Skipped).ends_with("nothing of it was started"));
    }
}
