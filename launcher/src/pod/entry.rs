//! The sidecar's end of the conversation with the entry: one task holds the connection, tells what the entry says as
//! [`EntryEvent`]s, and sends what it is given. When the connection breaks it waits for the next.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use penstock_entry::protocol::{EntryMessage, EntryState, LauncherMessage, OpenError, ProcessEnd};
use penstock_objectstore::Opener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longest wait for an answer of the entry's, and for room to send.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
/// Wait after a connection could not be accepted at all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Messages that wait to be sent.
const QUEUE: usize = 64;

/// Where the entry connects.
#[async_trait]
pub trait EntryPort: Send + 'static {
    /// Waits for the entry. With `nonce` for the very entry that was given it.
    async fn accept(&mut self, nonce: Option<&str>) -> io::Result<(Box<dyn EntryConnection>, Greeting)>;
}

/// A connection of the entry's.
#[async_trait]
pub trait EntryConnection: Send {
    /// Sends a message.
    async fn send(&mut self, message: &LauncherMessage) -> io::Result<()>;

    /// Waits for a message. Dropping the future loses none.
    async fn next(&mut self) -> io::Result<EntryMessage>;

    /// Has a path opened in the user's container.
    async fn open(&mut self, path: &str) -> io::Result<Result<OwnedFd, OpenError>>;
}

/// What the entry says when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The nonce it was given earlier.
    pub nonce: Option<String>,
    /// Argv of its container.
    pub argv: Vec<String>,
    /// Where it stands.
    pub state: EntryState,
}

/// What is heard of the entry.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryEvent {
    /// It is there.
    Connected {
        /// What it will show when it comes again.
        nonce: String,
        /// Argv of its container.
        argv: Vec<String>,
        /// Where it stands.
        state: EntryState,
    },
    /// The user's process runs.
    Started,
    /// It has ended.
    Exited(ProcessEnd),
    /// The Pod is being ended.
    Terminating,
    /// The connection broke.
    Lost,
}

enum Command {
    Send(LauncherMessage),
    Open { path: String, answer: oneshot::Sender<io::Result<OwnedFd>> },
}

/// Speaks to the entry. Clones speak to the same.
#[derive(Clone)]
pub struct EntryHandle {
    commands: mpsc::Sender<Command>,
}

impl fmt::Debug for EntryHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EntryHandle").finish_non_exhaustive()
    }
}

impl EntryHandle {
    /// Sends a message, if the entry is there: whoever connects later says where it stands, and is answered by that.
    pub async fn send(&self, message: LauncherMessage) {
        // The other end only goes away with the runtime.
        let _ = self.commands.send(Command::Send(message)).await;
    }
}

impl Opener for EntryHandle {
    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the user's container is not there");
        let text = path.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"))?;
        let (answer, opened) = oneshot::channel();
        let command = Command::Open { path: text.to_owned(), answer };
        self.commands.blocking_send(command).map_err(|_| gone())?;
        opened.blocking_recv().map_err(|_| gone())?
    }
}

/// Starts the conversation. `known` is the nonce of an entry that an earlier sidecar told to start. With `one` only that
/// entry, or the first that is told to start, is spoken to from then on; otherwise each new one, as of a container that
/// is started again.
pub fn converse(
    port: impl EntryPort,
    known: Option<String>,
    one: bool,
) -> (EntryHandle, mpsc::Receiver<EntryEvent>, JoinHandle<()>) {
    let (commands, queue) = mpsc::channel(QUEUE);
    let (events, heard) = mpsc::channel(QUEUE);
    let conversation = Conversation { queue, events, expected: known, one };
    (EntryHandle { commands }, heard, tokio::spawn(conversation.run(port)))
}

struct Conversation {
    queue: mpsc::Receiver<Command>,
    events: mpsc::Sender<EntryEvent>,
    /// Nonce of the entry that was told to start. Before that, an entry may have missed its nonce and come without.
    expected: Option<String>,
    one: bool,
}

impl Conversation {
    async fn run(mut self, mut port: impl EntryPort) {
        loop {
            let expected = self.expected.clone().filter(|_| self.one);
            let accepted = tokio::select! {
                accepted = port.accept(expected.as_deref()) => accepted,
                command = self.queue.recv() => match command {
                    // Accepting begins anew; a connection that was half way through says its hello again.
                    Some(command) => {
                        refuse(command);
                        continue;
                    }
                    None => return,
                },
            };
            let ended = match accepted {
                Ok((mut connection, greeting)) => self.hold(connection.as_mut(), greeting).await,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept the connection of the user's container");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if let Err(error) = ended {
                tracing::info!(%error, "the connection of the user's container ended");
            }
            if self.events.send(EntryEvent::Lost).await.is_err() {
                return;
            }
        }
    }

    async fn hold(&mut self, connection: &mut dyn EntryConnection, greeting: Greeting) -> io::Result<()> {
        let Greeting { nonce, argv, state } = greeting;
        let nonce = match nonce {
            Some(nonce) => nonce,
            None => {
                let nonce = Uuid::new_v4().simple().to_string();
                within(connection.send(&LauncherMessage::Welcome { nonce: nonce.clone() })).await?;
                nonce
            }
        };
        self.tell(EntryEvent::Connected { nonce: nonce.clone(), argv, state }).await?;
        loop {
            tokio::select! {
                message = connection.next() => match message? {
                    EntryMessage::Started => self.tell(EntryEvent::Started).await?,
                    EntryMessage::Exited(end) => self.tell(EntryEvent::Exited(end)).await?,
                    EntryMessage::Terminating => self.tell(EntryEvent::Terminating).await?,
                    EntryMessage::Hello { .. } | EntryMessage::Opened { .. } => {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message out of turn"));
                    }
                },
                command = self.queue.recv() => match command {
                    Some(Command::Send(message)) => {
                        if matches!(message, LauncherMessage::Start { .. }) {
                            self.expected = Some(nonce.clone());
                        }
                        within(connection.send(&message)).await?;
                    }
                    Some(Command::Open { path, answer }) => {
                        let opened = within(connection.open(&path)).await;
                        let broken = opened.as_ref().err().map(|error| io::Error::new(error.kind(), error.to_string()));
                        let _ = answer.send(opened.and_then(|opened| opened.map_err(refusal)));
                        if let Some(broken) = broken {
                            return Err(broken);
                        }
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    async fn tell(&self, event: EntryEvent) -> io::Result<()> {
        self.events.send(event).await.map_err(|_| io::Error::other("nobody listens any more"))
    }
}

fn refuse(command: Command) {
    if let Command::Open { answer, .. } = command {
        let gone = io::Error::new(io::ErrorKind::NotConnected, "the user's container is not there");
        let _ = answer.send(Err(gone));
    }
}

/// The entry's refusal, as if this process had been refused.
fn refusal(error: OpenError) -> io::Error {
    match error.code {
        0 => io::Error::other(error.message),
        code => io::Error::from_raw_os_error(code),
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(ANSWER_LIMIT, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the user's container did not answer in time")),
    }
}
