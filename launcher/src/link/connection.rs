//! Frames over one connection, and the descriptors that come with them.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use penstock_entry::frame::{FrameDecoder, FrameError, encode_frame};
use penstock_entry::protocol::{EntryMessage, LauncherMessage};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::LinkError;

const READ_SIZE: usize = 16 << 10;
/// How long a frame may take from its first byte to its last.
const FRAME_LIMIT: Duration = Duration::from_secs(30);
/// How long the entry may take to take in a message.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// Descriptors that may wait for their frames. One question is asked at a time.
const MAX_DESCRIPTORS: usize = 4;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    decoder: FrameDecoder,
    buffer: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    /// When the frame must be whole that has begun to arrive.
    whole_until: Option<Instant>,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, limit: usize) -> Connection {
        Connection {
            stream,
            decoder: FrameDecoder::new(limit),
            buffer: vec![0; READ_SIZE],
            descriptors: VecDeque::new(),
            whole_until: None,
        }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
    }

    pub(super) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    pub(super) async fn send(&mut self, message: &LauncherMessage) -> Result<(), LinkError> {
        let frame = encode_frame(message)?;
        let sent = timeout(SEND_LIMIT, self.stream.write_all(&frame)).await;
        let slow = |_| LinkError::Slow { operation: "take in a message", limit: SEND_LIMIT };
        sent.map_err(slow)?.map_err(|source| match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LinkError::Closed,
            _ => LinkError::Io { operation: "write to", source },
        })
    }

    pub(super) async fn message(&mut self) -> Result<EntryMessage, LinkError> {
        let frame = self.frame().await?;
        serde_json::from_slice(&frame).map_err(LinkError::Message)
    }

    /// The next frame. May be dropped and called again. Where a frame is too large, it may be asked for again with a
    /// higher limit.
    async fn frame(&mut self) -> Result<Vec<u8>, LinkError> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    self.whole_until = None;
                    return Ok(frame);
                }
                Ok(None) => self.read().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn read(&mut self) -> Result<(), LinkError> {
        if self.decoder.is_partial() {
            let until = *self.whole_until.get_or_insert_with(|| Instant::now() + FRAME_LIMIT);
            let slow = |_| LinkError::Slow { operation: "send a whole message", limit: FRAME_LIMIT };
            return timeout_at(until, self.read_some()).await.map_err(slow)?;
        }
        self.read_some().await
    }

    async fn read_some(&mut self) -> Result<(), LinkError> {
        let Connection { stream, buffer, .. } = self;
        let received = stream.async_io(Interest::READABLE, || receive(stream, buffer)).await;
        let (size, descriptor) = received.map_err(|source| match source.kind() {
            io::ErrorKind::ConnectionReset => LinkError::Closed,
            _ => LinkError::Io { operation: "read from", source },
        })?;
        if size == 0 {
            return Err(LinkError::Closed);
        }
        if let Some(descriptor) = descriptor {
            if self.descriptors.len() == MAX_DESCRIPTORS {
                return Err(LinkError::Unexpected("descriptors that nobody asked for"));
            }
            self.descriptors.push_back(descriptor);
        }
        self.decoder.feed(self.buffer.get(..size).unwrap_or_default());
        Ok(())
    }

    /// Whether an error means that the frame is whole but for its size.
    pub(super) fn is_too_large(error: &LinkError) -> bool {
        matches!(error, LinkError::Frame(FrameError::TooLarge { .. }))
    }
}

/// Reads once. There is room for one descriptor; the kernel closes any more.
fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(stream, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)?;
    let mut descriptor = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            descriptor = descriptors.last();
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more than one descriptor at once"));
    }
    Ok((received.bytes, descriptor))
}
