//! Runs by what they were made of and what came out of them.

use std::collections::HashMap;

use penstock_metastore::{Listed, RunRecord, RunValues};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::runs::{SCOPE, shown};
use super::source::{Scope, scope};
use crate::error::ApiError;
use crate::listing::ListRequest;
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::runs::schema;
use crate::wire::{Query, Reply};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/apis/penstock/v1/runs:search", Requires::Access(Resource::Runs, Verb::List), search).describe(
        Description::new("search_runs", "Runs by pipeline, tags, parameters and metrics too, with their values")
            .query("namespace", Kind::Text, "Where, in multi-user mode.")
            .query("experiment_id", Kind::Id, "Those of this experiment alone.")
            .paged()
            .reply(&schema::FOUND_RUNS),
    )
}

/// `GET /runs:search`
async fn search(access: Access, query: Query) -> Result<Reply, ApiError> {
    found(access, query).await.map_err(|error| error.within("Failed to search runs"))
}

async fn found(access: Access, query: Query) -> Result<Reply, ApiError> {
    let Scope { api, predicates, unseen } = scope(&access, &query, &SCOPE).await?;
    let store = api.metastore();
    if let Some(experiment) = unseen {
        store.experiment(experiment).await?;
    }
    let asked = ListRequest::read(&query)?.search(api.token_key(), predicates)?;
    let found = store.search_runs(&asked.search).await?;
    let runs: Vec<Uuid> = found.page.rows.iter().filter_map(id).collect();
    let (values, is_incomplete) = tokio::try_join!(store.run_values(&runs), store.has_unrecorded_values())?;
    let reply = asked.reply(api.token_key(), found, |record| match shown(&api, &record) {
        Ok(reply) => reply.into(),
        Err(error) => Reply::new().text("run_id", record.row.info.id).message("error", error.to_status()).into(),
    })?;
    Ok(reply.map("values", by_run(values)).boolean("values_incomplete", is_incomplete))
}

fn id(row: &Listed<RunRecord>) -> Option<Uuid> {
    match row {
        Listed::Readable(record) => Some(record.row.info.id),
        Listed::Unreadable(_) => None,
    }
}

fn by_run(values: HashMap<Uuid, RunValues>) -> Map<String, Value> {
    let shown = values.into_iter().map(|(run, RunValues { parameters, metrics })| {
        let metrics = metrics.into_iter().map(|(name, number)| (name, Value::from(number))).collect();
        (run.to_string(), Reply::new().map("parameters", parameters).map("metrics", metrics).into())
    });
    shown.collect()
}
