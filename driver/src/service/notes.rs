//! Tells the store which runs are in quarantine and why, so that it is seen by those who have nothing but the store (R11).
//! Nothing is decided by it: after a restart each run is tried again.

use std::collections::{BTreeMap, BTreeSet};

use penstock_metastore::{Metastore, MetastoreError, Remark, RemarkKind};
use penstock_spec::Timestamp;
use tracing::warn;
use uuid::Uuid;

use crate::error::chain;

/// What the store is to say of runs in quarantine.
#[derive(Debug, Default)]
pub(super) struct QuarantineNotes {
    /// Runs of which the store says that they are in quarantine, once that was read.
    noted: Option<BTreeSet<Uuid>>,
    /// What is still to be written: the reason, or that there is none any more.
    pending: BTreeMap<Uuid, Option<String>>,
}

impl QuarantineNotes {
    /// A run is left alone from now on.
    pub(super) fn quarantined(&mut self, run: Uuid, reason: String) {
        self.pending.insert(run, Some(reason));
    }

    /// A run is driven.
    pub(super) fn begun(&mut self, run: Uuid) {
        self.pending.insert(run, None);
    }

    /// Writes what is new. What fails is written the next time.
    pub(super) async fn write(&mut self, store: &Metastore) {
        if let Err(error) = self.try_write(store).await {
            warn!(error = chain(&error), "the store could not be told which runs are in quarantine");
        }
    }

    async fn try_write(&mut self, store: &Metastore) -> Result<(), MetastoreError> {
        let noted = match &mut self.noted {
            Some(noted) => noted,
            unread => unread.insert(store.remarked_runs(RemarkKind::Quarantined).await?.into_iter().collect()),
        };
        while let Some((&run, reason)) = self.pending.first_key_value() {
            match reason {
                Some(reason) => {
                    let (kind, subject, at) = (RemarkKind::Quarantined, String::new(), Timestamp::now());
                    let remark = Remark { kind, subject, at, text: reason.clone() };
                    match store.put_remark(run, remark).await {
                        // It was deleted meanwhile.
                        Err(MetastoreError::NoSuchRun { .. }) => {}
                        other => other?,
                    }
                    noted.insert(run);
                }
                None if noted.contains(&run) => {
                    store.clear_remarks(run, RemarkKind::Quarantined).await?;
                    noted.remove(&run);
                }
                // Nothing was said of it.
                None => {}
            }
            self.pending.remove(&run);
        }
        Ok(())
    }
}
