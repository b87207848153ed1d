//! Remarks: what people should know of a run that its facts do not say. Nothing is decided by them.

use penstock_spec::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_time, encode_word, identity, listed, time, word};
use crate::database::{Connection, Row, query};
use crate::error::MetastoreError;
use crate::rows::Listed;
use crate::statements::{Answer, Operation};

/// Most remarks that are read of one run.
const MAX_LISTED: i64 = 1000;

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemarkKind {
    /// The run cannot be driven, and is left alone until somebody retries it.
    Quarantined,
    /// An attempt's report and what the cluster says of it contradict each other.
    Contradiction,
}

/// A remark on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// What it is about.
    pub kind: RemarkKind,
    /// What of the run: an attempt of a task, for instance. Empty for the run itself.
    pub subject: String,
    /// When it was made.
    pub at: Timestamp,
    /// What there is to know.
    pub text: String,
}

/// A remark to store, as columns.
#[derive(Debug)]
pub(crate) struct EncodedRemark {
    run: Uuid,
    kind: String,
    subject: String,
    at: i64,
    text: String,
}

impl Metastore {
    /// Stores a remark, in place of an earlier one of the same kind and subject.
    pub async fn put_remark(&self, run: Uuid, remark: Remark) -> Result<(), MetastoreError> {
        let Remark { kind, subject, at, text } = remark;
        let remark = EncodedRemark { run, kind: encode_word(kind), subject, at: encode_time(at), text };
        self.writer.submit(Operation::PutRemark(Box::new(remark))).await.map(drop)
    }

    /// Takes all remarks of a kind off a run.
    pub async fn clear_remarks(&self, run: Uuid, kind: RemarkKind) -> Result<(), MetastoreError> {
        self.writer.submit(Operation::ClearRemarks { run, kind: encode_word(kind) }).await.map(drop)
    }

    /// Remarks on a run, the oldest first.
    pub async fn remarks(&self, run: Uuid) -> Result<Vec<Listed<Remark>>, MetastoreError> {
        let rows = query("SELECT run_id, kind, subject, at, text FROM remarks WHERE run_id = $1 ORDER BY at LIMIT $2")
            .bind(run)
            .bind(MAX_LISTED)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read the remarks on run {run}"), error))?;
        Ok(rows.iter().map(|row| listed(remark(row), || identity(row, "run_id"))).collect())
    }

    /// Runs that have a remark of a kind.
    pub async fn remarked_runs(&self, kind: RemarkKind) -> Result<Vec<Uuid>, MetastoreError> {
        query("SELECT DISTINCT run_id FROM remarks WHERE kind = $1")
            .bind(encode_word(kind))
            .fetch_values(&self.readers, "run_id")
            .await
            .map_err(|error| MetastoreError::database("look for runs with remarks", error))
    }
}

fn remark(row: &Row) -> Result<Remark, Reason> {
    Ok(Remark {
        kind: word(row, "kind")?,
        subject: column(row, "subject")?,
        at: time(row, "at")?,
        text: column(row, "text")?,
    })
}

impl EncodedRemark {
    pub(crate) fn run(&self) -> Uuid {
        self.run
    }
}

pub(crate) async fn put(
    connection: &mut Connection,
    remark: &EncodedRemark,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let EncodedRemark { run, kind, subject, at, text } = remark;
    // INSERT .. SELECT, so that a run which does not exist is told from other objections.
    let stored = query(
        "INSERT INTO remarks (run_id, kind, subject, at, text) SELECT id, $2, $3, $4, $5 FROM runs WHERE id = $1 \
         ON CONFLICT (run_id, kind, subject) DO UPDATE SET at = excluded.at, text = excluded.text",
    )
    .bind(run)
    .bind(kind)
    .bind(subject)
    .bind(*at)
    .bind(text)
    .execute(connection)
    .await?;
    Ok(if stored > 0 { Ok(1) } else { Err(MetastoreError::NoSuchRun { run: *run }) })
}

pub(crate) async fn clear(connection: &mut Connection, run: Uuid, kind: &str) -> Result<Answer, sqlx::Error> {
    let cleared =
        query("DELETE FROM remarks WHERE run_id = $1 AND kind = $2").bind(run).bind(kind).execute(connection).await?;
    Ok(cleared)
}
