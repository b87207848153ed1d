//! Runs for those who follow them by their events, and the run that a word means which somebody typed.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use penstock_metastore::{Listed, MetastoreError, RunQuery};
use serde::Serialize;
use uuid::Uuid;

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::records::{RunDetails, RunList};
use crate::router::{Requires, Resource, Routes, Verb};
use crate::tasks;
use crate::wire::Query;
use crate::wire::write::json_response;

/// Runs of a page, at most.
const LARGEST_PAGE: u32 = 1000;

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = |verb| Requires::Access(Resource::Runs, verb);
    routes
        .get("/apis/penstock/v1/runs", requires(Verb::List), list)
        .get("/apis/penstock/v1/runs:resolve", requires(Verb::List), resolve)
        .get("/apis/penstock/v1/runs/{run_id}", requires(Verb::Get), get)
}

/// `GET /runs`: the newest first.
async fn list(State(api): State<Api>, query: Query) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to list runs");
    let asked = query.integer("page_size").map_err(failed)?;
    let page_size = u32::try_from(asked)
        .map_err(|_| failed(ApiError::invalid(format!("The page size should be greater than 0. Got {asked}"))))?
        .min(LARGEST_PAGE);
    let page_token = match query.text("page_token").map_err(failed)? {
        "" => None,
        token => Some(token.to_owned()),
    };
    let namespace = Some(api.namespace()).filter(|name| !name.is_empty()).map(str::to_owned);
    let asked = RunQuery { namespace, page_token, page_size, ..RunQuery::default() };
    let page = api.metastore().list_runs(&asked).await.map_err(|error| match error {
        MetastoreError::PageToken { .. } => failed(ApiError::invalid(error.to_string())),
        error => failed(error.into()),
    })?;
    let runs = page.runs.into_iter().map(Into::into).collect();
    json(&RunList { runs, next_page_token: page.next }).map_err(failed)
}

/// `GET /runs:resolve?run=`: the run of an id, a unique beginning of one, a name, or `latest`.
async fn resolve(State(api): State<Api>, query: Query) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to find a run");
    let word = query.text("run").map_err(failed)?;
    let run = api.metastore().resolve_run(word).await.map_err(|error| failed(unresolved(error)))?;
    details(&api, run).await.map_err(failed)
}

/// What to say of a word that means no run, or several.
fn unresolved(error: MetastoreError) -> ApiError {
    match &error {
        MetastoreError::UnknownRun { .. } | MetastoreError::NoSuchRun { .. } | MetastoreError::NoRuns => {
            ApiError::new(ErrorKind::NotFound, error.to_string())
        }
        MetastoreError::AmbiguousRun { .. } => ApiError::invalid(error.to_string()),
        _ => error.into(),
    }
}

/// `GET /runs/{id}`
async fn get(State(api): State<Api>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to get a run");
    let run = tasks::run(&api, &id).await.map_err(failed)?.info.id;
    details(&api, run).await.map_err(failed)
}

async fn details(api: &Api, run: Uuid) -> Result<Response, ApiError> {
    let store = api.metastore();
    let pipeline = store.run_spec(run).await?.pipeline_text;
    let remarks = store.remarks(run).await?.into_iter().filter_map(Listed::readable).map(Into::into).collect();
    // Read last, so that its facts are at least those that the rest tells of.
    let run = store.run(run).await?.into();
    json(&RunDetails { run, pipeline, remarks })
}

fn json(document: &impl Serialize) -> Result<Response, ApiError> {
    let value = serde_json::to_value(document)
        .map_err(|error| ApiError::internal(format!("cannot write the answer: {error}")))?;
    Ok(json_response(StatusCode::OK, &value))
}
