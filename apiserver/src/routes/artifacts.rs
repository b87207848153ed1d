//! Artifacts: which there are, which a run has, and what is stored of them.

mod across;
mod content;
mod display;
mod files;
mod link;
mod read;
pub(super) mod schema;
mod table;

use penstock_engine::{NodeId, task_id};
use penstock_metastore::{
    ArtifactPosition, ArtifactRecord, ArtifactRow, Cursor, Execution, Listed, Operand, TaskRow, Unreadable,
};
use penstock_spec::artifact::Artifact;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

use super::lineage;
use crate::api::Api;
use crate::error::ApiError;
use crate::listing::token;
use crate::openapi::schema::Kind;
use crate::openapi::{Description, Reply as Replied};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::{Query, Reply};

/// Artifacts of a page when the request does not say, and at most.
const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;
const NO_NAMESPACE: &str = "Artifacts are of a namespace in multi-user mode: say which";
/// What tokens of this list are for.
const LIST: &str = "Artifact";

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = |verb| Requires::Access(Resource::Runs, verb);
    routes
        .get(
            "/apis/v2beta1/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}:read",
            requires(Verb::ReadArtifact),
            read::read,
        )
        .describe(
            Description::new("read_artifact", "An artifact within JSON, up to 16 MiB")
                .reply(&schema::DATA)
                .refused_like_uploads(),
        )
        .get("/apis/penstock/v1/artifacts", requires(Verb::Get), list)
        .describe(
            Description::new(
                "list_artifacts",
                "Artifacts of all runs, the newest first; or of one, in the order of its tasks",
            )
            .query("run_id", Kind::Id, "The run.")
            .query("namespace", Kind::Text, "Where, in multi-user mode.")
            .query("type", Kind::Text, "Title of the type, such as system.Model.")
            .query("name", Kind::Text, "Name of the artifact.")
            .query("uri", Kind::Text, "Where it is.")
            .query("digest", Kind::Text, "Digest of its content.")
            .query("pipeline", Kind::Text, "Name of the pipeline.")
            .query("task", Kind::Text, "Path of the task that put it out.")
            .query("created_after", Kind::Time, "Not before this.")
            .query("created_before", Kind::Time, "Before this.")
            .query("metadata", Kind::Text, "JSON object that its metadata must have; null stands for any value.")
            .query("page_size", Kind::Int32, "Artifacts of a page: 100 unless it is said, at most 1,000.")
            .query("page_token", Kind::Text, "next_page_token of the page before.")
            .reply(&schema::ARTIFACTS),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/content", requires(Verb::ReadArtifact), content::content)
        .describe(
            Description::new(
                "read_artifact_content",
                "The bytes of an artifact, or of a file of one that is a directory",
            )
            .query("path", Kind::Text, "The file of an artifact that is a directory.")
            .query("download", Kind::Boolean, "Have browsers save it rather than show it.")
            .query(
                "display",
                Kind::Words(&["html", "image"]),
                "Have browsers show it as a page of its own origin without network (html, up to 20 MiB), or as an image, \
                 which may be svg.",
            )
            .replies(Replied::Bytes),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/files", requires(Verb::ReadArtifact), files::files)
        .describe(
            Description::new("list_artifact_files", "The files of an artifact that is a directory")
                .query("page_token", Kind::Text, "next_page_token of the page before.")
                .reply(&schema::FILES),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/table", requires(Verb::ReadArtifact), table::table)
        .describe(
            Description::new("read_artifact_table", "Rows of an artifact that is a table: csv, tsv, jsonl or ndjson")
                .query("path", Kind::Text, "The file of an artifact that is a directory.")
                .query("offset", Kind::Int32, "Rows to go past.")
                .query("limit", Kind::Int32, "Rows: 100 unless it is said, at most 1,000.")
                .reply(&table::TABLE),
        )
        .get("/apis/penstock/v1/artifacts/{artifact_id}/link", requires(Verb::ReadArtifact), link::link)
        .describe(
            Description::new("link_artifact", "A link with which whoever has it takes an artifact from its store")
                .query("path", Kind::Text, "The file of an artifact that is a directory.")
                .query("download", Kind::Boolean, "Have browsers save it rather than show it.")
                .query("lifetime_seconds", Kind::Int32, "How long it is good: 300 unless it is said, at most 3,600.")
                .reply(&schema::LINK),
        )
}

/// `GET /artifacts`: of all runs, the newest first; or with `run_id` what the tasks of one run have put out, in the order of
/// the tasks.
async fn list(access: Access, query: Query) -> Result<Reply, ApiError> {
    let failed = |error: ApiError| error.within("Failed to list artifacts");
    page(&access, &query).await.map_err(failed)
}

async fn page(access: &Access, query: &Query) -> Result<Reply, ApiError> {
    let size = match query.integer("page_size")? {
        0 => DEFAULT_PAGE,
        size => u32::try_from(size)
            .map_err(|_| ApiError::invalid(format!("The page size should be greater than 0. Got {size}")))?
            .min(LARGEST_PAGE),
    };
    match query.text("run_id")? {
        "" => {
            let place = access.namespace(query.text("namespace")?, NO_NAMESPACE).await?;
            across::page(&place, query, size as usize).await
        }
        run => {
            let (api, record) = access.run(run).await?;
            page_of_run(&api, record.row.info.id, query, size).await
        }
    }
}

async fn page_of_run(api: &Api, run: Uuid, query: &Query, size: u32) -> Result<Reply, ApiError> {
    let wanted = across::Wanted::read(api.namespace(), query)?;
    let after = match query.text("page_token")? {
        "" => None,
        token => Some(position(api, run, token)?),
    };
    let mut rows = api.metastore().artifacts_after(run, after.as_ref(), size.saturating_add(1)).await?;
    let has_more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = match rows.last().filter(|_| has_more) {
        Some((last, _)) => next_token(api, run, last)?,
        None => String::new(),
    };
    let tasks = api.metastore().tasks(run).await?.into_iter().filter_map(Listed::readable);
    let tasks: HashMap<NodeId, TaskRow> = tasks.map(|task| (task.node, task)).collect();
    let admits = |row: &ArtifactRow| {
        let path = tasks.get(&row.node).map_or("", |task| task.path.as_str());
        wanted.admits(&row.artifact, path)
    };
    let shown = rows.into_iter().filter_map(|(position, row)| match row {
        Listed::Readable(row) => admits(&row).then(|| shown(run, &row, tasks.get(&row.node))),
        Listed::Unreadable(row) => Some(unreadable(Reply::new().text("output", position.output), &row)),
    });
    Ok(Reply::new().list("artifacts", shown).text("next_page_token", next))
}

/// An artifact that cannot be shown.
fn unreadable(reply: Reply, row: &Unreadable) -> Reply {
    let error = ApiError::internal(format!("cannot read {}: {}", row.row, row.reason));
    reply.message("error", error.to_status())
}

/// Where the page before ended.
fn position(api: &Api, run: Uuid, token: &str) -> Result<ArtifactPosition, ApiError> {
    let invalid = || ApiError::invalid("Invalid page token");
    let Cursor { value, id } = token::open(token, LIST, api.token_key())?.cursor;
    let Operand::Text(text) = value else { return Err(invalid()) };
    let (node, output, position) = serde_json::from_str(&text).map_err(|_| invalid())?;
    if id != run {
        return Err(ApiError::invalid("the page token is of the list of another run"));
    }
    Ok(ArtifactPosition { node: NodeId(node), output, position })
}

fn next_token(api: &Api, run: Uuid, last: &ArtifactPosition) -> Result<String, ApiError> {
    let text = serde_json::json!([last.node.0, last.output, last.position]).to_string();
    token::seal(LIST, "", "", Cursor { value: Operand::Text(text), id: run }, api.token_key())
}

/// An artifact, and the task that put it out.
fn shown(run: Uuid, row: &ArtifactRow, task: Option<&TaskRow>) -> Reply {
    let ArtifactRow { output, position, artifact, .. } = row;
    let mut producer = Reply::new().text("run_id", run).text("output", output).count("position", u64::from(*position));
    if let Some(task) = task {
        producer = producer
            .text("task_id", task_id(run, &task.path))
            .text("task_path", &task.path)
            .text("task_name", &task.display_name)
            .boolean("cached", task.cached);
    }
    content_of(artifact).message("producer", producer)
}

/// An artifact, and the task that made it; of a run that was deleted, as far as that is known.
pub(super) fn described(record: &ArtifactRecord, made_by: Option<&Execution>) -> Reply {
    let producer = lineage::task((record.run, record.node), made_by)
        .text("pipeline_name", &record.pipeline_name)
        .text("task_path", &record.task_path)
        .text("output", &record.output)
        .count("position", u64::from(record.position));
    content_of(&record.artifact)
        .text("namespace", &record.namespace)
        .time("created_at", record.recorded_at)
        .message("producer", producer)
}

/// What an artifact is.
pub(crate) fn content_of(artifact: &Artifact) -> Reply {
    let reply = Reply::new()
        .text("artifact_id", artifact.id)
        .text("name", &artifact.name)
        .text("type", &artifact.artifact_type.schema_title)
        .text("schema_version", &artifact.artifact_type.schema_version)
        .text("uri", &artifact.uri)
        .map("metadata", artifact.metadata.clone());
    match &artifact.content {
        Some(content) => reply
            .text("digest", &content.digest)
            // Present when it is 0 too: that is not the same as nothing stored.
            .message("size", Value::from(content.size.to_string()))
            .boolean("directory", content.directory)
            .count("files", content.files),
        None => reply,
    }
}
