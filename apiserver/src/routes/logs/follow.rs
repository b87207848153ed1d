//! A log while it is being written.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use tokio::io::AsyncReadExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::Attempt;
use crate::api::Api;
use crate::changes::{OTHERS, RunChanges};
use crate::error::ApiError;
use crate::live_logs::LogReader;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// How long something may have been written before it is sent.
const LOOK: Duration = Duration::from_millis(200);

/// What is there of a log by now.
pub(super) fn to_its_end(
    reader: LogReader,
    room: OwnedSemaphorePermit,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((reader, room), |(mut reader, room)| async move {
        Ok(read(&mut reader).await?.map(|chunk| (chunk, (reader, room))))
    })
}

async fn read(reader: &mut LogReader) -> io::Result<Option<Bytes>> {
    let mut chunk = BytesMut::with_capacity(CHUNK);
    reader.read_buf(&mut chunk).await?;
    Ok(Some(chunk.freeze()).filter(|chunk| !chunk.is_empty()))
}

/// Where the next bytes come from.
enum Source {
    /// It has not written anything yet.
    Nowhere,
    /// Where it is being written.
    Live(LogReader),
    /// The object store.
    Stored(BoxStream<'static, io::Result<Bytes>>),
}

/// A log that is sent until its attempt has ended.
pub(super) struct Follow {
    api: Api,
    attempt: Attempt,
    source: Source,
    changes: RunChanges,
    has_ended: bool,
    looked_at: Instant,
    /// Given to the reading of the stored log, or kept until the end.
    room: Option<OwnedSemaphorePermit>,
}

impl Follow {
    /// Begins with an attempt that was under way a moment ago.
    pub(super) async fn begin(api: &Api, attempt: Attempt, room: OwnedSemaphorePermit) -> Result<Follow, ApiError> {
        let mut follow = Follow {
            changes: RunChanges::listen(api.metastore(), attempt.run),
            api: api.clone(),
            attempt,
            source: Source::Nowhere,
            has_ended: false,
            looked_at: Instant::now(),
            room: Some(room),
        };
        follow.open().await?;
        follow.look().await?;
        Ok(follow)
    }

    /// The log, chunk by chunk. A failure ends it visibly: the connection breaks.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::try_unfold(self, |mut follow| async move { Ok(follow.next().await?.map(|chunk| (chunk, follow))) })
    }

    async fn open(&mut self) -> Result<(), ApiError> {
        if let Some(reader) = self.attempt.live(&self.api).await? {
            self.source = Source::Live(reader);
        }
        Ok(())
    }

    /// Looks whether the attempt has ended.
    async fn look(&mut self) -> Result<(), ApiError> {
        let task = self.api.metastore().task(self.attempt.run, &self.attempt.path).await?;
        self.has_ended = !task.is_some_and(|task| self.attempt.is_under_way(&task));
        self.looked_at = Instant::now();
        Ok(())
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let chunk = match &mut self.source {
                Source::Nowhere => None,
                Source::Live(reader) => read(reader).await?,
                Source::Stored(chunks) => return chunks.next().await.transpose(),
            };
            if let Some(chunk) = chunk {
                return Ok(Some(chunk));
            }
            if !self.has_ended {
                self.wait().await.map_err(io::Error::other)?;
                continue;
            }
            // What was written is written before the end of an attempt is known.
            if matches!(self.source, Source::Live(_)) {
                return Ok(None);
            }
            match self.stored().await.map_err(io::Error::other)? {
                Some(chunks) => self.source = Source::Stored(chunks),
                None => return Ok(None),
            }
        }
    }

    /// Waits until there may be more.
    async fn wait(&mut self) -> Result<(), ApiError> {
        let is_open = matches!(self.source, Source::Live(_));
        let is_news = tokio::select! {
            () = self.changes.changed() => true,
            () = sleep(LOOK) => false,
        };
        if !is_open {
            self.open().await?;
        }
        if is_news || self.looked_at.elapsed() >= OTHERS {
            self.look().await?;
        }
        Ok(())
    }

    /// All of it, of an attempt that wrote nothing where this server could see it.
    async fn stored(&mut self) -> Result<Option<BoxStream<'static, io::Result<Bytes>>>, ApiError> {
        let (Some(object), Some(room)) = (self.attempt.stored(&self.api).await?, self.room.take()) else {
            return Ok(None);
        };
        Ok(Some(object.read(0..object.meta.size, room).await?.boxed()))
    }
}
