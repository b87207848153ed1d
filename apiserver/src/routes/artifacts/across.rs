//! Artifacts across runs, each once.

use penstock_metastore::{ArtifactCursor, ArtifactQuery, ArtifactRecord, Cursor, Listed, Operand};
use penstock_spec::strict_json;
use serde_json::{Map, Value};

use super::{described, unreadable};
use crate::api::Api;
use crate::error::ApiError;
use crate::listing::token;
use crate::router::Entered;
use crate::routes::lineage::{executions, has_metadata};
use crate::wire::{Query, Reply, time};

/// Artifacts that are looked at for one page when metadata decides, which has no index.
const MOST_LOOKED_AT: usize = 2000;
/// Most values of the metadata that is asked for.
const MOST_VALUES: usize = 100;
/// What tokens of this list are for.
const LIST: &str = "ArtifactAcrossRuns";

/// What artifacts have to be like.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted {
    pub(super) query: ArtifactQuery,
    pub(super) metadata: Map<String, Value>,
}

impl Wanted {
    /// Reads it from a query. The caller was let into the namespace before.
    pub(super) fn read(namespace: &str, query: &Query) -> Result<Self, ApiError> {
        let text = |name| query.text(name).map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
        let time = |name| match query.text(name)? {
            "" => Ok(None),
            text => time::parse(text).map_err(|reason| ApiError::invalid(format!("{name} {text:?}: {reason}"))),
        };
        let query_of_store = ArtifactQuery {
            namespace: namespace.to_owned(),
            type_title: text("type")?,
            name: text("name")?,
            uri: text("uri")?,
            digest: text("digest")?,
            pipeline_name: text("pipeline")?,
            task_path: text("task")?,
            from: time("created_after")?,
            until: time("created_before")?,
            after: None,
        };
        Ok(Self { query: query_of_store, metadata: metadata(query.text("metadata")?)? })
    }

    /// Whether an artifact is one of them, given the path of the task that a run has it from.
    pub(super) fn admits(&self, record: &penstock_spec::artifact::Artifact, task_path: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let digest = record.content.as_ref().map_or("", |content| content.digest.as_str());
        is(&self.query.type_title, &record.artifact_type.schema_title)
            && is(&self.query.name, &record.name)
            && is(&self.query.uri, &record.uri)
            && is(&self.query.digest, digest)
            && is(&self.query.task_path, task_path)
            && has_metadata(&record.metadata, &self.metadata)
    }

    /// The same text for the same question, to tell tokens of other questions.
    fn signature(&self) -> String {
        let ArtifactQuery { namespace, type_title, name, uri, digest, pipeline_name, task_path, from, until, after: _ } =
            &self.query;
        let texts = (namespace, type_title, name, uri, digest, pipeline_name, task_path);
        serde_json::json!([texts, from, until, self.metadata]).to_string()
    }
}

fn metadata(text: &str) -> Result<Map<String, Value>, ApiError> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    match strict_json::parse_bounded(text.as_bytes(), MOST_VALUES) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(ApiError::invalid(format!(
            "metadata is a JSON object of at most {MOST_VALUES} values, such as {{\"framework\": \"torch\"}}; null stands \
             for any value"
        ))),
    }
}

/// A page: the newest first. One that metadata narrows may hold fewer than are asked for and still not be the last.
pub(super) async fn page(place: &Entered, query: &Query, size: usize) -> Result<Reply, ApiError> {
    let api = &place.api;
    let mut wanted = Wanted::read(&place.narrowed(query.text("namespace")?), query)?;
    let signature = wanted.signature();
    wanted.query.after = match query.text("page_token")? {
        "" => None,
        token => Some(opened(api, token, &signature)?),
    };
    let mut found: Vec<Listed<ArtifactRecord>> = Vec::new();
    let mut looked_at = 0;
    let next = loop {
        let room = size - found.len();
        let rows = api.metastore().list_artifacts(&wanted.query, u32::try_from(room + 1).unwrap_or(u32::MAX)).await?;
        let has_more = rows.len() > room;
        looked_at += rows.len();
        for (cursor, row) in rows.into_iter().take(room) {
            wanted.query.after = Some(cursor);
            let admitted = match &row {
                Listed::Readable(record) => has_metadata(&record.artifact.metadata, &wanted.metadata),
                Listed::Unreadable(_) => true,
            };
            if admitted {
                found.push(row);
            }
        }
        if !has_more {
            break None;
        }
        if found.len() == size || looked_at >= MOST_LOOKED_AT {
            break wanted.query.after;
        }
    };
    let token = next.map(|cursor| sealed(api, cursor, &signature)).transpose()?.unwrap_or_default();
    let places: Vec<_> = found
        .iter()
        .filter_map(|row| match row {
            Listed::Readable(record) => Some((record.run, record.node)),
            Listed::Unreadable(_) => None,
        })
        .collect();
    let known = executions(api, &places).await?;
    let shown = found.iter().map(|row| match row {
        Listed::Readable(record) => described(record, known.get(&(record.run, record.node))),
        Listed::Unreadable(row) => unreadable(Reply::new().text("artifact_id", &row.row), row),
    });
    Ok(Reply::new().list("artifacts", shown).text("next_page_token", token))
}

fn sealed(api: &Api, cursor: ArtifactCursor, signature: &str) -> Result<String, ApiError> {
    let cursor = Cursor { value: Operand::Integer(cursor.recorded_at), id: cursor.id };
    token::seal(LIST, "", signature, cursor, api.token_key())
}

fn opened(api: &Api, token: &str, signature: &str) -> Result<ArtifactCursor, ApiError> {
    let token = token::open(token, LIST, api.token_key())?;
    if token.filter != signature {
        return Err(ApiError::invalid("the page token is of a list that was narrowed otherwise; ask the same again"));
    }
    match token.cursor.value {
        Operand::Integer(recorded_at) => Ok(ArtifactCursor { recorded_at, id: token.cursor.id }),
        _ => Err(ApiError::invalid("Invalid page token")),
    }
}
