//! Experiments that runs and schedules go into.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::catalog;
use super::client::Client;
use super::error::RemoteError;

/// What kfp's SDK calls the one of a namespace when nobody has named any.
const DEFAULT: &str = "Default";

/// The experiment that something new goes into, made if it is not there yet; none where the server knows one by itself.
pub(crate) async fn for_new(client: &Client, asked: Option<&str>) -> Result<Option<String>, RemoteError> {
    let Some(word) = wanted(client, asked).await? else { return Ok(None) };
    match found(client, word).await? {
        Some(id) => Ok(Some(id)),
        None => {
            let body = Map::from_iter([("display_name".to_owned(), json!(word))]);
            let made = catalog::create(client, "experiments", body).await?;
            Ok(Some(id(&made).to_owned()))
        }
    }
}

/// The experiment that a word means, if there is one: its id or its name.
pub(crate) async fn found(client: &Client, word: &str) -> Result<Option<String>, RemoteError> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        experiments: Vec<Value>,
    }
    if word.parse::<uuid::Uuid>().is_ok() {
        return Ok(Some(word.to_owned()));
    }
    let filter = json!({"predicates": [{"operation": "EQUALS", "key": "display_name", "string_value": word}]});
    let filter = filter.to_string();
    let mut query = vec![("page_size", "10"), ("filter", filter.as_str())];
    query.extend(client.where_in_it());
    let Found { experiments } = client.get(&["apis", "v2beta1", "experiments"], &query).await?;
    // Filters do not mind the case of letters; names do.
    let is_it = |one: &&Value| one.get("display_name").and_then(Value::as_str) == Some(word);
    Ok(experiments.iter().find(is_it).map(|one| id(one).to_owned()))
}

/// What is wanted: what was asked for, or else, where namespaces have their own experiments, that of the namespace.
async fn wanted<'a>(client: &Client, asked: Option<&'a str>) -> Result<Option<&'a str>, RemoteError> {
    #[derive(Deserialize)]
    struct Health {
        #[serde(default)]
        multi_user: bool,
    }
    if asked.is_some() || client.namespace().is_empty() {
        return Ok(asked);
    }
    let health: Health = client.get(&["apis", "v2beta1", "healthz"], &[]).await?;
    Ok(health.multi_user.then_some(DEFAULT))
}

fn id(experiment: &Value) -> &str {
    experiment.get("experiment_id").and_then(Value::as_str).unwrap_or_default()
}
