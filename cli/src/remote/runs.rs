//! Runs of a server.

use std::sync::Arc;

use anyhow::Context as _;
use penstock_apiserver::records::{RunDetails, RunDocument, RunList};
use penstock_engine::{Pipeline, RunState};
use penstock_spec::check;
use penstock_spec::limits::Limits;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::error::RemoteError;
use super::facts::RemoteFacts;
use crate::feed::Feed;

/// The run that the user means.
pub(crate) async fn find(client: &Client, selector: &str) -> Result<RunDetails, RemoteError> {
    let mut query = vec![("run", selector)];
    query.extend(client.where_in_it());
    client.get(&["apis", "penstock", "v1", "runs:resolve"], &query).await
}

/// A run.
pub(crate) async fn details(client: &Client, run: Uuid) -> Result<RunDetails, RemoteError> {
    client.get(&["apis", "penstock", "v1", "runs", &run.to_string()], &[]).await
}

/// A page of runs, the newest first.
pub(crate) async fn list(client: &Client, size: u32, token: Option<&str>) -> Result<RunList, RemoteError> {
    let size = size.to_string();
    let mut query = vec![("page_size", size.as_str())];
    query.extend(token.map(|token| ("page_token", token)));
    query.extend(client.where_in_it());
    client.get(&["apis", "penstock", "v1", "runs"], &query).await
}

/// Makes a run; its id.
pub(crate) async fn create(client: &Client, body: &Value) -> Result<Uuid, RemoteError> {
    #[derive(serde::Deserialize)]
    struct Created {
        run_id: Uuid,
    }
    let created: Created = client.send(Method::POST, &["apis", "v2beta1", "runs"], body).await?;
    Ok(created.run_id)
}

/// Cancels a run.
pub(crate) async fn terminate(client: &Client, run: Uuid) -> Result<(), RemoteError> {
    client.act(Method::POST, &["apis", "v2beta1", "runs", &format!("{run}:terminate")]).await
}

/// Whether a command to go on waits for whoever drives the run.
pub(crate) async fn is_to_go_on(client: &Client, run: Uuid) -> Result<bool, RemoteError> {
    #[derive(serde::Deserialize)]
    struct Shown {
        #[serde(default)]
        state: String,
    }
    let shown: Shown = client.get(&["apis", "v2beta1", "runs", &run.to_string()], &[]).await?;
    Ok(!matches!(shown.state.as_str(), "FAILED" | "SUCCEEDED"))
}

/// Lets a run go on that failed.
pub(crate) async fn retry(client: &Client, run: Uuid) -> Result<(), RemoteError> {
    client.act(Method::POST, &["apis", "v2beta1", "runs", &format!("{run}:retry")]).await
}

/// Lets a run go on that ended, and one of its tasks start anew.
pub(crate) async fn retry_from(client: &Client, run: Uuid, task: Uuid) -> Result<(), RemoteError> {
    let (run, task) = (run.to_string(), format!("{task}:retry"));
    client.act(Method::POST, &["apis", "penstock", "v1", "runs", &run, "tasks", &task]).await
}

/// Follows a run from its first fact.
pub(crate) fn feed(client: &Client, details: &RunDetails) -> anyhow::Result<Feed> {
    let RunDetails { run, pipeline, remarks: _ } = details;
    let RunDocument { info, options, fact_count, .. } = run;
    let checked = check::load("pipeline.yaml", pipeline.as_bytes(), &Limits::default())
        .with_context(|| format!("the pipeline of run {} cannot be read", info.id))?;
    let state = RunState::new(Arc::clone(&Pipeline::compile(&checked)));
    let facts = RemoteFacts::follow(client, info.id, *fact_count);
    // Options of a newer build are unknown here; what they do not say has its default.
    let options = serde_json::from_value(options.clone()).unwrap_or_default();
    Ok(Feed::over(Box::new(facts), info.clone(), options, state, 0))
}
