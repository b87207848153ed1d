//! Shows a run that a server carries out until its end; Ctrl-C cancels it there.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::client::Client;
use super::runs;
use crate::args::{OutputFormat, ProgressArgs};
use crate::context::Context;
use crate::failure::{self, Hinted, Refusal};
use crate::feed::Feed;
use crate::json::RunDocument;
use crate::progress::{Progress, Stream};
use crate::session::finish;
use crate::signals::{Request, Signals};
use crate::waiting::Waiting;

/// Longest wait for the server to take note that a run is to be cancelled.
const CANCELLING: Duration = Duration::from_secs(10);

/// When a run is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Unless it has ended.
    Now,
    /// With the next fact: it had ended, and was asked to go on.
    WithNextFact,
}

/// Time between two looks whether it will.
const LOOK: Duration = Duration::from_secs(2);
/// Longest wait until a server goes on with a run.
const TAKEN_UP: Duration = Duration::from_secs(300);

/// Waits for a server to go on with a run.
struct TakenUp {
    late: Instant,
    next_look: Instant,
    /// Looks in a row that found the command taken, and nothing happened.
    without: u32,
}

impl TakenUp {
    fn new() -> TakenUp {
        let now = Instant::now();
        TakenUp { late: now + TAKEN_UP, next_look: now + LOOK, without: 0 }
    }

    /// Refuses to wait on for what will not come. To be called again and again.
    async fn check(&mut self, client: &Client, run: Uuid) -> anyhow::Result<()> {
        let now = Instant::now();
        if now > self.late {
            let (server, waited) = (client.url(), TAKEN_UP.as_secs());
            let text = format!("run {run} is to go on, and {server} has not taken it up within {waited} s");
            return Err(Hinted::new(text, "the command is recorded and still holds; see `penstock watch`").into());
        }
        if now < self.next_look {
            return Ok(());
        }
        self.next_look = now + LOOK;
        self.without = if runs::is_to_go_on(client, run).await? { 0 } else { self.without + 1 };
        match self.without {
            0 | 1 => Ok(()),
            _ => Err(Refusal::new(format!(
                "run {run} does not go on: it never began, so there is nothing to go on with"
            ))
            .with_hint("start it anew, with what it was refused for put right")
            .into()),
        }
    }
}

/// Follows the run to its end, shows its progress, prints the result. Ctrl-C cancels the run; a second one stops watching
/// at once. Without a terminal the run goes on.
pub(crate) async fn carry(
    context: &Context,
    client: &Client,
    mut feed: Feed,
    args: &ProgressArgs,
    begin: Begin,
) -> anyhow::Result<ExitCode> {
    let run = feed.run();
    let mut progress = Progress::new(context, args);
    let mut signals = Signals::new()?;
    let mut requests = 0;
    let mut is_awaited = begin == Begin::WithNextFact;
    let mut taken_up = TakenUp::new();
    while is_awaited || !feed.state().status().is_final() {
        tokio::select! {
            news = feed.tick() => {
                if news && feed.read(|state, fact| progress.fact(state, fact)).await? {
                    is_awaited = false;
                }
                if is_awaited && let Err(error) = taken_up.check(client, run).await {
                    progress.end(feed.state());
                    return Err(error);
                }
                progress.draw(feed.state(), &Waiting::new());
            }
            request = signals.next() => {
                requests += 1;
                if request == Request::HangUp || requests > 1 {
                    progress.end(feed.state());
                    if args.output == OutputFormat::Json {
                        RunDocument::new(feed.info(), feed.options(), feed.state()).print();
                    }
                    let text = if requests > 1 { "is being cancelled" } else { "goes on" };
                    Stream::Err.print(&format!("no longer watching; run {run} {text} at {}\n", client.url()));
                    return Ok(ExitCode::from(failure::CANCELED));
                }
                match tokio::time::timeout(CANCELLING, runs::terminate(client, run)).await {
                    Ok(Ok(())) => progress.say("cancelling; Ctrl-C again stops watching"),
                    // It may have ended by itself.
                    Ok(Err(error)) if error.status() == Some(400) => {}
                    Ok(Err(error)) => {
                        progress.end(feed.state());
                        return Err(anyhow::Error::from(error).context(format!("run {run} could not be cancelled")));
                    }
                    Err(_) => {
                        progress.end(feed.state());
                        anyhow::bail!("run {run} could not be cancelled: {} did not answer", client.url());
                    }
                }
            }
        }
    }
    progress.end(feed.state());
    finish(context, &feed, args, args.quiet).await
}
