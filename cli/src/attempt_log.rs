//! The log of an attempt: a local file while it runs, an object afterwards.

mod noise;

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Context as _;
use futures::StreamExt;
use penstock_driver::attempt_log;
use penstock_engine::{NodeId, RunState};
use penstock_objectstore::ObjectStore;
use penstock_spec::log_times::{MOST_BYTES, index_path, index_uri};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::context::Context;
use crate::log_printer::LogPrinter;
use crate::text::{inert, last_overwrite};
use noise::without_noise;

/// Bytes at the end of a log in which its last lines are looked for.
const TAIL_BYTES: u64 = 64 * 1024;

/// Bytes before an offset by which two logs are taken for the same.
const COMPARED_BYTES: u64 = 4096;

/// Where the log of one attempt may be.
#[derive(Debug, Clone)]
pub(crate) struct AttemptLog {
    /// While the attempt runs, and as long as the file is kept.
    pub(crate) local: PathBuf,
    /// Once it was stored.
    pub(crate) stored: Option<String>,
}

impl AttemptLog {
    /// Of an attempt, from 0, whose log was perhaps stored under a URI.
    pub(crate) fn new(
        context: &Context,
        state: &RunState,
        node: NodeId,
        attempt: u32,
        stored: Option<&str>,
    ) -> Option<AttemptLog> {
        let run = state.info()?.id;
        let local = attempt_log(&context.data_dir, run, state.task_id(node)?, attempt);
        Some(AttemptLog { local, stored: stored.map(str::to_owned) })
    }

    /// Whether the stored log goes on where the first `offset` bytes of the local one end, as far as the last of them
    /// tell: a node keeps only the end of a long log, and so may the launcher.
    pub(crate) async fn goes_on_from(&self, context: &Context, offset: u64) -> anyhow::Result<bool> {
        let Some(uri) = &self.stored else { return Ok(false) };
        let (store, key) = context.stores()?.open(uri)?;
        let Some(object) = store.head(&key).await? else { return Ok(false) };
        let start = offset.saturating_sub(COMPARED_BYTES);
        if start == offset || object.size < offset {
            return Ok(start == offset);
        }
        let mut known = vec![0; usize::try_from(offset - start)?];
        let mut file = tokio::fs::File::open(&self.local).await?;
        file.seek(SeekFrom::Start(start)).await?;
        file.read_exact(&mut known).await?;
        Ok(part(&*store, &key, start..offset).await? == known)
    }

    /// The last lines, made inert. `None` if there is no log.
    pub(crate) async fn last_lines(&self, context: &Context, count: usize) -> anyhow::Result<Option<Vec<String>>> {
        let Some(bytes) = self.tail(context).await? else { return Ok(None) };
        Ok(Some(last_lines(&bytes, count)))
    }

    async fn tail(&self, context: &Context) -> anyhow::Result<Option<Vec<u8>>> {
        match self.local_tail().await {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read the log {}", self.local.display())),
        }
        let Some(uri) = &self.stored else { return Ok(None) };
        let (store, key) = context.stores()?.open(uri)?;
        let Some(object) = store.head(&key).await? else { return Ok(None) };
        if object.size == 0 {
            return Ok(Some(Vec::new()));
        }
        Ok(Some(part(&*store, &key, object.size.saturating_sub(TAIL_BYTES)..object.size).await?))
    }

    async fn local_tail(&self) -> io::Result<Vec<u8>> {
        let mut file = tokio::fs::File::open(&self.local).await?;
        let size = file.metadata().await?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES))).await?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    /// Prints the stored log without its first `offset` bytes; false if there is none.
    pub(crate) async fn copy_stored(
        &self,
        context: &Context,
        offset: u64,
        printer: &mut LogPrinter,
    ) -> anyhow::Result<bool> {
        let Some(uri) = &self.stored else { return Ok(false) };
        let (store, key) = context.stores()?.open(uri)?;
        let Some(object) = store.head(&key).await? else { return Ok(false) };
        if object.size <= offset {
            return Ok(true);
        }
        if printer.wants_times() {
            let index = index(context, &index_uri(uri)).await?;
            printer.learn(&String::from_utf8_lossy(&index), false);
        }
        let mut body = store.get(&key, Some(offset..object.size)).await?;
        let mut sink = printer.sink();
        while let Some(chunk) = body.stream.next().await {
            sink.write_all(&chunk?).await?;
        }
        Ok(true)
    }

    /// Tells a printer the times of the local file, if it asks for them. `is_growing`: whether the file is being written.
    pub(crate) async fn tell_local_times(&self, printer: &mut LogPrinter, is_growing: bool) -> io::Result<()> {
        if !printer.wants_times() {
            return Ok(());
        }
        let mut index = Vec::new();
        match tokio::fs::File::open(index_path(&self.local)).await {
            Ok(file) => {
                file.take(MOST_BYTES).read_to_end(&mut index).await?;
                printer.learn(&String::from_utf8_lossy(&index), is_growing);
            }
            // A launcher of before times were kept.
            Err(error) if error.kind() == io::ErrorKind::NotFound => printer.learn("", false),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// An index of times; nothing where there is none, or none that a launcher made.
async fn index(context: &Context, uri: &str) -> anyhow::Result<Vec<u8>> {
    let (store, key) = context.stores()?.open(uri)?;
    match store.head(&key).await?.filter(|object| (1..=MOST_BYTES).contains(&object.size)) {
        Some(object) => part(&*store, &key, 0..object.size).await,
        None => Ok(Vec::new()),
    }
}

/// A part of an object that is small.
async fn part(store: &dyn ObjectStore, key: &str, range: Range<u64>) -> anyhow::Result<Vec<u8>> {
    let mut body = store.get(key, Some(range)).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// The last lines of a text whose beginning may be cut off, without those that say nothing of what the user does.
pub(crate) fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.trim_end().lines().map(last_overwrite).collect();
    let lines = without_noise(&lines);
    let skipped = lines.len().saturating_sub(count);
    lines.into_iter().skip(skipped).map(inert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i32_last_lines_are_few_and_inert() {
        let log = b"one\ntwo\nthree \x1b[2J\n10%\r100%\n\xff\n\n";
        assert_eq!(last_lines(log, 3), ["three \\u{1b}[2J", "100%", "\u{fffd}"]);
        assert_eq!(last_lines(b"", 3), Vec::<String>::new());
    }

    #[test]
    fn noise_takes_no_place_from_the_last_lines() {
        let log = b"one\ntwo\n\n[notice] A new release of pip available: 22.3 -> 26.1\n[notice] To update, run: pip";
        assert_eq!(last_lines(log, 2), ["one", "two"]);
    }
}
