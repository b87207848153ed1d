//! Runs for those who follow them by their events, and the run that a word means which somebody typed.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use penstock_metastore::{Cursor, Listed, MetastoreError, Operand, RunQuery};
use serde::Serialize;
use uuid::Uuid;

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::listing::token;
use crate::openapi::schema::Kind;
use crate::openapi::{Description, Reply as Replied};
use crate::records::{RunDetails, RunList};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::Query;
use crate::wire::write::json_response;

/// What tokens of this list are signed for.
const LIST: &str = "RunRecord";
/// Runs of a page, at most.
const LARGEST_PAGE: u32 = 1000;
const NO_NAMESPACE: &str = "A run cannot have an empty namespace in multi-user mode";

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = |verb| Requires::Access(Resource::Runs, verb);
    routes
        .get("/apis/penstock/v1/runs", requires(Verb::List), list)
        .describe(
            Description::new("list_run_records", "Runs as those see them who follow their events, the newest first")
                .query("namespace", Kind::Text, "Where, in multi-user mode.")
                .query("page_size", Kind::Int32, "Runs of a page: 20 unless it is said, at most 1,000.")
                .query("page_token", Kind::Text, "next_page_token of the page before.")
                .replies(Replied::AnyJson),
        )
        .get("/apis/penstock/v1/runs:resolve", requires(Verb::Get), resolve)
        .describe(
            Description::new("resolve_run", "The run of an id, a unique beginning of one, a name, or the word latest")
                .required("run", Kind::Text, "The word.")
                .query("namespace", Kind::Text, "Where, in multi-user mode; an id needs none.")
                .replies(Replied::AnyJson),
        )
        .get("/apis/penstock/v1/runs/{run_id}", requires(Verb::Get), get)
        .describe(
            Description::new("get_run_record", "A run with its pipeline, as those need it who follow its events")
                .replies(Replied::AnyJson),
        )
}

/// `GET /runs`: the newest first.
async fn list(access: Access, query: Query) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to list runs");
    let asked = query.integer("page_size").map_err(failed)?;
    let page_size = u32::try_from(asked)
        .map_err(|_| failed(ApiError::invalid(format!("The page size should be greater than 0. Got {asked}"))))?
        .min(LARGEST_PAGE);
    let place = access.namespace(query.text("namespace").map_err(failed)?, NO_NAMESPACE).await.map_err(failed)?;
    let (api, namespace) = (place.api, place.namespace);
    let page_token = match query.text("page_token").map_err(failed)? {
        "" => None,
        token => Some(opened(&api, &namespace, token).map_err(failed)?),
    };
    let of_namespace = Some(namespace.clone()).filter(|name| !name.is_empty());
    let asked = RunQuery { namespace: of_namespace, page_token, page_size, ..RunQuery::default() };
    let page = api.metastore().list_runs(&asked).await.map_err(|error| failed(error.into()))?;
    let runs = page.runs.into_iter().map(Into::into).collect();
    let next_page_token = page.next.map(|next| sealed(&api, &namespace, next)).transpose().map_err(failed)?;
    json(&RunList { runs, next_page_token }).map_err(failed)
}

/// A token of the store as clients get it: signed, for the list of this namespace.
fn sealed(api: &Api, namespace: &str, next: String) -> Result<String, ApiError> {
    let cursor = Cursor { value: Operand::Text(next), id: Uuid::nil() };
    token::seal(LIST, "", namespace, cursor, api.token_key())
}

fn opened(api: &Api, namespace: &str, token: &str) -> Result<String, ApiError> {
    // As the command line says it of the data directory.
    let invalid = || ApiError::invalid(MetastoreError::PageToken { token: token.to_owned() }.to_string());
    let read = token::open(token, LIST, api.token_key()).map_err(|_| invalid())?;
    match read.cursor.value {
        Operand::Text(place) if read.filter == namespace => Ok(place),
        _ => Err(invalid()),
    }
}

/// `GET /runs:resolve?run=`: the run of an id, a unique beginning of one, a name, or `latest`; in multi-user mode the one of
/// a namespace.
async fn resolve(access: Access, query: Query) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to find a run");
    let word = query.text("run").map_err(failed)?;
    let id = match word.parse::<Uuid>() {
        Ok(_) => word.to_owned(),
        // Whoever looked for words everywhere would look through the namespaces of others.
        Err(_) => {
            let asked = query.text("namespace").map_err(failed)?;
            let place = access.namespace(asked, NO_NAMESPACE).await.map_err(failed)?;
            let namespace = access.is_multi_user().then_some(place.namespace.as_str());
            let found = place.api.metastore().resolve_run(namespace, word).await;
            found.map_err(|error| failed(unresolved(error)))?.to_string()
        }
    };
    let (api, record) = access.run(&id).await.map_err(failed)?;
    details(&api, record.row.info.id).await.map_err(failed)
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
async fn get(access: Access, Path(id): Path<String>) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to get a run");
    let (api, record) = access.run(&id).await.map_err(failed)?;
    details(&api, record.row.info.id).await.map_err(failed)
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
