//! Stands between a store and its server, and cuts connections at chosen moments.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// When to cut, once: before or after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// The server is told to commit, and its answer is not passed on.
    After = 1,
    /// The server is not told.
    Before = 2,
    /// The server is not told, and both ends think that the other is still there.
    StallBefore = 3,
}

const NEVER: u8 = 0;
const STALLED: u8 = 4;

/// Where the server's socket is by its port, in the directory of either.
const SOCKET: &str = ".s.PGSQL.5432";

/// Passes everything on until it is told otherwise.
pub(crate) struct Proxy {
    directory: TempDir,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) fn start(server: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("pgproxy").tempdir_in("/tmp").unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let (server, cut) = (PathBuf::from(server).join(SOCKET), Arc::new(AtomicU8::new(NEVER)));
        let wanted = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&wanted)));
            }
        });
        Self { directory, cut }
    }

    pub(crate) fn directory(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    /// The next commit is the last of its connection.
    pub(crate) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    pub(crate) fn has_cut(&self) -> bool {
        matches!(self.cut.load(Ordering::SeqCst), NEVER | STALLED)
    }

    /// Cuts the connection that is stalled.
    pub(crate) fn resume(&self) {
        self.cut.store(NEVER, Ordering::SeqCst);
    }
}

async fn pass(client: UnixStream, server: UnixStream, cut: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
        let said = &bytes[..length];
        if said.windows(7).any(|word| word == b"COMMIT\0") {
            match cut.swap(NEVER, Ordering::SeqCst) {
                NEVER => {}
                kind => {
                    answers.abort();
                    if kind == Cut::After as u8 {
                        to_server.write_all(said).await.unwrap();
                        // Long enough for the server to do it.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    if kind == Cut::StallBefore as u8 {
                        cut.store(STALLED, Ordering::SeqCst);
                        while cut.load(Ordering::SeqCst) == STALLED {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                    }
                    return;
                }
            }
        }
        if to_server.write_all(said).await.is_err() {
            return;
        }
    }
}
