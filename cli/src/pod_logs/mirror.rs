//! A file that grows with the log of one Pod.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use penstock_driver::{Driver, PodLog, PodLogError, PodStanding};
use penstock_spec::run::RunInfo;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{PodAttempt, trouble};

/// Time between two looks at what a Pod waits for.
const LOOK: Duration = Duration::from_secs(2);
/// Wait after a log could not be read; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
/// Where the doubling ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where the log comes from.
pub(super) struct Source {
    pub(super) driver: Driver,
    pub(super) run: RunInfo,
    pub(super) pod: PodAttempt,
}

/// A file that grows with the log of one Pod, until the log ends or this value goes.
#[derive(Debug)]
pub(crate) struct Mirror {
    task: JoinHandle<()>,
    waits: watch::Receiver<Option<String>>,
}

impl Mirror {
    /// Makes the file and begins.
    pub(super) fn start(source: Source, path: PathBuf) -> io::Result<Mirror> {
        let file = std::fs::File::create(&path)?;
        let (say, waits) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut copy = Copy { source, path, file: File::from_std(file), written: 0, say };
            copy.run().await;
        });
        Ok(Mirror { task, waits })
    }

    /// Whether nothing more will come.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Whether it has all of the log, as far as it knows.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_finished() && self.waits().is_none()
    }

    /// What it waits for, if not for the Pod to say something.
    pub(crate) fn waits(&self) -> Option<String> {
        self.waits.borrow().clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Copy {
    source: Source,
    path: PathBuf,
    file: File,
    written: u64,
    say: watch::Sender<Option<String>>,
}

/// Why copying stops before the log's end.
enum Cut {
    /// The container has not started, for this reason.
    Waits(String),
    /// Another try may go on.
    Log(PodLogError),
    /// The node has discarded what follows.
    Gap,
    /// The file cannot be written.
    File(io::Error),
}

impl From<PodLogError> for Cut {
    fn from(error: PodLogError) -> Cut {
        Cut::Log(error)
    }
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Cut {
        Cut::File(error)
    }
}

impl Copy {
    /// Copies until the log's end. Whoever mirrors the log gives up a while after the attempt's end.
    async fn run(&mut self) {
        let mut pause = PAUSE;
        loop {
            let before = self.written;
            let text = match self.copy().await {
                Ok(()) => return,
                Err(Cut::Waits(reason)) => reason,
                Err(Cut::Log(error)) => trouble(self.standing().await, &error),
                Err(Cut::Gap) => {
                    let text = "the node no longer has a part of its log; what is missing is printed at its end";
                    self.say.send_replace(Some(text.to_owned()));
                    return;
                }
                Err(Cut::File(error)) => {
                    self.say.send_replace(Some(format!("cannot write its log to {}: {error}", self.path.display())));
                    return;
                }
            };
            self.say.send_replace(Some(text));
            pause = if self.written > before { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn copy(&mut self) -> Result<(), Cut> {
        let mut log = self.open().await?;
        self.say.send_replace(None);
        let Some(first) = self.skip_known(&mut log).await? else { return Ok(()) };
        self.write(&first).await?;
        while let Some(piece) = log.next().await? {
            self.write(&piece).await?;
        }
        // Of a Pod without a node, the API server says that the log is empty.
        match self.written {
            0 => match self.standing().await? {
                PodStanding::Waits(reason) => Err(Cut::Waits(reason)),
                PodStanding::Started | PodStanding::Absent => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Opens the log, and says meanwhile what the Pod waits for.
    async fn open(&self) -> Result<PodLog, PodLogError> {
        let Source { driver, run, pod } = &self.source;
        let mut open = std::pin::pin!(driver.pod_log(run, &pod.key, &pod.attempt, true));
        loop {
            tokio::select! {
                opened = &mut open => return opened,
                () = tokio::time::sleep(LOOK) => {}
            }
            // Asked beside the log, which goes on waiting.
            let standing = tokio::select! {
                opened = &mut open => return opened,
                standing = self.standing() => standing,
            };
            if let Ok(PodStanding::Waits(reason)) = standing {
                self.say.send_replace(Some(reason));
            }
        }
    }

    async fn standing(&self) -> Result<PodStanding, PodLogError> {
        let Source { driver, run, pod } = &self.source;
        driver.pod_standing(run, &pod.key, &pod.attempt).await
    }

    /// Reads over what the file has already, and returns what follows in the same piece; nothing at the log's end.
    async fn skip_known(&self, log: &mut PodLog) -> Result<Option<Vec<u8>>, Cut> {
        if self.written == 0 {
            return Ok(Some(Vec::new()));
        }
        let mut known = File::open(&self.path).await?.take(self.written);
        while let Some(piece) = log.next().await? {
            match rest(&piece, &mut known).await? {
                Some([]) => {}
                Some(new) => return Ok(Some(new.to_vec())),
                None => return Err(Cut::Gap),
            }
        }
        Ok(None)
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), Cut> {
        self.file.write_all(piece).await?;
        // Whoever prints the file reads it while it is open here.
        self.file.flush().await?;
        self.written += piece.len() as u64;
        Ok(())
    }
}

/// The part of a piece that goes beyond what is known; nothing if it is not what is known.
async fn rest<'a>(piece: &'a [u8], known: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<&'a [u8]>> {
    let mut same = Vec::new();
    known.take(piece.len() as u64).read_to_end(&mut same).await?;
    Ok(piece.strip_prefix(same.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn log_that_is_read_anew_goes_on_behind_what_is_known() {
        let mut known = &b"one\ntwo\n"[..];
        assert_eq!(rest(b"one\n", &mut known).await.expect("memory"), Some(&b""[..]));
        assert_eq!(rest(b"two\nthree\n", &mut known).await.expect("memory"), Some(&b"three\n"[..]));
        assert_eq!(rest(b"four\n", &mut known).await.expect("memory"), Some(&b"four\n"[..]));
        let mut known = &b"one\ntwo\n"[..];
        assert_eq!(rest(b"three\n", &mut known).await.expect("memory"), None, "the node began a new log");
    }
}
