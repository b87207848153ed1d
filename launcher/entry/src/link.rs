//! The connection to the launcher: made again whenever it is lost, read and written by threads of its own, so that a
//! launcher that hangs never keeps a signal from the user's process.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::frame::{FrameDecoder, encode_frame};
use crate::open::open_for_launcher;
use crate::protocol::{EntryMessage, LauncherMessage, MAX_FRAME};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const READ_SIZE: usize = 64 << 10;

/// What becomes of the connection.
#[derive(Debug)]
pub enum LinkEvent {
    /// It cannot be made, and why.
    Unreachable(String),
    /// It stands; this is where to put what is to be said.
    Connected(Sender<Outgoing>),
    /// The launcher said something.
    Message(LauncherMessage),
    /// It is lost.
    Disconnected,
}

/// What the launcher is to be told.
#[derive(Debug)]
pub enum Outgoing {
    /// A message.
    Message(EntryMessage),
    /// The answer to a question for a file. The file is opened on the way: its file system may be slow.
    Open {
        /// Of the question.
        id: u64,
        /// What to open.
        path: String,
    },
}

/// Keeps a connection for as long as events are wanted.
pub fn spawn_link(socket: PathBuf, events: impl Fn(LinkEvent) -> bool + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("link".to_owned()).spawn(move || keep_connected(&socket, &events)).map(drop)
}

fn keep_connected(socket: &Path, events: &impl Fn(LinkEvent) -> bool) {
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        let goes_on = match UnixStream::connect(socket) {
            Ok(stream) => converse(&stream, events),
            Err(error) => events(LinkEvent::Unreachable(format!("cannot connect to {}: {error}", socket.display()))),
        };
        if !goes_on {
            return;
        }
        if since.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Speaks over one connection until it breaks. Says whether events are still wanted.
fn converse(stream: &UnixStream, events: &impl Fn(LinkEvent) -> bool) -> bool {
    let (sender, receiver) = channel();
    let writer = stream.try_clone().and_then(|stream| {
        thread::Builder::new().name("link-writer".to_owned()).spawn(move || write_messages(&stream, &receiver))
    });
    if let Err(error) = writer {
        return events(LinkEvent::Unreachable(format!("cannot write to the launcher: {error}")));
    }
    let goes_on = events(LinkEvent::Connected(sender)) && read_messages(stream, events);
    // The writer may be waiting for room; nobody will make any.
    let _ = stream.shutdown(Shutdown::Both);
    events(LinkEvent::Disconnected) && goes_on
}

fn read_messages(mut stream: &UnixStream, events: &impl Fn(LinkEvent) -> bool) -> bool {
    let mut decoder = FrameDecoder::new(MAX_FRAME);
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let size = match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return true,
        };
        decoder.feed(buffer.get(..size).unwrap_or_default());
        loop {
            let frame = match decoder.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return events(LinkEvent::Unreachable(error.to_string())),
            };
            match serde_json::from_slice(&frame) {
                Ok(message) => {
                    if !events(LinkEvent::Message(message)) {
                        return false;
                    }
                }
                Err(error) => {
                    return events(LinkEvent::Unreachable(format!("cannot read the launcher's message: {error}")));
                }
            }
        }
    }
}

fn write_messages(stream: &UnixStream, messages: &Receiver<Outgoing>) {
    while let Ok(message) = messages.recv() {
        let (message, descriptor) = match message {
            Outgoing::Message(message) => (message, None),
            Outgoing::Open { id, path } => match open_for_launcher(&path) {
                Ok(descriptor) => (EntryMessage::Opened { id, error: None }, Some(descriptor)),
                Err(error) => (EntryMessage::Opened { id, error: Some(error) }, None),
            },
        };
        let sent =
            encode_frame(&message).map_err(io::Error::other).and_then(|frame| send_frame(stream, &frame, descriptor));
        if sent.is_err() {
            // The reader sees the end, and a new connection begins with all there is to say.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Sends a frame; a descriptor goes with its first byte.
fn send_frame(stream: &UnixStream, frame: &[u8], descriptor: Option<OwnedFd>) -> io::Result<()> {
    let mut rest = frame;
    let mut descriptor = descriptor;
    while !rest.is_empty() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.as_ref().map(|descriptor| [descriptor.as_fd()]);
        if let Some(descriptors) = &descriptors
            && !control.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::Error::other("no room for a descriptor"));
        }
        match sendmsg(stream, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL) {
            Ok(size) => {
                descriptor = None;
                rest = rest.get(size..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
