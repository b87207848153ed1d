//! The rows of an artifact that is a table, so that a browser need not take all of it to show some.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Path;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::content::{File, file};
use crate::api::Api;
use crate::error::ApiError;
use crate::openapi::schema::{Kind, Message, always, shown};
use crate::router::Access;
use crate::stored::StoredObject;
use crate::table::parquet::{self, Source};
use crate::table::{self, Beginning, Format, Table, Window};
use crate::wire::{Query, Reply};

/// Of a file that is larger, the beginning is looked at.
const MOST_BYTES: u64 = 8 << 20;
/// What rows may take while they are read and written, for each byte of the file.
const MEMORY_FACTOR: usize = 6;
/// What rows of a Parquet file may take while they are read: all that is unpacked may be of one column.
const PARQUET_MEMORY: usize = 128 << 20;
/// How long the parts of such a file may take to come.
const PARQUET_WAIT: Duration = Duration::from_secs(20);
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

const COLUMN: Message = Message {
    name: "ArtifactTableColumn",
    fields: &[always("name", Kind::Text), always("type", Kind::Words(&TYPES)), shown("note", Kind::Text)],
};

/// `GET /artifacts/{artifact}/table`
pub(super) async fn table(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    rows(&access, &id, &query).await.map_err(|error| error.within("Failed to read the rows of an artifact"))
}

async fn rows(access: &Access, id: &str, query: &Query) -> Result<Reply, ApiError> {
    let window = window(query)?;
    let (api, file) = file(access, id, query.text("path")?).await?;
    let read = match Format::of(&file.name) {
        Some(format) => text_rows(&api, &file, format, window).await?,
        None if is_parquet(&file).await? => parquet_rows(&api, &file, window).await?,
        None => {
            let text =
                format!("{:?} is no table by its name (csv, tsv, jsonl, ndjson), and no Parquet file", file.name);
            return Err(ApiError::invalid(text));
        }
    };
    read.map(reply)
        .map_err(|reason| ApiError::failed_precondition(format!("{:?} cannot be read as a table: {reason}", file.name)))
}

/// A table, or why there is none.
type Read = Result<Table, String>;

async fn text_rows(api: &Api, file: &File, format: Format, window: Window) -> Result<Read, ApiError> {
    let size = file.object.meta.size;
    let wanted = size.min(MOST_BYTES);
    let memory = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_mul(MEMORY_FACTOR);
    let _memory = api.bodies().reserve(memory).await?;
    let _room = api.stream_room()?;
    let content = file.object.part(0..wanted).await?;
    let read = tokio::task::spawn_blocking(move || {
        table::read(format, Beginning { content: &content, is_whole: wanted == size }, window)
    });
    read.await.map_err(|error| broken_off(&error))
}

fn broken_off(error: &tokio::task::JoinError) -> ApiError {
    ApiError::internal(format!("reading a table broke off: {error}"))
}

/// By its name, or by its first bytes: tasks often store files without any ending.
async fn is_parquet(file: &File) -> Result<bool, ApiError> {
    if file.name.to_ascii_lowercase().ends_with(".parquet") {
        return Ok(true);
    }
    let begin = 0..file.object.meta.size.min(parquet::MAGIC.len() as u64);
    Ok(file.object.part(begin).await? == parquet::MAGIC)
}

async fn parquet_rows(api: &Api, file: &File, window: Window) -> Result<Read, ApiError> {
    let _memory = api.bodies().reserve(PARQUET_MEMORY).await?;
    let _room = api.stream_room()?;
    let deadline = Instant::now() + PARQUET_WAIT;
    let source = Parts { object: file.object.clone(), runtime: Handle::current(), deadline };
    let source: Arc<dyn Source> = Arc::new(source);
    tokio::task::spawn_blocking(move || parquet::read(&source, window)).await.map_err(|error| broken_off(&error))
}

/// Parts of an object, for a thread that waits for each.
struct Parts {
    object: StoredObject,
    runtime: Handle,
    deadline: Instant,
}

impl Source for Parts {
    fn size(&self) -> u64 {
        self.object.meta.size
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let read = async { tokio::time::timeout(left, self.object.part(range)).await };
        match self.runtime.block_on(read) {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("its parts did not come within {} s", PARQUET_WAIT.as_secs())),
        }
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
    let Table { columns, mut notes, rows, total, truncated } = table;
    let column = |(place, (name, kind))| match notes.remove(&place) {
        None => json!({"name": name, "type": kind}),
        Some(note) => json!({"name": name, "type": kind, "note": note}),
    };
    let columns: Vec<Value> = columns.into_iter().enumerate().map(column).collect();
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
