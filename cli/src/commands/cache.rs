//! `penstock cache`: where a result came from, why none was found, and forgetting results.

mod difference;

use std::process::ExitCode;

use penstock_driver::RunOptions;
use penstock_engine::{
    CacheRefusal, CacheSource, CacheVerdict, EarlierResult, NearestResult, NodeKind, NodeView, PassedOver, RunState,
    explain_cache,
};
use penstock_metastore::{CacheEntry, CacheFilter, CacheScope, Listed, Metastore};
use penstock_spec::run::{CacheOff, TaskStatus};
use serde_json::{Value, json};

use crate::args::{CacheCommand, OutputFormat};
use crate::context::Context;
use crate::failure::{self, Refusal};
use crate::opened::OpenRun;
use crate::progress::Stream;
use crate::remote::cache::{self as remote, Eviction};
use crate::selection::select_one;
use crate::text::inert;

/// Entries among which the nearest is looked for.
const CANDIDATES: u32 = 50;

/// Carries out a command on the cache.
pub(crate) async fn cache(context: &Context, command: CacheCommand) -> anyhow::Result<ExitCode> {
    match command {
        CacheCommand::Why { run, task, output, place: _ } => why(context, &run, &task, output).await,
        CacheCommand::Evict { pipeline, task, namespace, all: _ } => {
            evict(context, Eviction { namespace, pipeline, task }).await
        }
    }
}

async fn evict(context: &Context, eviction: Eviction) -> anyhow::Result<ExitCode> {
    let count = match context.server()? {
        Some(client) => remote::evict(&client, &eviction).await?,
        None => evict_here(context, eviction).await?,
    };
    let noun = if count == 1 { "cached result" } else { "cached results" };
    Stream::Out.print(&format!("{count} {noun} removed\n"));
    Ok(ExitCode::from(failure::SUCCEEDED))
}

async fn evict_here(context: &Context, eviction: Eviction) -> anyhow::Result<u64> {
    let Some(metastore) = context.metastore().await? else { return Ok(0) };
    let Eviction { namespace, pipeline, task } = eviction;
    let filter = CacheFilter { pipeline_name: pipeline, task_path: task, namespace, ..CacheFilter::default() };
    let count = metastore.evict(filter).await?;
    metastore.close().await;
    Ok(count)
}

async fn why(context: &Context, run: &str, task: &str, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let opened = OpenRun::find(context, run).await?;
    let feed = opened.feed_from_now().await?;
    let state = feed.state();
    let id = select_one(state, task)?;
    let Some(view) = state.node(id) else { return Err(Refusal::new("the task is gone").into()) };
    if view.kind != NodeKind::Container {
        return Err(Refusal::new(format!("{} runs nothing by itself, so it has no cached result", view.path()))
            .with_hint("ask about a task within it")
            .into());
    }
    let verdict = match &opened {
        OpenRun::Local { metastore, .. } => judge(metastore, state, &view).await?,
        OpenRun::Remote { client, .. } => remote::explain(client, feed.run(), &view.path()).await?,
    };
    let text = match output {
        OutputFormat::Text => describe(&view, &verdict),
        OutputFormat::Json => serde_json::to_string_pretty(&document(&view, &verdict))? + "\n",
    };
    opened.close().await;
    Stream::Out.print(&text);
    Ok(ExitCode::from(failure::SUCCEEDED))
}

async fn judge(metastore: &Metastore, state: &RunState, view: &NodeView<'_>) -> anyhow::Result<CacheVerdict> {
    let Some(info) = state.info() else { return Ok(CacheVerdict::NotAsked) };
    let scope = CacheScope { pipeline_name: info.pipeline_name.clone(), namespace: info.namespace.clone() };
    let entries = metastore.nearest(&scope, &view.path(), CANDIDATES).await?;
    let options = metastore.run(info.id).await?.options;
    let rules = serde_json::from_value::<RunOptions>(options).map(|options| options.cache).unwrap_or_default();
    let earlier = entries.into_iter().filter_map(Listed::readable).map(earlier_result).collect();
    Ok(explain_cache(state, view, &rules, earlier))
}

fn earlier_result(entry: CacheEntry) -> EarlierResult {
    let CacheEntry { key, source, key_document, created_at, .. } = entry;
    EarlierResult { source, key, key_document, created_at }
}

/// Why nothing is taken from the cache.
fn reason(refusal: CacheRefusal) -> &'static str {
    match refusal {
        CacheRefusal::Run(CacheOff::Deployment) => "whoever runs Penstock turned it off for all runs",
        CacheRefusal::Run(CacheOff::Pipeline) => "a tag of the pipeline turns it off",
        CacheRefusal::Run(CacheOff::Run) => "the run was started with --no-cache",
        CacheRefusal::Task => "the pipeline turns it off for this task",
        CacheRefusal::Retry => "the run was retried from it, or from what is around it",
    }
}

/// Why a result under the very key was not taken.
fn why_passed_over(passed: &PassedOver) -> &'static str {
    match passed.too_old {
        true => "it was older than the run allows",
        false => "what it consists of was not there any more, or its command ran without its image",
    }
}

fn describe(view: &NodeView<'_>, verdict: &CacheVerdict) -> String {
    let path = inert(&view.path());
    match verdict {
        CacheVerdict::Off(refusal) => format!("{path} does not use the cache: {}\n", reason(*refusal)),
        CacheVerdict::NotAsked => format!("{path} did not start, so the cache was not asked\n"),
        CacheVerdict::Hit(CacheSource { run_id, task_path }) => {
            format!("{path} was taken from the cache: the result of task {} of run {run_id}\n", inert(task_path))
        }
        CacheVerdict::Miss { passed_over, nearest, remembered } => {
            let mut text = format!("{path} was not in the cache\n");
            match (passed_over.as_deref(), nearest.as_deref()) {
                (Some(passed), _) => text.push_str(&format!(
                    "the result of run {} was under its key and was not taken: {}\n",
                    passed.earlier.source.run_id,
                    why_passed_over(passed)
                )),
                (None, None) => text.push_str("no earlier result of this task was known\n"),
                (None, Some(NearestResult { earlier, differences })) => {
                    text.push_str(&format!("compared with the result of run {}:\n", earlier.source.run_id));
                    for difference in differences {
                        text.push_str(&difference::describe(difference));
                    }
                    if differences.is_empty() {
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

fn document(view: &NodeView<'_>, verdict: &CacheVerdict) -> Value {
    let mut document = json!({ "task": view.path(), "cache_key": view.cache_key() });
    let more = match verdict {
        CacheVerdict::Off(refusal) => json!({ "cached": false, "reason": reason(*refusal) }),
        CacheVerdict::NotAsked => json!({ "cached": false, "reason": "the task did not start" }),
        CacheVerdict::Hit(CacheSource { run_id, task_path }) => {
            json!({ "cached": true, "source": { "run_id": run_id, "task": task_path } })
        }
        CacheVerdict::Miss { passed_over: Some(passed), .. } => json!({
            "cached": false,
            "reason": why_passed_over(passed),
            "passed_over": { "run_id": passed.earlier.source.run_id, "created_at": passed.earlier.created_at },
        }),
        CacheVerdict::Miss { passed_over: None, nearest, .. } => json!({
            "cached": false,
            "reason": "no result under this key",
            "nearest": nearest.as_deref().map(|NearestResult { earlier, differences }| json!({
                "run_id": earlier.source.run_id,
                "created_at": earlier.created_at,
                "differences": differences.iter().map(difference::document).collect::<Vec<_>>(),
            })),
        }),
    };
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}
