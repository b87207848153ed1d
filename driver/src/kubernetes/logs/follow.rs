//! The log of a Pod from before its container's start to its end, over whatever interrupts reading it.

use std::time::Duration;

use penstock_spec::log_times::LogPiece;
use penstock_spec::report::AttemptRef;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::api::PodApi;
use super::{PodLog, PodLogError, PodStanding, standing};

/// Time between two looks at what a Pod waits for.
const LOOK: Duration = Duration::from_secs(2);
/// Wait after a log could not be read; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
/// Where the doubling ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pieces that wait for whoever follows: who is slow slows down his own reading, and nobody else's.
const QUEUE: usize = 4;

/// What following a log brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogNews {
    /// What follows in the log.
    Piece(LogPiece),
    /// Nothing can be read at the moment, for this reason.
    Waits(String),
    /// It is read again.
    Reads,
    /// The node has discarded what follows. Nothing comes after this.
    Gap,
}

/// A log that is followed, as long as this value lives.
#[derive(Debug)]
pub struct FollowedLog {
    news: mpsc::Receiver<LogNews>,
    task: JoinHandle<()>,
}

impl FollowedLog {
    /// Begins, perhaps with the log's times.
    pub(crate) fn start(
        api: PodApi,
        (namespace, name): (String, String),
        attempt: AttemptRef,
        with_times: bool,
    ) -> FollowedLog {
        let (say, news) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            let mut reading = Reading { api, namespace, name, attempt, with_times, known: Known::default(), say };
            reading.run().await;
        });
        FollowedLog { news, task }
    }

    /// What comes next; nothing behind the end of the log. Whoever stops waiting misses nothing.
    pub async fn next(&mut self) -> Option<LogNews> {
        self.news.recv().await
    }
}

impl Drop for FollowedLog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What of a log was read.
#[derive(Debug, Default)]
struct Known {
    length: u64,
    digest: Sha256,
}

impl Known {
    fn add(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        self.digest.update(piece);
    }

    /// What a piece of the log, read anew, has beyond what is known; nothing if it is another log by now. `again`: what
    /// was read anew before it.
    fn rest(&self, again: &mut Known, piece: &LogPiece) -> Option<LogPiece> {
        let missing = usize::try_from(self.length.saturating_sub(again.length)).unwrap_or(usize::MAX);
        let old = piece.bytes.get(..missing).unwrap_or(&piece.bytes);
        again.add(old);
        let is_same = again.length < self.length || again.digest.clone().finalize() == self.digest.clone().finalize();
        is_same.then(|| piece.behind(old.len()))
    }
}

struct Reading {
    api: PodApi,
    namespace: String,
    name: String,
    attempt: AttemptRef,
    with_times: bool,
    known: Known,
    say: mpsc::Sender<LogNews>,
}

/// Why reading stops before the log's end.
enum Cut {
    /// The container has not started, for this reason.
    Waits(String),
    /// Another try may go on.
    Log(PodLogError),
    /// The node has discarded what follows.
    Gap,
    /// Nobody follows any more.
    Unheard,
}

impl From<PodLogError> for Cut {
    fn from(error: PodLogError) -> Cut {
        Cut::Log(error)
    }
}

impl Reading {
    /// Reads until the log's end. Whoever follows gives up a while after the attempt's end.
    async fn run(&mut self) {
        let mut pause = PAUSE;
        loop {
            let before = self.known.length;
            let reason = match self.read().await {
                Ok(()) | Err(Cut::Unheard) => return,
                Err(Cut::Gap) => {
                    // Nobody may be there to hear it.
                    let _ = self.say.send(LogNews::Gap).await;
                    return;
                }
                Err(Cut::Waits(reason)) => reason,
                Err(Cut::Log(error)) => trouble(self.standing().await, &error),
            };
            if self.say.send(LogNews::Waits(reason)).await.is_err() {
                return;
            }
            pause = if self.known.length > before { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn read(&mut self) -> Result<(), Cut> {
        let mut log = self.open().await?;
        self.tell(LogNews::Reads).await?;
        let mut again = Known::default();
        while again.length < self.known.length {
            // A log that has become shorter is another.
            let piece = log.next().await?.ok_or(Cut::Gap)?;
            let rest = self.known.rest(&mut again, &piece).ok_or(Cut::Gap)?;
            if !rest.bytes.is_empty() {
                self.pass_on(rest).await?;
                break;
            }
        }
        while let Some(piece) = log.next().await? {
            self.pass_on(piece).await?;
        }
        // Of a Pod without a node, the API server says that the log is empty.
        match self.known.length {
            0 => match self.standing().await? {
                PodStanding::Waits(reason) => Err(Cut::Waits(reason)),
                PodStanding::Started | PodStanding::Absent => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Opens the log, and says meanwhile what the Pod waits for.
    async fn open(&self) -> Result<PodLog, Cut> {
        let mut open = std::pin::pin!(PodLog::open(&self.api, &self.namespace, &self.name, self.with_times));
        loop {
            tokio::select! {
                opened = &mut open => return Ok(opened?),
                () = tokio::time::sleep(LOOK) => {}
            }
            // Asked beside the log, which goes on waiting.
            let standing = tokio::select! {
                opened = &mut open => return Ok(opened?),
                standing = self.standing() => standing,
            };
            if let Ok(PodStanding::Waits(reason)) = standing {
                self.tell(LogNews::Waits(reason)).await?;
            }
        }
    }

    async fn standing(&self) -> Result<PodStanding, PodLogError> {
        standing(&self.api, &self.namespace, &self.name, &self.attempt).await
    }

    async fn pass_on(&mut self, piece: LogPiece) -> Result<(), Cut> {
        self.known.add(&piece.bytes);
        self.tell(LogNews::Piece(piece)).await
    }

    async fn tell(&self, news: LogNews) -> Result<(), Cut> {
        self.say.send(news).await.map_err(|_| Cut::Unheard)
    }
}

/// What a failure to read a log means for people.
fn trouble(standing: Result<PodStanding, PodLogError>, error: &PodLogError) -> String {
    match standing {
        Ok(PodStanding::Waits(reason)) => reason,
        Ok(PodStanding::Absent) => "its Pod is not there yet".to_owned(),
        Ok(PodStanding::Started) | Err(_) => format!("its log cannot be read now: {}", error.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Known {
        let mut known = Known::default();
        known.add(text.as_bytes());
        known
    }

    #[test]
    fn log_that_is_read_anew_goes_on_behind_what_is_known() {
        let log = known("one\ntwo\n");
        let piece = |text: &str| LogPiece::without_times(text.into());
        let mut again = Known::default();
        assert_eq!(log.rest(&mut again, &piece("one\n")), Some(piece("")));
        assert_eq!(log.rest(&mut again, &piece("two\nthree\n")), Some(piece("three\n")));
        assert_eq!(log.rest(&mut Known::default(), &piece("one\ntwo\n")), Some(piece("")));
        assert_eq!(log.rest(&mut Known::default(), &piece("six\nten\nmore\n")), None, "the node began a new log");
    }

    #[test]
    fn pod_says_better_what_it_waits_for_than_the_refused_log() {
        let error = PodLogError { pod: "n/p".to_owned(), reason: "pod p does not have a host assigned".to_owned() };
        let text = |standing| trouble(standing, &error);
        assert_eq!(text(Ok(PodStanding::Waits("0/1 nodes are available".to_owned()))), "0/1 nodes are available");
        assert_eq!(text(Ok(PodStanding::Absent)), "its Pod is not there yet");
        assert!(text(Ok(PodStanding::Started)).ends_with(&error.reason));
    }
}
