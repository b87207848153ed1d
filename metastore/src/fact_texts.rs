//! Facts as text, for those who pass them on without reading them: also facts of a newer build.

use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, count, time};
use crate::database::Row;
use crate::error::MetastoreError;

/// A fact as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactText {
    /// Number in the run, from 1 without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The decision, as JSON.
    pub json: String,
}

impl Metastore {
    /// Facts of a run after number `after` (0 for all), at most `limit`.
    pub async fn fact_texts(&self, run: Uuid, after: u64, limit: u32) -> Result<Vec<FactText>, MetastoreError> {
        let rows = self.fetch_facts(run, after, limit).await?;
        rows.iter()
            .map(fact_text)
            .collect::<Result<_, Reason>>()
            .map_err(|reason| MetastoreError::Unreadable { row: format!("a fact of run {run}"), reason })
    }
}

fn fact_text(row: &Row) -> Result<FactText, Reason> {
    Ok(FactText { seq: count(row, "seq")?, at: time(row, "at")?, json: column(row, "fact_json")? })
}
