//! Logs of attempts of a server.

use std::collections::VecDeque;
use std::time::Duration;

use penstock_engine::{NodeId, RunState};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use uuid::Uuid;

use super::client::Client;
use super::error::RemoteError;
use crate::attempt_log::last_lines;

/// Longest pause within a log that is there.
const PAUSE: Duration = Duration::from_secs(60);
/// Longest pause within a log that is being written: a task may say nothing for days.
const QUIET: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes at the end of a log in which its last lines are looked for.
const TAIL_BYTES: usize = 64 * 1024;
/// Times that a log which is being written is taken up again after its connection broke, with nothing in between.
const MOST_FAILURES: u32 = 8;
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// An attempt, from 0, of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RemoteAttempt {
    run: Uuid,
    task: Uuid,
    attempt: u32,
}

impl RemoteAttempt {
    /// An attempt of a task that was started.
    pub(crate) fn new(state: &RunState, node: NodeId, attempt: u32) -> Option<RemoteAttempt> {
        Some(RemoteAttempt { run: state.info()?.id, task: state.task_id(node)?, attempt })
    }

    async fn open(
        &self,
        client: &Client,
        follow: bool,
        timestamps: bool,
    ) -> Result<Option<reqwest::Response>, RemoteError> {
        let RemoteAttempt { run, task, attempt } = self;
        let (run, task, attempt) = (run.to_string(), task.to_string(), attempt.to_string());
        let path = ["apis", "penstock", "v1", "runs", &run, "tasks", &task, "attempts", &attempt, "log"];
        let asked = [("follow", follow), ("timestamps", timestamps)].into_iter().filter(|(_, is_asked)| *is_asked);
        let query: Vec<_> = asked.map(|(name, _)| (name, "true")).collect();
        match client.open(&path, &query, None).await {
            Ok(response) => Ok(Some(response)),
            Err(RemoteError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the log as it is now; false if there is none.
    pub(crate) async fn copy(
        &self,
        client: &Client,
        timestamps: bool,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> anyhow::Result<bool> {
        let Some(mut response) = self.open(client, false, timestamps).await? else { return Ok(false) };
        while let Some(chunk) = client.chunk(&mut response, PAUSE).await? {
            sink.write_all(&chunk).await?;
        }
        Ok(true)
    }

    /// Writes the log until the attempt has ended. A connection that breaks is made again, and goes on where it was.
    pub(crate) async fn follow(
        &self,
        client: &Client,
        timestamps: bool,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> anyhow::Result<()> {
        let (mut printed, mut failures) = (0_u64, 0_u32);
        loop {
            let before = printed;
            let failure = match self.follow_once(client, timestamps, &mut printed, sink).await? {
                Ok(()) => break,
                Err(error) => error,
            };
            failures = if printed > before { 1 } else { failures + 1 };
            if !failure.may_pass() || failures > MOST_FAILURES {
                return Err(failure.into());
            }
            tokio::time::sleep(FAILURE_PAUSE * failures).await;
        }
        Ok(sink.flush().await?)
    }

    /// The inner result is that of the connection, the outer one that of printing.
    async fn follow_once(
        &self,
        client: &Client,
        timestamps: bool,
        printed: &mut u64,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> std::io::Result<Result<(), RemoteError>> {
        let mut response = match self.open(client, true, timestamps).await {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let mut known = *printed;
        loop {
            let chunk = match client.chunk(&mut response, QUIET).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            let skipped = usize::try_from(known).unwrap_or(usize::MAX).min(chunk.len());
            known -= skipped as u64;
            let new = chunk.get(skipped..).unwrap_or_default();
            *printed += new.len() as u64;
            sink.write_all(new).await?;
            sink.flush().await?;
        }
    }

    /// The last lines, made inert; `None` if there is no log.
    pub(crate) async fn last_lines(&self, client: &Client, count: usize) -> anyhow::Result<Option<Vec<String>>> {
        let Some(mut response) = self.open(client, false, false).await? else { return Ok(None) };
        let mut tail = VecDeque::new();
        while let Some(chunk) = client.chunk(&mut response, PAUSE).await? {
            tail.extend(chunk);
            let surplus = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..surplus);
        }
        Ok(Some(last_lines(tail.make_contiguous(), count)))
    }
}
