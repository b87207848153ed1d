//! `penstock logs -f`: prints what the tasks meant print, attempt by attempt, until they have ended. Where that is read is
//! another matter: [`Logs`].

use penstock_engine::{Fact, NodeId, NodeKind, NodeView, RunState};

use crate::failure::Refusal;
use crate::feed::Feed;
use crate::progress::Stream;
use crate::selection::select;

/// Where the logs of attempts come from.
pub(super) trait Logs {
    /// Remembers what the state of a run forgets when the next attempt starts.
    fn note(&mut self, fact: &Fact);

    /// Begins with the attempts of a task that are new. `several`: the lines say whose they are.
    async fn begin(&mut self, state: &RunState, view: &NodeView<'_>, several: bool) -> anyhow::Result<()>;

    /// Prints what is new.
    async fn read(&mut self, state: &RunState) -> anyhow::Result<()>;

    /// Whether all that has begun is printed to its end.
    fn is_done(&self) -> bool;

    /// Whether anything has begun.
    fn has_begun(&self) -> bool;

    /// Waits until the run or a log is worth a look.
    async fn wait(&mut self, feed: &mut Feed) -> anyhow::Result<()>;
}

/// Prints what the tasks meant print, until the run has ended.
pub(super) async fn follow(mut feed: Feed, task: Option<&str>, mut logs: impl Logs) -> anyhow::Result<()> {
    let mut announced = false;
    loop {
        feed.catch_up(|_, stored| logs.note(&stored.fact)).await?;
        let state = feed.state();
        let ended = state.status().is_final();
        let tasks = match chosen(state, task) {
            Ok(tasks) => tasks,
            // Tasks appear as the run goes on.
            Err(_) if !ended => Vec::new(),
            Err(refusal) => return Err(refusal.into()),
        };
        let several = task.is_none() || tasks.len() > 1;
        let mut at_work = tasks.is_empty();
        for id in tasks {
            let Some(view) = state.node(id) else { continue };
            at_work |= !view.status.is_final();
            logs.begin(state, &view, several).await?;
        }
        logs.read(state).await?;
        if (ended || !at_work) && logs.is_done() {
            return Ok(());
        }
        if !logs.has_begun() && !announced {
            Stream::Err.print("waiting for a task to start\n");
            announced = true;
        }
        logs.wait(&mut feed).await?;
    }
}

/// The tasks that are meant and run something.
pub(super) fn chosen(state: &RunState, task: Option<&str>) -> Result<Vec<NodeId>, Refusal> {
    let all = match task {
        Some(task) => select(state, task)?,
        None => crate::tree::order(state),
    };
    let runs = |id: &NodeId| state.node(*id).is_some_and(|view| view.kind == NodeKind::Container);
    Ok(all.into_iter().filter(runs).collect())
}
