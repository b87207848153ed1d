//! Runs that somebody has to drive: those that have not ended, and those that have and for which a command waits.

use serde_json::Value;
use uuid::Uuid;

use penstock_spec::Timestamp;

use crate::Metastore;
use crate::claims::{CLAIM_COLUMNS, RunClaim, claim};
use crate::codec::{Reason, column, identity, json, listed, time};
use crate::database::{Dialect, Query, Row, query};
use crate::error::MetastoreError;
use crate::rows::Listed;
use crate::runs::MAX_PAGE;

/// A run that somebody has to drive.
#[derive(Debug, Clone, PartialEq)]
pub struct RunToDrive {
    /// The run.
    pub run: Uuid,
    /// When it was created.
    pub created_at: Timestamp,
    /// Settings of the submitter, which say who is to drive it.
    pub options: Value,
    /// Whether it has ended: then it is a command that waits.
    pub ended: bool,
    /// The newest command that nobody has taken.
    pub newest_command: Option<i64>,
    /// Whether one of them asks for its end.
    pub terminating: bool,
    /// The process of a machine that has it.
    pub claim: Option<RunClaim>,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrivePosition {
    created_at: i64,
    run: Uuid,
}

/// Some runs, the oldest first.
#[derive(Debug, Clone)]
pub struct RunsToDrive {
    /// The runs.
    pub runs: Vec<Listed<RunToDrive>>,
    /// Where the next page starts; absent on the last.
    pub next: Option<DrivePosition>,
}

/// Both halves go along an index of their own, so that the cost does not grow with the number of runs that have ended.
fn statement(dialect: Dialect) -> String {
    let join = dialect.join_in_order();
    format!(
        "SELECT page.id AS id, created_at, options_json, ended, \
           (SELECT MAX(commands.id) FROM commands WHERE run_id = page.id AND taken_at IS NULL) AS newest_command, \
           (SELECT COUNT(*) FROM commands WHERE run_id = page.id AND taken_at IS NULL AND kind = 'terminate') \
             AS terminations, \
           {CLAIM_COLUMNS} \
         FROM ( \
           SELECT * FROM ( \
             SELECT id, created_at, options_json, CAST(0 AS BIGINT) AS ended FROM runs \
             WHERE finished_at IS NULL AND (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3) AS unfinished \
           UNION ALL \
           SELECT * FROM ( \
             SELECT runs.id, created_at, options_json, CAST(1 AS BIGINT) AS ended FROM \
               (SELECT DISTINCT run_id FROM commands WHERE taken_at IS NULL) AS waiting \
               {join} runs ON runs.id = waiting.run_id \
             WHERE finished_at IS NOT NULL AND (created_at, runs.id) > ($1, $2) \
             ORDER BY created_at, runs.id LIMIT $3) AS commanded \
         ) AS page \
         LEFT JOIN run_claims ON run_claims.run_id = page.id \
         LEFT JOIN drivers ON drivers.id = run_claims.driver_id \
         ORDER BY created_at, page.id LIMIT $3"
    )
}

fn to_drive(dialect: Dialect, after: Option<DrivePosition>, rows: usize) -> Query<'static> {
    let after = after.unwrap_or(DrivePosition { created_at: i64::MIN, run: Uuid::nil() });
    query(statement(dialect)).bind(after.created_at).bind(after.run).bind(i64::try_from(rows).unwrap_or(i64::MAX))
}

impl Metastore {
    /// Runs that somebody has to drive, the oldest first, after a position or from the start.
    pub async fn runs_to_drive(
        &self,
        after: Option<DrivePosition>,
        page_size: u32,
    ) -> Result<RunsToDrive, MetastoreError> {
        let size = page_size.clamp(1, MAX_PAGE) as usize;
        let mut rows = to_drive(self.readers.dialect(), after, size + 1)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("list runs to drive", error))?;
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).and_then(position);
        let runs = rows.iter().map(|row| listed(run_to_drive(row), || identity(row, "id"))).collect();
        Ok(RunsToDrive { runs, next })
    }
}

/// A page that ends with a row of which not even this can be read is the last: what follows waits for the next poll.
fn position(row: &Row) -> Option<DrivePosition> {
    Some(DrivePosition { created_at: column(row, "created_at").ok()?, run: column(row, "id").ok()? })
}

fn run_to_drive(row: &Row) -> Result<RunToDrive, Reason> {
    let ended: i64 = column(row, "ended")?;
    let terminations: i64 = column(row, "terminations")?;
    Ok(RunToDrive {
        run: column(row, "id")?,
        created_at: time(row, "created_at")?,
        options: json(row, "options_json")?,
        ended: ended != 0,
        newest_command: column(row, "newest_command")?,
        terminating: terminations > 0,
        claim: claim(row)?,
    })
}

/// How the runs to drive are looked for, for a test.
#[doc(hidden)]
pub async fn runs_to_drive_plan(store: &Metastore) -> Result<Vec<String>, MetastoreError> {
    store.explain(to_drive(store.readers.dialect(), None, 10)).await
}
