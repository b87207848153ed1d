//! The cache: what became of a task's question to it, what is in it, and forgetting results.

mod schema;

use axum::extract::Path;
use penstock_engine::{
    CacheRefusal, CacheSource, CacheVerdict, Difference, EarlierResult, NearestResult, NodeId, NodeKind, PassedOver,
    RunState, explain_cache, task_id,
};
use penstock_metastore::{CacheEntry, CacheFilter, CacheList, CacheScope, CacheSummary, Cursor, Listed, Operand};
use penstock_spec::run::{CacheOff, CacheRules};
use serde_json::Value;
use uuid::Uuid;

use super::parse_id;
use crate::error::ApiError;
use crate::folded;
use crate::listing::token;
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::router::{Access, Entered, Requires, Resource, Routes, Verb};
use crate::tasks;
use crate::wire::{Query, Reply};

/// Earlier results among which the nearest is looked for.
const CANDIDATES: u32 = 50;
/// Longest text of a value that differs, in bytes.
const LONGEST_VALUE: usize = 8 << 10;
const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;
const NO_NAMESPACE: &str = "Cached results are of a namespace in multi-user mode: say which";
/// What tokens of the list are for.
const LIST: &str = "CacheEntry";

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = |verb| Requires::Access(Resource::Runs, verb);
    routes
        .get("/apis/penstock/v1/runs/{run_id}/tasks/{task_id}/cache", requires(Verb::Get), explain)
        .describe(
            Description::new("explain_cache", "Why a task's result came from the cache, or did not")
                .reply(&schema::VERDICT),
        )
        .get("/apis/penstock/v1/cache", requires(Verb::List), list)
        .describe(
            narrowed(Description::new("list_cached_results", "Cached results, the newest first"))
                .query("page_size", Kind::Int32, "Results of a page: 100 unless it is said, at most 1,000.")
                .query("page_token", Kind::Text, "next_page_token of the page before.")
                .reply(&schema::ENTRIES),
        )
        .delete("/apis/penstock/v1/cache", requires(Verb::Delete), evict)
        .describe(
            narrowed(Description::new("forget_cached_results", "Forget cached results, so that tasks run again"))
                .query("all", Kind::Boolean, "Forget all of the namespace, where nothing else narrows it.")
                .reply(&schema::EVICTED),
        )
}

/// What says which results are meant.
fn narrowed(description: Description) -> Description {
    description
        .query("namespace", Kind::Text, "Where, in multi-user mode.")
        .query("pipeline", Kind::Text, "Name of the pipeline.")
        .query("task", Kind::Text, "Path of the task.")
        .query("key", Kind::Text, "The cache key.")
        .query("run_id", Kind::Id, "The run whose task made it.")
}

/// `GET /runs/{run}/tasks/{task}/cache`
async fn explain(access: Access, Path((run, task)): Path<(String, String)>) -> Result<Reply, ApiError> {
    let explain = async {
        let (api, record) = access.run(&run).await?;
        let row = record.row;
        let task = tasks::find(&api, &row, &task).await?.row;
        let path = task.path;
        let scope = CacheScope { pipeline_name: row.info.pipeline_name.clone(), namespace: row.info.namespace.clone() };
        let entries = api.metastore().nearest(&scope, &path, CANDIDATES).await?;
        let earlier = entries.into_iter().filter_map(Listed::readable).map(earlier_result).collect();
        // What the submitter stored; runs of other builds lack it.
        let rules = row.options.get("cache").cloned().unwrap_or_default();
        let rules: CacheRules = serde_json::from_value(rules).unwrap_or_default();
        let explained =
            folded::look(&api, &row, move |_, state| verdict(state, task.node, &path, &rules, earlier)).await??;
        Ok(explained)
    };
    explain.await.map_err(|error: ApiError| error.within("Failed to explain a cached result"))
}

fn verdict(
    state: &RunState,
    node: NodeId,
    path: &str,
    rules: &CacheRules,
    earlier: Vec<EarlierResult>,
) -> Result<Reply, ApiError> {
    let view = state.node(node).ok_or_else(|| ApiError::not_found("Task", path))?;
    if view.kind != NodeKind::Container {
        let text =
            format!("task {path} runs nothing by itself, so it has no cached result; ask about a task within it");
        return Err(ApiError::invalid(text));
    }
    let verdict = explain_cache(state, &view, rules, earlier);
    let run = state.info().map(|info| info.id).unwrap_or_default();
    let reply = Reply::new()
        .text("run_id", run)
        .text("task_id", task_id(run, path))
        .text("task_path", path)
        .text("cache_key", view.cache_key().unwrap_or_default());
    Ok(shown(reply, &verdict, rules))
}

fn earlier_result(entry: CacheEntry) -> EarlierResult {
    let CacheEntry { key, source, key_document, created_at, .. } = entry;
    EarlierResult { source, key, key_document, created_at }
}

fn shown(reply: Reply, verdict: &CacheVerdict, rules: &CacheRules) -> Reply {
    match verdict {
        CacheVerdict::Off(refusal) => {
            let (by, reason) = refused_by(*refusal);
            reply.text("outcome", "OFF").text("off_by", by).text("reason", reason)
        }
        CacheVerdict::NotAsked => reply.text("outcome", "NOT_ASKED").text("reason", "the task did not start"),
        CacheVerdict::Hit(source) => reply
            .text("outcome", "HIT")
            .text("reason", "the result of an earlier task was taken")
            .message("source", source_of(source)),
        CacheVerdict::Miss { passed_over, nearest, remembered } => {
            let reply = reply.text("outcome", "MISS").boolean("stored", *remembered);
            match (passed_over.as_deref(), nearest.as_deref()) {
                (Some(PassedOver { earlier, too_old }), _) => {
                    let reason = match too_old {
                        true => format!(
                            "the result under its key was older than the {} s that the run allows",
                            rules.max_age_seconds.unwrap_or_default()
                        ),
                        false => {
                            "what the result under its key consists of was not there any more, or its command ran \
                                  without its image"
                                .to_owned()
                        }
                    };
                    reply
                        .text("reason", reason)
                        .boolean("too_old", *too_old)
                        .message("passed_over", earlier_of(earlier))
                }
                (None, Some(NearestResult { earlier, differences })) => {
                    let nearest = earlier_of(earlier).list("differences", differences.iter().map(difference));
                    reply.text("reason", "no earlier result has its key").message("nearest", nearest)
                }
                (None, None) => reply.text("reason", "no earlier result of this task was known"),
            }
        }
    }
}

fn refused_by(refusal: CacheRefusal) -> (&'static str, &'static str) {
    match refusal {
        CacheRefusal::Run(CacheOff::Deployment) => {
            ("DEPLOYMENT", "whoever runs this server turned it off for all runs")
        }
        CacheRefusal::Run(CacheOff::Pipeline) => ("PIPELINE", "a tag of the pipeline or its version turns it off"),
        CacheRefusal::Run(CacheOff::Run) => ("RUN", "the run was submitted without it"),
        CacheRefusal::Task => ("TASK", "the pipeline's cachingOptions turn it off for this task"),
        CacheRefusal::Retry => ("RETRY", "the run was retried from this task, or from what is around it"),
    }
}

fn source_of(source: &CacheSource) -> Reply {
    let CacheSource { run_id, task_path } = source;
    Reply::new().text("run_id", *run_id).text("task_id", task_id(*run_id, task_path)).text("task_path", task_path)
}

fn earlier_of(earlier: &EarlierResult) -> Reply {
    source_of(&earlier.source).text("cache_key", &earlier.key).time("created_at", earlier.created_at)
}

fn difference(difference: &Difference) -> Reply {
    let Difference { field, then, now } = difference;
    let mut reply = Reply::new().text("field", field.join("."));
    for (name, value) in [("then", then), ("now", now)] {
        if let Some(value) = value {
            reply = reply.message(name, excerpt(value));
        }
    }
    reply
}

/// A value, unless it is large: then the beginning of its text.
fn excerpt(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() <= LONGEST_VALUE {
        return value.clone();
    }
    let end = text.floor_char_boundary(LONGEST_VALUE);
    Value::from(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// Which entries a query means.
#[derive(Debug, PartialEq, Eq)]
struct Selection {
    list: CacheList,
    /// Whether it names anything but the namespace.
    is_narrow: bool,
}

fn selection(place: &Entered, query: &Query) -> Result<Selection, ApiError> {
    let text = |name| query.text(name).map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
    let run = text("run_id")?.map(|id| parse_id("Run", &id)).transpose()?;
    let list = CacheList {
        namespace: place.narrowed(query.text("namespace")?),
        pipeline_name: text("pipeline")?,
        task_path: text("task")?,
        key: text("key")?,
        run,
        before: None,
    };
    let is_narrow = list.pipeline_name.is_some() || list.task_path.is_some() || list.key.is_some() || run.is_some();
    Ok(Selection { list, is_narrow })
}

/// `GET /cache`
async fn list(access: Access, query: Query) -> Result<Reply, ApiError> {
    page(&access, &query).await.map_err(|error| error.within("Failed to list cached results"))
}

async fn page(access: &Access, query: &Query) -> Result<Reply, ApiError> {
    let place = access.namespace(query.text("namespace")?, NO_NAMESPACE).await?;
    let mut list = selection(&place, query)?.list;
    let api = &place.api;
    let signature = format!("{list:?}");
    let size = match query.integer("page_size")? {
        0 => DEFAULT_PAGE,
        size => u32::try_from(size)
            .map_err(|_| ApiError::invalid(format!("The page size should be greater than 0. Got {size}")))?
            .min(LARGEST_PAGE),
    };
    list.before = match query.text("page_token")? {
        "" => None,
        text => {
            let token = token::open(text, LIST, api.token_key())?;
            match token.cursor.value {
                Operand::Integer(before) if token.filter == signature => Some(before),
                _ => return Err(ApiError::invalid("the page token is of another list of cached results")),
            }
        }
    };
    let mut entries = api.metastore().cache_entries(&list, size + 1).await?;
    let has_more = entries.len() > size as usize;
    entries.truncate(size as usize);
    let token = match entries.last().filter(|_| has_more) {
        Some(last) => {
            let cursor = Cursor { value: Operand::Integer(last.id), id: Uuid::nil() };
            token::seal(LIST, "", &signature, cursor, api.token_key())?
        }
        None => String::new(),
    };
    let shown = entries.iter().map(|CacheSummary { id, pipeline_name, key, source, created_at }| {
        source_of(source)
            .text("entry_id", id.to_string())
            .text("pipeline_name", pipeline_name)
            .text("cache_key", key)
            .time("created_at", *created_at)
    });
    Ok(Reply::new().list("entries", shown).text("next_page_token", token))
}

/// `DELETE /cache`: forgets results, so that tasks run again. Artifacts stay.
async fn evict(access: Access, query: Query) -> Result<Reply, ApiError> {
    let evict = async {
        let place = access.namespace(query.text("namespace")?, NO_NAMESPACE).await?;
        let Selection { list, is_narrow } = selection(&place, &query)?;
        if !is_narrow && !query.boolean("all")? {
            let text =
                "say which results to forget: pipeline, task, key or run_id; or all=true for all of the namespace";
            return Err(ApiError::invalid(text));
        }
        let filter = CacheFilter {
            pipeline_name: list.pipeline_name,
            namespace: Some(list.namespace),
            key: list.key,
            task_path: list.task_path,
            run: list.run,
            created_before: None,
        };
        let evicted = place.api.metastore().evict(filter).await?;
        Ok(Reply::new().message("evicted", Value::from(evicted)))
    };
    evict.await.map_err(|error: ApiError| error.within("Failed to forget cached results"))
}
