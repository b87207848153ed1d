//! Runs that somebody has to drive: those that have not ended, and those that have and for which a command waits.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use penstock_spec::Timestamp;

use crate::Metastore;
use crate::codec::{Reason, column, identity, json, listed, time};
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
const QUERY: &str = "\
    SELECT id, created_at, options_json, ended, \
      (SELECT MAX(commands.id) FROM commands WHERE run_id = page.id AND taken_at IS NULL) AS newest_command \
    FROM ( \
      SELECT * FROM ( \
        SELECT id, created_at, options_json, 0 AS ended FROM runs \
        WHERE finished_at IS NULL AND (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3) \
      UNION ALL \
      SELECT * FROM ( \
        SELECT runs.id, created_at, options_json, 1 AS ended FROM \
          (SELECT DISTINCT run_id FROM commands WHERE taken_at IS NULL) AS commanded \
          CROSS JOIN runs ON runs.id = commanded.run_id \
        WHERE finished_at IS NOT NULL AND (created_at, runs.id) > ($1, $2) ORDER BY created_at, runs.id LIMIT $3) \
    ) AS page ORDER BY created_at, id LIMIT $3";

impl Metastore {
    /// Runs that somebody has to drive, the oldest first, after a position or from the start.
    pub async fn runs_to_drive(
        &self,
        after: Option<DrivePosition>,
        page_size: u32,
    ) -> Result<RunsToDrive, MetastoreError> {
        let size = page_size.clamp(1, MAX_PAGE) as usize;
        let after = after.unwrap_or(DrivePosition { created_at: i64::MIN, run: Uuid::nil() });
        let mut rows = sqlx::query(QUERY)
            .bind(after.created_at)
            .bind(after.run)
            .bind(i64::try_from(size + 1).unwrap_or(i64::MAX))
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
fn position(row: &SqliteRow) -> Option<DrivePosition> {
    Some(DrivePosition { created_at: column(row, "created_at").ok()?, run: column(row, "id").ok()? })
}

fn run_to_drive(row: &SqliteRow) -> Result<RunToDrive, Reason> {
    let ended: i64 = column(row, "ended")?;
    Ok(RunToDrive {
        run: column(row, "id")?,
        created_at: time(row, "created_at")?,
        options: json(row, "options_json")?,
        ended: ended != 0,
        newest_command: column(row, "newest_command")?,
    })
}

/// The query, for a test that looks at how it is carried out.
#[doc(hidden)]
pub fn runs_to_drive_query() -> &'static str {
    QUERY
}
