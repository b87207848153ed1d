//! Runs as their facts leave them, for what the store's lists do not say: where everything in a run stands, the inputs of a
//! task, and what its cache key is made of.
//!
//! Folding takes time and memory, and views of a run under way ask several times a second. So those that were asked for last
//! are kept, and read only what was added since. Few are folded from the beginning at a time, and nothing is computed on the
//! threads that answer.

mod counts;
mod held;
mod history;

use std::sync::{Arc, OnceLock};

use penstock_engine::{Pipeline, RunState};
use penstock_metastore::{MetastoreError, RunRow, StoredFact};
use penstock_runtime::logs::chain;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use tokio::sync::OwnedRwLockWriteGuard;
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;
use counts::TaskCounts;
pub(crate) use counts::{iterations, shown_status};
pub(crate) use held::HeldRuns;
use held::{Key, Shared};
pub(crate) use history::{Attempt, History, Outcome};

/// Most facts of a run that is folded for a request.
pub(crate) const MOST_FACTS: u64 = 500_000;
/// Facts that are read at a time.
const PAGE: u32 = 2000;

/// A run, as far as it is folded.
#[derive(Debug, Default)]
pub(crate) struct FoldedRun {
    /// Nothing before the pipeline was read.
    state: Option<RunState>,
    history: History,
    /// Counted when somebody asks for them.
    counts: OnceLock<TaskCounts>,
    /// Why its facts are not understood. More facts do not help.
    fault: Option<String>,
}

impl FoldedRun {
    fn fact_count(&self) -> u64 {
        self.state.as_ref().map_or(0, RunState::fact_count)
    }

    /// Attempts with their times.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// How its tasks stand.
    pub(crate) fn counts(&self, state: &RunState) -> &TaskCounts {
        self.counts.get_or_init(|| TaskCounts::of(state))
    }

    /// Adds facts. What does not fit is remembered.
    fn apply(&mut self, facts: &[StoredFact]) {
        self.counts = OnceLock::new();
        let Some(state) = &mut self.state else { return };
        for StoredFact { fact, at, .. } in facts {
            if let Err(error) = state.apply(fact, *at) {
                self.fault = Some(chain(&error));
                return;
            }
            self.history.apply(fact, *at);
        }
    }
}

/// Why a run cannot be folded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldFailure {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] MetastoreError),
    /// It has too many facts.
    #[error("run {run} has {facts} facts, more than the {MOST_FACTS} that are looked at for this")]
    TooLarge { run: Uuid, facts: u64 },
    /// It has not come so far.
    #[error("run {run} has {facts} facts, and {asked} were asked for")]
    Ahead { run: Uuid, facts: u64, asked: u64 },
    /// Its pipeline or facts are not understood by this build.
    #[error("run {run} is not understood: {reason}")]
    Foreign { run: Uuid, reason: String },
}

impl From<FoldFailure> for ApiError {
    fn from(failure: FoldFailure) -> Self {
        match failure {
            FoldFailure::Store(error) => error.into(),
            FoldFailure::TooLarge { .. } => Self::failed_precondition(failure.to_string()),
            FoldFailure::Ahead { .. } => Self::invalid(failure.to_string()),
            FoldFailure::Foreign { .. } => Self::internal(failure.to_string()),
        }
    }
}

/// What a look at a run comes to.
type Looked<T> = Result<T, FoldFailure>;

/// Looks at a run as all its facts leave it, at least those that its row tells of.
pub(crate) async fn look<T: Send + 'static>(
    api: &Api,
    run: &RunRow,
    work: impl FnOnce(&FoldedRun, &RunState) -> T + Send + 'static,
) -> Looked<T> {
    let ask = Ask { run: run.info.id, facts: run.fact_count, to_the_end: true };
    ask.look(api, Key::Now(ask.run), work).await
}

/// Looks at a run as its first facts left it.
pub(crate) async fn look_back<T: Send + 'static>(
    api: &Api,
    run: &RunRow,
    facts: u64,
    work: impl FnOnce(&FoldedRun, &RunState) -> T + Send + 'static,
) -> Looked<T> {
    let id = run.info.id;
    if facts > run.fact_count {
        return Err(FoldFailure::Ahead { run: id, facts: run.fact_count, asked: facts });
    }
    let ask = Ask { run: id, facts, to_the_end: false };
    ask.look(api, Key::Then(id), work).await
}

/// Looks at a run that nobody asks for again.
pub(crate) async fn look_once<T: Send + 'static>(
    api: &Api,
    run: Uuid,
    work: impl FnOnce(&FoldedRun, &RunState) -> T + Send + 'static,
) -> Looked<T> {
    let facts = api.metastore().run(run).await?.fact_count;
    let ask = Ask { run, facts, to_the_end: true };
    ask.check_size()?;
    let room = api.fold_room().await;
    let folded = ask.fold(api, Shared::default().write_owned().await).await?;
    let looked = aside(move || work_on(&folded, work)).await;
    drop(room);
    ask.unless_foreign(looked)
}

/// What of a run is to be folded.
#[derive(Debug, Clone, Copy)]
struct Ask {
    run: Uuid,
    facts: u64,
    /// Whether those are wanted, too, that were added meanwhile.
    to_the_end: bool,
}

impl Ask {
    async fn look<T: Send + 'static>(
        self,
        api: &Api,
        key: Key,
        work: impl FnOnce(&FoldedRun, &RunState) -> T + Send + 'static,
    ) -> Looked<T> {
        self.check_size()?;
        let shared = api.held_runs().get(key);
        let folded = Arc::clone(&shared).read_owned().await;
        let looked = if self.is_met(&folded) {
            aside(move || work_on(&folded, work)).await
        } else {
            drop(folded);
            let folded = shared.write_owned().await;
            let is_far = self.facts.saturating_sub(folded.fact_count()) > u64::from(PAGE) || folded.state.is_none();
            let room = if is_far { api.fold_room().await } else { None };
            let folded = self.fold(api, folded).await?;
            drop(room);
            api.held_runs().weigh(key, folded.fact_count());
            let folded = folded.downgrade();
            aside(move || work_on(&folded, work)).await
        };
        self.unless_foreign(looked)
    }

    fn check_size(&self) -> Looked<()> {
        match self.facts > MOST_FACTS {
            true => Err(FoldFailure::TooLarge { run: self.run, facts: self.facts }),
            false => Ok(()),
        }
    }

    /// Whether enough is folded, and no more than may be.
    fn is_met(&self, folded: &FoldedRun) -> bool {
        let count = folded.fact_count();
        let is_there = folded.state.is_some() && count >= self.facts && (self.to_the_end || count == self.facts);
        is_there || folded.fault.is_some()
    }

    /// Folds what is missing. The run is whole whenever this is given up.
    async fn fold(
        self,
        api: &Api,
        mut folded: OwnedRwLockWriteGuard<FoldedRun>,
    ) -> Looked<OwnedRwLockWriteGuard<FoldedRun>> {
        if folded.fact_count() > self.facts && !self.to_the_end {
            let state = folded.state.take().map(|state| RunState::new(Arc::clone(state.pipeline())));
            *folded = FoldedRun { state, ..FoldedRun::default() };
        }
        if folded.state.is_none() {
            let text = api.metastore().run_spec(self.run).await?.pipeline_text;
            let state = self.unless_foreign(aside(move || begin(&text)).await)?;
            folded.state = Some(state);
        }
        while !self.is_met(&folded) || self.to_the_end {
            let count = folded.fact_count();
            let limit = if self.to_the_end { PAGE } else { page_until(self.facts, count) };
            let facts = api.metastore().facts(self.run, count, limit).await?;
            let is_last = facts.len() < PAGE as usize;
            folded = self.unless_foreign(aside(move || Ok(applied(folded, &facts))).await)?;
            if is_last || folded.fault.is_some() {
                break;
            }
        }
        Ok(folded)
    }

    fn unless_foreign<T>(&self, done: Result<T, String>) -> Looked<T> {
        done.map_err(|reason| FoldFailure::Foreign { run: self.run, reason })
    }
}

/// How many facts to read where no more than `facts` are wanted.
fn page_until(facts: u64, count: u64) -> u32 {
    u32::try_from(facts.saturating_sub(count)).unwrap_or(PAGE).min(PAGE)
}

fn begin(text: &str) -> Result<RunState, String> {
    let checked = check::load("pipeline.yaml", text.as_bytes(), &Limits::default()).map_err(|error| chain(&error))?;
    Ok(RunState::new(Pipeline::compile(&checked)))
}

fn applied(mut folded: OwnedRwLockWriteGuard<FoldedRun>, facts: &[StoredFact]) -> OwnedRwLockWriteGuard<FoldedRun> {
    folded.apply(facts);
    folded
}

fn work_on<T>(folded: &FoldedRun, work: impl FnOnce(&FoldedRun, &RunState) -> T) -> Result<T, String> {
    match (&folded.fault, &folded.state) {
        (Some(fault), _) => Err(fault.clone()),
        (None, Some(state)) => Ok(work(folded, state)),
        (None, None) => Err("it was not folded".to_owned()),
    }
}

/// Computes something on a thread that nobody waits on.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(format!("the work ended early: {error}")),
    }
}
