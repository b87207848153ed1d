//! The facts of a run of a server, as its event stream tells them.
//!
//! A connection that breaks is made again behind the last fact that came, so nothing is missed and nothing seen twice.

use std::time::Duration;

use async_trait::async_trait;
use penstock_metastore::{Remark, StoredFact};
use rand::RngExt as _;
use reqwest::StatusCode;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::client::Client;
use super::error::RemoteError;
use super::events::Events;
use super::runs;
use crate::feed::FactSource;

/// Facts that wait to be shown.
const WAITING: usize = 4096;
/// Longest silence: the server says something each 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// Connections in a row that bring nothing before that is given up; with the pauses between them about a minute.
const MOST_FAILURES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pause before a run that has ended is asked about again: it may be retried.
const ENDED_PAUSE: Duration = Duration::from_millis(500);

/// Facts that arrive.
#[derive(Debug)]
pub(crate) struct RemoteFacts {
    client: Client,
    run: Uuid,
    /// Facts that the server had when it was asked first; they are waited for.
    known: u64,
    arrived: mpsc::Receiver<Result<StoredFact, RemoteError>>,
    /// Why nothing more arrives; told once everything before it was handed out.
    failure: Option<RemoteError>,
    stream: JoinHandle<()>,
}

impl RemoteFacts {
    /// Follows a run from its first fact.
    pub(crate) fn follow(client: &Client, run: Uuid, known: u64) -> RemoteFacts {
        let (sender, arrived) = mpsc::channel(WAITING);
        let stream = Stream { client: client.clone(), run, after: 0, failures: 0, sender };
        RemoteFacts { client: client.clone(), run, known, arrived, failure: None, stream: tokio::spawn(stream.run()) }
    }
}

impl Drop for RemoteFacts {
    fn drop(&mut self) {
        self.stream.abort();
    }
}

#[async_trait]
impl FactSource for RemoteFacts {
    fn has_news(&mut self) -> bool {
        self.failure.is_some() || !self.arrived.is_empty()
    }

    async fn facts(&mut self, after: u64, limit: u32) -> anyhow::Result<Vec<StoredFact>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        let mut facts: Vec<StoredFact> = Vec::new();
        while facts.len() < limit as usize {
            let last = facts.last().map_or(after, |fact| fact.seq);
            let next = match self.arrived.try_recv() {
                Ok(next) => next,
                Err(_) if last < self.known => match self.arrived.recv().await {
                    Some(next) => next,
                    None => break,
                },
                Err(_) => break,
            };
            let fact = match next {
                Ok(fact) => fact,
                Err(error) if facts.is_empty() => return Err(error.into()),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            };
            if fact.seq != last.saturating_add(1) {
                anyhow::bail!("fact {} of run {} came after fact {last}", fact.seq, self.run);
            }
            facts.push(fact);
        }
        Ok(facts)
    }

    async fn remarks(&self) -> anyhow::Result<Vec<Remark>> {
        let details = runs::details(&self.client, self.run).await?;
        Ok(details.remarks.into_iter().map(Into::into).collect())
    }

    fn client(&self) -> Option<&Client> {
        Some(&self.client)
    }
}

/// What reads the stream.
#[derive(Debug)]
struct Stream {
    client: Client,
    run: Uuid,
    after: u64,
    /// Connections in a row that brought nothing.
    failures: u32,
    sender: mpsc::Sender<Result<StoredFact, RemoteError>>,
}

/// How a connection ended well.
enum End {
    /// There is nothing more for now.
    Quiet,
    /// It just ended.
    Cut,
    /// Nobody wants to know any more.
    Unwanted,
}

impl Stream {
    async fn run(mut self) {
        loop {
            let failure = match self.read().await {
                Ok(End::Unwanted) => return,
                Ok(End::Quiet) => {
                    self.failures = 0;
                    tokio::time::sleep(ENDED_PAUSE).await;
                    continue;
                }
                Ok(End::Cut) => None,
                Err(error) if error.may_pass() => Some(error),
                Err(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            };
            self.failures += 1;
            if self.failures > MOST_FAILURES {
                let text = format!("the events of run {} end again and again before anything came", self.run);
                let server = self.client.place();
                let error = failure.unwrap_or(RemoteError::Refused { server, status: 503, text });
                let _ = self.sender.send(Err(error)).await;
                return;
            }
            if self.failures == 2
                && let Some(error) = &failure
            {
                tracing::warn!("connecting again: {}", error.text());
            }
            let jitter = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep(pause(self.failures, jitter)).await;
        }
    }

    /// Reads one connection to its end.
    async fn read(&mut self) -> Result<End, RemoteError> {
        let run = self.run.to_string();
        let path = ["apis", "penstock", "v1", "runs", &run, "events"];
        let behind = (self.after > 0).then(|| ("last-event-id", self.after.to_string()));
        let mut response = self.client.open(&path, &[], behind).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(End::Quiet);
        }
        let mut events = Events::default();
        while let Some(bytes) = self.client.chunk(&mut response, SILENCE).await? {
            let facts = events.take(&bytes).map_err(|error| RemoteError::Unreadable {
                path: path.join("/"),
                reason: penstock_runtime::logs::chain(&error),
            })?;
            // A heart-beat is a sign of life too.
            self.failures = 0;
            for fact in facts {
                self.after = fact.seq;
                if self.sender.send(Ok(fact)).await.is_err() {
                    return Ok(End::Unwanted);
                }
            }
        }
        Ok(End::Cut)
    }
}

/// How long to wait after so many failures; `jitter` keeps clients apart that were cut off together.
fn pause(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(LONGEST_PAUSE).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert_eq!(pause(1, 1.0), FIRST_PAUSE);
        assert_eq!(pause(3, 1.0), FIRST_PAUSE * 4);
        assert_eq!(pause(MOST_FAILURES, 0.5), LONGEST_PAUSE / 2);
        let all: Duration = (1..=MOST_FAILURES).map(|failures| pause(failures, 1.0)).sum();
        assert!((30..=90).contains(&all.as_secs()), "{all:?}");
    }
}
