//! A file that grows with the log of one Pod.

use std::io;
use std::path::PathBuf;

use penstock_driver::{FollowedLog, LogNews};
use penstock_spec::log_times::{LogTimes, index_path};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A file that grows with the log of one Pod, and beside it one with its times, until the log ends or this value goes.
#[derive(Debug)]
pub(crate) struct Mirror {
    task: JoinHandle<()>,
    waits: watch::Receiver<Option<String>>,
}

impl Mirror {
    /// Makes the file and begins.
    pub(super) fn start(log: FollowedLog, path: PathBuf) -> io::Result<Mirror> {
        let file = File::from_std(std::fs::File::create(&path)?);
        let index = File::from_std(std::fs::File::create(index_path(&path))?);
        let (say, waits) = watch::channel(None);
        let task = tokio::spawn(async move {
            if let Err(error) = copy(log, (file, index), &say).await {
                say.send_replace(Some(format!("cannot write its log to {}: {error}", path.display())));
            }
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

/// Copies until the log's end. Whoever mirrors the log gives up a while after the attempt's end.
async fn copy(
    mut log: FollowedLog,
    (mut file, mut index): (File, File),
    say: &watch::Sender<Option<String>>,
) -> io::Result<()> {
    let mut times = LogTimes::default();
    let mut length = 0;
    while let Some(news) = log.next().await {
        match news {
            LogNews::Piece(piece) => {
                // Before what they are of.
                for (until, at) in piece.times.iter().filter_map(|(until, at)| Some((*until, (*at)?))) {
                    if let Some(line) = times.note(length + until as u64, at) {
                        index.write_all(line.as_bytes()).await?;
                    }
                }
                index.flush().await?;
                length += piece.bytes.len() as u64;
                file.write_all(&piece.bytes).await?;
                // Whoever prints the file reads it while it is open here.
                file.flush().await?;
            }
            LogNews::Waits(reason) => drop(say.send_replace(Some(reason))),
            LogNews::Reads => drop(say.send_replace(None)),
            LogNews::Gap => {
                let text = "the node no longer has a part of its log; what is missing is printed at its end";
                say.send_replace(Some(text.to_owned()));
            }
        }
    }
    Ok(())
}
