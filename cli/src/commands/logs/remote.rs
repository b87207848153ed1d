//! Logs of a run of a server.

use std::collections::BTreeSet;

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use penstock_engine::{Fact, NodeId, NodeView, RunState};
use tokio::io::AsyncWriteExt as _;

use super::follow::Logs;
use crate::feed::Feed;
use crate::log_printer::LogPrinter;
use crate::remote::client::Client;
use crate::remote::logs::RemoteAttempt;
use crate::text::inert;

/// Prints one log whole; false if there is none.
pub(super) async fn print(
    client: &Client,
    state: &RunState,
    id: NodeId,
    number: u32,
    timestamps: bool,
    printer: &mut LogPrinter,
) -> anyhow::Result<bool> {
    let Some(attempt) = RemoteAttempt::new(state, id, number) else { return Ok(false) };
    let mut sink = printer.sink();
    let found = attempt.copy(client, timestamps, &mut sink).await?;
    sink.shutdown().await?;
    Ok(found)
}

/// Streams of the server, one for each attempt.
pub(super) struct Streams<'a> {
    client: &'a Client,
    timestamps: bool,
    begun: BTreeSet<(NodeId, u32)>,
    logs: FuturesUnordered<LocalBoxFuture<'a, anyhow::Result<()>>>,
    /// Attempts after which there was another; what came before now is in the facts no more.
    failed: BTreeSet<(NodeId, u32)>,
}

impl<'a> Streams<'a> {
    /// For a run of a server.
    pub(super) fn new(client: &'a Client, timestamps: bool) -> Self {
        Self { client, timestamps, begun: BTreeSet::new(), logs: FuturesUnordered::new(), failed: BTreeSet::new() }
    }
}

impl Logs for Streams<'_> {
    fn note(&mut self, fact: &Fact) {
        if let Fact::AttemptFailed { node, attempt, .. } = fact {
            self.failed.insert((*node, *attempt));
        }
    }

    async fn begin(&mut self, state: &RunState, view: &NodeView<'_>, several: bool) -> anyhow::Result<()> {
        let id = view.id;
        let earlier = self.failed.range((id, 0)..=(id, u32::MAX)).map(|(_, attempt)| *attempt);
        for number in earlier.chain(view.attempt) {
            if self.begun.insert((id, number))
                && let Some(attempt) = RemoteAttempt::new(state, id, number)
            {
                let prefix = several.then(|| inert(&state.path(id)));
                self.logs.push(print_on(self.client, attempt, self.timestamps, prefix).boxed_local());
            }
        }
        Ok(())
    }

    async fn read(&mut self, _state: &RunState) -> anyhow::Result<()> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.logs.is_empty()
    }

    fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Lines are printed while this waits.
    async fn wait(&mut self, feed: &mut Feed) -> anyhow::Result<()> {
        tokio::select! {
            _ = feed.tick() => Ok(()),
            Some(done) = self.logs.next(), if !self.logs.is_empty() => done,
        }
    }
}

async fn print_on(
    client: &Client,
    attempt: RemoteAttempt,
    timestamps: bool,
    prefix: Option<String>,
) -> anyhow::Result<()> {
    let mut printer = LogPrinter::stamped(prefix, timestamps);
    let mut sink = printer.sink();
    attempt.follow(client, timestamps, &mut sink).await?;
    Ok(sink.shutdown().await?)
}
