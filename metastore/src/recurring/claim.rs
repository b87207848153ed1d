//! Slots and their runs: one is stored with the other, or neither is.

use penstock_spec::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::write::read_labels;
use crate::codec::{encode_count, encode_time};
use crate::database::{Connection, query};
use crate::feed::{ChangeKind, Labels, NewChange, excerpt};

/// The slot of a recurring run that a run is for. The run is stored if the slot is still to be had, and there is room for one
/// more run of the recurring run; the slot is gone then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotClaim {
    /// The slot that is due next.
    Due {
        /// How many slots have fired before it.
        fired_before: u64,
        /// The revision of the recurring run that the slot follows from.
        revision: u64,
        /// Its time.
        slot: Timestamp,
        /// Why the run is stored as one that has failed, if it is.
        refused: Option<String>,
    },
    /// A slot that somebody asked for after it had passed.
    Past {
        /// Its time.
        slot: Timestamp,
        /// Why the run is stored as one that has failed, if it is.
        refused: Option<String>,
    },
}

/// Changes that a claim has made true, for when its run is stored.
pub(crate) type Claimed = Vec<(Labels, NewChange)>;

/// Only as long as there is room; within the transaction nobody else makes a run.
const DUE: &str = "UPDATE recurring_runs SET fired_count = fired_count + 1, last_fired_at = $4, updated_at = $5, \
      error = $6 \
    WHERE id = $1 AND fired_count = $2 AND revision = $3 AND enabled = 1 \
      AND max_concurrency > (SELECT COUNT(*) FROM runs WHERE recurring_run_id = $1 AND finished_at IS NULL)";

const PAST: &str = "DELETE FROM waiting_slots WHERE recurring_run_id = $1 AND slot = $2 \
    AND (SELECT max_concurrency FROM recurring_runs WHERE id = $1) \
      > (SELECT COUNT(*) FROM runs WHERE recurring_run_id = $1 AND finished_at IS NULL)";

/// Takes a slot for a run; `None` if it is not to be had, and then nothing has changed.
pub(crate) async fn claim(
    connection: &mut Connection,
    recurring: Uuid,
    claim: &SlotClaim,
    (run, at): (Uuid, i64),
) -> Result<Option<Claimed>, sqlx::Error> {
    let (taken, slot, refused) = match claim {
        SlotClaim::Due { fired_before, revision, slot, refused } => {
            let taken = query(DUE)
                .bind(recurring)
                .bind(encode_count(*fired_before))
                .bind(encode_count(*revision))
                .bind(encode_time(*slot))
                .bind(at)
                .bind(refused.as_deref().map(excerpt))
                .execute(&mut *connection)
                .await?;
            (taken, slot, refused)
        }
        SlotClaim::Past { slot, refused } => {
            let taken = query(PAST).bind(recurring).bind(encode_time(*slot)).execute(&mut *connection).await?;
            (taken, slot, refused)
        }
    };
    if taken == 0 {
        return Ok(None);
    }
    let Some((labels, _)) = read_labels(connection, recurring).await? else { return Ok(Some(Vec::new())) };
    let mut detail = json!({ "slot": slot.to_string(), "backfill": matches!(claim, SlotClaim::Past { .. }) });
    let kind = match refused {
        Some(reason) => {
            detail["error"] = excerpt(reason).into();
            detail["tried_again"] = false.into();
            ChangeKind::RecurringRunRefused
        }
        None => ChangeKind::RecurringRunFired,
    };
    Ok(Some(vec![(labels.with_run(run), NewChange::new(kind, at, detail))]))
}
