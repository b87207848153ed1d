//! Where an artifact comes from and where it goes.

mod schema;

use std::collections::{BTreeSet, HashMap};

use axum::extract::Path;
use penstock_engine::{NodeId, task_id};
use penstock_metastore::{ArtifactRecord, ConsumedInput, Cursor, Execution, Operand, TaskInput};
use penstock_spec::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::artifacts::described;
use crate::api::Api;
use crate::error::ApiError;
use crate::lineage::{Bounds, Direction, Edge, Graph, TaskRef, walk};
use crate::listing::token;
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::{Query, Reply};

/// Items of a page when the request does not say, and at most.
const DEFAULT_PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 200;
const DEFAULT_DEPTH: u32 = 5;
const LARGEST_DEPTH: u32 = 50;
const DEFAULT_NODES: u32 = 200;
const MOST_NODES: u32 = 1000;
/// What tokens of these lists are for.
const RUNS: &str = "ArtifactRun";
const CONSUMERS: &str = "ArtifactConsumer";

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = Requires::Access(Resource::Runs, Verb::Get);
    routes
        .get("/apis/penstock/v1/artifacts/{artifact_id}", requires, get)
        .describe(
            Description::new("get_artifact", "An artifact, the runs that have it, and the tasks that took it")
                .reply(&super::artifacts::schema::ARTIFACT),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/runs", requires, runs)
        .describe(
            page(Description::new(
                "list_artifact_runs",
                "The tasks that put an artifact out, or had it from the cache",
            ))
            .reply(&schema::HOLDERS),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/consumers", requires, consumers)
        .describe(
            page(Description::new("list_artifact_consumers", "The tasks that took an artifact, in that order"))
                .reply(&schema::CONSUMERS),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/lineage", requires, graph)
        .describe(
            Description::new("get_artifact_lineage", "What an artifact came from, and what came from it")
                .query(
                    "direction",
                    Kind::Words(&["upstream", "downstream", "both"]),
                    "Which way: both unless it is said.",
                )
                .query("depth", Kind::Int32, "Tasks on a way: 5 unless it is said, at most 50.")
                .query("max_nodes", Kind::Int32, "Artifacts and tasks in all: 200 unless it is said, at most 1,000.")
                .reply(&schema::LINEAGE),
        )
}

fn page(description: Description) -> Description {
    description.query("page_size", Kind::Int32, "Items of a page: 20 unless it is said, at most 200.").query(
        "page_token",
        Kind::Text,
        "next_page_token of the page before.",
    )
}

/// `GET /artifacts/{id}`: the artifact, and the first of the runs that have it and of the tasks that took it.
async fn get(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let get = async {
        let (api, record) = access.artifact_record(&id).await?;
        let query = Query::default();
        let made_by = executions(&api, &[(record.run, record.node)]).await?;
        let reply = described(&record, made_by.get(&(record.run, record.node)));
        let (runs, more_runs) = runs_page(&api, &record, &query).await?;
        let (consumers, more_consumers) = consumers_page(&api, &record, &query).await?;
        let reply = reply.list("runs", runs).text("runs_next_page_token", more_runs);
        let reply = reply.list("consumers", consumers).text("consumers_next_page_token", more_consumers);
        with_gaps(&api, &record, reply).await
    };
    get.await.map_err(|error| error.within("Failed to get an artifact"))
}

/// `GET /artifacts/{id}/runs`: the tasks that put it out, by making it or from the cache.
async fn runs(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let list = async {
        let (api, record) = access.artifact_record(&id).await?;
        let (runs, token) = runs_page(&api, &record, &query).await?;
        Ok(Reply::new().list("runs", runs).text("next_page_token", token))
    };
    list.await.map_err(|error: ApiError| error.within("Failed to list the runs of an artifact"))
}

/// `GET /artifacts/{id}/consumers`: the tasks that took it, in the order in which they did.
async fn consumers(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let list = async {
        let (api, record) = access.artifact_record(&id).await?;
        let (consumers, token) = consumers_page(&api, &record, &query).await?;
        let reply = Reply::new().list("consumers", consumers).text("next_page_token", token);
        with_gaps(&api, &record, reply).await
    };
    list.await.map_err(|error: ApiError| error.within("Failed to list the consumers of an artifact"))
}

/// `GET /artifacts/{id}/lineage`
async fn graph(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let graph = async {
        let (api, record) = access.artifact_record(&id).await?;
        let direction = match query.text("direction")? {
            "" | "both" => Direction::Both,
            "upstream" => Direction::Upstream,
            "downstream" => Direction::Downstream,
            other => {
                return Err(ApiError::invalid(format!("direction is upstream, downstream or both, not {other:?}")));
            }
        };
        let depth = bounded(&query, "depth", DEFAULT_DEPTH, LARGEST_DEPTH)?;
        let nodes = bounded(&query, "max_nodes", DEFAULT_NODES, MOST_NODES)?;
        let bounds = Bounds { depth, nodes: usize::try_from(nodes).unwrap_or(usize::MAX) };
        let graph = walk(api.metastore(), record.artifact.id, direction, bounds).await?;
        with_gaps(&api, &record, shown(record.artifact.id, &graph)).await
    };
    graph.await.map_err(|error| error.within("Failed to follow an artifact"))
}

/// A number of the query between 1 and a limit.
fn bounded(query: &Query, name: &str, default: u32, most: u32) -> Result<u32, ApiError> {
    match query.integer(name)? {
        0 => Ok(default),
        number => match u32::try_from(number) {
            Ok(number) => Ok(number.min(most)),
            Err(_) => Err(ApiError::invalid(format!("{name} should be greater than 0. Got {number}"))),
        },
    }
}

/// Says so where what some runs took is not known.
async fn with_gaps(api: &Api, record: &ArtifactRecord, reply: Reply) -> Result<Reply, ApiError> {
    let gaps = api.metastore().runs_without_inputs(Some(&record.namespace), 1).await?;
    // Runs of earlier builds, until their facts were read again.
    Ok(reply.boolean("consumers_incomplete", !gaps.is_empty()))
}

pub(super) async fn executions(api: &Api, tasks: &[TaskRef]) -> Result<HashMap<TaskRef, Execution>, ApiError> {
    let tasks: BTreeSet<TaskRef> = tasks.iter().copied().collect();
    let tasks: Vec<TaskRef> = tasks.into_iter().collect();
    let found = api.metastore().executions(&tasks).await?;
    Ok(found.into_iter().map(|found| ((found.run, found.node), found)).collect())
}

async fn runs_page(api: &Api, record: &ArtifactRecord, query: &Query) -> Result<(Vec<Reply>, String), ApiError> {
    let id = record.artifact.id;
    let size = bounded(query, "page_size", DEFAULT_PAGE, LARGEST_PAGE)?;
    let after = match query.text("page_token")? {
        "" => None,
        token => {
            let (node, run) = opened::<u32>(api, RUNS, id, token)?;
            Some((run, NodeId(node)))
        }
    };
    let mut rows = api.metastore().holders(id, after, size + 1).await?;
    let has_more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = rows.last().filter(|_| has_more);
    let token = next.map(|last| sealed(api, RUNS, id, last.run, last.node.0)).transpose()?.unwrap_or_default();
    let tasks: Vec<TaskRef> = rows.iter().map(|row| (row.run, row.node)).collect();
    let known = executions(api, &tasks).await?;
    let shown = rows.iter().map(|row| {
        task((row.run, row.node), known.get(&(row.run, row.node)))
            .text("output", &row.output)
            .count("position", u64::from(row.position))
    });
    Ok((shown.collect(), token))
}

async fn consumers_page(api: &Api, record: &ArtifactRecord, query: &Query) -> Result<(Vec<Reply>, String), ApiError> {
    let id = record.artifact.id;
    let size = bounded(query, "page_size", DEFAULT_PAGE, LARGEST_PAGE)?;
    let after = match query.text("page_token")? {
        "" => None,
        token => {
            let ((taken_at, node, input, position), run) =
                opened::<(Timestamp, u32, String, u32)>(api, CONSUMERS, id, token)?;
            let input = TaskInput { node: NodeId(node), input, position, artifact: id, taken_at };
            Some(ConsumedInput { run, input })
        }
    };
    let mut rows = api.metastore().consumers(id, after.as_ref(), size + 1).await?;
    let has_more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let seal = |last: &ConsumedInput| {
        let TaskInput { node, input, position, taken_at, .. } = &last.input;
        sealed(api, CONSUMERS, id, last.run, (taken_at, node.0, input, position))
    };
    let token = rows.last().filter(|_| has_more).map(seal).transpose()?.unwrap_or_default();
    let tasks: Vec<TaskRef> = rows.iter().map(|row| (row.run, row.input.node)).collect();
    let known = executions(api, &tasks).await?;
    let shown = rows.iter().map(|row| {
        task((row.run, row.input.node), known.get(&(row.run, row.input.node)))
            .text("input", &row.input.input)
            .count("position", u64::from(row.input.position))
            .time("taken_at", row.input.taken_at)
    });
    Ok((shown.collect(), token))
}

/// A token of the list of one artifact; `place` and `run` are those of the last item.
fn sealed(api: &Api, list: &str, artifact: Uuid, run: Uuid, place: impl serde::Serialize) -> Result<String, ApiError> {
    let text = serde_json::to_string(&place);
    let text = text.map_err(|error| ApiError::internal(format!("cannot write the token of the next page: {error}")))?;
    token::seal(list, "", &artifact.to_string(), Cursor { value: Operand::Text(text), id: run }, api.token_key())
}

fn opened<T: serde::de::DeserializeOwned>(
    api: &Api,
    list: &str,
    artifact: Uuid,
    token: &str,
) -> Result<(T, Uuid), ApiError> {
    let invalid = || ApiError::invalid("Invalid page token");
    let token = token::open(token, list, api.token_key())?;
    let Operand::Text(text) = token.cursor.value else { return Err(invalid()) };
    if token.filter != artifact.to_string() {
        return Err(ApiError::invalid("the page token is of the list of another artifact"));
    }
    Ok((serde_json::from_str(&text).map_err(|_| invalid())?, token.cursor.id))
}

/// A task of a run. Of one that was deleted only its place is known.
pub(super) fn task((run, node): TaskRef, known: Option<&Execution>) -> Reply {
    let reply = Reply::new().text("run_id", run);
    let Some(known) = known else {
        return reply.message("node", Value::from(node.0)).boolean("deleted", true);
    };
    let reply = reply
        .text("run_name", &known.run_name)
        .text("pipeline_name", &known.pipeline_name)
        .text("task_id", task_id(run, &known.task_path))
        .text("task_path", &known.task_path)
        .text("task_name", &known.task_name)
        .text("kind", word(known.kind))
        .text("state", word(known.status))
        .boolean("cached", known.cached);
    match known.finished_at {
        Some(time) => reply.time("finished_at", time),
        None => reply,
    }
}

/// The word for a kind or state.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Identity of a task in a graph: where its run was deleted, its path is not known.
fn key_of((run, node): TaskRef, known: &HashMap<TaskRef, &Execution>) -> String {
    match known.get(&(run, node)) {
        Some(known) => task_id(run, &known.task_path).to_string(),
        None => format!("{run}/{}", node.0),
    }
}

fn shown(root: Uuid, graph: &Graph) -> Reply {
    let known: HashMap<TaskRef, &Execution> =
        graph.executions.iter().map(|known| ((known.run, known.node), known)).collect();
    let tasks: BTreeSet<TaskRef> = graph.edges.iter().map(|edge| edge.task).collect();
    let artifacts = graph.artifacts.iter().map(|record| {
        let artifact = &record.artifact;
        Reply::new()
            .text("artifact_id", artifact.id)
            .text("name", &artifact.name)
            .text("type", &artifact.artifact_type.schema_title)
            .text("uri", &artifact.uri)
            .text("digest", artifact.content.as_ref().map_or("", |content| content.digest.as_str()))
            .time("created_at", record.recorded_at)
    });
    let executions =
        tasks.iter().map(|place| task(*place, known.get(place).copied()).text("execution_id", key_of(*place, &known)));
    let edges = graph.edges.iter().map(|edge| {
        let Edge { artifact, task, is_output, name, position } = edge;
        Reply::new()
            .text("artifact_id", *artifact)
            .text("execution_id", key_of(*task, &known))
            .text("kind", if *is_output { "output" } else { "input" })
            .text("name", name)
            .count("position", u64::from(*position))
    });
    Reply::new()
        .text("artifact_id", root)
        .list("artifacts", artifacts)
        .list("executions", executions)
        .list("edges", edges)
        .boolean("cut", graph.cut)
}

/// Whether metadata has all that is wanted: a value that is null stands for any.
pub(super) fn has_metadata(metadata: &Map<String, Value>, wanted: &Map<String, Value>) -> bool {
    wanted.iter().all(|(key, value)| metadata.get(key).is_some_and(|found| value.is_null() || found == value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_is_compared_key_by_key() {
        let (Value::Object(metadata), wanted) =
            (json!({"a": 1, "b": "x"}), |value: Value| value.as_object().unwrap().clone())
        else {
            panic!()
        };
        assert!(has_metadata(&metadata, &wanted(json!({}))));
        assert!(has_metadata(&metadata, &wanted(json!({"a": 1, "b": null}))));
        assert!(!has_metadata(&metadata, &wanted(json!({"a": 2}))));
        assert!(!has_metadata(&metadata, &wanted(json!({"c": null}))));
    }
}
