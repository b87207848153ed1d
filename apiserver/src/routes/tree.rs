//! Where everything in a run stands, its specification, and single tasks: for those who look at runs.

mod schema;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use penstock_engine::{Fact, NodeId, RunState};
use penstock_metastore::RunRow;
use penstock_spec::run::TaskStatus;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::Api;
use crate::error::ApiError;
use crate::folded::{self, FoldedRun};
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::spec;
use crate::tree::{Iterations, Pods, TaskDocument, Wanted, find, tree};
use crate::wire::Query;
use crate::wire::write::{json_response, json_text};

/// Iterations of a page, at most.
const LARGEST_PAGE: usize = 1000;

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = Requires::Access(Resource::Runs, Verb::Get);
    routes
        .get("/apis/penstock/v1/runs/{run_id}/tree", requires, of_run)
        .describe(
            Description::new(
                "get_run_tree",
                "What a run is made of and where each part of it stands, but for what is below loops",
            )
            .query("node", Kind::Int32, "This node and what is below it; of a loop its iterations alone.")
            .query("from", Kind::Int32, "The first iteration.")
            .query("limit", Kind::Int32, "Iterations: 100 unless it is said, at most 1,000.")
            .query("status", Kind::Words(&schema::STATES), "Iterations in this state alone.")
            .query("at", Kind::Int32, "As the run was after the event of this number.")
            .reply(&schema::TREE),
        )
        .get("/apis/penstock/v1/runs/{run_id}/spec", requires, spec_of_run)
        .describe(
            Description::new("get_run_spec", "The pipeline of a run as JSON, and the values of its parameters")
                .reply(&schema::SPEC),
        )
        .get("/apis/penstock/v1/runs/{run_id}/tasks/{task_id}", requires, task)
        .describe(
            Description::new("get_task", "A task of a run with its inputs, its outputs and what it runs")
                .reply(&schema::TASK),
        )
}

/// `GET /runs/{run}/tree`
async fn of_run(access: Access, Path(run): Path<String>, query: Query) -> Result<Response, ApiError> {
    let answer = async {
        let wanted = wanted(&query)?;
        let at = number(&query, "at")?;
        let (api, record) = access.run(&run).await?;
        let pods = Pods::of(&record.row);
        let draw = move |folded: &FoldedRun, state: &RunState| text(&tree(folded, state, wanted, &pods)?);
        match at {
            None => folded::look(&api, &record.row, draw).await?,
            Some(at) => folded::look_back(&api, &record.row, u64::from(at), draw).await?,
        }
    };
    answer.await.map(json_text).map_err(|error: ApiError| error.within("Failed to get the tree of a run"))
}

/// What of a tree a query asks for.
fn wanted(query: &Query) -> Result<Wanted, ApiError> {
    let (from, limit) = (number(query, "from")?, number(query, "limit")?);
    let status = match query.text("status")? {
        "" => None,
        word => Some(state_of(word)?),
    };
    let is_narrowed = from.is_some() || limit.is_some() || status.is_some();
    let limit = match limit.unwrap_or_default() as usize {
        0 => Iterations::FIRST.limit,
        limit => limit.min(LARGEST_PAGE),
    };
    let iterations = is_narrowed.then_some(Iterations { from: from.unwrap_or_default(), limit, status });
    Ok(Wanted { node: number(query, "node")?.map(NodeId), iterations })
}

/// A number that may be 0; nothing when it is absent.
fn number(query: &Query, name: &str) -> Result<Option<u32>, ApiError> {
    if query.text(name)?.is_empty() {
        return Ok(None);
    }
    let number = query.integer(name)?;
    let number = u32::try_from(number);
    number.map(Some).map_err(|_| ApiError::invalid(format!("{name} counts from 0, and the request has a negative one")))
}

fn state_of(word: &str) -> Result<TaskStatus, ApiError> {
    serde_json::from_value(Value::from(word)).map_err(|_| {
        ApiError::invalid(format!("{word:?} is not the state of a task: it is one of {}", schema::STATES.join(", ")))
    })
}

/// `GET /runs/{run}/spec`
async fn spec_of_run(access: Access, Path(run): Path<String>) -> Result<Response, ApiError> {
    let answer = async {
        let (api, record) = access.run(&run).await?;
        let text = api.metastore().run_spec(record.row.info.id).await?.pipeline_text;
        let parameters = parameters(&api, &record.row, record.parameters).await?;
        let limits = api.limits().clone();
        let shown = move || {
            let mut answer = spec::shown_apart(&text, &limits)?;
            answer.insert("parameters".to_owned(), Value::Object(parameters));
            answer.insert("text".to_owned(), Value::String(text));
            Ok::<_, ApiError>(Value::Object(answer))
        };
        let shown = tokio::task::spawn_blocking(shown).await;
        shown.map_err(|error| ApiError::internal(format!("the work ended early: {error}")))?
    };
    let answer: Result<Value, ApiError> = answer.await;
    answer
        .map(|answer| json_response(StatusCode::OK, &answer))
        .map_err(|error| error.within("Failed to get the pipeline of a run"))
}

/// The values of a run's parameters: those that it started with, and before that those that were given.
async fn parameters(api: &Api, run: &RunRow, given: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let first = api.metastore().facts(run.info.id, 0, 1).await?.pop();
    Ok(match first.map(|stored| stored.fact) {
        Some(Fact::RunStarted { parameters, .. }) => parameters,
        _ => given,
    })
}

/// `GET /runs/{run}/tasks/{task}`
async fn task(access: Access, Path((run, task)): Path<(String, String)>) -> Result<Response, ApiError> {
    let answer = async {
        let (api, record) = access.run(&run).await?;
        let pods = Pods::of(&record.row);
        let describe = move |folded: &FoldedRun, state: &RunState| {
            let document = find(state, &task, &pods).and_then(|id| TaskDocument::new(folded, state, id, &pods));
            text(&document.ok_or_else(|| {
                let named = "a task is named by its id, its path, or the name of a Pod of it";
                ApiError::not_found("Task", &task).within(format!("Failed to find a task of run {run} ({named})"))
            })?)
        };
        folded::look(&api, &record.row, describe).await?
    };
    answer.await.map(json_text).map_err(|error: ApiError| error.within("Failed to get a task"))
}

fn text(document: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(document).map_err(|error| ApiError::internal(format!("cannot write the answer: {error}")))
}
