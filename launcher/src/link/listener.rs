//! Waits for the entry among all who may connect.

use std::fs::{Permissions, remove_file, rename, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use penstock_entry::protocol::{EntryMessage, MAX_ANSWER, MAX_FRAME, PROTOCOL_VERSION};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::connection::Connection;
use super::{EntryLink, Hello, LinkError};

/// How long a new connection may take to say who it is.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// Connections that may be about to say who they are. The entry does so at once.
const MAX_PENDING: usize = 32;
/// Before the next try where the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Handshake = Result<(Connection, u32, Hello), LinkError>;

/// The socket at which the entry connects.
#[derive(Debug)]
pub struct EntryListener {
    listener: UnixListener,
    pending: JoinSet<Handshake>,
    /// Leave to send a hello of more than [`MAX_ANSWER`] bytes: one at a time, so that strangers cannot fill the memory.
    large: Arc<Semaphore>,
}

impl EntryListener {
    /// Listens at a path, in place of whoever listened there before. Any UID may connect.
    pub fn bind(path: &Path) -> io::Result<EntryListener> {
        // Nobody finds the socket before it is open to all.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = Path::new(&fresh);
        match remove_file(fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(fresh)?;
        set_permissions(fresh, Permissions::from_mode(0o777))?;
        rename(fresh, path)?;
        Ok(EntryListener { listener, pending: JoinSet::new(), large: Arc::new(Semaphore::new(1)) })
    }

    /// Waits for the entry. It must show `expected_nonce` if there is one. Who does not is turned away, and keeps nobody
    /// from being heard. May be dropped and called again.
    pub async fn accept(&mut self, expected_nonce: Option<&str>) -> Result<(EntryLink, Hello), LinkError> {
        loop {
            let room = self.pending.len() < MAX_PENDING;
            tokio::select! {
                accepted = self.listener.accept(), if room => match accepted {
                    Ok((stream, _)) => {
                        self.pending.spawn(shake_hands(stream, self.large.clone()));
                    }
                    Err(error) if is_passing(&error) => {
                        warn!(error = &error as &dyn std::error::Error, "cannot take a connection to the entry, trying again");
                        sleep(ACCEPT_PAUSE).await;
                    }
                    Err(error) => return Err(LinkError::io("accept a connection of")(error)),
                },
                Some(done) = self.pending.join_next() => {
                    let judged = match done {
                        Ok(handshake) => handshake.and_then(|handshake| judge(handshake, expected_nonce)),
                        Err(error) => Err(LinkError::io("speak with")(io::Error::other(error))),
                    };
                    match judged {
                        Ok(found) => return Ok(found),
                        Err(error @ LinkError::Version { .. }) => return Err(error),
                        Err(error) => debug!(error = &error as &dyn std::error::Error, "turned a connection away"),
                    }
                }
            }
        }
    }
}

fn judge(
    (connection, version, hello): (Connection, u32, Hello),
    expected_nonce: Option<&str>,
) -> Result<(EntryLink, Hello), LinkError> {
    // A stranger may not learn the version, nor end the wait by claiming another.
    if expected_nonce.is_some() && hello.nonce.as_deref() != expected_nonce {
        return Err(LinkError::Stranger);
    }
    if version != PROTOCOL_VERSION {
        return Err(LinkError::Version { found: version });
    }
    Ok((EntryLink::new(connection), hello))
}

async fn shake_hands(stream: UnixStream, large: Arc<Semaphore>) -> Handshake {
    let slow = |_| LinkError::Slow { operation: "say who it is", limit: HELLO_LIMIT };
    timeout(HELLO_LIMIT, hear_hello(stream, &large)).await.map_err(slow)?
}

async fn hear_hello(stream: UnixStream, large: &Semaphore) -> Handshake {
    let mut connection = Connection::new(stream, MAX_ANSWER);
    let first = match connection.message().await {
        Err(error) if Connection::is_too_large(&error) => {
            let _leave = large.acquire().await.map_err(|error| LinkError::io("speak with")(io::Error::other(error)))?;
            connection.set_limit(MAX_FRAME);
            connection.message().await?
        }
        other => other?,
    };
    let EntryMessage::Hello { version, nonce, argv, state } = first else {
        return Err(LinkError::Unexpected("something else before its hello"));
    };
    Ok((connection, version, Hello { nonce, argv, state }))
}

/// Whether the next connection may be taken although this one could not.
fn is_passing(error: &io::Error) -> bool {
    const NO_DESCRIPTORS: [rustix::io::Errno; 4] =
        [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOBUFS, rustix::io::Errno::NOMEM];
    error.kind() == io::ErrorKind::ConnectionAborted
        || rustix::io::Errno::from_io_error(error).is_some_and(|errno| NO_DESCRIPTORS.contains(&errno))
}
