//! The facts of one run as they arrive, and the state that they make.
//!
//! Facts of this process are announced by the metastore; those of another process are found by looking every 200 ms.

use std::time::Duration;

use anyhow::Context;
use penstock_driver::{BackendKind, RunOptions, load_state};
use penstock_engine::RunState;
use penstock_metastore::{Change, Listed, Metastore, Remark, RemarkKind, StoredFact};
use penstock_spec::run::RunInfo;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

use crate::context::options;

/// Shortest time between two looks, so that a run with very many facts does not spend its time on being shown.
const TICK: Duration = Duration::from_millis(100);
/// Looks at the store without having been told of anything new: one of so many ticks.
const POLL_EVERY: u32 = 2;
const PAGE: u32 = 4096;

/// Follows one run.
#[derive(Debug)]
pub(crate) struct Feed {
    metastore: Metastore,
    info: RunInfo,
    options: RunOptions,
    state: RunState,
    seq: u64,
    changes: broadcast::Receiver<Change>,
    tick: Interval,
    ticks: u32,
}

impl Feed {
    /// Follows the run from where it is now.
    pub(crate) async fn from_now(metastore: &Metastore, run: Uuid) -> anyhow::Result<Feed> {
        // Subscribed before reading: what is stored in between is seen twice rather than never.
        let changes = metastore.subscribe();
        let loaded = load_state(metastore, run).await?;
        Self::new(metastore, run, loaded.state, loaded.stored, changes).await
    }

    /// Follows the run from its first fact.
    pub(crate) async fn from_start(metastore: &Metastore, run: Uuid) -> anyhow::Result<Feed> {
        let changes = metastore.subscribe();
        let loaded = load_state(metastore, run).await?;
        Self::new(metastore, run, RunState::new(loaded.pipeline), 0, changes).await
    }

    async fn new(
        metastore: &Metastore,
        run: Uuid,
        state: RunState,
        seq: u64,
        changes: broadcast::Receiver<Change>,
    ) -> anyhow::Result<Feed> {
        let row = metastore.run(run).await.context("cannot read the run")?;
        let (options, info) = (options(&row), row.info);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Feed { metastore: metastore.clone(), info, options, state, seq, changes, tick, ticks: 0 })
    }

    /// The run.
    pub(crate) fn run(&self) -> Uuid {
        self.info.id
    }

    /// Identity and settings of the run, also of one that has no facts yet.
    pub(crate) fn info(&self) -> &RunInfo {
        &self.info
    }

    /// Whether its tasks are Pods.
    pub(crate) fn on_kubernetes(&self) -> bool {
        self.backend() == BackendKind::Kubernetes
    }

    /// Where its tasks run.
    pub(crate) fn backend(&self) -> BackendKind {
        self.options.backend
    }

    /// How it is carried out.
    pub(crate) fn options(&self) -> &RunOptions {
        &self.options
    }

    /// What the facts so far make.
    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// What there is to know of the run beside its facts. One that cannot be read is left out: nothing depends on it.
    pub(crate) async fn remarks(&self) -> Vec<Remark> {
        let remarks = match self.metastore.remarks(self.info.id).await {
            Ok(remarks) => remarks,
            Err(error) => {
                tracing::warn!(error = %error, "the remarks on the run cannot be read");
                return Vec::new();
            }
        };
        let readable = remarks.into_iter().filter_map(|remark| match remark {
            Listed::Readable(remark) => Some(remark),
            Listed::Unreadable(_) => None,
        });
        // Somebody who has ended the run has also set it free.
        readable.filter(|remark| remark.kind != RemarkKind::Quarantined || !self.state.status().is_final()).collect()
    }

    /// Waits for the next moment to show something; true if there may be new facts. May be dropped at any time.
    pub(crate) async fn tick(&mut self) -> bool {
        self.tick.tick().await;
        self.ticks = self.ticks.wrapping_add(1);
        let mut told = false;
        loop {
            match self.changes.try_recv() {
                Ok(Change::FactsAppended { run, .. }) => told |= run == self.info.id,
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => told = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        told || self.ticks.is_multiple_of(POLL_EVERY)
    }

    /// Reads one page of facts that are new and applies them one by one, each followed by a call of `seen` with the
    /// state just after it. False if there was none.
    pub(crate) async fn read(&mut self, mut seen: impl FnMut(&RunState, &StoredFact)) -> anyhow::Result<bool> {
        let facts =
            self.metastore.facts(self.info.id, self.seq, PAGE).await.context("cannot read the run's progress")?;
        for fact in &facts {
            self.state
                .apply(&fact.fact, fact.at)
                .with_context(|| format!("fact {} of run {} does not fit what came before", fact.seq, self.info.id))?;
            self.seq = fact.seq;
            seen(&self.state, fact);
        }
        Ok(!facts.is_empty())
    }

    /// Reads everything that is there.
    pub(crate) async fn catch_up(&mut self, mut seen: impl FnMut(&RunState, &StoredFact)) -> anyhow::Result<()> {
        while self.read(&mut seen).await? {}
        Ok(())
    }
}
