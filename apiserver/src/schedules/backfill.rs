//! Slots that passed without a run and that somebody asked for. They wait in the store, and have their runs as there is room:
//! what is due goes first.

use penstock_metastore::MetastoreError;
use penstock_spec::Timestamp;
use uuid::Uuid;

use super::making::{FiringError, Outcome, Slot, make};
use crate::api::Api;
use crate::recurring::naming;

/// What has become of such a slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// It has this run.
    Run(Uuid),
    /// As many runs as may be are under way: it goes on waiting.
    Held,
    /// It does not wait any more.
    Gone,
}

/// Makes the run of a slot that waits. A recurring run that is disabled has them too: somebody asked.
pub(crate) async fn fill(api: &Api, recurring: Uuid, slot: Timestamp) -> Result<Filled, FiringError> {
    let recurring = match api.metastore().recurring_run(recurring).await {
        Ok(recurring) => recurring,
        Err(MetastoreError::NotFound { .. }) => return Ok(Filled::Gone),
        Err(error) => return Err(error.into()),
    };
    let id = recurring.id;
    let name = naming::backfill_name(&recurring.run_name, slot);
    let run = naming::run_id(id, &name);
    Ok(match make(api, recurring, (run, name), Slot::Past(slot)).await? {
        Outcome::Fired => {
            tracing::info!(recurring_run.id = %id, run.id = %run, slot = %slot, "a slot that passed has its run");
            Filled::Run(run)
        }
        Outcome::Held => Filled::Held,
        Outcome::Gone => Filled::Gone,
    })
}
