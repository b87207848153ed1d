//! The server that works in the data directory of this machine, found by what it leaves there.
//!
//! `penstock up` writes its address into the data directory and removes it at its end. What a killed one left behind is
//! told from a server at work by asking it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use penstock_driver::{BackendKind, is_served};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, Trust};
use super::place::Named;
use crate::context::Context;
use crate::failure::Refusal;

const FILE: &str = "server.json";
/// Most bytes of the file.
const LIMIT: u64 = 64 * 1024;

/// What is written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Address {
    url: String,
    pid: u32,
    /// File whose certificate it shows, where it speaks TLS. Whatever name that is for, it is the one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
}

/// Says where the server of a data directory is, as long as the value lives.
#[derive(Debug)]
pub(crate) struct Announcement {
    path: PathBuf,
    address: Address,
}

impl Announcement {
    /// Writes it. Of several servers of one directory the last one counts.
    pub(crate) fn write(
        data_dir: &Path,
        listen: SocketAddr,
        certificate: Option<&Path>,
    ) -> anyhow::Result<Announcement> {
        let mut reached = listen;
        if listen.ip().is_unspecified() {
            reached.set_ip(match listen {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let certificate = certificate.map(Path::to_owned);
        let address = Address { url: format!("{scheme}://{reached}"), pid: std::process::id(), certificate };
        let path = data_dir.join(FILE);
        let failed = || format!("cannot write {}", path.display());
        let mut file = tempfile::NamedTempFile::new_in(data_dir).with_context(failed)?;
        file.write_all(serde_json::to_string(&address)?.as_bytes()).with_context(failed)?;
        file.persist(&path).with_context(failed)?;
        Ok(Announcement { path, address })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Another server may have come since.
        if read(&self.path).is_some_and(|address| address == self.address) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn read(path: &Path) -> Option<Address> {
    use std::io::Read as _;

    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The server that is named, or else the one at work in the data directory. `what` needs it.
pub(crate) async fn server_or_local(context: &Context, what: &str) -> anyhow::Result<Client> {
    if let Some(client) = context.server()? {
        return Ok(client);
    }
    let data_dir = &context.data_dir;
    let found = read(&data_dir.join(FILE)).filter(|_| is_served(data_dir, BackendKind::Process));
    if let Some(Address { url, certificate, .. }) = found {
        let trust = certificate.as_deref().map_or(Trust::System, Trust::Certificate);
        let client = Client::new(&url, Named::Found, None, trust)?;
        let health: Result<Value, _> = client.get(&["apis", "v2beta1", "healthz"], &[]).await;
        match health {
            Ok(_) => return Ok(client),
            Err(error) => tracing::debug!("the server that {FILE} names does not answer: {}", error.text()),
        }
    }
    Err(Refusal::new(format!("{what} needs a server, and none is at work in {}", data_dir.display()))
        .with_hint("start one with `penstock up`, or name one with --server (PENSTOCK_SERVER)")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_there_as_long_as_its_server_and_no_longer() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        let first = Announcement::write(directory.path(), "0.0.0.0:81".parse().unwrap(), None).unwrap();
        assert_eq!(read(&path).unwrap().url, "http://127.0.0.1:81");
        let second = Announcement::write(directory.path(), "[::1]:82".parse().unwrap(), Some(Path::new("/x"))).unwrap();
        drop(first);
        assert_eq!(read(&path).unwrap().url, "https://[::1]:82");
        drop(second);
        assert!(!path.exists());
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path).is_none());
    }
}
