//! The real [`EntryPort`]: the socket in the Pod's control volume.

use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;

use async_trait::async_trait;
use penstock_entry::protocol::{EntryMessage, LauncherMessage, OpenError};

use super::entry::{EntryConnection, EntryPort, Greeting};
use crate::link::{EntryLink, EntryListener, Hello, LinkError};
use crate::report::describe;

#[async_trait]
impl EntryPort for EntryListener {
    async fn accept(&mut self, nonce: Option<&str>) -> io::Result<(Box<dyn EntryConnection>, Greeting)> {
        let (link, hello) = EntryListener::accept(self, nonce).await.map_err(broken)?;
        let Hello { nonce, argv, state } = hello;
        Ok((Box::new(link), Greeting { nonce, argv, state }))
    }
}

#[async_trait]
impl EntryConnection for EntryLink {
    async fn send(&mut self, message: &LauncherMessage) -> io::Result<()> {
        EntryLink::send(self, message).await.map_err(broken)
    }

    async fn next(&mut self) -> io::Result<EntryMessage> {
        EntryLink::next(self).await.map_err(broken)
    }

    async fn open(&mut self, path: &str) -> io::Result<Result<OwnedFd, OpenError>> {
        EntryLink::open(self, path).await.map_err(broken)
    }
}

/// The connection is of no use any more.
#[allow(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
fn broken(error: LinkError) -> io::Error {
    let error: &dyn Error = &error;
    io::Error::other(describe(error))
}
