//! `penstock logs -f`: reads on in the files of running attempts until their tasks have ended.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom};

use penstock_engine::{NodeId, NodeKind, RunState};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::abandoned::DriverWatch;
use crate::attempt_log::AttemptLog;
use crate::context::Context;
use crate::failure::Refusal;
use crate::feed::Feed;
use crate::log_printer::LogPrinter;
use crate::progress::Stream;
use crate::selection::select;
use crate::text::inert;

/// Bytes read from one file before the next has its turn.
const TURN: u64 = 256 * 1024;

/// How far the log of an attempt was printed.
struct Cursor {
    log: AttemptLog,
    offset: u64,
    printer: LogPrinter,
}

/// Prints what the tasks meant print, until the run has ended.
pub(super) async fn follow(context: &Context, mut feed: Feed, task: Option<&str>) -> anyhow::Result<()> {
    let mut cursors: BTreeMap<(NodeId, u32), Cursor> = BTreeMap::new();
    let mut finished = std::collections::BTreeSet::new();
    let mut announced = false;
    let mut driver = DriverWatch::new(context, feed.run());
    loop {
        feed.catch_up(|_, _| {}).await?;
        let state = feed.state();
        let ended = state.status().is_final();
        if !ended {
            driver.check()?;
        }
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
            let Some(attempt) = view.attempt else { continue };
            if finished.contains(&(id, attempt)) {
                continue;
            }
            let over = view.status.is_final() || view.retry_at.is_some();
            let path = inert(&state.path(id));
            let cursor = match cursors.entry((id, attempt)) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let Some(log) = AttemptLog::new(context, state, id, attempt, None) else { continue };
                    let printer = LogPrinter::new(several.then_some(path));
                    entry.insert(Cursor { log, offset: 0, printer })
                }
            };
            cursor.log.stored = view.log_uri().map(str::to_owned);
            read_on(context, cursor, over).await?;
            if over {
                cursors.remove(&(id, attempt));
                finished.insert((id, attempt));
            }
        }
        if ended || !at_work {
            return Ok(());
        }
        if cursors.is_empty() && finished.is_empty() && !announced {
            Stream::Err.print("waiting for a task to start\n");
            announced = true;
        }
        feed.tick().await;
    }
}

fn chosen(state: &RunState, task: Option<&str>) -> Result<Vec<NodeId>, Refusal> {
    let all = match task {
        Some(task) => select(state, task)?,
        None => crate::tree::order(state),
    };
    let runs = |id: &NodeId| state.node(*id).is_some_and(|view| view.kind == NodeKind::Container);
    Ok(all.into_iter().filter(runs).collect())
}

/// Prints what is new from the store: the file goes once the attempt has succeeded.
async fn read_rest(context: &Context, cursor: &mut Cursor) -> anyhow::Result<()> {
    let mut sink = cursor.printer.sink();
    cursor.log.copy_stored(context, cursor.offset, &mut sink).await?;
    Ok(sink.shutdown().await?)
}

/// Prints what is new; all of it when the attempt is over.
async fn read_on(context: &Context, cursor: &mut Cursor, over: bool) -> anyhow::Result<()> {
    let mut file = match tokio::fs::File::open(&cursor.log.local).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if over {
                read_rest(context, cursor).await?;
            }
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    file.seek(SeekFrom::Start(cursor.offset)).await?;
    let mut turn = file.take(if over { u64::MAX } else { TURN });
    let mut buffer = vec![0; 64 * 1024];
    let mut sink = cursor.printer.sink();
    loop {
        let count = turn.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        cursor.offset += count as u64;
        sink.write_all(buffer.get(..count).unwrap_or_default()).await?;
    }
    let flushed = if over { sink.shutdown().await } else { sink.flush().await };
    Ok(flushed?)
}
