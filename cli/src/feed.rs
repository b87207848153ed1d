//! The facts of one run as they arrive, and the state that they make.
//!
//! Where they come from is a [`FactSource`]: the store of this machine, or a server. Facts of this process are announced by
//! the metastore; those of another process are found by looking every 200 ms.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use penstock_driver::{BackendKind, RunOptions, load_state};
use penstock_engine::RunState;
use penstock_metastore::{Change, Listed, Metastore, Remark, RemarkKind, RunClaim, StoredFact};
use penstock_spec::run::RunInfo;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

use crate::context::options;
use crate::remote::client::Client;

/// Shortest time between two looks, so that a run with very many facts does not spend its time on being shown.
const TICK: Duration = Duration::from_millis(100);
/// Looks at the store without having been told of anything new: one of so many ticks.
const POLL_EVERY: u32 = 2;
const PAGE: u32 = 4096;

/// Where the facts of one run come from.
#[async_trait]
pub(crate) trait FactSource: std::fmt::Debug + Send + Sync {
    /// Whether there were told to be facts since the last time.
    fn has_news(&mut self) -> bool;

    /// Facts behind the one with this number, some at a time; none if there are no more now.
    async fn facts(&mut self, after: u64, limit: u32) -> anyhow::Result<Vec<StoredFact>>;

    /// What there is to know of the run beside its facts.
    async fn remarks(&self) -> anyhow::Result<Vec<Remark>>;

    /// The process of a machine that has the run; a server knows for itself.
    async fn holder(&self) -> anyhow::Result<Option<RunClaim>> {
        Ok(None)
    }

    /// The server that carries the run out, if it is not this machine's.
    fn client(&self) -> Option<&Client> {
        None
    }
}

/// The facts of a run in the store of this machine.
#[derive(Debug)]
struct LocalFacts {
    metastore: Metastore,
    run: Uuid,
    changes: broadcast::Receiver<Change>,
}

#[async_trait]
impl FactSource for LocalFacts {
    fn has_news(&mut self) -> bool {
        let mut told = false;
        loop {
            match self.changes.try_recv() {
                Ok(Change::FactsAppended { run, .. }) => told |= run == self.run,
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => told = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return told,
            }
        }
    }

    async fn facts(&mut self, after: u64, limit: u32) -> anyhow::Result<Vec<StoredFact>> {
        self.metastore.facts(self.run, after, limit).await.context("cannot read the run's progress")
    }

    async fn remarks(&self) -> anyhow::Result<Vec<Remark>> {
        let remarks = self.metastore.remarks(self.run).await?;
        Ok(remarks.into_iter().filter_map(Listed::readable).collect())
    }

    async fn holder(&self) -> anyhow::Result<Option<RunClaim>> {
        Ok(self.metastore.run_claim(self.run).await?)
    }
}

/// Follows one run.
#[derive(Debug)]
pub(crate) struct Feed {
    source: Box<dyn FactSource>,
    info: RunInfo,
    options: RunOptions,
    state: RunState,
    seq: u64,
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
        let source = LocalFacts { metastore: metastore.clone(), run, changes };
        Ok(Self::over(Box::new(source), row.info.clone(), options(&row), state, seq))
    }

    /// Follows a run by the facts of a source, behind fact number `seq`, which `state` has come to.
    pub(crate) fn over(
        source: Box<dyn FactSource>,
        info: RunInfo,
        options: RunOptions,
        state: RunState,
        seq: u64,
    ) -> Feed {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Feed { source, info, options, state, seq, tick, ticks: 0 }
    }

    /// The run.
    pub(crate) fn run(&self) -> Uuid {
        self.info.id
    }

    /// Identity and settings of the run, also of one that has no facts yet.
    pub(crate) fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The process of a machine that has the run, as far as that is known here.
    pub(crate) async fn holder(&self) -> anyhow::Result<Option<RunClaim>> {
        self.source.holder().await
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

    /// The server that carries the run out, if it is not this machine's.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.source.client()
    }

    /// What the facts so far make.
    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// What there is to know of the run beside its facts. One that cannot be read is left out: nothing depends on it.
    pub(crate) async fn remarks(&self) -> Vec<Remark> {
        let mut remarks = match self.source.remarks().await {
            Ok(remarks) => remarks,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the remarks on the run cannot be read");
                return Vec::new();
            }
        };
        // Somebody who has ended the run has also set it free.
        remarks.retain(|remark| remark.kind != RemarkKind::Quarantined || !self.state.status().is_final());
        remarks
    }

    /// Waits for the next moment to show something; true if there may be new facts. May be dropped at any time.
    pub(crate) async fn tick(&mut self) -> bool {
        self.tick.tick().await;
        self.ticks = self.ticks.wrapping_add(1);
        self.source.has_news() || self.ticks.is_multiple_of(POLL_EVERY)
    }

    /// Reads one page of facts that are new and applies them one by one, each followed by a call of `seen` with the
    /// state just after it. False if there was none.
    pub(crate) async fn read(&mut self, mut seen: impl FnMut(&RunState, &StoredFact)) -> anyhow::Result<bool> {
        let facts = self.source.facts(self.seq, PAGE).await?;
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
