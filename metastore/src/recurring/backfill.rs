//! Slots that passed without a run and that somebody asked for: they wait until there is room for their runs.

use penstock_spec::Timestamp;
use uuid::Uuid;

use super::write::read_labels;
use crate::Metastore;
use crate::catalog::CatalogOperation;
use crate::codec::{Reason, column, encode_time, identity, listed, time};
use crate::database::{Connection, Row, query};
use crate::error::MetastoreError;
use crate::rows::Listed;
use crate::statements::{Answer, Insert, insert};

/// A slot that waits for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingSlot {
    /// The recurring run.
    pub recurring: Uuid,
    /// The time of the slot.
    pub slot: Timestamp,
}

impl Metastore {
    /// Lets slots of a recurring run wait for room. Those that wait already are not doubled.
    pub async fn queue_slots(&self, recurring: Uuid, slots: &[Timestamp]) -> Result<(), MetastoreError> {
        let slots = slots.iter().copied().map(encode_time).collect();
        self.submit(CatalogOperation::QueueSlots { recurring, slots }).await
    }

    /// Lets none of the slots of a recurring run wait any more; returns how many did.
    pub async fn cancel_slots(&self, recurring: Uuid) -> Result<u64, MetastoreError> {
        self.submit_for_answer(CatalogOperation::CancelSlots { recurring }).await
    }

    /// The first slot of each recurring run that waits.
    pub async fn waiting_slots(&self) -> Result<Vec<Listed<WaitingSlot>>, MetastoreError> {
        let rows = query("SELECT recurring_run_id, MIN(slot) AS slot FROM waiting_slots GROUP BY recurring_run_id")
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("read the slots that wait for room", error))?;
        Ok(rows.iter().map(|row| listed(read(row), || identity(row, "recurring_run_id"))).collect())
    }

    /// The slots of a recurring run that wait, the first ones first.
    pub async fn waiting_slots_of(&self, recurring: Uuid) -> Result<Vec<Timestamp>, MetastoreError> {
        let failed = |error| MetastoreError::database(format!("read what waits of recurring run {recurring}"), error);
        let rows = query("SELECT recurring_run_id, slot FROM waiting_slots WHERE recurring_run_id = $1 ORDER BY slot")
            .bind(recurring)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        let unreadable = |reason| MetastoreError::Unreadable { row: format!("a slot of {recurring}"), reason };
        rows.iter().map(|row| read(row).map(|waiting| waiting.slot).map_err(unreadable)).collect()
    }
}

fn read(row: &Row) -> Result<WaitingSlot, Reason> {
    Ok(WaitingSlot { recurring: column(row, "recurring_run_id")?, slot: time(row, "slot")? })
}

const SLOTS: Insert =
    Insert { before: "INSERT INTO waiting_slots (recurring_run_id, slot) ", after: " ON CONFLICT DO NOTHING" };

pub(crate) async fn queue(
    connection: &mut Connection,
    recurring: Uuid,
    slots: &[i64],
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    if read_labels(connection, recurring).await?.is_none() {
        return Ok(Err(MetastoreError::not_found(super::KIND, &recurring)));
    }
    insert(connection, &SLOTS, slots, |values, slot| {
        values.push_bind(recurring).push_bind(*slot);
    })
    .await?;
    Ok(Ok(1))
}

pub(crate) async fn cancel(connection: &mut Connection, recurring: Uuid) -> Result<Answer, sqlx::Error> {
    query("DELETE FROM waiting_slots WHERE recurring_run_id = $1").bind(recurring).execute(connection).await
}
