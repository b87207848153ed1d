//! What runs are arranged by at a server that speaks KFP's API: lists of any length, and pipelines by name.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::error::RemoteError;
use crate::failure::Refusal;
use crate::text::inert;

/// Pages of a list, at most.
const MOST_PAGES: usize = 10_000;

/// Reads a list page by page.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    client: &'a Client,
    path: Vec<&'a str>,
    key: &'static str,
    size: &'static str,
    namespace: &'a str,
    token: Option<String>,
    read: usize,
}

impl<'a> Pages<'a> {
    /// The list at a path below `/apis/v2beta1`, whose items are in the member `key`; of the client's namespace.
    pub(crate) fn of(client: &'a Client, path: &[&'a str], key: &'static str, size: &'static str) -> Pages<'a> {
        let path = ["apis", "v2beta1"].iter().chain(path).copied().collect();
        Pages { client, path, key, size, namespace: client.namespace(), token: Some(String::new()), read: 0 }
    }

    /// What is of no namespace: pipelines that all may use.
    pub(crate) fn shared(mut self) -> Pages<'a> {
        self.namespace = "";
        self
    }

    /// The next page; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Value>>, RemoteError> {
        let Some(token) = self.token.take() else { return Ok(None) };
        self.read += 1;
        if self.read > MOST_PAGES {
            let reason = format!("the list has more than {MOST_PAGES} pages");
            return Err(RemoteError::Unreadable { path: self.path.join("/"), reason });
        }
        let mut query = vec![("page_size", self.size), ("sort_by", "created_at")];
        if !token.is_empty() {
            query.push(("page_token", token.as_str()));
        }
        if !self.namespace.is_empty() {
            query.push(("namespace", self.namespace));
        }
        let mut answer: Map<String, Value> = self.client.get(&self.path, &query).await?;
        self.token = answer
            .remove("next_page_token")
            .and_then(|next| next.as_str().map(str::to_owned))
            .filter(|next| !next.is_empty() && *next != token);
        match answer.remove(self.key) {
            Some(Value::Array(items)) => Ok(Some(items)),
            _ => Ok(Some(Vec::new())),
        }
    }

    /// Everything.
    pub(crate) async fn all(mut self) -> Result<Vec<Value>, RemoteError> {
        let mut all = Vec::new();
        while let Some(items) = self.next().await? {
            all.extend(items);
        }
        Ok(all)
    }
}

/// A pipeline.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pipeline {
    /// Its id.
    pub(crate) pipeline_id: String,
    /// Its name for people.
    #[serde(default)]
    pub(crate) display_name: String,
}

/// The pipeline of a name or id: that of the namespace, or else the one that all namespaces share.
pub(crate) async fn pipeline(client: &Client, word: &str) -> anyhow::Result<Option<Pipeline>> {
    if word.parse::<uuid::Uuid>().is_ok() {
        return found(client, &["apis", "v2beta1", "pipelines", word], None).await;
    }
    let path = ["apis", "v2beta1", "pipelines", "names", word];
    match (client.where_in_it(), found(client, &path, client.where_in_it()).await?) {
        (Some(_), None) => found(client, &path, None).await,
        (_, found) => Ok(found),
    }
}

async fn found(client: &Client, path: &[&str], place: Option<(&str, &str)>) -> anyhow::Result<Option<Pipeline>> {
    match client.get(path, place.as_slice()).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The specification of the latest version of a pipeline.
pub(crate) async fn latest_spec(client: &Client, pipeline: &str) -> anyhow::Result<Value> {
    #[derive(Deserialize)]
    struct Versions {
        #[serde(default)]
        pipeline_versions: Vec<Value>,
    }
    let path = ["apis", "v2beta1", "pipelines", pipeline, "versions"];
    let query = [("page_size", "1"), ("sort_by", "created_at desc")];
    let mut found: Versions = client.get(&path, &query).await?;
    let spec = found.pipeline_versions.pop().and_then(|mut version| version.get_mut("pipeline_spec").map(Value::take));
    spec.ok_or_else(|| Refusal::new(format!("the pipeline {} has no version", inert(pipeline))).into())
}

/// Creates something in the client's namespace; what the server made of it.
pub(crate) async fn create(
    client: &Client,
    resource: &str,
    mut body: Map<String, Value>,
) -> Result<Value, RemoteError> {
    if let Some((name, namespace)) = client.where_in_it() {
        body.insert(name.to_owned(), json!(namespace));
    }
    client.send(Method::POST, &["apis", "v2beta1", resource], &Value::Object(body)).await
}

/// Adds a version to a pipeline; what the server made of it.
pub(crate) async fn upload_version(client: &Client, pipeline: &str, version: &Value) -> Result<Value, RemoteError> {
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or_default();
    let tags = version.get("tags").map(Value::to_string).unwrap_or_default();
    let mut query = vec![("pipelineid", pipeline)];
    for name in ["name", "display_name", "description", "code_source_url"] {
        if !text(name).is_empty() {
            query.push((name, text(name)));
        }
    }
    if !tags.is_empty() {
        query.push(("tags", &tags));
    }
    let content = version.get("pipeline_spec").unwrap_or(&Value::Null).to_string();
    let file = Part::text(content).file_name("pipeline.json");
    let form = Form::new().part("uploadfile", file);
    client.upload(&["apis", "v2beta1", "pipelines", "upload_version"], &query, form).await
}

/// The version of a pipeline that has a name; the server tells none apart by the case of letters alone.
pub(crate) async fn version_named(client: &Client, pipeline: &str, name: &str) -> Result<Option<Value>, RemoteError> {
    #[derive(Deserialize)]
    struct Versions {
        #[serde(default)]
        pipeline_versions: Vec<Value>,
    }
    let filter = json!({"predicates": [{"operation": "EQUALS", "key": "name", "string_value": name}]}).to_string();
    let path = ["apis", "v2beta1", "pipelines", pipeline, "versions"];
    let found: Versions = client.get(&path, &[("page_size", "10"), ("filter", &filter)]).await?;
    let is_it = |version: &Value| {
        version.get("name").and_then(Value::as_str).is_some_and(|other| other.eq_ignore_ascii_case(name))
    };
    Ok(found.pipeline_versions.into_iter().find(is_it))
}
