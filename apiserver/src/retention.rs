//! Garbage collection of runs: those that ended long enough ago are archived, and those that were archived long enough ago
//! are deleted, as if somebody asked for it. A run that is under way is left alone.
//!
//! Several processes over one store may do so at once: each change is made only if it is still due when it is stored.

mod metrics;
mod policy;

use std::time::Duration;

use penstock_metastore::{ExpiredPosition, Listed, MetastoreError, RunRow};
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::Timestamp;

use crate::api::Api;
pub use metrics::RetentionMetrics;
use policy::Cutoffs;
pub use policy::RetentionPolicy;

/// Pause between two batches: whoever else has something to store comes first.
const PAUSE: Duration = Duration::from_millis(100);
/// Runs that may fail to be deleted in a pass before it is the store's fault.
const MOST_FAILURES: u64 = 3;

/// Archives and deletes until the end is asked for.
pub async fn run(api: Api, policy: RetentionPolicy, metrics: RetentionMetrics, shutdown: Shutdown) {
    tracing::info!(
        archive_after_s = policy.archive_after.map(|kept| kept.as_secs()),
        delete_after_s = policy.delete_after.map(|kept| kept.as_secs()),
        interval_s = policy.interval.as_secs(),
        "runs are not kept for good"
    );
    let mut pause = policy.until_first_pass(rand::random());
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.requested() => return,
        }
        let mut pass = Pass::new(&api, &metrics, policy.cutoffs(Timestamp::now()), policy.batch);
        let end = tokio::select! {
            // What is being stored is stored all the same, and the next start goes on.
            () = shutdown.requested() => End::Shutdown,
            carried_out = tokio::time::timeout(policy.longest_pass(), pass.carry_out()) => match carried_out {
                Ok(Ok(())) => End::Done,
                Ok(Err(error)) => End::Failed(error),
                Err(_) => End::Late,
            },
        };
        pause = policy.until_next_pass(rand::random());
        pass.report(&end, pause);
        if matches!(end, End::Shutdown) {
            return;
        }
    }
}

/// How a pass ended.
#[derive(Debug)]
enum End {
    Done,
    Late,
    Failed(MetastoreError),
    Shutdown,
}

/// What a pass has done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Collected {
    archived: u64,
    deleted: u64,
    failed: u64,
}

/// One look at all that is due.
struct Pass<'a> {
    api: &'a Api,
    metrics: &'a RetentionMetrics,
    batch: u32,
    /// Each is absent when there is nothing to archive, or to delete, or not any more.
    cutoffs: Cutoffs,
    after: Option<ExpiredPosition>,
    collected: Collected,
}

impl<'a> Pass<'a> {
    fn new(api: &'a Api, metrics: &'a RetentionMetrics, cutoffs: Cutoffs, batch: u32) -> Self {
        Self { api, metrics, batch, cutoffs, after: None, collected: Collected::default() }
    }

    /// Batches of both kinds take turns, so that many of one do not keep the other from its share of the time.
    async fn carry_out(&mut self) -> Result<(), MetastoreError> {
        loop {
            self.archive_some().await?;
            self.delete_some().await?;
            if self.cutoffs == Cutoffs::default() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn archive_some(&mut self) -> Result<(), MetastoreError> {
        let Some(before) = self.cutoffs.ended_before else { return Ok(()) };
        let archived = self.api.metastore().archive_ended_runs(before, self.batch).await?;
        self.collected.archived += archived;
        self.metrics.archived(archived);
        if archived < u64::from(self.batch) {
            self.cutoffs.ended_before = None;
        }
        Ok(())
    }

    async fn delete_some(&mut self) -> Result<(), MetastoreError> {
        let Some(before) = self.cutoffs.archived_before else { return Ok(()) };
        let page = self.api.metastore().expired_runs(before, self.after, self.batch).await?;
        for run in page.runs {
            match run {
                Listed::Readable(run) => self.delete(&run, before).await?,
                Listed::Unreadable(row) => tracing::warn!(
                    run.id = row.row,
                    reason = row.reason,
                    "an archived run cannot be read, and is not deleted though it was kept long enough"
                ),
            }
        }
        self.after = page.next;
        if self.after.is_none() {
            self.cutoffs.archived_before = None;
        }
        Ok(())
    }

    /// One run at a time, since one may have very many rows: others get their turn in between.
    async fn delete(&mut self, run: &RunRow, before: Timestamp) -> Result<(), MetastoreError> {
        let (store, id) = (self.api.metastore(), run.info.id);
        let deleted = match self.api.submission().leaves_traces(run) {
            true => store.leave_expired_run_to_driver(id, before).await,
            false => store.delete_expired_run(id, before).await,
        };
        match deleted {
            Ok(deleted) => {
                self.collected.deleted += u64::from(deleted);
                self.metrics.deleted(deleted.into());
                Ok(())
            }
            Err(error) => {
                self.collected.failed += 1;
                if self.collected.failed >= MOST_FAILURES {
                    return Err(error);
                }
                tracing::warn!(
                    run.id = %id, error = chain(&error),
                    "a run that was archived long enough could not be deleted; the next pass tries again"
                );
                Ok(())
            }
        }
    }

    fn report(&self, end: &End, pause: Duration) {
        let Collected { archived, deleted, .. } = self.collected;
        let next_s = pause.as_secs();
        match end {
            End::Done | End::Shutdown if archived + deleted == 0 => {}
            End::Done | End::Shutdown => {
                tracing::info!(archived, deleted, "runs that were kept long enough are archived and deleted");
            }
            End::Late => tracing::info!(
                archived,
                deleted,
                next_s,
                "runs that were kept long enough are archived and deleted; there are more, for the next pass"
            ),
            End::Failed(error) => tracing::warn!(
                archived,
                deleted,
                next_s,
                error = chain(error),
                "runs that were kept long enough could not all be archived and deleted; the next pass tries again. See \
                 whether the database answers and has room"
            ),
        }
        match end {
            End::Done => self.metrics.passed("done"),
            End::Late => self.metrics.passed("unfinished"),
            End::Failed(_) => self.metrics.passed("failed"),
            End::Shutdown => {}
        }
    }
}

#[cfg(test)]
mod tests;
