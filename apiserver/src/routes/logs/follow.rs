//! A log while it is being written.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use penstock_spec::log_times::{LogPiece, Stamps};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Attempt, Wanted};
use crate::api::Api;
use crate::changes::{OTHERS, RunChanges};
use crate::error::ApiError;
use crate::live_logs::{LiveLog, LogReader};
use crate::stored::StoredObject;

/// How long something may have been written before it is sent.
const LOOK: Duration = Duration::from_millis(200);
/// Longest wait for what is still on its way when the attempt has ended and no stored log goes on with what was sent.
const SETTLE: Duration = Duration::from_secs(5);
/// Bytes by which two logs are taken for the same.
const COMPARED: usize = 4096;

/// What is there of a log by now.
pub(super) fn to_its_end(
    reader: Box<dyn LogReader>,
    stamps: Option<Stamps>,
    room: OwnedSemaphorePermit,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((reader, stamps, room), |(mut reader, mut stamps, room)| async move {
        Ok(reader.next().await?.map(|piece| (sent(piece, &mut stamps), (reader, stamps, room))))
    })
}

/// A piece of a log as it is sent.
pub(super) fn sent(piece: LogPiece, stamps: &mut Option<Stamps>) -> Bytes {
    match stamps {
        Some(stamps) => stamps.put(&piece).into(),
        None => piece.bytes.into(),
    }
}

/// Reads until something is there, or the end; nothing if there may be news of the run first, or its time is over.
async fn hear(
    reader: &mut dyn LogReader,
    changes: &mut RunChanges,
    until: Option<Instant>,
) -> Option<io::Result<Option<LogPiece>>> {
    let news = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => changes.changed().await,
        }
    };
    tokio::select! {
        biased;
        read = reader.next() => Some(read),
        () = news => None,
    }
}

/// Where the next bytes come from.
enum Source {
    /// It has not written anything yet.
    Nowhere,
    /// Where it is being written.
    Live(Box<dyn LogReader>),
    /// It was being read there, and cannot any more.
    Broken(io::Error),
    /// The object store.
    Stored(BoxStream<'static, io::Result<LogPiece>>),
}

/// What was sent so far.
#[derive(Debug, Default)]
struct Sent {
    length: u64,
    /// The last of it.
    tail: Vec<u8>,
}

impl Sent {
    fn add(&mut self, chunk: &[u8]) {
        self.length += chunk.len() as u64;
        self.tail.extend_from_slice(chunk);
        self.tail.drain(..self.tail.len().saturating_sub(COMPARED));
    }

    /// Whether an object begins with it, as far as the last of it tells: what was stored of a long log may be its end.
    async fn is_beginning_of(&self, object: &StoredObject) -> Result<bool, ApiError> {
        let start = self.length.saturating_sub(self.tail.len() as u64);
        Ok(self.length <= object.meta.size && object.part(start..self.length).await? == self.tail)
    }
}

/// A log that is sent until its attempt has ended.
pub(super) struct Follow {
    api: Api,
    attempt: Attempt,
    source: Source,
    sent: Sent,
    /// If the log is wanted with its times.
    stamps: Option<Stamps>,
    changes: RunChanges,
    /// When the attempt was seen to have ended.
    ended: Option<Instant>,
    looked_at: Instant,
    /// Given to the reading of the stored log, or kept until the end.
    room: Option<OwnedSemaphorePermit>,
}

impl Follow {
    /// Begins with an attempt that was under way a moment ago.
    pub(super) async fn begin(
        api: &Api,
        attempt: Attempt,
        with_times: bool,
        room: OwnedSemaphorePermit,
    ) -> Result<Follow, ApiError> {
        let mut follow = Follow {
            changes: RunChanges::listen(api.metastore(), attempt.run.info.id),
            api: api.clone(),
            attempt,
            source: Source::Nowhere,
            sent: Sent::default(),
            stamps: with_times.then(Stamps::default),
            ended: None,
            looked_at: Instant::now(),
            room: Some(room),
        };
        follow.open().await?;
        follow.look().await?;
        Ok(follow)
    }

    /// The log, chunk by chunk. A failure ends it visibly: the connection breaks.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::try_unfold(self, |mut follow| async move {
            Ok(follow.next().await?.map(|piece| (sent(piece, &mut follow.stamps), follow)))
        })
    }

    async fn open(&mut self) -> Result<(), ApiError> {
        let wanted = Wanted { follow: true, with_times: self.stamps.is_some() };
        if let LiveLog::Here(reader) = self.attempt.live(&self.api, wanted).await? {
            self.source = Source::Live(reader);
        }
        Ok(())
    }

    /// Looks whether the attempt has ended. Its log was stored before that is known, so it is read on from there.
    async fn look(&mut self) -> Result<(), ApiError> {
        let task = self.api.metastore().task(self.attempt.run.info.id, &self.attempt.path).await?;
        self.looked_at = Instant::now();
        if task.is_some_and(|task| self.attempt.is_under_way(&task)) {
            return Ok(());
        }
        self.ended.get_or_insert(self.looked_at);
        match (self.read_stored().await, &self.source) {
            // What was written may still be read where it was.
            (Err(error), Source::Live(_)) => {
                tracing::debug!(%error, "a log that is followed is not read on from the object store");
                Ok(())
            }
            (result, _) => result,
        }
    }

    /// Goes on with the stored log behind what was sent, if there is one that does.
    async fn read_stored(&mut self) -> Result<(), ApiError> {
        if let Some(object) = self.attempt.stored(&self.api).await?
            && self.sent.is_beginning_of(&object).await?
            && let Some(room) = self.room.take()
        {
            let with_times = self.stamps.is_some();
            self.source =
                Source::Stored(self.attempt.pieces(&self.api, &object, self.sent.length, with_times, room).await?);
        }
        Ok(())
    }

    async fn next(&mut self) -> io::Result<Option<LogPiece>> {
        loop {
            let settled = self.ended.map(|ended| ended + SETTLE);
            match &mut self.source {
                Source::Stored(chunks) => return chunks.next().await.transpose(),
                Source::Nowhere if settled.is_some() => return Ok(None),
                Source::Broken(error) if settled.is_some() => return Err(io::Error::other(error.to_string())),
                Source::Nowhere | Source::Broken(_) => {}
                Source::Live(reader) => match hear(reader.as_mut(), &mut self.changes, settled).await {
                    Some(Ok(Some(piece))) => {
                        self.sent.add(&piece.bytes);
                        return Ok(Some(piece));
                    }
                    None | Some(Ok(None)) if settled.is_some() => return Ok(None),
                    None => {
                        self.look().await.map_err(io::Error::other)?;
                        continue;
                    }
                    Some(Ok(None)) => {}
                    Some(Err(error)) => self.source = Source::Broken(error),
                },
            }
            if self.ended.is_none() {
                self.wait().await.map_err(io::Error::other)?;
            }
        }
    }

    /// Waits until there may be more.
    async fn wait(&mut self) -> Result<(), ApiError> {
        let is_news = tokio::select! {
            () = self.changes.changed() => true,
            () = sleep(LOOK) => false,
        };
        if matches!(self.source, Source::Nowhere) {
            self.open().await?;
        }
        if is_news || self.looked_at.elapsed() >= OTHERS {
            self.look().await?;
        }
        Ok(())
    }
}
