//! `penstock cache`: where a result came from, why none was found, and forgetting results.

mod difference;

use std::process::ExitCode;

use penstock_engine::{NodeKind, NodeView, RunState};
use penstock_metastore::{CacheEntry, CacheFilter, CacheScope, Listed, Metastore};
use penstock_spec::run::TaskStatus;
use serde_json::{Value, json};

use crate::args::{CacheCommand, OutputFormat};
use crate::context::Context;
use crate::failure::{self, Refusal};
use crate::feed::Feed;
use crate::progress::Stream;
use crate::selection::select_one;
use crate::text::inert;
use difference::{Difference, differences};

/// Entries among which the nearest is looked for.
const CANDIDATES: u32 = 50;

/// Carries out a command on the cache.
pub(crate) async fn cache(context: &Context, command: CacheCommand) -> anyhow::Result<ExitCode> {
    if context.server()?.is_some() {
        return Err(Refusal::new("cache looks into a data directory, and servers do not show their cache yet")
            .with_hint(
                "leave --server (PENSTOCK_SERVER) out on the server's own machine; `penstock get -o json` shows which \
                        tasks were taken from the cache, and from where",
            )
            .into());
    }
    match command {
        CacheCommand::Why { run, task, output } => why(context, &run, &task, output).await,
        CacheCommand::Evict { pipeline, task, all: _ } => evict(context, pipeline, task).await,
    }
}

async fn evict(context: &Context, pipeline: Option<String>, task: Option<String>) -> anyhow::Result<ExitCode> {
    let count = match context.metastore().await? {
        Some(metastore) => {
            let filter = CacheFilter { pipeline_name: pipeline, task_path: task, ..CacheFilter::default() };
            let count = metastore.evict(filter).await?;
            metastore.close().await;
            count
        }
        None => 0,
    };
    let noun = if count == 1 { "cached result" } else { "cached results" };
    Stream::Out.print(&format!("{count} {noun} removed\n"));
    Ok(ExitCode::from(failure::SUCCEEDED))
}

/// What there is to say about a task and the cache.
enum Verdict {
    /// Caching is off, for this reason.
    Off(&'static str),
    /// It did not get so far as to ask.
    NotAsked,
    Hit {
        run: String,
        task: String,
    },
    /// No entry under its key; perhaps one of the same task that differs.
    Miss {
        nearest: Option<(CacheEntry, Vec<Difference>)>,
        remembered: bool,
    },
}

async fn why(context: &Context, run: &str, task: &str, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let (metastore, run) = context.find_run(run).await?;
    let feed = Feed::from_now(&metastore, run).await?;
    let state = feed.state();
    let id = select_one(state, task)?;
    let Some(view) = state.node(id) else { return Err(Refusal::new("the task is gone").into()) };
    if view.kind != NodeKind::Container {
        return Err(Refusal::new(format!("{} runs nothing by itself, so it has no cached result", view.path()))
            .with_hint("ask about a task within it")
            .into());
    }
    let verdict = judge(&metastore, state, &view).await?;
    metastore.close().await;
    let text = match output {
        OutputFormat::Text => describe(&view, &verdict),
        OutputFormat::Json => serde_json::to_string_pretty(&document(&view, &verdict))? + "\n",
    };
    Stream::Out.print(&text);
    Ok(ExitCode::from(failure::SUCCEEDED))
}

async fn judge(metastore: &Metastore, state: &RunState, view: &NodeView<'_>) -> anyhow::Result<Verdict> {
    if let Some(source) = view.cached_from() {
        return Ok(Verdict::Hit { run: source.run_id.to_string(), task: source.task_path.clone() });
    }
    let Some(info) = state.info() else { return Ok(Verdict::NotAsked) };
    let Some(key) = view.cache_key() else {
        return Ok(match view.started_at {
            None => Verdict::NotAsked,
            Some(_) if !info.caching => Verdict::Off("the run was started with --no-cache"),
            Some(_) => Verdict::Off("the pipeline turns it off for this task"),
        });
    };
    let scope = CacheScope { pipeline_name: info.pipeline_name.clone(), namespace: info.namespace.clone() };
    let own = view.cache_document().unwrap_or_default();
    let entries = metastore.nearest(&scope, &view.path(), CANDIDATES).await?;
    let readable: Vec<CacheEntry> = entries.into_iter().filter_map(Listed::readable).collect();
    let remembered = readable.iter().any(|entry| entry.source.run_id == info.id);
    let nearest = readable
        .into_iter()
        .filter(|entry| entry.source.run_id != info.id && entry.key != key && Some(entry.created_at) < view.started_at)
        .map(|entry| (differences(&entry.key_document, &own), entry))
        .min_by_key(|(found, _)| found.len())
        .map(|(found, entry)| (entry, found));
    Ok(Verdict::Miss { nearest, remembered })
}

fn describe(view: &NodeView<'_>, verdict: &Verdict) -> String {
    let path = inert(&view.path());
    match verdict {
        Verdict::Off(reason) => format!("{path} does not use the cache: {reason}\n"),
        Verdict::NotAsked => format!("{path} did not start, so the cache was not asked\n"),
        Verdict::Hit { run, task } => {
            format!("{path} was taken from the cache: the result of task {} of run {run}\n", inert(task))
        }
        Verdict::Miss { nearest, remembered } => {
            let mut text = format!("{path} was not in the cache\n");
            match nearest {
                None => text.push_str("no earlier result of this task was known\n"),
                Some((entry, found)) => {
                    text.push_str(&format!("compared with the result of run {}:\n", entry.source.run_id));
                    for difference in found {
                        text.push_str(&difference.describe());
                    }
                    if found.is_empty() {
                        text.push_str("  nothing that is recorded differs; another version of Penstock made its key\n");
                    }
                }
            }
            if *remembered {
                text.push_str("its result is in the cache now\n");
            } else if view.status != TaskStatus::Succeeded {
                text.push_str("it did not succeed, so nothing was put into the cache\n");
            }
            text
        }
    }
}

fn document(view: &NodeView<'_>, verdict: &Verdict) -> Value {
    let mut document = json!({ "task": view.path(), "cache_key": view.cache_key() });
    let more = match verdict {
        Verdict::Off(reason) => json!({ "cached": false, "reason": reason }),
        Verdict::NotAsked => json!({ "cached": false, "reason": "the task did not start" }),
        Verdict::Hit { run, task } => json!({ "cached": true, "source": { "run_id": run, "task": task } }),
        Verdict::Miss { nearest, .. } => json!({
            "cached": false,
            "reason": "no result under this key",
            "nearest": nearest.as_ref().map(|(entry, found)| json!({
                "run_id": entry.source.run_id,
                "created_at": entry.created_at,
                "differences": found.iter().map(Difference::to_json).collect::<Vec<_>>(),
            })),
        }),
    };
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}
