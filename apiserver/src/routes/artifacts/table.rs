//! The rows of an artifact that is a table, so that a browser need not take all of it to show some.

use axum::extract::Path;
use serde_json::Value;

use super::content::file;
use crate::error::ApiError;
use crate::openapi::schema::{Kind, Message, always, shown};
use crate::router::Access;
use crate::table::{self, Beginning, Format, Table, Window};
use crate::wire::{Query, Reply};

/// Of a file that is larger, the beginning is looked at.
const MOST_BYTES: u64 = 8 << 20;
/// What rows may take while they are read and written, for each byte of the file.
const MEMORY_FACTOR: usize = 6;
/// Rows when the request does not say, and at most.
const DEFAULT_ROWS: usize = 100;
const MOST_ROWS: usize = 1000;
const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "mixed"];

/// Rows of a table.
pub(super) const TABLE: Message = Message {
    name: "ArtifactTable",
    fields: &[
        always("columns", Kind::List(&Kind::Message(&COLUMN))),
        always("rows", Kind::List(&ROW)),
        shown("total_rows", Kind::Int32),
        always("truncated", Kind::Boolean),
    ],
};

const ROW: Kind = Kind::List(&Kind::Any);

const COLUMN: Message =
    Message { name: "ArtifactTableColumn", fields: &[always("name", Kind::Text), always("type", Kind::Words(&TYPES))] };

/// `GET /artifacts/{artifact}/table`
pub(super) async fn table(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    rows(&access, &id, &query).await.map_err(|error| error.within("Failed to read the rows of an artifact"))
}

async fn rows(access: &Access, id: &str, query: &Query) -> Result<Reply, ApiError> {
    let window = window(query)?;
    let (api, file) = file(access, id, query.text("path")?).await?;
    let Some(format) = Format::of(&file.name) else {
        let text = format!("{:?} is no table by its name: csv, tsv, jsonl and ndjson are", file.name);
        return Err(ApiError::invalid(text));
    };
    let size = file.object.meta.size;
    let wanted = size.min(MOST_BYTES);
    let memory = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_mul(MEMORY_FACTOR);
    let _memory = api.bodies().reserve(memory).await?;
    let _room = api.stream_room()?;
    let content = file.object.part(0..wanted).await?;
    let read = tokio::task::spawn_blocking(move || {
        table::read(format, Beginning { content: &content, is_whole: wanted == size }, window)
    });
    match read.await {
        Ok(Ok(table)) => Ok(reply(table)),
        Ok(Err(reason)) => {
            Err(ApiError::failed_precondition(format!("{:?} cannot be read as a table: {reason}", file.name)))
        }
        Err(error) => Err(ApiError::internal(format!("reading a table broke off: {error}"))),
    }
}

fn window(query: &Query) -> Result<Window, ApiError> {
    let number = |name| match query.integer(name)? {
        number @ 0.. => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        number => Err(ApiError::invalid(format!("{name} must not be negative: it is {number}"))),
    };
    let limit = match number("limit")? {
        0 => DEFAULT_ROWS,
        limit => limit.min(MOST_ROWS),
    };
    Ok(Window { offset: number("offset")?, limit })
}

fn reply(table: Table) -> Reply {
    let Table { columns, rows, total, truncated } = table;
    let columns: Vec<Value> =
        columns.into_iter().map(|(name, kind)| serde_json::json!({"name": name, "type": kind})).collect();
    let rows: Vec<Value> = rows.into_iter().map(Value::Array).collect();
    let reply = Reply::new()
        .message("columns", Value::Array(columns))
        .message("rows", Value::Array(rows))
        .message("truncated", Value::Bool(truncated));
    match total {
        None => reply,
        Some(total) => reply.message("total_rows", Value::from(total)),
    }
}
