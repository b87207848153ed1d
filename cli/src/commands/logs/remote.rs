//! Logs of a run of a server.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use penstock_engine::{Fact, NodeId, RunState};
use tokio::io::AsyncWriteExt as _;

use super::follow::chosen;
use crate::feed::Feed;
use crate::log_printer::LogPrinter;
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::remote::logs::RemoteAttempt;
use crate::text::inert;

/// Prints one log whole; false if there is none.
pub(super) async fn print(
    client: &Client,
    state: &RunState,
    id: NodeId,
    number: u32,
    printer: &mut LogPrinter,
) -> anyhow::Result<bool> {
    let Some(attempt) = RemoteAttempt::new(state, id, number) else { return Ok(false) };
    let mut sink = printer.sink();
    let found = attempt.copy(client, &mut sink).await?;
    sink.shutdown().await?;
    Ok(found)
}

/// Prints what the tasks meant print, until the run has ended.
pub(super) async fn follow(client: &Client, mut feed: Feed, task: Option<&str>) -> anyhow::Result<()> {
    let mut begun = BTreeSet::new();
    let mut logs = FuturesUnordered::new();
    let mut announced = false;
    // Attempts after which there was another; what came before now is in the facts no more.
    let mut failed = BTreeSet::new();
    loop {
        feed.catch_up(|_, stored| {
            if let Fact::AttemptFailed { node, attempt, .. } = &stored.fact {
                failed.insert((*node, *attempt));
            }
        })
        .await?;
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
            let earlier = failed.range((id, 0)..=(id, u32::MAX)).map(|(_, attempt)| *attempt);
            for number in earlier.chain(view.attempt) {
                if begun.insert((id, number))
                    && let Some(attempt) = RemoteAttempt::new(state, id, number)
                {
                    logs.push(print_on(client, attempt, several.then(|| inert(&state.path(id)))));
                }
            }
        }
        if (ended || !at_work) && logs.is_empty() {
            return Ok(());
        }
        if begun.is_empty() && !announced {
            Stream::Err.print("waiting for a task to start\n");
            announced = true;
        }
        tokio::select! {
            _ = feed.tick() => {}
            Some(done) = logs.next(), if !logs.is_empty() => done?,
        }
    }
}

async fn print_on(client: &Client, attempt: RemoteAttempt, prefix: Option<String>) -> anyhow::Result<()> {
    let mut printer = LogPrinter::new(prefix);
    let mut sink = printer.sink();
    attempt.follow(client, &mut sink).await?;
    Ok(sink.shutdown().await?)
}
