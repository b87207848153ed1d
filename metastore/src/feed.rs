//! What changed, in order: runs that are made, change their state or go, tasks that end, and recurring runs that are changed
//! or fire. For whoever follows a namespace or tells others of it; the facts of a run say everything about that run alone.
//!
//! A change is stored in the transaction that makes it true. Numbers become visible in their order (the migration says
//! how), so a reader that goes on behind the last number that it has seen misses nothing. The oldest are pruned; who comes
//! later than that is told so by [`FeedPosition`].

use std::time::Duration;

use penstock_spec::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_time, encode_word, json, time};
use crate::database::{Connection, Dialect, QueryBuilder, Row, query};
use crate::error::MetastoreError;
use crate::rows::{RunUpdate, TaskKind, TaskRow};
use crate::runs::MAX_PAGE;
use crate::statements::{Insert, insert};

/// Changes that are kept at most.
const KEPT: i64 = 200_000;
/// For how long changes are kept at most.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Every so many numbers something is pruned.
const PRUNE_EVERY: i64 = 256;
/// Most changes that are pruned at once.
const PRUNED_AT_ONCE: i64 = 4096;
/// Longest text of an error, in bytes; the run has it in full.
const LONGEST_ERROR: usize = 2048;

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A run was created.
    RunCreated,
    /// A run has another state.
    RunState,
    /// Somebody asked for a run's end, or for one to go on.
    RunCommand,
    /// A run was put into the archive or taken out of it.
    RunStorage,
    /// A run was deleted.
    RunDeleted,
    /// A task that runs or imports something ended.
    TaskEnded,
    /// A recurring run was created.
    RecurringRunCreated,
    /// A recurring run was changed: when it fires, or what.
    RecurringRunEdited,
    /// A recurring run fires from now on.
    RecurringRunEnabled,
    /// A recurring run fires no more.
    RecurringRunDisabled,
    /// A recurring run was deleted.
    RecurringRunDeleted,
    /// A slot of a recurring run has its run.
    RecurringRunFired,
    /// A slot has a run that was refused, or none yet because something is wrong.
    RecurringRunRefused,
}

impl ChangeKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunCreated => "run_created",
            Self::RunState => "run_state",
            Self::RunCommand => "run_command",
            Self::RunStorage => "run_storage",
            Self::RunDeleted => "run_deleted",
            Self::TaskEnded => "task_ended",
            Self::RecurringRunCreated => "recurring_run_created",
            Self::RecurringRunEdited => "recurring_run_edited",
            Self::RecurringRunEnabled => "recurring_run_enabled",
            Self::RecurringRunDisabled => "recurring_run_disabled",
            Self::RecurringRunDeleted => "recurring_run_deleted",
            Self::RecurringRunFired => "recurring_run_fired",
            Self::RecurringRunRefused => "recurring_run_refused",
        }
    }
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedChange {
    /// Its number; grows, with gaps within a namespace.
    pub id: u64,
    /// The namespace.
    pub namespace: String,
    /// The run; nil when it is about none.
    pub run: Uuid,
    /// The word of its kind, which may be one of a newer build.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Name, pipeline and experiment of the run, or of the recurring run, and what changed.
    pub detail: Map<String, Value>,
}

/// How far the feed reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// The number of the newest change; 0 if there was none yet.
    pub last: u64,
    /// The newest number that was pruned.
    pub pruned: u64,
}

impl FeedPosition {
    /// Whether everything behind a number is still there. It is not when that was pruned, nor when the number is of another
    /// store.
    pub fn covers(self, after: u64) -> bool {
        (self.pruned..=self.last).contains(&after)
    }
}

impl Metastore {
    /// Changes behind number `after`, at most `limit`; of all namespaces unless one is named.
    pub async fn changes_after(
        &self,
        namespace: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<FeedChange>, MetastoreError> {
        let query = changes_query(self.readers.dialect(), namespace, after, limit).build();
        let rows = query.fetch_all(&self.readers).await;
        let rows = rows.map_err(|error| MetastoreError::database("read what changed", error))?;
        // One that cannot be read is passed over: whoever follows has to come past it.
        let read = |row: &Row| match change(row) {
            Ok(change) => Some(change),
            Err(reason) => {
                tracing::warn!(reason, "a change cannot be read and is passed over");
                None
            }
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// How far the feed reaches.
    pub async fn feed_position(&self) -> Result<FeedPosition, MetastoreError> {
        let row = query("SELECT last_id, pruned_id FROM change_counter")
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("read how far changes reach", error))?;
        let position = |row: &Row| {
            Ok(FeedPosition { last: unsigned(column(row, "last_id")?), pruned: unsigned(column(row, "pruned_id")?) })
        };
        let read = row.as_ref().map_or_else(|| Err("there is none".to_owned()), position);
        read.map_err(|reason| MetastoreError::Unreadable { row: "the number of the newest change".to_owned(), reason })
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn changes_query(dialect: Dialect, namespace: Option<&str>, after: u64, limit: u32) -> QueryBuilder<'_> {
    let mut sql =
        QueryBuilder::new(dialect, "SELECT id, namespace, run_id, kind, at, detail_json FROM changes WHERE id > ");
    sql.push_bind(i64::try_from(after).unwrap_or(i64::MAX));
    if let Some(namespace) = namespace {
        sql.push(" AND namespace = ").push_bind(namespace);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
    sql
}

/// How changes behind a number are looked for, for a test.
#[doc(hidden)]
pub async fn changes_plan(
    store: &Metastore,
    namespace: Option<&str>,
    after: u64,
) -> Result<Vec<String>, MetastoreError> {
    store.explain(changes_query(store.readers.dialect(), namespace, after, 100).build()).await
}

fn change(row: &Row) -> Result<FeedChange, Reason> {
    Ok(FeedChange {
        id: unsigned(column(row, "id")?),
        namespace: column(row, "namespace")?,
        run: column(row, "run_id")?,
        kind: column(row, "kind")?,
        at: time(row, "at")?,
        detail: json(row, "detail_json")?,
    })
}

/// A change to store.
#[derive(Debug, Clone)]
pub(crate) struct NewChange {
    kind: ChangeKind,
    at: i64,
    detail: Map<String, Value>,
}

impl NewChange {
    pub(crate) fn new(kind: ChangeKind, at: i64, detail: Value) -> Self {
        let detail = match detail {
            Value::Object(detail) => detail,
            _ => Map::new(),
        };
        Self { kind, at, detail }
    }

    /// The end of a task, if it has ended and is one that does something itself.
    pub(crate) fn task_ended(row: &TaskRow, status: &str, at: i64) -> Option<Self> {
        let acts = matches!(row.kind, TaskKind::Container | TaskKind::Importer);
        if !acts || !row.status.is_final() {
            return None;
        }
        let mut detail = json!({
            "task_path": row.path, "task_name": row.display_name, "state": status, "cached": row.cached,
        });
        put(&mut detail, "attempt", row.attempt);
        put(&mut detail, "error", row.error.as_deref().map(excerpt));
        put(&mut detail, "reason", row.reason.as_deref().map(excerpt));
        Some(Self::new(ChangeKind::TaskEnded, at, detail))
    }

    /// The new state of a run.
    pub(crate) fn run_updated(update: &RunUpdate, at: i64) -> Self {
        let mut detail = json!({ "state": encode_word(update.status), "ended": update.finished_at.is_some() });
        put(&mut detail, "error", update.error.as_deref().map(excerpt));
        Self::new(ChangeKind::RunState, at, detail)
    }
}

fn put(detail: &mut Value, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        detail[name] = json!(value);
    }
}

/// The beginning of a text, of the length that is stored of errors.
pub(crate) fn excerpt(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_ERROR)).unwrap_or(text)
}

/// What a change repeats of what it is about: of a run, or of a recurring run.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    /// The run; nil if it is about none.
    pub(crate) run: Uuid,
    pub(crate) namespace: String,
    /// Empty of a recurring run.
    pub(crate) pipeline_name: String,
    display_name: String,
    experiment: Uuid,
    recurring_run: Uuid,
    /// Whether it was deleted while it is still under way.
    pub(crate) hidden: bool,
}

impl Labels {
    /// Those of a recurring run.
    pub(crate) fn of_recurring_run(
        recurring_run: Uuid,
        namespace: String,
        display_name: String,
        experiment: Uuid,
    ) -> Self {
        let (run, pipeline_name) = (Uuid::nil(), String::new());
        Self { run, namespace, pipeline_name, display_name, experiment, recurring_run, hidden: false }
    }

    /// The same with a run that it made.
    pub(crate) fn with_run(self, run: Uuid) -> Self {
        Self { run, ..self }
    }

    /// Those of a run whose row has [`RUN_LABELS`].
    pub(crate) fn of_run(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run: row.get("id")?,
            namespace: row.get("namespace")?,
            pipeline_name: row.get("pipeline_name")?,
            display_name: row.get("display_name")?,
            experiment: row.get("experiment_id")?,
            recurring_run: row.get("recurring_run_id")?,
            hidden: row.get::<Option<i64>>("deleted_at")?.is_some(),
        })
    }
}

/// Columns that are repeated of a run.
pub(crate) const RUN_LABELS: &str =
    "id, namespace, pipeline_name, display_name, experiment_id, recurring_run_id, deleted_at";

/// Reads what a run is called, in the writer's transaction.
pub(crate) async fn labels(connection: &mut Connection, run: Uuid) -> Result<Option<Labels>, sqlx::Error> {
    let sql = format!("SELECT {RUN_LABELS} FROM runs WHERE id = $1");
    query(sql).bind(run).fetch_optional(connection).await?.as_ref().map(Labels::of_run).transpose()
}

/// Stores a change of one run right away; of one that is not there, nothing.
pub(crate) async fn add_one(connection: &mut Connection, run: Uuid, change: NewChange) -> Result<(), sqlx::Error> {
    match labels(connection, run).await? {
        Some(labels) if !labels.hidden => add(connection, &[(labels, change)]).await,
        _ => Ok(()),
    }
}

/// Stores changes. It is the last that a transaction does, so that others do not wait long for their numbers.
pub(crate) async fn add(connection: &mut Connection, changes: &[(Labels, NewChange)]) -> Result<(), sqlx::Error> {
    let Ok(count) = i64::try_from(changes.len()) else { return Ok(()) };
    if count == 0 {
        return Ok(());
    }
    let last: i64 = query("UPDATE change_counter SET last_id = last_id + $1 RETURNING last_id")
        .bind(count)
        .fetch_value(&mut *connection, "last_id")
        .await?
        .ok_or(sqlx::Error::RowNotFound)?;
    let rows: Vec<_> = (last - count + 1..).zip(changes).collect();
    insert(connection, &CHANGES, &rows, |values, (id, (labels, change))| {
        values
            .push_bind(*id)
            .push_bind(labels.namespace.as_str())
            .push_bind(labels.run)
            .push_bind(change.kind.as_str())
            .push_bind(change.at)
            .push_bind(detail(labels, change));
    })
    .await?;
    if last / PRUNE_EVERY != (last - count) / PRUNE_EVERY {
        prune(connection, last, Timestamp::now()).await?;
    }
    Ok(())
}

const CHANGES: Insert =
    Insert { before: "INSERT INTO changes (id, namespace, run_id, kind, at, detail_json) ", after: "" };

fn detail(labels: &Labels, change: &NewChange) -> String {
    let mut detail = change.detail.clone();
    let texts = [("display_name", &labels.display_name), ("pipeline_name", &labels.pipeline_name)];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    detail.extend(texts.map(|(name, text)| (name.to_owned(), Value::from(text.as_str()))));
    let ids = [("experiment_id", labels.experiment), ("recurring_run_id", labels.recurring_run)];
    let ids = ids.into_iter().filter(|(_, id)| !id.is_nil());
    detail.extend(ids.map(|(name, id)| (name.to_owned(), Value::from(id.to_string()))));
    Value::Object(detail).to_string()
}

/// Forgets the oldest changes, by their number and by their age; a part of them, when there are many.
async fn prune(connection: &mut Connection, last: i64, now: Timestamp) -> Result<(), sqlx::Error> {
    let pruned: i64 = query("SELECT pruned_id FROM change_counter")
        .fetch_value(&mut *connection, "pruned_id")
        .await?
        .ok_or(sqlx::Error::RowNotFound)?;
    let most = last.min(pruned + PRUNED_AT_ONCE);
    let oldest = now.checked_sub(KEPT_FOR).map_or(i64::MIN, encode_time);
    let young: Option<Option<i64>> =
        query("SELECT MIN(id) AS young FROM changes WHERE id > $1 AND id <= $2 AND at >= $3")
            .bind(pruned)
            .bind(most)
            .bind(oldest)
            .fetch_value(&mut *connection, "young")
            .await?;
    let by_age = young.flatten().map_or(most, |young| young - 1);
    let until = by_age.max(last - KEPT).min(most);
    if until > pruned {
        query("DELETE FROM changes WHERE id <= $1").bind(until).execute(&mut *connection).await?;
        query("UPDATE change_counter SET pruned_id = $1").bind(until).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_covered_between_what_was_pruned_and_the_newest() {
        let position = FeedPosition { last: 9, pruned: 4 };
        assert_eq!([3, 4, 9, 10].map(|after| position.covers(after)), [false, true, true, false]);
    }

    #[test]
    fn long_errors_are_cut_between_characters() {
        let text = "é".repeat(LONGEST_ERROR);
        assert_eq!(excerpt(&text).len(), LONGEST_ERROR);
        assert_eq!(excerpt("short"), "short");
        assert!(excerpt(&format!("x{text}")).len() < LONGEST_ERROR);
    }
}
